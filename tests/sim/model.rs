//! What everybody must have got: one list of what the room published, and one place in it for each reader.
//!
//! Written from the contract. The order of publication is taken from a witness who always takes everything and never
//! says anything; all else follows from what the clients sent. Panics at the first byte that must not be.

use crate::effects::{Ear, Effect};
use snug::chat::Origin;
use snug::fanout::Slow;
use snug::hub::Config;
use snug::limits::{self, Millis};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Not published, or not left.
const NEVER: usize = usize::MAX;
/// Events of its own that a reader behind may have before its segments may be given up.
const BLUR: usize = limits::SEGMENTS / 2 - 100;

/// A client's number: never given twice.
pub type Who = usize;

/// All lines that were published.
#[derive(Debug, Default)]
pub struct Room {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
    authors: Vec<Who>,
    /// How many people there are behind each line.
    people: Vec<usize>,
}

impl Room {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }

    /// With its newline.
    fn line(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.ends[index]]
    }

    fn push(&mut self, line: &[u8], author: Who, people: usize) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
        self.authors.push(author);
        self.people.push(people);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Accepted in this turn; whether they may stay is not known yet.
    Arriving,
    In,
    Left,
    Refused,
}

#[derive(Debug)]
struct Entry {
    effect: Effect,
    /// The line that it became.
    at: usize,
    /// How many lines there were when it was sent: it cannot have been answered before them.
    floor: usize,
}

/// An answer to `/who` of which there may be more.
#[derive(Debug)]
struct Listing {
    /// How many lines the room had published when it began, and when the last line of it came.
    first: usize,
    last: usize,
    seen: Vec<Who>,
}

#[derive(Debug)]
pub struct Person {
    pub origin: Origin,
    pub name: Vec<u8>,
    pub standing: Standing,
    /// Whether it might be refused when it came, and whether it must be.
    refusal: (bool, bool),
    pub ear: Ear,
    /// Nothing that it sends counts any more.
    pub deaf: bool,
    effects: Vec<Entry>,
    /// Effects that have no answer yet.
    questions: usize,
    /// The first effect that the room may still have to see.
    said: usize,
    /// The first that it may itself still have to see, and the line behind the last one of its own before that.
    answered: usize,
    answered_from: usize,
    /// The first public effect behind `answered`, as far as known.
    ahead: usize,
    /// The lines from `entered` to `left` are for it; it has all before `next`, or was told that it missed them.
    entered: usize,
    left: usize,
    next: usize,
    /// The last that it has.
    last: Option<usize>,
    /// A line of which not all has come.
    rest: Vec<u8>,
    greeted: bool,
    closing: bool,
    listing: Option<Listing>,
    /// How far it was behind at most since it last had everything, and since when it is far behind.
    worst: usize,
    /// It was so far behind that it may have been given up; it was not, if it gets another of the room's lines once it
    /// has all of them.
    doomed: bool,
    behind: Option<Millis>,
    /// It may have used up its time.
    excused: bool,
    /// It has, for a hold that it was part of was over.
    passed: bool,
    /// Its effects when it last had everything.
    quiet: usize,
    /// Its connection was reset.
    pub lost: bool,
    /// It was closed for being too slow, or for leaving its answers unread.
    cut: bool,
    /// It left for another reason than its own wish.
    forced: bool,
    /// When its end was first possible.
    ending: Option<Millis>,
    shut: bool,
}

impl Person {
    fn new(origin: Origin, entered: usize) -> Self {
        Self {
            origin,
            name: Vec::new(),
            standing: Standing::Arriving,
            refusal: (false, false),
            ear: Ear::default(),
            deaf: false,
            effects: Vec::new(),
            questions: 0,
            said: 0,
            answered: 0,
            answered_from: entered,
            ahead: 0,
            entered,
            left: NEVER,
            next: entered,
            last: None,
            rest: Vec::new(),
            greeted: false,
            closing: false,
            listing: None,
            worst: 0,
            doomed: false,
            behind: None,
            excused: false,
            passed: false,
            quiet: 0,
            lost: false,
            cut: false,
            forced: false,
            ending: None,
            shut: false,
        }
    }

    fn limit(&self, room: &Room) -> usize {
        self.left.min(room.len())
    }

    /// Its own lines are not for it.
    fn skip_own(&mut self, me: Who, room: &Room) {
        let limit = self.limit(room);
        while self.next < limit && room.authors[self.next] == me {
            self.next += 1;
        }
    }

