//! What was said in a room, for those who come later.

use super::time::Moment;
use crate::limits;
use crate::memory::{Held, Meter, block};
use std::collections::VecDeque;

/// A public line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was said. `ticks` is 0 for a line of an earlier run.
    pub at: Moment,
    /// `/me TEXT`.
    pub is_action: bool,
    pub name: &'a str,
    pub text: &'a str,
}

/// The last lines of a room, [`limits::HISTORY`] at most; oldest first. Names and texts stand one behind the
/// other in one buffer: rooms that are talked in allocate nothing.
#[derive(Debug)]
pub struct History {
    entries: VecDeque<Entry>,
    /// The names and texts of all `entries`, behind `dead` bytes of lines that are gone.
    texts: String,
    dead: usize,
    held: Held,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Moment,
    name: u32,
    text: u32,
    is_action: bool,
    /// Said behind a key.
    is_private: bool,
}

impl Entry {
    fn len(&self) -> usize {
        (self.name + self.text) as usize
    }
}

impl History {
    /// Nothing said; its memory is counted by `meter`.
    pub fn new(meter: &Meter) -> Self {
        Self {
            entries: VecDeque::new(),
            texts: String::new(),
            dead: 0,
            held: meter.hold(),
        }
    }

    /// Adds the newest line.
    pub fn push(&mut self, line: Line<'_>, is_private: bool) {
        if self.entries.len() == limits::HISTORY
            && let Some(oldest) = self.entries.pop_front()
        {
            self.dead += oldest.len();
        }
        if self.dead > self.texts.len() / 2 {
            self.texts.drain(..std::mem::take(&mut self.dead));
        }
        self.texts.push_str(line.name);
        self.texts.push_str(line.text);
        self.entries.push_back(Entry {
            at: line.at,
            name: line.name.len() as u32,
            text: line.text.len() as u32,
            is_action: line.is_action,
            is_private,
        });
        self.count();
    }

    /// Forgets the older half; the last line too, if it is the only one.
    pub fn halve(&mut self) {
        let from = self.entries.len().div_ceil(2);
        self.keep(|index, _| index >= from);
    }

    /// The newest `n`, oldest first.
    pub fn last(&self, n: usize) -> impl Iterator<Item = Line<'_>> {
        self.lines()
            .map(|(line, _)| line)
            .skip(self.entries.len().saturating_sub(n))
    }

    /// Forgets what was said behind a key: the room is opened to all.
    pub fn forget_private(&mut self) {
        self.keep(|_, entry| !entry.is_private);
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.held.bytes()
    }

    /// [`Self::memory`], which must be what there is. For tests and debug builds.
    pub fn checked_memory(&self) -> usize {
        assert_eq!(self.held.bytes(), self.footprint());
        self.memory()
    }

    /// Forgets the others, and holds no more memory than it takes.
    fn keep(&mut self, is_kept: impl Fn(usize, Entry) -> bool) {
        let (mut entries, mut texts) = (VecDeque::new(), String::new());
        for (index, (&entry, (line, _))) in self.entries.iter().zip(self.lines()).enumerate() {
            if is_kept(index, entry) {
                texts.push_str(line.name);
                texts.push_str(line.text);
                entries.push_back(entry);
            }
        }
        (self.entries, self.texts, self.dead) = (entries, texts, 0);
        self.count();
    }

    fn count(&mut self) {
        self.held.set(self.footprint());
    }

    fn footprint(&self) -> usize {
        block(self.entries.capacity() * size_of::<Entry>()) + block(self.texts.capacity())
    }

    /// All lines, oldest first, and whether each was said behind a key.
    fn lines(&self) -> impl Iterator<Item = (Line<'_>, bool)> {
        let mut rest = &self.texts[self.dead..];
        self.entries.iter().map(move |entry| {
            let (both, behind) = rest.split_at(entry.len());
            rest = behind;
            let (name, text) = both.split_at(entry.name as usize);
            let line = Line {
                at: entry.at,
                is_action: entry.is_action,
                name,
                text,
            };
            (line, entry.is_private)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(name: &'a str, text: &'a str) -> Line<'a> {
        Line {
            at: Moment::default(),
            is_action: false,
            name,
            text,
        }
    }

    #[test]
    fn the_last_lines_are_kept_and_no_others() {
        let mut history = History::new(&Meter::default());
        let texts: Vec<String> = (0..1_000).map(|n| format!("line {n} é")).collect();
        for (n, text) in texts.iter().enumerate() {
            history.push(line("Zoë", text), false);
            let kept = (n + 1).min(limits::HISTORY);
            let from = n + 1 - kept;
            let lines: Vec<_> = history.last(usize::MAX).map(|line| line.text).collect();
            assert_eq!(
                lines,
                texts[from..=n]
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
            );
            assert!(history.last(3).all(|line| line.name == "Zoë"));
        }
        assert_eq!(history.last(3).count(), 3);
        assert!(history.memory() < 16 << 10, "{} bytes", history.memory());
    }

    #[test]
    fn half_of_it_can_be_forgotten_until_nothing_is_left() {
        let meter = Meter::default();
        let mut history = History::new(&meter);
        for n in 0..100 {
            history.push(line("a", &n.to_string()), false);
        }
        for expected in [50..100, 75..100, 88..100, 94..100, 97..100, 99..100, 0..0] {
            history.halve();
            let lines: Vec<_> = history.last(100).map(|line| line.text).collect();
            let expected: Vec<_> = expected.map(|n| n.to_string()).collect();
            assert_eq!(lines, expected);
            assert_eq!(history.checked_memory(), meter.total());
        }
        assert_eq!(meter.total(), 0);
    }

    #[test]
    fn what_was_said_behind_a_key_can_be_forgotten() {
        let mut history = History::new(&Meter::default());
        for n in 0..200 {
            history.push(
                line("a", if n % 3 == 0 { "private" } else { "public" }),
                n % 3 == 0,
            );
        }
        history.forget_private();
        assert!(history.last(usize::MAX).all(|line| line.text == "public"));
        assert_eq!(history.last(usize::MAX).count(), 67);
    }
}
