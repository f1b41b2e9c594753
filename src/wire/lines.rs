//! Bytes that come in pieces, to lines.
//!
//! A [`Decoder`] keeps the beginning of a line whose end has not come, and nothing else: a line that
//! stands whole in the input is handed on where it stands. Each byte is searched once.

use std::borrow::Cow;

/// What counts as a line; the same for every connection of a dialect.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    /// The longest line, in bytes, without its end.
    pub max: usize,
    /// Whether a `\r` right before the `\n` belongs to the line's end (contract, section 2) or to
    /// the line (a bus relays byte for byte).
    pub strip_cr: bool,
}

/// What a decoder finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A line without its end.
    Line(Cow<'a, [u8]>),
    /// A line over the limit has begun; what there is of it is dropped, and so will be the rest up to its
    /// newline. Said once a line.
    TooLong,
}

/// The whole lines with which `input` begins, with their newlines, and how many they are: as many as are `most` bytes
/// together. `None` if not even one is.
pub fn whole_lines(input: &[u8], most: usize) -> Option<(&[u8], u64)> {
    let first = &input[..input.len().min(most)];
    let end = memchr::memrchr(b'\n', first)? + 1;
    let lines = memchr::memchr_iter(b'\n', &first[..end]).count();
    Some((&first[..end], lines as u64))
}

/// The state of one stream between two reads.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The line begun and not ended: at most `max` bytes, and a `\r` that may be the end's.
    partial: Vec<u8>,
    /// The rest of a line too long is being dropped; `partial` is empty.
    dropping: bool,
}

impl Decoder {
    /// The next item in `input`, which is moved past it. `None`: all of `input` is taken.
    pub fn next<'a>(&mut self, input: &mut &'a [u8], framing: Framing) -> Option<Item<'a>> {
        while !input.is_empty() {
            let Some(at) = memchr::memchr(b'\n', input) else {
                return self.keep(std::mem::take(input), framing);
            };
            let (line, rest) = (&input[..at], &input[at + 1..]);
            *input = rest;
            if std::mem::take(&mut self.dropping) {
                continue;
            }
            let mut line = match self.partial.is_empty() {
                true => Cow::Borrowed(line),
                false => {
                    let mut whole = std::mem::take(&mut self.partial);
                    if whole.len() + line.len() > framing.max + 1 {
                        return Some(Item::TooLong);
                    }
                    whole.extend_from_slice(line);
                    Cow::Owned(whole)
                }
            };
            if framing.strip_cr && line.last() == Some(&b'\r') {
                shorten(&mut line);
            }
            return Some(match line.len() > framing.max {
                true => Item::TooLong,
                false => Item::Line(line),
            });
        }
        None
    }

    /// Takes the line that was begun, or what is being dropped of one, as if its end had come: at the end of the stream, or when it has
    /// rested long enough (`--unterminated`).
    pub fn finish(&mut self, framing: Framing) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.partial);
        self.dropping = false;
        let is_some = !line.is_empty();
        line.pop_if(|last| framing.strip_cr && *last == b'\r');
        is_some.then_some(line)
    }

    /// Drops the line that was begun, and so will be the rest of it.
    pub fn drop_line(&mut self) {
        self.dropping |= !self.partial.is_empty();
        self.partial = Vec::new();
    }

    /// Whether a line has begun whose end has not come.
    pub fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// What has come of a line whose end has not.
    pub fn begun(&self) -> &[u8] {
        &self.partial
    }

    /// Whether the stream stands at the beginning of a line.
    pub fn is_idle(&self) -> bool {
        self.partial.is_empty() && !self.dropping
    }

    /// Whether the rest of a line too long is being dropped.
    pub fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Bytes of memory held between two reads.
    pub fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// Keeps a piece without a newline, unless the line is too long with it.
    fn keep<'a>(&mut self, piece: &[u8], framing: Framing) -> Option<Item<'a>> {
        if self.dropping {
            return None;
        }
        let length = self.partial.len() + piece.len();
        let may_be_end = framing.strip_cr && piece.last() == Some(&b'\r');
        if length > framing.max + usize::from(may_be_end) {
            self.partial = Vec::new();
            self.dropping = true;
            return Some(Item::TooLong);
        }
        if length > self.partial.capacity() {
            // Doubled as usual, but never past the longest line there can be.
            let capacity =
                (self.partial.capacity() * 2).clamp(length, (framing.max + 1).max(length));
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial.extend_from_slice(piece);
        None
    }
}

