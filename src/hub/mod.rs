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

mod post;
mod timers;

use crate::chat::{self, Chat, LOBBY_ID, Notice, Origin};
use crate::connection::{Connection, Fill, Input, Phase, Stream, Why};
use crate::fanout::{self, Fanout, Slow};
use crate::limits::{self, Millis};
use crate::wire::lines::{Framing, Item};
use crate::wire::plain;
use post::Post;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
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
    /// How long a line without an end may rest before it counts as one.
    pub unterminated: Option<Millis>,
    pub hide_addresses: bool,
}

/// All connections of a server.
#[derive(Debug)]
pub struct Hub<S> {
    config: Config,
    connections: Slab<Connection<S>>,
    /// Those that are neither draining nor refused.
    open: usize,
    /// Open connections by address, where their number is limited.
    per_ip: HashMap<IpAddr, usize>,
    /// No one, on a bus.
    chat: Chat,
    post: Post,
    timers: Timers,
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
    /// What a turn publishes at most.
    turn: usize,
    framing: Framing,
    stopping: bool,
    now: Millis,
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
        });
        Self {
            connections: Slab::new(),
            open: 0,
            per_ip: HashMap::new(),
            chat,
            post: Post::new(fanout),
            timers: Timers::default(),
            ready: VecDeque::new(),
            waiting: Vec::new(),
            ending: Vec::new(),
            buffer: vec![0; limits::READ],
            scratch: Vec::new(),
            turn: limits::TURN.min(config.backlog / limits::TURN_SHARE).max(1),
            framing: Framing {
                max: config.max_line,
                strip_cr: !config.bare,
            },
            stopping: false,
            now: 0,
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
        if let Some(ip) = self.limited_ip(origin) {
            *self.per_ip.entry(ip).or_default() += 1;
        }
        if self.config.bare {
            self.post.join(id, LOBBY_ID);
        } else {
            self.chat
                .arrive(id, origin, self.now, &mut |event| self.post.deliver(event));
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

    /// The stream takes bytes again.
    pub fn writable(&mut self, id: Id) {
        if self.connections.contains(id as usize) {
            self.post.fanout.unblock(id);
        }
    }

    /// One turn: what is due, what has come, what is new, who goes.
    pub fn turn(&mut self, now: Millis) {
        self.now = now;
        self.run_timers();
        self.read_ready();
        self.flush();
        self.see_out();
        self.wake_waiting();
    }

    /// Whether the next turn has something to do at once.
    pub fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.post.fanout.has_news()
    }

    /// When the next turn must come, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        [self.timers.next(), self.post.fanout.next_deadline()]
            .into_iter()
            .flatten()
            .min()
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

    fn run_timers(&mut self) {
        while let Some(id) = self.timers.pop(self.now) {
            let Some(connection) = self.connections.get_mut(id as usize) else {
                continue;
            };
            match connection.phase {
                Phase::Open => self.end_rested_line(id),
                Phase::Draining { .. } => {
                    log::warn!("{} did not take what was left for it", connection.origin);
                    connection.phase = Phase::Over;
                }
                Phase::Lingering | Phase::Over => connection.phase = Phase::Over,
            }
        }
    }

    /// Takes a line without an end that has rested long enough for a line.
    fn end_rested_line(&mut self, id: Id) {
        if self.connections[id as usize].readable {
            // The line has gone on and only waits to be read; that sets the deadline anew.
            return;
        }
        if self.must_wait(id) {
            let rest = self.config.unterminated.unwrap_or_default();
            self.timers.set(id, self.now + rest);
            return;
        }
        let mut input = self.connections[id as usize].take_input();
        if let Some(line) = input.decoder.finish() {
            input.listing = self.line(id, &line);
        }
        self.after_read(id, input);
    }

    /// Reads from whoever is ready, each its share, until the turn has published enough.
    fn read_ready(&mut self) {
        self.post.published = 0;
        for _ in 0..self.ready.len() {
            if self.post.published >= self.turn {
                break;
            }
            let Some(id) = self.ready.pop_front() else {
                break;
            };
            let Some(connection) = self.connections.get_mut(id as usize) else {
                continue;
            };
            connection.ready = false;
            match connection.phase {
                Phase::Open => self.read(id),
                Phase::Lingering => self.discard(id),
                Phase::Draining { .. } | Phase::Over => {}
            }
        }
    }

    /// One connection's share of a turn.
    fn read(&mut self, id: Id) {
        let must_wait = self.must_wait(id);
        let connection = &mut self.connections[id as usize];
        if must_wait {
            connection.ready = true;
            self.waiting.push(id);
            return;
        }
        let mut input = connection.take_input();
        if input.unread.is_empty() {
            let mut buffer = std::mem::take(&mut self.buffer);
            let fill = connection.fill(&mut buffer);
            match fill {
                Fill::Bytes(n) => self.lines(id, &mut input, &buffer[..n]),
                Fill::Nothing | Fill::End => {}
                Fill::Failed(error) => self.lose(id, error),
            }
            self.buffer = buffer;
        } else {
            let unread = std::mem::take(&mut input.unread);
            self.lines(id, &mut input, &unread);
        }
        self.after_read(id, input);
    }

    /// Deals with the lines in `bytes`, as many as may be for now; the rest becomes the input's `unread`.
    fn lines(&mut self, id: Id, input: &mut Input, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(item) = input.decoder.next(&mut rest, self.framing) {
            match item {
                Item::Line(line) => input.listing = self.line(id, &line),
                Item::TooLong if self.config.bare => self.end(id, Why::LineTooLong),
                Item::TooLong => self
                    .post
                    .tell(id, Notice::LineTooLong(self.config.max_line)),
            }
            if self.connections[id as usize].phase != Phase::Open {
                input.decoder = Default::default();
                return;
            }
            if input.listing.is_some()
                || self.post.published >= self.turn
                || self.too_many_replies(id)
            {
                break;
            }
        }
        input.unread = rest.to_vec();
    }

    /// Puts the input back, sees to the end of the stream, and decides when the next share comes.
    fn after_read(&mut self, id: Id, mut input: Box<Input>) {
        let connection = &mut self.connections[id as usize];
        if connection.phase != Phase::Open {
            return;
        }
        if connection.ended && input.unread.is_empty() && input.listing.is_none() {
            if let Some(line) = input.decoder.finish() {
                input.listing = self.line(id, &line);
            }
            if input.listing.is_none() {
                self.end(id, Why::ClosedByPeer);
                return;
            }
        }
        if let Some(rest) = self.config.unterminated {
            match input.decoder.is_partial() {
                true => self.timers.set(id, self.now + rest),
                false => self.timers.clear(id),
            }
        }
        let connection = &mut self.connections[id as usize];
        let again = connection.readable
            || connection.ended
            || !input.unread.is_empty()
            || input.listing.is_some();
        connection.put_input(input);
        if again {
            self.make_ready(id);
        }
    }

    /// Deals with one line. A long answer that it began is given back.
    fn line(&mut self, id: Id, line: &[u8]) -> Option<chat::Listing> {
        if self.config.bare {
            self.post.relay(LOBBY_ID, id, line);
            return None;
        }
        let Self {
            chat,
            post,
            scratch,
            now,
            ..
        } = self;
        let command = plain::parse(line, scratch);
        let listing = chat.command(id, command, *now, &mut |event| post.deliver(event));
        while let Some(id) = self.post.dismissed.pop() {
            self.end(id, Why::Quit);
        }
        listing
    }

    /// Goes on with a long answer, if there is one and its reader has nearly taken what there is.
    fn list(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        let mut input = connection.take_input();
        if let Some(listing) = input.listing.take() {
            let Self {
                chat, post, now, ..
            } = self;
            let post = std::cell::RefCell::new(post);
            let more = || post.borrow().fanout.private(id) < limits::PAGE;
            input.listing = chat.list(id, listing, *now, more, &mut |event| {
                post.borrow_mut().deliver(event)
            });
        }
        self.connections[id as usize].put_input(input);
    }

    /// Reads and forgets.
    fn discard(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        match connection.fill(&mut self.buffer) {
            Fill::Bytes(_) if connection.readable => self.make_ready(id),
            Fill::Bytes(_) | Fill::Nothing => {}
            Fill::End | Fill::Failed(_) => connection.phase = Phase::Over,
        }
    }

    /// The one place that writes.
    fn flush(&mut self) {
        let mut lost = Vec::new();
        let Self {
            post, connections, ..
        } = self;
        post.fanout.flush(self.now, |id, slices| {
            let connection = &mut connections[id as usize];
            match connection.write(slices) {
                Ok(n) => n,
                Err(error) => {
                    lost.push((id, error));
                    0
                }
            }
        });
        for (id, error) in lost {
            self.lose(id, error);
        }
        for id in self.post.fanout.take_too_slow() {
            self.post.fanout.cut(id);
            self.end(id, Why::TooSlow);
        }
    }

    /// Frees those who have everything, or will not take it.
    fn see_out(&mut self) {
        for id in std::mem::take(&mut self.ending) {
            let connection = &mut self.connections[id as usize];
            if let Phase::Draining { linger } = connection.phase
                && !self.post.fanout.is_pending(id)
            {
                if connection.stream.shutdown_write().is_err() || connection.ended {
                    connection.phase = Phase::Over;
                } else if linger {
                    connection.phase = Phase::Lingering;
                    self.timers.set(id, self.now + limits::LINGER);
                } else {
                    // What has come already must not reset the connection before its peer has read.
                    _ = connection.fill(&mut self.buffer);
                    connection.phase = Phase::Over;
                }
                if connection.phase == Phase::Lingering && connection.readable {
                    self.make_ready(id);
                }
            }
            if self.connections[id as usize].phase == Phase::Over {
                self.post.fanout.remove(id);
                self.timers.clear(id);
                self.connections.remove(id as usize);
            } else {
                self.ending.push(id);
            }
        }
    }

    /// Lets those read on who no longer have to wait.
    fn wake_waiting(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            let Some(connection) = self.connections.get_mut(id as usize) else {
                continue;
            };
            if connection.phase != Phase::Open {
                connection.ready = false;
                self.make_ready(id);
                continue;
            }
            if self.post.fanout.private(id) < limits::PAGE / 2 {
                self.list(id);
            }
            match self.must_wait(id) {
                true => self.waiting.push(id),
                false => self.ready.push_back(id),
            }
        }
    }

    fn must_wait(&self, id: Id) -> bool {
        self.connections[id as usize].is_listing()
            || self.too_many_replies(id)
            || self.post.fanout.is_held(id)
    }

    fn too_many_replies(&self, id: Id) -> bool {
        self.post.fanout.private(id) > limits::REPLIES
    }

    fn make_ready(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        if !std::mem::replace(&mut connection.ready, true) {
            self.ready.push_back(id);
        }
    }

    /// Begins the end of an open connection: it is gone for the others, and gets what is queued for it.
    fn end(&mut self, id: Id, why: Why) {
        let connection = &mut self.connections[id as usize];
        if connection.phase != Phase::Open {
            return;
        }
        connection.phase = Phase::Draining { linger: true };
        connection.put_input(Box::default());
        let origin = connection.origin;
        log::info!("{origin} left: {why}");
        self.open -= 1;
        if let Some(ip) = self.limited_ip(origin)
            && let Some(count) = self.per_ip.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&ip);
            }
        }
        if self.config.bare || self.stopping {
            self.post.fanout.part(id);
        } else {
            self.chat
                .depart(id, "", &mut |event| self.post.deliver(event));
        }
        self.ending.push(id);
        self.timers.set(
            id,
            self.now
                + if self.stopping {
                    limits::STOP
                } else {
                    limits::DRAIN
                },
        );
    }

    /// Ends a connection that nothing can be written to any more.
    fn lose(&mut self, id: Id, error: std::io::Error) {
        self.end(id, Why::Failed(error));
        self.connections[id as usize].phase = Phase::Over;
    }

    /// Why somebody cannot come in, for the log and for them.
    fn refusal(&self, origin: Origin) -> Option<(Why, String)> {
        if self.open >= self.config.max_clients {
            let text = format!(
                "the server is full: {} people at most; try again later",
                self.config.max_clients
            );
            return Some((Why::Full, text));
        }
        let limit = self.config.max_per_ip?;
        let count = *self.per_ip.get(&self.limited_ip(origin)?)?;
        let text =
            format!("too many connections from your address: {limit} at most; close one first");
        (count >= limit).then_some((Why::TooManyFromAddress, text))
    }

    /// The address under which a connection counts, if it does.
    fn limited_ip(&self, origin: Origin) -> Option<IpAddr> {
        match origin {
            Origin::Ip { ip, .. } if self.config.max_per_ip.is_some() && !ip.is_loopback() => {
                Some(ip)
            }
            _ => None,
        }
    }

    /// Panics where the parts contradict one another. For tests and debug builds; between turns.
    pub fn check_invariants(&self) {
        self.post.fanout.check_invariants();
        self.chat.check_invariants();
        let open = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.phase == Phase::Open);
        assert_eq!(open.count(), self.open);
        if !self.config.bare && !self.stopping {
            assert_eq!(self.chat.people(), self.open);
        }
    }
}
