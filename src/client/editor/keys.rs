//! Bytes from a terminal to keys.
//!
//! Owns what has come so far of a key, a character or a paste whose end is still to come; how the bytes
//! are cut makes no difference. Never does I/O and never looks at a clock: the time is an argument.
//! Holds at most [`PASTE_MAX`] and a few bytes.
//!
//! This is a table of its own rather than termion's: that parser pulls bytes from an iterator and
//! panics where a sequence has not come whole or its numbers are large.

use std::time::{Duration, Instant};

/// The longest paste that is taken.
pub const PASTE_MAX: usize = 1 << 20;
/// An escape byte that nothing follows for so long was the key; what follows later is not part of it.
const ESCAPE_WAIT: Duration = Duration::from_millis(100);
/// A paste that brings nothing for so long has ended: a terminal that lost its end mark must not
/// take the keyboard with it.
const PASTE_WAIT: Duration = Duration::from_secs(5);
/// Parameters of a sequence that are kept. Those that matter are shorter, the rest is skipped.
const PARAMETERS: usize = 16;
/// What a terminal puts behind a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// A key, or what counts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    /// With its letter in upper case.
    Ctrl(char),
    /// A letter, in lower case.
    Alt(char),
    AltBackspace,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    WordDelete,
    Enter,
    Tab,
    BackTab,
    Escape,
    /// The bytes between the marks of a bracketed paste.
    Paste(Vec<u8>),
    /// A paste longer than [`PASTE_MAX`], which was let go.
    PasteTooLong,
    /// No key, but the terminal's answer to where its cursor is: in this column, the first being 1.
    CursorIn(usize),
}

/// Reads keys out of bytes.
#[derive(Debug)]
pub struct Keys {
    state: State,
    /// What of the unfinished item is needed to finish it: see [`State`].
    held: Vec<u8>,
    /// When the last byte came.
    last: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between items; `held` is empty.
    Ground,
    /// Within a character of so many bytes, the first of which are `held`.
    Char(usize),
    /// Behind an escape byte.
    Escape,
    /// Behind `ESC [`; its parameters are `held`.
    Csi,
    /// Behind `ESC [ [`, by which the Linux console begins its function keys.
    Function,
    /// Behind `ESC O`.
    Ss3,
    /// Within a paste, which is `held`, or its last bytes if it is too long.
    Paste { too_long: bool },
}

