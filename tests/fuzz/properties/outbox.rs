//! What the client sends.

use super::Draw;
use snug::client::outbox::Outbox;
use snug::client::outgoing::{Framing, LIMIT};
use std::collections::VecDeque;

/// Whatever is typed, and however little a connection takes before it breaks: lines arrive whole, in order and once, but
/// for those that were given up, which are counted; the client's own commands stand between lines, on time.
pub fn outbox(data: &[u8]) {
    let mut draw = Draw(data);
    let kind = draw.byte();
    let framing = [Framing::Stream, Framing::LineByLine][usize::from(kind & 1)];
    let is_chat = kind & 2 > 0;
    let mut world = World {
        outbox: Outbox::new(framing, is_chat),
        framing,
        is_chat,
        typed: Vec::new(),
        is_given_up: false,
        commands: VecDeque::new(),
        line: Vec::new(),
        is_held: false,
        has_ended: false,
    };
    while !draw.is_empty() {
        match draw.below(12) {
            0..=3 => world.push(&mut draw),
            4 => world.command(),
            5 => world.hold(draw.flag()),
            6 => world.give_up(),
            7 => world.start_over(),
            8 if draw.below(8) == 0 => world.end(),
            _ => world.take(&mut draw),
        }
        world.check();
    }
    world.end();
    world.hold(false);
    while world.take_at_most(usize::MAX) {}
    assert!(world.outbox.is_done() && !world.outbox.has_more());
    if world.line.is_empty() {
        world.pass_empty_lines();
    }
    // The last line needs no end.
    assert_eq!(world.line, world.strip(&world.typed));
}

struct World {
    outbox: Outbox,
    framing: Framing,
    is_chat: bool,
    /// What is to arrive yet, from the beginning of the line that is under way.
    typed: Vec<u8>,
    /// What is typed up to the next newline belongs to a line that was given up.
    is_given_up: bool,
    commands: VecDeque<String>,
    /// What the connection has of the line or the command that is under way.
    line: Vec<u8>,
    is_held: bool,
    has_ended: bool,
}

impl World {
    fn push(&mut self, draw: &mut Draw<'_>) {
        if self.has_ended || self.outbox.is_full() {
            return;
        }
        let length = draw.below(20);
        let mut bytes: Vec<u8> = draw.take(length).to_vec();
        for byte in &mut bytes {
            *byte = b"ab\nc\r\n/ "[usize::from(*byte % 8)];
        }
        if length == 19 {
            bytes.extend(vec![b'x'; LIMIT / 3]);
        }
        self.outbox.push(&bytes);
        let newline = bytes.iter().position(|&byte| byte == b'\n');
        match (self.is_given_up, newline) {
            (false, _) => self.typed.extend(bytes),
            (true, None) => {}
            (true, Some(at)) => {
                self.typed.extend(&bytes[at + 1..]);
                self.is_given_up = false;
            }
        }
        // Of a line that there was no room for, all but its end may be sent already.
        let first = &self.typed[..first_line(&self.typed)];
        let is_sent = self.is_within_line() && self.strip(first) == self.line;
        if self.framing == Framing::LineByLine && is_sent && first.ends_with(b"\n") {
            self.line_ends();
        }
    }

    fn command(&mut self) {
        let command = format!("!{}", self.commands.len());
        self.outbox.command(&command);
        self.commands.push_back(command + "\n");
    }

    fn hold(&mut self, is_held: bool) {
        self.outbox.hold(is_held);
        self.is_held = is_held;
    }

    fn end(&mut self) {
        self.outbox.end();
        self.has_ended = true;
    }

    fn is_within_line(&self) -> bool {
        self.line.first().is_some_and(|&byte| byte != b'!')
    }

    fn give_up(&mut self) {
        let kept = match self.is_within_line() {
            true => first_line(&self.typed),
            false => 0,
        };
        let rest = self.typed.split_off(kept);
        let lines = rest.split_inclusive(|&byte| byte == b'\n').count();
        let given_up = self.outbox.give_up();
        match self.framing {
            Framing::Stream => assert_eq!(given_up, lines),
            // Empty ones that come next are lines no more.
            Framing::LineByLine => assert!(given_up <= lines),
        }
        self.is_given_up |= !self.has_ended && rest.last().is_some_and(|&byte| byte != b'\n');
    }

