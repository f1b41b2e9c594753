//! What the operating system is asked for that std and the socket crates have no word for.
//!
//! Owns the file limits, and the only `unsafe` of the crate: one socket option too new for any safe
//! wrapper, one question about a socket, one about a signal, and two words about memory that have none, to the allocator
//! and to the kernel.
//! Knows nothing of chat, lines or listeners.
#![allow(unsafe_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Stands for "no limit" where a number is needed; also what Linux allows by default (`fs.nr_open`).
const UNLIMITED_FILES: u64 = 1_048_576;
/// What macOS allows at most (`OPEN_MAX`), whatever its hard limit claims.
const PORTABLE_FILES: u64 = 10_240;

/// From `linux/tcp.h`; not in libc yet.
#[cfg(target_os = "linux")]
const TCP_RTO_MAX_MS: libc::c_int = 44;

/// What a pipe takes whole or not at all, in bytes (POSIX, `PIPE_BUF`); where that is not known, the least that it may be.
#[cfg(not(any(target_os = "illumos", target_os = "solaris")))]
pub use rustix::pipe::PIPE_BUF;
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
pub const PIPE_BUF: usize = 512;

/// Whether whoever started the process has it ignore this signal, as a shell does for what it runs behind a script's
/// back. `false` where that cannot be told.
pub fn is_ignored(signal: i32) -> bool {
    #[cfg(target_os = "linux")]
    {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: without a new action, the call only writes the present one, to where there is room for it; all zeros
        // are an action, too.
        let action = unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            action.assume_init()
        };
        action.sa_sigaction == libc::SIG_IGN
    }
    #[cfg(not(target_os = "linux"))]
    {
        _ = signal;
        false
    }
}

/// Raises the soft limit of open files to the hard one. The limit that is now in force.
pub fn raise_file_limit() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let Some(soft) = now.current else {
        return UNLIMITED_FILES;
    };
    let most = now.maximum.unwrap_or(UNLIMITED_FILES);
    for limit in [most, most.min(PORTABLE_FILES)] {
        let raised = Rlimit {
            current: Some(limit),
            maximum: now.maximum,
        };
        if limit > soft && setrlimit(Resource::Nofile, raised).is_ok() {
            return limit;
        }
    }
    soft
}

/// The most memory that the process may have mapped, in bytes (`ulimit -v`); `None` is no limit.
pub fn address_space() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// What an error is in words, without the number that the standard library puts in parentheses behind.
pub fn in_words(error: &std::io::Error) -> String {
    let mut text = error.to_string();
    if error.raw_os_error().is_some()
        && let Some(number) = text.rfind('(')
    {
        text.truncate(text[..number].trim_end().len());
    }
    text
}

/// Whether the other end of a Unix socket is a process of the user who runs this one. Told by the kernel on Linux;
/// nobody is elsewhere.
pub fn is_own_user(socket: &impl std::os::fd::AsFd) -> bool {
    #[cfg(target_os = "linux")]
    let is_own = rustix::net::sockopt::socket_peercred(socket)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid());
    #[cfg(not(target_os = "linux"))]
    let is_own = {
        _ = socket;
        false
    };
    is_own
}

/// Lets a write beyond the limit of a file's size (`ulimit -f`, `LimitFSIZE=`) fail like any other
/// instead of ending the process. Best effort.
pub fn outlive_file_size_limit() {
    // The signal cannot be ignored without `unsafe`, but a handler that does nothing of use serves too.
    let seen = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen);
}

/// Gives freed memory back to the system, where the allocator keeps it until asked: glibc's does.
pub fn release_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it touches nothing but what the allocator has free, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets go of the pages of library code that were mapped so far: the dynamic linker has touched most of them once, half
/// a megabyte that nobody asks for again. What is needed comes back from the page cache at its next call. Best effort,
/// on Linux; a static build has none.
pub fn release_libraries() {
    #[cfg(target_os = "linux")]
    for range in library_code(&std::fs::read_to_string("/proc/self/smaps").unwrap_or_default()) {
        // SAFETY: these pages are a file's, read-only, and as they are in it, so the kernel brings the same bytes back when
        // they are needed; that the call itself is in such a page does not matter to it.
        unsafe {
            libc::madvise(
                range.start as *mut libc::c_void,
                range.len(),
                libc::MADV_DONTNEED,
            );
        }
    }
}

