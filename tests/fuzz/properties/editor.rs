//! The client's keys, the line that is typed, and the row that shows it.

use super::{Draw, check_clean, is_control};
use snug::client::editor::keys::{Key, Keys, PASTE_MAX};
use snug::client::editor::line::{LINE_MAX, Line};
use snug::client::editor::{Action, Editor, Moment};
use snug::client::scene::Scene;
use std::time::{Duration, Instant};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};
use unicode_width::UnicodeWidthChar as _;

/// The same keys come however the bytes are cut, and text comes as it was typed.
pub fn keys(data: &[u8]) {
    let now = Instant::now();
    let mut draw = Draw(data);
    let cuts = draw.take(3);
    let bytes = draw.rest();
    let read = |cuts: &[u8]| {
        let (mut keys, mut found, mut rest) = (Keys::new(now), Vec::new(), bytes);
        for &cut in cuts.iter().cycle() {
            let (mut piece, behind) = rest.split_at(rest.len().min(usize::from(cut).max(1)));
            while let Some(key) = keys.next(&mut piece, now) {
                found.push(key);
            }
            assert!(piece.is_empty());
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        // What has begun is over after a while, by what it is and not by how it came.
        let late = now + Duration::from_secs(10);
        let is_begun = keys.deadline().is_some();
        found.extend(keys.expired(late));
        assert!(!keys.in_paste() && keys.deadline().is_none());
        found.push(Key::Char(if is_begun { 'y' } else { 'n' }));
        found
    };
    let whole = read(&[255]);
    assert_eq!(read(&[1]), whole);
    assert_eq!(read(cuts), whole);
    for key in &whole {
        match key {
            Key::Char(c) => assert!(!('\0'..' ').contains(c) && *c != '\x7F'),
            Key::Ctrl(c) => assert!(c.is_ascii_uppercase()),
            Key::Paste(bytes) => assert!(bytes.len() <= PASTE_MAX),
            _ => {}
        }
    }
    if let Ok(text) = str::from_utf8(bytes)
        && !text.contains(|c| c < ' ' || c == '\x7F')
    {
        let typed = text.chars().map(Key::Char).chain([Key::Char('n')]);
        assert!(whole.iter().cloned().eq(typed));
    }
}

/// Whatever is done with a line, the cursor stands between what a reader takes for characters, and nothing is
/// lost but what was to be removed.
pub fn line(data: &[u8]) {
    let mut draw = Draw(data);
    let mut line = Line::default();
    while !draw.is_empty() {
        let (text, cursor) = (line.text().to_owned(), line.cursor());
        let verb = draw.byte() % 16;
        let (expected, at) = match verb {
            0..=5 => (text.clone(), moved(&mut line, verb)),
            8 | 10 | 11 => killed_before(&mut line, verb),
            9 | 12 => killed_after(&mut line, verb),
            _ => changed(&mut line, verb, &mut draw),
        };
        assert_eq!(line.text(), expected, "from {text:?} at {cursor}");
        assert!(expected.len() <= LINE_MAX);
        let is_behind = line.cursor() >= at;
        assert!(is_behind, "too far back in {text:?} from {cursor}");
        let mut place = GraphemeCursor::new(line.cursor(), expected.len(), true);
        let is_boundary = place.is_boundary(&expected, 0);
        let at = line.cursor();
        assert_eq!(
            is_boundary,
            Ok(true),
            "inside a cluster: {at} of {expected:?}"
        );
    }
}

/// How long the clusters before and behind the cursor are.
fn around(line: &Line) -> (usize, usize) {
    let (before, after) = line.text().split_at(line.cursor());
    let last = before.graphemes(true).next_back();
    let first = after.graphemes(true).next();
    (last.map_or(0, str::len), first.map_or(0, str::len))
}

/// Moves the cursor; gives where it must be then.
fn moved(line: &mut Line, verb: u8) -> usize {
    let cursor = line.cursor();
    let (before, after) = around(line);
    let (how, to): (fn(&mut Line), _) = match verb {
        0 => (Line::left, cursor - before),
        1 => (Line::right, cursor + after),
        2 => (Line::home, 0),
        3 => (Line::end, line.text().len()),
        4 => {
            line.word_left();
            assert!(line.cursor() <= cursor);
            return line.cursor();
        }
        _ => {
            line.word_right();
            assert!(line.cursor() >= cursor);
            return line.cursor();
        }
    };
    how(line);
    assert_eq!(line.cursor(), to);
    to
}

/// Changes the line; gives what it must be then, and what the cursor must stand behind: it may go further where
/// clusters have become one.
fn changed(line: &mut Line, verb: u8, draw: &mut Draw<'_>) -> (String, usize) {
    let cursor = line.cursor();
    let (before, after) = around(line);
    let text = line.text().to_owned();
    let without = |from: usize, to: usize| format!("{}{}", &text[..from], &text[to..]);
    match verb {
        6 => {
            line.backspace();
            (without(cursor - before, cursor), cursor - before)
        }
        7 => {
            line.delete();
            (without(cursor, cursor + after), cursor)
        }
        13 => {
            line.transpose();
            let sorted = |text: &str| {
                let mut chars: Vec<char> = text.chars().collect();
                chars.sort_unstable();
                chars
            };
            assert_eq!(sorted(line.text()), sorted(&text), "transposed");
            (line.text().to_owned(), cursor)
        }
        _ => {
            let times = if draw.flag() { 1 } else { 30 };
            let new = draw.text().repeat(times);
            let fits = text.len() + new.len() <= LINE_MAX;
            assert_eq!(line.insert(&new), fits);
            let new = if fits { &*new } else { "" };
            let expected = [&text[..cursor], new, &text[cursor..]].concat();
            (expected, cursor + new.len())
        }
    }
}

/// Removes something that ends at the cursor; gives what must be left, and where the cursor must be.
fn killed_before(line: &mut Line, verb: u8) -> (String, usize) {
    let (text, cursor) = (line.text().to_owned(), line.cursor());
    let removed = match verb {
        8 => line.kill_to_start(),
        10 => line.kill_blank_word_before(),
        _ => line.kill_word_before(),
    };
    let kept = text[..cursor]
        .strip_suffix(&*removed)
        .expect("it was there");
    (format!("{kept}{}", &text[cursor..]), kept.len())
}

/// Removes something that begins at the cursor.
fn killed_after(line: &mut Line, verb: u8) -> (String, usize) {
    let (text, cursor) = (line.text().to_owned(), line.cursor());
    let removed = match verb {
        9 => line.kill_to_end(),
        _ => line.kill_word_after(),
    };
    let kept = text[cursor..]
        .strip_prefix(&*removed)
        .expect("it was there");
    (format!("{}{kept}", &text[..cursor]), cursor)
}

/// A row of a terminal: what stands in it, by characters rather than columns, and before which the cursor is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    cells: Vec<char>,
    at: usize,
}

