//! One client: its socket, and what it sends.

mod hearing;

use crate::plan::Temper;
use crate::record::{Follower, Visit};
use crate::words::{self, News, Word};
use crate::world::{Gaps, Whisper, World};
use mio::net::TcpStream;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// The room where everybody comes in.
pub const LOBBY: usize = 0;
/// How much of what it got is shown when something is wrong.
const TAIL: usize = 1_500;
/// Nothing more is said when so much waits to be sent.
const WAITING: usize = 32 << 10;
/// Reads in one turn.
const READS: usize = 4;

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On its way in.
    Coming,
    In,
    /// On its way to another room, whose record was so long when it asked.
    Moving {
        to: usize,
        from: u64,
    },
}

/// How it goes, once it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// It has said so; behind its name, the others hear this.
    Quit(&'static str),
    /// It ends its side when all is sent …
    WillHalfClose,
    /// … and has.
    HalfClosed,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    More,
    Nothing,
    End,
}

/// A client.
pub struct Client {
    pub number: u32,
    pub temper: Temper,
    pub stream: TcpStream,
    pub name: String,
    /// Names that it had.
    names: u32,
    pub place: Place,
    pub room: usize,
    pub follower: Follower,
    /// The room whose scribe it is.
    pub records: Option<usize>,
    /// The room that it goes to first.
    pub home: usize,
    /// Rooms that it was in, and lines it has said in this one.
    pub visit: u32,
    pub said: u32,
    whispers: u32,
    out: Vec<u8>,
    written: usize,
    partial: Vec<u8>,
    tail: Vec<u8>,
    pub is_readable: bool,
    /// Does not read for now …
    pub is_resting: bool,
    /// … and not before that time, in milliseconds.
    pub stopped_until: u64,
    /// Has stopped reading at some time, or hardly ever reads.
    pub has_stopped: bool,
    pub going: Option<Going>,
    /// Answers to its last questions.
    pub pongs: u32,
    pub heard_closing: bool,
    pub has_ended: bool,
    /// When it goes, in milliseconds.
    pub leaves_at: u64,
}

impl Client {
    /// Begins to connect, from an address of its own.
    pub fn connect(
        to: SocketAddr,
        number: u32,
        temper: Temper,
        world: &World,
    ) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if temper.stops > 0 || temper.sip > 0 {
            // Before connecting: both are agreed on there. With the large segments of the loopback, the system would
            // hold megabytes for a reader, and the server would hardly ever learn that it is behind.
            socket.set_recv_buffer_size(4 << 10)?;
            socket.set_tcp_mss(536)?;
        }
        let address = words::address_of(number);
        socket.bind(&SocketAddr::from((address, 0)).into())?;
        match socket.connect(&to.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        Ok(Self {
            number,
            temper,
            stream: TcpStream::from_std(socket.into()),
            name: address.to_string(),
            names: 0,
            place: Place::Coming,
            room: LOBBY,
            follower: Follower::new(number, world.rooms[LOBBY].end()),
            records: None,
            home: LOBBY,
            visit: 0,
            said: 0,
            whispers: 0,
            out: Vec::new(),
            written: 0,
            partial: Vec::new(),
            tail: Vec::new(),
            is_readable: false,
            is_resting: false,
            stopped_until: 0,
            has_stopped: temper.sip > 0,
            going: None,
            pongs: 0,
            heard_closing: false,
            has_ended: false,
            leaves_at: u64::MAX,
        })
    }

    pub fn is_in(&self) -> bool {
        self.place == Place::In && self.going.is_none()
    }

    pub fn is_scribe(&self) -> bool {
        self.records == Some(self.room) && self.place != Place::Coming
    }

    pub fn may_speak(&self) -> bool {
        self.is_in() && self.records.is_none() && self.out.len() < WAITING
    }

    pub fn has_more_to_send(&self) -> bool {
        self.written < self.out.len()
    }

    /// The last of what it got.
    pub fn tail(&self) -> String {
        self.tail
            .escape_ascii()
            .to_string()
            .replace("\\n", "\\n\n  ")
    }

    /// Says a line in its room; without its end, if it is to be the last.
    pub fn say(&mut self, length: usize, is_action: bool, ends: bool, world: &mut World) {
        words::say(
            &mut self.out,
            self.number,
            self.visit,
            self.said,
            length,
            is_action,
        );
        if !ends {
            self.out.pop();
        }
        self.said += 1;
        self.follower.has_spoken = true;
        world.counts.said += 1;
    }

    /// Asks for something that is answered, and concerns nobody else.
    pub fn ask(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.push(b'\n');
    }

