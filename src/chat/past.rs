//! What was said in rooms that are not there: some stood in the transcript at the start, and nobody has entered
//! them since; others have vanished since, and would be in the transcript at the next start.
//!
//! Owns public lines only: what was said behind a key ends with its room.

use super::history::{History, Line};
use crate::limits;
use crate::memory::Meter;
use std::collections::VecDeque;

/// The histories of such rooms, [`limits::PAST_ROOMS`] and [`limits::PAST`] bytes at most: those in which something was
/// said last.
#[derive(Debug)]
pub struct Past {
    /// By the room's name, with its `#`. The first to be forgotten first.
    rooms: VecDeque<(Box<str>, History)>,
    /// Bytes held by all these histories.
    memory: usize,
    /// Counts them.
    meter: Meter,
}

impl Past {
    /// No rooms. The memory of what comes to be kept is counted by `meter`.
    pub fn new(meter: &Meter) -> Self {
        Self {
            rooms: VecDeque::new(),
            memory: 0,
            meter: meter.clone(),
        }
    }

    /// Keeps what was said in public in a room that is no more.
    pub fn keep(&mut self, name: &str, mut history: History) {
        history.forget_private();
        if !history.is_empty() {
            self.put(name, history);
        }
    }

    /// Adds a line to what was said in a room that is not there.
    pub fn remember(&mut self, name: &str, line: Line<'_>) {
        let history = self.take(name);
        let mut history = history.unwrap_or_else(|| History::new(&self.meter));
        history.push(line.into(), false);
        self.put(name, history);
    }

    /// What was said in a room that is there again.
    pub fn take(&mut self, name: &str) -> Option<History> {
        let is_it = |(other, _): &(Box<str>, History)| other.eq_ignore_ascii_case(name);
        let found = self.rooms.iter().position(is_it);
        let (_, history) = self.rooms.remove(found?)?;
        self.memory -= history.memory();
        Some(history)
    }

    /// Forgets the room in which nothing was said for longest.
    pub fn forget_one(&mut self) {
        if let Some((_, history)) = self.rooms.pop_front() {
            self.memory -= history.memory();
        }
    }

    /// Bytes of memory held by the histories.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Adds a room, and forgets others for it.
    fn put(&mut self, name: &str, history: History) {
        self.memory += history.memory();
        self.rooms.push_back((name.into(), history));
        while self.rooms.len() > limits::PAST_ROOMS || self.memory > limits::PAST {
            self.forget_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Moment;

    fn line(text: &str) -> Line<'_> {
        Line {
            at: Moment::default(),
            is_action: false,
            name: "a",
            text,
        }
    }

    /// What was said in a room, which is then kept again.
    fn texts(past: &mut Past, name: &str) -> Vec<String> {
        let Some(history) = past.take(name) else {
            return Vec::new();
        };
        let texts = history.last(usize::MAX).map(|line| line.text.to_owned());
        let texts = texts.collect();
        past.keep(name, history);
        texts
    }

    fn check(past: &Past) {
        let histories = past.rooms.iter().map(|(_, history)| history.memory());
        assert_eq!(past.memory(), histories.sum::<usize>());
        assert!(past.rooms.len() <= limits::PAST_ROOMS);
        assert!(past.memory() <= limits::PAST);
    }

    #[test]
    fn rooms_are_remembered_under_their_name_and_the_oldest_forgotten_first() {
        let mut past = Past::new(&Meter::default());
        let names: Vec<String> = (0..2 * limits::PAST_ROOMS)
            .map(|n| format!("#r{n}"))
            .collect();
        for name in &names {
            past.remember(name, line(name));
            past.remember(&name.to_uppercase(), line("again"));
            past.remember("#r0", line("once more"));
            check(&past);
        }
        let most = 2 * limits::PAST_ROOMS;
        assert_eq!(
            texts(&mut past, "#R0").last().map(String::as_str),
            Some("once more")
        );
        assert_eq!(
            texts(&mut past, &names[most - 1]),
            [names[most - 1].as_str(), "again"]
        );
        assert_eq!(texts(&mut past, "#r1"), [""; 0]);
        check(&past);
    }

    #[test]
    fn what_is_kept_of_long_lines_is_bounded_too() {
        let mut past = Past::new(&Meter::default());
        let long = "x".repeat(limits::PAST / 4);
        for n in 0..20 {
            past.remember(&format!("#r{n}"), line(&long));
            check(&past);
        }
        assert_eq!(texts(&mut past, "#r19").len(), 1);
        past.remember("#huge", line(&"x".repeat(2 * limits::PAST)));
        check(&past);
        assert_eq!(texts(&mut past, "#huge"), [""; 0]);
    }

    #[test]
    fn what_was_said_behind_a_key_is_not_kept() {
        let mut past = Past::new(&Meter::default());
        let mut history = History::new(&Meter::default());
        history.push(line("private").into(), true);
        past.keep("#closed", history);
        assert!(past.rooms.is_empty());
        let mut history = History::new(&Meter::default());
        for (text, is_private) in [("before", false), ("private", true), ("after", false)] {
            history.push(line(text).into(), is_private);
        }
        past.keep("#closed", history);
        assert_eq!(texts(&mut past, "#closed"), ["before", "after"]);
        check(&past);
    }
}
