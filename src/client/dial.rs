//! Making a connection: each address of a name in turn, without waiting for any.
//!
//! Owns the socket until it is connected, and how connected sockets are set up. Never waits: to look a name up is
//! the standard library's, which does, and so has a thread of its own meanwhile.

use crate::address::Address;
use rustix::io::Errno;
use socket2::{SockAddr, Socket, TcpKeepalive, Type};
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::vec::IntoIter;

/// How long one address has to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A connection with no traffic for so long is probed …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// … so often …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// … and given up after so many probes without an answer.
const KEEPALIVE_PROBES: u32 = 3;
/// A connection whose server has confirmed nothing of what was sent for so long is given up.
#[cfg(target_os = "linux")]
const UNCONFIRMED: Duration = Duration::from_secs(90);

/// A socket that tells the loop once that it is to be watched.
pub struct Stream {
    pub socket: Socket,
    watched: bool,
}

impl Stream {
    /// The descriptor, the first time it is asked for.
    pub fn watch_once(&mut self) -> Option<BorrowedFd<'_>> {
        (!std::mem::replace(&mut self.watched, true)).then(|| self.socket.as_fd())
    }
}

/// A connection in the making.
pub struct Dial {
    stream: Stream,
    /// When this address has had its time.
    until: Instant,
    /// The addresses still to be tried.
    rest: IntoIter<SockAddr>,
}

/// How far it is.
pub enum Progress {
    /// To be asked again when something happens to [`Dial::stream`], and at [`Dial::until`].
    Pending(Dial),
    Connected(Stream),
    Failed(DialError),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    NoSuchName(String),
    /// What the last address tried had to say.
    Failed(io::Error),
}

/// A name that is being looked up.
pub struct LookUp {
    answer: JoinHandle<Found>,
    /// Its other end is closed as soon as there is an answer.
    bell: Stream,
}

/// What an address stands for, to be tried in this order. Never empty.
pub type Found = Result<Vec<SockAddr>, DialError>;

impl LookUp {
    /// Begins to look up what `address` stands for.
    pub fn begin(address: &Address) -> io::Result<Self> {
        let (bell, rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let address = address.clone();
        let answer = thread::Builder::new().spawn(move || {
            let found = look_up(&address);
            drop(rope);
            found
        })?;
        let bell = Stream {
            socket: bell.into(),
            watched: false,
        };
        Ok(Self { answer, bell })
    }

    /// What it stands for, if that is known: [`Self::stream`] tells when to ask.
    pub fn check(self) -> Result<Found, Self> {
        match (&self.bell.socket).read(&mut [0]) {
            // The thread is about to end, or has.
            Ok(0) => Ok(self.answer.join().unwrap_or_else(|_| Ok(Vec::new()))),
            _ => Err(self),
        }
    }

    pub fn stream(&mut self) -> &mut Stream {
        &mut self.bell
    }
}

/// Whether [`look_up`] may have to wait.
pub fn may_wait(address: &Address) -> bool {
    matches!(address, Address::Tcp { host, .. } if host.parse::<IpAddr>().is_err())
}

/// What `address` stands for.
pub fn look_up(address: &Address) -> Found {
    match address {
        Address::Unix(path) => match SockAddr::unix(path) {
            Ok(found) => Ok(vec![found]),
            Err(error) => Err(DialError::Failed(error)),
        },
        Address::Tcp { host, .. } => match address.resolve() {
            Ok(found) if !found.is_empty() => Ok(found.into_iter().map(SockAddr::from).collect()),
            _ => Err(DialError::NoSuchName(host.clone())),
        },
    }
}

/// Starts to connect to one of these.
pub fn dial(found: Found, now: Instant) -> Progress {
    match found {
        Ok(found) => next(found.into_iter(), now, Errno::ADDRNOTAVAIL.into()),
        Err(error) => Progress::Failed(error),
    }
}

impl Dial {
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub fn until(&self) -> Instant {
        self.until
    }

