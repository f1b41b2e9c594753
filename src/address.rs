//! Where a server listens and a client connects: the forms of `--listen` and of `snug connect`.
//!
//! Owns the syntax only. Looking a name up, binding and connecting belong to the two event loops.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// Where `snug serve` listens and `snug connect` connects when nothing is said (contract, section 1).
pub const DEFAULT_HOST: &str = "127.0.0.1";
/// The port that goes with [`DEFAULT_HOST`].
pub const DEFAULT_PORT: u16 = 9999;
/// The longest path a Unix socket address can hold, in bytes: `sun_path` less its closing NUL
/// (108 on Linux, 104 on the BSDs; the smaller one is the portable limit).
const MAX_UNIX_PATH: usize = 103;

/// One end of a stream: a TCP host and port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT` or `[v6]:PORT`; the host is a name or a literal address, without brackets.
    Tcp { host: String, port: u16 },
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// Why a text is no address. [`fmt::Display`] says what would be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Nothing stands where a host or a path should.
    Empty,
    /// A host without `:PORT`, where a port is needed.
    NoPort(String),
    /// What follows the last colon is no number from 0 to 65535.
    BadPort(String),
    /// None of the forms: `[` without `]`, what is in brackets is no IPv6 address, a URL.
    Unknown(String),
    /// An IPv6 address whose brackets are missing, so that its port cannot be told.
    BareV6(String),
    /// A path without `unix:` before it.
    Path(String),
    /// A Unix socket path longer than the system takes.
    LongPath(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "the host is missing; write HOST:PORT, [v6]:PORT or unix:PATH"
            ),
            Self::NoPort(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                write!(f, "the host is missing; write {DEFAULT_HOST}:{text}")
            }
            Self::NoPort(text) => write!(f, "the port is missing; write {text}:{DEFAULT_PORT}"),
            Self::BadPort(text) => {
                write!(f, "'{text}' is no port; ports are numbers from 0 to 65535")
            }
            Self::Unknown(text) => write!(
                f,
                "'{text}' is no address; write HOST:PORT, [v6]:PORT or unix:PATH"
            ),
            Self::BareV6(text) => {
                // What stands at its end may be meant for the port.
                let parts = text
                    .rsplit_once(':')
                    .filter(|(host, digits)| is_v6(host) && port(digits).is_ok());
                let default = DEFAULT_PORT.to_string();
                let (host, port) = parts.unwrap_or((text, &default));
                write!(f, "an IPv6 address needs brackets; write [{host}]:{port}")
            }
            Self::Path(text) => write!(f, "a path needs 'unix:' before it; write unix:{text}"),
            Self::LongPath(text) => {
                write!(
                    f,
                    "the path of a Unix socket has {MAX_UNIX_PATH} bytes at most, '{text}' has {}",
                    text.len()
                )
            }
        }
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Reads an address to listen on: host and port must both be there.
    pub fn listen(text: &str) -> Result<Self, AddressError> {
        match Parts::split(text)? {
            Parts::Unix(path) => Ok(Self::Unix(path)),
            Parts::Tcp {
                host: Some(host),
                port: Some(port),
            } => Ok(Self::Tcp { host, port }),
            Parts::Tcp {
                host: Some(host),
                port: None,
            } => match text.trim() {
                text if host == text && is_v6(text) => Err(AddressError::BareV6(host)),
                text => Err(AddressError::NoPort(text.into())),
            },
            Parts::Tcp { host: None, .. } => Err(AddressError::Empty),
        }
    }

    /// Reads an address to connect to: a lone host or a lone port is completed from
    /// [`DEFAULT_HOST`] and [`DEFAULT_PORT`].
    pub fn connect(text: &str) -> Result<Self, AddressError> {
        match Parts::split(text)? {
            Parts::Unix(path) => Ok(Self::Unix(path)),
            Parts::Tcp {
                host: Some(digits),
                port: None,
            } if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Self::Tcp {
                host: DEFAULT_HOST.into(),
                port: port(&digits)?,
            }),
            Parts::Tcp { host, port } => Ok(Self::Tcp {
                host: host.unwrap_or_else(|| DEFAULT_HOST.into()),
                port: port.unwrap_or(DEFAULT_PORT),
            }),
        }
    }

    /// Looks up the socket addresses of a TCP host, in the resolver's order. Blocks as long as the
    /// resolver does; a literal address never does. A Unix path has none.
    pub fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        match self {
            Self::Tcp { host, port } => Ok((host.as_str(), *port).to_socket_addrs()?.collect()),
            Self::Unix(_) => Ok(Vec::new()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address with what was left out still left out.
enum Parts {
    Tcp {
        host: Option<String>,
        port: Option<u16>,
    },
    Unix(PathBuf),
}

impl Parts {
    fn split(text: &str) -> Result<Self, AddressError> {
        let unknown = || AddressError::Unknown(text.into());
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err(unknown()),
                1..=MAX_UNIX_PATH => Ok(Self::Unix(path.into())),
                _ => Err(AddressError::LongPath(path.into())),
            };
        }
        if text.contains('/') {
            return Err(match text.contains("://") {
                true => unknown(),
                false => AddressError::Path(text.into()),
            });
        }
        let text = text.trim();
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let parts = rest.split_once(']').filter(|(host, _)| is_v6(host));
                parts.ok_or_else(unknown)?
            }
            None if is_v6(text) => (text, ""),
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(digits) if !digits.contains(':') => Some(port(digits)?),
            _ => return Err(unknown()),
        };
        let host = (!host.is_empty()).then(|| host.into());
        match (&host, port) {
            (None, None) => Err(AddressError::Empty),
            _ => Ok(Self::Tcp { host, port }),
        }
    }
}