    pub fn rename(&mut self, world: &mut World) {
        self.names += 1;
        self.follower.has_spoken = true;
        self.ask(&format!(
            "/nick {}",
            words::name_of(self.number, self.names)
        ));
        world.counts.renamed += 1;
    }

    pub fn whisper(&mut self, to: u32, name: &str, world: &mut World) {
        let count = self.whispers;
        self.whispers += 1;
        self.ask(&format!("/msg {name} ~w{}.{count}", self.number));
        let whisper = Whisper {
            to,
            is_confirmed: false,
            has_come: false,
        };
        world.whispers.insert((self.number, count), whisper);
        world.counts.whispered += 1;
    }

    /// Goes to another room.
    pub fn go(&mut self, to: usize, world: &mut World) {
        self.end_visit(true, world);
        world.rooms[to].people += 1;
        let from = world.rooms[to].end();
        self.place = Place::Moving { to, from };
        if to == LOBBY && self.visit % 2 == 1 {
            return self.ask("/part");
        }
        let name = world.rooms[to].name.clone();
        self.ask(&format!("/join {name}"));
    }

    /// Says goodbye, in one of several ways. What it says before, everybody must hear.
    pub fn quit(&mut self, way: usize, world: &mut World) {
        let going = match way {
            0 => {
                self.end_visit(true, world);
                self.ask("quit");
                Going::Quit("")
            }
            1 => {
                self.end_visit(true, world);
                self.ask("/quit bye now");
                Going::Quit(": bye now")
            }
            way => {
                if way == 2 && self.is_in() && self.records.is_none() {
                    self.say(20, false, false, world);
                }
                self.end_visit(true, world);
                Going::WillHalfClose
            }
        };
        match going {
            Going::Quit(_) => world.counts.quit += 1,
            _ => world.counts.half_closed += 1,
        }
        self.going = Some(going);
        // Whoever does not read any more would be given up.
        self.is_resting = false;
        self.temper.sip = 0;
    }

    /// Goes without a word, perhaps in the middle of a line. It is to be dropped then.
    pub fn cut_off(&mut self, world: &mut World) {
        if self.place == Place::In {
            self.say(30, false, false, world);
            self.end_visit(false, world);
        }
        _ = self.send();
        _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        world.counts.cut_off += 1;
    }

    fn end_visit(&mut self, is_exact: bool, world: &mut World) {
        let visit = Visit {
            number: self.visit,
            said: self.said,
            is_exact,
        };
        world.rooms[self.room].end_visit(self.number, visit);
    }

    /// Sends what the socket takes, or a piece of it. Gives whether there is more that could be sent at once.
    pub fn send(&mut self) -> bool {
        while self.has_more_to_send() {
            let mut waiting = &self.out[self.written..];
            if self.temper.chops && self.going.is_none() {
                let piece = 1 + (self.written * 7 + self.number as usize) % 11;
                waiting = &waiting[..piece.min(waiting.len())];
            }
            match self.stream.write(waiting) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // An error is found by reading.
                Err(_) => return false,
            }
            if self.temper.chops && self.has_more_to_send() {
                return true;
            }
        }
        self.out.clear();
        self.written = 0;
        if self.going == Some(Going::WillHalfClose) && self.stream.shutdown(Shutdown::Write).is_ok()
        {
            self.going = Some(Going::HalfClosed);
        }
        false
    }

    /// Reads, and looks at what came.
    pub fn read(&mut self, buffer: &mut [u8], world: &mut World) -> Result<Input, String> {
        let size = if self.temper.sip > 0 {
            self.temper.sip
        } else {
            buffer.len()
        };
        for _ in 0..READS {
            match self.stream.read(&mut buffer[..size]) {
                Ok(0) => return Ok(Input::End),
                Ok(n) => {
                    world.counts.bytes += n as u64;
                    self.take(&buffer[..n], world)?;
                    if self.temper.sip > 0 {
                        self.is_resting = true;
                        return Ok(Input::More);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(Input::Nothing);
                }
                // What came before is read: an end like any other, to be judged by who wanted it.
                Err(_) => return Ok(Input::End),
            }
        }
        Ok(Input::More)
    }

    fn take(&mut self, bytes: &[u8], world: &mut World) -> Result<(), String> {
        let keep = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.tail.len() + keep.len()).saturating_sub(TAIL);
        self.tail.drain(..excess.min(self.tail.len()));
        self.tail.extend_from_slice(keep);
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let line = &rest[..at];
            rest = &rest[at + 1..];
            if self.partial.is_empty() {
                self.hear(line, world)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.hear(&whole, world)?;
                whole.clear();
                self.partial = whole;
            }
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }
}
