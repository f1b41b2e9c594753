//! The time that `--timestamps` prints.
//!
//! Owns the text of the current second, so that a burst of lines costs one look at the time zone.

use time::{OffsetDateTime, UtcOffset};

/// `14:03:07` in local time, or `14:03:07Z` where the local time cannot be told.
#[derive(Default)]
pub struct Clock {
    /// The second that `text` shows; empty text shows none.
    second: i64,
    text: String,
}

impl Clock {
    /// The time now. The offset is asked for anew each second: daylight saving time may begin.
    pub fn now(&mut self) -> &str {
        let now = OffsetDateTime::now_utc();
        let second = now.unix_timestamp();
        if self.text.is_empty() || second != self.second {
            self.second = second;
            self.text = match UtcOffset::local_offset_at(now) {
                Ok(offset) => clock_text(now.to_offset(offset), ""),
                Err(_) => clock_text(now, "Z"),
            };
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

    #[test]
    fn the_time_is_shown_to_the_second_in_its_zone() {
        let at = OffsetDateTime::from_unix_timestamp(1_767_225_787).expect("a valid time");
        let plus_two = UtcOffset::from_hms(2, 0, 0).expect("a valid offset");
        assert_eq!(clock_text(at, "Z"), "00:03:07Z");
        assert_eq!(clock_text(at.to_offset(plus_two), ""), "02:03:07");
    }
}
