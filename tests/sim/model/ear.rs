//! What a client's bytes mean, read from the contract and as naively as can be.

use snug::limits::Millis;
use std::collections::VecDeque;

/// More of a first line than decides what it is.
const FIRST: usize = 1_000;

/// What a client has begun or said, and what nobody has answered yet.
#[derive(Debug, Default)]
pub struct Ear {
    /// Lines without their ends; `None` is one that is too long.
    said: VecDeque<Option<Vec<u8>>>,
    partial: Vec<u8>,
    dropping: bool,
    /// The first line as it came, with its end, or the beginning of it.
    first: Vec<u8>,
    /// When the last of it was read.
    read_at: Millis,
    /// The end of the stream was read.
    pub has_ended: bool,
}

impl Ear {
    /// Bytes were read.
    pub fn hear(&mut self, bytes: &[u8], bare: bool, max_line: usize, now: Millis) {
        self.read_at = now;
        if !self.first.ends_with(b"\n") && self.first.len() < FIRST {
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let end = end.map_or(bytes.len(), |at| at + 1);
            self.first.extend_from_slice(&bytes[..end]);
        }
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let is_whole = piece.ends_with(b"\n");
            if !self.dropping {
                self.partial.extend_from_slice(piece);
                if is_whole {
                    self.partial.pop();
                    strip(&mut self.partial, bare);
                }
                // A carriage return at the end of what there is may belong to the line's end.
                let slack = usize::from(!bare && !is_whole && self.partial.ends_with(b"\r"));
                if self.partial.len() > max_line + slack {
                    self.partial.clear();
                    self.dropping = true;
                    self.said.push_back(None);
                } else if is_whole {
                    self.said.push_back(Some(std::mem::take(&mut self.partial)));
                }
            }
            if is_whole {
                self.dropping = false;
            }
        }
    }

    /// The line that is dealt with next. One without an end is one when its stream has ended, or when it has rested for
    /// so long.
    pub fn next(&mut self, bare: bool, rest: Option<Millis>, now: Millis) -> Option<Vec<u8>> {
        if let Some(line) = self.said.front_mut() {
            let line = line.take()?;
            self.said.pop_front();
            return Some(line);
        }
        let has_rested = rest.is_some_and(|rest| now >= self.read_at + rest);
        let counts = (self.has_ended || has_rested) && self.says_something(bare);
        counts.then(|| {
            strip(&mut self.partial, bare);
            std::mem::take(&mut self.partial)
        })
    }

    /// What was begun has rested, and is no line: it says nothing, or is the rest of one that is too long.
    pub fn rest(&mut self) {
        assert!(self.dropping || !self.partial.is_empty(), "nothing rests");
        assert!(!self.says_something(false), "a line is lost");
        self.partial.clear();
        self.dropping = false;
        if !self.first.ends_with(b"\n") {
            self.first.clear();
        }
    }

    fn says_something(&self, bare: bool) -> bool {
        let mut line = self.partial.clone();
        strip(&mut line, bare);
        match bare {
            true => !line.is_empty(),
            false => !clean(&typed(&line)).is_empty(),
        }
    }

    /// The line that was begun counts no more, nor what still comes of it.
    pub fn lose_line(&mut self) {
        self.dropping |= !self.partial.is_empty();
        self.partial.clear();
    }

    /// Whether a line that is too long is dealt with next.
    pub fn next_is_too_long(&mut self) -> bool {
        self.said.front() == Some(&None) && self.said.pop_front().is_some()
    }

    /// What a first line says that is no chat.
    pub fn stranger(&self) -> Option<&'static str> {
        stranger(&self.first)
    }

    /// Whether all that was said was dealt with; with `rests`, also what has no end.
    pub fn is_empty(&self, bare: bool, rests: bool) -> bool {
        let has_rest = self.says_something(bare) && (rests || self.has_ended);
        self.said.is_empty() && !has_rest
    }
}

fn strip(line: &mut Vec<u8>, bare: bool) {
    if !bare && line.ends_with(b"\r") {
        line.pop();
    }
}

/// What speaks, if it is one of those that come to the wrong port.
fn stranger(first: &[u8]) -> Option<&'static str> {
    let text: String = first.iter().map(|&byte| char::from(byte)).collect();
    let is_array = |rest: &str| {
        let end = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = rest.len() - end.len();
        digits <= 20 && (end.starts_with('\0') || end.starts_with('\r') && digits > 0)
    };
    if text.starts_with("\x16\x03") {
        Some("TLS")
    } else if text.starts_with("SSH-2.0-") {
        Some("SSH")
    } else if text.strip_prefix('*').is_some_and(is_array) {
        Some("the protocol of Redis")
    } else {
        is_request(&text).then_some("HTTP")
    }
}

