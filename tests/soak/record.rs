//! What a room's lines are, and whether somebody's stream is what it must be of them.
//!
//! One reader in each room, its scribe, only listens: the lines that it gets are the record. All others follow the
//! record: the lines that they get must be its lines, in order, from where they came to where they went, but for their own,
//! and for exactly as many as they are told they missed. What the record does not have yet is waited for.

use crate::words::{News, Word, read};
use std::collections::{HashMap, HashSet, VecDeque};

type Check = Result<(), String>;

/// Nobody's number.
const NOBODY: u32 = u32::MAX;

/// A line of the record.
#[derive(Debug)]
struct Known {
    line: Box<[u8]>,
    /// Who does not get it.
    author: u32,
    /// No other line is the same.
    is_unique: bool,
}

/// How many lines somebody has said on a visit that is over, or whether that is not known: it was cut short.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    pub number: u32,
    pub said: u32,
    pub is_exact: bool,
}

/// A room.
#[derive(Debug)]
pub struct Room {
    pub name: String,
    /// Comings and goings are announced: it never has too many people.
    pub is_small: bool,
    /// So many are in it or on their way.
    pub people: usize,
    /// Whether its scribe is there.
    pub is_recorded: bool,
    /// The record from line `base` on; `None` is a line that the scribe missed.
    lines: VecDeque<Option<Known>>,
    base: u64,
    /// The visit on which somebody spoke last, and how many lines they said on it.
    said: HashMap<u32, (u32, u32)>,
    /// The visits whose end was not announced yet.
    visits: HashMap<u32, VecDeque<Visit>>,
    /// Who is there, by the announcements.
    pub inside: HashSet<u32>,
    /// Followers who have left, but whose last lines the record does not have yet.
    leaving: Vec<Follower>,
    /// Lines that the scribe missed.
    pub missed: u64,
    pub has_grown: bool,
}

impl Room {
    pub fn new(name: &str, is_small: bool) -> Self {
        Self {
            name: name.to_owned(),
            is_small,
            people: 0,
            is_recorded: false,
            lines: VecDeque::new(),
            base: 0,
            said: HashMap::new(),
            visits: HashMap::new(),
            inside: HashSet::new(),
            leaving: Vec::new(),
            missed: 0,
            has_grown: false,
        }
    }

    /// Behind the last line of the record.
    pub fn end(&self) -> u64 {
        self.base + self.lines.len() as u64
    }

    /// Lines of somebody's visit that stand in the record.
    pub fn heard_of(&self, number: u32, visit: u32) -> u32 {
        let said = self.said.get(&number).filter(|said| said.0 == visit);
        said.map_or(0, |said| said.1)
    }

    /// Somebody has said all that it will on a visit.
    pub fn end_visit(&mut self, number: u32, visit: Visit) {
        if self.is_small {
            self.visits.entry(number).or_default().push_back(visit);
        }
    }

    /// The scribe got a line.
    pub fn append(&mut self, line: &[u8], news: News<'_>) -> Check {
        self.has_grown = true;
        self.lines.push_back(Some(Known {
            line: line.into(),
            author: news.author().unwrap_or(NOBODY),
            is_unique: matches!(news, News::Said { .. }),
        }));
        match news {
            News::Said { by, visit, at } => {
                let next = self.heard_of(by, visit);
                if at != next && (at < next || self.missed == 0) {
                    return Err(format!(
                        "line {at} of visit {visit} of {by} comes where line {next} was due"
                    ));
                }
                self.said.insert(by, (visit, at + 1));
            }
            News::Entered(number)
                if self.is_small && !self.inside.insert(number) && self.missed == 0 =>
            {
                return Err(format!("{number} enters again"));
            }
            News::Left(number) if self.is_small => return self.has_left(number),
            _ => {}
        }
        Ok(())
    }

    fn has_left(&mut self, number: u32) -> Check {
        if !self.inside.remove(&number) && self.missed == 0 {
            return Err(format!("{number} left who was not there"));
        }
        let visits = self.visits.get_mut(&number);
        let Some(visit) = visits.and_then(VecDeque::pop_front) else {
            // The server ended it.
            return Ok(());
        };
        if self.visits.get(&number).is_some_and(VecDeque::is_empty) {
            self.visits.remove(&number);
        }
        let heard = self.heard_of(number, visit.number);
        self.said.remove(&number);
        if heard > visit.said || (heard < visit.said && visit.is_exact && self.missed == 0) {
            return Err(format!(
                "{number} left after {heard} lines, but it said {} ({visit:?})",
                visit.said
            ));
        }
        Ok(())
    }

