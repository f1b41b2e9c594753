//! NATS as a broker: `SUB` and `PUB`.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use super::{CONFIGURATION, Entering, Peer, Place, Role, end_of_line_with, version_from};
use crate::crowd::parse;

pub struct Nats {
    pub program: PathBuf,
}

impl Peer for Nats {
    fn name(&self) -> &str {
        "nats"
    }

    fn version(&self) -> String {
        version_from(&self.program, "--version")
    }

    fn command(&self) -> Vec<OsString> {
        vec![
            self.program.clone().into(),
            "-c".into(),
            CONFIGURATION.into(),
        ]
    }

    fn configuration(&self) -> Option<&'static str> {
        Some(include_str!("../../peers/nats.conf"))
    }

    fn enter(&self, place: &Place, step: usize, heard: &[u8], out: &mut Vec<u8>) -> Entering {
        if step == 0 {
            // No answer to each line, and nobody gets back what they said.
            out.extend_from_slice(
                b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"protocol\":1}\r\n",
            );
            if place.role != Role::Publishes {
                out.extend(format!("SUB r{} 1\r\n", place.room.unwrap_or(0)).bytes());
            }
            out.extend_from_slice(b"PING\r\n");
            return Entering::Says;
        }
        end_of_line_with(heard, b"PONG\r\n").map_or(Entering::Waits, Entering::In)
    }

    /// Some two seconds after entering it measures the way to each client.
    fn asks(&self) -> Option<(&'static [u8], &'static [u8])> {
        Some((b"PING\r\n", b"PONG\r\n"))
    }

    fn encode(&self, room: usize, text: &[u8], out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = write!(out, "PUB r{room} {}\r\n", text.len());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn deliver(&self, room: usize, _sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        let _ = write!(out, "MSG r{room} 1 {}\r\n", text.len());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn message(&self, bytes: &[u8]) -> Option<usize> {
        let head = memchr::memchr(b'\n', bytes)? + 1;
        let words = bytes[..head].trim_ascii_end();
        let length = words
            .starts_with(b"MSG ")
            .then(|| words.rsplit(|&byte| byte == b' ').next());
        let end = head
            + length
                .flatten()
                .and_then(parse)
                .map_or(0, |length| length + 2);
        (end <= bytes.len()).then_some(end)
    }

    fn is_notice(&self, message: &[u8]) -> bool {
        message.starts_with(b"INFO ") || message == b"PING\r\n"
    }

    fn after_text(&self) -> usize {
        2
    }

    fn is_bus(&self) -> bool {
        true
    }
}
