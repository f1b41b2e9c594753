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
}

impl Release {
    /// So many bytes are held. Whether freed memory is to be given back at once.
    pub fn is_due(&mut self, held: usize, now: Millis) -> bool {
        self.most = self.most.max(held);
        let worthwhile = limits::RELEASE.max(self.most / limits::RELIEF);
        let is_much = self.most - held >= worthwhile;
        self.pending = is_much && now < self.rests_until;
        if !is_much || self.pending {
            return false;
        }
        self.most = held;
        self.rests_until = now + limits::RELEASE_PAUSE;
        true
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
        assert!(!release.is_due(much, 0));
        assert!(!release.is_due(much - 1, 1));
        assert!(release.is_due(0, 2));
        assert!(!release.is_due(0, 3), "once is enough");
        assert_eq!(release.next_deadline(), None);
        assert!(!release.is_due(much, 4));
        assert!(!release.is_due(0, 5), "too early");
        assert_eq!(release.next_deadline(), Some(2 + limits::RELEASE_PAUSE));
        assert!(release.is_due(0, 2 + limits::RELEASE_PAUSE));
        assert_eq!(release.next_deadline(), None);
    }

    #[test]
    fn of_a_large_sum_a_little_is_not_worth_it() {
        let mut release = Release::default();
        let sum = 100 * limits::RELEASE;
        assert!(!release.is_due(sum, 0));
        assert!(!release.is_due(sum - 2 * limits::RELEASE, 1));
        assert!(release.is_due(sum - sum / limits::RELIEF, 2));
    }
}