/// Whether this is an IPv6 address. Its scope (`fe80::1%eth0`) is the resolver's to judge.
fn is_v6(text: &str) -> bool {
    let (literal, scope) = text.split_once('%').unwrap_or((text, ""));
    literal.parse::<Ipv6Addr>().is_ok() && !scope.contains([':', ']'])
}

fn port(digits: &str) -> Result<u16, AddressError> {
    // `parse` alone would let a sign through.
    match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => digits
            .parse()
            .map_err(|_| AddressError::BadPort(digits.into())),
        false => Err(AddressError::BadPort(digits.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: Result<Address, AddressError>) -> String {
        match result {
            Ok(address) => address.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn listen_takes_the_three_forms_and_says_what_is_missing() {
        for (text, expected) in [
            ("127.0.0.1:9999", "127.0.0.1:9999"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("localhost:80", "localhost:80"),
            ("[::1]:9999", "[::1]:9999"),
            ("[fe80::1%eth0]:9", "[fe80::1%eth0]:9"),
            ("unix:/run/snug.sock", "unix:/run/snug.sock"),
            ("unix:a:b", "unix:a:b"),
            (
                "",
                "error: the host is missing; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "unix:",
                "error: 'unix:' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "tcp://x:1",
                "error: 'tcp://x:1' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "tcp:x:1",
                "error: 'tcp:x:1' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "[::1]9",
                "error: '[::1]9' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (" host:1 ", "host:1"),
            (
                "::1:80",
                "error: an IPv6 address needs brackets; write [::1]:80",
            ),
            (
                "2001:db8::1",
                "error: an IPv6 address needs brackets; write [2001:db8::1]:9999",
            ),
            (
                ":9999",
                "error: the host is missing; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "localhost",
                "error: the port is missing; write localhost:9999",
            ),
            (
                "::1",
                "error: an IPv6 address needs brackets; write [::1]:9999",
            ),
            ("[::1]", "error: the port is missing; write [::1]:9999"),
            (
                "[::1",
                "error: '[::1' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "[host]:1",
                "error: '[host]:1' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "1:2:3",
                "error: '1:2:3' is no address; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
            (
                "host:65536",
                "error: '65536' is no port; ports are numbers from 0 to 65535",
            ),
            (
                "host:+1",
                "error: '+1' is no port; ports are numbers from 0 to 65535",
            ),
            (
                "host:",
                "error: '' is no port; ports are numbers from 0 to 65535",
            ),
            (
                "/run/snug.sock",
                "error: a path needs 'unix:' before it; write unix:/run/snug.sock",
            ),
        ] {
            assert_eq!(shown(Address::listen(text)), expected, "{text:?}");
        }
        let long = format!("unix:/{}", "x".repeat(MAX_UNIX_PATH));
        assert!(matches!(
            Address::listen(&long),
            Err(AddressError::LongPath(_))
        ));
        assert!(Address::listen(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn connect_completes_what_is_missing() {
        for (text, expected) in [
            ("example.org", "example.org:9999"),
            ("7000", "127.0.0.1:7000"),
            (":7000", "127.0.0.1:7000"),
            ("::1", "[::1]:9999"),
            ("[::1]", "[::1]:9999"),
            ("[::1]:7", "[::1]:7"),
            ("fe80::1%eth0", "[fe80::1%eth0]:9999"),
            ("host:7", "host:7"),
            ("unix:s", "unix:s"),
            (
                "70000",
                "error: '70000' is no port; ports are numbers from 0 to 65535",
            ),
            (
                "",
                "error: the host is missing; write HOST:PORT, [v6]:PORT or unix:PATH",
            ),
        ] {
            assert_eq!(shown(Address::connect(text)), expected, "{text:?}");
        }
    }
}
