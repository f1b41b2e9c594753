//! One public line as it stands in a transcript:
//!
//! ```text
//! 2026-11-22T14:03:07+01:00 #lobby <NAME> hello
//! 2026-11-22T14:03:09+01:00 #lobby * NAME waves
//! ```
//!
//! Owns that form, both ways. Never opens a file, and never trusts one: whoever can write to it could
//! otherwise put words on everybody's terminal.

use crate::chat::names::{self, Fault};
use crate::wire::clean;
use std::ops::RangeInclusive;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Times that have four digits for the year wherever they are shown: the years 1 to 9998.
const TIMES: RangeInclusive<i64> = -62_135_510_400..=253_370_678_400;
/// Seconds by which a local time may be ahead of UTC, for the form's two digits of hours.
const OFFSETS: RangeInclusive<i32> = -86_340..=86_340;
/// Ends a line that a crash cut short: the control by which ASCII cancels what stands before it. No line that
/// [`format()`] makes has a control in it, so whatever ends in it is none.
pub const TORN_END: &[u8] = b"\x18\n";
/// `2026-11-22T14:03:07+01:00`
const STAMP: usize = 25;

/// A public line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Seconds since 1970, UTC.
    pub unix: i64,
    /// Seconds by which the local time was ahead of UTC: whole minutes.
    pub utc_offset_seconds: i32,
    /// With its `#`.
    pub room: &'a str,
    /// `/me TEXT`.
    pub is_action: bool,
    pub name: &'a str,
    pub text: &'a str,
}

/// Appends an entry as a line with its newline. Its texts are clean and have no line break.
pub fn format(out: &mut Vec<u8>, entry: Entry<'_>) {
    let Entry {
        room, name, text, ..
    } = entry;
    debug_assert!(![room, name, text].iter().any(|part| part.contains('\n')));
    out.reserve(STAMP + room.len() + name.len() + text.len() + 6);
    append_stamp(out, entry.unix, entry.utc_offset_seconds);
    let (before, after) = if entry.is_action {
        ("* ", " ")
    } else {
        ("<", "> ")
    };
    for part in [" ", room, " ", before, name, after, text, "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// What [`format()`] made of an entry, without its newline. `None` if the line is nothing that it makes:
/// broken, not UTF-8, or with a control in it.
pub fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let line = str::from_utf8(line).ok()?;
    if line.contains(clean::is_control) {
        return None;
    }
    let (stamp, rest) = line.split_once(' ')?;
    let (unix, utc_offset_seconds) = parse_stamp(stamp.as_bytes())?;
    let (room, said) = rest.split_once(' ')?;
    // An empty text whose blank an editor took away is still a text.
    let (is_action, name, text) = match said.strip_prefix('<') {
        Some(said) => {
            let (name, text) = said.split_once('>')?;
            (
                false,
                name,
                if text.is_empty() {
                    ""
                } else {
                    text.strip_prefix(' ')?
                },
            )
        }
        None => {
            let said = said.strip_prefix("* ")?;
            let (name, text) = said.split_once(' ').unwrap_or((said, ""));
            (true, name, text)
        }
    };
    (is_name(room.strip_prefix('#')?) && is_name(name)).then_some(Entry {
        unix,
        utc_offset_seconds,
        room,
        is_action,
        name,
        text,
    })
}

/// Whether somebody can be called so, or a room: what people may choose, and the addresses by which the unnamed are
/// called (`[::1]:40312`, `unix:3`).
fn is_name(name: &str) -> bool {
    let is_address = || {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || ".:[]-".contains(c))
    };
    match names::check(name) {
        Ok(()) | Err(Fault::Reserved) => true,
        Err(Fault::Empty) => false,
        Err(_) => is_address(),
    }
}

