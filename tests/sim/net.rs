//! A network that is not there: streams that take and give as the world decides.
//!
//! Readiness is told as an edge-triggered poll tells it: `readable` when something came, `writable` when there is
//! space after a write was cut short, each once. A stream notes what nobody may do to it.

use crate::rng::Rng;
use snug::connection::Stream;
use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

/// What both ends of a connection know of it.
#[derive(Debug)]
pub struct Pipe {
    rng: Rng,
    /// Has arrived and is not yet read, from `head` on.
    inbox: Vec<u8>,
    head: usize,
    /// The peer has ended its side; told behind the inbox.
    pub eof: bool,
    /// The connection is no more.
    reset: bool,
    /// Written by the server, not yet looked at by the model.
    pub outbox: Vec<u8>,
    /// Bytes that may still be written; [`usize::MAX`] is no limit.
    pub space: usize,
    /// One write in so many is cut short although there is space.
    pub short: usize,
    /// A write was cut short, and no edge has said since that there is space.
    pub blocked: bool,
    pub read_edge: bool,
    pub write_edge: bool,
    /// The server has ended its side.
    pub shut: bool,
    /// The server has let go of the stream. Where it had read the peer's end and written what it had, that is
    /// an end like any other.
    pub dropped: bool,
    end_read: bool,
    /// Reads and writes tried.
    pub calls: u64,
}

impl Pipe {
    /// Both ends of a new connection. As with a real one, the first poll finds it writable.
    pub fn new(rng: Rng, space: usize, short: usize) -> (Rc<RefCell<Self>>, FakeStream) {
        let pipe = Rc::new(RefCell::new(Self {
            rng,
            inbox: Vec::new(),
            head: 0,
            eof: false,
            reset: false,
            outbox: Vec::new(),
            space,
            short,
            blocked: false,
            read_edge: false,
            write_edge: space > 0,
            shut: false,
            dropped: false,
            end_read: false,
            calls: 0,
        }));
        (pipe.clone(), FakeStream(pipe))
    }

    /// Bytes arrive.
    pub fn arrive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.read_edge = true;
    }

    /// The peer ends its side.
    pub fn end(&mut self) {
        self.eof = true;
        self.read_edge = true;
    }

    /// The connection is gone; what has arrived can still be read, or not.
    pub fn reset(&mut self, keeps_inbox: bool) {
        self.reset = true;
        if !keeps_inbox {
            self.head = self.inbox.len();
        }
        self.read_edge = true;
        self.write_edge = true;
    }

    /// The peer has made room for so many bytes more.
    pub fn take(&mut self, bytes: usize) {
        self.space = self.space.saturating_add(bytes);
        self.write_edge |= self.blocked && self.space > 0;
    }

    pub fn unread(&self) -> usize {
        self.inbox.len() - self.head
    }

    /// The end of the stream will be found behind what there is to read.
    pub fn is_hung_up(&self) -> bool {
        self.eof || self.reset
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        assert!(!buffer.is_empty(), "a read of nothing");
        if self.rng.one_in(64) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.unread() == 0 {
            return match self {
                Self { reset: true, .. } => Err(ErrorKind::ConnectionReset.into()),
                Self { eof: true, .. } => {
                    self.end_read = true;
                    Ok(0)
                }
                _ => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let mut n = self.unread().min(buffer.len());
        if n < buffer.len() && n > 1 && self.rng.one_in(16) {
            // A short read means that there was no more; so the rest comes right behind it.
            n = self.rng.between(1, n - 1);
            self.read_edge = true;
        }
        buffer[..n].copy_from_slice(&self.inbox[self.head..self.head + n]);
        self.head += n;
        if self.head == self.inbox.len() {
            self.inbox.clear();
            self.head = 0;
        }
        Ok(n)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        assert!(!self.shut, "a write behind the end");
        if self.rng.one_in(64) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.reset {
            let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            return Err(self.rng.pick(&kinds).into());
        }
        assert!(!self.blocked, "a write before there is space again");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing");
        let mut n = offered.min(self.space);
        if self.rng.one_in(self.short) {
            n = self.rng.between(0, n);
        }
        let mut left = n;
        for slice in slices {
            let piece = &slice[..slice.len().min(left)];
            self.outbox.extend_from_slice(piece);
            left -= piece.len();
        }
        if self.space != usize::MAX {
            self.space -= n;
        }
        if n < offered {
            self.blocked = true;
            self.write_edge = self.space > 0;
        }
        match n {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

/// The server's end.
#[derive(Debug)]
pub struct FakeStream(Rc<RefCell<Pipe>>);

impl Read for FakeStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

impl Write for FakeStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.borrow_mut().write(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for FakeStream {
    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut pipe = self.0.borrow_mut();
        assert!(!pipe.shut, "an end behind the end");
        if pipe.reset {
            return Err(ErrorKind::NotConnected.into());
        }
        pipe.shut = true;
        Ok(())
    }
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.shut |= pipe.end_read && !pipe.reset && !pipe.blocked;
        pipe.dropped = true;
    }
}
