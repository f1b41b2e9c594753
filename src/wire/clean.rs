//! What of a peer's bytes may reach somebody's terminal (contract, promise 6).
//!
//! Taken out: C0 but for the tab, DEL, C1 in either encoding (`U+0080`–`U+009F`, and the lone bytes
//! `0x80`–`0x9F` by which an 8-bit terminal knows them), and the bidirectional overrides and isolates
//! (`U+202A`–`U+202E`, `U+2066`–`U+2069`). Any other invalid UTF-8 becomes U+FFFD, one for each
//! maximal ill-formed part (Unicode, section 3.9). The result is valid UTF-8 without line breaks.

/// Appends `text` to `out`, cleaned.
///
/// Never fails and never drops a printable character. `out` grows by at most three times
/// `text.len()` (a byte that is no UTF-8 becomes the three of U+FFFD).
pub fn append(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        append_str(out, chunk.valid());
        match chunk.invalid() {
            [] | [0x80..=0x9F] => {}
            _ => out.extend_from_slice("\u{FFFD}".as_bytes()),
        }
    }
}

/// [`append`] for text that is known to be UTF-8, as a string of its own.
pub fn cleaned(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    append(&mut out, text);
    // `append` writes whole characters only.
    String::from_utf8(out).unwrap_or_default()
}

/// `text` as it stands, if it is printable ASCII and tabs: nearly every line is, and needs no cleaning.
pub fn as_plain(text: &[u8]) -> Option<&str> {
    str::from_utf8(text)
        .ok()
        .filter(|text| is_plain(text.as_bytes()))
}

/// `text`, cleaned: as it stands where it is clean already, else in `scratch`, whose former content is lost.
pub fn clean<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a str {
    as_plain(text).unwrap_or_else(|| {
        scratch.clear();
        append(scratch, text);
        // `append` writes whole characters only.
        str::from_utf8(scratch).unwrap_or_default()
    })
}

/// Where those lines end, each at its newline, with which `bytes` begin and which are clean as they stand; up to the
/// first that is not, or has no end.
pub fn clean_lines(bytes: &[u8]) -> CleanLines<'_> {
    CleanLines {
        bytes,
        line: 0,
        seen: 0,
        newlines: 0,
    }
}

/// See [`clean_lines`].
#[derive(Debug)]
pub struct CleanLines<'a> {
    bytes: &'a [u8],
    /// Where the next line begins.
    line: usize,
    /// So much has been looked at.
    seen: usize,
    /// The newlines in the last word of that, as [`each`] has them.
    newlines: u64,
}

impl Iterator for CleanLines<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.newlines == 0 {
            let (words, _) = self.bytes.get(self.seen..)?.as_chunks();
            let mut words = words.iter();
            let count = words.len();
            let other = words.position(|&word| !is_shown(u64::from_le_bytes(word)));
            self.seen += size_of::<u64>() * other.unwrap_or(count);
            let word = first_word(&self.bytes[self.seen..])?;
            if word & each(0x80) != 0 {
                return self.next_in_any_script();
            }
            let unclean = unshown(word, b'\n');
            if unclean != 0 {
                // The lines that end before it are clean.
                self.bytes = &self.bytes[..self.seen + first_byte(unclean)];
            }
            self.newlines = found(word, b'\n') & !unclean & unclean.wrapping_sub(1);
            self.seen += size_of::<u64>();
        }
        let end = self.seen - size_of::<u64>() + first_byte(self.newlines);
        self.newlines &= self.newlines - 1;
        self.line = end + 1;
        Some(end)
    }
}

impl CleanLines<'_> {
    fn next_in_any_script(&mut self) -> Option<usize> {
        let rest = &self.bytes[self.line..];
        let line = &rest[..memchr::memchr(b'\n', rest)?];
        str::from_utf8(line)
            .ok()
            .filter(|text| !text.contains(is_control))?;
        let end = self.line + line.len();
        self.line = end + 1;
        self.seen = end + 1;
        Some(end)
    }
}

