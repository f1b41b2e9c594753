//! What a client's bytes must bring about, read from the contract and as naively as can be.

use std::fmt;

/// What one line, or the end of the stream, brings about.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    /// The room gets a line of talk.
    Say(Vec<u8>),
    Act(Vec<u8>),
    /// The connection ends: with a last word, with its stream, or because a bus takes no such line.
    Quit(Vec<u8>),
    End,
    Expel,
    /// The client alone gets an answer.
    Pong(Vec<u8>),
    Who,
    Help(Vec<u8>),
    Unknown(Vec<u8>),
    Usage,
    TooLong,
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, text): (_, &[u8]) = match self {
            Self::Say(text) => ("Say", text),
            Self::Act(text) => ("Act", text),
            Self::Quit(text) => ("Quit", text),
            Self::End => ("End", b""),
            Self::Expel => ("Expel", b""),
            Self::Pong(text) => ("Pong", text),
            Self::Who => ("Who", b""),
            Self::Help(text) => ("Help", text),
            Self::Unknown(text) => ("Unknown", text),
            Self::Usage => ("Usage", b""),
            Self::TooLong => ("TooLong", b""),
        };
        write!(f, "{name}(\"{}\")", text.escape_ascii())
    }
}

impl Effect {
    pub fn is_private(&self) -> bool {
        use Effect::*;
        matches!(self, Pong(_) | Who | Help(_) | Unknown(_) | Usage | TooLong)
    }

    pub fn is_end(&self) -> bool {
        matches!(self, Self::Quit(_) | Self::End | Self::Expel)
    }
}

/// Collects a client's bytes until they are lines.
#[derive(Debug, Default)]
pub struct Ear {
    pub partial: Vec<u8>,
    dropping: bool,
}

impl Ear {
    /// What `bytes` bring about. Nothing that comes behind a connection's end does.
    pub fn hear(&mut self, bytes: &[u8], bare: bool, max_line: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        let too_long = || if bare { Effect::Expel } else { Effect::TooLong };
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let ended = piece.ends_with(b"\n");
            if !self.dropping {
                self.partial.extend_from_slice(piece);
                if ended {
                    self.partial.pop();
                    if !bare && self.partial.ends_with(b"\r") {
                        self.partial.pop();
                    }
                }
                // A carriage return at the end of what there is may belong to the line's end.
                let slack = usize::from(!bare && !ended && self.partial.ends_with(b"\r"));
                if self.partial.len() > max_line + slack {
                    self.partial.clear();
                    self.dropping = true;
                    effects.push(too_long());
                } else if ended {
                    effects.push(meaning(&std::mem::take(&mut self.partial), bare));
                }
            }
            if ended {
                self.dropping = false;
            }
            if effects.last().is_some_and(Effect::is_end) {
                break;
            }
        }
        effects
    }

    /// The line without an end that there is counts as one.
    pub fn finish(&mut self, bare: bool) -> Option<Effect> {
        let line = std::mem::take(&mut self.partial);
        (!line.is_empty()).then(|| meaning(&line, bare))
    }
}

fn meaning(line: &[u8], bare: bool) -> Effect {
    if bare {
        return Effect::Say(line.to_vec());
    }
    let line = &typed(line)[..];
    if line == b"quit" {
        return Effect::Quit(Vec::new());
    }
    let text = clean(line);
    if text.starts_with("//") {
        return Effect::Say(text.as_bytes()[1..].to_vec());
    }
    let Some(command) = text.strip_prefix('/') else {
        return Effect::Say(text.into_bytes());
    };
    let at = command.find([' ', '\t']).unwrap_or(command.len());
    let (word, rest) = (&command[..at], command.get(at + 1..).unwrap_or(""));
    match word.to_ascii_lowercase().as_str() {
        "me" if rest.trim().is_empty() => Effect::Usage,
        "me" => Effect::Act(rest.into()),
        "quit" => Effect::Quit(rest.trim().into()),
        "who" => Effect::Who,
        "ping" => Effect::Pong(rest.into()),
        "help" if ["", "help", "me", "ping", "quit", "who"].contains(&rest.trim()) => {
            Effect::Help(rest.trim().into())
        }
        "help" => Effect::Unknown(rest.trim().into()),
        _ => Effect::Unknown(word.into()),
    }
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

/// Promise 6, character by character.
fn clean(mut bytes: &[u8]) -> String {
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
    text.retain(|c| match c as u32 {
        0x09 => true,
        0..0x20 | 0x7F..0xA0 | 0x202A..=0x202E | 0x2066..=0x2069 => false,
        _ => true,
    });
    text
}
