//! Everybody who is connected, and one turn after the other.
//!
//! Owns the connections and joins the other parts: bytes come in by them, lines go through the wire to the rules,
//! what the rules say goes through the [`Post`] into the fan-out, and at the turn's end out again. Never
//! polls, and knows of streams only that they read, write and end: the event loop tells it which are ready,
//! and what time it is.
//!
//! Three rules keep it simple. Only [`Hub::turn`] writes, in one place. A connection's number is free again only
//! at the end of a turn, so that no word of the old one reaches a new one. And nothing is read that
//! cannot be dealt with: whoever must wait is not read from, and the kernel tells the peer.

mod ceiling;
mod check;
#[cfg(test)]
mod doubles;
mod ending;
mod journal;
mod post;
mod rate;
mod reading;
mod timers;

use crate::chat::{self, Chat, Figures, LOBBY_ID, Moment, Notice, Origin, Place, Reason, Wall};
use crate::connection::{Connection, Fill, Input, Phase, Stream, Why};
use crate::fanout::{self, Fanout, Outlets, Slow};
use crate::limits::{self, Millis};
use crate::memory::Meter;
use crate::pace::Pace;
use crate::wire::lines::{Framing, Item};
use crate::wire::plain;
use post::Post;
use rate::Rate;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use timers::Timers;

/// A connection, a person, a reader: the same small number everywhere. Given anew after its bearer is gone.
pub type Id = u32;

/// How the hub behaves; contract, section 1. Sizes are bytes, times milliseconds.
#[derive(Clone, Debug)]
pub struct Config {
    pub welcome: String,
    pub bare: bool,
    pub max_clients: usize,
    pub max_per_ip: Option<usize>,
    pub max_line: usize,
    pub backlog: usize,
    pub slow: Slow,
    pub slow_timeout: Millis,
    /// How much may be queued and kept, of everybody together.
    pub max_memory: usize,
    /// How fast each may speak. A bus knows no limit.
    pub pace: Option<Pace>,
    /// How long a line without an end may rest before it counts as one.
    pub unterminated: Option<Millis>,
    pub hide_addresses: bool,
    /// Lines replayed to whoever enters a room.
    pub history: usize,
    pub password: Option<String>,
    pub admin_password: Option<String>,
    /// Whether [`Hub::take_records`] is asked for the public lines.
    pub records: bool,
}

/// All connections of a server.
#[derive(Debug)]
pub struct Hub<S> {
    config: Config,
    connections: Slab<Connection<S>>,
    /// Those that are neither draining nor refused.
    open: usize,
    /// Open connections by where they come from, where their number is limited.
    per_ip: HashMap<Place, usize>,
    /// No one, on a bus.
    chat: Chat,
    post: Post,
    timers: Timers,
    /// When a line without an end has rested long enough.
    rests: Timers,
    /// When those are heard again who have said more than their pace allows.
    pauses: Timers,
    /// To be read, in order of arrival.
    ready: VecDeque<Id>,
    /// Could be read from, but must wait until their room goes on or they have read their answers.
    waiting: Vec<Id>,
    /// On their way out.
    ending: Vec<Id>,
    /// What a read fills.
    buffer: Vec<u8>,
    /// Where a line is cleaned.
    scratch: Vec<u8>,
    /// What a turn publishes at most, in bytes.
    budget: usize,
    framing: Framing,
    stopping: bool,
    now: Millis,
    lines_in: u64,
    /// Counts the memory of what was read and not yet dealt with.
    inputs: Meter,
    /// That there was too much was logged, and there is not much less since.
    is_short: bool,
    /// As of this turn, if somebody has asked for them.
    figures: Option<Figures>,
    rate: Rate,
    /// Many spoke in this turn, in few rooms.
    is_lively: bool,
    /// The memory that was held in this turn before anything was written.
    peak: usize,
    /// What may be held before this turn begins, with what comes in by then.
    most: usize,
    /// The time of day, as the event loop last said.
    wall: Wall,
}

impl<S: Stream> Hub<S> {
    pub fn new(config: Config) -> Self {
        let fanout = Fanout::new(fanout::Settings {
            backlog: config.backlog,
            slow: config.slow,
            slow_timeout: config.slow_timeout,
            stall: limits::STALL,
            gap: if config.bare { None } else { Some(plain::gap) },
        });
        let chat = Chat::new(chat::Settings {
            welcome: config.welcome.clone(),
            hide_addresses: config.hide_addresses,
            history: config.history,
            keeps: config.records,
            password: config.password.clone(),
            admin_password: config.admin_password.clone(),
        });
        Self {
            connections: Slab::new(),
            open: 0,
            per_ip: HashMap::new(),
            chat,
            post: Post::new(fanout, config.records),
            timers: Timers::default(),
            rests: Timers::default(),
            pauses: Timers::default(),
            ready: VecDeque::new(),
            waiting: Vec::new(),
            ending: Vec::new(),
            buffer: vec![0; share(&config)],
            scratch: Vec::new(),
            budget: budget(&config),
            framing: Framing {
                max: config.max_line,
                strip_cr: !config.bare,
            },
            stopping: false,
            now: 0,
            lines_in: 0,
            inputs: Meter::default(),
            is_short: false,
            figures: None,
            rate: Rate::default(),
            is_lively: false,
            peak: 0,
            most: 0,
            wall: Wall::default(),
            config,
        }
    }