    /// Whether its own events since it last had everything may have been so many that its queue is given up.
    fn is_blurred(&self) -> bool {
        // How many of its questions were heard is not known before they are answered.
        let heard = match self.questions > 0 {
            true => self.effects.len(),
            false => self.said,
        };
        heard.saturating_sub(self.quiet) > BLUR
    }

    /// Whether the room has seen all that it said, and no more than that is to come.
    pub fn is_heard(&self) -> bool {
        self.effects[self.said..]
            .iter()
            .all(|entry| entry.effect.is_private())
    }

    /// Whether nothing that it sent waits for an answer.
    pub fn is_silent(&self) -> bool {
        self.questions == 0
    }
}

pub struct Model {
    config: Config,
    pub room: Room,
    pub people: Vec<Person>,
    /// Those whose stream is not over.
    live: Vec<Who>,
    /// Those present, by name.
    names: HashMap<Vec<u8>, Who>,
    /// Everybody who ever bore a name.
    bearers: HashMap<Vec<u8>, Vec<Who>>,
    arrivals: VecDeque<Who>,
    guests: u64,
    now: Millis,
    stopping: Option<Millis>,
    /// The room must be held up: nothing may be said.
    held: Option<(Who, usize)>,
    /// Since when it may be.
    hold_since: Option<Millis>,
    /// Somebody's queue may have been given up or have held the room up.
    blurred: bool,
    /// How many lines were skipped, connections cut and holds seen, so that a run can say what it met.
    pub skipped: u64,
    pub cuts: u64,
    pub holds: u64,
    pub received: u64,
}

