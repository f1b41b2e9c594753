//! When the loop waits a moment for more of what is said in a lively room, so that it goes out together.
//!
//! It waits behind the writes, so that whoever breaks a silence is heard at once.

use crate::limits::{self, Millis};
use std::time::Duration;

/// Whether to wait.
#[derive(Debug, Default)]
pub struct Gather {
    /// Waiting takes far too long here; not again before.
    rests_until: Millis,
}

impl Gather {
    /// How long to wait, and no longer.
    pub const TIME: Duration = Duration::from_micros(limits::GATHER);

    /// Whether it is worth it after a turn that took so long: that is about what can be saved.
    pub fn is_due(&self, took: Duration, now: Millis) -> bool {
        took >= Self::TIME && now >= self.rests_until
    }

    /// It has waited so long. Where clocks are coarse, that is many times what was asked for.
    pub fn has_waited(&mut self, time: Duration, now: Millis) {
        if time > Self::TIME * limits::GATHER_OVERRUN {
            self.rests_until = now + limits::GATHER_REST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_no_longer_than_what_it_may_save() {
        let gather = Gather::default();
        assert!(gather.is_due(Gather::TIME, 5));
        assert!(!gather.is_due(Gather::TIME / 2, 5));
    }

    #[test]
    fn where_a_moment_is_long_nobody_waits_for_it() {
        let (mut gather, long) = (Gather::default(), Duration::from_millis(10));
        gather.has_waited(Gather::TIME * 2, 5);
        assert!(gather.is_due(Gather::TIME, 5));
        gather.has_waited(long, 5);
        assert!(!gather.is_due(long, 5 + limits::GATHER_REST - 1));
        assert!(gather.is_due(long, 5 + limits::GATHER_REST));
    }
}
