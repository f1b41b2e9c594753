//! Asks one descriptor whether it would block, and does not wait for the answer.
//!
//! This is what lets the client use descriptors that it shares with the shell and must not make
//! non-blocking: it touches them only when they are known to be ready.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;

/// Whether a read from `fd` would return at once: with bytes, with the end, or with an error.
pub fn to_read(fd: impl AsFd) -> bool {
    now(fd, PollFlags::IN)
}

/// Whether `fd` takes at least a few bytes at once (a pipe: `PIPE_BUF`), or fails at once.
pub fn to_write(fd: impl AsFd) -> bool {
    now(fd, PollFlags::OUT)
}

fn now(fd: impl AsFd, flags: PollFlags) -> bool {
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // An error of poll itself (there is hardly one without a timeout) counts as not ready.
    poll(&mut [PollFd::new(&fd, flags)], Some(&at_once)).is_ok_and(|ready| ready > 0)
}
