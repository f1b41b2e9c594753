//! Which bytes of what the kernel was given end a line of the user's.
//!
//! Owns their places, of the last lines only, for the one question how many lines so many last bytes
//! touch. Knows no bytes.

use std::collections::VecDeque;

/// So many lines are told apart.
const MOST: usize = 1024;

/// What was handed over on one connection.
#[derive(Debug, Default)]
pub struct Handed {
    /// Bytes in all.
    bytes: u64,
    /// How many there were at the end of each of the last lines; growing, [`MOST`] at most.
    ends: VecDeque<u64>,
}

impl Handed {
    /// `n` bytes were handed over; `ends` tells from the last to the first how far into them each line ends.
    pub fn add(&mut self, n: usize, ends: impl Iterator<Item = usize>) {
        let at = self.ends.len();
        self.ends
            .extend(ends.take(MOST).map(|end| self.bytes + end as u64));
        self.ends.make_contiguous()[at..].reverse();
        self.ends.drain(..self.ends.len().saturating_sub(MOST));
        self.bytes += n as u64;
    }

    /// How many lines end in the last `n` bytes.
    pub fn lines_in_last(&self, n: usize) -> usize {
        let from = self.bytes.saturating_sub(n as u64);
        self.ends
            .iter()
            .rev()
            .take_while(|&&end| end > from)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_the_end() {
        let mut handed = Handed::default();
        assert_eq!(handed.lines_in_last(7), 0);
        // Nine bytes of two lines and a half, then the rest of it behind a command.
        handed.add(9, [8, 4].into_iter());
        handed.add(6, std::iter::empty());
        handed.add(2, [2].into_iter());
        for (bytes, lines) in [(0, 0), (1, 1), (9, 1), (10, 2), (13, 2), (14, 3), (99, 3)] {
            assert_eq!(handed.lines_in_last(bytes), lines, "{bytes}");
        }
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut handed = Handed::default();
        for _ in 0..3 {
            handed.add(5000, (1..=5000).rev());
        }
        assert_eq!(handed.ends.len(), MOST);
        assert_eq!(handed.lines_in_last(10), 10);
        assert_eq!(handed.lines_in_last(15_000), MOST);
    }
}
