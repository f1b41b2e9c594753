//! Everybody at once: a hub, its clients, the network between them, the time, and chance.
//!
//! The world does what an event loop does (src/server.rs), and no more: it tells what is ready, and has the hub take a
//! turn when something is, when the hub is busy, or when its deadline has come. So a lost wake-up shows as a
//! reader that never gets its line.

use crate::model::{Model, Standing, Who};
use crate::net::{FakeStream, Pipe};
use crate::rng::Rng;
use crate::talk;
use snug::chat::Origin;
use snug::fanout::Slow;
use snug::hub::{Config, Hub, Id};
use snug::limits::Millis;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

/// How many of the last events a failure shows.
const TAIL: usize = 60;
/// Bytes that arrive and are not read before the network takes no more.
const WINDOW: usize = 256 << 10;
/// How long a time of quiet lasts at most.
const QUIET: Millis = 90_000;

/// What happened, in the order in which it did.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "to be shown")]
pub enum Happening {
    Connect { who: Who, id: Id, mood: Mood },
    Arrive { who: Who, bytes: usize },
    Take { who: Who, bytes: usize },
    Stall { who: Who },
    Recover { who: Who },
    HalfClose { who: Who },
    Reset { who: Who },
    Readable { who: Who },
    Writable { who: Who },
    Turn { now: Millis, published: usize },
    Quiet,
    Stop,
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Whatever there is.
    Eager,
    /// So many bytes now and then.
    Slow,
    /// Not now.
    Stalled,
    /// Never.
    Stuck,
}

struct Client {
    pipe: Rc<RefCell<Pipe>>,
    id: Id,
    mood: Mood,
    /// Sent, but still under way.
    unsent: VecDeque<u8>,
    /// What is under way ends without a newline, on purpose; nothing follows before it was heard.
    resting: bool,
    /// When something last arrived.
    arrived: Millis,
    /// It will end its side when everything has arrived.
    closing: bool,
    shut_seen: bool,
}

/// How this run differs from others; drawn by the seed.
#[derive(Clone, Debug)]
pub struct Temper {
    /// About how many are connected.
    people: usize,
    /// Events between two turns.
    tempo: usize,
    /// One write in so many is cut short.
    short: usize,
    /// Whether a poll tells, with the edge, all else that is so (epoll), or the edge alone.
    combined: bool,
    /// One line in so many comes in a flood.
    flood: usize,
    /// The longest flood.
    flood_lines: usize,
    /// How likely readers are to be slow and to be stuck, in percent.
    slow: usize,
    stuck: usize,
    /// Events between two times of quiet.
    quiet: usize,
    /// Whether time never leaps.
    calm: bool,
    /// Whether resets happen.
    resets: bool,
    /// Turns between two checks of the hub's own invariants.
    check: usize,
}

pub struct World {
    rng: Rng,
    pub config: Config,
    pub temper: Temper,
    hub: Hub<FakeStream>,
    pub model: Model,
    clients: Vec<Client>,
    /// Those whose stream the hub still holds.
    live: Vec<Who>,
    now: Millis,
    pub events: usize,
    turns: usize,
    idle_turns: usize,
    lines: usize,
    pub tail: VecDeque<Happening>,
    stopped: bool,
}

fn draw_config(rng: &mut Rng) -> Config {
    let bare = rng.one_in(3);
    let slow = [Slow::Skip, Slow::Close, Slow::Wait][rng.weighted(&[45, 20, 35])];
    Config {
        history: 0,
        password: None,
        admin_password: None,
        records: false,
        welcome: "Welcome to this chatroom!".into(),
        bare,
        max_clients: if rng.one_in(5) {
            rng.between(2, 12)
        } else {
            1000
        },
        max_per_ip: rng.one_in(4).then(|| rng.between(1, 3)),
        max_line: rng.pick(&[48, 64, 256, 1024, 4096]),
        backlog: rng.pick(&[4 << 10, 4 << 10, 6 << 10, 16 << 10, 64 << 10, 1 << 20]),
        slow,
        slow_timeout: rng.pick(&[50, 1_000, 1_000, 30_000]),
        max_memory: 64 << 20,
        pace: None,
        unterminated: rng.one_in(4).then(|| rng.pick(&[5, 100, 1_000])),
        hide_addresses: rng.one_in(3),
    }
}

