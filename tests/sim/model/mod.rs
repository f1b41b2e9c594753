//! What everybody must have got, read from the contract.
//!
//! The journal tells in which order the server dealt with what was sent; what follows from each line for whom is worked
//! out here as naively as can be: a list of what each reader must still get. Panics at the first byte that must not be.

mod commands;
mod doors;
pub mod ear;
mod ends;
mod listings;
mod memory;
mod pace;
mod people;
mod received;
mod stream;
pub mod words;

use crate::journal::{Entry, Who};
use doors::{Bans, Tries};
use ear::Ear;
use pace::Tokens;
use snug::chat::Origin;
use snug::hub::Config;
use snug::limits::{self, Millis};
use std::collections::{HashMap, VecDeque};
use stream::{Lines, Message, Own, RoomNo, Seq, Stream};
use words::{Clock, Said};

/// The room that is always there.
const LOBBY: RoomNo = 0;

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Connected; whether they may stay is said next.
    Coming,
    /// Has not said the password yet.
    AtTheDoor,
    In,
    /// On the way out, or gone.
    Gone,
    Refused,
}

/// A long answer that is being given.
#[derive(Debug)]
enum Listing {
    /// Those in a room, from this number of the server's on.
    Who {
        room: RoomNo,
        from: u32,
    },
    Rooms,
    Bans,
    /// What was said in a room, from this line on to before that, by their numbers.
    History {
        room: RoomNo,
        from: u64,
        to: u64,
    },
}

#[derive(Debug)]
pub struct Person {
    pub origin: Origin,
    /// The server's number for it.
    id: u32,
    pub standing: Standing,
    pub name: String,
    is_named: bool,
    is_admin: bool,
    /// When it came, and when it last sent anything.
    came: Millis,
    active: Millis,
    room: RoomNo,
    /// The turn in which it came into that room.
    entered: u64,
    wrong: u32,
    tokens: Tokens,
    pub ear: Ear,
    stream: Stream,
    listing: Option<Listing>,
    /// The server has dealt with a line of it.
    has_spoken: bool,
    /// Why it is being sent away, which the log has not said yet.
    dismissed: Option<&'static str>,
    /// Its connection is no more.
    is_lost: bool,
    /// It left for that alone: what it had sent before must have been read.
    pub must_be_heard_out: bool,
    /// Not all that was to come needs to come any more.
    is_cut: bool,
    /// When its peer ended its side.
    ended: Option<Millis>,
    /// Since when it is on the way out.
    leaving: Millis,
    is_shut: bool,
}

#[derive(Debug)]
struct Room {
    name: String,
    topic: String,
    key: Option<String>,
    /// The first to come first.
    members: Vec<Who>,
    said: VecDeque<Said>,
    is_gone: bool,
    /// Bytes of all lines that anybody was to get, and those of them since the server last read anything.
    total: u64,
    late: u64,
    hold: pace::Hold,
}

impl Room {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            topic: String::new(),
            key: None,
            members: Vec::new(),
            said: VecDeque::new(),
            is_gone: false,
            total: 0,
            late: 0,
            hold: pace::Hold::default(),
        }
    }
}

/// What a run came to, so that it can be said that it met everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    pub lines: u64,
    pub received: u64,
    pub skipped: u64,
    pub too_slow: u64,
    pub abandoned: u64,
    pub holds: u64,
    pub refused: u64,
    pub thrown_out: u64,
    pub wrong_secrets: u64,
    pub renamed: u64,
    pub rooms: u64,
    pub messages: u64,
    pub strangers: u64,
    pub shortages: u64,
    pub most_people: usize,
}

pub struct Model {
    config: Config,
    pub people: Vec<Person>,
    /// Those whose stream the server holds.
    live: Vec<Who>,
    /// By the words of the log.
    origins: HashMap<String, Who>,
    /// Those in, by name in small letters.
    names: HashMap<String, Who>,
    rooms: Vec<Room>,
    room_names: HashMap<String, RoomNo>,
    /// What was said in public in rooms that are no more, by their names in small letters.
    past: HashMap<String, VecDeque<Said>>,
    /// The rooms that may wait for somebody.
    waiting: Vec<RoomNo>,
    /// Those in which lines were published since the server last dealt with anybody's.
    late: Vec<RoomNo>,
    lines: Lines,
    messages: Vec<Message>,
    seq: Seq,
    guests: u64,
    bans: Bans,
    tries: Tries,
    now: Millis,
    clock: Clock,
    turn: u64,
    is_stopping: bool,
    /// The memory was used up: whoever holds much of it may have to give some, with a word.
    is_short: bool,
    /// How many connections are neither refused nor on the way out.
    open: usize,
    lines_in: u64,
    lines_out: u64,
    /// The answer to `/stats`, once somebody has asked in this turn.
    stats: Vec<String>,
    /// What the transcript must get.
    records: String,
    pub met: Met,
}

