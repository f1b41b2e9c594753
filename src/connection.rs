//! One stream: its bytes in and out, what of its input is not yet looked at, and how it ends.
//!
//! Keeps what the hub has left to do for it, but never knows what a line means, nor who else is connected.

use crate::chat::{Listing, Origin, Reason};
use crate::memory::{Held, Meter, block};
use crate::pace::Bucket;
use crate::wire::lines::Decoder;
use crate::wire::stranger::Stranger;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};

/// A non-blocking byte stream: `read` and `write` give [`io::ErrorKind::WouldBlock`] rather than wait.
pub trait Stream: Read + Write {
    /// Says that nothing more will be written; what has been still arrives.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

/// Why a connection ends, in the words of the log.
#[derive(Debug)]
pub enum Why {
    ClosedByPeer,
    /// The rules say so.
    Dismissed(Reason),
    TooSlow,
    LineTooLong,
    /// It speaks something else.
    Stranger(Stranger),
    Full,
    TooManyFromAddress,
    /// There is no memory for one more.
    NoMemory,
    /// The memory is used up, and it held much of it: unread answers, or lines that have to wait.
    TooMuchQueued,
    TooMuchSent,
    Stopping,
    Failed(io::ErrorKind),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByPeer => f.write_str("closed by peer"),
            Self::Dismissed(Reason::Quit) => f.write_str("quit"),
            Self::Dismissed(Reason::Kicked) => f.write_str("thrown out"),
            Self::Dismissed(Reason::Banned) => f.write_str("banned"),
            Self::Dismissed(Reason::NoPassword) => f.write_str("said no password"),
            Self::Dismissed(Reason::WrongPassword) => f.write_str("too many wrong passwords"),
            Self::TooSlow => f.write_str("too slow"),
            Self::LineTooLong => f.write_str("line too long"),
            Self::Stranger(stranger) => write!(f, "it spoke {stranger}"),
            Self::Full => f.write_str("the server is full"),
            Self::TooManyFromAddress => f.write_str("too many from its address"),
            Self::NoMemory => f.write_str("no memory for one more"),
            Self::TooMuchQueued => f.write_str("too much queued for it, the memory is used up"),
            Self::TooMuchSent => f.write_str("too many lines of it wait, the memory is used up"),
            Self::Stopping => f.write_str("the server is closing"),
            Self::Failed(kind) => match kind {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    f.write_str("reset by peer")
                }
                io::ErrorKind::TimedOut => f.write_str("timed out"),
                _ => kind.fmt(f),
            },
        }
    }
}

/// Where a connection stands between its first and its last turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is heard and written to.
    Open,
    /// No longer heard; what is queued for it is being written. With `linger`, its peer is then given
    /// time to end too.
    Draining { linger: bool },
    /// Everything is written and said to be; what still comes is discarded until the peer ends.
    Lingering,
    /// To be freed at the end of the turn.
    Over,
}

/// What a connection holds only at times; most hold none of it.
#[derive(Debug, Default)]
pub struct Input {
    pub decoder: Decoder,
    /// Read, but not yet looked at: the lines of it wait for their turn.
    pub unread: Vec<u8>,
    /// A long answer that is still being given; until its end, nothing more is heard.
    pub listing: Option<Listing>,
}

impl Input {
    fn is_empty(&self) -> bool {
        self.decoder.is_idle() && self.unread.is_empty() && self.listing.is_none()
    }
}

/// What a read brought.
#[derive(Debug)]
pub enum Fill {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The end of the stream.
    End,
    Failed(io::Error),
}

/// A connected stream and its state.
#[derive(Debug)]
pub struct Connection<S> {
    pub stream: S,
    pub origin: Origin,
    pub phase: Phase,
    /// The stream may have more to read; there will be no further word of it.
    pub readable: bool,
    /// The peer has ended its side, or the connection failed: there is an end to be read.
    pub hung_up: bool,
    /// Urgent data was announced, before which a read stops short.
    pub is_urgent: bool,
    /// A write failed: what is written goes nowhere. What the peer has sent before is still read.
    pub broken: Option<io::ErrorKind>,
    /// The end of the stream has been read.
    pub ended: bool,
    /// Listed once among those to be read next, or those that must wait.
    pub listed: bool,
    /// A line without an end has rested long enough to count as one.
    pub rested: bool,
    /// Its first line has not ended, nor shown that it speaks in lines.
    pub is_new: bool,
    /// What it may still say, where its pace is limited.
    pub bucket: Bucket,
    input: Option<Box<Kept>>,
}

#[derive(Debug)]
struct Kept {
    input: Input,
    held: Held,
}

impl<S: Stream> Connection<S> {
    pub fn new(stream: S, origin: Origin, phase: Phase) -> Self {
        Self {
            stream,
            origin,
            phase,
            readable: false,
            hung_up: false,
            is_urgent: false,
            broken: None,
            ended: false,
            rested: false,
            listed: false,
            is_new: true,
            bucket: Bucket::default(),
            input: None,
        }
    }

    /// Reads once into `buffer`.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Fill {
        loop {
            return match self.stream.read(buffer) {
                Ok(0) => {
                    self.readable = false;
                    self.ended = true;
                    Fill::End
                }
                Ok(n) => {
                    // A short read has emptied the socket, and what comes later is announced; but an end
                    // announced already would not be, and a read stops before urgent data.
                    self.readable = n == buffer.len() || self.hung_up || self.is_urgent;
                    Fill::Bytes(n)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    self.is_urgent = false;
                    Fill::Nothing
                }
                Err(error) => Fill::Failed(error),
            };
        }
    }

    /// Writes as much as the stream takes, and says how many bytes those were. The first failure is an error;
    /// then everything is taken, and goes nowhere.
    #[inline]
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.broken.is_some() {
            return Ok(slices.iter().map(|slice| slice.len()).sum());
        }
        loop {
            let result = match slices {
                [slice] => self.stream.write(slice),
                _ => self.stream.write_vectored(slices),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) => {
                    self.broken = Some(error.kind());
                    return Err(error);
                }
                Ok(written) => return Ok(written),
            }
        }
    }

    /// Whether it failed before the peer ended its side. One that fails after that tells of it by a broken pipe.
    pub fn is_cut_off(&self) -> bool {
        let ended_first = |kind| kind == io::ErrorKind::BrokenPipe;
        !self.broken.is_none_or(ended_first)
    }

    /// Bytes of memory held for its input.
    pub fn held(&self) -> usize {
        self.input.as_ref().map_or(0, |kept| kept.held.bytes())
    }

    /// Whether a long answer is being given.
    pub fn is_listing(&self) -> bool {
        self.input
            .as_ref()
            .is_some_and(|kept| kept.input.listing.is_some())
    }

    /// Whether something was read and not yet dealt with, but for a line without its end.
    pub fn has_work(&self) -> bool {
        let input = self.input.as_ref().map(|kept| &kept.input);
        input.is_some_and(|input| !input.unread.is_empty() || input.listing.is_some())
    }

    /// Takes the input's state out, to work on it; [`Self::put_input`] puts it back.
    pub fn take_input(&mut self) -> Input {
        self.input
            .take()
            .map_or_else(Input::default, |kept| kept.input)
    }

    /// Puts the input's state back, to be counted by `meter`. Nothing is kept, nor allocated, of an empty one.
    pub fn put_input(&mut self, input: Input, meter: &Meter) {
        self.input = (!input.is_empty()).then(|| {
            let mut held = meter.hold();
            held.set(
                block(size_of::<Kept>())
                    + block(input.decoder.held())
                    + block(input.unread.capacity()),
            );
            Box::new(Kept { input, held })
        });
    }
}
