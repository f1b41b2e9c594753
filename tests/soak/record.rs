//! What a room's lines are, and whether somebody's stream is what it must be of them.
//!
//! One reader in each room, its scribe, only listens: the lines that it gets are the record. All others follow the
//! record: the lines that they get must be its lines, in order, from where they came to where they went, but for their own,
//! and for exactly as many as they are told they missed. What the record does not have yet is waited for.

mod follower;

pub use follower::Follower;

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