    /// The scribe is told that it missed lines.
    pub fn append_gap(&mut self, count: u64) {
        self.has_grown = true;
        self.missed += count;
        self.lines.extend((0..count).map(|_| None));
    }

    /// Goes on with those who have left.
    pub fn see_out(&mut self) -> Result<(), (u32, String)> {
        for mut follower in std::mem::take(&mut self.leaving) {
            follower
                .advance(self)
                .map_err(|error| (follower.number, error))?;
            if !follower.is_through() {
                self.leaving.push(follower);
            }
        }
        Ok(())
    }

    /// Whether everybody who has left got what was theirs.
    pub fn is_settled(&self) -> bool {
        self.leaving.is_empty()
    }

    /// Forgets what nobody needs who stands at `needed` or behind it.
    pub fn trim(&mut self, needed: u64) {
        let leaving = self.leaving.iter().map(Follower::needs);
        let needed = leaving.chain([needed]).min().unwrap_or(needed);
        let count = needed
            .saturating_sub(self.base)
            .min(self.lines.len() as u64);
        self.lines.drain(..count as usize);
        self.base += count;
    }

    fn line(&self, at: u64) -> Option<&Option<Known>> {
        self.lines.get((at - self.base) as usize)
    }

    fn is_own(&self, at: u64, number: u32) -> bool {
        matches!(self.line(at), Some(Some(known)) if known.author == number)
    }
}

/// What somebody got of a room.
#[derive(Debug)]
enum Seen {
    Line(Box<[u8]>),
    Gap(u64),
    /// It left, and this is what the others were told.
    Left(Box<[u8]>),
}

/// Somebody who follows a room's record.
#[derive(Debug)]
pub struct Follower {
    pub number: u32,
    /// The next line of the record that is due; where it is not known yet, the first that may be.
    next: u64,
    /// Announcements that came before the first line that no other line is the same as: where they stand is known
    /// only then.
    prefix: Option<Vec<Box<[u8]>>>,
    /// What the record does not have yet.
    pending: VecDeque<Seen>,
    /// It has said something: lines that nobody knows may be its own.
    pub has_spoken: bool,
    /// It has left, and nothing more will come.
    is_over: bool,
    /// Lines that were compared, and missed.
    pub compared: u64,
    pub missed: u64,
}

impl Follower {
    /// Somebody who comes into a room whose record is as far as `from`.
    pub fn new(number: u32, from: u64) -> Self {
        Self {
            number,
            next: from,
            prefix: Some(Vec::new()),
            pending: VecDeque::new(),
            has_spoken: false,
            is_over: false,
            compared: 0,
            missed: 0,
        }
    }

    /// It got a line of the room.
    pub fn line(&mut self, line: &[u8], room: &mut Room) -> Check {
        if self.pending.is_empty() && self.prefix.is_none() {
            self.skip_own(room);
            // Nearly always.
            if let Some(Some(known)) = room.line(self.next)
                && *known.line == *line
            {
                self.next += 1;
                self.compared += 1;
                return Ok(());
            }
        }
        self.pending.push_back(Seen::Line(line.into()));
        self.advance(room)
    }

    /// It was told that it missed lines.
    pub fn gap(&mut self, count: u64, room: &mut Room) -> Check {
        self.missed += count;
        self.pending.push_back(Seen::Gap(count));
        self.advance(room)
    }

    /// It is no longer there; the others were told so by this line. All that came before it must have reached it.
    pub fn leave(mut self, announcement: &str, room: &mut Room) -> Check {
        match room.is_small && room.missed == 0 {
            true => self
                .pending
                .push_back(Seen::Left(announcement.as_bytes().into())),
            false => self.is_over = true,
        }
        self.advance(room)?;
        if !self.is_through() {
            room.leaving.push(self);
        }
        Ok(())
    }