impl Keys {
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Ground,
            held: Vec::new(),
            last: now,
        }
    }

    /// The next key that `bytes` brings, which loses what was read; `None` once all is read. To be
    /// asked [`Keys::expired`] first.
    pub fn next(&mut self, bytes: &mut &[u8], now: Instant) -> Option<Key> {
        while let Some((&byte, rest)) = bytes.split_first() {
            self.last = now;
            if self.cuts_off(byte) {
                // The byte is not part of the item, and is looked at again.
                if let Some(key) = self.give_up() {
                    return Some(key);
                }
                continue;
            }
            *bytes = rest;
            if let Some(key) = self.byte(byte) {
                return Some(key);
            }
        }
        None
    }

    /// When an item counts as finished though its end has not come.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ground | State::Char(_) => None,
            State::Paste { .. } => Some(self.last + PASTE_WAIT),
            _ => Some(self.last + ESCAPE_WAIT),
        }
    }

    /// What an item whose time is over turns out to be.
    pub fn expired(&mut self, now: Instant) -> Option<Key> {
        match self.deadline() {
            Some(at) if now >= at => self.give_up(),
            _ => None,
        }
    }

    /// Whether a paste has begun and not ended.
    pub fn in_paste(&self) -> bool {
        matches!(self.state, State::Paste { .. })
    }

    /// Whether the unfinished item ends before `byte`, unfinished.
    fn cuts_off(&self, byte: u8) -> bool {
        match self.state {
            State::Char(_) => !(0x80..=0xBF).contains(&byte),
            // A control, or a character beyond ASCII, is part of no sequence. After a lone escape
            // byte it is what it always is, but for the few that Alt is known with.
            State::Csi | State::Ss3 | State::Function => !(0x20..=0x7E).contains(&byte),
            State::Escape => !matches!(byte, 0x20..=0x7F | 0x08 | b'\r' | b'\n'),
            State::Ground | State::Paste { .. } => false,
        }
    }

    /// Ends the unfinished item as it is.
    fn give_up(&mut self) -> Option<Key> {
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Char(_) => {
                self.held.clear();
                Some(Key::Char(char::REPLACEMENT_CHARACTER))
            }
            State::Escape => Some(Key::Escape),
            State::Paste { too_long: true } => {
                self.held = Vec::new();
                Some(Key::PasteTooLong)
            }
            State::Paste { too_long: false } => Some(Key::Paste(std::mem::take(&mut self.held))),
            State::Ground | State::Csi | State::Ss3 | State::Function => {
                self.held.clear();
                None
            }
        }
    }

    fn byte(&mut self, byte: u8) -> Option<Key> {
        match self.state {
            State::Ground => return self.first(byte),
            State::Char(length) => {
                self.held.push(byte);
                if self.held.len() < length {
                    return None;
                }
                let c = str::from_utf8(&self.held)
                    .ok()
                    .and_then(|s| s.chars().next());
                self.end_item();
                return Some(Key::Char(c.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            State::Escape => return self.after_escape(byte),
            State::Csi => return self.in_csi(byte),
            State::Function => self.end_item(),
            State::Ss3 => {
                self.end_item();
                return match byte {
                    b'M' => Some(Key::Enter),
                    _ => plain_key(byte),
                };
            }
            State::Paste { .. } => return self.in_paste_byte(byte),
        }
        None
    }

    /// The first byte of an item.
    fn first(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'\r' | b'\n' => Some(Key::Enter),
            b'\t' => Some(Key::Tab),
            0x08 | 0x7F => Some(Key::Backspace),
            0x1B => {
                self.state = State::Escape;
                None
            }
            0x01..=0x1A => Some(Key::Ctrl(char::from(byte - 1 + b'A'))),
            0x20..=0x7E => Some(Key::Char(char::from(byte))),
            0xC2..=0xF4 => {
                self.state = State::Char(match byte {
                    0xC2..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    _ => 4,
                });
                self.held.push(byte);
                None
            }
            0x80.. => Some(Key::Char(char::REPLACEMENT_CHARACTER)),
            // No key that is used has the other controls.
            _ => None,
        }
    }

    fn after_escape(&mut self, byte: u8) -> Option<Key> {
        self.state = match byte {
            b'[' => State::Csi,
            b'O' => State::Ss3,
            _ => State::Ground,
        };
        match byte {
            b'[' | b'O' => None,
            0x08 | 0x7F => Some(Key::AltBackspace),
            b'\r' | b'\n' => Some(Key::Enter),
            _ => Some(Key::Alt(char::from(byte.to_ascii_lowercase()))),
        }
    }

    fn in_csi(&mut self, byte: u8) -> Option<Key> {
        match byte {
            0x20..=0x3F => {
                if self.held.len() < PARAMETERS {
                    self.held.push(byte);
                }
                return None;
            }
            b'[' if self.held.is_empty() => {
                self.state = State::Function;
                return None;
            }
            b'~' if self.held == b"200" => {
                self.held.clear();
                self.state = State::Paste { too_long: false };
                return None;
            }
            _ => {}
        }
        let key = csi_key(&self.held, byte);
        self.end_item();
        key
    }

    fn in_paste_byte(&mut self, byte: u8) -> Option<Key> {
        self.held.push(byte);
        if byte == b'~' && self.held.ends_with(PASTE_END) {
            self.held.truncate(self.held.len() - PASTE_END.len());
            if self.held.len() > PASTE_MAX {
                self.state = State::Paste { too_long: true };
            }
            return self.give_up();
        }
        if self.held.len() > PASTE_MAX + PASTE_END.len() {
            self.state = State::Paste { too_long: true };
            // Enough to know the end mark by.
            self.held.drain(..self.held.len() - PASTE_END.len());
        }
        None
    }

    fn end_item(&mut self) {
        self.state = State::Ground;
        self.held.clear();
    }
}

/// The key of `ESC [ parameters last`.
fn csi_key(parameters: &[u8], last: u8) -> Option<Key> {
    let mut numbers = parameters.split(|&b| b == b';');
    let first = numbers.next().unwrap_or_default();
    // One more than a set of bits: shift, alt, control.
    let by_word = matches!(
        numbers.next(),
        Some(b"3" | b"4" | b"5" | b"6" | b"7" | b"8")
    );
    match (last, first) {
        (b'~', b"1" | b"7") => Some(Key::Home),
        (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"3") if by_word => Some(Key::WordDelete),
        (b'~', b"3") => Some(Key::Delete),
        (b'Z', _) => Some(Key::BackTab),
        (b'C', _) if by_word => Some(Key::WordRight),
        (b'D', _) if by_word => Some(Key::WordLeft),
        (b'R', _) => column(parameters).map(Key::CursorIn),
        _ => plain_key(last),
    }
}

/// The column of `row;column`.
fn column(parameters: &[u8]) -> Option<usize> {
    let (_, column) = str::from_utf8(parameters).ok()?.split_once(';')?;
    column.parse().ok()
}

/// The keys that `ESC [` and `ESC O` share.
fn plain_key(last: u8) -> Option<Key> {
    match last {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        b'H' => Some(Key::Home),
        b'F' => Some(Key::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(reads: &[&[u8]]) -> Vec<Key> {
        let now = Instant::now();
        let mut keys = Keys::new(now);
        let mut found = Vec::new();
        for mut read in reads.iter().copied() {
            while let Some(key) = keys.next(&mut read, now) {
                found.push(key);
            }
        }
        found
    }

    fn check(bytes: &[u8], expected: &[Key]) {
        for cut in 0..=bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(keys_of(&[a, b]), expected, "{bytes:?} cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(keys_of(&single), expected, "{bytes:?} byte by byte");
    }

    #[test]
    fn each_key_is_known_however_its_bytes_are_cut() {
        use Key::*;
        for (bytes, expected) in [
            (&b"a"[..], Char('a')),
            ("é".as_bytes(), Char('é')),
            ("世".as_bytes(), Char('世')),
            ("👋".as_bytes(), Char('👋')),
            (b"\xff", Char('\u{FFFD}')),
            (b"\x01", Ctrl('A')),
            (b"\x1a", Ctrl('Z')),
            (b"\x08", Backspace),
            (b"\x7f", Backspace),
            (b"\r", Enter),
            (b"\n", Enter),
            (b"\t", Tab),
            (b"\x1b[Z", BackTab),
            (b"\x1b[A", Up),
            (b"\x1bOA", Up),
            (b"\x1b[1;2B", Down),
            (b"\x1b[D", Left),
            (b"\x1b[1;5D", WordLeft),
            (b"\x1b[1;3C", WordRight),
            (b"\x1bOH", Home),
            (b"\x1b[1~", Home),
            (b"\x1b[7~", Home),
            (b"\x1b[F", End),
            (b"\x1b[4~", End),
            (b"\x1b[3~", Delete),
            (b"\x1b[3;5~", WordDelete),
            (b"\x1bB", Alt('b')),
            (b"\x1b\x7f", AltBackspace),
            (b"\x1b\x08", AltBackspace),
            (b"\x1bOM", Enter),
            (
                b"\x1b[200~two\r\nlines \x1b[31m\x1b[201~",
                Paste(b"two\r\nlines \x1b[31m".to_vec()),
            ),
            (b"\x1b[200~\x1b[201~", Paste(vec![])),
            (b"\x1b[200~\x1b[20\x1b[201~", Paste(b"\x1b[20".to_vec())),
        ] {
            check(bytes, std::slice::from_ref(&expected));
            check(&[bytes, b"x"].concat(), &[expected, Char('x')]);
        }
    }

    #[test]
    fn sequences_that_nobody_needs_leave_nothing_behind() {
        for bytes in [
            &b"\x1b[[A"[..],
            b"\x1b[15~",
            b"\x1b[201~",
            b"\x1b[99999999999999999999999999999999~",
            b"\x1b[;;;;~",
            b"\x1b[<0;12;40M",
            b"\x1b[?1;2c",
            b"\x1b[R",
            b"\x1b[12;-4R",
            b"\x1bOP",
            b"\x00\x1c\x1d\x1e\x1f",
        ] {
            check(bytes, &[]);
        }
    }

    #[test]
    fn a_terminal_says_where_its_cursor_is() {
        check(b"\x1b[12;40R", &[Key::CursorIn(40)]);
        check(b"\x1b[1;1Ra", &[Key::CursorIn(1), Key::Char('a')]);
    }

    #[test]
    fn what_is_cut_off_does_not_swallow_what_follows() {
        use Key::*;
        check(b"\x1b\x1b[A", &[Escape, Up]);
        check(b"\x1b\x03", &[Escape, Ctrl('C')]);
        check(b"\x1b[1\x03", &[Ctrl('C')]);
        check(b"\x1b[1;\x1b[A", &[Up]);
        check(b"\xe4\xb8x", &[Char('\u{FFFD}'), Char('x')]);
        check(b"\xe4\x1b[A", &[Char('\u{FFFD}'), Up]);
        check("\x1bé".as_bytes(), &[Escape, Char('é')]);
        check(b"\xed\xa0\x80", &[Char('\u{FFFD}')]);
    }

    #[test]
    fn time_tells_a_lone_escape_from_a_sequence() {
        let start = Instant::now();
        let mut keys = Keys::new(start);
        assert_eq!(keys.deadline(), None);
        assert_eq!(keys.next(&mut &b"\x1b"[..], start), None);
        assert_eq!(keys.deadline(), Some(start + ESCAPE_WAIT));
        assert_eq!(keys.expired(start + ESCAPE_WAIT / 2), None);
        assert_eq!(keys.expired(start + ESCAPE_WAIT), Some(Key::Escape));
        assert_eq!(keys.deadline(), None);
        assert_eq!(
            keys.next(&mut &b"b"[..], start + ESCAPE_WAIT),
            Some(Key::Char('b'))
        );

        assert_eq!(keys.next(&mut &b"\x1b[200~ab"[..], start), None);
        assert!(keys.in_paste());
        assert_eq!(keys.expired(start + ESCAPE_WAIT), None);
        assert_eq!(
            keys.expired(start + PASTE_WAIT),
            Some(Key::Paste(b"ab".to_vec()))
        );
        assert_eq!(keys.next(&mut &b"\x1b[1;"[..], start), None);
        assert_eq!(keys.expired(start + ESCAPE_WAIT), None);
        assert_eq!(keys.next(&mut &b"c"[..], start), Some(Key::Char('c')));
    }

    #[test]
    fn a_paste_is_bounded() {
        for (length, taken) in [
            (PASTE_MAX, true),
            (PASTE_MAX + 1, false),
            (3 * PASTE_MAX, false),
        ] {
            let now = Instant::now();
            let mut keys = Keys::new(now);
            let text = vec![b'~'; length];
            for mut read in [&b"\x1b[200~"[..], &text] {
                assert_eq!(keys.next(&mut read, now), None);
                assert!(keys.held.len() <= PASTE_MAX + PASTE_END.len());
            }
            let expected = if taken {
                Key::Paste(text)
            } else {
                Key::PasteTooLong
            };
            assert_eq!(keys.next(&mut &b"\x1b[201~"[..], now), Some(expected));
            assert_eq!(keys.next(&mut &b"x"[..], now), Some(Key::Char('x')));
        }
    }

    #[test]
    fn no_bytes_make_it_stumble() {
        // Every sequence of three out of those that matter, then a key that must come through.
        let bytes = *b"\x1b[O;0123~ABMZa\x03\x7f\t\r\x80\xc3\xe4\xf0\xff<?";
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    let text = [a, b, c];
                    let whole = keys_of(&[&text, b"\x03"]);
                    assert_eq!(whole.last(), Some(&Key::Ctrl('C')), "{text:?}");
                    assert_eq!(keys_of(&[&[a], &[b], &[c], b"\x03"]), whole, "{text:?}");
                }
            }
        }
    }
}