impl Model {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            room: Room::default(),
            people: Vec::new(),
            live: Vec::new(),
            names: HashMap::new(),
            bearers: HashMap::new(),
            arrivals: VecDeque::new(),
            guests: 0,
            now: 0,
            stopping: None,
            held: None,
            hold_since: None,
            blurred: false,
            skipped: 0,
            cuts: 0,
            holds: 0,
            received: 0,
        }
    }

    /// Somebody connects.
    pub fn accept(&mut self, origin: Origin) -> Who {
        let who = self.people.len();
        let mut person = Person::new(origin, self.room.len());
        person.refusal = self.refusal(origin);
        self.people.push(person);
        self.live.push(who);
        self.arrivals.push_back(who);
        who
    }

    /// How many are connected and count, at least and at most.
    fn open(&self, counts: impl Fn(Origin) -> bool) -> (usize, usize) {
        let (mut low, mut high) = (0, 0);
        for &who in &self.live {
            let person = &self.people[who];
            let here = matches!(person.standing, Standing::In | Standing::Arriving);
            if !here || person.shut || !counts(person.origin) {
                continue;
            }
            high += 1;
            // Those of this turn may have been refused, and what ends a bus's connection is not seen at once.
            let is_sure = person.standing == Standing::In && !(self.config.bare && person.deaf);
            low += usize::from(is_sure && !person.lost && !self.may_be_cut(person));
        }
        (low, high)
    }

    /// Whether somebody from there may be refused now, and whether they must be.
    fn refusal(&self, origin: Origin) -> (bool, bool) {
        let (low, high) = self.open(|_| true);
        let limit = self.config.max_clients;
        let (mut may, mut must) = (high >= limit, low >= limit);
        if let (Some(limit), Some(ip)) = (self.config.max_per_ip, limited(origin)) {
            let (low, high) = self.open(|origin| limited(origin).as_ref() == Some(&ip));
            may |= high >= limit;
            must |= low >= limit;
        }
        (may, must)
    }

    /// Bytes of a client have arrived.
    pub fn arrive(&mut self, who: Who, bytes: &[u8]) {
        let (bare, max_line) = (self.config.bare, self.config.max_line);
        if !self.people[who].deaf {
            let effects = self.people[who].ear.hear(bytes, bare, max_line);
            self.expect(who, effects);
        }
    }

    /// The end of its stream has.
    pub fn end(&mut self, who: Who) {
        if !self.people[who].deaf {
            let last = self.people[who].ear.finish(self.config.bare);
            self.expect(who, last);
            if !self.people[who].deaf {
                self.expect(who, [Effect::End]);
            }
        }
    }

    /// What it began counts as a line, if nothing comes.
    pub fn rest(&mut self, who: Who) {
        if !self.people[who].deaf {
            let last = self.people[who].ear.finish(self.config.bare);
            self.expect(who, last);
        }
    }

    fn expect(&mut self, who: Who, effects: impl IntoIterator<Item = Effect>) {
        let person = &mut self.people[who];
        for effect in effects {
            if effect.is_end() {
                person.deaf = true;
                person.ending = Some(self.now);
            }
            person.questions += usize::from(effect.is_private());
            person.effects.push(Entry {
                effect,
                at: NEVER,
                floor: self.room.len(),
            });
        }
    }

    /// Its connection is reset.
    pub fn lose(&mut self, who: Who) {
        let person = &mut self.people[who];
        person.deaf = true;
        person.lost = true;
        // It holds nobody up any longer; whether somebody else does shows at the turn's end.
        self.held = self.held.filter(|&(holder, _)| holder != who);
    }

    /// The server says goodbye.
    pub fn stop(&mut self) {
        self.stopping = Some(self.now);
    }

    pub fn begin_turn(&mut self, now: Millis) {
        self.now = now;
    }

    /// What the witness got: the room's lines.
    pub fn witness(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            assert!(line.ends_with(b"\n"), "the witness got half a line");
            if !self.people[0].greeted && !self.config.bare {
                self.greet(0, line);
                self.witness_entered();
                continue;
            }
            if self.stopping.is_some() && line == b"*** the server is closing\n" {
                assert!(!self.people[0].closing, "closing twice");
                self.people[0].closing = true;
                continue;
            }
            assert!(
                !self.people[0].closing,
                "a line behind the last: {}",
                show(line)
            );
            match self.config.bare {
                true => self.relayed(line),
                false => self.published(line),
            }
        }
        self.people[0].next = self.room.len();
    }

    /// The first who comes: there is nobody whom its coming could be announced to.
    fn witness_entered(&mut self) {
        let name = self.first_name(self.people[0].origin);
        self.guests = 1;
        self.names.insert(name.clone(), 0);
        self.bearers.insert(name.clone(), vec![0]);
        self.arrivals.clear();
        self.people[0].standing = Standing::In;
        self.people[0].name = name;
    }

    fn relayed(&mut self, line: &[u8]) {
        // Lines that do not say whose they are, are those of the first.
        let tag = line.strip_prefix(b"c").and_then(|rest| {
            let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
            (rest[digits] == b'.')
                .then(|| std::str::from_utf8(&rest[..digits]).ok()?.parse().ok())?
        });
        self.said(tag.unwrap_or(1), line);
    }

    fn published(&mut self, line: &[u8]) {
        let text = &line[..line.len() - 1];
        if let Some(rest) = text.strip_prefix(b"*** ") {
            let at = rest
                .iter()
                .position(|&byte| byte == b' ')
                .unwrap_or(rest.len());
            let (name, verb) = rest.split_at(at);
            return match verb {
                b" entered" => self.entered(name, line),
                b" left" => self.left(name, b"", line),
                _ => match verb.strip_prefix(b" left: ") {
                    Some(word) => self.left(name, word, line),
                    None => panic!("the witness got what was not for it: {}", show(line)),
                },
            };
        }
        let end = |end: &[u8]| text.windows(end.len()).position(|window| window == end);
        let name = if text.starts_with(b"<") {
            end(b"> ").map(|at| &text[1..at])
        } else if let Some(rest) = text.strip_prefix(b"* ") {
            rest.iter()
                .position(|&byte| byte == b' ')
                .map(|at| &rest[..at])
        } else {
            None
        };
        match name.and_then(|name| self.names.get(name)) {
            Some(&who) => self.said(who, line),
            None => panic!("said by nobody: {}", show(line)),
        }
    }

    /// The next thing that somebody did in public.
    fn next_public(&mut self, who: Who) -> Option<(usize, Effect)> {
        let person = self.people.get_mut(who)?;
        while person.effects.get(person.said)?.effect.is_private() {
            person.said += 1;
        }
        Some((person.said, person.effects[person.said].effect.clone()))
    }

    fn said(&mut self, who: Who, line: &[u8]) {
        let next = self.next_public(who);
        let name = self.people.get(who).map_or(&[][..], |person| &person.name);
        let expected = match (&next, self.config.bare) {
            (Some((_, Effect::Say(text))), true) => [text, &b"\n"[..]].concat(),
            (Some((_, Effect::Say(text))), false) => [b"<", name, b"> ", text, b"\n"].concat(),
            (Some((_, Effect::Act(text))), _) => [b"* ", name, b" ", text, b"\n"].concat(),
            _ => Vec::new(),
        };
        assert!(
            line == expected,
            "client {who} was to say {} but said {}",
            show(&expected),
            show(line)
        );
        assert!(
            self.held.is_none(),
            "client {who} was heard although the room is held up by {:?}",
            self.held
        );
        self.publish(who, next.map(|(index, _)| index), line);
    }

    fn publish(&mut self, who: Who, effect: Option<usize>, line: &[u8]) {
        let at = self.room.len();
        if let Some(index) = effect {
            let person = &mut self.people[who];
            person.effects[index].at = at;
            person.said = index + 1;
        }
        self.room.push(line, who, self.names.len());
    }

    fn entered(&mut self, name: &[u8], line: &[u8]) {
        let mut skipped = Vec::new();
        let who = loop {
            let Some(who) = self.arrivals.pop_front() else {
                panic!("nobody was to enter, but {}", show(line));
            };
            if self.first_name(self.people[who].origin) == name {
                break who;
            }
            skipped.push(who);
        };
        for who in skipped {
            self.refused(who);
        }
        if self.config.hide_addresses {
            self.guests = std::str::from_utf8(&name[5..]).unwrap().parse().unwrap();
        }
        self.admitted(who);
        self.names.insert(name.to_vec(), who);
        self.bearers.entry(name.to_vec()).or_default().push(who);
        self.publish(who, None, line);
        let person = &mut self.people[who];
        person.name = name.to_vec();
        person.entered = self.room.len();
        person.next = self.room.len();
        person.answered_from = self.room.len();
    }

    fn first_name(&self, origin: Origin) -> Vec<u8> {
        if self.config.hide_addresses {
            let mut number = if self.names.is_empty() {
                0
            } else {
                self.guests
            };
            loop {
                number += 1;
                let name = format!("guest{number}").into_bytes();
                if !self.names.contains_key(&name) {
                    return name;
                }
            }
        }
        match origin {
            Origin::Unix { number, .. } => format!("unix:{number}").into_bytes(),
            Origin::Ip { ip, port } => {
                let name = ip.to_string().into_bytes();
                match (self.names.contains_key(&name), ip.is_ipv6()) {
                    (false, _) => name,
                    (true, false) => format!("{ip}:{port}").into_bytes(),
                    (true, true) => format!("[{ip}]:{port}").into_bytes(),
                }
            }
        }
    }

    fn admitted(&mut self, who: Who) {
        let person = &mut self.people[who];
        person.standing = Standing::In;
        assert!(!person.refusal.1, "client {who} was to be refused");
    }

    fn refused(&mut self, who: Who) {
        let may = self.people[who].refusal.0;
        assert!(may, "client {who} was refused without a reason");
        let person = &mut self.people[who];
        person.standing = Standing::Refused;
        person.deaf = true;
        person.left = person.next;
        person.ending = Some(self.now);
    }

    fn left(&mut self, name: &[u8], word: &[u8], line: &[u8]) {
        let Some(who) = self.names.remove(name) else {
            panic!("not there, but left: {}", show(line));
        };
        let next = self.next_public(who);
        let person = &self.people[who];
        let effect = match &next {
            Some((index, Effect::Quit(text))) if text == word => Some(*index),
            Some((index, Effect::End)) if word.is_empty() => Some(*index),
            _ => None,
        };
        let by_force = word.is_empty()
            && (person.lost || self.may_be_cut(person) || self.is_abandoned(person));
        assert!(
            effect.is_some() || by_force,
            "client {who} left, but was to do this: {next:?}; it said {}",
            show(word)
        );
        let forced = effect.is_none() || self.is_abandoned(person);
        let at = self.room.len();
        self.publish(who, effect, line);
        let person = &mut self.people[who];
        person.forced = forced;
        person.left = at;
        person.standing = Standing::Left;
        person.deaf = true;
        person.ending = Some(self.now);
    }

    /// Whoever was behind already is further behind before it gets what this turn brings it.
    pub fn look_ahead(&mut self) {
        for &who in &self.live {
            let person = &mut self.people[who];
            if person.worst > 0 {
                person.worst = person.worst.max(lag(person, &self.room).1);
                person.doomed |= person.worst > self.config.backlog;
            }
        }
    }

    /// What somebody else got.
    pub fn receive(&mut self, who: Who, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let rest = &mut self.people[who].rest;
            if !piece.ends_with(b"\n") {
                rest.extend_from_slice(piece);
            } else if rest.is_empty() {
                self.line(who, piece);
            } else {
                let mut line = std::mem::take(rest);
                line.extend_from_slice(piece);
                self.line(who, &line);
            }
        }
    }

    fn line(&mut self, who: Who, line: &[u8]) {
        self.received += 1;
        let person = &mut self.people[who];
        assert!(
            !person.closing,
            "client {who} got a line behind the last: {}",
            show(line)
        );
        if !person.greeted && !self.config.bare {
            return self.greet(who, line);
        }
        person.skip_own(who, &self.room);
        if person.next < person.limit(&self.room) && self.room.line(person.next) == line {
            person.doomed &= person.worst > 0;
            person.last = Some(person.next);
            person.next += 1;
            return;
        }
        if self.config.bare {
            self.astray(who, line);
        }
        if let Some(lines) = gap(line) {
            return self.gap(who, lines);
        }
        if line == b"*** the server is closing\n" && self.stopping.is_some() {
            person.closing = true;
            return;
        }
        self.reply(who, line);
    }

    fn greet(&mut self, who: Who, line: &[u8]) {
        let person = &mut self.people[who];
        person.greeted = true;
        if person.standing != Standing::Refused {
            let text = &line[..line.len() - 1];
            assert!(
                text == self.config.welcome.as_bytes(),
                "client {who} greeted with {}",
                show(line)
            );
            return;
        }
        let is_one = |text: &str| line.starts_with(format!("*** {text}").as_bytes());
        assert!(
            is_one("the server is full") || is_one("too many connections from your address"),
            "client {who} refused with {}",
            show(line)
        );
    }

    fn astray(&self, who: Who, line: &[u8]) -> ! {
        let person = &self.people[who];
        let next = match person.next < person.limit(&self.room) {
            true => show(self.room.line(person.next)),
            false => format!("nothing of {} lines", self.room.len()),
        };
        panic!(
            "client {who} got {} where line {} of the room is next: {next}; its next answer is to {:?}",
            show(line),
            person.next,
            person.effects.get(person.answered),
        );
    }

    /// It was told that it missed so many lines.
    fn gap(&mut self, who: Who, lines: u64) {
        self.skipped += lines;
        let backlog = self.config.backlog;
        let person = &mut self.people[who];
        let blurred = person.is_blurred();
        assert!(lines > 0, "a gap of nothing");
        match self.config.slow {
            _ if blurred => {}
            Slow::Wait => assert!(
                person.excused || self.blurred,
                "client {who} missed lines although its room waits for it"
            ),
            Slow::Skip | Slow::Close => assert!(
                person.worst > backlog,
                "client {who} missed lines, but was only {} bytes behind",
                person.worst
            ),
        }
        let mut skipped = person.next;
        for _ in 0..lines {
            person.skip_own(who, &self.room);
            assert!(
                person.next < person.limit(&self.room),
                "client {who} missed fewer lines than the {lines} that it was told of"
            );
            skipped = person.next;
            person.next += 1;
        }
        let held = self.room.bytes.len() - self.room.ends[skipped];
        assert!(
            held >= backlog || blurred,
            "client {who} missed a line {held} bytes back"
        );
    }

    /// An answer to something that it asked.
    fn reply(&mut self, who: Who, line: &[u8]) {
        loop {
            let Some(index) = self.next_question(who, line) else {
                self.astray(who, line);
            };
            let person = &self.people[who];
            if person.listing.is_some() {
                if let Some((name, is_you)) = listed(line) {
                    self.check_order(who, index, line);
                    return self.listed(who, name, is_you, line);
                }
                self.end_listing(who)
                    .unwrap_or_else(|complaint| panic!("{complaint}"));
                continue;
            }
            self.check_order(who, index, line);
            let (done, fits) = self.fits(who, index, line);
            if !fits {
                self.astray(who, line);
            }
            if done {
                self.people[who].answered += 1;
                self.people[who].questions -= 1;
            }
            return;
        }
    }

    /// The first of its effects that it must still have an answer to.
    fn next_question(&mut self, who: Who, line: &[u8]) -> Option<usize> {
        let person = &mut self.people[who];
        loop {
            let entry = person.effects.get(person.answered)?;
            if entry.effect.is_private() {
                break;
            }
            assert!(
                entry.at != NEVER,
                "client {who} got {} before its own {:?} was published",
                show(line),
                entry.effect
            );
            person.answered_from = entry.at + 1;
            person.answered += 1;
        }
        person.ahead = person.ahead.max(person.answered);
        while person
            .effects
            .get(person.ahead)
            .is_some_and(|entry| entry.effect.is_private())
        {
            person.ahead += 1;
        }
        Some(person.answered)
    }

    /// Promise 3: behind all that was published before it, before all that was published after it.
    fn check_order(&mut self, who: Who, index: usize, line: &[u8]) {
        let person = &mut self.people[who];
        let from = person
            .answered_from
            .max(person.effects[index].floor)
            .min(person.left);
        assert!(
            person.next >= from.min(self.room.len()),
            "client {who} got {} before line {} of the room, which came first: {}",
            show(line),
            person.next,
            show(self.room.line(person.next))
        );
        let until = person
            .effects
            .get(person.ahead)
            .map_or(NEVER, |entry| entry.at);
        assert!(
            person.last.is_none_or(|last| last < until),
            "client {who} got {} behind line {:?} of the room, which came later",
            show(line),
            person.last
        );
    }

    /// Whether `line` is an answer to that effect, and the last one.
    fn fits(&mut self, who: Who, index: usize, line: &[u8]) -> (bool, bool) {
        let text = String::from_utf8_lossy(&line[..line.len() - 1]).into_owned();
        let person = &mut self.people[who];
        match &person.effects[index].effect {
            Effect::Pong(word) if word.is_empty() => (true, text == "*** pong"),
            Effect::Pong(word) => (
                true,
                line[..line.len() - 1] == [b"*** pong ", &word[..]].concat(),
            ),
            Effect::Usage => (true, text.starts_with("*** ") && text.contains("/me TEXT")),
            Effect::TooLong => {
                let max = self.config.max_line;
                (
                    true,
                    text == format!("*** line too long: {max} bytes at most"),
                )
            }
            Effect::Unknown(word) => {
                let word = String::from_utf8_lossy(word);
                (
                    true,
                    text.starts_with(&format!("*** there is no command /{word};")),
                )
            }
            Effect::Help(topic) if topic.is_empty() => {
                (text.starts_with("*** //"), text.starts_with("*** /"))
            }
            Effect::Help(topic) => {
                let topic = String::from_utf8_lossy(topic);
                (true, text.starts_with(&format!("*** /{topic}")))
            }
            Effect::Who => {
                let people = match person.next {
                    0 => 0,
                    next => self.room.people[next - 1],
                };
                let expected = match people {
                    1 => "*** in #lobby: only you".to_owned(),
                    n => format!("*** in #lobby: {n} people"),
                };
                assert!(
                    text == expected || person.is_blurred(),
                    "client {who} got {text} where there are {people}"
                );
                person.listing = Some(Listing {
                    first: person.next,
                    last: person.next,
                    seen: Vec::new(),
                });
                (false, text.starts_with("*** in #lobby: "))
            }
            other => panic!("{other:?} has no answer"),
        }
    }

    fn listed(&mut self, who: Who, name: &[u8], is_you: bool, line: &[u8]) {
        let at = self.people[who].next;
        let blurred = self.people[who].is_blurred();
        let is_there = |person: &Person| person.entered <= at && person.left >= at;
        let bearers = self.bearers.get(name).map_or(&[][..], |bearers| bearers);
        let named = bearers
            .iter()
            .copied()
            .find(|&named| is_there(&self.people[named]));
        let Some(named) = named.or(bearers.last().copied().filter(|_| blurred)) else {
            panic!(
                "client {who} is told of somebody who is not there: {}",
                show(line)
            );
        };
        assert_eq!(is_you, named == who, "client {who} is told {}", show(line));
        let Some(listing) = &mut self.people[who].listing else {
            unreachable!("the caller saw it");
        };
        assert!(
            !listing.seen.contains(&named),
            "client {who} is told twice: {}",
            show(line)
        );
        listing.seen.push(named);
        listing.last = at;
    }

    /// Whoever was there from its first line to its last was named.
    fn end_listing(&mut self, who: Who) -> Result<(), String> {
        let Some(listing) = self.people[who].listing.take() else {
            return Ok(());
        };
        self.people[who].answered += 1;
        self.people[who].questions -= 1;
        if self.people[who].is_blurred() {
            return Ok(());
        }
        let stayed = |person: &Person| {
            !person.name.is_empty()
                && person.entered <= listing.first
                && person.left >= listing.last
        };
        let mut there = self
            .people
            .iter()
            .enumerate()
            .filter(|(_, person)| stayed(person));
        match there.find(|(other, _)| !listing.seen.contains(other)) {
            Some((other, _)) => Err(format!("client {who} was not told of client {other}")),
            None => Ok(()),
        }
    }

    /// The server has ended its side of a stream: everything must have come, and no half line.
    pub fn shut(&mut self, who: Who) {
        let bare = self.config.bare;
        if self.people[who].standing == Standing::Arriving && bare {
            // A bus says nothing; but it may also have closed in its first turn whoever takes nothing.
            match self.people[who].refusal.0 {
                true => self.refused(who),
                false => self.admitted(who),
            }
        }
        let may_be_cut = self.may_be_cut(&self.people[who]);
        let person = &mut self.people[who];
        person.shut = true;
        assert!(
            person.rest.is_empty(),
            "client {who} ends with half a line: {}",
            show(&person.rest)
        );
        if person.standing == Standing::Refused {
            assert!(
                bare || person.greeted,
                "client {who} was refused without a word"
            );
            return;
        }
        let complaint = self.is_complete(who).err();
        let person = &mut self.people[who];
        let has_reason = match self.stopping {
            Some(_) => bare || person.closing || person.standing == Standing::Left,
            None if bare => person.deaf,
            None => person.standing == Standing::Left,
        };
        if who == 0 {
            // It has got what there was by its very nature, and ends last.
            assert!(person.deaf || has_reason, "the witness was closed");
            return;
        }
        if complaint.is_none() && has_reason {
            if bare {
                person.standing = Standing::Left;
            }
            return;
        }
        assert!(
            may_be_cut || person.lost || person.forced,
            "client {who}'s stream ended{}; {}",
            if has_reason { "" } else { " without a reason" },
            complaint.unwrap_or_default(),
        );
        self.cuts += 1;
        person.cut = true;
        person.deaf = true;
        if bare {
            person.standing = Standing::Left;
        }
    }

    /// Whether it has everything that there is for it.
    fn is_complete(&mut self, who: Who) -> Result<(), String> {
        let floor = self.people[who]
            .effects
            .last()
            .map_or(0, |entry| entry.floor);
        let person = &mut self.people[who];
        person.skip_own(who, &self.room);
        let limit = match self.config.bare && person.deaf {
            true => floor,
            false => person.limit(&self.room),
        };
        if person.next < limit {
            let line = show(self.room.line(person.next));
            return Err(format!(
                "client {who} lacks line {} of {limit}: {line}",
                person.next
            ));
        }
        if !person.rest.is_empty() {
            return Err(format!(
                "client {who} has half a line: {}",
                show(&person.rest)
            ));
        }
        if self.stopping.is_some() {
            return Ok(());
        }
        self.end_listing(who)?;
        let person = &self.people[who];
        for entry in &person.effects[person.answered..] {
            if entry.effect.is_private() {
                return Err(format!("client {who} has no answer to {:?}", entry.effect));
            }
        }
        for entry in &person.effects[person.said..] {
            if !entry.effect.is_private() && !entry.effect.is_end() {
                return Err(format!("client {who} was not heard: {:?}", entry.effect));
            }
        }
        Ok(())
    }

    /// Whether a reader may have been closed for falling behind.
    fn may_be_cut(&self, person: &Person) -> bool {
        let far = person.doomed || person.is_blurred();
        match (self.config.slow, self.config.bare) {
            (Slow::Skip, false) | (Slow::Wait, false) => false,
            (Slow::Wait, true) => person.doomed || person.excused || self.blurred,
            (Slow::Skip, true) | (Slow::Close, _) => far,
        }
    }

    /// Whether it has ended its side, but leaves answers unread for too long.
    fn is_abandoned(&self, person: &Person) -> bool {
        let since = person.ending.filter(|_| person.questions > 0);
        since.is_some_and(|since| self.now >= since + limits::DRAIN)
    }

    /// The server has let go of a stream.
    pub fn dropped(&mut self, who: Who, blocked: bool) {
        self.live.retain(|&live| live != who);
        if self.people[who].standing == Standing::Arriving {
            self.refused(who);
        }
        let person = &self.people[who];
        if person.shut || person.lost {
            return;
        }
        let (since, patience) = match (self.stopping, person.standing) {
            (_, Standing::Refused) => (person.ending, limits::LINGER),
            // Whether a bus had seen its end before the stop is not known.
            (stop @ Some(_), Standing::In) => (stop, limits::STOP),
            _ => (person.ending, limits::DRAIN),
        };
        let late = since.is_some_and(|since| self.now >= since + patience);
        let cut = self.may_be_cut(person);
        assert!(blocked && (late || cut), "client {who} was dropped");
    }

    /// Those who came in this turn are in, or were refused: a bus tells nobody, and closes at once.
    pub fn settle_arrivals(&mut self) {
        for who in std::mem::take(&mut self.arrivals) {
            match self.config.bare {
                false => self.refused(who),
                true if self.people[who].standing == Standing::Arriving => self.admitted(who),
                true => {}
            }
        }
    }

    /// Takes stock: who is how far behind, and whether the room must be held up.
    pub fn take_stock(&mut self, mut is_blocked: impl FnMut(Who) -> bool) {
        let (now, backlog) = (self.now, self.config.backlog);
        let mut held = None;
        let (mut expired, mut far) = (false, false);
        for &who in &self.live {
            let person = &mut self.people[who];
            person.skip_own(who, &self.room);
            let (low, high) = lag(person, &self.room);
            person.worst = person.worst.max(high);
            person.doomed |= person.worst > backlog || person.is_blurred();
            if high == 0 && !is_blocked(who) {
                person.worst = 0;
                person.excused = false;
                person.passed = false;
                person.quiet = person.said.max(person.answered);
            }
            self.blurred |= person.is_blurred();
            match high > backlog / 2 {
                true => _ = person.behind.get_or_insert(now),
                false => person.behind = None,
            }
            if person
                .behind
                .is_some_and(|since| now >= since + self.config.slow_timeout)
            {
                expired |= !person.excused;
                person.excused = true;
            }
            far |= high > backlog && !person.passed;
            // Of a bus's newcomers, and of what it owes those who have ended, more is known later.
            let refused = person.standing == Standing::Arriving && person.refusal.0;
            let counts =
                !(person.shut || person.lost || person.deaf && self.config.bare || refused);
            if low > backlog && !person.excused && counts {
                held = Some((who, low));
            }
        }
        let holds = |person: &Person| person.behind.is_some() && !person.passed;
        let is_held_by_any = self.live.iter().any(|&who| holds(&self.people[who]));
        match self.hold_since {
            _ if !is_held_by_any => self.hold_since = None,
            None if far => self.hold_since = Some(now),
            Some(since) if now >= since + self.config.slow_timeout => {
                expired = true;
                self.hold_since = None;
                for &who in &self.live {
                    self.people[who].passed |= self.people[who].behind.is_some();
                }
            }
            _ => {}
        }
        if expired {
            // Whoever else holds the room up by then is skipped with it.
            for &who in &self.live {
                let person = &mut self.people[who];
                person.excused |= person.behind.is_some();
                person.doomed |= person.excused;
            }
            held = None;
        }
        self.held = held.filter(|_| self.config.slow == Slow::Wait && !self.blurred);
        self.holds += u64::from(self.held.is_some());
    }

    /// Everything is quiet.
    pub fn all_quiet(&mut self) {
        self.blurred = self.live.iter().any(|&who| self.people[who].is_blurred());
    }

    /// With everything quiet: an open reader has everything, and all that was said was heard.
    pub fn check_quiet(&mut self, who: Who) {
        if self.people[who].standing == Standing::In {
            assert!(
                !self.people[who].deaf,
                "client {who} has ended but is not gone"
            );
            if let Err(complaint) = self.is_complete(who) {
                panic!("when all was quiet, {complaint}");
            }
        }
    }
}

