//! snug, and the floor beside it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::{Entering, Peer, Place, end_of_line_with, version_from};
use crate::{FLOOR_FLAG, floor};

const WELCOME: &[u8] = b"Welcome to this chatroom!\n";

pub struct Snug {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
}

impl Snug {
    /// With no limit on the rate, where this build knows one: the load is one client that says much.
    pub fn new(binary: PathBuf, mut arguments: Vec<String>) -> Snug {
        let help = Command::new(&binary).args(["serve", "--help"]).output();
        let knows_rate =
            help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--rate "));
        let bare = arguments.iter().any(|argument| argument == "--bare");
        if knows_rate && !bare && !arguments.iter().any(|argument| argument == "--rate") {
            arguments.extend(["--rate".to_owned(), "off".to_owned()]);
        }
        Snug { binary, arguments }
    }

    fn is_bare(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "--bare")
    }
}

impl Peer for Snug {
    fn name(&self) -> &str {
        "snug"
    }

    fn version(&self) -> String {
        version_from(&self.binary, "--version")
    }

    fn command(&self) -> Vec<OsString> {
        let mut command = vec![self.binary.clone().into_os_string()];
        command.extend(["serve", "--listen", "127.0.0.1:0"].map(OsString::from));
        command.extend(self.arguments.iter().map(OsString::from));
        command
    }

    fn announces_port(&self) -> bool {
        true
    }

    fn greets(&self) -> bool {
        !self.is_bare()
    }

    fn has_rooms(&self) -> bool {
        !self.is_bare()
    }

    fn enter(&self, place: &Place, step: usize, heard: &[u8], out: &mut Vec<u8>) -> Entering {
        let end = match (step, place.room) {
            (0, _) if self.is_bare() => Some(0),
            (0, room) => {
                out.extend(
                    room.map(|room| format!("/join #r{room}\n"))
                        .unwrap_or_default()
                        .bytes(),
                );
                return Entering::Says;
            }
            (_, None) => end_of_line_with(heard, WELCOME),
            (_, Some(_)) => end_of_line_with(heard, b"*** you are in "),
        };
        end.map_or(Entering::Waits, Entering::In)
    }

    fn is_notice(&self, message: &[u8]) -> bool {
        // Unless it says that something was left out.
        message.starts_with(b"*** ") && memchr::memmem::find(message, b"skipped").is_none()
    }
}

/// The floor, as it is or with lines made as long as snug's become by their names.
pub struct Floor {
    pub same_bytes: bool,
}

impl Peer for Floor {
    fn name(&self) -> &str {
        if self.same_bytes {
            "floor, same bytes"
        } else {
            "floor"
        }
    }

    fn command(&self) -> Vec<OsString> {
        vec![
            std::env::current_exe().unwrap_or_default().into_os_string(),
            FLOOR_FLAG.into(),
        ]
    }

    fn announces_port(&self) -> bool {
        true
    }

    fn is_floor(&self) -> bool {
        true
    }

    fn is_variant(&self) -> bool {
        self.same_bytes
    }

    /// The floor is part of the benchmark, and has no file of its own.
    fn program(&self) -> Option<PathBuf> {
        None
    }

    fn has_rooms(&self) -> bool {
        false
    }

    fn enter(&self, _place: &Place, step: usize, heard: &[u8], _out: &mut Vec<u8>) -> Entering {
        match end_of_line_with(heard, floor::GREETING.as_bytes()) {
            _ if step == 0 => Entering::Says,
            Some(end) => Entering::In(end),
            None => Entering::Waits,
        }
    }

    fn encode(&self, _room: usize, text: &[u8], out: &mut Vec<u8>) {
        if self.same_bytes {
            out.extend_from_slice(b"<127.0.0.1:40000> ");
        }
        out.extend_from_slice(text);
        out.push(b'\n');
    }
}
