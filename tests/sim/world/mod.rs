//! Everybody at once: what chance has clients, network and clock do.

mod peers;

use crate::journal::Who;
use crate::rng::Rng;
use crate::stage::Stage;
use crate::talk;
use crate::temper::{self, Temper};
use snug::chat::Origin;
use snug::hub::Config;
use snug::limits::Millis;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::Range;

/// How many of the last events a failure shows.
const TAIL: usize = 60;
/// Bytes that arrive and are not read before the network takes no more.
const WINDOW: usize = 256 << 10;
/// How long a time of quiet lasts at most.
const QUIET: Millis = 3_600_000;
/// How far the clock on the wall jumps at times, in seconds.
const JUMP: i64 = 3_600;

/// What happened, in the order in which it did.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "to be shown")]
pub enum Happening {
    Connect { who: Who, from: String, mood: Mood },
    Arrive { who: Who, bytes: String },
    Urgent { who: Who },
    Take { who: Who, bytes: usize },
    Stall { who: Who },
    Recover { who: Who },
    HalfClose { who: Who },
    Reset { who: Who },
    ClockJumps { seconds: i64 },
    Turn { now: Millis, lines: u64 },
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

/// The client's side of a connection.
struct Peer {
    mood: Mood,
    /// Sent, but still under way.
    unsent: VecDeque<u8>,
    /// It will end its side when everything has arrived.
    is_closing: bool,
    shut_seen: bool,
}

/// A run: what decides it, and how much of it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub seed: u64,
    pub events: usize,
    /// Events that are left out.
    pub skip: Vec<Range<usize>>,
    /// Whether the hub's own invariants are checked, too.
    pub invariants: bool,
}

pub struct World {
    plan: Plan,
    rng: Rng,
    pub config: Config,
    pub temper: Temper,
    pub stage: Stage,
    peers: Vec<Peer>,
    /// Those who are to be let in with the next turn.
    coming: Vec<(Origin, Mood, usize)>,
    origins: u32,
    pub events: usize,
    lines: usize,
    pub tail: VecDeque<(usize, Happening)>,
}

impl World {
    /// A world with nobody in it.
    pub fn new(plan: &Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let config = temper::draw_config(&mut rng);
        let temper = temper::draw(&mut rng, &config);
        let mut stage = Stage::new(config.clone());
        stage.check = if plan.invariants { temper.check } else { 0 };
        stage.clock = temper.clock;
        Self {
            plan: plan.clone(),
            stage,
            rng,
            config,
            temper,
            peers: Vec::new(),
            coming: Vec::new(),
            origins: 0,
            events: 0,
            lines: 0,
            tail: VecDeque::new(),
        }
    }

