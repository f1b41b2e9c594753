//! The time that `--timestamps` prints.
//!
//! Owns the text of the current second, so that a burst of lines costs one text.

use crate::clock::LocalClock;
use time::OffsetDateTime;

/// `14:03:07` in local time, or `14:03:07Z` where the local time cannot be told.
#[derive(Default)]
pub struct Clock {
    local: LocalClock,
    /// The second that `text` shows; empty text shows none.
    second: i64,
    text: String,
}

impl Clock {
    /// The time now.
    pub fn now(&mut self) -> &str {
        let now = self.local.now();
        let second = now.unix_timestamp();
        if self.text.is_empty() || second != self.second {
            self.second = second;
            self.text = clock_text(now, self.local.mark());
        }
        &self.text
    }
}

fn clock_text(at: OffsetDateTime, zone: &str) -> String {
    let (hour, minute, second) = at.to_hms();
    format!("{hour:02}:{minute:02}:{second:02}{zone}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::UtcOffset;

    #[test]
    fn the_time_is_shown_to_the_second_in_its_zone() {
        let at = OffsetDateTime::from_unix_timestamp(1_767_225_787).expect("a valid time");
        let plus_two = UtcOffset::from_hms(2, 0, 0).expect("a valid offset");
        assert_eq!(clock_text(at, "Z"), "00:03:07Z");
        assert_eq!(clock_text(at.to_offset(plus_two), ""), "02:03:07");
    }
}
