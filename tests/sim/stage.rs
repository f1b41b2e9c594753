//! A hub, its clients, the network between them, the time, and the model that watches: all that a script needs.
//!
//! The stage does what an event loop does (src/server/mod.rs), and no more: it tells what is ready, lets newcomers in, and
//! has the hub take a turn. So a lost wake-up shows as a reader that never gets its line.

use crate::journal::{self, Who};
use crate::model::Model;
use crate::model::words::Clock;
use crate::net::{FakeStream, Pipe};
use crate::rng::Rng;
use snug::chat::{Origin, Wall};
use snug::fanout::Slow;
use snug::hub::{Config, Hub, Id};
use snug::limits::Millis;
use std::cell::{RefCell, RefMut};
use std::rc::Rc;

/// A hub as it is by default, but for its history and pace: of these it has none.
pub fn config() -> Config {
    Config {
        welcome: "Welcome to this chatroom!".into(),
        bare: false,
        max_clients: 1_000,
        max_per_ip: None,
        max_line: 4_096,
        backlog: 1 << 20,
        slow: Slow::Skip,
        slow_timeout: 30_000,
        max_memory: 64 << 20,
        pace: None,
        unterminated: None,
        hide_addresses: false,
        history: 0,
        password: None,
        admin_password: None,
        records: false,
    }
}

struct Client {
    pipe: Rc<RefCell<Pipe>>,
    id: Id,
}

pub struct Stage {
    hub: Hub<FakeStream>,
    pub model: Model,
    clients: Vec<Client>,
    /// Those whose stream the hub still holds.
    pub live: Vec<Who>,
    pub now: Millis,
    /// The time of day when time began; it may jump.
    pub clock: Clock,
    pub turns: usize,
    idle_turns: usize,
    /// Turns between two checks of the hub's own invariants; 0 is never.
    pub check: usize,
    has_records: bool,
}

impl Stage {
    /// A stage with nobody on it.
    pub fn new(config: Config) -> Self {
        journal::listen();
        journal::take();
        Self {
            has_records: config.records,
            hub: Hub::new(config.clone()),
            model: Model::new(config),
            clients: Vec::new(),
            live: Vec::new(),
            now: 1,
            clock: Clock::default(),
            turns: 0,
            idle_turns: 0,
            check: 1,
        }
    }

    /// Whether the event loop would wait a moment for more.
    pub fn is_lively(&self) -> bool {
        self.hub.is_lively()
    }

