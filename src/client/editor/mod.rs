//! The line editor: what is typed at a terminal becomes lines, while others' lines arrive above.
//!
//! Owns the line being typed and all that belongs to editing it. It is a state machine without a
//! terminal: bytes in, [`Action`]s and bytes to write out. Never does I/O, and never looks at a clock.
//!
//! - [`keys`]: bytes to keys
//! - [`mod@line`], [`history`], [`complete`]: the text, and where it may come from
//! - [`paste`]: several lines at once
//! - [`view`]: the row on the screen
//!
//! Whoever prints something calls [`Editor::hide`] before it and [`Editor::show`] after it.

mod complete;
mod history;
pub mod keys;
pub mod line;
mod paste;
mod view;

#[cfg(test)]
mod screen;
#[cfg(test)]
mod tests;

use super::scene::Scene;
use crate::wire::clean::is_control;
use complete::Round;
use history::History;
use keys::{Key, Keys};
use line::Line;
use paste::Paste;
use std::time::Instant;
use view::View;

/// What the user wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To send this line, which has no controls but tabs in it.
    Send(String),
    /// To know why something was not done, or not quite.
    Explain(String),
    /// To say nothing more.
    End,
    /// To leave.
    Quit,
    /// To go back to the shell for a while.
    Suspend,
}

/// What the editor has to know when keys come.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub now: Instant,
    pub scene: &'a Scene,
    /// Whether there is room for what is sent. If not, lines stay where they are.
    pub can_send: bool,
}

/// Which side of the cursor.
enum Side {
    Before,
    Behind,
}

/// A line editor in one row.
#[derive(Debug)]
pub struct Editor {
    keys: Keys,
    line: Line,
    history: History,
    /// What was removed last by a key that removes more than a character, or by several such, one after the other.
    killed: String,
    /// The last key was one of them.
    is_killing: bool,
    /// While Tab is repeated.
    round: Option<Round>,
    /// A paste that is to be confirmed. The line is then not shown, and not edited.
    question: Option<Paste>,
    view: View,
    /// Whether empty lines are sent.
    empty_lines: bool,
}

impl Editor {
    /// An editor in a terminal so wide; with `empty_lines`, Enter sends even them.
    pub fn new(width: usize, color: bool, empty_lines: bool, now: Instant) -> Self {
        Self {
            keys: Keys::new(now),
            line: Line::default(),
            history: History::default(),
            killed: String::new(),
            is_killing: false,
            round: None,
            question: None,
            view: View::new(width, color),
            empty_lines,
        }
    }

    /// Takes what was read from the terminal.
    pub fn feed(&mut self, mut bytes: &[u8], moment: Moment<'_>, actions: &mut Vec<Action>) {
        self.tick(moment, actions);
        while let Some(key) = self.keys.next(&mut bytes, moment.now) {
            self.key(key, moment, actions);
        }
    }

    /// Time has passed: see [`Editor::deadline`].
    pub fn tick(&mut self, moment: Moment<'_>, actions: &mut Vec<Action>) {
        self.view.tick(moment.now);
        if let Some(key) = self.keys.expired(moment.now) {
            self.key(key, moment, actions);
        }
    }

    /// When [`Editor::tick`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.keys.deadline(), self.view.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the terminal has begun something that is not typed, or was asked for it: a paste, an answer.
    pub fn expects_more(&self) -> bool {
        self.keys.in_paste() || self.is_asking()
    }

    /// Whether nothing should be printed for now, because the terminal was asked where the row is. [`Editor::tick`]
    /// ends it.
    pub fn is_asking(&self) -> bool {
        self.view.deadline().is_some()
    }

    /// Takes the row away, so that something can be printed.
    pub fn hide(&mut self, out: &mut Vec<u8>) {
        self.view.hide(out);
    }

    /// Brings the row up to date. Nothing is appended if it is.
    pub fn show(&mut self, scene: &Scene, out: &mut Vec<u8>) {
        match &self.question {
            Some(paste) => {
                let question = paste.question(self.view.columns());
                self.view.show(&[], &question, out);
            }
            None => {
                let [long, short] = prompts(scene);
                self.view.show(&[&long, &short, "> "], &self.line, out);
            }
        }
    }

    /// Somebody else may have written to the terminal: the next [`Editor::show`] draws everything.
    pub fn redraw(&mut self) {
        self.view.spoil();
    }

    /// The terminal has another width.
    pub fn resize(&mut self, width: usize, now: Instant, out: &mut Vec<u8>) {
        self.view.resize(width, now, out);
    }

    fn key(&mut self, key: Key, moment: Moment<'_>, actions: &mut Vec<Action>) {
        match key {
            Key::Ctrl('C') => return actions.push(Action::Quit),
            Key::Ctrl('Z') => return actions.push(Action::Suspend),
            Key::Ctrl('L') => return self.view.spoil(),
            Key::CursorIn(column) => return self.view.located(column),
            _ => {}
        }
        let was_killing = std::mem::take(&mut self.is_killing);
        if let Some(paste) = self.question.take() {
            return self.answer(key, paste, moment, actions);
        }
        match key {
            Key::Tab | Key::BackTab => return self.complete(key == Key::BackTab, moment.scene),
            _ => self.round = None,
        }
        match key {
            Key::Enter if !moment.can_send => self.view.bell(),
            Key::Enter => self.submit(actions),
            Key::Ctrl('D') if self.line.is_empty() => actions.push(Action::End),
            Key::Paste(bytes) => self.paste(&bytes, moment, actions),
            Key::PasteTooLong => actions.push(Action::Explain(paste::too_long())),
            key => self.edit(key, was_killing),
        }
    }

