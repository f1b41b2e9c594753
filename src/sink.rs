//! Streams that take bytes at once or say that they cannot.
//!
//! Owns the way to write to a descriptor that the process shares with others (standard output,
//! standard error) without ever waiting. Never keeps a byte, retries, or sets a flag on what is
//! shared: who writes decides what becomes of what was not taken.

use crate::system::PIPE_BUF;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

/// A stream that takes bytes at once or says that it cannot.
pub trait Sink: Send {
    /// Writes what can be written without waiting; `WouldBlock` if that is nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// A file descriptor that belongs to others too, written to without ever waiting.
pub struct Descriptor<F> {
    shared: F,
    /// The same pipe or terminal, opened once more and non-blocking. Readiness alone does not do:
    /// a terminal that has room for one byte is ready, and waits with the second; and between
    /// question and answer another process may have filled a pipe.
    own: Option<OwnedFd>,
    /// What `shared` takes in one write without waiting, once it says that it is ready.
    most: usize,
}

impl<F: AsFd> Descriptor<F> {
    /// Takes `shared`, and opens it once more where that can be.
    pub fn new(shared: F) -> Self
    where
        F: IsTerminal,
    {
        let own = Self::reopen(&shared);
        Self {
            own,
            ..Self::shared(shared)
        }
    }

    /// Takes `shared` as it is.
    pub fn shared(shared: F) -> Self {
        let is_file = fstat(&shared)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self {
            shared,
            own: None,
            most: if is_file { usize::MAX } else { PIPE_BUF },
        }
    }

    /// The descriptor that belongs to others too.
    pub fn as_shared(&self) -> &F {
        &self.shared
    }

    /// Only Linux opens a new description by this path. May well fail (the terminal belongs to
    /// another user, a pipe's reader is gone, no `/proc`): the shared descriptor is used then.
    #[cfg(target_os = "linux")]
    fn reopen(shared: &F) -> Option<OwnedFd>
    where
        F: IsTerminal,
    {
        use rustix::fs::{Mode, OFlags};
        use std::os::fd::AsRawFd;

        let pipe = fstat(shared).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_fifo());
        if !pipe && !shared.is_terminal() {
            return None;
        }
        let path = format!("/proc/self/fd/{}", shared.as_fd().as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn reopen(_shared: &F) -> Option<OwnedFd> {
        None
    }
}

impl<F: AsFd + Send> Sink for Descriptor<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (fd, bytes) = match &self.own {
            Some(own) => (own.as_fd(), bytes),
            None => {
                let fd = self.shared.as_fd();
                let mut fds = [PollFd::new(&fd, PollFlags::OUT)];
                let at_once = Timespec::default();
                rustix::io::retry_on_intr(|| poll(&mut fds, Some(&at_once)))?;
                // Any event at all: an error or a hang-up is for `write` to name.
                if fds[0].revents().is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                (fd, &bytes[..bytes.len().min(self.most)])
            }
        };
        Ok(rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes))?)
    }
}
