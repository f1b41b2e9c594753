//! A network that is not there: streams that take and give as the world decides.
//!
//! Readiness is told as an edge-triggered poll tells it: `readable` when something came, `writable` when there is
//! space after a write was cut short, each once. A stream notes what nobody may do to it.

use crate::journal::{self, Entry, Who};
use crate::rng::Rng;
use snug::connection::Stream;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

/// What both ends of a connection know of it.
#[derive(Debug)]
pub struct Pipe {
    who: Who,
    rng: Rng,
    /// Has arrived and is not yet read, from `head` on.
    inbox: Vec<u8>,
    head: usize,
    /// Where urgent data stood among what is not yet read: a read stops there.
    marks: VecDeque<usize>,
    /// There is urgent data, of which nobody has been told.
    pub urgent_edge: bool,
    /// The peer has ended its side; told behind the inbox.
    pub eof: bool,
    /// The connection is no more.
    reset: bool,
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
    /// The server has let go of the stream.
    pub dropped: bool,
    /// Reads and writes tried.
    pub calls: u64,
}

impl Pipe {
    /// Both ends of a new connection. As with a real one, the first poll finds it writable.
    pub fn new(who: Who, rng: Rng, space: usize, short: usize) -> (Rc<RefCell<Self>>, FakeStream) {
        let pipe = Rc::new(RefCell::new(Self {
            who,
            rng,
            inbox: Vec::new(),
            head: 0,
            marks: VecDeque::new(),
            urgent_edge: false,
            eof: false,
            reset: false,
            space,
            short,
            blocked: false,
            read_edge: false,
            write_edge: space > 0,
            shut: false,
            dropped: false,
            calls: 0,
        }));
        (pipe.clone(), FakeStream(pipe))
    }

    /// Bytes arrive.
    pub fn arrive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.read_edge = true;
    }

    /// A byte of urgent data arrives: none of the stream's, but a read will stop there.
    pub fn arrive_urgent(&mut self) {
        self.marks.push_back(self.unread());
        self.urgent_edge = true;
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
            self.marks.clear();
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
            let who = self.who;
            return match self {
                Self { reset: true, .. } => {
                    journal::note(Entry::Failed { who });
                    Err(ErrorKind::ConnectionReset.into())
                }
                Self { eof: true, .. } => {
                    journal::note(Entry::End { who });
                    Ok(0)
                }
                _ => Err(ErrorKind::WouldBlock.into()),
            };
        }
        while self.marks.front() == Some(&0) {
            self.marks.pop_front();
        }
        let until_mark = self.marks.front().copied().unwrap_or(usize::MAX);
        let mut n = self.unread().min(buffer.len()).min(until_mark);
        if n < buffer.len() && n > 1 && self.rng.one_in(16) {
            // A short read means that there was no more; so the rest comes right behind it.
            n = self.rng.between(1, n - 1);
            self.read_edge = true;
        }
        buffer[..n].copy_from_slice(&self.inbox[self.head..self.head + n]);
        self.head += n;
        self.marks.iter_mut().for_each(|mark| *mark -= n);
        if self.head == self.inbox.len() {
            self.inbox.clear();
            self.head = 0;
        }
        let (who, bytes) = (self.who, buffer[..n].to_vec());
        journal::note(Entry::Read { who, bytes });
        Ok(n)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        assert!(!self.shut, "a write behind the end");
        if self.rng.one_in(64) {
            return Err(ErrorKind::Interrupted.into());
        }
        let who = self.who;
        if self.reset {
            let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            journal::note(Entry::Failed { who });
            return Err(self.rng.pick(&kinds).into());
        }
        assert!(!self.blocked, "a write before there is space again");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing");
        let mut n = offered.min(self.space);
        if self.rng.one_in(self.short) {
            n = self.rng.between(0, n);
        }
        let mut bytes = Vec::with_capacity(n);
        for slice in slices {
            bytes.extend_from_slice(&slice[..slice.len().min(n - bytes.len())]);
        }
        if self.space != usize::MAX {
            self.space -= n;
        }
        self.blocked = n < offered;
        self.write_edge |= self.blocked && self.space > 0;
        journal::note(Entry::Wrote {
            who,
            bytes,
            is_blocked: self.blocked,
        });
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
        journal::note(Entry::Shut { who: pipe.who });
        Ok(())
    }
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.dropped = true;
        journal::note(Entry::Dropped { who: pipe.who });
    }
}
