//! Reads what is written after an option, or says what should stand there.

use super::options::Value;
use crate::address::Address;
use crate::limits;
use crate::wire::clean::is_control;
use std::ops::RangeInclusive;

/// The most lines a second, or at once.
pub(super) const MAX_LINES: u64 = 1_000_000;

/// Reads a number of bytes: digits, then `K`, `M` or `G` for powers of 1024, or nothing.
pub(super) fn size(text: &str, range: RangeInclusive<usize>) -> Result<Value, String> {
    let shift = match text.bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        Some(b'g' | b'G') => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        text
    } else {
        &text[..text.len() - 1]
    };
    let number = match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => digits.parse::<usize>().ok(),
        false => None,
    };
    let Some(bytes) = number.and_then(|n| n.checked_mul(1 << shift)) else {
        return Err("write a number of bytes such as 4096, 64K, 1M or 1G".into());
    };
    match range.contains(&bytes) {
        true => Ok(Value::Number(bytes as u64)),
        false => Err(format!(
            "it must be from {} to {} bytes",
            range.start(),
            range.end()
        )),
    }
}

/// Reads a number.
pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<Value, String> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(Value::Number(number)),
        _ => Err(format!(
            "write a number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// Reads a number of things of which there must be one.
pub(super) fn count(text: &str) -> Result<Value, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(n) => Ok(Value::Number(n)),
        Err(_) => Err("write a number such as 100".into()),
    }
}

/// Reads how many lines a second somebody may say; 0 is no limit.
pub(super) fn rate(text: &str) -> Result<Value, String> {
    match text.parse() {
        _ if text.eq_ignore_ascii_case("off") => Ok(Value::Number(0)),
        Ok(lines @ 1..=MAX_LINES) => Ok(Value::Number(lines)),
        _ => Err(format!(
            "write a number of lines from 1 to {MAX_LINES}, or off"
        )),
    }
}

/// Reads how many lines of a room's history are replayed.
pub(super) fn history(text: &str) -> Result<Value, String> {
    number(text, 0..=limits::HISTORY as u64)
}

/// Takes a greeting of one line: what is no control is sent as it is.
pub(super) fn welcome(text: &str) -> Result<Value, String> {
    match text.contains(is_control) {
        true => Err("it must be one line without control characters".into()),
        false => Ok(Value::Text(text.into())),
    }
}

/// Takes a name or a room. Whether it is a good one is the server's to say; here it must only be something
/// that a line can hold, and one word: what follows it would be taken for a room's key.
pub(super) fn word(text: &str) -> Result<Value, String> {
    let is_blank = |c: char| c.is_whitespace() || is_control(c);
    match text {
        "" => Err("it cannot be empty".into()),
        _ if text.contains(is_blank) => {
            Err("it must be one word, without blanks and control characters".into())
        }
        _ => Ok(Value::Text(text.into())),
    }
}

/// Reads how much is logged.
pub(super) fn level(text: &str) -> Result<Value, String> {
    match text.parse() {
        Ok(level) => Ok(Value::Level(level)),
        Err(_) => Err("write off, error, warn, info, debug or trace".into()),
    }
}

/// Reads an address to listen at.
pub(super) fn to_listen(text: &str) -> Result<Value, String> {
    let address = Address::listen(text).map_err(|error| error.to_string())?;
    Ok(Value::Address(address))
}

/// Reads an address to connect to.
pub(super) fn to_connect(text: &str) -> Result<Value, String> {
    let address = Address::connect(text).map_err(|error| error.to_string())?;
    Ok(Value::Address(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_units_and_keep_to_their_range() {
        for (text, expected) in [
            ("1", Some(1)),
            ("4096", Some(4096)),
            ("64k", Some(65536)),
            ("1M", Some(1 << 20)),
            ("2G", None),
            ("", None),
            ("K", None),
            ("+1", None),
            ("-1", None),
            ("1.5M", None),
            ("1MB", None),
            ("99999999999999999999", None),
            ("18446744073709551615K", None),
            ("0", None),
        ] {
            let read = match size(text, 1..=1 << 30) {
                Ok(Value::Number(bytes)) => Some(bytes),
                _ => None,
            };
            assert_eq!(read, expected, "{text:?}");
        }
    }
}
