//! What the client says on standard error: one line each, `snug: …`.
//!
//! Owns the sentences. Never fails and never waits: a standard error that is gone or full costs the
//! line, not the chat.

use super::dial::DialError;
use super::ready;
use crate::address::{Address, DEFAULT_HOST, DEFAULT_PORT};
use crate::system::in_words;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// Says `text` on standard error.
pub fn say(text: &str) {
    let stderr = io::stderr();
    if ready::to_write(&stderr) {
        // There is nobody else to tell.
        let _ = stderr
            .lock()
            .write_all(format!("snug: {text}\n").as_bytes());
    }
}

/// A pause as `1.2 s`.
pub fn seconds(pause: Duration) -> String {
    // Printing floating-point numbers would be 18 KB of code for this one line.
    let tenths = (pause.as_millis() as u64 + 50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// Why a connection ended; without an error, the server closed it.
pub fn why_lost(error: Option<&io::Error>) -> String {
    match error {
        None => "closed by the server".into(),
        Some(error) => cause(error),
    }
}

/// That so many lines were sent last and not confirmed, if there are any.
pub fn perhaps_unheard(lines: usize) -> Option<String> {
    match lines {
        0 => None,
        // Of those that have arrived, too, the server may not have read the last.
        1 => Some("the last line that you sent, or more, may not have arrived".into()),
        _ => Some(format!(
            "the last {lines} lines that you sent, or more, may not have arrived"
        )),
    }
}

/// That so many lines were not sent, if there are any.
pub fn unsent(lines: usize) -> Option<String> {
    match lines {
        0 => None,
        1 => Some("the last line was not sent".into()),
        _ => Some(format!("the last {lines} lines were not sent")),
    }
}

/// Why no connection came about.
pub fn why_not(error: &DialError) -> String {
    match error {
        DialError::NoSuchName(name) => format!("the name '{name}' is not known"),
        DialError::Failed(error) => cause(error),
    }
}

/// What a user can do about it; with `bare`, the other end was to be a bus.
pub fn advice(address: &Address, bare: bool, error: &DialError) -> String {
    let failed = match error {
        DialError::NoSuchName(_) => return "check its spelling, and the network".into(),
        DialError::Failed(error) => error,
    };
    let bare = if bare { " --bare" } else { "" };
    let listen = match address {
        Address::Tcp { host, port } if host == DEFAULT_HOST && *port == DEFAULT_PORT => {
            String::new()
        }
        other => format!(" --listen {other}"),
    };
    match (failed.kind(), address) {
        (ErrorKind::ConnectionRefused, _) | (ErrorKind::NotFound, Address::Unix(_)) => {
            format!("is a server running there? start one with: snug serve{bare}{listen}")
        }
        (ErrorKind::PermissionDenied, Address::Unix(_)) => {
            "the socket file belongs to somebody else; its owner can open it with chmod".into()
        }
        (ErrorKind::WouldBlock, _) => "it has more callers than it can take; try again".into(),
        _ => "check the address, the network, and firewalls on the way".into(),
    }
}

/// An error, as a sentence goes on with it.
pub fn cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".into(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset by peer".into(),
        ErrorKind::TimedOut => "no answer".into(),
        ErrorKind::WouldBlock => "the server's queue is full".into(),
        _ => {
            let text = in_words(error);
            let mut chars = text.chars();
            match chars.next() {
                // A sentence goes on here. What begins with two capitals is a name.
                Some(first) if !chars.as_str().starts_with(char::is_uppercase) => {
                    first.to_lowercase().chain(chars).collect()
                }
                _ => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(address: &str, bare: bool, errno: rustix::io::Errno) -> String {
        let address = Address::connect(address).expect("a valid address");
        let error = DialError::Failed(errno.into());
        format!("{}; {}", why_not(&error), advice(&address, bare, &error))
    }

    #[test]
    fn a_failed_connect_says_what_to_do() {
        use rustix::io::Errno;
        for (address, errno, expected) in [
            (
                "9999",
                Errno::CONNREFUSED,
                "connection refused; is a server running there? start one with: snug serve",
            ),
            (
                "[::1]:7000",
                Errno::CONNREFUSED,
                "connection refused; is a server running there? start one with: \
                 snug serve --listen [::1]:7000",
            ),
            (
                "unix:/tmp/s",
                Errno::NOENT,
                "no such file or directory; is a server running there? start one with: \
                 snug serve --listen unix:/tmp/s",
            ),
            (
                "unix:/tmp/s",
                Errno::ACCESS,
                "permission denied; the socket file belongs to somebody else; its owner can open \
                 it with chmod",
            ),
            (
                "example.org",
                Errno::TIMEDOUT,
                "no answer; check the address, the network, and firewalls on the way",
            ),
            (
                "example.org",
                Errno::NETUNREACH,
                "network is unreachable; check the address, the network, and firewalls on the way",
            ),
        ] {
            assert_eq!(sentence(address, false, errno), expected);
        }
        assert_eq!(
            sentence("7000", true, Errno::CONNREFUSED),
            "connection refused; is a server running there? start one with: \
             snug serve --bare --listen 127.0.0.1:7000"
        );
    }

    #[test]
    fn causes_are_short() {
        assert_eq!(why_lost(None), "closed by the server");
        let io = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
        assert_eq!(cause(&io), "input/output error");
        assert_eq!(cause(&io::Error::other("TLS is off")), "TLS is off");
        assert_eq!(seconds(Duration::from_millis(1234)), "1.2 s");
    }
}
