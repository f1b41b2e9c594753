//! A plot: lines of several servers over a grid of measured places. Pure: the same plot and width give the
//! same picture.
//!
//! From top to bottom: title and note, what the upright axis shows, a strip of faults (each over its
//! place), the field with its lines, the places, and what they are. To the right of the field stands the
//! name of each line, led to its end.

use super::labels::{self, Span};
use super::look::{LABEL, Look, TICK};
use super::metric::figure;
use super::scale::Scale;
use super::svg::{Anchor, Canvas, EDGE, STEP};

const FIELD_HEIGHT: f64 = 300.0;
/// Between the field's side and the first or last place.
const INSET: f64 = 18.0;
/// Between the field and the names, for what leads from line to name.
const LEADS: f64 = 26.0;
/// From this width on the names carry the last figure.
const ROOM_FOR_FIGURES: f64 = 600.0;
/// What a name may take of the width.
pub const MOST_OF_NAME: f64 = 0.28;

pub struct Plot {
    /// Names the file.
    pub name: String,
    pub title: String,
    pub note: String,
    pub x: Axis,
    /// Figures are named in its unit.
    pub y_title: String,
    pub series: Vec<Series>,
}

/// The places that were measured, in order.
pub struct Axis {
    pub title: String,
    pub scale: Scale,
    pub places: Vec<Place>,
}

pub struct Place {
    pub at: f64,
    pub label: String,
}

pub struct Series {
    pub peer: String,
    pub look: Look,
    /// Ours is drawn over the others and bold; the floor, which is no server, dashed.
    pub role: Role,
    /// As many as places.
    pub marks: Vec<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Ours,
    Floor,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    Figure {
        value: f64,
        low: f64,
        high: f64,
    },
    Fault(String),
    /// Not measured: the line has a gap.
    Missing,
}

