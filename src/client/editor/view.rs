//! What stands in the prompt's row, and the bytes that bring it there.
//!
//! Owns the row: one row always, so that a line feed never is needed and a carriage return and an erase
//! take it away. Its last column stays free: no terminal then wraps it, and all agree where the
//! cursor is. Never writes anything itself, and knows nothing of keys.
//!
//! Terminals differ in how wide they draw emoji and rare scripts. So the cursor is never put at a
//! column that was computed: what stands before it is written last, and the terminal itself then
//! knows. Widths only decide how much fits, and are taken as the widest that a terminal may draw.
//!
//! They differ as well in what a narrower window does to a row that is longer: most break it into several,
//! others cut it off. Whoever takes it for broken where it is cut off takes away what others said, above it. So
//! the terminal is asked where its cursor is now, which tells.

use super::line::Line;
use std::time::{Duration, Instant};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// The width of a terminal that does not tell its own.
pub const USUAL_WIDTH: usize = 80;
/// A tab in the line is shown so wide.
const TAB: &str = "    ";
/// With fewer columns than this for the line, the prompt goes.
const LEAST_ROOM: usize = 5;
/// In less than these columns nothing can be shown: both marks and a wide character, and the column that stays free.
const LEAST_WIDTH: usize = 5;
/// Asks the terminal where its cursor is.
const WHERE: &[u8] = b"\x1b[6n";
/// A terminal that has not answered after so long will not.
const ANSWER_WAIT: Duration = Duration::from_millis(500);

/// The prompt's row.
#[derive(Debug)]
pub struct View {
    /// The terminal's columns.
    width: usize,
    color: bool,
    /// The byte position in the line where the part that is shown begins.
    left: usize,
    shown: Shown,
    /// Answers still to come from the terminal.
    asked: usize,
    bell: bool,
}

/// What stands in the row.
#[derive(Debug)]
enum Shown {
    Nothing,
    /// Perhaps not what was drawn there.
    Spoilt,
    Row(Row),
    /// A row longer than the window is since. The terminal was asked what became of it.
    Asked(Question),
    /// What was a row is in several, and the cursor so many below the first.
    Broken(usize),
}

/// What became of a row in a narrower window?
#[derive(Debug)]
struct Question {
    row: Row,
    /// The least width that the window has had since.
    narrowest: usize,
    /// When it is too late for an answer.
    until: Instant,
}

/// The row as it is drawn.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    /// With the prompt, up to the cursor.
    head: String,
    /// Behind the cursor.
    tail: String,
    /// How wide both may be.
    head_width: usize,
    tail_width: usize,
}

impl View {
    pub fn new(width: usize, color: bool) -> Self {
        Self {
            width: usable(width),
            color,
            left: 0,
            shown: Shown::Nothing,
            asked: 0,
            bell: false,
        }
    }

    /// How many of its columns a row can have.
    pub fn columns(&self) -> usize {
        self.width - 1
    }

    /// Rings with the next drawing.
    pub fn bell(&mut self) {
        self.bell = true;
    }

