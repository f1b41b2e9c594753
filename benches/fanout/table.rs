//! The figures as people and programs read them, and the figures that are required.
//!
//! Every figure is the median of its repeats; a ratio shows the least and the greatest of them too,
//! which is how much the machine's moods weigh.

use std::fmt::Write;

use crate::plan::Kind;
use crate::run::{Entry, Row};

const HEADER: [&str; 13] = [
    "scenario", "readers", "server", "lines/s", "CPU/line", "ratio", "min..max", "needed", "p50",
    "p99", "max", "B/idle", "conn/s",
];
/// Columns of words, set to the left; figures stand to the right.
const WORDS: [usize; 2] = [0, 2];
const NOTHING: &str = "-";

/// What has to be reached: ratios, and memory in bytes.
pub struct Requirement {
    pub what: String,
    pub at_most: f64,
    pub measured: Option<f64>,
}

impl Requirement {
    pub fn is_met(&self) -> bool {
        self.measured
            .is_some_and(|measured| measured <= self.at_most)
    }
}

/// The most that a row's ratio may be; the last entry but the floor is the one it is asked of.
fn ratio_limit(kind: Kind, readers: usize) -> Option<f64> {
    match (kind, readers) {
        (Kind::Lines(1), 100 | 1_000) => Some(1.10),
        (Kind::Lines(64), 100 | 1_000) => Some(1.6),
        // With more lines under way than talkers the floor finds several of one talker together, and
        // serves them with one send: that is no longer a line at a time beside a batch.
        (Kind::Talk(under_way), 200) if under_way <= 200 => Some(0.05),
        (Kind::Stuck, 1_000) => Some(1.1),
        _ => None,
    }
}

const LEAST_PAIRS: usize = 3;
const BYTES_PER_IDLE: f64 = 256.0;
const RESIDENT_AT_START: f64 = 3.0 * 1024.0 * 1024.0;

/// Every required figure that this run was asked for.
pub fn requirements(rows: &[Row]) -> Vec<Requirement> {
    let mut all = Vec::new();
    for row in rows
        .iter()
        .filter(|row| row.entries.iter().all(|entry| entry.skipped.is_none()))
    {
        let label = row.kind.label();
        if let Some(at_most) = ratio_limit(row.kind, row.readers) {
            // A row with an error has no figure, or not one to rely on: then this is not met.
            let measured = (row.entries.iter())
                .all(|entry| entry.error.is_none())
                .then(|| row.entries.iter().find_map(|entry| decided(&entry.ratios)))
                .flatten();
            let what = format!("{label}, {} readers: ratio", row.readers);
            all.push(Requirement {
                what,
                at_most,
                measured,
            });
        }
        if let (Kind::Idle, [snug, ..]) = (row.kind, &row.entries[..]) {
            for (what, at_most, measured) in [
                (
                    "bytes for an idle connection",
                    BYTES_PER_IDLE,
                    &snug.bytes_per_idle,
                ),
                (
                    "bytes resident at start",
                    RESIDENT_AT_START,
                    &snug.resident_at_start,
                ),
            ] {
                all.push(Requirement {
                    what: what.to_owned(),
                    at_most,
                    measured: median(measured),
                });
            }
        }
    }
    all
}

