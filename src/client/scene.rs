//! Who is there, where one is and what one is called, as far as the server's lines tell.
//!
//! Owns the names and rooms heard of, newest last and a limited number of them. Never asks the server
//! anything, and takes what it reads as a hint: a hostile server can mislead, not do harm. Nothing kept
//! has controls in it.

use super::said::{Said, split_time};
use crate::wire::clean::is_control;
use crate::wire::heard::LOBBY;

/// Names that are remembered.
const NAMES: usize = 500;
/// Rooms that are remembered.
const ROOMS: usize = 100;
/// The longest name or room that is taken for one. Names have 30 characters, addresses with port up
/// to 47.
const LONGEST: usize = 128;

/// What is known of the chat.
#[derive(Debug, Default)]
pub struct Scene {
    me: Option<String>,
    room: Option<String>,
    names: Vec<String>,
    rooms: Vec<String>,
}

impl Scene {
    /// What one is called.
    pub fn me(&self) -> Option<&str> {
        self.me.as_deref()
    }

    /// The room one is in, with its `#`.
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Other people, who last spoke first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let others = self.names.iter().rev().map(String::as_str);
        others.filter(|name| !self.is_me(name))
    }

    /// Rooms, the last heard of first.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().rev().map(String::as_str)
    }

    /// The connection is lost: on the next one is somebody else, until the server says who.
    pub fn left(&mut self) {
        self.me = None;
        self.room = None;
    }

    /// Takes in a received line.
    pub fn line(&mut self, line: &[u8]) {
        if let Some(notice) = line.strip_prefix(b"*** ") {
            self.notice(notice);
            return;
        }
        // Whoever hears more than the server's own lines is in a room; the first is the lobby.
        if self.room.is_none() {
            self.room = Some(LOBBY.to_owned());
            remember(&mut self.rooms, LOBBY, ROOMS);
        }
        if let Some(said) = Said::split(split_time(line).1) {
            self.heard(said.name);
        }
    }

    /// Whether a received line is news that speaks to the user: names them, or is for them alone.
    pub fn calls_me(&self, line: &[u8]) -> bool {
        let (time, line) = split_time(line);
        match Said::split(line) {
            _ if !time.is_empty() => false,
            Some(said) if said.is_own() => false,
            Some(said) => said.private || self.mention(said.text).is_some(),
            None => false,
        }
    }

    /// Where in `text` the user's name stands, as a word.
    pub fn mention(&self, text: &[u8]) -> Option<(usize, usize)> {
        let me = self.me.as_deref()?.as_bytes();
        // A name is never empty: see `is_name`.
        let windows = text.windows(me.len()).enumerate();
        windows
            .filter(|(_, window)| window.eq_ignore_ascii_case(me))
            .map(|(at, _)| (at, at + me.len()))
            .find(|&(start, end)| !ends_in_word(&text[..start]) && !begins_in_word(&text[end..]))
    }

    fn is_me(&self, name: &str) -> bool {
        self.me().is_some_and(|me| me.eq_ignore_ascii_case(name))
    }

    /// What follows the stars: `you are now NAME`, `you are in #ROOM as NAME`, `NAME entered` …
    fn notice(&mut self, notice: &[u8]) {
        let Ok(notice) = str::from_utf8(notice) else {
            return;
        };
        let mut words = notice.split_ascii_whitespace();
        let mut word = || words.next().unwrap_or_default();
        match [word(), word(), word(), word(), word(), word()] {
            ["you", "are", "now", name, ..] => self.i_am(name),
            ["you", "are", "in", room, rest @ ..] => {
                if is_room(trim(room)) {
                    self.room = Some(trim(room).to_owned());
                }
                if let ["as", name] = rest {
                    self.i_am(name);
                }
            }
            [name, "(you),", ..] => self.i_am(name),
            [name, "is", "now", other, ..] => {
                self.gone(name);
                self.heard(other.as_bytes());
                if self.is_me(name) {
                    self.i_am(other);
                }
            }
            [name, "left" | "left:", ..] => self.gone(name),
            [name, "entered", ..] => self.heard(name.as_bytes()),
            // An entry of /who.
            [name, "idle", ..] if name.ends_with(',') => self.heard(trim(name).as_bytes()),
            _ => {}
        }
        for room in notice
            .split_ascii_whitespace()
            .map(trim)
            .filter(|room| is_room(room))
        {
            remember(&mut self.rooms, room, ROOMS);
        }
    }

    fn i_am(&mut self, name: &str) {
        let name = trim(name);
        if is_name(name) {
            self.me = Some(name.to_owned());
        }
    }

    fn heard(&mut self, name: &[u8]) {
        if let Some(name) = str::from_utf8(name).ok().filter(|name| is_name(name)) {
            remember(&mut self.names, name, NAMES);
        }
    }

    fn gone(&mut self, name: &str) {
        self.names.retain(|known| !known.eq_ignore_ascii_case(name));
    }
}

