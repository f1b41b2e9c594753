//! Which colours a received line of the plain dialect gets: people's names one of their own, what
//! the server itself says is dimmed.
//!
//! Owns the forms of contract, section 2, as seen by the eye. Never keeps text and never lets any
//! pass that was not cleaned.

use super::editor::is_secret;
use super::said::{Said, split_time};
use super::scene::Scene;
use crate::wire::clean;

const DIM: &[u8] = b"\x1b[2m";
const BOLD: &[u8] = b"\x1b[1m";
/// The user's own name in what others say.
const MENTION: &[u8] = b"\x1b[7m";
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
    pub fn begin(out: &mut Vec<u8>, text: &[u8], scene: &Scene) -> Self {
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
        in_its_color(out, said.name);
        // Only the colour ends here, a private message's brackets are bold on both sides.
        out.extend_from_slice(b"\x1b[39m");
        out.extend_from_slice(said.close);
        if said.private {
            out.extend_from_slice(RESET);
        }
        with_mentions(out, said.text, scene);
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

/// Appends a line that the user sent: what is said as others see it, commands as they were typed.
pub fn own(out: &mut Vec<u8>, line: &str, me: Option<&str>, color: bool) {
    let (bold, dim, reset) = match color {
        true => (BOLD, DIM, RESET),
        false => (&b""[..], &b""[..], &b""[..]),
    };
    let name = |out: &mut Vec<u8>, before: &[u8], me: &str, after: &[u8]| {
        out.extend_from_slice(before);
        out.extend_from_slice(bold);
        if color {
            in_its_color(out, me.as_bytes());
        } else {
            clean::append(out, me.as_bytes());
        }
        out.extend_from_slice(reset);
        out.extend_from_slice(after);
    };
    let said = match line.strip_prefix('/') {
        Some(literal) if literal.starts_with('/') => Some(literal),
        None if line != "quit" => Some(line),
        _ => None,
    };
    let act = line
        .strip_prefix("/me ")
        .filter(|act| !act.trim().is_empty());
    match (me, said, act) {
        (Some(me), Some(text), _) => {
            name(out, b"<", me, b"> ");
            clean::append(out, text.as_bytes());
        }
        (Some(me), None, Some(text)) => {
            name(out, b"* ", me, b" ");
            clean::append(out, text.as_bytes());
        }
        _ => {
            let shown = match line.split_once(char::is_whitespace) {
                Some((command, _)) if is_secret(line) => format!("{command} ***"),
                _ => line.to_owned(),
            };
            out.extend_from_slice(dim);
            out.extend_from_slice(b"> ");
            clean::append(out, shown.as_bytes());
            out.extend_from_slice(reset);
        }
    }
}

/// Appends a name; the colour stays on.
fn in_its_color(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(format!("\x1b[38;5;{}m", color_of(name)).as_bytes());
    clean::append(out, name);
}

/// Appends what somebody said, with the user's name marked.
fn with_mentions(out: &mut Vec<u8>, text: &[u8], scene: &Scene) {
    let mut rest = text;
    while let Some((start, end)) = scene.mention(rest) {
        clean::append(out, &rest[..start]);
        out.extend_from_slice(MENTION);
        clean::append(out, &rest[start..end]);
        out.extend_from_slice(RESET);
        rest = &rest[end..];
    }
    clean::append(out, rest);
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
        let mut scene = Scene::default();
        scene.line(b"*** you are now eve");
        Paint::begin(&mut out, line, &scene);
        let mut text = String::from_utf8(out).expect("cleaned text is UTF-8");
        for color in NAME_COLORS {
            text = text.replace(&format!("\x1b[38;5;{color}m"), "{color}");
        }
        for (escape, word) in [
            ("\x1b[2m", "{dim}"),
            ("\x1b[1m", "{bold}"),
            ("\x1b[39m", "{/color}"),
            ("\x1b[7m", "{you}"),
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
            (
                "<anna> eve, Eve! every eve",
                "<{color}anna{/color}> {you}eve{/}, {you}Eve{/}! every {you}eve{/}",
            ),
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
    fn own_lines_look_as_others_see_them() {
        for (line, known, unknown) in [
            ("hi", "<eve> hi", "> hi"),
            ("//hi", "<eve> /hi", "> //hi"),
            ("/me waves", "* eve waves", "> /me waves"),
            ("/me  ", "> /me  ", "> /me  "),
            ("/who", "> /who", "> /who"),
            ("quit", "> quit", "> quit"),
            ("/pass s3cret", "> /pass ***", "> /pass ***"),
            ("/Admin s3cret x", "> /Admin ***", "> /Admin ***"),
        ] {
            for (me, expected) in [(Some("eve"), known), (None, unknown)] {
                let mut out = Vec::new();
                own(&mut out, line, me, false);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{line}");
            }
        }
        let mut out = Vec::new();
        own(&mut out, "hi", Some("eve"), true);
        assert!(out.starts_with(b"<\x1b[1m\x1b[38;5;") && out.ends_with(b"meve\x1b[0m> hi"));
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
