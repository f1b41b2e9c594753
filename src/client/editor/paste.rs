//! Several lines that come at once.
//!
//! Owns what is pasted until it is taken into the line or sent. Nothing in it can act on a terminal.
//! Never changes the line itself.

use super::keys::PASTE_MAX;
use super::line::{LINE_MAX, Line};
use crate::wire::clean;

/// A paste of more lines is sent only when the user says so.
const UNASKED: usize = 5;

/// A paste, cleaned.
#[derive(Debug)]
pub struct Paste {
    /// Lines with `\n` between them.
    text: String,
    /// Characters that would have acted on a terminal.
    left_out: usize,
}

impl Paste {
    /// Takes pasted bytes: lines end in `\r` (so terminals have it), `\n` or both.
    pub fn new(bytes: &[u8]) -> Self {
        let mut text = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
            clean::append(&mut text, &rest[..end]);
            text.push(b'\n');
            let both = rest[end..].starts_with(b"\r\n");
            rest = &rest[end + 1 + usize::from(both)..];
        }
        clean::append(&mut text, rest);
        // What was cleaned is UTF-8.
        let text = String::from_utf8(text).unwrap_or_default();
        let ends = memchr::memchr2_iter(b'\r', b'\n', bytes).count();
        // A byte that is no UTF-8 is one character in both, unless it was left out.
        let pasted = String::from_utf8_lossy(bytes).chars().count() - ends;
        let left_out = pasted - text.chars().filter(|&c| c != '\n').count();
        Self { text, left_out }
    }

    /// What is to be said of a paste that was not text alone.
    pub fn warning(&self) -> Option<String> {
        let characters = match self.left_out {
            0 => return None,
            1 => "1 control character".into(),
            n => format!("{n} control characters"),
        };
        Some(format!(
            "pasted without {characters}: only text can be sent"
        ))
    }

    /// Each line, and whether its end was pasted too.
    pub fn lines(&self) -> impl Iterator<Item = (&str, bool)> {
        let lines = self.text.split_inclusive('\n');
        lines.map(|line| match line.strip_suffix('\n') {
            Some(line) => (line, true),
            None => (line, false),
        })
    }

    /// Whether it would send lines.
    pub fn ends_lines(&self) -> bool {
        self.text.contains('\n')
    }

    /// Whether the user is to be asked.
    pub fn is_long(&self) -> bool {
        self.lines().nth(UNASKED).is_some()
    }

    /// The question, as a line to show: as much of it as so many columns have room for.
    pub fn question(&self, columns: usize) -> Line {
        let count = self.lines().count();
        let shortest = String::from("y/n ");
        let wordings = [
            format!("paste of {count} lines: send them? y/n "),
            format!("send {count} lines? y/n "),
            format!("{count} lines? y/n "),
        ];
        let mut fitting = wordings.into_iter().filter(|text| text.len() <= columns);
        let mut line = Line::default();
        line.set(fitting.next().unwrap_or(shortest));
        line
    }

    /// Whether each line of it can be sent, with what stands in `line` already.
    pub fn fits(&self, line: &Line) -> Result<(), String> {
        // The first comes into the line, the others into an empty one.
        let typed = [line.text().len()].into_iter().chain(std::iter::repeat(0));
        match self
            .lines()
            .zip(typed)
            .all(|((text, _), typed)| typed + text.len() <= LINE_MAX)
        {
            true => Ok(()),
            false => Err(format!(
                "not pasted: a line of it would be longer than {LINE_MAX} bytes"
            )),
        }
    }
}

/// Why a paste was not taken.
pub fn too_long() -> String {
    format!(
        "not pasted: it is longer than {} KiB; 'snug connect < FILE' sends a file",
        PASTE_MAX >> 10
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_is_cut_into_clean_lines() {
        for (bytes, expected) in [
            (&b""[..], &[][..]),
            (b"one", &[("one", false)]),
            (b"one\rtwo\n", &[("one", true), ("two", true)]),
            (
                b"one\r\n\r\ntwo",
                &[("one", true), ("", true), ("two", false)],
            ),
            (b"\n\r", &[("", true), ("", true)]),
            (
                b"\x1b[31mred\x07\x1b[0m\tx\x9b\n",
                &[("[31mred[0m\tx", true)],
            ),
            (b"a\xff\x00", &[("a\u{FFFD}", false)]),
        ] {
            let paste = Paste::new(bytes);
            assert_eq!(paste.lines().collect::<Vec<_>>(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_left_out_and_told_of() {
        for (bytes, left_out) in [
            (&b"a\r\nb\tc\r\xff\xfe"[..], 0),
            (b"\x1b[31mred", 1),
            ("\u{202E}x\x07\u{9b}\n".as_bytes(), 3),
            (b"\x9bx\xffy\x00", 2),
        ] {
            let warning = Paste::new(bytes).warning();
            let expected = match left_out {
                0 => None,
                1 => Some("pasted without 1 control character: only text can be sent".into()),
                n => Some(format!(
                    "pasted without {n} control characters: only text can be sent"
                )),
            };
            assert_eq!(warning, expected, "{bytes:?}");
        }
    }

    #[test]
    fn long_pastes_are_asked_about() {
        for (bytes, long) in [
            (&b"1\n2\n3\n4\n5\n"[..], false),
            (b"1\n2\n3\n4\n5\n6", true),
        ] {
            assert_eq!(Paste::new(bytes).is_long(), long);
        }
    }
}