    /// Looks whether it is connected now, and tries the next address if it never will be.
    pub fn check(self, now: Instant) -> Progress {
        let failed = match self.stream.socket.take_error() {
            Ok(Some(error)) | Err(error) => Some(error),
            Ok(None) if self.stream.socket.peer_addr().is_ok() => {
                return connected(self.stream, self.rest, now);
            }
            Ok(None) if now >= self.until => Some(Errno::TIMEDOUT.into()),
            Ok(None) => None,
        };
        match failed {
            Some(error) => next(self.rest, now, error),
            None => Progress::Pending(self),
        }
    }
}

/// Tries the addresses in turn until one answers or is at least not out of the question.
fn next(mut rest: IntoIter<SockAddr>, now: Instant, mut error: io::Error) -> Progress {
    while let Some(address) = rest.next() {
        match begin(&address) {
            Ok((stream, true)) => return connected(stream, rest, now),
            Ok((stream, false)) => {
                return Progress::Pending(Dial {
                    stream,
                    until: now + ANSWER,
                    rest,
                });
            }
            Err(failed) => error = failed,
        }
    }
    Progress::Failed(DialError::Failed(error))
}

/// A socket that is connecting, and whether it is connected already.
fn begin(address: &SockAddr) -> io::Result<(Stream, bool)> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let connected = match socket.connect(address) {
        Ok(()) => true,
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => false,
        Err(error) => return Err(error),
    };
    let stream = Stream {
        socket,
        watched: false,
    };
    Ok((stream, connected))
}

fn connected(stream: Stream, rest: IntoIter<SockAddr>, now: Instant) -> Progress {
    let socket = &stream.socket;
    let Some(here) = tcp_address(socket.local_addr()) else {
        return Progress::Connected(stream);
    };
    // With no server on a port that the system also gives to clients, a client that tries again and
    // again is one day given that port itself and then talks to itself. Nobody is there.
    if Some(here) == tcp_address(socket.peer_addr()) {
        return next(rest, now, Errno::CONNREFUSED.into());
    }
    // None of these is worth giving up a connection for.
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNCONFIRMED));
    Progress::Connected(stream)
}

/// The server takes less than is sent: it is slow, and slow is not gone. Linux would end a connection
/// whose reader is alive but reads nothing for [`UNCONFIRMED`]; from now on only its own patience
/// with a server that does not answer at all (a quarter of an hour) counts.
pub fn be_patient(socket: &Socket) {
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(None);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

fn tcp_address(address: io::Result<SockAddr>) -> Option<SocketAddr> {
    address.ok()?.as_socket()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_meanwhile() {
        let address = Address::connect("localhost:7").expect("an address");
        assert!(may_wait(&address));
        let mut look_up = LookUp::begin(&address).expect("a thread");
        let found = loop {
            match look_up.check() {
                Ok(found) => break found.expect("addresses"),
                Err(not_yet) => look_up = not_yet,
            }
            thread::sleep(Duration::from_millis(1));
        };
        let addresses: Vec<_> = found.iter().filter_map(SockAddr::as_socket).collect();
        assert!(
            addresses
                .iter()
                .all(|at| at.ip().is_loopback() && at.port() == 7)
        );
        assert_eq!(addresses.len(), found.len());
        assert!(!found.is_empty());
    }

    /// A socket that is connected to itself, as a client can be that tries a port without a server.
    #[cfg(target_os = "linux")]
    fn connected_to_itself() -> Stream {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let socket = Socket::new(SockAddr::from(any).domain(), Type::STREAM, None).expect("one");
        socket.bind(&any.into()).expect("a free port");
        let own = socket.local_addr().expect("bound");
        socket.connect(&own).expect("Linux takes that");
        Stream {
            socket,
            watched: false,
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_to_itself_is_none() {
        match connected(
            connected_to_itself(),
            Vec::new().into_iter(),
            Instant::now(),
        ) {
            Progress::Failed(DialError::Failed(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            }
            _ => panic!("it talks to itself"),
        }
    }
}
