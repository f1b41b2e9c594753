//! `--transcript FILE`: every public line, kept in a file.
//!
//! Owns the file: what is said is appended after each turn, and its end read back at start. Knows nothing of rooms or people, and never stops the chat: a disk that is
//! full, a file that is gone or a pipe that nobody reads costs counted lines, said once when it
//! begins and once when it is over.

mod keeper;
mod place;
mod tail;

pub use tail::{Tail, read_tail};

use crate::limits::Millis;
use crate::sink::Descriptor;
use crate::wire::clean;
use keeper::{Keeper, reason};
use place::Place;
use rustix::io::Errno;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The name that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// The file that keeps what is said.
pub struct Transcript {
    keeper: Keeper<Place>,
}

impl Transcript {
    /// Opens the file to append to, or makes it; `-` is standard output. The error is a sentence.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Lines that no longer fit into the file are a fault like any other.
        crate::system::outlive_file_size_limit();
        let keeper = if path == Path::new(STANDARD_OUTPUT) {
            let sink = Descriptor::new(io::stdout());
            Keeper::new("standard output".into(), Place::Shared(Box::new(sink)))
        } else {
            let name = shown(path);
            match Keeper::new(name.clone(), Place::named(path)) {
                // Its reader may well be started after us.
                Err(error) if is(&error, Errno::NXIO) && place::is_pipe(path) => {
                    Ok(Keeper::failed(name, Place::named(path), &error))
                }
                result => result,
            }
        };
        match keeper {
            Ok(keeper) => Ok(Self { keeper }),
            Err(error) => Err(io::Error::new(error.kind(), sentence(path, &error))),
        }
    }

    /// Keeps one turn's lines, as made by [`record::format`](crate::wire::record::format); `count` of them.
    pub fn append(&mut self, lines: &[u8], count: u64, now: Millis) {
        self.keeper.append(lines, count, now);
    }

    /// Tries again what a slow reader has not taken yet, if it is time.
    pub fn retry(&mut self, now: Millis) {
        self.keeper.retry(now);
    }

    /// When [`Transcript::retry`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.keeper.next_deadline()
    }

    /// Goes on in the file that bears the name now, for log rotation.
    pub fn reopen(&mut self, now: Millis) {
        self.keeper.reopen(now);
    }

    /// Ends it, and says what was not kept.
    pub fn close(mut self, now: Millis) {
        self.keeper.close(now);
    }
}

/// A path, for people.
fn shown(path: &Path) -> String {
    clean::cleaned(path.as_os_str().as_bytes())
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// Why the file cannot be opened, and what would help.
fn sentence(path: &Path, error: &io::Error) -> String {
    let name = shown(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match error.kind() {
        io::ErrorKind::NotFound if name.is_empty() => {
            "the transcript needs the name of a file, or - for standard output".into()
        }
        io::ErrorKind::NotFound if !folder.exists() => format!(
            "the transcript {name} cannot be written: there is no folder {}; make it first",
            shown(folder)
        ),
        io::ErrorKind::IsADirectory => {
            format!("the transcript {name} cannot be written: it is a folder; name a file in it")
        }
        _ => format!("the transcript {name} cannot be written: {}", reason(error)),
    }
}

#[cfg(test)]
mod tests;
