//! People for the hub's tests, without sockets.

use super::{Config, Hub, Id, Origin, Slow};
use crate::connection::Stream;
use crate::limits;
use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

/// What somebody has sent, and what they were told; they take everything, unless they have stopped.
#[derive(Debug, Default)]
pub struct Peer {
    pub sent: Vec<u8>,
    pub told: Vec<u8>,
    pub has_gone: bool,
    pub has_stopped: bool,
}

/// A stream whose other end the test holds too.
#[derive(Clone, Debug, Default)]
pub struct Wire(pub Rc<RefCell<Peer>>);

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut peer = self.0.borrow_mut();
        if peer.sent.is_empty() && !peer.has_gone {
            return Err(ErrorKind::WouldBlock.into());
        }
        let length = peer.sent.len().min(buffer.len());
        buffer[..length].copy_from_slice(&peer.sent[..length]);
        peer.sent.drain(..length);
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut peer = self.0.borrow_mut();
        if peer.has_stopped {
            return Err(ErrorKind::WouldBlock.into());
        }
        peer.told.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        slices.iter().map(|slice| self.write(slice)).sum()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    /// Somebody new, from a Unix socket.
    pub fn arrive(hub: &mut Hub<Self>, number: u32) -> (Id, Self) {
        let wire = Self::default();
        let origin = Origin::Unix { number, own: false };
        (hub.accept(wire.clone(), origin, 0), wire)
    }

    /// Says something that the hub hears with its next turn.
    pub fn send(&self, hub: &mut Hub<Self>, id: Id, text: &str) {
        self.0.borrow_mut().sent.extend_from_slice(text.as_bytes());
        hub.readable(id, false);
    }

    /// Says something, and has the hub deal with it.
    pub fn say(&self, hub: &mut Hub<Self>, id: Id, text: &str) {
        self.send(hub, id, text);
        settle(hub);
    }

    /// What came since it was asked last.
    pub fn told(&self) -> String {
        let told = std::mem::take(&mut self.0.borrow_mut().told);
        String::from_utf8(told).expect("UTF-8")
    }
}

/// A hub with [`config`].
pub fn hub() -> Hub<Wire> {
    Hub::new(config())
}

/// The smallest ceiling, and nothing else that limits anybody.
pub fn config() -> Config {
    Config {
        welcome: "welcome".into(),
        bare: false,
        max_clients: usize::MAX,
        max_per_ip: None,
        max_line: 4_096,
        backlog: 1 << 20,
        slow: Slow::Skip,
        slow_timeout: 30_000,
        max_memory: limits::MIN_MEMORY,
        pace: None,
        unterminated: None,
        hide_addresses: true,
        history: 0,
        password: None,
        admin_password: None,
        records: false,
    }
}

/// Turns until there is nothing more to do.
pub fn settle(hub: &mut Hub<Wire>) {
    for _ in 0..1_000 {
        hub.turn(0);
        if !hub.is_busy() {
            return hub.check_invariants();
        }
    }
    panic!("it never rests");
}
