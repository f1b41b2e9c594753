//! mosquitto, by MQTT 5: the version in which a client can ask not to get back what it said.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{CONFIGURATION, Entering, Peer, Place, Role, version_from};

const CONNECT: u8 = 0x10;
const CONNECTED: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBSCRIBED: u8 = 0x90;
/// Quality of service 0, and not what this client itself says.
const NOT_OWN: u8 = 0x04;
const CLEAN_START: u8 = 0x02;

pub struct Mosquitto {
    pub program: PathBuf,
}

impl Peer for Mosquitto {
    fn name(&self) -> &str {
        "mosquitto"
    }

    fn version(&self) -> String {
        version_from(&self.program, "-h")
    }

    fn command(&self) -> Vec<OsString> {
        vec![
            self.program.clone().into(),
            "-c".into(),
            CONFIGURATION.into(),
        ]
    }

    fn configuration(&self) -> Option<&'static str> {
        Some(include_str!("../../peers/mosquitto.conf"))
    }

    fn enter(&self, place: &Place, step: usize, heard: &[u8], out: &mut Vec<u8>) -> Entering {
        let publishes = place.role == Role::Publishes;
        if step == 0 {
            let mut body = Vec::new();
            put_string(b"MQTT", &mut body);
            // Version 5, no keep-alive, no properties.
            body.extend_from_slice(&[5, CLEAN_START, 0, 0, 0]);
            put_string(format!("c{}", place.client).as_bytes(), &mut body);
            put_packet(CONNECT, &body, out);
            if !publishes {
                // Packet 1, no properties.
                let mut body = vec![0, 1, 0];
                put_string(topic(place.room.unwrap_or(0)).as_bytes(), &mut body);
                body.push(NOT_OWN);
                put_packet(SUBSCRIBE, &body, out);
            }
            return Entering::Says;
        }
        let last = if publishes { CONNECTED } else { SUBSCRIBED };
        let mut end = 0;
        while let Some(length) = self.message(&heard[end..]) {
            let kind = heard[end];
            end += length;
            if kind == last {
                return Entering::In(end);
            }
        }
        Entering::Waits
    }

    fn encode(&self, room: usize, text: &[u8], out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(text.len() + 16);
        put_string(topic(room).as_bytes(), &mut body);
        // No properties.
        body.push(0);
        body.extend_from_slice(text);
        put_packet(PUBLISH, &body, out);
    }

    /// The same packet that was published.
    fn deliver(&self, room: usize, _sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        self.encode(room, text, out);
    }

    fn message(&self, bytes: &[u8]) -> Option<usize> {
        let (mut length, mut at) = (0, 1);
        // Seven bits a byte, the lowest first; the highest bit says that more follow.
        loop {
            let byte = *bytes.get(at)?;
            length |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 || at > 4 {
                break;
            }
        }
        (at + length <= bytes.len()).then_some(at + length)
    }

    fn after_text(&self) -> usize {
        0
    }

    fn is_bus(&self) -> bool {
        true
    }
}

fn topic(room: usize) -> String {
    format!("r{room}")
}

fn put_string(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

fn put_packet(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    let mut left = body.len();
    loop {
        let more = if left > 0x7f { 0x80 } else { 0 };
        out.push((left & 0x7f) as u8 | more);
        left >>= 7;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
}