    /// Takes the row away: what is printed next begins where it began.
    pub fn hide(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.shown, Shown::Nothing) {
            Shown::Nothing => {}
            Shown::Spoilt | Shown::Row(_) => out.extend_from_slice(b"\r\x1b[K"),
            // Who prints before the terminal has answered leaves a piece of the row behind, where it is broken.
            Shown::Asked(_) | Shown::Broken(0) => out.extend_from_slice(b"\r\x1b[J"),
            Shown::Broken(above) => out.extend(format!("\x1b[{above}A\r\x1b[J").bytes()),
        }
    }

    /// Brings the row up to date, with the first of `prompts` that leaves room enough.
    ///
    /// While the terminal is asked what became of the row, it stays as it is.
    pub fn show(&mut self, prompts: &[&str], line: &Line, out: &mut Vec<u8>) {
        match &self.shown {
            Shown::Asked(_) => return,
            Shown::Broken(_) => self.hide(out),
            _ => {}
        }
        let row = self.row(prompts, line);
        match &self.shown {
            Shown::Row(old) if *old == row => {}
            Shown::Row(old) if row.continues(old) => {
                out.extend_from_slice(&row.head.as_bytes()[old.head.len()..]);
            }
            Shown::Nothing => row.draw(b"", out),
            _ => {
                out.push(b'\r');
                row.draw(b"\x1b[K", out);
            }
        }
        self.shown = Shown::Row(row);
        if std::mem::take(&mut self.bell) {
            out.push(0x07);
        }
    }

    /// Something else may have been written to the row: it will be drawn whole.
    pub fn spoil(&mut self) {
        self.shown = Shown::Spoilt;
    }

    /// The terminal has another width. The row is taken away, or the terminal is asked what became of it.
    pub fn resize(&mut self, width: usize, now: Instant, out: &mut Vec<u8>) {
        let width = usable(width);
        let is_other = std::mem::replace(&mut self.width, width) != width;
        let (row, narrowest) = match std::mem::replace(&mut self.shown, Shown::Nothing) {
            Shown::Row(row) if row.head_width + row.tail_width > width => (row, width),
            Shown::Asked(question) if is_other => (question.row, question.narrowest.min(width)),
            asked @ Shown::Asked(_) => return self.shown = asked,
            other => {
                self.shown = other;
                return self.hide(out);
            }
        };
        if row.rows_above(width) > 0 {
            out.extend_from_slice(WHERE);
            self.asked += 1;
            let until = now + ANSWER_WAIT;
            self.shown = Shown::Asked(Question {
                row,
                narrowest,
                until,
            });
        } else {
            self.shown = Shown::Broken(0);
            self.hide(out);
        }
    }

    /// The terminal says that its cursor is in this column, the first being 1.
    pub fn located(&mut self, column: usize) {
        self.asked = self.asked.saturating_sub(1);
        if let Shown::Asked(Question { row, narrowest, .. }) = &self.shown
            // Else that was where it was before the window changed again.
            && self.asked == 0
        {
            // Where the row is cut off it is in what was the last column. It may be there by chance where the row is
            // broken: a piece of it then stays.
            let is_broken = column < *narrowest;
            self.shown = Shown::Broken(if is_broken {
                row.rows_above(self.width)
            } else {
                0
            });
        }
    }

    /// Time has passed: see [`View::deadline`].
    pub fn tick(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| now >= at) {
            self.asked = 0;
            self.shown = Shown::Broken(0);
        }
    }

    /// Until when the terminal may answer, if it was asked anything.
    pub fn deadline(&self) -> Option<Instant> {
        match self.shown {
            Shown::Asked(Question { until, .. }) => Some(until),
            _ => None,
        }
    }

    fn row(&mut self, prompts: &[&str], line: &Line) -> Row {
        if self.width < LEAST_WIDTH {
            return Row::default();
        }
        let columns = self.columns();
        let fits = |prompt: &&&str| {
            width_of(prompt) <= columns / 2 && width_of(prompt) + LEAST_ROOM <= columns
        };
        let prompt = prompts.iter().find(fits).copied().unwrap_or("");
        let room = columns - width_of(prompt);
        let (start, end) = self.part(line, room);
        let (text, cursor) = (line.text(), line.cursor());
        let mut row = Row {
            head: String::new(),
            tail: String::new(),
            head_width: width_of(prompt) + width_of(&text[start..cursor]),
            tail_width: width_of(&text[cursor..end]),
        };
        self.dim(prompt, &mut row.head);
        if start > 0 {
            self.mark("<", &mut row.head);
            row.head_width += 1;
        }
        shown_as(&text[start..cursor], &mut row.head);
        shown_as(&text[cursor..end], &mut row.tail);
        if end < text.len() {
            self.mark(">", &mut row.tail);
            row.tail_width += 1;
        }
        row
    }

    /// The part of the line to show in `room` columns, with the cursor in it.
    fn part(&mut self, line: &Line, room: usize) -> (usize, usize) {
        let (text, cursor) = (line.text(), line.cursor());
        if width_of(text) <= room {
            self.left = 0;
            return (0, text.len());
        }
        // A column is for the mark at the right. So is one at the left; the first that is shown is
        // hidden by it when there is more before.
        if !self.shows_cursor(line, room) {
            self.left = start_before(text, cursor, room / 2);
        }
        let mut free =
            room.saturating_sub(usize::from(self.left > 0) + width_of(&text[self.left..cursor]));
        let mut end = cursor;
        for cluster in text[cursor..].graphemes(true) {
            let last = end + cluster.len() == text.len();
            let needed = width_of(cluster) + usize::from(!last);
            if needed > free {
                break;
            }
            free -= width_of(cluster);
            end += cluster.len();
        }
        (self.left, end)
    }

    /// Whether the cursor can be seen, with what it stands on, in the part that begins where it began.
    fn shows_cursor(&self, line: &Line, room: usize) -> bool {
        let (text, cursor) = (line.text(), line.cursor());
        let inside = self.left < cursor || (self.left == 0 && cursor == 0);
        if !inside || !is_start(text, self.left) {
            return false;
        }
        let under = text[cursor..].graphemes(true).next().map_or(0, width_of);
        let marks = usize::from(self.left > 0) + usize::from(under > 0);
        width_of(&text[self.left..cursor]) + under + marks <= room
    }

    fn dim(&self, text: &str, out: &mut String) {
        self.styled("\x1b[2m", text, out);
    }

    fn mark(&self, text: &str, out: &mut String) {
        self.styled("\x1b[7m", text, out);
    }

    fn styled(&self, style: &str, text: &str, out: &mut String) {
        match self.color && !text.is_empty() {
            true => out.extend([style, text, "\x1b[0m"]),
            false => out.push_str(text),
        }
    }
}