/// Appends `2026-11-22T14:03:07+01:00`.
fn append_stamp(out: &mut Vec<u8>, unix: i64, utc_offset_seconds: i32) {
    // Some zones of old are ahead by seconds too, for which the form has no place. The instant stays.
    let minutes = utc_offset_seconds.clamp(*OFFSETS.start(), *OFFSETS.end()) / 60;
    let unix = unix.clamp(*TIMES.start(), *TIMES.end());
    let zone = UtcOffset::from_whole_seconds(minutes * 60).unwrap_or(UtcOffset::UTC);
    let local = OffsetDateTime::from_unix_timestamp(unix)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(zone);
    let (year, month, day) = local.to_calendar_date();
    let (hour, minute, second) = local.to_hms();
    // At most 9999, see `TIMES`.
    let year = year.unsigned_abs();
    let zone = minutes.unsigned_abs();
    let numbers = [
        (year / 100, None),
        (year % 100, Some(b'-')),
        (u8::from(month).into(), Some(b'-')),
        (day.into(), Some(b'T')),
        (hour.into(), Some(b':')),
        (minute.into(), Some(b':')),
        (second.into(), Some(if minutes < 0 { b'-' } else { b'+' })),
        (zone / 60, Some(b':')),
        (zone % 60, None),
    ];
    for (number, after) in numbers {
        // Each is below 100.
        out.extend([b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
        out.extend(after);
    }
}

/// Seconds since 1970, and those by which the local time is ahead of UTC.
fn parse_stamp(stamp: &[u8]) -> Option<(i64, i32)> {
    let stamp: &[u8; STAMP] = stamp.try_into().ok()?;
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (22, b':'),
    ];
    if marks.iter().any(|&(at, mark)| stamp[at] != mark) {
        return None;
    }
    let two = |at: usize| match [stamp[at], stamp[at + 1]] {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + ones - b'0'),
        _ => None,
    };
    let ahead = match stamp[19] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let year = i32::from(two(0)?) * 100 + i32::from(two(2)?);
    let date = Date::from_calendar_date(year, Month::try_from(two(5)?).ok()?, two(8)?).ok()?;
    let time = Time::from_hms(two(11)?, two(14)?, two(17)?).ok()?;
    let (hours, minutes) = (two(20)?, two(23)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = ahead * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    let unix = date.with_time(time).assume_utc().unix_timestamp() - i64::from(offset);
    TIMES.contains(&unix).then_some((unix, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_352_587; // 2026-11-22T14:03:07+01:00

    fn line(entry: Entry<'_>) -> String {
        let mut out = b"before\n".to_vec();
        format(&mut out, entry);
        let out = String::from_utf8(out).expect("UTF-8");
        out.strip_prefix("before\n").expect("appended").to_owned()
    }

    fn entry<'a>(is_action: bool, name: &'a str, text: &'a str) -> Entry<'a> {
        Entry {
            unix: NOON,
            utc_offset_seconds: 3600,
            room: "#lobby",
            is_action,
            name,
            text,
        }
    }

    /// That `entry` comes back out of its line.
    fn check_back(entry: Entry<'_>) {
        let line = line(entry);
        let text = line.strip_suffix('\n').expect("one line");
        assert_eq!(parse(text.as_bytes()), Some(entry), "{line}");
    }

    #[test]
    fn a_line_has_the_form_of_the_contract() {
        for (entry, expected) in [
            (
                entry(false, "NAME", "hello"),
                "2026-11-22T14:03:07+01:00 #lobby <NAME> hello\n",
            ),
            (
                entry(true, "NAME", "waves"),
                "2026-11-22T14:03:07+01:00 #lobby * NAME waves\n",
            ),
            (
                Entry {
                    utc_offset_seconds: -34_200,
                    ..entry(false, "a", "b")
                },
                "2026-11-22T03:33:07-09:30 #lobby <a> b\n",
            ),
            (
                Entry {
                    unix: 0,
                    utc_offset_seconds: 0,
                    ..entry(false, "a", "b")
                },
                "1970-01-01T00:00:00+00:00 #lobby <a> b\n",
            ),
            (
                Entry {
                    unix: 0,
                    utc_offset_seconds: 1172,
                    ..entry(false, "a", "b")
                },
                "1970-01-01T00:19:00+00:19 #lobby <a> b\n",
            ),
            (
                Entry {
                    unix: i64::MAX,
                    utc_offset_seconds: i32::MAX,
                    ..entry(false, "a", "b")
                },
                "9998-12-31T23:59:00+23:59 #lobby <a> b\n",
            ),
            (
                Entry {
                    unix: i64::MIN,
                    utc_offset_seconds: i32::MIN,
                    ..entry(false, "a", "b")
                },
                "0001-01-01T00:01:00-23:59 #lobby <a> b\n",
            ),
        ] {
            assert_eq!(line(entry), expected);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let names = [
            "NAME",
            "192.168.1.7",
            "127.0.0.1:40312",
            "[::1]:40312",
            "fe80::1",
            "unix:3",
            "guest12",
            "_-.|^`{}",
            "Grüße",
            "世界",
            "имя",
            "हिन",
            "x",
        ];
        let texts = [
            "hello",
            "",
            " ",
            "  leading and trailing  ",
            "<NAME> quoted",
            "> ",
            "* NAME waves",
            "\ttab",
            "Grüße, 世界 👋🏽",
            "2026-11-22T14:03:07+01:00 #lobby <NAME> hello",
            "\u{FFFD}",
        ];
        for name in names {
            for text in texts {
                for is_action in [false, true] {
                    check_back(entry(is_action, name, text));
                    check_back(Entry {
                        room: "#Grüße_2",
                        ..entry(is_action, name, text)
                    });
                }
            }
        }
    }

    #[test]
    fn every_time_is_read_back() {
        let span = TIMES.end() - TIMES.start();
        let mut unix = *TIMES.start();
        let mut offset = *OFFSETS.start();
        // Steps that meet every hour, day and month sooner or later.
        while unix <= *TIMES.end() {
            check_back(Entry {
                unix,
                utc_offset_seconds: offset,
                ..entry(false, "a", "b")
            });
            unix += span / 9973;
            offset += 60;
            if offset > *OFFSETS.end() {
                offset = *OFFSETS.start();
            }
        }
        for unix in [
            *TIMES.start(),
            -1,
            0,
            951_782_400,
            4_107_542_399,
            *TIMES.end(),
        ] {
            check_back(Entry {
                unix,
                ..entry(false, "a", "b")
            });
        }
    }

    #[test]
    fn a_torn_line_is_at_most_a_shorter_text() {
        for is_action in [false, true] {
            let whole = entry(is_action, "NAME", "some text");
            let line = line(whole);
            for end in 0..line.len() - 1 {
                if let Some(cut) = parse(&line.as_bytes()[..end]) {
                    let text = &whole.text[..cut.text.len()];
                    let name = &whole.name[..cut.name.len()];
                    assert_eq!(
                        cut,
                        Entry {
                            name,
                            text,
                            ..whole
                        },
                        "{end}"
                    );
                    assert!(is_action || name == whole.name);
                }
            }
            for start in 1..line.len() {
                assert_eq!(parse(line[start..].trim_end().as_bytes()), None, "{start}");
            }
        }
    }

    #[test]
    fn hostile_lines_are_refused() {
        let stamp = "2026-11-22T14:03:07+01:00";
        for tail in [
            "",
            " ",
            " #lobby",
            " #lobby ",
            " lobby <a> b",
            " # <a> b",
            " #lobby a",
            " #lobby <> b",
            " #lobby <a>b",
            " #lobby <a b",
            " #lobby <a b> c",
            " #lobby <<a> b",
            " #lobby *a b",
            " #lobby *  b",
            " #lobby * <a> b",
            "  #lobby <a> b",
            " #lobby  <a> b",
            " #a#b <a> b",
            " #lobby <a\u{200b}> b",
            " #lobby *** a entered",
            " #lobby <a> \u{1b}[2J",
            " #lobby <a> b\r",
            " #lobby <a> \u{9b}31m",
            " #lobby <a> \u{202e}x",
            " #lobby <a\u{202e}> b",
            " #lobby <a> x\ny",
            " #lobby <a> \0",
        ] {
            assert_eq!(parse(format!("{stamp}{tail}").as_bytes()), None, "{tail:?}");
        }
        let tail = " #lobby <a> b";
        assert!(parse(format!("{stamp}{tail}").as_bytes()).is_some());
        for stamp in [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T14:03:07",
            "2026-11-22T14:03:07Z",
            "2026-11-22 14:03:07+01:00",
            "2026-13-22T14:03:07+01:00",
            "2026-02-30T14:03:07+01:00",
            "2026-11-22T24:03:07+01:00",
            "2026-11-22T14:60:07+01:00",
            "2026-11-22T14:03:07+24:00",
            "2026-11-22T14:03:07+01:60",
            "2026-11-22T14:03:07 01:00",
            "2O26-11-22T14:03:07+01:00",
            "+026-11-22T14:03:07+01:00",
            "0000-01-01T00:00:00+00:00",
            "9999-12-31T23:59:59-23:59",
            "2026-11-22T14:03:07+01:000",
            "2026-11-22T14:03:-7+01:00",
            "2026-11-22T14:03:07+01:0é",
        ] {
            assert_eq!(
                parse(format!("{stamp}{tail}").as_bytes()),
                None,
                "{stamp:?}"
            );
        }
        for bytes in [&b"\xff"[..], b"", b"\n", &[b' '; 1000]] {
            assert_eq!(parse(bytes), None);
        }
        let mut bytes = format!("{stamp}{tail}").into_bytes();
        bytes.push(0xff);
        assert_eq!(parse(&bytes), None);
    }

    #[test]
    fn no_bytes_at_all_break_it() {
        // A generator of its own, so that a failure comes again.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let whole = line(entry(false, "NAME", "some text"));
        for _ in 0..100_000 {
            let mut bytes = whole.trim_end().as_bytes().to_vec();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
            let Some(entry) = parse(&bytes) else { continue };
            assert!(!entry.text.contains(clean::is_control), "{bytes:?}");
            check_back(entry);
        }
    }
}
