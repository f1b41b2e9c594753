//! The event loop of `snug serve`: mio, the listeners, the signals, the clock.
//!
//! Owns the poll and says what is ready; what follows from it is the [`Hub`]'s. Knows no rules.

mod gather;
mod intake;
mod release;
mod socket;

use crate::chat::{Line, Moment, Origin, Wall};
use crate::clock::LocalClock;
use crate::hub::{self, Hub};
use crate::limits::{self, Millis};
use crate::listen::{self, Bound, Listener, SocketFile};
use crate::system;
use crate::transcript::{Tail, Transcript};
use gather::Gather;
use intake::Intake;
use mio::net::{TcpListener, UnixListener};
use mio::{Events, Interest, Poll, Token, event::Source};
use release::Release;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use socket::Socket;
use std::io;
use std::time::{Duration, Instant};

/// The signals' token. Listeners count down from the next; connections count up from 0.
const SIGNALS: Token = Token(usize::MAX);
const FIRST_LISTENER: usize = usize::MAX - 1;
/// What is asked of every connection, once and for all. Urgent data is announced apart where it is known.
#[cfg(any(target_os = "linux", target_os = "android"))]
const INTERESTS: Interest = Interest::READABLE
    .add(Interest::WRITABLE)
    .add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const INTERESTS: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// A listener, and whether connections wait there.
#[derive(Debug)]
struct Door {
    listener: Entrance,
    /// The listener may have more connections; there will be no further word of them.
    waiting: bool,
    /// Removes the socket file in the end.
    _file: Option<SocketFile>,
}