    /// The number that the next connection will have.
    pub fn next_id(&self) -> Id {
        self.connections.vacant_key() as Id
    }

    /// Takes a new connection in, or says why not and closes it. Its number is [`Self::next_id`]. Its greeting is
    /// written at the end of the turn.
    pub fn accept(&mut self, stream: S, origin: Origin, now: Millis) -> Id {
        // After a long silence, the last turn's time would have deadlines expire that are set here.
        self.now = now;
        let refusal = self.refusal(origin);
        let phase = match refusal {
            None => Phase::Open,
            Some(_) => Phase::Draining { linger: false },
        };
        let id = self
            .connections
            .insert(Connection::new(stream, origin, phase)) as Id;
        self.post.fanout.add(id);
        if let Some((why, text)) = refusal {
            log::info!("{origin} refused: {why}");
            if !self.config.bare {
                self.post.fanout.send(id, &plain::refusal(&text));
            }
            self.ending.push(id);
            self.timers.set(id, self.now + limits::LINGER);
            return id;
        }
        log::info!("{origin} came");
        self.open += 1;
        if let Some(place) = self.limited_place(origin) {
            *self.per_ip.entry(place).or_default() += 1;
        }
        if self.config.bare {
            self.post.join(id, LOBBY_ID);
        } else {
            let moment = self.moment();
            self.chat
                .arrive(id, origin, moment, &mut |event| self.post.deliver(event));
            self.see_to_dismissed();
            if self.chat.is_visitor(id) {
                self.timers.set(id, now + limits::DOOR);
            }
        }
        id
    }

    /// There is something to read; with `hung_up`, to the end.
    pub fn readable(&mut self, id: Id, hung_up: bool) {
        if let Some(connection) = self.connections.get_mut(id as usize) {
            connection.readable = true;
            connection.hung_up |= hung_up;
            self.make_ready(id);
        }
    }

    /// There is urgent data to read, and perhaps more behind it.
    pub fn urgent(&mut self, id: Id) {
        if let Some(connection) = self.connections.get_mut(id as usize) {
            connection.is_urgent = true;
            self.readable(id, false);
        }
    }

    /// The stream takes bytes again.
    pub fn writable(&mut self, id: Id) {
        if self.connections.contains(id as usize) {
            self.post.fanout.unblock(id);
        }
    }

    /// One turn: what is due, what has come, what is new, who goes.
    pub fn turn(&mut self, now: Millis) {
        self.now = now;
        self.post.begin(now);
        self.scratch.clear();
        self.scratch.shrink_to(limits::TURN);
        self.figures = None;
        self.run_timers();
        let speakers = self.read_ready();
        let rooms = self.post.fanout.feeds_with_news();
        self.is_lively = speakers >= limits::LIVELY * rooms && rooms > 0;
        self.peak = self.memory();
        self.flush();
        self.see_out();
        self.wake_waiting();
        self.most = self.most_after_turn();
        self.rate.count(now, self.post.fanout.delivered());
    }

    /// So much memory may be held when the turn that goes on now, or the next, is done with adding to it.
    fn most_after_turn(&self) -> usize {
        self.memory() + 2 * self.budget
    }

    /// Says what time of day it is, from here on.
    pub fn set_wall(&mut self, wall: Wall) {
        self.wall = wall;
    }

    /// Adds a line of an earlier run to a room's history. Oldest first.
    pub fn remember(&mut self, room: &str, line: chat::Line<'_>) {
        self.chat.remember(room, line);
    }

    /// The public lines since the last call, in the form of a transcript, and how many they are. The buffer that
    /// is given will take the next ones.
    pub fn take_records(&mut self, buffer: Vec<u8>) -> (Vec<u8>, u64) {
        self.post.take_records(buffer)
    }

    /// Whether so many spoke in this turn, in so few rooms, that what more of them say in a moment should go out
    /// together: with one write for each reader instead of one for each line.
    pub fn is_lively(&self) -> bool {
        self.is_lively
    }

    /// Whether one more may come in before the next turn, to be asked after each.
    pub fn has_room(&self) -> bool {
        self.memory() <= self.most
    }

