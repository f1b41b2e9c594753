//! Asks one descriptor whether it would block, and does not wait for the answer but at the very end.
//!
//! This is what lets the client use descriptors that it shares with the shell and must not make
//! non-blocking: it touches them only when they are known to be ready.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Whether a read from `fd` would return at once: with bytes, with the end, or with an error.
pub fn to_read(fd: impl AsFd) -> bool {
    now(fd, PollFlags::IN)
}

/// Whether `fd` takes at least a few bytes at once (a pipe: `PIPE_BUF`), or fails at once.
pub fn to_write(fd: impl AsFd) -> bool {
    now(fd, PollFlags::OUT)
}

/// [`to_write`] for an end of the process, which may wait for it a moment.
pub fn to_write_until(fd: impl AsFd, until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    within(fd, PollFlags::OUT, left)
}

fn now(fd: impl AsFd, flags: PollFlags) -> bool {
    within(fd, flags, Duration::ZERO)
}

fn within(fd: impl AsFd, flags: PollFlags, time: Duration) -> bool {
    let time = Timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: time.subsec_nanos() as _,
    };
    // An error of poll itself (there is hardly one) counts as not ready.
    poll(&mut [PollFd::new(&fd, flags)], Some(&time)).is_ok_and(|ready| ready > 0)
}