/// Puts `word` last, where it is the last to be forgotten.
fn remember(words: &mut Vec<String>, word: &str, limit: usize) {
    if words.last().is_some_and(|last| last == word) {
        return;
    }
    match words
        .iter()
        .rposition(|known| known.eq_ignore_ascii_case(word))
    {
        Some(at) => words[at..].rotate_left(1),
        None => {
            if words.len() == limit {
                words.remove(0);
            }
            words.push(String::new());
        }
    }
    // The newest spelling counts.
    if let Some(last) = words.last_mut() {
        word.clone_into(last);
    }
}

/// Without the punctuation that a sentence puts behind a word. No name ends with any of it.
fn trim(word: &str) -> &str {
    word.trim_end_matches([',', ';', ':'])
}

fn is_name(word: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || is_control(c);
    !word.is_empty() && word.len() <= LONGEST && !word.contains(blank)
}

fn is_room(word: &str) -> bool {
    word.len() > 1 && word.starts_with('#') && is_name(word)
}

/// Whether `before` ends within a word; what is no ASCII counts as a letter.
fn ends_in_word(before: &[u8]) -> bool {
    before.last().is_some_and(|&b| is_letter(b))
}

fn begins_in_word(after: &[u8]) -> bool {
    after.first().is_some_and(|&b| is_letter(b))
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(lines: &[&str]) -> Scene {
        let mut scene = Scene::default();
        for line in lines {
            scene.line(line.as_bytes());
        }
        scene
    }

    fn names(lines: &[&str]) -> String {
        scene(lines).names().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_learns_who_one_is_and_where() {
        for (lines, room, me) in [
            (&[][..], None, None),
            (&["*** you are now anna"], None, Some("anna")),
            (
                &["*** you are in #lobby as 127.0.0.1:4711"],
                Some("#lobby"),
                Some("127.0.0.1:4711"),
            ),
            (
                &["*** you are in #lobby as anna: 3 people"],
                Some("#lobby"),
                Some("anna"),
            ),
            (
                &["*** you are in #bar as anna", "*** you are in #lobby"],
                Some("#lobby"),
                Some("anna"),
            ),
            (&["*** anna (you), idle 4 s"], None, Some("anna")),
            (
                &["*** you are now anna", "*** Anna is now eve"],
                None,
                Some("eve"),
            ),
            (
                &["*** you are now anna", "*** bob is now eve"],
                None,
                Some("anna"),
            ),
            (
                &["<bob> *** you are now anna", "*** you are in trouble"],
                Some("#lobby"),
                None,
            ),
            (
                &["*** you are now \u{202e}x", "*** you are in #\u{7f}"],
                None,
                None,
            ),
        ] {
            let scene = scene(lines);
            assert_eq!((scene.room(), scene.me()), (room, me), "{lines:?}");
        }
    }

    #[test]
    fn it_learns_who_is_there() {
        assert_eq!(names(&["<anna> hi", "<bob> hi", "<anna> ho"]), "anna bob");
        assert_eq!(
            names(&["<anna> hi", "*** bob entered", "*** Anna left: bye"]),
            "bob"
        );
        assert_eq!(names(&["*** anna entered", "*** anna is now eve"]), "eve");
        assert_eq!(
            names(&["[14:03] <anna> hi", "* bob waves", "[-> eve] psst"]),
            "eve bob anna"
        );
        assert_eq!(
            names(&["*** you are now anna", "<Anna> me?", "<bob> hi"]),
            "bob"
        );
        assert_eq!(
            names(&["*** bob, idle 4 s", "*** anna (you), idle 1 s"]),
            "bob"
        );
        assert_eq!(names(&["<bob> hi", "*** bob left"]), "");
        let rooms = scene(&["*** in #tea: 3 people", "*** #pub, #tea", "<a> #no"]);
        assert_eq!(
            rooms.rooms().collect::<Vec<_>>(),
            ["#lobby", "#tea", "#pub"]
        );
    }

    #[test]
    fn what_it_keeps_is_limited() {
        let mut scene = Scene::default();
        for n in 0..3 * NAMES {
            scene.line(format!("<user{n}> #hi").as_bytes());
            scene.line(format!("*** #room{n} is new").as_bytes());
        }
        scene.line(&[b"<", &[b'x'; 4000][..], b"> hi"].concat());
        assert_eq!(
            (scene.names().count(), scene.rooms().count()),
            (NAMES, ROOMS)
        );
        assert_eq!(scene.names().last(), Some("user1000"));
    }

    #[test]
    fn one_hears_ones_name() {
        let scene = scene(&["*** you are now Anna"]);
        for (line, expected) in [
            ("<bob> anna: hi", true),
            ("<bob> hi ANNA!", true),
            ("<bob> hi", false),
            ("<bob> annabel, joanna and anna_", false),
            ("<bob> joanna saw anna", true),
            ("* bob greets anna", true),
            ("[bob] psst", true),
            ("[-> bob] anna here", false),
            ("<anna> hi", false),
            ("[14:03] <bob> anna: hi", false),
            ("*** anna entered", false),
            ("<bob> \u{e4}anna", false),
        ] {
            assert_eq!(scene.calls_me(line.as_bytes()), expected, "{line:?}");
        }
        assert!(!Scene::default().calls_me(b"<bob> anna"));
    }
}
