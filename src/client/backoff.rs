//! How long to wait before the next try to connect.
//!
//! Owns the growth of the pauses. Never looks at a clock and draws no random number: that is an
//! argument.

use std::time::Duration;

/// The first pause, in the middle of its jitter.
const SHORTEST: Duration = Duration::from_millis(500);
/// No pause is longer, but for its jitter.
const LONGEST: Duration = Duration::from_secs(30);
/// A pause is up to this share longer or shorter, so that the many clients a server lost at once do
/// not all come back at once.
const JITTER: f64 = 0.25;

/// Pauses that double from [`SHORTEST`] to [`LONGEST`].
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Backoff {
    /// The pause before the next try; `random` places it within its jitter.
    pub fn pause(&mut self, random: u64) -> Duration {
        let middle = self.next;
        self.next = (middle * 2).min(LONGEST);
        let within = random as f64 / u64::MAX as f64;
        middle.mul_f64(1.0 - JITTER + 2.0 * JITTER * within)
    }

    /// After a connection that proved stable: starts over.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, random: u64) -> Vec<f64> {
        (0..8)
            .map(|_| backoff.pause(random).as_secs_f64())
            .collect()
    }

    #[test]
    fn pauses_double_up_to_the_longest_within_their_jitter() {
        let mut backoff = Backoff::default();
        assert_eq!(
            seconds(&mut backoff, 0),
            [0.375, 0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5]
        );
        backoff.reset();
        assert_eq!(
            seconds(&mut backoff, u64::MAX),
            [0.625, 1.25, 2.5, 5.0, 10.0, 20.0, 37.5, 37.5]
        );
    }
}