fn draw_temper(rng: &mut Rng, config: &Config) -> Temper {
    let people = rng.pick(&[2, 4, 8, 8, 16, 32]);
    Temper {
        people,
        tempo: rng.pick(&[1, 2, 4, 8, 16]),
        short: rng.pick(&[0, 2, 8, 64]),
        combined: rng.one_in(2),
        flood: rng.pick(&[0, 20, 200]),
        flood_lines: if people > 8 {
            100
        } else {
            rng.pick(&[30, 100, 1500])
        },
        slow: rng.pick(&[0, 20, 60]),
        stuck: rng.pick(&[0, 0, 5, 20]),
        quiet: rng.pick(&[200, 1_000, 4_000]),
        calm: rng.one_in(3),
        resets: !rng.one_in(3),
        check: if config.backlog > 64 << 10 { 16 } else { 1 },
    }
}

impl World {
    /// A world with nobody in it.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let config = draw_config(&mut rng);
        let temper = draw_temper(&mut rng, &config);
        Self {
            hub: Hub::new(config.clone()),
            model: Model::new(config.clone()),
            rng,
            config,
            temper,
            clients: Vec::new(),
            live: Vec::new(),
            now: 0,
            events: 0,
            turns: 0,
            idle_turns: 0,
            lines: 0,
            tail: VecDeque::new(),
            stopped: false,
        }
    }

    /// The witness comes, there are so many events, then the end.
    pub fn run(&mut self, events: usize) {
        self.connect(
            Origin::Unix {
                number: 0,
                own: false,
            },
            Mood::Eager,
            0,
        );
        self.turn();
        let mut next_quiet = self.temper.quiet;
        while self.events < events {
            self.step();
            if self.events >= next_quiet {
                next_quiet = self.events + self.temper.quiet;
                self.quiet();
            }
        }
        self.quiet();
        self.end();
    }

    fn note(&mut self, happening: Happening) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(happening);
    }

    fn step(&mut self) {
        for _ in 0..self.rng.between(1, self.temper.tempo) {
            self.act();
            self.events += 1;
        }
        // Whoever is accepted is so right before a turn; and what arrives must be read before it seems to rest.
        if self.somebody_came() || self.config.unterminated.is_some() {
            self.poll(8);
        }
        let span = match self.rng.weighted(&[80, 17, 3]) {
            _ if self.hub.is_busy() => self.rng.between(0, 2),
            _ if self.temper.calm => self.rng.between(0, 30),
            0 => self.rng.between(0, 3),
            1 => self.rng.between(0, 300),
            _ => self.rng.between(0, 40_000),
        };
        self.pass(span as Millis);
        self.poll(8);
    }

    /// Something happens.
    fn act(&mut self) {
        let few = self.live.len() <= self.temper.people;
        let weights = [
            if few { 12 } else { 1 },
            40,
            30,
            30,
            4,
            if few { 1 } else { 2 },
            usize::from(self.temper.resets),
        ];
        let action = self.rng.weighted(&weights);
        if action == 0 {
            // Of two guests in one turn, the model could not tell which was refused.
            let alone = !self.config.hide_addresses || !self.somebody_came();
            if self.live.len() < 90 && alone {
                let (origin, mood, short) = self.newcomer();
                self.connect(origin, mood, short);
            }
            return;
        }
        // The witness does nothing.
        if self.live.len() < 2 {
            return;
        }
        let who = self.live[self.rng.between(1, self.live.len() - 1)];
        let is_new = self.model.people[who].standing == Standing::Arriving;
        match action {
            // Whether it was refused could not be told then.
            5 | 6 if is_new => {}
            1 => self.send(who),
            2 => self.arrive(who),
            3 => self.take(who),
            4 => self.change_mood(who),
            5 => self.half_close(who),
            _ => self.reset(who),
        }
    }

    fn newcomer(&mut self) -> (Origin, Mood, usize) {
        let number = self.clients.len() as u32;
        let port = 1024 + (number % 60_000) as u16;
        let ip = match self.rng.weighted(&[3, 2, 2, 1, 1]) {
            0 => IpAddr::from([10, 0, (number >> 8) as u8, number as u8]),
            1 => IpAddr::from([192, 168, 1, self.rng.between(1, 4) as u8]),
            2 => IpAddr::from([127, 0, 0, 1]),
            3 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, self.rng.between(1, 2) as u16]),
            _ => {
                let mood = self.mood();
                return (Origin::Unix { number, own: false }, mood, self.temper.short);
            }
        };
        let mood = self.mood();
        (Origin::Ip { ip, port }, mood, self.temper.short)
    }

    fn mood(&mut self) -> Mood {
        match self.rng.below(100) {
            n if n < self.temper.stuck => Mood::Stuck,
            n if n < self.temper.stuck + self.temper.slow => Mood::Slow,
            _ => Mood::Eager,
        }
    }

    fn connect(&mut self, origin: Origin, mood: Mood, short: usize) {
        let space = match mood {
            Mood::Eager => usize::MAX,
            Mood::Slow => self.rng.between(0, 2_000),
            Mood::Stalled | Mood::Stuck => self.rng.pick(&[0, 10, 100, 3_000]),
        };
        let rng = Rng::new(self.rng.next());
        let (pipe, stream) = Pipe::new(rng, space, short);
        let id = self.hub.next_id();
        let given = self.hub.accept(stream, origin, self.now);
        assert_eq!(given, id, "not the number that was said");
        let who = self.model.accept(origin);
        self.note(Happening::Connect { who, id, mood });
        self.clients.push(Client {
            pipe,
            id,
            mood,
            unsent: VecDeque::new(),
            resting: false,
            arrived: 0,
            closing: false,
            shut_seen: false,
        });
        self.live.push(who);
    }

    /// A client writes something; it is under way.
    fn send(&mut self, who: Who) {
        let is_heard = self.model.people[who].is_heard() && self.clients[who].unsent.is_empty();
        let client = &mut self.clients[who];
        if client.resting && is_heard {
            client.resting = false;
        }
        if client.resting || client.closing || client.unsent.len() > WINDOW {
            return;
        }
        let flood = self.rng.one_in(self.temper.flood);
        let lines = match flood {
            true => self.rng.between(1, self.temper.flood_lines),
            false => self.rng.between(1, 3),
        };
        // A flood is of one kind: many lines of talk, or many questions.
        let kind = flood.then(|| talk::kind(&mut self.rng));
        for _ in 0..lines {
            self.lines += 1;
            let tag = format!("c{who}.{} ", self.lines);
            let free = who == 1;
            let line = talk::line(&mut self.rng, &self.config, kind, &tag, free);
            self.clients[who].unsent.extend(line);
        }
        if self.config.unterminated.is_some() && self.rng.one_in(8) {
            let line = format!("c{who}.{} rests", self.lines);
            self.clients[who].unsent.extend(line.bytes());
            self.clients[who].resting = true;
        }
        if self.rng.one_in(2) {
            self.arrive(who);
        }
    }

    /// Some of what is under way arrives.
    fn arrive(&mut self, who: Who) {
        let client = &self.clients[who];
        let most = client.unsent.len();
        if most == 0 || client.pipe.borrow().unread() > WINDOW {
            return;
        }
        let bytes = match self.rng.weighted(&[2, 2, 2, 8]) {
            0 => 1,
            1 => self.rng.between(1, most.min(20)),
            2 => self.rng.between(1, most),
            _ => most,
        };
        self.deliver(who, bytes);
    }

    fn deliver(&mut self, who: Who, bytes: usize) {
        let client = &mut self.clients[who];
        if client.pipe.borrow().is_hung_up() {
            client.unsent.clear();
            return;
        }
        let piece: Vec<u8> = client.unsent.drain(..bytes).collect();
        client.pipe.borrow_mut().arrive(&piece);
        client.arrived = self.now;
        let rests = client.resting && client.unsent.is_empty();
        self.model.arrive(who, &piece);
        if rests {
            self.model.rest(who);
        }
        self.note(Happening::Arrive { who, bytes });
    }

    /// A reader makes room.
    fn take(&mut self, who: Who) {
        let client = &self.clients[who];
        if client.mood == Mood::Slow {
            let bytes = match self.rng.below(4) {
                0 => self.rng.between(1, 10),
                1 => self.rng.between(1, 200),
                2 => self.rng.between(1, 3_000),
                _ => self.rng.between(1, 20_000),
            };
            client.pipe.borrow_mut().take(bytes);
            self.note(Happening::Take { who, bytes });
        }
    }

    fn change_mood(&mut self, who: Who) {
        let client = &mut self.clients[who];
        match client.mood {
            Mood::Eager | Mood::Slow if self.temper.slow > 0 => {
                client.mood = Mood::Stalled;
                client.pipe.borrow_mut().space = self.rng.pick(&[0, 0, 7, 500]);
                self.note(Happening::Stall { who });
            }
            Mood::Stalled => self.recover(who),
            _ => {}
        }
    }

    fn recover(&mut self, who: Who) {
        let client = &mut self.clients[who];
        client.mood = Mood::Eager;
        client.pipe.borrow_mut().take(usize::MAX);
        self.note(Happening::Recover { who });
    }

    fn half_close(&mut self, who: Who) {
        let bytes = self.clients[who].unsent.len();
        if self.clients[who].closing {
            return;
        }
        self.clients[who].closing = true;
        if bytes > 0 {
            // Now and then, the end of it never comes.
            let bytes = if self.rng.one_in(4) {
                self.cut_short(who, bytes)
            } else {
                bytes
            };
            self.deliver(who, bytes);
            self.clients[who].unsent.clear();
        }
        if !self.clients[who].pipe.borrow().is_hung_up() {
            self.clients[who].pipe.borrow_mut().end();
            self.model.end(who);
            self.note(Happening::HalfClose { who });
        }
    }

    /// A part of what is under way.
    fn cut_short(&mut self, who: Who, bytes: usize) -> usize {
        let at = self.rng.between(0, bytes);
        if !self.config.bare {
            return at;
        }
        // A bus's line says whose it is only when it is whole.
        let mut rest = self.clients[who].unsent.range(at..);
        at + rest.position(|&byte| byte == b'\n').unwrap_or(bytes - at)
    }

    fn reset(&mut self, who: Who) {
        let keeps_inbox = self.rng.one_in(2);
        let client = &mut self.clients[who];
        client.closing = true;
        client.unsent.clear();
        client.pipe.borrow_mut().reset(keeps_inbox);
        self.model.lose(who);
        self.note(Happening::Reset { who });
    }

    /// Time passes, with the turns that fall due.
    fn pass(&mut self, span: Millis) {
        let target = self.now + span;
        for _ in 0..50_000 {
            self.hurry(target);
            match self.hub.next_deadline() {
                // A busy hub is not left waiting, though a turn may take a moment.
                _ if span > 2 && self.hub.is_busy() => self.poll(8),
                Some(deadline) if deadline <= target => {
                    self.now = self.now.max(deadline);
                    self.turn();
                }
                _ => {
                    self.now = target;
                    return;
                }
            }
        }
        panic!("too many turns in {span} ms");
    }

    /// Lines that are under way must not seem to rest.
    fn hurry(&mut self, until: Millis) {
        let Some(rest) = self.config.unterminated else {
            return;
        };
        let mut hurried = false;
        for index in 0..self.live.len() {
            let who = self.live[index];
            let client = &self.clients[who];
            let begun = !self.model.people[who].ear.partial.is_empty();
            let may_arrive = !client.unsent.is_empty() && !client.pipe.borrow().is_hung_up();
            if begun && client.arrived + rest <= until && may_arrive {
                let bytes = client.unsent.len();
                self.deliver(who, bytes);
                hurried = true;
            }
        }
        let is_due = |&who: &Who| self.clients[who].pipe.borrow().read_edge;
        if hurried || self.live.iter().any(is_due) {
            self.poll(0);
            self.hurry(until);
        }
    }

    /// Tells what is ready, one stream in `spare` not yet, and takes a turn if there is a reason to.
    fn poll(&mut self, spare: usize) {
        let spare = if self.config.unterminated.is_some() {
            0
        } else {
            spare
        };
        let mut order = self.live.clone();
        for index in (1..order.len()).rev() {
            order.swap(index, self.rng.below(index + 1));
        }
        let mut told = false;
        for who in order {
            if self.model.people[who].standing == Standing::Arriving {
                // It is accepted behind the poll, so what there is of it comes with the next one.
                continue;
            }
            let client = &self.clients[who];
            let mut pipe = client.pipe.borrow_mut();
            let (mut readable, mut writable) = (pipe.read_edge, pipe.write_edge);
            if !(readable || writable) || (spare > 0 && self.rng.one_in(spare)) {
                continue;
            }
            told = true;
            if self.temper.combined {
                readable |= pipe.unread() > 0 || pipe.is_hung_up();
                writable |= pipe.space > 0;
            }
            pipe.read_edge &= !readable;
            pipe.write_edge &= !writable;
            if writable {
                pipe.blocked = false;
            }
            let (id, hung_up) = (client.id, pipe.is_hung_up());
            drop(pipe);
            if writable {
                self.hub.writable(id);
                self.note(Happening::Writable { who });
            }
            if readable {
                self.hub.readable(id, hung_up);
                self.note(Happening::Readable { who });
            }
        }
        let is_due = self
            .hub
            .next_deadline()
            .is_some_and(|deadline| deadline <= self.now);
        if told || is_due || self.somebody_came() || self.hub.is_busy() {
            self.turn();
        }
    }

    fn somebody_came(&self) -> bool {
        let last = self.live.last();
        last.is_some_and(|&who| self.model.people[who].standing == Standing::Arriving)
    }

    /// One turn of the hub, and what the model says of it.
    fn turn(&mut self) {
        let calls = self.calls();
        let (now, before) = (self.now, self.model.room.len());
        self.model.begin_turn(now);
        self.hub.turn(now);
        self.turns += 1;
        if self.turns.is_multiple_of(self.temper.check) {
            self.hub.check_invariants();
        }
        let bytes = std::mem::take(&mut self.clients[0].pipe.borrow_mut().outbox);
        self.model.witness(&bytes);
        if !self.config.bare {
            self.model.settle_arrivals();
        }
        self.model.look_ahead();
        for &who in self.live.iter().filter(|&&who| who > 0) {
            let bytes = std::mem::take(&mut self.clients[who].pipe.borrow_mut().outbox);
            if !bytes.is_empty() {
                self.model.receive(who, &bytes);
            }
        }
        let clients = &self.clients;
        self.model
            .take_stock(|who| clients[who].pipe.borrow().blocked);
        self.see_ends();
        if self.config.bare {
            self.model.settle_arrivals();
        }
        assert_eq!(
            self.hub.len(),
            self.live.len(),
            "connections are held, or let go"
        );
        let published = self.model.room.len() - before;
        self.note(Happening::Turn { now, published });
        let progress = self.calls() != calls || published > 0;
        self.idle_turns = if self.hub.is_busy() && !progress {
            self.idle_turns + 1
        } else {
            0
        };
        // A hundred questions in one piece, of somebody who does not read, are some turns without a sign.
        assert!(self.idle_turns < 5_000, "busy with nothing");
    }

    fn calls(&self) -> u64 {
        self.live
            .iter()
            .map(|&who| self.clients[who].pipe.borrow().calls)
            .sum()
    }

    /// What streams have ended, or were let go of.
    fn see_ends(&mut self) {
        for index in 0..self.live.len() {
            let who = self.live[index];
            let (shut, dropped, blocked) = {
                let pipe = self.clients[who].pipe.borrow();
                (pipe.shut, pipe.dropped, pipe.blocked)
            };
            if shut && !std::mem::replace(&mut self.clients[who].shut_seen, true) {
                self.model.shut(who);
                // Most peers then end their side too.
                if !self.rng.one_in(4) && !self.clients[who].pipe.borrow().is_hung_up() {
                    self.clients[who].closing = true;
                    self.clients[who].pipe.borrow_mut().end();
                    self.model.end(who);
                }
            }
            if dropped {
                self.model.dropped(who, blocked);
            }
        }
        let clients = &self.clients;
        self.live.retain(|&who| !clients[who].pipe.borrow().dropped);
    }

    /// Nothing new is sent; whoever can read reads; until nothing moves. Then nothing may be missing.
    fn quiet(&mut self) {
        self.note(Happening::Quiet);
        for index in 1..self.live.len() {
            let who = self.live[index];
            if matches!(self.clients[who].mood, Mood::Slow | Mood::Stalled) {
                self.recover(who);
            }
        }
        self.settle();
        assert!(!self.hub.is_busy(), "busy when all is quiet");
        let mut all_read = true;
        for index in 1..self.live.len() {
            let who = self.live[index];
            let stuck = self.clients[who].mood == Mood::Stuck;
            all_read &= !stuck;
            let person = &self.model.people[who];
            if !stuck {
                assert!(!person.lost, "client {who} was reset, but is still there");
                self.model.check_quiet(who);
            } else if !person.deaf && person.is_silent() {
                // Whoever only sends is heard all the same.
                assert!(
                    person.is_heard(),
                    "client {who}, who does not read, was not heard"
                );
            }
        }
        if all_read {
            let deadline = self.hub.next_deadline();
            assert_eq!(deadline, None, "there is a deadline although all is quiet");
        }
        self.model.all_quiet();
        for index in 1..self.live.len() {
            let who = self.live[index];
            if self.rng.below(100) < self.temper.slow && self.clients[who].mood == Mood::Eager {
                self.clients[who].mood = Mood::Slow;
                self.clients[who].pipe.borrow_mut().space = self.rng.between(0, 2_000);
            }
        }
    }

    /// Has everything under way arrive and every deadline come, until nothing moves.
    fn settle(&mut self) {
        let until = self.now + QUIET;
        for _ in 0..200_000 {
            for index in 1..self.live.len() {
                let who = self.live[index];
                let bytes = self.clients[who].unsent.len();
                if bytes > 0 && self.clients[who].pipe.borrow().unread() <= WINDOW {
                    self.deliver(who, bytes);
                }
            }
            let turns = self.turns;
            self.poll(0);
            if self.turns > turns {
                continue;
            }
            match self.hub.next_deadline() {
                Some(deadline) if deadline <= until => self.now = self.now.max(deadline),
                _ => return,
            }
        }
        panic!("it never comes to rest");
    }

    /// The server stops, or everybody goes; then nobody is left.
    fn end(&mut self) {
        self.stopped = self.rng.one_in(2);
        if self.stopped {
            self.note(Happening::Stop);
            self.model.stop();
            self.hub.stop(self.now);
            self.turn();
        } else {
            for index in 1..self.live.len() {
                let who = self.live[index];
                match self.clients[who].mood {
                    // With all too many answers unread, its end would never be looked at.
                    Mood::Stuck => self.reset(who),
                    _ => self.half_close(who),
                }
            }
            self.settle();
            assert_eq!(self.live, [0], "these do not go");
            self.clients[0].pipe.borrow_mut().end();
            self.model.end(0);
        }
        self.settle();
        assert!(self.hub.is_empty(), "{} are still there", self.hub.len());
        assert!(!self.hub.is_busy() && self.hub.next_deadline().is_none());
    }
}
