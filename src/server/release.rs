//! When freed memory goes back to the system.
//!
//! An allocator keeps what was freed, for later; after a burst that is most of what the process holds, and near the
//! memory's ceiling the gaps between blocks would come on top of it. Decides when it is worth the time to look for them.

use crate::limits::{self, Millis};

/// How much was held, and how much of that is free by now.
#[derive(Debug, Default)]
pub struct Release {
    /// The most that was held since the last time.
    most: usize,
    /// Much is free, but it was looked for a moment ago.
    pending: bool,
    /// Not again before.
    rests_until: Millis,
    /// What was in tables when they last left much behind.
    tables: usize,
}

impl Release {
    /// So many bytes are held, and were at most in this turn. Whether freed memory is to be given back at once.
    pub fn is_due(&mut self, held: usize, most: usize, now: Millis) -> bool {
        self.most = self.most.max(held).max(most);
        let worthwhile = limits::RELEASE.max(self.most / limits::RELEASE_PART);
        let is_much = self.most - held >= worthwhile;
        self.pending = is_much && now < self.rests_until;
        if !is_much || self.pending {
            return false;
        }
        self.most = held;
        self.rests_until = now + limits::RELEASE_PAUSE;
        true
    }

    /// So many bytes are in tables, which double as they grow, and move. Whether they have left so much behind that it is to
    /// be given back at once.
    pub fn has_moved(&mut self, tables: usize) -> bool {
        let has_moved = tables.saturating_sub(self.tables) > limits::RELEASE.max(self.tables / 2);
        if has_moved {
            self.tables = tables;
        }
        has_moved
    }

    /// When to ask again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.pending.then_some(self.rests_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_is_given_back_now_and_then() {
        let mut release = Release::default();
        let much = 2 * limits::RELEASE;
        assert!(!release.is_due(much, 0, 0));
        assert!(!release.is_due(much - 1, 0, 1));
        assert!(release.is_due(0, 0, 2));
        assert!(!release.is_due(0, 0, 3), "once is enough");
        assert_eq!(release.next_deadline(), None);
        assert!(!release.is_due(much, 0, 4));
        assert!(!release.is_due(0, 0, 5), "too early");
        assert_eq!(release.next_deadline(), Some(2 + limits::RELEASE_PAUSE));
        assert!(release.is_due(0, 0, 2 + limits::RELEASE_PAUSE));
        assert_eq!(release.next_deadline(), None);
        let later = 2 + 2 * limits::RELEASE_PAUSE;
        assert!(
            release.is_due(0, much, later),
            "it came and went within a turn"
        );
    }

    #[test]
    fn tables_that_double_leave_much_behind() {
        let mut release = Release::default();
        let times = |release: &mut Release, range: std::ops::Range<usize>| {
            let has_moved = |n: &usize| release.has_moved(n * limits::RELEASE / 4);
            range.filter(has_moved).collect::<Vec<_>>()
        };
        assert_eq!(times(&mut release, 0..40), [5, 10, 16, 25, 38]);
        assert_eq!(times(&mut release, 0..57), []);
        assert_eq!(times(&mut release, 57..60), [58]);
    }

    #[test]
    fn of_a_large_sum_a_little_is_not_worth_it() {
        let mut release = Release::default();
        let sum = 100 * limits::RELEASE;
        assert!(!release.is_due(sum, 0, 0));
        assert!(!release.is_due(sum - 2 * limits::RELEASE, 0, 1));
        assert!(release.is_due(sum - sum / limits::RELEASE_PART, 0, 2));
    }
}