/// A word in capitals, a target, a version; or a target that is plainly no chat.
fn is_request(text: &str) -> bool {
    let Some((method, rest)) = text.split_once(' ') else {
        return false;
    };
    let is_method =
        (1..=20).contains(&method.len()) && method.chars().all(|c| c.is_ascii_uppercase());
    let target = rest.chars().take_while(char::is_ascii_graphic).count();
    let version = rest[target..].strip_prefix(" HTTP/").map(str::as_bytes);
    let is_version = |version: &[u8]| matches!(version, [a, b'.', b, b'\r' | b'\n', ..] if a.is_ascii_digit() && b.is_ascii_digit());
    let is_long = target > 256 && rest.starts_with('/');
    is_method && target > 0 && (is_long || version.is_some_and(is_version))
}

/// What was typed into a telnet client, byte by byte (RFC 854).
fn typed(line: &[u8]) -> Vec<u8> {
    const IAC: u8 = 255;
    let mut text = Vec::new();
    let mut at = 0;
    // An end of the line is like a byte that means nothing.
    let byte = |at: usize| line.get(at).copied().unwrap_or(0);
    while at < line.len() {
        match (byte(at), byte(at + 1)) {
            (IAC, 250) => {
                at += 2;
                while at < line.len() && (byte(at), byte(at + 1)) != (IAC, 240) {
                    at += if byte(at) == IAC { 2 } else { 1 };
                }
                at += 2;
            }
            (IAC, 251..=254) if at + 2 < line.len() => at += 3,
            (IAC, 236..=239 | 241..=249) => at += 2,
            (IAC, IAC) => {
                text.push(IAC);
                at += 2;
            }
            (other, _) => {
                text.push(other);
                at += 1;
            }
        }
    }
    text
}

/// What somebody asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    Say(String),
    /// A command, and the rest of its line: behind one blank, and without any around it.
    Command {
        word: String,
        raw: String,
        text: String,
    },
}

/// What stands between a command and its arguments.
const BLANKS: [char; 2] = [' ', '\t'];

/// What a plain client's line means.
pub fn meaning(line: &[u8]) -> Wish {
    let command = |word: &str, raw: &str| Wish::Command {
        word: word.into(),
        raw: raw.into(),
        text: asked(word, raw, line),
    };
    let line = &typed(line)[..];
    if line == b"quit" {
        return command("quit", "");
    }
    let text = clean(line);
    if text.starts_with("//") {
        return Wish::Say(text[1..].into());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Wish::Say(text);
    };
    match rest.split_once(BLANKS) {
        Some((word, raw)) => command(word, raw),
        None => command(rest, ""),
    }
}

/// The arguments of a command; a name that somebody asks for is not cleaned.
fn asked(word: &str, raw: &str, line: &[u8]) -> String {
    let words = ["nick", "join"].map(|naming| word.eq_ignore_ascii_case(naming));
    let line = String::from_utf8_lossy(&typed(line)).into_owned();
    let uncleaned = line
        .split_once(BLANKS)
        .map_or("", |(_, uncleaned)| uncleaned);
    let uncleaned = uncleaned.trim_matches(BLANKS);
    let cleaned = raw.trim_matches(BLANKS);
    match words {
        [true, _] => uncleaned.into(),
        [_, true] => {
            let (room, _) = first_word(uncleaned);
            // Where the room is nothing but controls, cleaning has left no word in its place.
            let key = match clean(room.as_bytes()).is_empty() {
                true => cleaned,
                false => first_word(cleaned).1,
            };
            format!("{room} {key}")
        }
        _ => cleaned.into(),
    }
}

/// The first word, and what is behind it.
pub fn first_word(text: &str) -> (&str, &str) {
    let (first, more) = text.split_once(BLANKS).unwrap_or((text, ""));
    (first, more.trim_start_matches(BLANKS))
}

/// Promise 6, character by character.
pub fn clean(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Err(error) = std::str::from_utf8(bytes) {
        let (good, rest) = bytes.split_at(error.valid_up_to());
        let bad = error.error_len().unwrap_or(rest.len());
        text += &String::from_utf8_lossy(good);
        if !(0x80..0xA0).contains(&rest[0]) {
            text.push('\u{FFFD}');
        }
        bytes = &rest[bad..];
    }
    text += &String::from_utf8_lossy(bytes);
    text.retain(|c| !acts(c));
    text
}

/// Whether a character acts on a terminal, by promise 6.
pub fn acts(c: char) -> bool {
    match c as u32 {
        0x09 => false,
        0..0x20 | 0x7F..0xA0 | 0x202A..=0x202E | 0x2066..=0x2069 => true,
        _ => false,
    }
}
