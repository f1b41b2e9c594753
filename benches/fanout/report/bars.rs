//! A bar for each server, the shortest first, from 0. Pure, as a plot is.

use super::look::{LABEL, Look};
use super::metric::figure;
use super::plot::{MOST_OF_NAME, Mark, Role};
use super::scale::Scale;
use super::svg::{Anchor, Canvas, EDGE};

const ROW: f64 = 28.0;
const THICKNESS: f64 = 16.0;
/// Between a bar and its texts.
const GAP: f64 = 8.0;

pub struct Bars {
    /// Names the file.
    pub name: String,
    pub title: String,
    pub note: String,
    /// What the bars show, with its unit.
    pub x_title: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub peer: String,
    pub look: Look,
    pub role: Role,
    pub mark: Mark,
}

/// Where the bars are, in pixels.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    scale: Scale,
}

impl Bars {
    pub fn draw(&self, width: f64, alone: bool) -> String {
        let mut canvas = Canvas::new(width);
        let head = canvas.head(&self.title, &self.note);
        let top = canvas.lines(&self.x_title, head) + 8.0;
        let frame = self.frame(width, top);
        for tick in frame.scale.ticks() {
            let x = frame.x(tick);
            canvas.line("grid", (x, frame.top), (x, frame.bottom));
        }
        let ticks = frame.scale.ticks().into_iter();
        let ticks = ticks.map(|tick| (frame.x(tick), figure(tick)));
        canvas.places(ticks, frame.bottom + 18.0);
        for (index, bar) in self.bars.iter().enumerate() {
            let middle = frame.top + ROW * (index as f64 + 0.5);
            bar.draw(&mut canvas, &frame, middle, width);
        }
        let words = self.bars.iter();
        let words: Vec<String> = words
            .map(|bar| format!("{}: {}.", bar.peer, bar.words()))
            .collect();
        let description = format!("{}. {}", self.x_title, words.join(" "));
        canvas.finish(frame.bottom + 32.0, &self.title, &description, alone)
    }

    /// Names to the left of the bars, room for the longest bar's figure to their right.
    fn frame(&self, width: f64, top: f64) -> Frame {
        let highs = self.bars.iter().filter_map(|bar| match bar.mark {
            Mark::Figure { value, high, .. } => Some(value.max(high)),
            Mark::Fault(_) | Mark::Missing => None,
        });
        let names = self.bars.iter().map(|bar| LABEL.width(&bar.name(width)));
        let figures = self.bars.iter().filter_map(|bar| match bar.mark {
            Mark::Figure { .. } => Some(LABEL.width(&bar.words())),
            Mark::Fault(_) | Mark::Missing => None,
        });
        Frame {
            left: EDGE + names.fold(0.0, f64::max) + GAP,
            right: width - EDGE - figures.fold(0.0, f64::max) - GAP,
            top,
            bottom: top + ROW * self.bars.len() as f64,
            scale: Scale::from_zero(highs),
        }
    }
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.scale.at(value)
    }
}

impl Bar {
    fn draw(&self, canvas: &mut Canvas, frame: &Frame, middle: f64, width: f64) {
        let bold = if self.role == Role::Ours { " bold" } else { "" };
        let fill = self.look.fill();
        let base = middle + 4.5;
        let (class, at) = (format!("{fill}{bold}"), (frame.left - GAP, base));
        canvas.text(LABEL, &class, Anchor::End, at, &self.name(width));
        let mut end = frame.left;
        if let Mark::Figure { value, low, high } = self.mark {
            end = frame.x(high.max(value));
            let corner = (frame.left, middle - THICKNESS / 2.0);
            // A bar that is there can be seen, however short.
            let length = (frame.x(value) - frame.left).max(1.5);
            canvas.bar(&fill, corner, length, THICKNESS);
            canvas.line("inked", (frame.x(low), middle), (frame.x(high), middle));
        }
        let words = LABEL.cut(&self.words(), (width - EDGE - end - GAP).max(0.0));
        let (class, at) = (format!("ink{bold}"), (end + GAP, base));
        canvas.text(LABEL, &class, Anchor::Start, at, &words);
    }

    fn name(&self, width: f64) -> String {
        LABEL.cut(&self.peer, width * MOST_OF_NAME)
    }

    /// What stands at the bar's end, or in its place.
    fn words(&self) -> String {
        match &self.mark {
            Mark::Figure { value, .. } => figure(*value),
            Mark::Fault(words) => format!("✕ {words}"),
            Mark::Missing => "not measured".to_owned(),
        }
    }
}
