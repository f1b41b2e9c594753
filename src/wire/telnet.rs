//! What telnet clients send besides what is typed (RFC 854).
//!
//! Owns how to tell it from text, and the one answer without which such a client shows nothing more. Whatever else it
//! asks for, it does without.

use std::borrow::Cow;

/// Begins each command. Twice, it is a byte of text.
const IAC: u8 = 0xFF;
/// The end of what [`SB`] begins.
const SE: u8 = 0xF0;
/// Begins something of any length.
const SB: u8 = 0xFA;

/// What Ctrl-C sends: to interrupt what runs there, and to say where in the stream that happened. Until it is told, the
/// client throws away all that comes.
const INTERRUPT: &[u8] = b"\xFF\xF4\xFF\xFD\x06";
/// That this will not be told, and what the key was probably meant to do.
const ANSWER: &[u8] = b"\xFF\xFC\x06*** to leave, type quit\n";

/// What is to be said to somebody who has sent these bytes just now, if they wait for it.
pub fn answer(bytes: &[u8]) -> Option<&'static [u8]> {
    bytes.ends_with(INTERRUPT).then_some(ANSWER)
}

/// A line without its commands. One that is not whole is none, but for what [`SB`] begins: that goes up to the line's
/// end, if it has no other.
pub fn strip(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(IAC, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(IAC, rest) {
        let (before, command) = rest.split_at(at);
        text.extend_from_slice(before);
        let length = match command {
            // Will, won't, do, don't.
            [_, 0xFB..=0xFE, _, ..] => 3,
            [_, SB, data @ ..] => 2 + subnegotiation(data),
            // A key such as Ctrl-C, and the like. `SE` alone means nothing, and begins many an emoji.
            [_, 0xEC..=0xEF | 0xF1..=0xF9, ..] => 2,
            [_, IAC, ..] => {
                text.push(IAC);
                2
            }
            _ => {
                text.push(IAC);
                1
            }
        };
        rest = &command[length..];
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// How long it is, with its end.
fn subnegotiation(data: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr::memchr(IAC, &data[at..]) {
        at += next + 2;
        match data.get(at - 1) {
            Some(&SE) => return at,
            Some(_) => {}
            None => break,
        }
    }
    data.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_and_text_stays() {
        for (line, expected) in [
            (&b"hello"[..], &b"hello"[..]),
            (b"", b""),
            // What clients begin with, and what Ctrl-C sends.
            (b"\xff\xfb\x1f\xff\xfd\x03hello", b"hello"),
            (b"\xff\xf4\xff\xfd\x06hello", b"hello"),
            (b"he\xff\xf1llo\xff\xf9", b"hello"),
            (b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0hello", b"hello"),
            (b"\xff\xfa\x1f\0\xff\xff\0\x18\xff\xf0hello", b"hello"),
            (b"\xff\xfa\xff\xf0\xff\xfe\x01x", b"x"),
            (b"a\xff\xfa\x1f\0\x50\0\x18", b"a"),
            (b"a\xff\xfa\xff", b"a"),
            (b"a\xff\xfa", b"a"),
            // The options may be any byte.
            (b"\xff\xfb\xff\xff\xfd\xfax", b"x"),
            (b"\xff\xfba", b""),
            // Text, and what is no command.
            (b"a\xff\xffb", b"a\xffb"),
            (b"\xff\xff\xff\xf4b", b"\xffb"),
            (b"\xff\xff\xff", b"\xff\xff"),
            (b"a\xff", b"a\xff"),
            (
                b"\xff is a letter in some places",
                b"\xff is a letter in some places",
            ),
            (b"\xff\xfe", b"\xff\xfe"),
            (b"\xff\xeb", b"\xff\xeb"),
            (b"\xff\xf0\x9f\x8d\xba", b"\xff\xf0\x9f\x8d\xba"),
        ] {
            let stripped = strip(line);
            assert_eq!(
                &*stripped,
                expected,
                "{:?}",
                line.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn an_interrupt_is_answered() {
        for (bytes, is_answered) in [
            (&b"\xff\xf4\xff\xfd\x06"[..], true),
            (b"hello\xff\xf4\xff\xfd\x06", true),
            (b"\xff\xf4\xff\xfd\x06\n", false),
            (b"\xff\xfd\x06", false),
            (b"", false),
        ] {
            assert_eq!(answer(bytes).is_some(), is_answered, "{bytes:x?}");
        }
        assert!(ANSWER.ends_with(b"\n"), "whole lines only");
    }

    #[test]
    fn no_bytes_break_it_and_it_only_takes_away() {
        let bytes = [IAC, SB, SE, 0xFB, 0xF4, b'a'];
        for mut number in 0..6_u32.pow(7) {
            let mut line = [0; 7];
            for byte in &mut line {
                *byte = bytes[(number % 6) as usize];
                number /= 6;
            }
            let stripped = strip(&line);
            let mut rest = line.iter();
            assert!(
                stripped.iter().all(|b| rest.any(|other| other == b)),
                "{line:x?}"
            );
        }
    }
}
