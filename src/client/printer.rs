//! Received bytes to printed bytes.
//!
//! Owns the line that is being received: what of it is printed and what is held back until the rest
//! of a line, of a name or of a character has come. Never does I/O, never looks at a clock, and
//! holds at most [`PIECE`] and what one call brings.

use super::paint::{self, Paint};
use super::scene::Scene;
use crate::wire::clean;
use memchr::memchr;

/// A line longer than this is printed in pieces. Those of a server with its default limits are shorter,
/// with all that it puts before them.
const PIECE: usize = 8192;
/// What shows that a row goes on with a line that was interrupted.
const GOES_ON: &[u8] = b"  ";

/// What is done to received lines. With nothing of it, bytes pass as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Nothing may act on a terminal. Colour implies it: who paints a line is bound for a terminal.
    pub clean: bool,
    pub color: bool,
    /// The time stands before each line.
    pub stamps: bool,
    /// The lines are those of the plain dialect, which tell who is there.
    pub people: bool,
    /// It rings when somebody speaks to the user.
    pub bell: bool,
}

/// Turns what the socket gave into what standard output gets.
#[derive(Debug)]
pub struct Printer {
    look: Look,
    /// The end of what was received, not printed yet. It has no newline.
    held: Vec<u8>,
    line: Line,
    /// What the lines told so far.
    scene: Scene,
}

/// Where printing stands.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// At the beginning of a line.
    Start,
    /// Within a line, which goes on like this.
    Begun(Paint),
    /// The same, in a new row.
    Broken(Paint),
}

impl Printer {
    pub fn new(look: Look) -> Self {
        Self {
            look,
            held: Vec::new(),
            line: Line::Start,
            scene: Scene::default(),
        }
    }

    /// What is known of the chat.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Appends to `out` what is to be printed of `bytes`; `time` is put before lines that begin now.
    pub fn received(&mut self, bytes: &[u8], time: &str, out: &mut Vec<u8>) {
        let Look {
            clean,
            color,
            stamps,
            people,
            bell: _,
        } = self.look;
        if !(clean || color || stamps || people) {
            return self.pass(bytes, out);
        }
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            if self.held.is_empty() {
                self.piece(&rest[..end], time, out);
            } else {
                self.held.extend_from_slice(&rest[..end]);
                self.print_held(self.held.len(), time, out);
            }
            out.push(b'\n');
            self.line = Line::Start;
            rest = &rest[end + 1..];
        }
        self.held.extend_from_slice(rest);
        if self.held.len() > PIECE {
            self.print_rest(time, out);
        }
    }

    /// Whether [`Printer::print_rest`] would print something.
    pub fn holds_text(&self) -> bool {
        self.held.len() > unfinished_char(&self.held)
    }

    /// Prints the part of a line that is there, but for a character that is not whole: nothing more
    /// came for a while, it may be a prompt.
    pub fn print_rest(&mut self, time: &str, out: &mut Vec<u8>) {
        let whole = self.held.len() - unfinished_char(&self.held);
        if whole > 0 {
            self.print_held(whole, time, out);
        }
    }

    /// The connection has ended: prints all that is held.
    pub fn end(&mut self, time: &str, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.print_held(self.held.len(), time, out);
        }
    }

    /// Begins a new line if one is unfinished, so that what the next connection brings is not taken
    /// for the rest of it.
    pub fn separate(&mut self, out: &mut Vec<u8>) {
        self.break_row(out);
        self.line = Line::Start;
        self.scene.left();
    }

    /// Ends the row, so that something else can stand in the next, but not the line: what comes of it
    /// is not taken for the beginning of one.
    pub fn break_row(&mut self, out: &mut Vec<u8>) {
        if let Line::Begun(paint) = self.line {
            out.push(b'\n');
            self.line = Line::Broken(paint);
        }
    }

    /// Appends a line that the user sent, in the form in which others see it.
    pub fn own(&mut self, line: &str, time: &str, out: &mut Vec<u8>) {
        self.break_row(out);
        self.stamp(time, out);
        let me = self.scene.me().filter(|_| self.look.people);
        paint::own(out, line, me, self.look.color);
        out.push(b'\n');
    }

    fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
        match bytes.last() {
            Some(b'\n') => self.line = Line::Start,
            Some(_) => self.line = Line::Begun(Paint::Plain),
            None => {}
        }
    }

    /// Prints the first `n` bytes held.
    fn print_held(&mut self, n: usize, time: &str, out: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.held);
        self.piece(&held[..n], time, out);
        held.drain(..n);
        self.held = held;
    }

    /// Prints a part of a line, or all of it, without its newline.
    fn piece(&mut self, text: &[u8], time: &str, out: &mut Vec<u8>) {
        match self.line {
            Line::Start => self.begins(text, time, out),
            Line::Broken(_) => out.extend_from_slice(GOES_ON),
            Line::Begun(_) => {}
        }
        self.line = Line::Begun(match self.line {
            Line::Start if self.look.color => Paint::begin(out, text, &self.scene),
            Line::Begun(paint) | Line::Broken(paint) if self.look.color => {
                paint.go_on(out, text);
                paint
            }
            _ if self.look.clean => {
                clean::append(out, text);
                Paint::Plain
            }
            _ => {
                out.extend_from_slice(text);
                Paint::Plain
            }
        });
    }

    /// A line begins with `text`, which is mostly all of it.
    fn begins(&mut self, text: &[u8], time: &str, out: &mut Vec<u8>) {
        self.stamp(time, out);
        if self.look.people {
            self.scene.line(text);
        }
        if self.look.bell && self.scene.calls_me(text) {
            out.push(0x07);
        }
    }

    fn stamp(&self, time: &str, out: &mut Vec<u8>) {
        match (self.look.stamps, self.look.color) {
            (true, true) => out.extend_from_slice(format!("\x1b[2m[{time}]\x1b[0m ").as_bytes()),
            (true, false) => out.extend_from_slice(format!("[{time}] ").as_bytes()),
            (false, _) => {}
        }
    }
}