    /// All events, then the end. Each draws from its own chance, so that others can be left out.
    pub fn run(&mut self) {
        while self.events < self.plan.events {
            let event = self.events;
            self.events += 1;
            let is_left_out = self.plan.skip.iter().any(|skip| skip.contains(&event));
            if !is_left_out {
                self.rng = Rng::new(self.plan.seed.rotate_left(32) ^ event as u64);
                self.act();
                if self.rng.below(self.temper.tempo) == 0 {
                    self.go_on();
                }
            }
            if self.events.is_multiple_of(self.temper.quiet) {
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
        self.tail
            .push_back((self.events.saturating_sub(1), happening));
    }

    /// Time goes on.
    fn go_on(&mut self) {
        if self.rng.one_in(200) {
            let seconds = self.rng.pick(&[-JUMP, JUMP]);
            self.stage.clock.unix += seconds;
            self.note(Happening::ClockJumps { seconds });
        }
        if !self.coming.is_empty() {
            self.poll(8);
        }
        let span = match self.rng.weighted(&[80, 17, 3]) {
            _ if self.stage.is_busy() => self.rng.between(0, 2),
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
        let crowd = self.stage.live.len() + self.coming.len();
        let few = crowd < self.temper.people;
        let weights = [
            if few { self.temper.comings } else { 1 },
            40,
            30,
            30,
            4,
            if few { 1 } else { 2 },
            usize::from(self.temper.resets),
            1,
        ];
        let action = self.rng.weighted(&weights);
        if action == 0 {
            if crowd < self.temper.people + 50 {
                let newcomer = self.newcomer();
                self.coming.push(newcomer);
            }
            return;
        }
        if self.stage.live.is_empty() {
            return;
        }
        let who = self.stage.live[self.rng.below(self.stage.live.len())];
        match action {
            1 => self.send(who),
            2 => self.arrive(who),
            3 => self.take(who),
            4 => self.change_mood(who),
            5 => self.half_close(who),
            6 => self.reset(who),
            _ => {
                self.stage.pipe(who).arrive_urgent();
                self.note(Happening::Urgent { who });
            }
        }
    }

    /// Time passes, with the turns that fall due.
    fn pass(&mut self, span: Millis) {
        let target = self.stage.now + span;
        for _ in 0..50_000 {
            match self.stage.next_deadline() {
                // A busy hub is not left waiting, though a turn may take a moment.
                _ if span > 2 && self.stage.is_busy() => self.poll(8),
                Some(deadline) if deadline <= target => {
                    self.stage.now = self.stage.now.max(deadline);
                    self.turn();
                }
                _ => {
                    self.stage.now = target;
                    return;
                }
            }
        }
        panic!("too many turns in {span} ms");
    }

    /// Tells what is ready, one stream in `spare` not yet, and takes a turn if there is a reason to.
    fn poll(&mut self, spare: usize) {
        let mut order = self.stage.live.clone();
        for index in (1..order.len()).rev() {
            order.swap(index, self.rng.below(index + 1));
        }
        let mut told = false;
        for who in order {
            let is_spared = self.rng.one_in(spare);
            told |= !is_spared && self.stage.tell(who, self.temper.combined);
        }
        if told || !self.coming.is_empty() || self.stage.is_due() {
            self.turn();
        }
    }

    /// One turn, for which newcomers are let in.
    fn turn(&mut self) {
        self.admit();
        let before = self.stage.model.met.lines;
        self.stage.turn();
        let (now, lines) = (self.stage.now, self.stage.model.met.lines - before);
        self.note(Happening::Turn { now, lines });
        // Most peers end their side when the server has.
        for index in 0..self.stage.live.len() {
            let who = self.stage.live[index];
            if !self.stage.pipe(who).shut || std::mem::replace(&mut self.peers[who].shut_seen, true)
            {
                continue;
            }
            if !self.rng.one_in(4) && !self.stage.pipe(who).is_hung_up() {
                self.peers[who].is_closing = true;
                self.stage.end(who);
            }
        }
    }

    /// Nothing new is sent; whoever can read reads; until nothing moves. Then nothing may be missing.
    fn quiet(&mut self) {
        self.note(Happening::Quiet);
        if !self.coming.is_empty() {
            self.turn();
        }
        for index in 0..self.stage.live.len() {
            let who = self.stage.live[index];
            if matches!(self.peers[who].mood, Mood::Slow | Mood::Stalled) {
                self.recover(who);
            }
        }
        self.settle();
        assert!(!self.stage.is_busy(), "busy when all is quiet");
        let mut all_read = true;
        for index in 0..self.stage.live.len() {
            let who = self.stage.live[index];
            match self.peers[who].mood {
                Mood::Stuck => {
                    all_read = false;
                    self.stage.model.check_stuck(who);
                }
                _ => self.stage.model.check_quiet(who),
            }
        }
        if all_read {
            let deadline = self.stage.next_deadline();
            assert_eq!(deadline, None, "there is a deadline although all is quiet");
        }
        for index in 0..self.stage.live.len() {
            let who = self.stage.live[index];
            if self.rng.below(100) < self.temper.slow && self.peers[who].mood == Mood::Eager {
                self.peers[who].mood = Mood::Slow;
                self.stage.pipe(who).space = self.rng.between(0, 2_000);
            }
        }
    }

    /// Has everything under way arrive and every deadline come, until nothing moves.
    fn settle(&mut self) {
        let until = self.stage.now + QUIET;
        for _ in 0..200_000 {
            for index in 0..self.stage.live.len() {
                let who = self.stage.live[index];
                let bytes = self.peers[who].unsent.len();
                if bytes > 0 && self.stage.pipe(who).unread() <= WINDOW {
                    self.deliver(who, bytes);
                }
            }
            let turns = self.stage.turns;
            self.poll(0);
            if self.stage.turns > turns {
                continue;
            }
            match self.stage.next_deadline() {
                Some(deadline) if deadline <= until => {
                    self.stage.now = self.stage.now.max(deadline);
                }
                _ => return,
            }
        }
        panic!("it never comes to rest");
    }

    /// The server stops, or everybody goes; then nobody is left.
    fn end(&mut self) {
        if self.rng.one_in(2) {
            self.note(Happening::Stop);
            self.stage.stop();
            self.turn();
        } else {
            for index in 0..self.stage.live.len() {
                let who = self.stage.live[index];
                match self.peers[who].mood {
                    // With all too many answers unread, its end would never be looked at.
                    Mood::Stuck => self.reset(who),
                    _ => self.half_close(who),
                }
            }
        }
        self.settle();
        assert_eq!(self.stage.live, [], "these do not go");
        assert!(!self.stage.is_busy() && self.stage.next_deadline().is_none());
    }
}
