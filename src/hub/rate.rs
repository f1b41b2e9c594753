//! How many of something there are in a second.

use crate::limits::Millis;

/// Counts over a second or more, for as long as it is told of more; costs nothing while it is not.
#[derive(Debug, Default)]
pub struct Rate {
    /// Since when it counts, and from what total on.
    since: Millis,
    from: u64,
    total: u64,
    /// What the last full count came to.
    last: u64,
}

/// What is counted together.
const WINDOW: Millis = 1_000;

impl Rate {
    /// The total is now this.
    pub fn count(&mut self, now: Millis, total: u64) {
        let span = now - self.since;
        if span >= WINDOW {
            self.last = (self.total - self.from) * 1_000 / span;
            (self.since, self.from) = (now, self.total);
        }
        self.total = total;
    }

    /// How many in the last second.
    pub fn per_second(&self, now: Millis) -> u64 {
        match now - self.since {
            ..WINDOW => self.last,
            span => (self.total - self.from) * 1_000 / span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_total() {
        let mut rate = Rate::default();
        for n in 1..=30 {
            rate.count(n * 100, n * 50);
        }
        assert!((480..=520).contains(&rate.per_second(3_050)), "{rate:?}");
        assert_eq!(rate.per_second(1_000_000), 0);
    }
}