    pub fn pipe(&self, who: Who) -> RefMut<'_, Pipe> {
        self.clients[who].pipe.borrow_mut()
    }

    /// Tells hub and model what time it is.
    fn set_time(&mut self) {
        let Clock { unix, offset } = self.clock;
        let unix = unix + (self.now / 1_000) as i64;
        self.hub.set_wall(Wall { unix, offset });
        self.model.set_time(self.now, Clock { unix, offset });
    }

    /// Somebody comes, who takes so many bytes, in writes of which one in so many is cut short. To be followed by a turn.
    pub fn connect(&mut self, origin: Origin, rng: Rng, space: usize, short: usize) -> Who {
        self.set_time();
        let id = self.hub.next_id();
        let who = self.model.connect(origin, id);
        let (pipe, stream) = Pipe::new(who, rng, space, short);
        let given = self.hub.accept(stream, origin, self.now);
        assert_eq!(id, given, "the hub gave another number than it said");
        self.clients.push(Client { pipe, id });
        self.live.push(who);
        self.model.read(journal::take());
        who
    }

    /// Bytes of a client arrive.
    pub fn arrive(&mut self, who: Who, bytes: &[u8]) {
        self.pipe(who).arrive(bytes);
    }

    /// The end of its stream arrives.
    pub fn end(&mut self, who: Who) {
        self.pipe(who).end();
        self.model.end(who);
    }

    /// Its connection is reset.
    pub fn reset(&mut self, who: Who, keeps_inbox: bool) {
        self.pipe(who).reset(keeps_inbox);
        self.model.lose(who);
    }

    /// Tells the hub what edges a stream has; with `combined`, also all else that is so. Whether there was any.
    pub fn tell(&mut self, who: Who, combined: bool) -> bool {
        let mut pipe = self.clients[who].pipe.borrow_mut();
        let (mut readable, mut writable) = (pipe.read_edge, pipe.write_edge);
        let is_urgent = std::mem::take(&mut pipe.urgent_edge);
        if !(readable || writable) {
            return false;
        }
        if combined {
            readable |= pipe.unread() > 0 || pipe.is_hung_up();
            writable |= pipe.space > 0;
        }
        pipe.read_edge &= !readable;
        pipe.write_edge &= !writable;
        pipe.blocked &= !writable;
        let (id, hung_up) = (self.clients[who].id, pipe.is_hung_up());
        drop(pipe);
        if writable {
            self.model.unblock(who);
            self.hub.writable(id);
        }
        if is_urgent {
            self.hub.urgent(id);
        }
        if readable {
            self.hub.readable(id, hung_up);
        }
        true
    }

    /// Whether the hub wants a turn without being told anything.
    pub fn is_due(&self) -> bool {
        self.hub.is_busy()
            || self
                .next_deadline()
                .is_some_and(|deadline| deadline <= self.now)
    }

    pub fn is_busy(&self) -> bool {
        self.hub.is_busy()
    }

    pub fn next_deadline(&self) -> Option<Millis> {
        self.hub.next_deadline()
    }

    /// The server says goodbye. To be followed by a turn.
    pub fn stop(&mut self) {
        self.set_time();
        self.model.stop();
        self.hub.stop(self.now);
        self.model.read(journal::take());
    }

    /// One turn of the hub, and what the model says of it.
    pub fn turn(&mut self) {
        let (calls, lines) = (self.calls(), self.model.met.lines);
        self.set_time();
        self.model.begin_turn();
        self.hub.turn(self.now);
        self.turns += 1;
        self.model.read(journal::take());
        self.model.end_turn();
        self.model.check_memory(self.hub.memory());
        if self.check > 0 && self.turns.is_multiple_of(self.check) {
            self.hub.check_invariants();
        }
        if self.has_records {
            let (records, count) = self.hub.take_records(Vec::new());
            let expected = self.model.take_records();
            assert_eq!(
                String::from_utf8_lossy(&records),
                expected,
                "the transcript"
            );
            assert_eq!(count, expected.lines().count() as u64);
        }
        let clients = &self.clients;
        for &who in &self.live {
            let pipe = clients[who].pipe.borrow();
            let must_be_read = pipe.dropped && self.model.people[who].must_be_heard_out;
            assert!(
                !must_be_read || pipe.unread() == 0,
                "client {who} was not heard out"
            );
        }
        self.live.retain(|&who| !clients[who].pipe.borrow().dropped);
        assert_eq!(
            self.hub.len(),
            self.live.len(),
            "connections are held, or let go"
        );
        let has_progress = self.calls() != calls || self.model.met.lines > lines;
        self.idle_turns = match self.hub.is_busy() && !has_progress {
            true => self.idle_turns + 1,
            false => 0,
        };
        assert!(self.idle_turns < 100, "busy with nothing");
    }

    /// Reads and writes that were tried.
    fn calls(&self) -> u64 {
        let calls = |&who: &Who| self.clients[who].pipe.borrow().calls;
        self.live.iter().map(calls).sum()
    }

    /// Has turns follow one another, and deadlines come, until nothing moves. Whoever is shut out goes. Then nothing may
    /// be missing.
    pub fn settle(&mut self) {
        for _ in 0..1_000 {
            let mut told = false;
            for who in self.live.clone() {
                told |= self.tell(who, true);
            }
            if told || self.is_due() {
                self.turn();
                for who in self.live.clone() {
                    if self.pipe(who).shut && !self.pipe(who).is_hung_up() {
                        self.end(who);
                    }
                }
            } else if let Some(deadline) = self.next_deadline() {
                self.now = deadline;
            } else {
                self.live
                    .iter()
                    .for_each(|&who| self.model.check_quiet(who));
                return;
            }
        }
        panic!("it never comes to rest");
    }
}
