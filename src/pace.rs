//! How fast somebody may speak (contract, section 4): a token bucket.
//!
//! It is kept as the one moment at which it is full again, so that it costs a number a connection, and nothing
//! while nobody speaks.

use crate::limits::Millis;

/// Nanoseconds: fine enough for a million lines a second.
const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;
/// Whoever has to wait is heard again when this part of a second's lines may be said: fewer turns, at the same pace.
const SHARES: u64 = 10;

/// So many lines a second in the long run, and so many at once after a silence. Both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub rate: u64,
    pub burst: u64,
}

impl Pace {
    /// What a line takes out of a bucket.
    fn cost(self) -> u64 {
        (SECOND / self.rate).max(1)
    }

    /// What a bucket holds.
    fn size(self) -> u64 {
        self.cost() * self.burst
    }
}

/// One speaker's bucket. Full at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// Takes so many lines out. It may owe some afterwards.
    pub fn take(&mut self, lines: u64, pace: Pace, now: Millis) {
        let from = self.full_at.max(now * MILLI);
        self.full_at = from.saturating_add(pace.cost().saturating_mul(lines));
    }

    /// How many lines are in it.
    pub fn lines(&self, pace: Pace, now: Millis) -> u64 {
        let missing = self.full_at.saturating_sub(now * MILLI);
        pace.size().saturating_sub(missing) / pace.cost()
    }

    /// Whether there is a line in it.
    pub fn has_line(&self, pace: Pace, now: Millis) -> bool {
        self.full_at + pace.cost() <= now * MILLI + pace.size()
    }

    /// When there are lines enough in it to go on.
    pub fn refilled_at(&self, pace: Pace) -> Millis {
        let enough = (pace.rate / SHARES).clamp(1, pace.burst);
        let missing = pace.size() - pace.cost() * enough;
        self.full_at.saturating_sub(missing).div_ceil(MILLI)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says as much as may be said, at every moment of `moments`; gives how many lines that were.
    fn speak(bucket: &mut Bucket, pace: Pace, moments: impl Iterator<Item = Millis>) -> u64 {
        let mut lines = 0;
        for now in moments {
            let in_it = bucket.lines(pace, now);
            let before = lines;
            while bucket.has_line(pace, now) {
                bucket.take(1, pace, now);
                lines += 1;
            }
            assert_eq!(lines - before, in_it);
        }
        lines
    }

    #[test]
    fn a_burst_at_once_then_the_rate() {
        for (rate, burst) in [(50, 200), (1, 1), (3, 7), (1_000, 1), (999_999, 5)] {
            let (pace, mut bucket) = (Pace { rate, burst }, Bucket::default());
            assert_eq!(speak(&mut bucket, pace, 0..1), burst);
            // What a burst of one line lets pass in a millisecond is one line.
            let most = rate.min(1_000 * burst);
            let lines = speak(&mut bucket, pace, 1..10_001);
            assert!(
                (10 * most - 1..=10 * most + 1).contains(&lines),
                "{pace:?}: {lines}"
            );
            assert_eq!(speak(&mut bucket, pace, 10_000_000..10_000_001), burst);
        }
    }

    #[test]
    fn it_says_when_to_go_on() {
        for (rate, burst) in [(50, 200), (1, 1), (3, 7), (1_000, 1), (999_999, 5)] {
            let (pace, mut bucket) = (Pace { rate, burst }, Bucket::default());
            let (mut now, mut lines, mut turns) = (0, 0, 0);
            while now < 10_000 {
                lines += speak(&mut bucket, pace, now..now + 1);
                let next = bucket.refilled_at(pace);
                assert!(next > now, "{pace:?}: {next} at {now}");
                assert!(bucket.has_line(pace, next), "{pace:?}");
                (now, turns) = (next, turns + 1);
            }
            let most = burst + rate.min(1_000 * burst) * 10;
            assert!(
                lines <= most + 1 && lines + rate.max(2) >= most,
                "{pace:?}: {lines}"
            );
            assert!(turns <= 10_000, "{pace:?}: {turns}");
        }
        let pace = Pace {
            rate: 50,
            burst: 200,
        };
        let mut bucket = Bucket::default();
        bucket.take(200, pace, 0);
        assert_eq!(bucket.refilled_at(pace), 100);
    }
}