/// Where the code of shared libraries is, by the text of `/proc/PID/smaps`; but for what was written to since, by a
/// debugger or by relocations.
#[cfg(target_os = "linux")]
fn library_code(smaps: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut code = None;
    for line in smaps.lines() {
        let mut fields = line.split_ascii_whitespace();
        match (fields.next(), fields.next(), fields.nth(3)) {
            (Some("Anonymous:"), Some("0"), _) => found.extend(code.take()),
            (Some(place), Some("r-xp"), Some(file)) if file.contains(".so") => {
                let mut ends = place.splitn(2, '-');
                let mut next = || usize::from_str_radix(ends.next()?, 16).ok();
                code = next().zip(next()).map(|(start, end)| start..end);
            }
            (Some(place), ..) if !place.ends_with(':') => code = None,
            _ => {}
        }
    }
    found
}

/// Limits the growing pause between two attempts to send unanswered data again (the kernel's own
/// limit is two minutes). Linux 6.15 and later; `InvalidInput` or `ENOPROTOOPT` elsewhere.
#[cfg(target_os = "linux")]
pub fn set_tcp_retry_pause(
    socket: &impl std::os::fd::AsFd,
    most: std::time::Duration,
) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;

    let milliseconds =
        libc::c_int::try_from(most.as_millis()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open while it is borrowed; the kernel reads `size_of::<c_int>()`
    // bytes from a `c_int` that outlives the call, and keeps no pointer to it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_RTO_MAX_MS,
            (&raw const milliseconds).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// How many bytes that were written to a TCP socket its other end has not confirmed. Told by the kernel on Linux, also of
/// a connection that was lost; after a reset there are none.
pub fn unconfirmed(socket: &impl std::os::fd::AsFd) -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;

        let mut bytes: libc::c_int = 0;
        // SAFETY: the descriptor is open while it is borrowed; the kernel writes one `c_int`, which outlives the call.
        let result =
            unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        (result == 0).then(|| usize::try_from(bytes).ok()).flatten()
    }
    #[cfg(not(target_os = "linux"))]
    {
        _ = socket;
        None
    }
}

/// What [`set_tcp_retry_pause`] has set.
#[cfg(all(test, target_os = "linux"))]
pub fn tcp_retry_pause(socket: &impl std::os::fd::AsFd) -> std::io::Result<std::time::Duration> {
    use std::os::fd::AsRawFd;

    let mut milliseconds: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: as above; the kernel writes at most `size` bytes into `milliseconds`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_RTO_MAX_MS,
            (&raw mut milliseconds).cast(),
            &raw mut size,
        )
    };
    match result {
        0 => Ok(std::time::Duration::from_millis(milliseconds as u64)),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        let said = raise_file_limit();
        let after = getrlimit(Resource::Nofile);
        assert_eq!(after.maximum, before.maximum);
        assert!(after.current.unwrap_or(u64::MAX) >= before.current.unwrap_or(u64::MAX));
        assert_eq!(said, after.current.unwrap_or(UNLIMITED_FILES));
        if cfg!(target_os = "linux") {
            assert_eq!(said, before.maximum.unwrap_or(UNLIMITED_FILES));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_not_confirmed_is_counted_in_bytes() {
        use std::io::Write;

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut stream = std::net::TcpStream::connect(address).expect("a listener");
        stream.set_nonblocking(true).expect("non-blocking");
        assert_eq!(unconfirmed(&stream), Some(0));
        let mut written = 0;
        while let Ok(n) = stream.write(&[0; 1 << 16]) {
            written += n;
        }
        // Nobody reads: what does not fit there is here.
        let here = unconfirmed(&stream).expect("a number");
        assert!((1..written).contains(&here), "{here} of {written}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn library_code_is_what_is_executable_in_a_shared_library_and_as_it_is_in_the_file() {
        let maps = [
            ("1000-3000 r--p 00000000 fe:00 77 /usr/bin/snug", 0),
            ("3000-9000 r-xp 00002000 fe:00 77 /usr/bin/snug", 0),
            ("b000-c000 r-xp 00000000 00:00 0", 0),
            ("c000-d000 r--p 00000000 fe:00 78 /usr/lib/libc.so.6", 0),
            ("d000-f000 r-xp 00001000 fe:00 78 /usr/lib/libc.so.6", 0),
            ("f000-f800 rw-p 00003000 fe:00 78 /usr/lib/libc.so.6", 8),
            ("f800-fc00 r-xp 00001000 fe:00 79 /usr/lib/a library.so", 4),
            ("fc00-ff00 r-xp 00001000 fe:00 79 /usr/lib/b.so.1", 0),
            ("11000-12000 r-xp 00000000 00:00 0 [vdso]", 0),
        ];
        let smaps: String = maps
            .iter()
            .map(|(map, dirty)| format!("{map}\nSize: 4 kB\nAnonymous: {dirty} kB\nVmFlags: rd\n"))
            .collect();
        assert_eq!(library_code(&smaps), [0xd000..0xf000, 0xfc00..0xff00]);
        assert!(library_code("nonsense\n\nr-xp\n").is_empty());
        release_libraries();
    }
}
