//! Redis as a broker: `SUBSCRIBE` and `PUBLISH`.
//!
//! The third version of its protocol, in which who listens may also speak. The answers to `PUBLISH`
//! are turned off, in Redis's favour: it need not write them, and the load need not read them.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use super::{CONFIGURATION, Entering, Peer, Place, Role, end_of_line_with, version_from};
use crate::crowd::parse;

pub struct Redis {
    pub program: PathBuf,
}

impl Peer for Redis {
    fn name(&self) -> &str {
        "redis"
    }

    fn version(&self) -> String {
        version_from(&self.program, "--version")
    }

    fn command(&self) -> Vec<OsString> {
        vec![self.program.clone().into(), CONFIGURATION.into()]
    }

    fn configuration(&self) -> Option<&'static str> {
        Some(include_str!("../../peers/redis.conf"))
    }

    fn enter(&self, place: &Place, step: usize, heard: &[u8], out: &mut Vec<u8>) -> Entering {
        let room = place.room.unwrap_or(0);
        let publishes = place.role == Role::Publishes;
        if step == 0 {
            let text = match place.role {
                Role::Publishes => "PING\r\nCLIENT REPLY OFF\r\n".to_owned(),
                Role::Reads => format!("HELLO 3\r\nSUBSCRIBE r{room}\r\n"),
                Role::Talks => format!("HELLO 3\r\nSUBSCRIBE r{room}\r\nCLIENT REPLY OFF\r\n"),
            };
            out.extend_from_slice(text.as_bytes());
            return Entering::Says;
        }
        let end = if publishes {
            end_of_line_with(heard, b"+PONG\r\n")
        } else {
            end_of_line_with(heard, format!("\r\nr{room}\r\n:1\r\n").as_bytes())
        };
        end.map_or(Entering::Waits, Entering::In)
    }

    fn encode(&self, room: usize, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"*3\r\n$7\r\nPUBLISH\r\n");
        put_room_and_text(room, text, out);
    }

    fn deliver(&self, room: usize, _sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b">3\r\n$7\r\nmessage\r\n");
        put_room_and_text(room, text, out);
    }

    /// Two lines for each of the three parts, after one that says that there are three.
    fn message(&self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        let mut line: &[u8] = b"";
        for _ in 0..6 {
            let length = memchr::memchr(b'\n', &bytes[start..])?;
            line = &bytes[start..start + length];
            start += length + 1;
        }
        // What is no message ends with this line: the load then says what it read.
        let text = line
            .strip_prefix(b"$")
            .and_then(|line| parse(line.trim_ascii_end()));
        let end = start + text.map_or(0, |length| length + 2);
        (end <= bytes.len()).then_some(end)
    }

    fn after_text(&self) -> usize {
        2
    }

    fn echoes(&self) -> bool {
        true
    }

    fn is_bus(&self) -> bool {
        true
    }
}

fn put_room_and_text(room: usize, text: &[u8], out: &mut Vec<u8>) {
    let name = format!("r{room}");
    // Writing to a vector cannot fail.
    let _ = write!(out, "${}\r\n{name}\r\n${}\r\n", name.len(), text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}
