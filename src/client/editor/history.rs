//! The lines that were sent, to be sent again.
//!
//! Owns them, the newest [`HISTORY`] of them, and the unfinished line and what one has made of others while one walks
//! through them.

use std::collections::VecDeque;

/// Lines that are remembered.
pub const HISTORY: usize = 500;

/// Lines sent, and where among them one stands.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
    /// How far back one has walked; 0 is the unfinished line itself, n the nth newest.
    back: usize,
    /// What was left of each that was shown in this walk, by how far back it is.
    left: Vec<(usize, String)>,
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
        self.left.clear();
    }

    /// One line further back, if there is one; `current` is what is being shown.
    pub fn older(&mut self, current: &str) -> Option<String> {
        let back = self.back + 1;
        (back <= self.lines.len()).then(|| self.go(back, current))
    }

    /// One line further on; at last the unfinished one.
    pub fn newer(&mut self, current: &str) -> Option<String> {
        let back = self.back.checked_sub(1)?;
        Some(self.go(back, current))
    }

    /// Goes to the line that is so far back, as it was left.
    fn go(&mut self, back: usize, current: &str) -> String {
        self.left.push((self.back, current.to_owned()));
        self.back = back;
        match self.left.iter().position(|&(known, _)| known == back) {
            Some(at) => self.left.swap_remove(at).1,
            None => self.lines[self.lines.len() - back].clone(),
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
        assert_eq!(history.newer("one"), Some("two, edited".into()));
        assert_eq!(history.newer("two, edited"), Some("three".into()));
        assert_eq!(history.newer("three"), Some("unfin".into()));
        assert_eq!(history.newer("unfin"), None);
        history.add("four");
        assert_eq!(history.older(""), Some("four".into()));
        assert_eq!(history.older("four"), Some("three".into()));
        assert_eq!(history.older("three"), Some("two".into()));
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
