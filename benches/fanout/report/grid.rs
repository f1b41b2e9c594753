//! A section as a grid of words and numbers, all rounded and named: what the table for a terminal and the
//! table for a page both show. It knows neither.

use super::digest::{Group, OURS, Row, Section, Size, clients, size_words};
use super::metric::{Metric, grouped, ratio};

pub const NOTHING: &str = "-";

pub struct Grid {
    pub title: String,
    pub heads: Vec<Head>,
    pub lines: Vec<Line>,
}

pub struct Head {
    pub text: String,
    pub kind: HeadKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// Readers, burst, length of line: shown once a group.
    Size,
    Server,
    Figure,
}

/// A server.
pub struct Line {
    /// As many as heads; empty for a size that stands above already.
    pub cells: Vec<String>,
    pub state: State,
    /// Whether a group of lines begins here.
    pub opens_group: bool,
    pub ours: bool,
}

/// What is said in words.
pub enum State {
    Well,
    /// Some figures are there; this is why others are not.
    Partly(String),
    /// In place of all figures.
    Failed(String),
}

/// A column of sizes: its head, and which of a size it shows.
type SizeColumn = (String, fn(&Size) -> usize);

pub fn of(section: &Section, usual_line: usize) -> Grid {
    let sizes: Vec<Size> = section.groups.iter().map(|group| group.size).collect();
    let columns = size_columns(section.scenario, &sizes);
    let mut heads: Vec<Head> = Vec::new();
    let mut add = |text: &str, kind| {
        heads.push(Head {
            text: text.to_owned(),
            kind,
        });
    };
    for (text, _) in &columns {
        add(text, HeadKind::Size);
    }
    add("server", HeadKind::Server);
    for (index, metric) in section.metrics.iter().enumerate() {
        add(metric.head, HeadKind::Figure);
        if index == 0 {
            add("spread", HeadKind::Figure);
            if metric.compared {
                for reference in section.references() {
                    add(&format!("÷ {reference}"), HeadKind::Figure);
                }
            }
        }
    }
    let mut lines = Vec::new();
    for group in &section.groups {
        for (index, row) in group.rows.iter().enumerate() {
            let mut cells: Vec<String> = (columns.iter())
                .map(|(_, pick)| match index {
                    0 => grouped(pick(&group.size) as f64),
                    _ => String::new(),
                })
                .collect();
            cells.push(row.peer.to_owned());
            cells.extend(figures(section, group, row));
            lines.push(Line {
                cells,
                state: state(row),
                opens_group: index == 0,
                ours: row.peer.starts_with(OURS),
            });
        }
    }
    let mut grid = Grid {
        title: title(section, &sizes, usual_line),
        heads,
        lines,
    };
    grid.drop_empty_columns();
    grid
}

/// Only what varies within the section has a column; the rest is in the title.
fn size_columns(scenario: &str, sizes: &[Size]) -> Vec<SizeColumn> {
    let columns: [SizeColumn; 3] = [
        (clients(scenario).to_owned(), |size| size.readers),
        ("at a time".to_owned(), |size| size.burst),
        ("bytes a line".to_owned(), |size| size.line_bytes),
    ];
    let varies = |column: &SizeColumn| {
        sizes
            .iter()
            .any(|size| column.1(size) != column.1(&sizes[0]))
    };
    columns.into_iter().filter(varies).collect()
}

fn title(section: &Section, sizes: &[Size], usual_line: usize) -> String {
    let mut common = sizes[0];
    for size in sizes {
        common.readers = if size.readers == common.readers {
            common.readers
        } else {
            0
        };
        common.burst = if size.burst == common.burst {
            common.burst
        } else {
            0
        };
        common.line_bytes = if size.line_bytes == common.line_bytes {
            common.line_bytes
        } else {
            usual_line
        };
    }
    let words = size_words(section.scenario, common, usual_line);
    let comma = if words.is_empty() { "" } else { ", " };
    format!("{}{comma}{words}", section.scenario)
}

fn figures(section: &Section, group: &Group, row: &Row) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let mut cells = Vec::new();
    for (index, &metric) in section.metrics.iter().enumerate() {
        let figure = row.figure(metric);
        cells.push(or_nothing(figure.map(|value| metric.show(value))));
        if index > 0 {
            continue;
        }
        cells.push(or_nothing(spread(row, metric)));
        if metric.compared {
            for reference in section.references() {
                let other = group.row(reference).and_then(|row| row.record(metric));
                let pair = row.record(metric).zip(other);
                let quotient = pair.and_then(|(own, other)| own.ratio_to(other));
                cells.push(or_nothing(quotient.map(ratio)));
            }
        }
    }
    cells
}

fn spread(row: &Row, metric: Metric) -> Option<String> {
    let record = row.record(metric)?;
    row.figure(metric)?;
    (record.figures.len() > 1).then(|| {
        format!(
            "{}..{}",
            metric.show(record.low()),
            metric.show(record.high())
        )
    })
}

fn state(row: &Row) -> State {
    // A server's last words may be several lines; here they are to stay in theirs.
    let words = row.faults().join("; ").replace(char::is_control, " ");
    if words.is_empty() {
        State::Well
    } else if row.records.iter().all(|record| record.fault.is_some()) {
        State::Failed(words)
    } else {
        State::Partly(words)
    }
}

impl Grid {
    fn drop_empty_columns(&mut self) {
        for column in (0..self.heads.len()).rev() {
            let empty = |line: &Line| line.cells[column] == NOTHING;
            if self.heads[column].kind == HeadKind::Figure && self.lines.iter().all(empty) {
                self.heads.remove(column);
                for line in &mut self.lines {
                    line.cells.remove(column);
                }
            }
        }
    }
}

impl Grid {
    /// How many columns say which line this is; figures follow them.
    pub fn names(&self) -> usize {
        let figure = |head: &Head| head.kind == HeadKind::Figure;
        self.heads.iter().take_while(|head| !figure(head)).count()
    }
}