impl Row {
    /// Takes what the editor writes, which may be nothing but what this knows.
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = str::from_utf8(bytes).expect("the row is UTF-8");
        while let Some(c) = rest.chars().next() {
            let known = ["\x1b[K", "\x1b[J", "\x1b[2m", "\x1b[7m", "\x1b[0m"];
            if let Some(found) = known.iter().find(|&&known| rest.starts_with(known)) {
                if found.ends_with(['K', 'J']) {
                    self.cells.truncate(self.at);
                }
                rest = &rest[found.len()..];
                continue;
            }
            if let Some(up) = up(rest) {
                rest = up;
                continue;
            }
            rest = &rest[c.len_utf8()..];
            match c {
                '\r' => self.at = 0,
                '\x07' => {}
                c => {
                    assert!(!is_control(c) && c != '\t', "{c:?} reached the terminal");
                    match self.cells.get_mut(self.at) {
                        Some(cell) => *cell = c,
                        None => self.cells.push(c),
                    }
                    self.at += 1;
                }
            }
        }
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|c| c.width().unwrap_or(0)).sum()
    }
}

/// What follows where `text` begins with going up some rows: to where the row was broken.
fn up(text: &str) -> Option<&str> {
    let (rows, rest) = text.strip_prefix("\x1b[")?.split_once('A')?;
    rows.parse::<u8>().is_ok().then_some(rest)
}

/// An editor, and what becomes of it.
struct Seat {
    editor: Editor,
    scene: Scene,
    now: Instant,
    width: usize,
    row: Row,
    can_send: bool,
    actions: Vec<Action>,
}

