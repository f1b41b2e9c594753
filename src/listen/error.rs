//! Why an address cannot be listened on, in words that say what to do.

use crate::system::in_words;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// An address that could not be bound. [`fmt::Display`] is one sentence for the user.
#[derive(Debug)]
pub struct BindError {
    /// As `--listen` takes it; of a name, the address that failed.
    pub address: String,
    pub reason: Reason,
}

/// What to branch on.
#[derive(Debug)]
pub enum Reason {
    /// The resolver does not know the host.
    NameNotFound(io::Error),
    /// Another program listens there.
    PortInUse,
    /// The address is none of this machine's. Holds what to listen on instead.
    NotHere(String),
    /// A port below 1024, and no right to it.
    LowPort,
    /// A server answers at the Unix socket, or may.
    ServerRunning,
    /// Something stands at the path that no server left behind.
    NotASocket,
    /// The path's folder is missing.
    NoFolder,
    /// The path's folder may not be written to, or what is there may not be asked.
    Forbidden,
    /// The path does not fit into a socket address.
    LongPath,
    /// Anything else the system says.
    Other(io::Error),
}

impl BindError {
    pub(super) fn tcp(address: SocketAddr, error: io::Error) -> Self {
        let port = address.port();
        let reason = match Errno::from_io_error(&error) {
            Some(Errno::ADDRINUSE) => Reason::PortInUse,
            Some(Errno::ADDRNOTAVAIL) if address.is_ipv6() => {
                Reason::NotHere(format!("[::]:{port}"))
            }
            Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) => {
                Reason::NotHere(format!("0.0.0.0:{port}"))
            }
            Some(Errno::ACCESS | Errno::PERM) if (1..1024).contains(&port) => Reason::LowPort,
            _ => Reason::Other(error),
        };
        Self {
            address: address.to_string(),
            reason,
        }
    }

    pub(super) fn unix(path: &Path, reason: Reason) -> Self {
        let reason = match reason {
            Reason::Other(error) => match Errno::from_io_error(&error) {
                // A server that came up between our look and our bind.
                Some(Errno::ADDRINUSE) => Reason::ServerRunning,
                Some(Errno::NOENT | Errno::NOTDIR) => Reason::NoFolder,
                Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Reason::Forbidden,
                Some(Errno::NAMETOOLONG) => Reason::LongPath,
                // socket2's own, before the system is asked.
                None if error.kind() == io::ErrorKind::InvalidInput => Reason::LongPath,
                _ => Reason::Other(error),
            },
            decided => decided,
        };
        Self {
            address: format!("unix:{}", path.display()),
            reason,
        }
    }

    /// The folder of a Unix address.
    fn folder(&self) -> std::path::Display<'_> {
        let path = self.address.strip_prefix("unix:").unwrap_or(&self.address);
        match Path::new(path).parent() {
            Some(folder) if folder != Path::new("") => folder.display(),
            _ => Path::new(".").display(),
        }
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

impl std::error::Error for BindError {}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, reason } = self;
        let folder = self.folder();
        match reason {
            Reason::NameNotFound(error) => write!(
                f,
                "{address}: the host is not known ({error}); check its spelling, \
                 or give its address in figures"
            ),
            Reason::PortInUse => write!(
                f,
                "{address} is in use by another program; \
                 stop it or choose another port with --listen HOST:PORT"
            ),
            Reason::NotHere(instead) => write!(
                f,
                "{address} is no address of this machine; \
                 choose one it has, or all of them with --listen {instead}"
            ),
            Reason::LowPort => write!(
                f,
                "{address} needs root or CAP_NET_BIND_SERVICE, as ports below 1024 do; \
                 choose a higher one with --listen HOST:PORT"
            ),
            Reason::ServerRunning => write!(
                f,
                "{address} is in use by a running server; \
                 stop it or choose another path with --listen unix:PATH"
            ),
            Reason::NotASocket => write!(
                f,
                "{address} exists and is not a socket, so it is left alone; \
                 move it away or choose another path with --listen unix:PATH"
            ),
            Reason::NoFolder => write!(
                f,
                "{address} cannot be made: there is no folder {folder}; \
                 make it, or choose another path with --listen unix:PATH"
            ),
            Reason::Forbidden => write!(
                f,
                "{address} cannot be made: no permission in {folder}; \
                 choose a folder of your own with --listen unix:PATH"
            ),
            Reason::LongPath => write!(
                f,
                "{address} is too long for a Unix socket; \
                 choose a shorter path with --listen unix:PATH"
            ),
            Reason::Other(error) => {
                write!(f, "{address} cannot be listened on: {}", in_words(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_error_becomes_a_sentence_that_says_what_to_do() {
        for (address, errno, expected) in [
            (
                "127.0.0.1:80",
                Errno::ACCESS,
                "127.0.0.1:80 needs root or CAP_NET_BIND_SERVICE, as ports below 1024 do; \
                 choose a higher one with --listen HOST:PORT",
            ),
            (
                "127.0.0.1:8000",
                Errno::ACCESS,
                "127.0.0.1:8000 cannot be listened on: Permission denied",
            ),
            (
                "[::1]:9999",
                Errno::ADDRNOTAVAIL,
                "[::1]:9999 is no address of this machine; \
                 choose one it has, or all of them with --listen [::]:9999",
            ),
            (
                "[::]:9999",
                Errno::AFNOSUPPORT,
                "[::]:9999 is no address of this machine; \
                 choose one it has, or all of them with --listen 0.0.0.0:9999",
            ),
        ] {
            let address = address.parse().expect("an address");
            let error = BindError::tcp(address, errno.into());
            assert_eq!(error.to_string(), expected);
        }
        for (path, errno, expected) in [
            (
                "/run/snug.sock",
                Errno::ACCESS,
                "unix:/run/snug.sock cannot be made: no permission in /run; \
                 choose a folder of your own with --listen unix:PATH",
            ),
            (
                "snug.sock",
                Errno::ROFS,
                "unix:snug.sock cannot be made: no permission in .; \
                 choose a folder of your own with --listen unix:PATH",
            ),
            (
                "/run/snug.sock",
                Errno::ADDRINUSE,
                "unix:/run/snug.sock is in use by a running server; \
                 stop it or choose another path with --listen unix:PATH",
            ),
        ] {
            let reason = Reason::Other(errno.into());
            assert_eq!(
                BindError::unix(Path::new(path), reason).to_string(),
                expected
            );
        }
    }
}
