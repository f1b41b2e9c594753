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

/// What stands around a name and a text where they are said again, in bytes: the time with its date.
const AROUND: usize = 32;

/// The last lines of a room, [`limits::HISTORY`] at most; oldest first. Names and texts stand one behind the
/// other in one buffer: rooms that are talked in allocate nothing.
#[derive(Debug)]
pub struct History {
    entries: VecDeque<Entry>,
    /// The names and texts of all `entries`, behind `dead` bytes of lines that are gone.
    texts: String,
    dead: usize,
    /// The number that the next line will have.
    next: u32,
    held: Held,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Moment,
    name: u32,
    text: u32,
    /// Counts the lines that were ever said in the room; it begins anew after 2^32 of them.
    number: u32,
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
            next: 0,
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
        let capacity = (self.entries.capacity(), self.texts.capacity());
        self.texts.push_str(line.name);
        self.texts.push_str(line.text);
        self.entries.push_back(Entry {
            at: line.at,
            name: line.name.len() as u32,
            text: line.text.len() as u32,
            number: self.next,
            is_action: line.is_action,
            is_private,
        });
        self.next = self.next.wrapping_add(1);
        if capacity != (self.entries.capacity(), self.texts.capacity()) {
            self.count();
        }
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

    /// How many of the newest `n` fit into so many bytes, with what stands around each.
    pub fn fitting(&self, n: usize, bytes: usize) -> usize {
        let mut left = bytes;
        let fits = |entry: &&Entry| {
            let rest = left.checked_sub(entry.len() + AROUND);
            left = rest.unwrap_or_default();
            rest.is_some()
        };
        self.entries.iter().rev().take(n).take_while(fits).count()
    }

    /// The numbers of the newest `n`: that of the first, and that behind the last. `None` if nothing was said.
    pub fn numbers(&self, n: usize) -> Option<(u32, u32)> {
        let first = self.entries.len().saturating_sub(n);
        Some((self.entries.get(first)?.number, self.next))
    }

    /// The lines with numbers from `from` on to before `to`, as far as they are still there, oldest first.
    pub fn between(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, Line<'_>)> {
        let span = to.wrapping_sub(from);
        self.entries
            .iter()
            .zip(self.lines())
            .map(|(entry, (line, _))| (entry.number, line))
            .filter(move |(number, _)| number.wrapping_sub(from) < span)
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

    #[inline]
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
    fn lines_have_numbers_for_ever() {
        let mut history = History::new(&Meter::default());
        history.next = u32::MAX - 50;
        assert_eq!(history.numbers(10), None);
        for n in 0..200 {
            history.push(line("a", "x"), n == 150);
        }
        let texts = |history: &History, from: u32, to: u32| -> Vec<u32> {
            history.between(from, to).map(|(n, _)| n).collect()
        };
        let (from, to) = history.numbers(10).expect("there are some");
        assert_eq!((from, to), (139, 149));
        assert_eq!(texts(&history, from, to), Vec::from_iter(139..149));
        assert_eq!(texts(&history, 30, 52), [49, 50, 51]);
        assert_eq!(texts(&history, u32::MAX - 20, 51), [49, 50]);
        assert_eq!(texts(&history, 40, 40), [0; 0]);
        history.forget_private();
        assert_eq!(texts(&history, 97, 101), [97, 98, 100]);
        assert_eq!(history.numbers(1), Some((148, 149)));
    }

    #[test]
    fn what_fits_is_counted_from_the_newest() {
        let mut history = History::new(&Meter::default());
        for length in [1_000, 10, 100] {
            history.push(line("a", &"x".repeat(length - 1)), false);
        }
        let (newest, two) = (100 + AROUND, 110 + 2 * AROUND);
        for (n, bytes, expected) in [
            (9, newest - 1, 0),
            (9, newest, 1),
            (9, two - 1, 1),
            (9, two, 2),
            (9, 1_200, 2),
            (9, 2_000, 3),
            (1, 2_000, 1),
            (0, 2_000, 0),
        ] {
            assert_eq!(history.fitting(n, bytes), expected, "{n} in {bytes}");
        }
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