impl Row {
    /// Whether it is `old` with something typed at its end.
    fn continues(&self, old: &Self) -> bool {
        self.tail.is_empty() && old.tail.is_empty() && self.head.starts_with(&old.head)
    }

    /// In which of several rows the cursor is, if a terminal of this width breaks it: the least that it may be. A row too
    /// few leaves something of this one behind, a row too many would take away what others said.
    fn rows_above(&self, width: usize) -> usize {
        let (mut rows, mut column) = (0, 0);
        let mut put = |cluster: &str| {
            // Some terminals make one picture of what is joined, others do not.
            let wide = cluster.chars().filter_map(|c| c.width()).max().unwrap_or(0);
            if column + wide > width {
                rows += 1;
                column = 0;
            }
            column += wide;
        };
        let mut styled = false;
        for cluster in self.head.graphemes(true) {
            match cluster {
                "\x1b" => styled = true,
                "m" if styled => styled = false,
                _ if styled => {}
                cluster => put(cluster),
            }
        }
        // The cursor is on what follows. At the very end it depends on the terminal.
        if let Some(under) = self.tail.graphemes(true).find(|&under| under != "\x1b") {
            put(under);
        }
        rows
    }

    /// Draws it from the first column on, with `erase` behind it.
    fn draw(&self, erase: &[u8], out: &mut Vec<u8>) {
        for part in [self.head.as_bytes(), self.tail.as_bytes(), erase] {
            out.extend_from_slice(part);
        }
        if !self.tail.is_empty() {
            out.push(b'\r');
            out.extend_from_slice(self.head.as_bytes());
        }
    }
}

/// How wide a terminal is that says this.
fn usable(width: usize) -> usize {
    if width == 0 { USUAL_WIDTH } else { width }
}

/// Where the clusters begin that fill at most `room` columns before `cursor`.
fn start_before(text: &str, cursor: usize, room: usize) -> usize {
    let mut free = room;
    let mut start = cursor;
    for (at, cluster) in text[..cursor].grapheme_indices(true).rev() {
        match free.checked_sub(width_of(cluster)) {
            Some(rest) => free = rest,
            None => break,
        }
        start = at;
    }
    start
}

/// Whether a cluster begins at `at`.
fn is_start(text: &str, at: usize) -> bool {
    text.is_char_boundary(at) && text.grapheme_indices(true).any(|(start, _)| start == at)
}

/// The most columns that a terminal may need for `text`.
fn width_of(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\t') {
        return text.len();
    }
    text.graphemes(true)
        .map(|cluster| {
            let sum: usize = cluster
                .chars()
                .map(|c| match c {
                    '\t' => TAB.len(),
                    // These fill the place of a letter that is not there. Many terminals leave that place free.
                    '\u{115F}' | '\u{3164}' | '\u{FFA0}' => 2,
                    c => c.width().unwrap_or(0),
                })
                .sum();
            // The sign for "as an emoji" makes a narrow one wide.
            sum.max(if cluster.contains('\u{FE0F}') { 2 } else { 0 })
        })
        .sum()
}

fn shown_as(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\t' => out.push_str(TAB),
            c => out.push(c),
        }
    }
}
