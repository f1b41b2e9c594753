//! What a client's bytes mean, read from the contract and as naively as can be.

use snug::limits::Millis;
use std::collections::VecDeque;

/// What a client has begun or said, and what nobody has answered yet.
#[derive(Debug, Default)]
pub struct Ear {
    /// Lines without their ends; `None` is one that is too long.
    said: VecDeque<Option<Vec<u8>>>,
    partial: Vec<u8>,
    dropping: bool,
    /// When the last of it was read.
    read_at: Millis,
    /// The end of the stream was read.
    pub has_ended: bool,
}

impl Ear {
    /// Bytes were read.
    pub fn hear(&mut self, bytes: &[u8], bare: bool, max_line: usize, now: Millis) {
        self.read_at = now;
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
        let counts = (self.has_ended || has_rested) && !self.partial.is_empty();
        counts.then(|| {
            strip(&mut self.partial, bare);
            std::mem::take(&mut self.partial)
        })
    }

    /// Whether a line that is too long is dealt with next.
    pub fn next_is_too_long(&mut self) -> bool {
        self.said.front() == Some(&None) && self.said.pop_front().is_some()
    }

    /// Whether all that was said was dealt with; with `rests`, also what has no end.
    pub fn is_empty(&self, rests: bool) -> bool {
        let has_rest = !self.partial.is_empty() && (rests || self.has_ended);
        self.said.is_empty() && !has_rest
    }
}

fn strip(line: &mut Vec<u8>, bare: bool) {
    if !bare && line.ends_with(b"\r") {
        line.pop();
    }
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

/// What a plain client's line means.
pub fn meaning(line: &[u8]) -> Wish {
    let command = |word: &str, raw: &str| Wish::Command {
        word: word.into(),
        raw: raw.into(),
        text: raw.trim().into(),
    };
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
    match rest.split_once([' ', '\t']) {
        Some((word, raw)) => command(word, raw),
        None => command(rest, ""),
    }
}

/// The first word, and what is behind it.
pub fn first_word(text: &str) -> (&str, &str) {
    let (first, more) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (first, more.trim_start())
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