impl Model {
    pub fn new(config: Config) -> Self {
        let mut model = Self {
            config,
            people: Vec::new(),
            live: Vec::new(),
            origins: HashMap::new(),
            names: HashMap::new(),
            rooms: Vec::new(),
            room_names: HashMap::new(),
            past: HashMap::new(),
            waiting: Vec::new(),
            late: Vec::new(),
            lines: Lines::default(),
            messages: Vec::new(),
            seq: 0,
            guests: 0,
            bans: Bans::default(),
            tries: Tries::default(),
            now: 0,
            clock: Clock::default(),
            turn: 0,
            is_stopping: false,
            is_short: false,
            open: 0,
            lines_in: 0,
            lines_out: 0,
            stats: Vec::new(),
            records: String::new(),
            met: Met::default(),
        };
        model.open_room("#lobby");
        model
    }

    /// Says what time it is.
    pub fn set_time(&mut self, now: Millis, clock: Clock) {
        self.now = now;
        self.clock = clock;
    }

    /// Somebody connects; the journal says what comes of it.
    pub fn connect(&mut self, origin: Origin, id: u32) -> Who {
        let who = self.people.len();
        self.people.push(Person {
            origin,
            id,
            standing: Standing::Coming,
            name: String::new(),
            is_named: false,
            is_admin: matches!(origin, Origin::Unix { own: true, .. }),
            came: self.now,
            active: self.now,
            room: LOBBY,
            entered: self.turn,
            wrong: 0,
            tokens: Tokens::new(self.config.pace, self.now),
            ear: Ear::default(),
            stream: Stream::default(),
            listing: None,
            has_spoken: false,
            dismissed: None,
            is_lost: false,
            must_be_heard_out: false,
            is_cut: false,
            ended: None,
            leaving: 0,
            is_shut: false,
        });
        self.live.push(who);
        let was = self.origins.insert(origin.to_string(), who);
        assert!(
            was.is_none_or(|was| !self.live.contains(&was)),
            "the world gave {origin} twice"
        );
        who
    }

    /// The server is told that a stream takes bytes again.
    pub fn unblock(&mut self, who: Who) {
        self.people[who].stream.blocked = None;
    }

