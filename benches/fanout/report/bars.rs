//! A bar for each server, the shortest first, from 0. Pure, as a plot is.

use super::look::{LABEL, Look, TICK};
use super::metric::figure;
use super::plot::{Mark, Role, draw_head, draw_lines};
use super::scale::Scale;
use super::svg::{Anchor, Canvas};

const EDGE: f64 = 12.0;
const STEP: f64 = 28.0;
const THICKNESS: f64 = 16.0;

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

impl Bars {
    pub fn draw(&self, width: f64, alone: bool) -> String {
        let highs = self.bars.iter().filter_map(|bar| match bar.mark {
            Mark::Figure { value, high, .. } => Some(value.max(high)),
            Mark::Fault(_) | Mark::Missing => None,
        });
        let scale = Scale::from_zero(highs);
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| LABEL.width(text)).fold(0.0, f64::max)
        };
        let left = EDGE + 8.0 + widest(&mut self.bars.iter().map(|bar| bar.peer.as_str()));
        let figures: Vec<String> = self.bars.iter().map(|bar| bar.words()).collect();
        let of_figures = figures
            .iter()
            .zip(&self.bars)
            .filter(|(_, bar)| bar.has_figure());
        let right = width - EDGE - 10.0 - widest(&mut of_figures.map(|(text, _)| text.as_str()));
        let x = |value: f64| left + (right - left) * scale.at(value);
        let mut canvas = Canvas::new(width);
        let head = draw_head(&mut canvas, &self.title, &self.note, width);
        let top = draw_lines(&mut canvas, &self.x_title, head, width) + 8.0;
        let bottom = top + STEP * self.bars.len() as f64;
        let mut free_from = f64::NEG_INFINITY;
        for tick in scale.ticks() {
            canvas.line("grid", (x(tick), top), (x(tick), bottom));
            let label = figure(tick);
            let half = TICK.width(&label) / 2.0;
            if x(tick) - half > free_from {
                canvas.text(
                    TICK,
                    "soft",
                    Anchor::Middle,
                    (x(tick), bottom + 18.0),
                    &label,
                );
                free_from = x(tick) + half + 4.0;
            }
        }
        for (index, (bar, words)) in self.bars.iter().zip(&figures).enumerate() {
            let middle = top + STEP * (index as f64 + 0.5);
            let bold = if bar.role == Role::Ours { " bold" } else { "" };
            let name = format!("{}{bold}", bar.look.fill());
            canvas.text(
                LABEL,
                &name,
                Anchor::End,
                (left - 8.0, middle + 4.5),
                &bar.peer,
            );
            let mut end = left;
            if let Mark::Figure { value, low, high } = bar.mark {
                end = x(high.max(value));
                let corner = (left, middle - THICKNESS / 2.0);
                // A bar that is there can be seen, however short.
                canvas.bar(
                    &bar.look.fill(),
                    corner,
                    (x(value) - left).max(1.5),
                    THICKNESS,
                );
                canvas.line("inked", (x(low), middle), (x(high), middle));
            }
            let room = width - EDGE - end - 8.0;
            let words = LABEL.cut(words, room.max(0.0));
            let class = format!("ink{bold}");
            canvas.text(
                LABEL,
                &class,
                Anchor::Start,
                (end + 8.0, middle + 4.5),
                &words,
            );
        }
        let description: Vec<String> = (self.bars.iter().zip(&figures))
            .map(|(bar, words)| format!("{}: {words}.", bar.peer))
            .collect();
        let description = format!("{}. {}", self.x_title, description.join(" "));
        canvas.finish(bottom + 32.0, &self.title, &description, alone)
    }
}

impl Bar {
    fn has_figure(&self) -> bool {
        matches!(self.mark, Mark::Figure { .. })
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
