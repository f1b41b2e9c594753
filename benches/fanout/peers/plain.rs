//! Servers that speak lines as they are: `ncat --chat`, and threads in Python.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Entering, PORT, Peer, Place, end_of_line_with, version_from};

/// Its accept queue holds ten.
const SHORT_QUEUE: usize = 8;
/// It waits by `select`, which knows 1,024 files.
const NCAT_LIMIT: (usize, &str) = (1_010, "holds no more than about 1,000 clients");

/// It relays what it read in one piece as one piece, with a name before that; lines mean nothing to it.
pub struct Ncat {
    pub program: PathBuf,
}

/// A thread for each client, in `benches/peers/threads.py`. `program` is the interpreter.
pub struct Threads {
    pub program: PathBuf,
}

impl Peer for Ncat {
    fn name(&self) -> &str {
        "ncat"
    }

    fn version(&self) -> String {
        version_from(&self.program, "--version")
    }

    fn command(&self) -> Vec<OsString> {
        let mut command = vec![self.program.clone().into()];
        // No names are looked up, and as many may come as can.
        let arguments = ["--chat", "-n", "-m", "60000", "-l", "127.0.0.1", PORT];
        command.extend(arguments.map(OsString::from));
        command
    }

    fn unheard_at_once(&self) -> usize {
        SHORT_QUEUE
    }

    fn enter(&self, _place: &Place, step: usize, heard: &[u8], _out: &mut Vec<u8>) -> Entering {
        match end_of_line_with(heard, b"<announce> already connected: ") {
            _ if step == 0 => Entering::Says,
            Some(end) => Entering::In(end),
            None => Entering::Waits,
        }
    }

    /// The name is taken out of the stream, wherever it stands.
    fn deliver(&self, _room: usize, _sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn is_notice(&self, message: &[u8]) -> bool {
        message.starts_with(b"<announce> ")
    }

    fn room_limit(&self) -> Option<(usize, &'static str)> {
        Some(NCAT_LIMIT)
    }

    fn tags_pieces(&self) -> bool {
        true
    }

    fn has_rooms(&self) -> bool {
        false
    }
}

impl Peer for Threads {
    fn name(&self) -> &str {
        "threads.py"
    }

    fn version(&self) -> String {
        version_from(&self.program, "--version")
    }

    fn command(&self) -> Vec<OsString> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/threads.py");
        vec![self.program.clone().into(), script.into(), PORT.into()]
    }

    fn program(&self) -> Option<PathBuf> {
        None
    }

    fn enter(&self, _place: &Place, step: usize, heard: &[u8], _out: &mut Vec<u8>) -> Entering {
        match end_of_line_with(heard, b"Welcome!\n") {
            _ if step == 0 => Entering::Says,
            Some(end) => Entering::In(end),
            None => Entering::Waits,
        }
    }

    fn has_rooms(&self) -> bool {
        false
    }
}