/// Whether `c` would act on a terminal instead of being shown by it. The tab is none.
pub fn is_control(c: char) -> bool {
    match c {
        '\t' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

/// Printable ASCII and tabs only: nearly every line, and then copied as it is.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let is_plain = |word| is_shown(word) || unshown(word, b'\t') == 0;
    let mut words = words.iter().map(|&word| u64::from_le_bytes(word));
    words.all(is_plain) && first_word(rest).is_none_or(is_plain)
}

/// A word with this byte in eight places: what is looked at eight at once is looked at so. Of an answer for each byte, that
/// byte's highest bit has it.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The first eight bytes, the first of them lowest; where there are fewer, with blanks for the others. `None` if there is
/// none.
#[inline]
fn first_word(bytes: &[u8]) -> Option<u64> {
    let word = bytes.first_chunk().copied().or_else(|| {
        let mut word = [b' '; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        (!bytes.is_empty()).then_some(word)
    });
    word.map(u64::from_le_bytes)
}

/// The place of the first byte that an answer is yes for.
fn first_byte(answer: u64) -> usize {
    (answer.trailing_zeros() / u8::BITS) as usize
}

/// Whether all bytes are printable ASCII.
#[inline]
fn is_shown(word: u64) -> bool {
    // Where a byte is no ASCII the sums may run over into its neighbour, but then the answer is no anyway.
    let is_delete = word.wrapping_add(each(1));
    let is_shown = word.wrapping_add(each(0x80 - b' '));
    (word | is_delete | !is_shown) & each(0x80) == 0
}

/// The bytes that are neither printable ASCII, nor tabs, nor `also`, which is ASCII too. Where one is no ASCII, there are
/// some, but those behind it may be others.
#[inline]
fn unshown(word: u64, also: u8) -> u64 {
    let is_low = !word.wrapping_add(each(0x80 - b' ')) & !found(word, b'\t') & !found(word, also);
    (word | word.wrapping_add(each(1)) | is_low) & each(0x80)
}

/// The bytes of a word of ASCII that are this one.
#[inline]
fn found(word: u64, byte: u8) -> u64 {
    !(word ^ each(byte)).wrapping_add(each(0x7f)) & each(0x80)
}

fn append_str(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(is_control) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut chars = rest[at..].chars();
        chars.next();
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go_and_text_stays() {
        for (input, expected) in [
            (&b"plain text\twith a tab"[..], "plain text\twith a tab"),
            (b"", ""),
            (b"\x1b[31mred\x1b[0m", "[31mred[0m"),
            (b"a\0b\x07c\rd\ne\x7ff", "abcdef"),
            ("C1 \u{9b}31m, \u{85}next".as_bytes(), "C1 31m, next"),
            (b"raw C1 \x9b31m\x80\x9f", "raw C1 31m"),
            (
                "\u{202e}evil\u{202c} \u{2066}x\u{2069}".as_bytes(),
                "evil x",
            ),
            (
                "ltr mark \u{200e} and joiner \u{200d} stay".as_bytes(),
                "ltr mark \u{200e} and joiner \u{200d} stay",
            ),
            ("Grüße, 世界 👋🏽".as_bytes(), "Grüße, 世界 👋🏽"),
            (b"\xff", "\u{FFFD}"),
            (b"\xfe\xff", "\u{FFFD}\u{FFFD}"),
            (b"cut \xe2\x82", "cut \u{FFFD}"),
            (b"\xe2\x82x", "\u{FFFD}x"),
            (b"\xa0 is no C1", "\u{FFFD} is no C1"),
            (b"overlong \xc0\xaf", "overlong \u{FFFD}\u{FFFD}"),
            (b"surrogate \xed\xa0\x80", "surrogate \u{FFFD}\u{FFFD}"),
        ] {
            assert_eq!(cleaned(input), expected, "{input:?}");
        }
    }

    /// The clean lines with which `bytes` begin.
    fn lines(bytes: &[u8]) -> Vec<&[u8]> {
        let mut from = 0;
        let line = |end| &bytes[std::mem::replace(&mut from, end + 1)..end];
        clean_lines(bytes).map(line).collect()
    }

    #[test]
    fn clean_lines_are_found_up_to_the_first_that_is_not() {
        for (text, expected) in [
            ("one\n\ttwo~ \n\nthree", &["one", "\ttwo~ ", ""][..]),
            ("", &[]),
            ("half", &[]),
            ("\n\n\n\n\n\n\n\n\n", &[""; 9]),
            ("größer\n世界 🌍\nplain\n", &["größer", "世界 🌍", "plain"]),
            ("größer\nhalf", &["größer"]),
            ("one\ntwo\r\nthree\n", &["one"]),
            ("one\n\x1btwo\nthree\n", &["one"]),
            ("é\r\n", &[]),
            ("é\u{85}\n", &[]),
            ("é\u{202E}\n", &[]),
            ("é\x1b\n", &[]),
            ("é\n\r", &["é"]),
            (
                "é\na long line without anything\n\x7f\n",
                &["é", "a long line without anything"],
            ),
        ] {
            for before in 0..9 {
                let input = ["x".repeat(before), text.to_owned()].concat();
                let lines = lines(input.as_bytes());
                let expected = expected.iter().map(|line| line.as_bytes());
                let rest = lines.iter().enumerate().map(|(n, line)| match n {
                    0 => &line[before..],
                    _ => line,
                });
                assert!(rest.eq(expected), "{input:?}: {lines:?}");
            }
        }
        assert_eq!(lines(b"ja\n\xc3"), [b"ja"]);
        assert_eq!(lines(b"ja\n\xff\n"), [b"ja"]);
        for text in ["\x1b\nplain\n", "é\x1b\nplain\n"] {
            let mut lines = clean_lines(text.as_bytes());
            assert_eq!((lines.next(), lines.next()), (None, None), "{text:?}");
        }
    }

    #[test]
    fn every_byte_is_looked_at_wherever_it_stands() {
        for byte in 0..=255u8 {
            for before in 0..17 {
                let line = [
                    &b"many bytes before, "[..before],
                    &[byte],
                    b" a few behind\n",
                ]
                .concat();
                let expected: &[&[u8]] = match byte {
                    b'\n' => &[&line[..before], b" a few behind"],
                    b'\t' | 32..127 => &[&line[..line.len() - 1]],
                    _ => &[],
                };
                assert_eq!(lines(&line), expected, "{byte} behind {before}");
                let is_plain = matches!(byte, b'\t' | 32..127);
                assert_eq!(as_plain(&line[..line.len() - 1]).is_some(), is_plain);
            }
        }
    }

    #[test]
    fn every_pair_of_bytes_comes_out_clean() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let mut out = Vec::new();
                append(&mut out, &[b'<', first, second, b'>']);
                let text = std::str::from_utf8(&out).expect("cleaned text is UTF-8");
                assert!(
                    !text.chars().any(is_control),
                    "{first:#x} {second:#x}: {text:?}"
                );
                assert!(
                    text.starts_with('<') && text.ends_with('>'),
                    "{first:#x} {second:#x}"
                );
            }
        }
    }
}