    /// The most memory that was held in the last turn, in bytes.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Whether the next turn has something to do at once.
    pub fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.post.fanout.has_news()
    }

    /// When the next turn must come, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        let deadlines = [
            self.timers.next(),
            self.rests.next(),
            self.pauses.next(),
            self.post.fanout.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// How many people, or readers of a bus, are connected.
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many connections there are, on their way out or not.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Says goodbye to everybody (contract, promise 7): nobody is heard any more, what is queued is
    /// written, each connection ends when it has everything.
    pub fn stop(&mut self, now: Millis) {
        self.now = now;
        self.stopping = true;
        let open = |(id, connection): (usize, &Connection<S>)| {
            (connection.phase == Phase::Open).then_some(id as Id)
        };
        let everybody: Vec<Id> = self.connections.iter().filter_map(open).collect();
        for id in everybody {
            if !self.config.bare {
                self.post.tell(id, Notice::Closing);
            }
            self.end(id, Why::Stopping);
        }
    }

    /// What is due.
    fn run_timers(&mut self) {
        while let Some(id) = self.pauses.pop(self.now) {
            self.connections[id as usize].listed = false;
            self.make_ready(id);
        }
        while let Some(id) = self.rests.pop(self.now) {
            self.connections[id as usize].rested = true;
            self.make_ready(id);
        }
        while let Some(id) = self.timers.pop(self.now) {
            let Some(connection) = self.connections.get(id as usize) else {
                continue;
            };
            match connection.phase {
                // It has ended its side, and does not read the answers that must be read first.
                Phase::Open if connection.hung_up && self.owes_reading(id) => {
                    self.end(id, Why::ClosedByPeer);
                }
                Phase::Open if self.chat.is_visitor(id) => {
                    self.end(id, Why::Dismissed(Reason::NoPassword));
                }
                // It has read its answers meanwhile.
                Phase::Open => {}
                Phase::Draining { .. } => self.abandon(id, &"it stopped reading"),
                Phase::Lingering | Phase::Over => {
                    self.connections[id as usize].phase = Phase::Over;
                }
            }
        }
    }

    /// The one place that writes.
    fn flush(&mut self) {
        let Self {
            post,
            connections,
            timers,
            now,
            ..
        } = self;
        let mut outlets = Streams {
            connections,
            timers,
            now: *now,
            broken: Vec::new(),
        };
        post.fanout.flush(*now, &mut outlets);
        let broken = outlets.broken;
        for (id, error) in broken {
            self.hear_out(id, error.kind());
        }
        self.relieve();
        for id in self.post.fanout.take_too_slow() {
            self.post.fanout.cut(id);
            match self.connections[id as usize].phase {
                Phase::Draining { .. } => self.regret(id, &Why::TooSlow),
                _ => self.end(id, Why::TooSlow),
            }
        }
        for id in self.post.fanout.take_waited_for() {
            let origin = self.connections[id as usize].origin;
            log::info!("{origin} is more than the backlog behind; its room waits for it");
        }
    }
}

/// The streams of all connections, for what the fan-out writes.
struct Streams<'a, S> {
    connections: &'a mut Slab<Connection<S>>,
    timers: &'a mut Timers,
    now: Millis,
    /// Those whose streams have failed.
    broken: Vec<(Id, std::io::Error)>,
}

impl<S: Stream> Outlets for Streams<'_, S> {
    #[inline]
    fn write(&mut self, id: Id, slices: &[IoSlice<'_>]) -> usize {
        let connection = &mut self.connections[id as usize];
        match connection.write(slices) {
            Ok(written) => {
                let is_ending = connection.phase != Phase::Open || connection.hung_up;
                if is_ending && written > 0 {
                    // Whoever takes a little all the time may take its time.
                    self.timers.put_off(id, self.now + limits::DRAIN);
                }
                written
            }
            Err(error) => {
                self.broken.push((id, error));
                slices.iter().map(|slice| slice.len()).sum()
            }
        }
    }

    #[inline]
    fn near(&self, id: Id) {
        std::hint::black_box(self.connections[id as usize].broken);
    }
}

/// What a turn publishes at most, in bytes.
fn budget(config: &Config) -> usize {
    let backlog = config.backlog / limits::TURNS_IN_BACKLOG;
    let memory = config.max_memory / limits::TURNS_IN_MEMORY;
    limits::TURN.min(backlog).min(memory).max(1)
}

/// What is read from a connection at once, in bytes. Where lines are limited it is little: what has been read and must
/// wait is kept here, what has not is kept by its sender.
fn share(config: &Config) -> usize {
    config.pace.map_or(limits::READ, |pace| {
        (pace.burst as usize)
            .saturating_mul(limits::PACED_LINE)
            .clamp(limits::PACED_READ, limits::READ)
    })
}
