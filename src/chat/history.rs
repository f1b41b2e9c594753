//! What was said in a room, for those who come later.

use super::time::Moment;
use crate::limits;
use std::collections::VecDeque;

/// A public line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was said. `ticks` is 0 for a line of an earlier run.
    pub at: Moment,
    /// `/me TEXT`.
    pub is_action: bool,
    /// The name and, behind it, the text.
    both: Box<str>,
    name_length: u32,
}

impl Line {
    pub fn new(at: Moment, is_action: bool, name: &str, text: &str) -> Self {
        let mut both = String::with_capacity(name.len() + text.len());
        both.push_str(name);
        both.push_str(text);
        Self {
            at,
            is_action,
            both: both.into(),
            name_length: name.len() as u32,
        }
    }

    /// Who said it.
    pub fn name(&self) -> &str {
        &self.both[..self.name_length as usize]
    }

    /// What they said.
    pub fn text(&self) -> &str {
        &self.both[self.name_length as usize..]
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.both.len()
    }
}

/// The last lines of a room, [`limits::HISTORY`] at most; oldest first.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<Line>,
}

impl History {
    /// Adds the newest line.
    pub fn push(&mut self, line: Line) {
        if self.lines.len() == limits::HISTORY {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The newest `n`, oldest first.
    pub fn last(&self, n: usize) -> impl Iterator<Item = &Line> {
        self.lines.range(self.lines.len().saturating_sub(n)..)
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        let spare = self.lines.capacity() - self.lines.len();
        spare * size_of::<Line>() + self.lines.iter().map(Line::memory).sum::<usize>()
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
