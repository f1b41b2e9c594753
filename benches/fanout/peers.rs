//! The servers that can be measured, each by what the load needs to know of it: how it is started, how
//! a client enters, and how lines look on its wire.
//!
//! A server of another make is one more `Peer` and one more line in `OTHERS`.

#[path = "peers/irc.rs"]
mod irc;
#[path = "peers/mqtt.rs"]
mod mqtt;
#[path = "peers/nats.rs"]
mod nats;
#[path = "peers/own.rs"]
mod own;
#[path = "peers/plain.rs"]
mod plain;
#[path = "peers/redis.rs"]
mod redis;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

pub use own::{Floor, Snug};

/// What stands in commands and configurations for the port to listen on, the directory to work in and the
/// file that holds the configuration.
pub const PORT: &str = "@PORT@";
pub const DIRECTORY: &str = "@DIR@";
pub const CONFIGURATION: &str = "@CONFIG@";
/// Where servers are installed and a user's `PATH` often does not lead.
const MORE_PATHS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
/// Clients that may be entering while the next ones connect: enough that the server never idles, below
/// the accept queue of most.
const ENTERING: usize = 64;

/// What a client is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Reads,
    Publishes,
    Talks,
}

/// Who a client is.
#[derive(Clone, Copy)]
pub struct Place {
    pub client: usize,
    /// Which of many rooms; `None` if all are in one.
    pub room: Option<usize>,
    pub role: Role,
}

/// How far a client has come in entering.
pub enum Entering {
    /// More must be heard first.
    Waits,
    /// It has something to say, and the next step follows.
    Says,
    /// It is in; so many bytes of what was heard belong to that.
    In(usize),
}

/// A kind of server: how to start it and how lines look on its wire.
pub trait Peer {
    fn name(&self) -> &str;

    /// As it says itself; empty if unknown.
    fn version(&self) -> String {
        String::new()
    }

    /// The program and its arguments, in which `@PORT@` and so on are filled in. It must listen on
    /// 127.0.0.1 and stay the process that was started.
    fn command(&self) -> Vec<OsString>;

    /// The text of its configuration file, with the same to fill in.
    fn configuration(&self) -> Option<&'static str> {
        None
    }

    /// Whether it listens on a port of its own choice and writes `listening on 127.0.0.1:PORT` to
    /// standard error.
    fn announces_port(&self) -> bool {
        false
    }

    /// The file whose size is the server's; `None` for an interpreter's.
    fn program(&self) -> Option<PathBuf> {
        self.command().first().map(PathBuf::from)
    }

    /// Whether a client hears something when it enters: else nobody can tell when it is in.
    fn greets(&self) -> bool {
        true
    }

    /// How many clients may be entering at once.
    fn entering_at_once(&self) -> usize {
        ENTERING
    }

    /// How many of these may not have heard anything yet: no more than its accept queue holds.
    fn unheard_at_once(&self) -> usize {
        ENTERING
    }

    /// Step number `step` of entering, from 0, which comes before anything was heard. `heard` is all
    /// that the client has read so far; what it has to say is appended to `out`.
    fn enter(&self, place: &Place, step: usize, heard: &[u8], out: &mut Vec<u8>) -> Entering;

    /// What it asks of every client within seconds of its entering, and the answer.
    fn asks(&self) -> Option<(&'static [u8], &'static [u8])> {
        None
    }

    /// What a client writes to say `text` in its room, appended to `out`.
    fn encode(&self, _room: usize, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    /// What the others then read. `sender` is what stood before the text in that client's first line:
    /// servers differ in the names they give, but may not change them during a run.
    fn deliver(&self, _room: usize, sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(sender);
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    /// The length of the first whole message in `bytes`.
    fn message(&self, bytes: &[u8]) -> Option<usize> {
        memchr::memchr(b'\n', bytes).map(|at| at + 1)
    }

    /// How many bytes follow the text in a message.
    fn after_text(&self) -> usize {
        1
    }

    /// Whether a message that is no line said by a client is part of how things go: somebody came.
    fn is_notice(&self, _message: &[u8]) -> bool {
        false
    }

    /// Whether who says a line gets it too.
    fn echoes(&self) -> bool {
        false
    }

    /// Whether a publisher need not be in the room. What it reads is then no line.
    fn is_bus(&self) -> bool {
        false
    }

    /// Whether it relays what it read in one piece as one piece, with a name before that: `<user5> `. Such
    /// names are then no part of the lines.
    fn tags_pieces(&self) -> bool {
        false
    }

    /// Whether it has more rooms than one.
    fn has_rooms(&self) -> bool {
        true
    }

    /// How many clients one room can be filled with, and why no more.
    fn room_limit(&self) -> Option<(usize, &'static str)> {
        None
    }

    /// Whether it only sends, and is what others are measured by.
    fn is_floor(&self) -> bool {
        false
    }

    /// Whether it is a second floor, for bursts only.
    fn is_variant(&self) -> bool {
        false
    }

    /// The longest text of a line that it carries.
    fn longest_text(&self) -> usize {
        usize::MAX
    }
}

/// A server of another make.
pub struct Other {
    pub name: &'static str,
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    make: fn(PathBuf) -> Box<dyn Peer>,
}

pub const OTHERS: [Other; 7] = [
    Other {
        name: "redis",
        program: "redis-server",
        package: "redis-server",
        make: |program| Box::new(redis::Redis { program }),
    },
    Other {
        name: "nats",
        program: "nats-server",
        package: "nats-server",
        make: |program| Box::new(nats::Nats { program }),
    },
    Other {
        name: "mosquitto",
        program: "mosquitto",
        package: "mosquitto",
        make: |program| Box::new(mqtt::Mosquitto { program }),
    },
    Other {
        name: "ngircd",
        program: "ngircd",
        package: "ngircd",
        make: |program| {
            let make = irc::Make::Ngircd;
            Box::new(irc::Irc { make, program })
        },
    },
    Other {
        name: "inspircd",
        program: "inspircd",
        package: "inspircd",
        make: |program| {
            let make = irc::Make::Inspircd;
            Box::new(irc::Irc { make, program })
        },
    },
    Other {
        name: "ncat",
        program: "ncat",
        package: "ncat",
        make: |program| Box::new(plain::Ncat { program }),
    },
    Other {
        name: "threads.py",
        program: "python3",
        package: "python3",
        make: |program| Box::new(plain::Threads { program }),
    },
];

impl Other {
    /// The server, if its program is here.
    pub fn find(&self) -> Option<Box<dyn Peer>> {
        Some((self.make)(find_program(self.program)?))
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(MORE_PATHS.map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// The first word with a digit that a program writes when asked for its version: `v=7.0.15` is 7.0.15.
fn version_from(program: &PathBuf, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else {
        return String::new();
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let is_version =
        |word: &&str| word.contains('.') && word.contains(|c: char| c.is_ascii_digit());
    let word = said.split_ascii_whitespace().find(is_version);
    let word = word.unwrap_or_default();
    let start = word.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let rest = &word[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
    rest[..end.unwrap_or(rest.len())]
        .trim_end_matches('.')
        .to_owned()
}

/// Where the first line that contains `needle` ends in `heard`, if it is whole.
fn end_of_line_with(heard: &[u8], needle: &[u8]) -> Option<usize> {
    let at = memchr::memmem::find(heard, needle)?;
    let from = at + needle.len();
    // The needle may hold the newline itself.
    if needle.ends_with(b"\n") {
        return Some(from);
    }
    Some(from + memchr::memchr(b'\n', &heard[from..])? + 1)
}
