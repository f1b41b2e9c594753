//! The lines that were sent, to be sent again.
//!
//! Owns them, the newest [`HISTORY`] of them, and the unfinished line while one walks through them.

use std::collections::VecDeque;

/// Lines that are remembered.
pub const HISTORY: usize = 500;

/// Lines sent, and where among them one stands.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
    /// How far back one has walked; 0 is the unfinished line itself, n the nth newest.
    back: usize,
    /// The unfinished line, while `back` is not 0.
    unfinished: String,
}

impl History {
    /// Remembers a line that was sent, unless it is the newest already. The walk is over.
    pub fn add(&mut self, line: &str) {
        self.stay();
        if line.is_empty() || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == HISTORY {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// What was shown is now the unfinished line.
    pub fn stay(&mut self) {
        self.back = 0;
        self.unfinished.clear();
    }

    /// One line further back, if there is one; `current` is what is being shown.
    pub fn older(&mut self, current: &str) -> Option<String> {
        let at = self.lines.len().checked_sub(self.back + 1)?;
        if self.back == 0 {
            current.clone_into(&mut self.unfinished);
        }
        self.back += 1;
        Some(self.lines[at].clone())
    }

    /// One line further on; at last the unfinished one.
    pub fn newer(&mut self) -> Option<String> {
        self.back = self.back.checked_sub(1)?;
        match self.back {
            0 => Some(std::mem::take(&mut self.unfinished)),
            back => Some(self.lines[self.lines.len() - back].clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_walks_back_and_returns_to_the_unfinished_line() {
        let mut history = History::default();
        assert_eq!(history.older("x"), None);
        for line in ["one", "two", "two", "", "three"] {
            history.add(line);
        }
        assert_eq!(history.older("unfin"), Some("three".into()));
        assert_eq!(history.older("three"), Some("two".into()));
        assert_eq!(history.older("two, edited"), Some("one".into()));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer(), Some("two".into()));
        assert_eq!(history.newer(), Some("three".into()));
        assert_eq!(history.newer(), Some("unfin".into()));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let mut history = History::default();
        for n in 0..=HISTORY {
            history.add(&n.to_string());
        }
        let mut oldest = None;
        while let Some(line) = history.older("") {
            oldest = Some(line);
        }
        assert_eq!(oldest, Some("1".into()));
    }
}