/// The table for people.
pub fn for_people(rows: &[Row]) -> String {
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    for row in rows {
        lines.extend((0..row.entries.len()).map(|index| cells(row, index)));
    }
    let width = |column: usize| {
        // A line cut short by a message takes no part: the message may be as long as it likes.
        let whole = lines
            .iter()
            .filter(|line| line.len() == HEADER.len() || column < 3);
        whole
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Writing to a string cannot fail.
            let _ = if WORDS.contains(&column) {
                write!(text, "{gap}{cell:<width$}")
            } else if line.len() < HEADER.len() && column == line.len() - 1 {
                write!(text, "{gap}{cell}")
            } else {
                write!(text, "{gap}{cell:>width$}")
            };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
    out
}

fn cells(row: &Row, index: usize) -> Vec<String> {
    let entry = &row.entries[index];
    let first = |text: String| if index == 0 { text } else { String::new() };
    let mut cells = vec![
        first(row.kind.label()),
        first(grouped(row.readers as f64)),
        entry.server.clone(),
    ];
    if let Some(message) = message(entry) {
        cells.push(message);
        return cells;
    }
    let or_nothing = |value: Option<String>| value.unwrap_or_else(|| NOTHING.to_owned());
    cells.push(or_nothing(median(&entry.lines_per_second).map(grouped)));
    cells.push(or_nothing(median(&entry.cpu).map(duration)));
    cells.push(or_nothing(median(&entry.ratios).map(ratio)));
    cells.push(or_nothing(spread(&entry.ratios)));
    cells.push(or_nothing(needed(row, entry)));
    let recorded = entry
        .latencies
        .as_ref()
        .filter(|latencies| !latencies.is_empty());
    for quantile in [0.5, 0.99, 1.0] {
        let value = recorded.map(|latencies| latencies.value_at_quantile(quantile) as f64);
        cells.push(or_nothing(value.map(duration)));
    }
    cells.push(or_nothing(median(&entry.bytes_per_idle).map(grouped)));
    cells.push(or_nothing(
        median(&entry.connections_per_second).map(grouped),
    ));
    cells
}

fn message(entry: &Entry) -> Option<String> {
    let error = entry.error.as_ref().map(|error| format!("ERROR: {error}"));
    error.or_else(|| entry.skipped.as_ref().map(|why| format!("skipped: {why}")))
}

/// The limit on the ratio beside the entry that has one, and whether it is kept.
fn needed(row: &Row, entry: &Entry) -> Option<String> {
    let at_most = ratio_limit(row.kind, row.readers)?;
    median(&entry.ratios)?;
    let kept = match decided(&entry.ratios) {
        Some(measured) if measured <= at_most => "ok",
        Some(_) => "MISSED",
        None => "too few",
    };
    Some(format!("{} {kept}", ratio(at_most)))
}

/// What is required and does not fit a column of ratios, for the footer.
pub fn verdicts(rows: &[Row]) -> String {
    let mut out = String::new();
    for requirement in requirements(rows) {
        let measured = requirement
            .measured
            .map_or_else(|| NOTHING.to_owned(), plain);
        let kept = match requirement.measured {
            Some(_) if requirement.is_met() => "ok",
            Some(_) => "MISSED",
            None => "not decided: an error, or too few repeats",
        };
        let (what, at_most) = (&requirement.what, plain(requirement.at_most));
        let _ = writeln!(out, "{what}: {measured}, needed at most {at_most}: {kept}");
    }
    out
}

/// The same for programs: nanoseconds and bytes, an empty field where there is no figure.
pub fn csv(rows: &[Row]) -> String {
    let mut out = "scenario,readers,server,lines_per_second,cpu_ns_per_line,ratio,ratio_min,\
        ratio_max,p50_ns,p99_ns,max_ns,bytes_per_idle_connection,connections_per_second,\
        resident_at_start,error\n"
        .to_owned();
    for row in rows {
        for entry in &row.entries {
            let quantile = |quantile| {
                let recorded = entry
                    .latencies
                    .as_ref()
                    .filter(|recorded| !recorded.is_empty());
                recorded.map(|recorded| recorded.value_at_quantile(quantile) as f64)
            };
            let figures = [
                median(&entry.lines_per_second),
                median(&entry.cpu),
                median(&entry.ratios),
                entry.ratios.iter().copied().reduce(f64::min),
                entry.ratios.iter().copied().reduce(f64::max),
                quantile(0.5),
                quantile(0.99),
                quantile(1.0),
                median(&entry.bytes_per_idle),
                median(&entry.connections_per_second),
                median(&entry.resident_at_start),
            ];
            let field =
                |figure: Option<f64>| figure.map_or_else(String::new, |it| format!("{it:.4}"));
            let figures = figures.map(field).join(",");
            let (label, readers) = (quoted(&row.kind.label()), row.readers);
            let message = quoted(&message(entry).unwrap_or_default());
            let server = quoted(&entry.server);
            let _ = writeln!(out, "{label},{readers},{server},{figures},{message}");
        }
    }
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The median, if enough pairs were measured to judge by it: one of one is a matter of luck.
fn decided(ratios: &[f64]) -> Option<f64> {
    median(ratios).filter(|_| ratios.len() >= LEAST_PAIRS)
}

pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

fn spread(values: &[f64]) -> Option<String> {
    let least = values.iter().copied().reduce(f64::min)?;
    let greatest = values.iter().copied().reduce(f64::max)?;
    Some(format!("{}..{}", ratio(least), ratio(greatest)))
}

/// Small ratios need more digits than large ones.
fn ratio(value: f64) -> String {
    if value < 0.1 {
        format!("{value:.3}")
    } else {
        format!("{value:.2}")
    }
}

fn plain(value: f64) -> String {
    if value < 1_000.0 {
        ratio(value)
    } else {
        format!("{value:.0}")
    }
}

/// Nanoseconds in the unit that leaves one to four digits before the point.
fn duration(ns: f64) -> String {
    match ns {
        ..1_000.0 => format!("{ns:.0} ns"),
        ..10_000.0 => format!("{:.2} µs", ns / 1e3),
        ..1_000_000.0 => format!("{:.0} µs", ns / 1e3),
        ..100_000_000.0 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.0} ms", ns / 1e6),
    }
}

/// A whole number with its thousands set apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