/// Where things are, in pixels.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Plot {
    pub fn draw(&self, width: f64, alone: bool) -> String {
        let scale = self.y_scale();
        let mut canvas = Canvas::new(width);
        let head = canvas.head(&self.title, &self.note);
        let ticks: Vec<(f64, String)> = (scale.ticks().into_iter())
            .map(|tick| (tick, figure(tick)))
            .collect();
        let widest = |labels: &mut dyn Iterator<Item = String>| {
            labels.map(|label| LABEL.width(&label)).fold(0.0, f64::max)
        };
        let names = widest(&mut self.series.iter().filter_map(|it| it.label(width)));
        let mut frame = Frame {
            left: EDGE + widest(&mut ticks.iter().map(|(_, label)| label.clone())) + 8.0,
            right: width - EDGE - names - LEADS,
            top: 0.0,
            bottom: 0.0,
        };
        let below = canvas.lines(&self.y_title, head);
        frame.top = self.draw_faults(&mut canvas, &frame, below, width) + 10.0;
        let needed = STEP * self.series.len() as f64;
        frame.bottom = frame.top + FIELD_HEIGHT.max(needed);
        self.draw_grid(&mut canvas, &frame, scale, &ticks);
        let mut series: Vec<&Series> = self.series.iter().collect();
        series.sort_by_key(|series| match series.role {
            Role::Floor => 0,
            Role::Other => 1,
            Role::Ours => 2,
        });
        for one in &series {
            self.draw_line(&mut canvas, &frame, scale, one);
        }
        self.draw_names(&mut canvas, &frame, scale, width);
        for one in &series {
            self.draw_marks(&mut canvas, &frame, scale, one);
        }
        canvas.finish(frame.bottom + 50.0, &self.title, &self.words(), alone)
    }

    fn y_scale(&self) -> Scale {
        let marks = self.series.iter().flat_map(|series| &series.marks);
        let ends = marks.flat_map(|mark| match *mark {
            Mark::Figure { value, low, high } => vec![value, low, high],
            Mark::Fault(_) | Mark::Missing => Vec::new(),
        });
        Scale::logarithmic(ends)
    }

    fn draw_grid(&self, canvas: &mut Canvas, frame: &Frame, scale: Scale, ticks: &[(f64, String)]) {
        for (tick, label) in ticks {
            let y = frame.y(scale, *tick);
            canvas.line("grid", (frame.left, y), (frame.right, y));
            canvas.text(
                TICK,
                "soft",
                Anchor::End,
                (frame.left - 8.0, y + 4.0),
                label,
            );
        }
        let places = self.x.places.iter();
        let places = places.map(|place| (frame.x(&self.x, place.at), place.label.clone()));
        for (x, _) in places.clone() {
            canvas.line("grid", (x, frame.top), (x, frame.bottom));
        }
        let base = frame.bottom + 18.0;
        canvas.places(places, base);
        let below = ((frame.left + frame.right) / 2.0, base + STEP + 2.0);
        canvas.text(TICK, "soft", Anchor::Middle, below, &self.x.title);
    }

    /// Where a mark is to be drawn; `None` where there is no figure, or none that this axis can show.
    fn point(
        &self,
        frame: &Frame,
        scale: Scale,
        series: &Series,
        place: usize,
    ) -> Option<(f64, f64)> {
        match series.marks.get(place)? {
            Mark::Figure { value, .. } if scale.holds(*value) => Some((
                frame.x(&self.x, self.x.places[place].at),
                frame.y(scale, *value),
            )),
            _ => None,
        }
    }

    fn draw_line(&self, canvas: &mut Canvas, frame: &Frame, scale: Scale, series: &Series) {
        let class = match series.role {
            Role::Ours => " ours",
            Role::Floor => " dash",
            Role::Other => "",
        };
        let mut path = String::new();
        let mut joined = false;
        for place in 0..series.marks.len() {
            let point = self.point(frame, scale, series, place);
            if let Some((x, y)) = point {
                path += &format!("{}{x:.1} {y:.1}", if joined { 'L' } else { 'M' });
            }
            joined = point.is_some();
        }
        if !path.is_empty() {
            canvas.path(&format!("{}{class}", series.look.stroke()), &path);
        }
    }

    fn draw_marks(&self, canvas: &mut Canvas, frame: &Frame, scale: Scale, series: &Series) {
        for (place, mark) in series.marks.iter().enumerate() {
            let Some((x, y)) = self.point(frame, scale, series, place) else {
                continue;
            };
            if let Mark::Figure { low, high, .. } = *mark
                && scale.holds(low)
                && scale.holds(high)
            {
                let class = format!("{} span", series.look.stroke());
                canvas.line(&class, (x, frame.y(scale, low)), (x, frame.y(scale, high)));
            }
            let class = format!("{} halo", series.look.fill());
            canvas.path(&class, &series.look.marker(x, y));
        }
    }

    /// Each name at the height where its line ends, or near, if others end there too.
    fn draw_names(&self, canvas: &mut Canvas, frame: &Frame, scale: Scale, width: f64) {
        let mut ends = Vec::new();
        for series in &self.series {
            let places = (0..series.marks.len()).rev();
            let mut points = places.filter_map(|place| self.point(frame, scale, series, place));
            if let (Some(point), Some(label)) = (points.next(), series.label(width)) {
                ends.push((series, point, label));
            }
        }
        let wanted: Vec<f64> = ends.iter().map(|(_, (_, y), _)| *y).collect();
        let heights = labels::spread(&wanted, STEP, frame.top, frame.bottom);
        for ((series, (x, y), label), height) in ends.iter().zip(heights) {
            let reaches = *x > frame.right - INSET - 1.0;
            let dots = if reaches { "" } else { " dots" };
            let class = format!("{} lead{dots}", series.look.stroke());
            let (bend, end) = (frame.right + 2.0, frame.right + LEADS - 4.0);
            let path = if reaches {
                format!("M{x:.1} {y:.1}L{bend:.1} {y:.1}L{end:.1} {height:.1}")
            } else {
                format!("M{x:.1} {y:.1}L{end:.1} {height:.1}")
            };
            canvas.path(&class, &path);
            let bold = if series.role == Role::Ours {
                " bold"
            } else {
                ""
            };
            let class = format!("{}{bold}", series.look.fill());
            let at = (frame.right + LEADS, height + 4.5);
            canvas.text(LABEL, &class, Anchor::Start, at, label);
        }
    }

    /// What stands in place of figures, over its place. Returns where the strip ends.
    fn draw_faults(&self, canvas: &mut Canvas, frame: &Frame, top: f64, width: f64) -> f64 {
        let mut faults = Vec::new();
        for (place, at) in self.x.places.iter().enumerate() {
            for series in &self.series {
                if let Some(Mark::Fault(words)) = series.marks.get(place) {
                    let text = format!("✕ {}: {words}", series.peer);
                    let text = TICK.cut(&text, (width - 2.0 * EDGE) * 0.9);
                    let half = TICK.width(&text) / 2.0;
                    let middle = frame.x(&self.x, at.at);
                    let middle = middle.clamp(EDGE + half, (width - EDGE - half).max(EDGE + half));
                    let span = Span {
                        from: middle - half,
                        to: middle + half,
                    };
                    faults.push((series, text, span));
                }
            }
        }
        let spans: Vec<Span> = faults.iter().map(|(_, _, span)| *span).collect();
        let rows = labels::rows(&spans, 10.0);
        for ((series, text, span), row) in faults.iter().zip(&rows) {
            let at = ((span.from + span.to) / 2.0, top + STEP * (row + 1) as f64);
            canvas.text(TICK, &series.look.fill(), Anchor::Middle, at, text);
        }
        top + STEP * rows.iter().max().map_or(0, |last| last + 1) as f64
    }

    /// The picture in words: every figure of every line.
    fn words(&self) -> String {
        let mut words = vec![format!("{} against {}.", self.y_title, self.x.title)];
        for series in &self.series {
            let mut parts = Vec::new();
            for (mark, place) in series.marks.iter().zip(&self.x.places) {
                parts.push(match mark {
                    Mark::Figure { value, .. } => format!("{}: {}", place.label, figure(*value)),
                    Mark::Fault(fault) => format!("{}: {fault}", place.label),
                    Mark::Missing => continue,
                });
            }
            words.push(format!("{}: {}.", series.peer, parts.join("; ")));
        }
        words.join(" ")
    }
}

impl Mark {
    /// What to sort by: figures ascend, what has none comes last.
    pub fn height(&self) -> f64 {
        match *self {
            Mark::Figure { value, .. } => value,
            Mark::Fault(_) => f64::MAX,
            Mark::Missing => f64::INFINITY,
        }
    }
}

impl Series {
    /// The name at the line's end, with the figure there if the line reaches the last place and there is
    /// room. `None` without a line.
    fn label(&self, width: f64) -> Option<String> {
        let is_figure = |mark: &Mark| matches!(mark, Mark::Figure { .. });
        self.marks.iter().find(|mark| is_figure(mark))?;
        let name = LABEL.cut(&self.peer, width * MOST_OF_NAME);
        Some(match self.marks.last() {
            Some(Mark::Figure { value, .. }) if width >= ROOM_FOR_FIGURES => {
                format!("{name} {}", figure(*value))
            }
            _ => name,
        })
    }
}

impl Frame {
    fn x(&self, axis: &Axis, value: f64) -> f64 {
        let (left, right) = (self.left + INSET, self.right - INSET);
        left + (right - left) * axis.scale.at(value)
    }

    fn y(&self, scale: Scale, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * scale.at(value)
    }
}
