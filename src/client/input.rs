//! Standard input as a source: pipes, terminals and sockets, of which the loop knows when they are
//! readable, and files and devices, which are read directly because epoll refuses them.
//!
//! Owns the descriptor and whether it is worth a look. Never blocks and never sets a flag on it
//! (the shell shares it), and knows nothing of lines. A standard input that was closed (`<&-`)
//! is `/dev/null` by the time this runs: Rust's runtime opens it there.

use super::ready;
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use std::io::{self, Stdin};
use std::os::fd::{AsFd, BorrowedFd};

/// Standard input.
pub struct Input {
    stdin: Stdin,
    kind: Kind,
}

enum Kind {
    /// The loop tells when it is worth a look.
    Watched { look: bool },
    /// Always readable.
    Direct,
}

/// What a [`Input::read`] brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    Bytes(usize),
    /// Nothing for now; the loop will tell.
    Nothing,
    /// The end of input. A terminal would go on after it; the client does not.
    End,
}

impl Input {
    /// Takes standard input as it is.
    pub fn new() -> Self {
        let stdin = io::stdin();
        let regular = fstat(&stdin)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self {
            stdin,
            kind: match regular {
                true => Kind::Direct,
                false => Kind::Watched { look: false },
            },
        }
    }

    /// The descriptor to watch, if it is of a kind that can be.
    pub fn to_watch(&self) -> Option<BorrowedFd<'_>> {
        match self.kind {
            Kind::Watched { .. } => Some(self.stdin.as_fd()),
            Kind::Direct => None,
        }
    }

    /// Nobody can watch it (`/dev/null`, a directory): it is read directly from now on.
    pub fn not_watchable(&mut self) {
        self.kind = Kind::Direct;
    }

    /// The loop saw that something came.
    pub fn something_came(&mut self) {
        if let Kind::Watched { look } = &mut self.kind {
            *look = true;
        }
    }

    /// Whether [`Input::read`] may bring more than [`Read::Nothing`].
    pub fn worth_a_look(&self) -> bool {
        match self.kind {
            Kind::Watched { look } => look,
            Kind::Direct => true,
        }
    }

    /// Reads what is there. Called until it gives [`Read::Nothing`]: only then will the loop tell
    /// again (it hears of changes, not of states).
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        if let Kind::Watched { look } = &mut self.kind {
            // Another process may have read what the event was about.
            *look = ready::to_read(&self.stdin);
            if !*look {
                return Ok(Read::Nothing);
            }
        }
        match rustix::io::read(&self.stdin, buffer) {
            Ok(0) => Ok(Read::End),
            Ok(n) => Ok(Read::Bytes(n)),
            Err(Errno::INTR) => Ok(Read::Bytes(0)),
            // Somebody else left it non-blocking.
            Err(Errno::AGAIN) => {
                if let Kind::Watched { look } = &mut self.kind {
                    *look = false;
                }
                Ok(Read::Nothing)
            }
            Err(error) => Err(error.into()),
        }
    }
}