    /// The server says goodbye, by which the journal's next entries come.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        for index in 0..self.live.len() {
            let who = self.live[index];
            if matches!(
                self.people[who].standing,
                Standing::In | Standing::AtTheDoor
            ) && !self.config.bare
            {
                self.tell(who, "*** the server is closing");
            }
        }
    }

    /// A turn begins.
    pub fn begin_turn(&mut self) {
        self.turn += 1;
        self.stats.clear();
    }

    /// What happened.
    pub fn read(&mut self, journal: Vec<Entry>) {
        for entry in journal {
            match entry {
                Entry::Log(text) => self.logged(&text),
                Entry::Read { who, bytes } => {
                    let (bare, max) = (self.config.bare, self.config.max_line);
                    self.people[who].ear.hear(&bytes, bare, max, self.now);
                }
                Entry::End { who } => self.people[who].ear.has_ended = true,
                Entry::Failed { who } => self.lose(who),
                Entry::Wrote {
                    who,
                    bytes,
                    is_blocked,
                } => {
                    self.receive(who, &bytes);
                    self.people[who].stream.blocked = is_blocked.then_some(self.now);
                }
                Entry::Shut { who } => self.shut(who),
                Entry::Dropped { who } => self.dropped(who),
            }
        }
    }

    /// A line of the log: who it is about, and what.
    fn logged(&mut self, text: &str) {
        if text.starts_with("the memory is used up") {
            self.is_short = true;
            self.met.shortages += 1;
            return;
        }
        let (origin, what) = text.split_once(' ').unwrap_or((text, ""));
        let (name, what) = match what.strip_prefix('(') {
            Some(rest) => rest.split_once(") ").unwrap_or(("", what)),
            None => ("", what),
        };
        let Some(&who) = self.origins.get(origin) else {
            panic!("the log speaks of nobody: {text}");
        };
        if what == "came" {
            self.came(who);
        } else if let Some(why) = what.strip_prefix("refused: ") {
            self.refused(who, why);
        } else if let Some(why) = what.strip_prefix("left: ") {
            assert_eq!(name, self.told(who), "the log names client {who}");
            self.left(who, why);
        } else if what == "said a line" {
            self.check_may_speak(who);
            let line = self.next_line(who);
            self.heard(who, &line);
        } else if what == "said a line too long" {
            self.check_may_speak(who);
            let is_next = self.people[who].ear.next_is_too_long();
            assert!(is_next, "client {who} said no line that is too long");
            let max = self.config.max_line;
            self.tell(who, &format!("*** line too long: {max} bytes at most"));
        } else if what == "loses the line it has begun" {
            self.lose_line(who);
        } else if what == "has rested" {
            self.people[who].ear.rest();
        } else if what == "gets more of a long answer" {
            self.list(who);
        } else if let Some(why) = what.strip_prefix("did not get all that was left for it: ") {
            self.regretted(who, why);
        } else if what.starts_with("is more than the backlog behind") {
            self.met.holds += 1;
        }
    }

    /// What the log calls somebody, unless it says no more than their address does.
    fn told(&self, who: Who) -> &str {
        let person = &self.people[who];
        match person.is_named || self.config.hide_addresses {
            true => &person.name,
            false => "",
        }
    }

    fn next_line(&mut self, who: Who) -> Vec<u8> {
        let (bare, rest) = (self.config.bare, self.config.unterminated);
        match self.people[who].ear.next(bare, rest, self.now) {
            Some(line) => line,
            None => panic!("client {who} was heard, but had said nothing"),
        }
    }

    /// The server has dealt with somebody's line.
    fn heard(&mut self, who: Who, line: &[u8]) {
        let person = &mut self.people[who];
        if !std::mem::replace(&mut person.has_spoken, true) && !self.config.bare {
            let stranger = person.ear.stranger();
            assert_eq!(stranger, None, "client {who}'s first line was heard");
        }
        self.met.lines += 1;
        if self.config.bare {
            return self.publish(LOBBY, Some(who), line);
        }
        self.lines_in += 1;
        match self.people[who].standing {
            Standing::AtTheDoor => self.knock(who, line),
            _ => self.command(who, line),
        }
    }

    /// Somebody alone gets a line.
    fn tell(&mut self, who: Who, line: &str) {
        self.give(who, Own::Line(line.into()));
    }

    fn give(&mut self, who: Who, own: Own) {
        self.seq += 1;
        self.people[who].stream.push_own(self.seq, own);
    }

    /// All in a room get a line, but for its author.
    fn publish(&mut self, room_no: RoomNo, author: Option<Who>, line: &[u8]) {
        self.lines_out += 1;
        let room = &mut self.rooms[room_no];
        if let Some(author) = author {
            self.people[author].stream.speak();
        }
        let others =
            room.members.len() - usize::from(author.is_some_and(|who| room.members.contains(&who)));
        if others == 0 {
            return;
        }
        let length = line.len() as u64 + 1;
        room.total += length;
        room.late += length;
        room.hold.said += length;
        self.late.push(room_no);
        let number = self.lines.push(line, room.total);
        self.seq += 1;
        for &who in room.members.iter().filter(|&&who| Some(who) != author) {
            self.people[who].stream.push_line(self.seq, room_no, number);
        }
    }

    /// Takes stock at the end of a turn.
    pub fn end_turn(&mut self) {
        self.take_stock();
        for &who in &self.live {
            let person = &self.people[who];
            assert!(
                person.dismissed.is_none(),
                "client {who} was to go: {:?}",
                person.dismissed
            );
        }
    }

    /// The public lines since the last call, as a transcript has them.
    pub fn take_records(&mut self) -> String {
        std::mem::take(&mut self.records)
    }
}

/// A line for people, not too long.
pub fn show(line: &[u8]) -> String {
    let text = line.escape_ascii().to_string();
    match text.get(..120).filter(|_| text.len() > 120) {
        Some(start) => format!("\"{start}…\""),
        None => format!("\"{text}\""),
    }
}
