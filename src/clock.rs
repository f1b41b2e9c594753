//! The machine's local time.
//!
//! Owns how far that is from UTC, looked up once a minute, so that to ask for the time each turn and
//! for each line costs no more than reading the clock. Never waits, and nothing is timed by it: it jumps
//! as the machine's clock does.

use time::{OffsetDateTime, UtcOffset};

/// Asked for the time, looks up the time zone once a minute at most. Zones change their offset where a
/// minute begins.
#[derive(Debug, Default)]
pub struct LocalClock {
    /// The minute since 1970 in which `offset` was looked up.
    minute: Option<i64>,
    /// The last that the system told; `None` if it never did.
    offset: Option<UtcOffset>,
}

impl LocalClock {
    /// The time now; UTC where the system does not tell its zone.
    pub fn now(&mut self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        self.local(now, |at| UtcOffset::local_offset_at(at).ok())
    }

    /// The time now, as seconds since 1970 and the seconds by which the local time is ahead of UTC.
    pub fn unix_and_offset(&mut self) -> (i64, i32) {
        let now = self.now();
        (now.unix_timestamp(), now.offset().whole_seconds())
    }

    /// Stands behind a time that was last told, if that is UTC for want of a zone: `Z`, else nothing.
    pub fn mark(&self) -> &'static str {
        if self.offset.is_some() { "" } else { "Z" }
    }

    fn local(
        &mut self,
        now: OffsetDateTime,
        zone: impl FnOnce(OffsetDateTime) -> Option<UtcOffset>,
    ) -> OffsetDateTime {
        let minute = Some(now.unix_timestamp().div_euclid(60));
        if self.minute != minute {
            self.minute = minute;
            // A lookup that fails for a while (no descriptor is left for it) takes no zone away.
            self.offset = zone(now).or(self.offset);
        }
        now.to_offset(self.offset.unwrap_or(UtcOffset::UTC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_looked_up_once_a_minute_and_never_lost() {
        let begin = OffsetDateTime::from_unix_timestamp(1_767_225_780).expect("a valid time");
        let zone = |hours| UtcOffset::from_hms(hours, 0, 0).ok();
        let mut clock = LocalClock::default();
        let mut lookups = 0;
        // Seconds, what a lookup says, the hour then.
        for (seconds, says, hour, mark) in [
            (0, None, 0, "Z"),
            (59, zone(1), 0, "Z"),
            (60, zone(1), 1, ""),
            (119, zone(2), 1, ""),
            (120, None, 1, ""),
            (180, zone(2), 2, ""),
            (-3600, zone(0), 23, ""),
        ] {
            let at = begin + time::Duration::seconds(seconds);
            let local = clock.local(at, |_| {
                lookups += 1;
                says
            });
            assert_eq!((local.hour(), clock.mark()), (hour, mark), "{seconds}");
            assert_eq!(local, at, "the same instant");
        }
        assert_eq!(lookups, 5);
    }

    #[test]
    fn now_is_now() {
        let mut clock = LocalClock::default();
        let before = OffsetDateTime::now_utc().unix_timestamp();
        let (unix, offset) = clock.unix_and_offset();
        assert!((before..=before + 60).contains(&unix));
        assert!(offset.abs() < 86_400);
        assert_eq!(clock.now().offset().whole_seconds(), offset);
    }
}
