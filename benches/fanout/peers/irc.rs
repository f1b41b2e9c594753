//! ngIRCd and InspIRCd: `JOIN` and `PRIVMSG`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{CONFIGURATION, Entering, Peer, Place, end_of_line_with, version_from};

/// A line of IRC has at most 512 bytes, with its newline and all that stands before the text.
const LONGEST_TEXT: usize = 440;
/// InspIRCd lets in once a second all who have come since; ngIRCd, once it has welcomed a client, reads
/// no more of it until the next second begins. So many are to wait for that together.
const ONCE_A_SECOND: usize = 3_000;
/// ngIRCd's accept queue holds ten.
const SHORT_QUEUE: usize = 8;

/// Both look through the whole room for each who enters, and ngIRCd tells everybody too.
const ROOM_LIMIT: (usize, &str) = (2_000, "a room of so many takes too long to fill");

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Ngircd,
    Inspircd,
}

pub struct Irc {
    pub make: Make,
    pub program: PathBuf,
}

impl Peer for Irc {
    fn name(&self) -> &str {
        match self.make {
            Make::Ngircd => "ngircd",
            Make::Inspircd => "inspircd",
        }
    }

    fn version(&self) -> String {
        version_from(&self.program, "--version")
    }

    fn command(&self) -> Vec<OsString> {
        let arguments: &[&str] = match self.make {
            Make::Ngircd => &["--nodaemon", "-f", CONFIGURATION],
            Make::Inspircd => &["--nofork", "--nolog", "--nopid", "--config", CONFIGURATION],
        };
        let mut command = vec![self.program.clone().into_os_string()];
        command.extend(arguments.iter().map(OsString::from));
        if self.make == Make::Inspircd && rustix::process::geteuid().is_root() {
            command.push("--runasroot".into());
        }
        command
    }

    fn configuration(&self) -> Option<&'static str> {
        Some(match self.make {
            Make::Ngircd => include_str!("../../peers/ngircd.conf"),
            Make::Inspircd => include_str!("../../peers/inspircd.conf"),
        })
    }

    fn entering_at_once(&self) -> usize {
        ONCE_A_SECOND
    }

    fn unheard_at_once(&self) -> usize {
        match self.make {
            Make::Ngircd => SHORT_QUEUE,
            Make::Inspircd => ONCE_A_SECOND,
        }
    }

    /// A name, then the welcome, then the room, then the end of the list of who is in it.
    fn enter(&self, place: &Place, step: usize, heard: &[u8], out: &mut Vec<u8>) -> Entering {
        let (nick, room) = (place.client, place.room.unwrap_or(0));
        let say = match step {
            0 => format!("NICK u{nick}\r\nUSER u 0 * :u\r\n"),
            1 if end_of_line_with(heard, b" 001 ").is_some() => format!("JOIN #r{room}\r\n"),
            1 => return Entering::Waits,
            _ => return end_of_line_with(heard, b" 366 ").map_or(Entering::Waits, Entering::In),
        };
        out.extend_from_slice(say.as_bytes());
        Entering::Says
    }

    fn encode(&self, room: usize, text: &[u8], out: &mut Vec<u8>) {
        out.extend(format!("PRIVMSG #r{room} :").bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn deliver(&self, _room: usize, sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(sender);
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn after_text(&self) -> usize {
        2
    }

    /// Somebody came, or a mode was set.
    fn is_notice(&self, message: &[u8]) -> bool {
        let mut words = message.split(|&byte| byte == b' ');
        words.nth(1).is_some_and(|word| word != b"PRIVMSG")
    }

    fn room_limit(&self) -> Option<(usize, &'static str)> {
        Some(ROOM_LIMIT)
    }

    fn longest_text(&self) -> usize {
        LONGEST_TEXT
    }
}