    /// Keys that change the line or move in it.
    fn edit(&mut self, key: Key, was_killing: bool) {
        if let Some((removed, side)) = self.kill(&key) {
            self.is_killing = was_killing || !removed.is_empty();
            match side {
                _ if removed.is_empty() => {}
                _ if !was_killing => self.killed = removed,
                Side::Before => self.killed.insert_str(0, &removed),
                Side::Behind => self.killed.push_str(&removed),
            }
            return;
        }
        let line = &mut self.line;
        match key {
            Key::Char(c) if !is_control(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Left | Key::Ctrl('B') => line.left(),
            Key::Right | Key::Ctrl('F') => line.right(),
            Key::Home | Key::Ctrl('A') => line.home(),
            Key::End | Key::Ctrl('E') => line.end(),
            Key::WordLeft | Key::Alt('b') => line.word_left(),
            Key::WordRight | Key::Alt('f') => line.word_right(),
            Key::Backspace => line.backspace(),
            Key::Delete | Key::Ctrl('D') => line.delete(),
            Key::Ctrl('Y') => self.insert(&self.killed.clone()),
            Key::Ctrl('T') => line.transpose(),
            Key::Up | Key::Ctrl('P') => match self.history.older(line.text()) {
                Some(older) => line.set(older),
                None => self.view.bell(),
            },
            Key::Down | Key::Ctrl('N') => match self.history.newer(line.text()) {
                Some(newer) => line.set(newer),
                None => self.view.bell(),
            },
            _ => {}
        }
    }

    /// Removes what a key does of those whose work Ctrl-Y brings back, and says where that stood.
    fn kill(&mut self, key: &Key) -> Option<(String, Side)> {
        let line = &mut self.line;
        Some(match key {
            Key::Ctrl('K') => (line.kill_to_end(), Side::Behind),
            Key::WordDelete | Key::Alt('d') => (line.kill_word_after(), Side::Behind),
            Key::Ctrl('U') => (line.kill_to_start(), Side::Before),
            Key::Ctrl('W') => (line.kill_blank_word_before(), Side::Before),
            Key::AltBackspace => (line.kill_word_before(), Side::Before),
            _ => return None,
        })
    }

    fn insert(&mut self, text: &str) {
        if !self.line.insert(text) {
            self.view.bell();
        }
    }

    fn submit(&mut self, actions: &mut Vec<Action>) {
        if self.line.is_empty() && !self.empty_lines {
            return self.history.stay();
        }
        self.send(true, actions);
    }

    /// Sends the line, and remembers it if that is wanted and there is no password in it.
    fn send(&mut self, remember: bool, actions: &mut Vec<Action>) {
        let line = self.line.take();
        match remember && !is_secret(&line) {
            true => self.history.add(&line),
            false => self.history.stay(),
        }
        actions.push(Action::Send(line));
    }

    fn complete(&mut self, back: bool, scene: &Scene) {
        match &mut self.round {
            Some(round) if back => round.back(),
            Some(round) => round.forward(),
            None => self.round = Round::begin(&self.line.text()[..self.line.cursor()], scene),
        }
        let placed = self.round.as_ref().is_some_and(|round| {
            let (start, choice) = round.choice();
            self.line.replace_before(start, choice)
        });
        if !placed {
            self.view.bell();
        }
    }

    fn paste(&mut self, bytes: &[u8], moment: Moment<'_>, actions: &mut Vec<Action>) {
        let paste = Paste::new(bytes);
        if let Err(why) = paste.fits(&self.line) {
            return actions.push(Action::Explain(why));
        }
        if paste.is_long() {
            self.question = Some(paste);
        } else if paste.ends_lines() && !moment.can_send {
            self.view.bell();
        } else {
            self.type_in(&paste, actions);
        }
    }

    /// The answer to whether a long paste is to be sent.
    fn answer(&mut self, key: Key, paste: Paste, moment: Moment<'_>, actions: &mut Vec<Action>) {
        match key {
            Key::Char('y' | 'Y') if moment.can_send => {
                self.type_in(&paste, actions);
                if !self.line.is_empty() {
                    self.submit(actions);
                }
            }
            Key::Char('n' | 'N') | Key::Escape | Key::Ctrl('D' | 'G') => {}
            _ => {
                self.view.bell();
                self.question = Some(paste);
            }
        }
    }

    /// Does what typing the lines would do.
    fn type_in(&mut self, paste: &Paste, actions: &mut Vec<Action>) {
        actions.extend(paste.warning().map(Action::Explain));
        for (text, ended) in paste.lines() {
            // That they fit was made sure of.
            self.line.insert(text);
            if ended {
                self.send(!paste.is_long(), actions);
            }
        }
    }
}

/// Whether a line holds a password, which is then neither shown again nor remembered.
pub fn is_secret(line: &str) -> bool {
    let command = line.split_whitespace().next().unwrap_or_default();
    ["/pass", "/admin"]
        .iter()
        .any(|secret| command.eq_ignore_ascii_case(secret))
}

/// The prompt with all that is known, and a shorter one.
fn prompts(scene: &Scene) -> [String; 2] {
    let name = scene.me().unwrap_or_default();
    let long = match (scene.room(), name) {
        (Some(room), "") => format!("{room}> "),
        (Some(room), name) => format!("{room} {name}> "),
        (None, name) => format!("{name}> "),
    };
    [long, format!("{name}> ")]
}