    /// Whether something is still to be compared that the record does not have.
    pub fn waits(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether all of the record is compared.
    pub fn is_at_end(&mut self, room: &Room) -> bool {
        self.skip_own(room);
        self.pending.is_empty() && (self.prefix.is_some() || self.next == room.end())
    }

    /// The first line of the record that it may need.
    pub fn needs(&self) -> u64 {
        self.next
    }

    fn is_through(&self) -> bool {
        self.is_over && self.pending.is_empty()
    }

    fn skip_own(&mut self, room: &Room) {
        while self.prefix.is_none() && room.is_own(self.next, self.number) {
            self.next += 1;
        }
    }

    /// Compares what can be compared.
    pub fn advance(&mut self, room: &mut Room) -> Check {
        while let Some(seen) = self.pending.pop_front() {
            if self.prefix.is_some() {
                if !self.settle(&seen, room)? {
                    self.pending.push_front(seen);
                    return Ok(());
                }
                continue;
            }
            self.skip_own(room);
            let Some(due) = room.line(self.next) else {
                self.pending.push_front(seen);
                return Ok(());
            };
            match (seen, due) {
                (Seen::Line(line), Some(known)) if known.line == line => self.compared += 1,
                (Seen::Line(line), Some(known)) => return Err(mismatch(&line, &known.line)),
                (Seen::Gap(count), due) => {
                    if due.is_none() && self.has_spoken {
                        // It may be its own line that nobody has seen.
                        self.prefix = Some(Vec::new());
                        continue;
                    }
                    if count > 1 {
                        self.pending.push_front(Seen::Gap(count - 1));
                    }
                }
                (Seen::Left(line), Some(known)) if known.line == line => self.is_over = true,
                (Seen::Left(line), Some(known)) => return Err(mismatch(&line, &known.line)),
                (Seen::Left(_), None) => self.is_over = true,
                // What the scribe missed, another got.
                (Seen::Line(line), None) if !self.has_spoken => {
                    let at = (self.next - room.base) as usize;
                    let Some(Word::Room(news)) = read(&line) else {
                        return Err("no line of a room".into());
                    };
                    let author = news.author().unwrap_or(NOBODY);
                    let is_unique = matches!(news, News::Said { .. });
                    room.lines[at] = Some(Known {
                        line,
                        author,
                        is_unique,
                    });
                    self.compared += 1;
                }
                (seen @ Seen::Line(_), None) => {
                    self.prefix = Some(Vec::new());
                    self.pending.push_front(seen);
                    continue;
                }
            }
            self.next += 1;
        }
        Ok(())
    }

    /// Finds where in the record its lines begin, by the first that no other is the same as. Whether `seen` was
    /// dealt with; if not, the record does not have it yet.
    fn settle(&mut self, seen: &Seen, room: &Room) -> Result<bool, String> {
        let Some(prefix) = &mut self.prefix else {
            return Ok(true);
        };
        let line = match seen {
            Seen::Line(line) => line,
            // How many came before it is not known.
            Seen::Gap(_) => {
                prefix.clear();
                return Ok(true);
            }
            Seen::Left(_) => {
                self.is_over = true;
                return Ok(true);
            }
        };
        if !matches!(read(line), Some(Word::Room(News::Said { .. }))) {
            prefix.push(line.clone());
            return Ok(true);
        }
        let is_it = |known: &Option<Known>| matches!(known, Some(known) if known.is_unique && known.line == *line);
        let from = (self.next - room.base) as usize;
        let Some(at) = room.lines.iter().skip(from).position(is_it) else {
            // Where the scribe missed lines, it may be one of them.
            return if room.missed > 0 { Ok(true) } else { Ok(false) };
        };
        let at = self.next + at as u64;
        // What came before it stands right before it.
        let mut before = at;
        for line in prefix.iter().rev() {
            loop {
                if before == room.base {
                    return Err(format!(
                        "\"{}\" is before all that it can be",
                        line.escape_ascii()
                    ));
                }
                before -= 1;
                if !room.is_own(before, self.number) {
                    break;
                }
            }
            if let Some(Some(known)) = room.line(before)
                && known.line != *line
            {
                return Err(mismatch(line, &known.line));
            }
        }
        self.compared += 1 + prefix.len() as u64;
        self.prefix = None;
        self.next = at + 1;
        Ok(true)
    }
}

fn mismatch(got: &[u8], due: &[u8]) -> String {
    format!(
        "got \"{}\"\nwhere  \"{}\" was due",
        got.escape_ascii(),
        due.escape_ascii()
    )
}