/// How many bytes at the end of `text` may be the beginning of a character whose rest is to come.
fn unfinished_char(text: &[u8]) -> usize {
    (1..=text.len().min(3))
        .find(|n| text[text.len() - n] >= 0xC0)
        .filter(|n| {
            let tail = &text[text.len() - n..];
            std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Look = Look {
        clean: true,
        color: false,
        stamps: false,
        people: false,
        bell: false,
    };

    /// What is printed of `reads`, with `~` where a pause let the rest be printed.
    fn printed(look: Look, reads: &[&[u8]]) -> String {
        let mut printer = Printer::new(look);
        let mut out = Vec::new();
        for &read in reads {
            match read {
                b"~" => printer.print_rest("14:03:07", &mut out),
                bytes => printer.received(bytes, "14:03:07", &mut out),
            }
        }
        printer.end("14:03:07", &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn without_a_look_bytes_pass_at_once_as_they_are() {
        let mut printer = Printer::new(Look::default());
        let mut out = Vec::new();
        printer.received(b"\x1b[1m\xff\r\nhal", "", &mut out);
        assert_eq!(out, b"\x1b[1m\xff\r\nhal");
        printer.separate(&mut out);
        printer.received(b"whole\n", "", &mut out);
        printer.separate(&mut out);
        assert_eq!(out, b"\x1b[1m\xff\r\nhal\nwhole\n");
    }

    #[test]
    fn the_look_does_not_depend_on_how_the_bytes_are_cut() {
        let text = "<anna> Grüße \u{1b}[1m世界👋\r\n\n*** left\nlast é".as_bytes();
        for look in [
            CLEAN,
            Look {
                color: true,
                ..CLEAN
            },
            Look {
                stamps: true,
                ..CLEAN
            },
            Look {
                clean: false,
                stamps: true,
                ..CLEAN
            },
        ] {
            let whole = printed(look, &[text]);
            for cut in 0..=text.len() {
                let (a, b) = text.split_at(cut);
                assert_eq!(printed(look, &[a, b]), whole, "{look:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_pause_prints_a_prompt_but_no_part_of_a_character() {
        let cut = "naïve? ".as_bytes();
        for at in 0..=cut.len() {
            let (a, b) = cut.split_at(at);
            assert_eq!(printed(CLEAN, &[a, b"~", b, b"~"]), "naïve? ");
        }
        let mut printer = Printer::new(CLEAN);
        let mut out = Vec::new();
        printer.received(b"login: \xf0\x9f\x91", "", &mut out);
        assert!(printer.holds_text() && out.is_empty());
        printer.print_rest("", &mut out);
        assert_eq!(out, b"login: ");
        assert!(!printer.holds_text());
        printer.end("", &mut out);
        assert_eq!(out, "login: \u{FFFD}".as_bytes());
    }

    #[test]
    fn the_time_stands_once_before_each_line() {
        let stamps = Look {
            stamps: true,
            ..Look::default()
        };
        assert_eq!(
            printed(stamps, &[b"on", b"~", b"e\n\ntwo\x07\r\nth", b"ree"]),
            "[14:03:07] one\n[14:03:07] \n[14:03:07] two\x07\r\n[14:03:07] three"
        );
    }

    #[test]
    fn a_notice_in_pieces_stays_dim_and_each_piece_ends_the_colour() {
        let color = Look {
            color: true,
            ..CLEAN
        };
        assert_eq!(
            printed(color, &[b"*** one", b"~", b" two\n", b"plain"]),
            "\x1b[2m*** one\x1b[0m\x1b[2m two\x1b[0m\nplain"
        );
    }

    #[test]
    fn an_endless_line_is_printed_in_pieces() {
        let mut printer = Printer::new(CLEAN);
        let (mut out, mut total) = (Vec::new(), 0);
        // Three bytes a character: reads and pieces cut them everywhere.
        let text = "世".repeat(700_000);
        for read in text.as_bytes().chunks(1000) {
            printer.received(read, "", &mut out);
            total += out.len();
            assert!(std::str::from_utf8(&out).is_ok());
            out.clear();
            assert!(printer.held.len() <= PIECE);
        }
        printer.end("", &mut out);
        assert_eq!(total + out.len(), text.len());
    }

    #[test]
    fn an_unfinished_line_is_ended_before_the_next_connection() {
        let mut printer = Printer::new(CLEAN);
        let mut out = Vec::new();
        printer.received(b"hal", "", &mut out);
        printer.end("", &mut out);
        printer.separate(&mut out);
        printer.separate(&mut out);
        printer.received(b"Welcome\n", "", &mut out);
        assert_eq!(out, b"hal\nWelcome\n");
    }
}