/// Takes the last byte off.
fn shorten(line: &mut Cow<'_, [u8]>) {
    match line {
        Cow::Borrowed(slice) => *slice = &slice[..slice.len() - 1],
        Cow::Owned(vec) => _ = vec.pop(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Framing = Framing {
        max: 8,
        strip_cr: true,
    };
    const BARE: Framing = Framing {
        max: 8,
        strip_cr: false,
    };

    /// Feeds the pieces, one read each, and renders what comes out: `a|b|!` for the lines `a`, `b` and one too
    /// long, with a line that only the end of the stream completes after `$`.
    fn decode(pieces: &[&[u8]], framing: Framing) -> String {
        let mut decoder = Decoder::default();
        let mut out = String::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(item) = decoder.next(&mut input, framing) {
                match item {
                    Item::Line(line) => out += &line.escape_ascii().to_string(),
                    Item::TooLong => out.push('!'),
                }
                out.push('|');
            }
            assert!(input.is_empty());
            assert!(
                decoder.held() <= framing.max + 1,
                "holds {}",
                decoder.held()
            );
        }
        if let Some(line) = decoder.finish(framing) {
            out += &format!("${}", line.escape_ascii());
        }
        out
    }

    #[test]
    fn lines_of_every_kind() {
        for (input, plain, bare) in [
            ("", "", ""),
            ("a\n", "a|", "a|"),
            ("a\nb\n", "a|b|", "a|b|"),
            ("a\r\nb\r\r\n", "a|b\\r|", "a\\r|b\\r\\r|"),
            ("a\rb\n", "a\\rb|", "a\\rb|"),
            ("\n\n\r\n", "|||", "||\\r|"),
            ("a", "$a", "$a"),
            ("a\nb\r", "a|$b", "a|$b\\r"),
            ("1234567\n", "1234567|", "1234567|"),
            ("12345678\n", "12345678|", "12345678|"),
            ("12345678\r\n", "12345678|", "!|"),
            ("123456789\nb\n", "!|b|", "!|b|"),
            ("12345678\rx\nb\n", "!|b|", "!|b|"),
            ("12345678\r", "$12345678", "!|"),
            ("123456789", "!|", "!|"),
            ("123456789abcdefghijklmnopqrstuvwxyz\nb", "!|$b", "!|$b"),
            ("\0\x01\n", "\\x00\\x01|", "\\x00\\x01|"),
        ] {
            assert_eq!(decode(&[input.as_bytes()], PLAIN), plain, "{input:?}");
            assert_eq!(decode(&[input.as_bytes()], BARE), bare, "{input:?}");
        }
    }

    #[test]
    fn whole_lines_are_as_many_as_may_be() {
        for (input, most, expected) in [
            ("", 9, None),
            ("half", 9, None),
            ("\n", 9, Some(("\n", 1))),
            ("a\n\nb\r\nhalf", 9, Some(("a\n\nb\r\n", 3))),
            ("a\nb\nc\n", 5, Some(("a\nb\n", 2))),
            ("a\nb\nc\n", 2, Some(("a\n", 1))),
            ("a\nb\nc\n", 1, None),
            ("a\n", 0, None),
        ] {
            let expected = expected.map(|(lines, count): (&str, u64)| (lines.as_bytes(), count));
            assert_eq!(whole_lines(input.as_bytes(), most), expected, "{input:?}");
        }
    }

    #[test]
    fn a_line_that_is_dropped_is_dropped_to_its_end() {
        let mut decoder = Decoder::default();
        let mut lines = Vec::new();
        for piece in [&b"one\ntw"[..], b"o\nthr", b"ee\n", b"four\n"] {
            let mut input = piece;
            while let Some(Item::Line(line)) = decoder.next(&mut input, PLAIN) {
                lines.push(line.into_owned());
            }
            if piece.ends_with(b"r") {
                decoder.drop_line();
                assert_eq!(decoder.held(), 0);
            }
        }
        assert_eq!(lines, [&b"one"[..], b"two", b"four"]);
        decoder.drop_line();
        assert!(decoder.is_idle(), "there was none to drop");
    }

    #[test]
    fn whoever_rests_begins_anew() {
        let mut decoder = Decoder::default();
        let mut input = &b"123456789"[..];
        assert_eq!(decoder.next(&mut input, PLAIN), Some(Item::TooLong));
        assert_eq!(decoder.finish(PLAIN), None);
        assert!(decoder.is_idle());
        let mut input = &b"abc"[..];
        assert_eq!(decoder.next(&mut input, PLAIN), None);
        assert_eq!(decoder.finish(PLAIN), Some(b"abc".to_vec()));
    }

    #[test]
    fn every_split_gives_the_same_lines() {
        let input = b"one\r\n\ntwo\rthree\n12345678\r\n12345678\n123456789\n\r\n12345678\rx\nlong long long\nend\r\nx";
        for framing in [PLAIN, BARE] {
            let whole = decode(&[input], framing);
            for first in 0..=input.len() {
                for second in first..=input.len() {
                    let pieces = [&input[..first], &input[first..second], &input[second..]];
                    assert_eq!(
                        decode(&pieces, framing),
                        whole,
                        "split at {first} and {second}"
                    );
                }
            }
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(decode(&bytes, framing), whole);
        }
    }
}
