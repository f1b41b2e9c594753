//! The connection, in each of its states, and one that stands: bytes to and from its socket.
//!
//! Owns the socket and what is known of it. Never waits, never prints, and does not decide what
//! follows from a loss: that is the session's.

use super::dial::{self, Dial, LookUp, Stream};
use super::outbox::Outbox;
use crate::system;
use std::io::ErrorKind::{BrokenPipe, Interrupted, WouldBlock};
use std::io::{self, Read};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// With `--no-newline` only time keeps lines apart: a server that takes for one line what it reads at
/// once needs a moment to have read the last.
const LINE_GAP: Duration = Duration::from_millis(5);

/// Where the connection stands.
pub enum Link {
    /// There is none until then. `in_order`: the server closed it and nothing went wrong since.
    Down {
        until: Instant,
        in_order: bool,
    },
    LookingUp(LookUp),
    /// `look`: something happened to the socket.
    Dialing {
        dial: Dial,
        look: bool,
    },
    Up(Connection),
    /// There was the last one: what is left is printed, then this is the exit code.
    Over(u8),
}

/// A connection that stands.
pub struct Connection {
    stream: Stream,
    since: Instant,
    /// Whether a read is worth a try; false from a refusal until the loop says otherwise.
    readable: bool,
    /// The same for a write.
    writable: bool,
    sending: Sending,
    /// When the next line may go out, if lines are kept apart by time.
    gap_until: Option<Instant>,
    /// The server was once slower than we are.
    patient: bool,
}

/// What becomes of that which is typed.
enum Sending {
    Open,
    /// Everything is said, and the server was told so.
    Done,
    /// Writing failed, for this reason if it was not told yet. What the server said before is still
    /// read.
    Broken(Option<io::Error>),
}

/// What a [`Connection::receive`] brought.
pub enum Received {
    Bytes(usize),
    /// Nothing for now; the loop will tell.
    Nothing,
    /// The end: closed by the server, or lost by an error.
    End(Option<io::Error>),
}

impl Link {
    /// What is to be watched, a connection or what becomes one.
    pub fn stream(&mut self) -> Option<&mut Stream> {
        match self {
            Link::LookingUp(look_up) => Some(look_up.stream()),
            Link::Dialing { dial, .. } => Some(dial.stream()),
            Link::Up(connection) => Some(&mut connection.stream),
            Link::Down { .. } | Link::Over(_) => None,
        }
    }

    /// The loop saw something happen to the socket.
    pub fn ready(&mut self, readable: bool, writable: bool) {
        match self {
            Link::Dialing { look, .. } => *look = true,
            Link::Up(connection) => {
                connection.readable |= readable;
                connection.writable |= writable;
            }
            // It is asked in every turn.
            Link::LookingUp(_) => {}
            Link::Down { .. } | Link::Over(_) => {}
        }
    }
}

impl Connection {
    pub fn new(stream: Stream, now: Instant) -> Self {
        Self {
            stream,
            since: now,
            readable: true,
            writable: true,
            sending: Sending::Open,
            gap_until: None,
            patient: false,
        }
    }

    /// How long it has stood.
    pub fn age(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }

    /// Whether the server was told that nothing more comes.
    pub fn is_half_closed(&self) -> bool {
        matches!(self.sending, Sending::Done)
    }

    /// How many of the bytes sent the server's system has not confirmed, where that is known.
    pub fn unconfirmed(&self) -> usize {
        let socket = &self.stream.socket;
        // Of others the kernel counts something else.
        let is_tcp = socket
            .local_addr()
            .is_ok_and(|here| here.is_ipv4() || here.is_ipv6());
        is_tcp
            .then(|| system::unconfirmed(socket))
            .flatten()
            .unwrap_or(0)
    }

    pub fn may_receive(&self) -> bool {
        self.readable
    }

    /// When lines waiting in `outgoing` may go on; `None` if only the socket can tell.
    pub fn resumes(&self, outgoing: &Outbox) -> Option<Instant> {
        self.gap_until.filter(|_| !outgoing.next().is_empty())
    }

    /// Sends what the socket takes of `outgoing`, with `gaps` one line at a time. Once all is sent
    /// and nothing more will come, tells the server so.
    pub fn send(&mut self, outgoing: &mut Outbox, gaps: bool, now: Instant) {
        if self.gap_until.is_some_and(|until| now >= until) {
            self.gap_until = None;
        }
        if !matches!(self.sending, Sending::Open) {
            return;
        }
        while self.writable && self.gap_until.is_none() && !outgoing.next().is_empty() {
            match self.stream.socket.send(outgoing.next()) {
                Ok(n) => {
                    if outgoing.took(n) && gaps {
                        self.gap_until = Some(now + LINE_GAP);
                    }
                }
                Err(error) if error.kind() == Interrupted => {}
                Err(error) if error.kind() == WouldBlock => {
                    self.writable = false;
                    if !std::mem::replace(&mut self.patient, true) {
                        dial::be_patient(&self.stream.socket);
                    }
                }
                Err(error) => {
                    self.sending = Sending::Broken(Some(error));
                    self.readable = true;
                    return;
                }
            }
        }
        if outgoing.is_done() {
            self.sending = Sending::Done;
            // If this fails the connection has, and reading will tell.
            let _ = self.stream.socket.shutdown(Shutdown::Write);
        }
    }

    /// Reads what is there. Called until it gives [`Received::Nothing`]: only then will the loop tell
    /// again (it hears of changes, not of states).
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        loop {
            return match (&self.stream.socket).read(buffer) {
                // A write may have been told of the reset; after that, reading gives an ordinary end.
                Ok(0) => Received::End(self.why_broken().filter(|e| e.kind() != BrokenPipe)),
                Ok(n) => Received::Bytes(n),
                Err(error) if error.kind() == Interrupted => continue,
                Err(error) if error.kind() == WouldBlock => {
                    self.readable = false;
                    match self.why_broken() {
                        Some(error) => Received::End(Some(error)),
                        None => Received::Nothing,
                    }
                }
                Err(error) => Received::End(Some(error)),
            };
        }
    }

    /// What writing failed with, once.
    fn why_broken(&mut self) -> Option<io::Error> {
        match &mut self.sending {
            Sending::Broken(error) => error.take(),
            Sending::Open | Sending::Done => None,
        }
    }
}
