//! Which colours a received line of the plain dialect gets: people's names one of their own, what
//! the server itself says is dimmed.
//!
//! Owns the forms of contract, section 2, as seen by the eye. Never keeps text and never lets any
//! pass that was not cleaned.

use crate::wire::clean;

const DIM: &[u8] = b"\x1b[2m";
const BOLD: &[u8] = b"\x1b[1m";
const RESET: &[u8] = b"\x1b[0m";

/// Colours of the 256 that can be read on black and on white.
const NAME_COLORS: [u8; 16] = [
    32, 34, 61, 64, 67, 71, 97, 100, 125, 130, 133, 136, 160, 166, 168, 172,
];

/// How a line goes on after the piece of it that was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Dim,
}

impl Paint {
    /// Appends the beginning of a line (mostly all of it), cleaned and coloured.
    pub fn begin(out: &mut Vec<u8>, text: &[u8]) -> Self {
        if text.starts_with(b"***") {
            Self::Dim.go_on(out, text);
            return Self::Dim;
        }
        let (time, text) = split_time(text);
        Self::Dim.go_on(out, time);
        let Some(said) = Said::split(text) else {
            Self::Plain.go_on(out, text);
            return Self::Plain;
        };
        if said.private {
            out.extend_from_slice(BOLD);
        }
        out.extend_from_slice(said.open);
        out.extend_from_slice(format!("\x1b[38;5;{}m", color_of(said.name)).as_bytes());
        clean::append(out, said.name);
        // Only the colour ends here, a private message's brackets are bold on both sides.
        out.extend_from_slice(b"\x1b[39m");
        out.extend_from_slice(said.close);
        if said.private {
            out.extend_from_slice(RESET);
        }
        Self::Plain.go_on(out, said.text);
        Self::Plain
    }

    /// Appends a further piece of the line. Each piece ends without colour.
    pub fn go_on(self, out: &mut Vec<u8>, text: &[u8]) {
        match self {
            Self::Dim if !text.is_empty() => {
                out.extend_from_slice(DIM);
                clean::append(out, text);
                out.extend_from_slice(RESET);
            }
            _ => clean::append(out, text),
        }
    }
}

/// A line that somebody said, in its parts.
struct Said<'a> {
    private: bool,
    open: &'a [u8],
    name: &'a [u8],
    close: &'a [u8],
    text: &'a [u8],
}

impl<'a> Said<'a> {
    /// Splits `<NAME> text`, `[NAME] text`, `[-> NAME] text` and `* NAME text`.
    fn split(line: &'a [u8]) -> Option<Self> {
        let forms: [(&[u8], &[u8], bool); 4] = [
            (b"<", b"> ", false),
            (b"[-> ", b"] ", true),
            (b"[", b"] ", true),
            (b"* ", b" ", false),
        ];
        let (open, close, private) = forms
            .into_iter()
            .find(|(open, _, _)| line.starts_with(open))?;
        let (open, rest) = line.split_at(open.len());
        let end = rest.windows(close.len()).position(|part| part == close)?;
        let (name, rest) = rest.split_at(end);
        let (close, text) = rest.split_at(close.len());
        // Names have no blanks; what has one is text of another kind.
        (!name.is_empty() && !name.contains(&b' ')).then_some(Self {
            private,
            open,
            name,
            close,
            text,
        })
    }
}

/// Splits the time off a line of history: `[14:03] ` or `[3 min ago] `.
fn split_time(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().take(24).position(|&b| b == b']');
    let is_time = match end.map(|end| &line[..end]) {
        Some([b'[', h1, h2, b':', m1, m2]) => [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        Some([b'[', age @ ..]) => age.ends_with(b" ago"),
        _ => false,
    };
    match end {
        Some(end) if is_time && line.get(end + 1) == Some(&b' ') => line.split_at(end + 2),
        _ => (&[], line),
    }
}

/// The same for the same name, whatever its case: the server takes names without regard to it.
fn color_of(name: &[u8]) -> u8 {
    // FNV-1a: a few bytes, spread well enough over a few colours.
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    // Its upper bits hardly know the last letters; a multiplication brings those up.
    let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    NAME_COLORS[spread as usize % NAME_COLORS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `line` painted, with its escapes in words.
    fn painted(line: &[u8]) -> String {
        let mut out = Vec::new();
        Paint::begin(&mut out, line);
        let mut text = String::from_utf8(out).expect("cleaned text is UTF-8");
        for color in NAME_COLORS {
            text = text.replace(&format!("\x1b[38;5;{color}m"), "{color}");
        }
        for (escape, word) in [
            ("\x1b[2m", "{dim}"),
            ("\x1b[1m", "{bold}"),
            ("\x1b[39m", "{/color}"),
            ("\x1b[0m", "{/}"),
        ] {
            text = text.replace(escape, word);
        }
        text
    }

    #[test]
    fn each_form_has_its_colours() {
        for (line, expected) in [
            ("*** anna entered", "{dim}*** anna entered{/}"),
            ("<anna> hello", "<{color}anna{/color}> hello"),
            ("[anna] psst", "{bold}[{color}anna{/color}] {/}psst"),
            ("[-> anna] psst", "{bold}[-> {color}anna{/color}] {/}psst"),
            ("* anna waves", "* {color}anna{/color} waves"),
            (
                "[14:03] <anna> hello",
                "{dim}[14:03] {/}<{color}anna{/color}> hello",
            ),
            (
                "[3 min ago] * anna waves",
                "{dim}[3 min ago] {/}* {color}anna{/color} waves",
            ),
            (
                "[192.168.1.7] psst",
                "{bold}[{color}192.168.1.7{/color}] {/}psst",
            ),
            ("Welcome to this chatroom!", "Welcome to this chatroom!"),
            ("<no name", "<no name"),
            ("<> empty", "<> empty"),
            ("[two words] text", "[two words] text"),
            ("a <b> c", "a <b> c"),
            ("", ""),
            (
                "<an\x1b[5mna> \x1b]0;x\x07hi",
                "<{color}an[5mna{/color}> ]0;xhi",
            ),
        ] {
            assert_eq!(painted(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn a_name_keeps_its_colour_and_names_differ() {
        assert_eq!(color_of(b"Anna"), color_of(b"aNNA"));
        let mut colors: Vec<u8> = (0..200u32)
            .map(|i| color_of(format!("user{i}").as_bytes()))
            .collect();
        colors.sort_unstable();
        colors.dedup();
        assert_eq!(colors, NAME_COLORS);
    }
}
