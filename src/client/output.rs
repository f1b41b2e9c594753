//! Standard output as a sink that takes what it can and never makes the client wait.
//!
//! Owns the descriptor and the bytes that wait for it. Never sets a flag on the descriptor (the
//! shell shares it): a terminal is opened a second time, non-blocking; a pipe or socket is asked
//! before each write, which is then small enough not to block; a file is written to directly.

use super::fifo::Fifo;
use super::ready;
use crate::system::PIPE_BUF;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::termios::ttyname;
use std::io::{self, IsTerminal, Stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// With this much waiting the client reads nothing more from the socket. One read more may come on
/// top of it, and what colour and time add to that.
pub const LIMIT: usize = 64 << 10;
/// What a terminal takes in one write when it could not be opened a second time. It may say that it is
/// writable with room for less than this, but hardly ever for less than a few lines.
const TERMINAL_WRITE: usize = 256;

/// Standard output and what waits for it.
pub struct Output {
    target: Target,
    waiting: Fifo,
    /// Whether a write is worth a try; false from a refusal until the loop says otherwise.
    writable: bool,
}

enum Target {
    /// Takes everything at once: files, `/dev/null`, `/dev/full`.
    Direct(Stdout),
    /// Asked before each write of at most so many bytes.
    Asked(Stdout, usize),
    /// The terminal behind standard output, opened for this process alone and non-blocking.
    Terminal(OwnedFd),
}

impl Output {
    /// Takes standard output as it is.
    pub fn new() -> Self {
        let stdout = io::stdout();
        let regular = fstat(&stdout)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let target = if regular {
            Target::Direct(stdout)
        } else if stdout.is_terminal() {
            match open_again(&stdout) {
                Ok(terminal) => Target::Terminal(terminal),
                // Not ours to open (after `su`), or out of sight (in a container).
                Err(_) => Target::Asked(stdout, TERMINAL_WRITE),
            }
        } else {
            Target::Asked(stdout, PIPE_BUF)
        };
        Self {
            target,
            waiting: Fifo::default(),
            writable: true,
        }
    }

    /// The descriptor to watch, if it is of a kind that can be.
    pub fn to_watch(&self) -> Option<BorrowedFd<'_>> {
        match &self.target {
            Target::Direct(_) => None,
            Target::Asked(stdout, _) => Some(stdout.as_fd()),
            Target::Terminal(terminal) => Some(terminal.as_fd()),
        }
    }

    /// Nobody can watch it (`/dev/null`, `/dev/full`): it is written to directly from now on.
    pub fn not_watchable(&mut self) {
        self.target = Target::Direct(io::stdout());
    }

    /// The loop saw that it takes bytes again.
    pub fn room_came(&mut self) {
        self.writable = true;
    }

    /// Waits for room, until then at most. Whether it has come.
    pub fn waits_for_room(&mut self, until: Instant) -> bool {
        let came = match &self.target {
            Target::Direct(_) => true,
            Target::Asked(stdout, _) => ready::to_write_until(stdout, until),
            Target::Terminal(terminal) => ready::to_write_until(terminal, until),
        };
        self.writable |= came;
        came
    }

    /// Where to append what is to be printed. What is in it already must stay.
    pub fn back(&mut self) -> &mut Vec<u8> {
        self.waiting.back()
    }

    /// Gives what waits to be printed, which is not printed then.
    pub fn take(&mut self) -> Vec<u8> {
        let waiting = self.waiting.as_slice().to_vec();
        self.waiting = Fifo::default();
        waiting
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether so much waits that nothing should be added.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= LIMIT
    }

    /// Whether so much waits that not even what the user types should be added.
    pub fn is_overfull(&self) -> bool {
        self.waiting.len() >= 4 * LIMIT
    }

    /// Writes as much as is taken without waiting.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.writable && !self.waiting.is_empty() {
            let bytes = self.waiting.as_slice();
            let written = match &self.target {
                Target::Direct(stdout) => rustix::io::write(stdout, bytes),
                Target::Terminal(terminal) => rustix::io::write(terminal, bytes),
                Target::Asked(stdout, _) if !ready::to_write(stdout) => Err(Errno::AGAIN),
                Target::Asked(stdout, most) => {
                    rustix::io::write(stdout, &bytes[..bytes.len().min(*most)])
                }
            };
            match written {
                Ok(n) => self.waiting.drop_front(n),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.writable = false,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Opens the terminal behind `stdout` a second time. The new descriptor shares nothing with the old
/// one, so that non-blocking stays a matter of this process.
fn open_again(stdout: &Stdout) -> rustix::io::Result<OwnedFd> {
    let path = ttyname(stdout, Vec::new())?;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}
