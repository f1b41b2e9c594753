//! What was said in a room, for those who come later.

use super::event::Lines;
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

/// What somebody says in public at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk<'a> {
    pub at: Moment,
    /// `/me TEXT`.
    pub is_action: bool,
    pub name: &'a str,
    pub lines: Lines<'a>,
}

impl<'a> From<Line<'a>> for Talk<'a> {
    fn from(line: Line<'a>) -> Self {
        Self {
            at: line.at,
            is_action: line.is_action,
            name: line.name,
            lines: line.text.into(),
        }
    }
}

/// The last lines of a room, [`limits::HISTORY`] at most; oldest first. What was said at once is kept as it came, names
/// and texts one behind the other in one buffer: rooms that are talked in allocate nothing.
#[derive(Debug)]
pub struct History {
    entries: VecDeque<Entry>,
    /// Lines in all `entries`. There may be more than are the last ones: the first entry goes when none of it is.
    lines: usize,
    /// The names and texts of all `entries`, behind `dead` bytes of entries that are gone.
    texts: String,
    dead: usize,
    /// The number that the next line will have.
    next: u32,
    held: Held,
}

/// What was said at once.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Moment,
    name: u32,
    /// Bytes of all its lines, with the newlines between them.
    text: u32,
    /// Of the first line: counts those that were ever said in the room; it begins anew after 2^32 of them.
    number: u32,
    /// How many lines: [`limits::RUN_LINES`] at most.
    lines: u16,
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
            lines: 0,
            texts: String::new(),
            dead: 0,
            next: 0,
            held: meter.hold(),
        }
    }

    /// Adds the newest lines.
    pub fn push(&mut self, talk: Talk<'_>, is_private: bool) {
        let lines = talk.lines.count();
        while let Some(oldest) = self.entries.front()
            && self.lines + lines >= limits::HISTORY + usize::from(oldest.lines)
        {
            self.lines -= usize::from(oldest.lines);
            self.dead += oldest.len();
            self.entries.pop_front();
        }
        if self.dead > self.texts.len() / 2 {
            self.texts.drain(..std::mem::take(&mut self.dead));
        }
        let capacity = (self.entries.capacity(), self.texts.capacity());
        let text = talk.lines.joined();
        self.texts.push_str(talk.name);
        self.texts.push_str(text);
        self.entries.push_back(Entry {
            at: talk.at,
            name: talk.name.len() as u32,
            text: text.len() as u32,
            number: self.next,
            lines: lines as u16,
            is_action: talk.is_action,
            is_private,
        });
        self.lines += lines;
        self.next = self.next.wrapping_add(lines as u32);
        if capacity != (self.entries.capacity(), self.texts.capacity()) {
            self.count();
        }
    }

    /// Forgets the older half; the last line too, if it is the only one.
    pub fn halve(&mut self) {
        let mut older = self.len().div_ceil(2);
        self.keep(&mut |_, lines| {
            let gone = older.min(lines);
            older -= gone;
            gone
        });
    }

    /// The newest `n`, oldest first.
    pub fn last(&self, n: usize) -> impl Iterator<Item = Line<'_>> {
        let older = self.len().saturating_sub(n);
        self.lines().map(|(_, line)| line).skip(older)
    }

    /// How many of the newest `n` fit into so many bytes, with what stands around each.
    pub fn fitting(&self, n: usize, bytes: usize) -> usize {
        let lengths = self.last(n).map(|line| line.name.len() + line.text.len());
        let lengths: Vec<usize> = lengths.collect();
        let mut left = bytes;
        let fits = |length: &&usize| {
            let rest = left.checked_sub(**length + AROUND);
            left = rest.unwrap_or_default();
            rest.is_some()
        };
        lengths.iter().rev().take_while(fits).count()
    }

    /// The numbers of the newest `n`: that of the first, and that behind the last. `None` if nothing was said.
    pub fn numbers(&self, n: usize) -> Option<(u32, u32)> {
        let older = self.len().saturating_sub(n);
        let (first, _) = self.lines().nth(older)?;
        Some((first, self.next))
    }

    /// The lines with numbers from `from` on to before `to`, as far as they are still there, oldest first.
    pub fn between(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, Line<'_>)> {
        let span = to.wrapping_sub(from);
        self.lines()
            .filter(move |(number, _)| number.wrapping_sub(from) < span)
    }

    /// Forgets what was said behind a key: the room is opened to all.
    pub fn forget_private(&mut self) {
        self.keep(&mut |entry, lines| if entry.is_private { lines } else { 0 });
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

    /// How many lines there are.
    fn len(&self) -> usize {
        self.lines.min(limits::HISTORY)
    }

    /// Forgets so many of the first lines of each entry as it has, and holds no more memory than the others take.
    fn keep(&mut self, forgotten: &mut dyn FnMut(Entry, usize) -> usize) {
        let mut older = self.lines - self.len();
        let (mut entries, mut texts) = (VecDeque::new(), String::new());
        let mut rest = &self.texts[self.dead..];
        for &entry in &self.entries {
            let (both, behind) = rest.split_at(entry.len());
            rest = behind;
            let (name, text) = both.split_at(entry.name as usize);
            // Those that are older than the last ones would be among them again.
            let lines = usize::from(entry.lines);
            let hidden = older.min(lines);
            older -= hidden;
            let gone = hidden + forgotten(entry, lines - hidden);
            if let Some(kept) = text.splitn(gone + 1, '\n').nth(gone) {
                texts.push_str(name);
                texts.push_str(kept);
                entries.push_back(Entry {
                    text: kept.len() as u32,
                    number: entry.number.wrapping_add(gone as u32),
                    lines: (lines - gone) as u16,
                    ..entry
                });
            }
        }
        self.lines = entries.iter().map(|entry| usize::from(entry.lines)).sum();
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

    /// All lines with their numbers, oldest first.
    fn lines(&self) -> impl Iterator<Item = (u32, Line<'_>)> {
        let mut rest = &self.texts[self.dead..];
        let entries = self.entries.iter().map(move |entry| {
            let (both, behind) = rest.split_at(entry.len());
            rest = behind;
            (entry, both.split_at(entry.name as usize))
        });
        let lines = entries.flat_map(|(entry, (name, text))| {
            let line = move |text| Line {
                at: entry.at,
                is_action: entry.is_action,
                name,
                text,
            };
            let numbers = (0..).map(|n| entry.number.wrapping_add(n));
            // What is behind the last newline is not searched for another.
            numbers.zip(text.splitn(entry.lines.into(), '\n').map(line))
        });
        lines.skip(self.lines - self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk<'a>(name: &'a str, lines: Lines<'a>) -> Talk<'a> {
        Talk {
            at: Moment::default(),
            is_action: false,
            name,
            lines,
        }
    }

    fn line<'a>(name: &'a str, text: &'a str) -> Talk<'a> {
        talk(name, text.into())
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
    fn lines_said_at_once_are_lines_like_others() {
        let (text, all) = ("é\n\nthree\n4\n5\n\n", ["é", "", "three", "4", "5", ""]);
        let ends: Vec<u32> = text.match_indices('\n').map(|(at, _)| at as u32).collect();
        for halved in [0, 3, 7] {
            let mut history = History::new(&Meter::default());
            let mut expected: Vec<(u32, &str, bool)> = Vec::new();
            for n in 0..400 {
                let count = n % ends.len();
                let (lines, said) = match count {
                    0 => ("alone".into(), &["alone"][..]),
                    _ => (Lines::new(text, &ends[..count]), &all[..count]),
                };
                let (numbers, is_private) = (history.next.., n % 5 == 0);
                history.push(talk("Zoë", lines), is_private);
                expected.extend(numbers.zip(said).map(|(n, &text)| (n, text, is_private)));
                expected.drain(..expected.len().saturating_sub(limits::HISTORY));
                if halved > 0 && n % 70 == halved {
                    history.halve();
                    expected.drain(..expected.len().div_ceil(2));
                }
                if halved > 0 && n % 150 == halved {
                    history.forget_private();
                    expected.retain(|&(_, _, is_private)| !is_private);
                }
                let lines: Vec<_> = history.lines().map(|(n, line)| (n, line.text)).collect();
                let expected: Vec<_> = expected.iter().map(|&(n, text, _)| (n, text)).collect();
                assert_eq!(lines, expected);
                assert_eq!(history.numbers(1).map(|(n, _)| n), Some(history.next - 1));
                history.checked_memory();
                assert!(history.lines <= limits::HISTORY + ends.len());
            }
        }
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
