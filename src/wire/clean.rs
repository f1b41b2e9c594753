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

/// The whole lines with which `bytes` begin, as text: `None` unless all are clean as they stand, with no `\r` at their
/// ends. To look at them together costs a fraction of looking at each.
pub fn as_clean_lines(bytes: &[u8]) -> Option<&str> {
    // What a read cuts off may be half a character.
    let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let lines = &bytes[..end];
    let is_unclean = |c| c != '\n' && is_control(c);
    str::from_utf8(lines)
        .ok()
        .filter(|text| has_only(lines, b'\n') || !text.contains(is_unclean))
}

/// `line` as a part of `text`, if it is one: if it lies there, not if it merely reads alike.
pub fn part_of<'a>(text: &'a str, line: &[u8]) -> Option<&'a str> {
    let from = line.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    text.get(from..from.checked_add(line.len())?)
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
    has_only(text, b'\t')
}

/// Whether all of `bytes` are printable ASCII, tabs, or `more`, which is ASCII too. It looks at eight at once: each byte
/// of a word has its highest bit for the answer.
#[inline]
fn has_only(bytes: &[u8], more: u8) -> bool {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    // Where a byte is no ASCII the sums may run over into its neighbour, but then the answer is no anyway.
    let is_shown = |word: u64| {
        let is_delete = word.wrapping_add(each(1));
        let is_shown = word.wrapping_add(each(0x80 - b' '));
        (word | is_delete | !is_shown) & each(0x80) == 0
    };
    let is_only = |word: u64| {
        let is_not = |byte: u8| (word ^ each(byte)).wrapping_add(each(0x7f));
        let is_below = !word.wrapping_add(each(0x80 - b' ')) & is_not(b'\t') & is_not(more);
        (word | word.wrapping_add(each(1)) | is_below) & each(0x80) == 0
    };
    let (words, rest) = bytes.as_chunks();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let is_good = |word: [u8; 8]| {
        let word = u64::from_ne_bytes(word);
        is_shown(word) || is_only(word)
    };
    words.iter().all(|&word| is_good(word)) && is_good(last)
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

    #[test]
    fn lines_are_looked_at_together() {
        let input = &b"one\n\ttwo~ \n\nthree"[..];
        let text = as_clean_lines(input).expect("all of it is plain");
        assert_eq!(text.as_bytes(), &input[..12]);
        assert_eq!(part_of(text, &input[4..10]), Some("\ttwo~ "));
        assert_eq!(part_of(text, &input[..0]), Some(""));
        assert_eq!(part_of(text, b"one"), None, "it only reads alike");
        assert_eq!(part_of(&text[4..], &input[..3]), None);
        assert_eq!(part_of(&text[..4], &input[4..7]), None);
        for other in 0..=255u8 {
            let is_plain = matches!(other, b'\n' | b'\t' | 32..127);
            let lines = [b"many bytes before, ", &[other][..], b" and many behind\n"].concat();
            assert_eq!(as_clean_lines(&lines).is_some(), is_plain, "{other}");
        }
    }

    #[test]
    fn lines_in_any_script_are_looked_at_together() {
        for (bytes, expected) in [
            ("größer\n世界 🌍\n", Some("größer\n世界 🌍\n")),
            ("größer\nhalf", Some("größer\n")),
            ("half", Some("")),
            ("é\r\n", None),
            ("é\u{85}\n", None),
            ("é\u{202E}\n", None),
            ("é\x1b\n", None),
            ("é\n\r", Some("é\n")),
        ] {
            assert_eq!(as_clean_lines(bytes.as_bytes()), expected, "{bytes:?}");
        }
        let cut = "ja\né".as_bytes();
        assert_eq!(as_clean_lines(&cut[..cut.len() - 1]), Some("ja\n"));
        assert_eq!(as_clean_lines(b"\xff\n"), None);
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