/// How many bytes a reader is behind, at least and at most: the line that it is in may count or not.
fn lag(person: &Person, room: &Room) -> (usize, usize) {
    if person.next >= person.limit(room) {
        return (0, 0);
    }
    let start = room.start(person.next);
    let from = if person.rest.is_empty() {
        start
    } else {
        room.ends[person.next]
    };
    (room.bytes.len() - from, room.bytes.len() - start)
}

/// What counts as one address, as its first octets.
fn limited(origin: Origin) -> Option<Vec<u8>> {
    match origin.ip()? {
        ip if ip.is_loopback() => None,
        IpAddr::V4(ip) => Some(ip.octets().to_vec()),
        IpAddr::V6(ip) => Some(ip.octets()[..8].to_vec()),
    }
}

/// The number in the line that tells of a gap.
fn gap(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"*** ")?;
    let number = rest.strip_suffix(b" lines skipped: your connection fell behind\n")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The name in a line of the answer to `/who`.
fn listed(line: &[u8]) -> Option<(&[u8], bool)> {
    let rest = line.strip_prefix(b"*** ")?;
    let at = rest.windows(7).position(|window| window == b", idle ")?;
    match rest[..at].strip_suffix(b" (you)") {
        Some(name) => Some((name, true)),
        None => Some((&rest[..at], false)),
    }
}

/// A line for people, not too long.
fn show(line: &[u8]) -> String {
    let text = line.escape_ascii().to_string();
    match text.get(120..) {
        Some(_) => format!("\"{}…\"", &text[..120]),
        None => format!("\"{text}\""),
    }
}