    /// The connection breaks.
    fn start_over(&mut self) {
        let is_lost = self.outbox.start_over();
        assert!(!is_lost || self.is_within_line() && self.line.len() > LIMIT);
        if is_lost {
            let rest = self.typed.split_off(first_line(&self.typed));
            self.is_given_up = !self.has_ended && self.typed.last() != Some(&b'\n');
            self.typed = rest;
        }
        self.commands.clear();
        self.line.clear();
        self.is_held = false;
    }

    fn take(&mut self, draw: &mut Draw<'_>) {
        let n = match draw.byte() {
            n @ 0..250 => usize::from(n % 25),
            _ => usize::MAX,
        };
        self.take_at_most(n);
    }

    /// The connection takes some of what is next. Whether it took anything.
    fn take_at_most(&mut self, n: usize) -> bool {
        let next = self.outbox.next();
        let new = next[..n.min(next.len())].to_vec();
        if new.is_empty() {
            return false;
        }
        let has_ended = self.outbox.took(new.len());
        match self.framing {
            Framing::Stream => {
                assert_eq!(has_ended, new.contains(&b'\n'));
                for piece in new.split_inclusive(|&byte| byte == b'\n') {
                    self.goes_on(piece);
                    if piece.ends_with(b"\n") {
                        self.line_ends();
                    }
                }
            }
            Framing::LineByLine => {
                self.goes_on(&new);
                if has_ended {
                    self.line_ends();
                }
            }
        }
        true
    }

    /// Some of what is under way has come, or of what is next.
    fn goes_on(&mut self, piece: &[u8]) {
        if self.line.is_empty() {
            let is_command = piece[0] == b'!';
            assert_eq!(is_command, !self.commands.is_empty(), "out of turn");
            assert!(is_command || !self.is_held, "it is to wait");
            if !is_command {
                self.pass_empty_lines();
            }
        }
        self.line.extend(piece);
    }

    fn line_ends(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.starts_with(b"!") {
            let command = self.commands.pop_front().expect("a command");
            assert_eq!(line, self.strip(command.as_bytes()));
            return;
        }
        let rest = self.typed.split_off(first_line(&self.typed));
        let expected = std::mem::replace(&mut self.typed, rest);
        assert!(expected.ends_with(b"\n"), "it has no end");
        let expected = self.strip(&expected);
        assert_eq!(line.len(), expected.len());
        assert!(line == expected, "another line");
    }

    fn pass_empty_lines(&mut self) {
        let lines = self.typed.split_inclusive(|&byte| byte == b'\n');
        let empty = lines.take_while(|line| self.strip(line).is_empty());
        let length: usize = empty.map(<[u8]>::len).sum();
        self.typed.drain(..length);
    }

    /// A line as it goes out.
    fn strip<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match self.framing {
            Framing::Stream => line,
            Framing::LineByLine => {
                let Some(line) = line.strip_suffix(b"\n") else {
                    return line;
                };
                line.strip_suffix(b"\r").unwrap_or(line)
            }
        }
    }

    /// What is next is always the right thing, and there is something whenever there can be.
    fn check(&self) {
        let next = self.outbox.next();
        if self.framing == Framing::LineByLine {
            assert!(!next.contains(&b'\n'));
            return;
        }
        if let Some(command) = self.commands.front()
            && !self.is_within_line()
        {
            assert!(command[self.line.len()..].starts_with(char::from(next[0])));
            return;
        }
        if self.is_held && !self.is_within_line() {
            assert!(next.is_empty());
            return;
        }
        let unsent = &self.typed[self.line.len()..];
        assert!(unsent.starts_with(next));
        let waits = self.is_chat && !self.has_ended && unsent.len() < LIMIT;
        let is_due = !waits || unsent.contains(&b'\n');
        assert_eq!(is_due && !unsent.is_empty(), !next.is_empty());
        assert!(!waits || next.is_empty() || next.ends_with(b"\n"), "a part");
    }
}

/// How long the first line is, with its end.
fn first_line(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    end.map_or(bytes.len(), |at| at + 1)
}