#[derive(Debug)]
enum Entrance {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A server, ready to run.
pub struct Server {
    poll: Poll,
    signals: Signals,
    doors: Vec<Door>,
    hub: Hub<Socket>,
    transcript: Option<Transcript>,
    /// The public lines of a turn, on their way to the transcript.
    records: Vec<u8>,
    clock: LocalClock,
    release: Release,
    gather: Gather,
    /// When time began.
    start: Instant,
    intake: Intake,
    /// Numbers those who come by a Unix socket.
    unix_count: u32,
    stop_at: Option<Millis>,
}

impl Server {
    /// Makes a server that listens on `bound`. Fails where the system refuses a descriptor.
    pub fn new(bound: Vec<Bound>, config: hub::Config) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)?;
        let mut doors = Vec::new();
        for (index, Bound { listener, file, .. }) in bound.into_iter().enumerate() {
            let mut listener = match listener {
                Listener::Tcp(listener) => Entrance::Tcp(TcpListener::from_std(listener)),
                Listener::Unix(listener) => Entrance::Unix(UnixListener::from_std(listener)),
            };
            let token = Token(FIRST_LISTENER - index);
            poll.registry()
                .register(listener.source(), token, Interest::READABLE)?;
            doors.push(Door {
                listener,
                waiting: false,
                _file: file,
            });
        }
        Ok(Self {
            poll,
            signals,
            doors,
            hub: Hub::new(config),
            transcript: None,
            records: Vec::new(),
            clock: LocalClock::default(),
            release: Release::default(),
            gather: Gather::default(),
            start: Instant::now(),
            intake: Intake::default(),
            unix_count: 0,
            stop_at: None,
        })
    }

    /// Keeps public lines in a transcript from now on; those in `tail` were said before.
    pub fn keep(&mut self, transcript: Transcript, tail: &Tail) {
        for entry in tail.entries() {
            let wall = Wall {
                unix: entry.unix,
                offset: entry.utc_offset_seconds,
            };
            let at = Moment { ticks: 0, wall };
            let line = Line {
                at,
                is_action: entry.is_action,
                name: entry.name,
                text: entry.text,
            };
            self.hub.remember(entry.room, line);
        }
        self.transcript = Some(transcript);
    }

    /// Serves until a signal ends it. Fails only if polling itself does.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            // Ask who is ready.
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            let began = Instant::now();
            for event in &events {
                match event.token() {
                    SIGNALS => {
                        if self.take_signals() {
                            return Ok(());
                        }
                    }
                    Token(token) if token > FIRST_LISTENER - self.doors.len() => {
                        self.doors[FIRST_LISTENER - token].waiting = true;
                    }
                    Token(token) => {
                        let id = token as hub::Id;
                        if event.is_writable() {
                            self.hub.writable(id);
                        }
                        let hung_up = event.is_read_closed() || event.is_error();
                        if event.is_priority() {
                            self.hub.urgent(id);
                        }
                        if event.is_readable() || hung_up {
                            self.hub.readable(id, hung_up);
                        }
                    }
                }
            }
            // Read lines, let the rules decide, write what is new.
            let now = self.now();
            let (unix, offset) = self.clock.unix_and_offset();
            self.hub.set_wall(Wall { unix, offset });
            self.hub.turn(now);
            self.record(now);
            // Let others in, now that those who left have made room.
            self.accept(now);
            let has_moved = self.release.has_moved(self.hub.tables());
            if self.release.is_due(self.hub.memory(), self.hub.peak(), now) || has_moved {
                system::release_memory();
            }
            self.intake.crowd_is(self.hub.len());
            let is_done = || self.hub.is_empty() && self.transcript_at().is_none();
            if let Some(stop_at) = self.stop_at
                && (is_done() || now >= stop_at)
            {
                self.hub.give_up();
                return Ok(());
            }
            if self.hub.is_lively() && self.timeout() != Some(Duration::ZERO) {
                self.gather(began.elapsed(), now);
            }
        }
    }

    /// Waits a moment, after a turn that took so long, if that is worth it.
    fn gather(&mut self, took: Duration, now: Millis) {
        if self.gather.is_due(took, now) {
            let began = Instant::now();
            std::thread::sleep(Gather::TIME);
            self.gather.has_waited(began.elapsed(), now);
        }
    }

    /// Ends the transcript, saying what was not kept.
    pub fn close(mut self) {
        let now = self.now();
        if let Some(transcript) = self.transcript.take() {
            transcript.close(now);
        }
    }

    /// Hands what was said in a turn to the transcript.
    fn record(&mut self, now: Millis) {
        let Some(transcript) = &mut self.transcript else {
            return;
        };
        let (lines, count) = self.hub.take_records(std::mem::take(&mut self.records));
        match count {
            0 => transcript.retry(now),
            _ => transcript.append(&lines, count, now),
        }
        self.records = lines;
    }

    /// How long the poll may wait: not at all while there is work, for ever while nothing is due.
    fn timeout(&self) -> Option<Duration> {
        let admits = self.intake.resting().is_none() && self.doors.iter().any(|door| door.waiting);
        if self.hub.is_busy() || admits {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.hub.next_deadline(),
            self.intake.resting(),
            self.stop_at,
            self.transcript_at(),
            self.release.next_deadline(),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        let at = self.start + Duration::from_millis(next);
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// When the transcript's reader is offered again what it has yet to take.
    fn transcript_at(&self) -> Option<Millis> {
        self.transcript.as_ref().and_then(Transcript::next_deadline)
    }

    fn now(&self) -> Millis {
        self.start.elapsed().as_millis() as Millis
    }

    /// Whether the server is to end at once.
    fn take_signals(&mut self) -> bool {
        let (mut stops, mut reopens) = (false, false);
        for signal in self.signals.pending() {
            reopens |= signal == SIGHUP;
            stops |= signal != SIGHUP;
        }
        if reopens {
            let now = self.now();
            match &mut self.transcript {
                Some(transcript) => {
                    log::info!("a hangup signal: opening the transcript anew");
                    transcript.reopen(now);
                }
                None => log::info!("a hangup signal: there is no transcript to open anew"),
            }
        }
        // Two that come together, as from a terminal and a supervisor, are one.
        if !stops {
            return false;
        }
        if self.stop_at.is_some() {
            log::warn!("a second signal: ending at once");
            return true;
        }
        log::info!("closing; {} connected", self.hub.open());
        let now = self.now();
        self.stop_at = Some(now + limits::STOP);
        self.doors.clear();
        // Nobody is let in any more: a rest from it would end unseen, and the loop with it never rest.
        self.intake = Intake::default();
        self.hub.stop(now);
        false
    }

    /// Lets in whoever waits, listener by listener, so many at a time.
    fn accept(&mut self, now: Millis) {
        let mut intake = std::mem::take(&mut self.intake);
        for index in 0..self.doors.len() {
            if self.doors[index].waiting && intake.is_open(now) {
                let crowd = self.hub.len();
                self.doors[index].waiting = intake.let_in(now, crowd, || self.admit(index, now));
            }
        }
        self.intake = intake;
    }

    /// Lets one in. Whether there is room for another in this turn: each may be told much of what was said before.
    fn admit(&mut self, door: usize, now: Millis) -> io::Result<bool> {
        let (mut socket, origin) = match &self.doors[door].listener {
            Entrance::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                if !listen::OPTIONS_ARE_INHERITED {
                    listen::tune(&stream);
                }
                (Socket::Tcp(stream), Origin::from(address))
            }
            Entrance::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                self.unix_count = self.unix_count.wrapping_add(1);
                let origin = Origin::Unix {
                    number: self.unix_count,
                    own: system::is_own_user(&stream),
                };
                (Socket::Unix(stream), origin)
            }
        };
        let token = Token(self.hub.next_id() as usize);
        self.poll
            .registry()
            .register(&mut socket, token, INTERESTS)?;
        self.hub.accept(socket, origin, now);
        Ok(self.hub.has_room())
    }
}

impl Entrance {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(listener) => listener,
        }
    }
}