impl Seat {
    fn new(kind: u8, now: Instant) -> Self {
        let width = usize::from(kind >> 2);
        Self {
            editor: Editor::new(width, kind & 1 == 1, kind & 2 == 2, now),
            scene: Scene::default(),
            now,
            width,
            row: Row::default(),
            can_send: true,
            actions: Vec::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let Self {
            scene,
            now,
            can_send,
            ..
        } = self;
        let moment = Moment {
            now: *now,
            scene,
            can_send: *can_send,
        };
        self.editor.feed(bytes, moment, &mut self.actions);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let Self {
            scene,
            now,
            can_send,
            ..
        } = self;
        let moment = Moment {
            now: *now,
            scene,
            can_send: *can_send,
        };
        self.editor.tick(moment, &mut self.actions);
        assert!(self.editor.deadline().is_none_or(|at| at > self.now));
    }

    /// Brings the row up to date, and checks that it is.
    fn show(&mut self) {
        if self.editor.is_asking() {
            // The terminal does not answer.
            self.wait(Duration::from_secs(1));
        }
        let draw = |editor: &mut Editor, scene: &Scene| {
            let mut out = Vec::new();
            editor.show(scene, &mut out);
            out
        };
        self.row.write(&draw(&mut self.editor, &self.scene));
        assert_eq!(
            draw(&mut self.editor, &self.scene),
            b"",
            "it was up to date"
        );
        let mut anew = Row::default();
        self.editor.redraw();
        anew.write(&draw(&mut self.editor, &self.scene));
        assert_eq!(
            self.row, anew,
            "the row is not what it would be if it were drawn anew"
        );
        let columns = if self.width == 0 { 80 } else { self.width };
        assert!(
            self.row.width() < columns,
            "{:?} in {columns} columns",
            self.row
        );
    }
}

/// What is sent is a clean line, the row is always right and within its columns, the cut of the input makes no
/// difference, and who goes back in the history comes back to what was being typed.
pub fn editor(data: &[u8]) {
    let now = Instant::now();
    let mut draw = Draw(data);
    let (kind, cut) = (draw.byte(), draw.below(7) + 1);
    let [mut seat, mut cut_seat] = [(); 2].map(|()| Seat::new(kind, now));
    while !draw.is_empty() {
        match draw.byte() {
            // Most bytes are typed as they are, in one piece and in several.
            0..=247 => {
                let length = draw.below(24) + 1;
                let bytes = draw.take(length);
                seat.feed(bytes);
                bytes.chunks(cut).for_each(|piece| cut_seat.feed(piece));
            }
            248 => {
                let time = Duration::from_millis(40 * u64::from(draw.byte()));
                [&mut seat, &mut cut_seat]
                    .into_iter()
                    .for_each(|seat| seat.wait(time));
            }
            249 => [&mut seat, &mut cut_seat]
                .into_iter()
                .for_each(|seat| seat.can_send ^= true),
            250 | 251 => {
                let length = draw.below(40);
                let line = draw.take(length);
                for seat in [&mut seat, &mut cut_seat] {
                    let mut out = Vec::new();
                    seat.editor.hide(&mut out);
                    seat.row.write(&out);
                    assert!(seat.row.cells.is_empty() && seat.row.at == 0);
                    seat.scene.line(line);
                }
            }
            252 => {
                let width = draw.below(60);
                for seat in [&mut seat, &mut cut_seat] {
                    let now = seat.now;
                    seat.editor.resize(width, now, &mut Vec::new());
                    (seat.width, seat.row) = (width, Row::default());
                }
            }
            _ => [&mut seat, &mut cut_seat].into_iter().for_each(Seat::show),
        }
    }
    seat.show();
    cut_seat.show();
    assert_eq!(seat.actions, cut_seat.actions);
    assert_eq!(seat.row, cut_seat.row);
    for action in &seat.actions {
        if let Action::Send(text) | Action::Explain(text) = action {
            check_clean(text);
            assert!(text.len() <= LINE_MAX, "{} bytes", text.len());
        }
    }
    check_history(seat, cut_seat, usize::from(kind));
}

/// Of two editors in the same state, the one whose user walks back in the history and returns sends the same line.
fn check_history(mut stays: Seat, mut walks: Seat, steps: usize) {
    for seat in [&mut stays, &mut walks] {
        seat.can_send = true;
        // Whatever has begun is over, nothing is asked, and the line is the one that was being typed.
        seat.wait(Duration::from_secs(10));
        seat.feed(b"n\x0e");
        seat.feed(&[0x0E; 500]);
        seat.actions.clear();
    }
    walks.feed(&vec![0x10; steps]);
    walks.feed(&vec![0x0E; steps]);
    for seat in [&mut stays, &mut walks] {
        seat.feed(b"\r");
    }
    assert_eq!(stays.actions, walks.actions);
}
