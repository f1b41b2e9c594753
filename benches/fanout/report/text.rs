//! The table for people, on a terminal: figures in columns, under a title for each scenario.

use std::fmt::Write;

use super::Facts;
use super::digest::{Section, peers};
use super::grid::{self, Grid, HeadKind, Line, State};
use crate::record::Record;

/// What stands below the tables is broken into lines of at most so many letters.
const COLUMNS: usize = 100;

/// Every section as a table, then what stands below them all.
pub fn render(
    records: &[Record],
    sections: &[Section],
    facts: &Facts,
    usual_line: usize,
) -> String {
    let mut out = String::new();
    for section in sections {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "{}", table(&grid::of(section, usual_line)));
    }
    out.push_str(&notes(records, facts, usual_line));
    out
}

/// How to read the figures, who took part, who did not, and where.
fn notes(records: &[Record], facts: &Facts, usual_line: usize) -> String {
    let mut out = String::new();
    for line in super::reading(records, usual_line) {
        let _ = writeln!(out, "{}", wrapped(&line));
    }
    let named = peers(records)
        .into_iter()
        .filter(|(_, version)| !version.is_empty());
    let named: Vec<String> = named
        .map(|(peer, version)| format!("{peer} {version}"))
        .collect();
    if !named.is_empty() {
        let versions = format!("Versions: {}.", named.join(", "));
        let _ = writeln!(out, "{}", wrapped(&versions));
    }
    for (peer, package) in &facts.skipped {
        let _ = writeln!(
            out,
            "Skipped: {peer} is not installed; the Debian package {package} brings it."
        );
    }
    let place = format!("{}; {}", facts.date, facts.machine);
    let _ = writeln!(out, "{}\n{}", wrapped(&place), facts.command);
    out
}

/// Broken between words; a longer word stays whole.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn table(grid: &Grid) -> String {
    let widths = widths(grid);
    let mut out = format!("{}\n", grid.title);
    let heads: Vec<String> = grid.heads.iter().map(|head| head.text.clone()).collect();
    let mut add = |line: String| {
        let _ = writeln!(out, "  {}", line.trim_end());
    };
    add(aligned(grid, &widths, &heads));
    for line in &grid.lines {
        let names = grid.names();
        add(match &line.state {
            State::Well => aligned(grid, &widths, &line.cells),
            State::Partly(words) => format!("{}  {words}", aligned(grid, &widths, &line.cells)),
            State::Failed(words) => {
                format!("{}  {words}", aligned(grid, &widths, &line.cells[..names]))
            }
        });
    }
    out
}

/// What stands in place of figures may be as long as it likes, and takes no part.
fn widths(grid: &Grid) -> Vec<usize> {
    let names = grid.names();
    let counts =
        |line: &&Line, column: usize| column < names || !matches!(line.state, State::Failed(_));
    let width = |(column, head): (usize, &grid::Head)| {
        let lines = grid.lines.iter().filter(|line| counts(line, column));
        let cells = lines.map(|line| line.cells[column].chars().count());
        cells.max().unwrap_or(0).max(head.text.chars().count())
    };
    grid.heads.iter().enumerate().map(width).collect()
}

/// Figures stand to the right, servers to the left.
fn aligned(grid: &Grid, widths: &[usize], cells: &[String]) -> String {
    let mut parts = Vec::new();
    for ((cell, &width), head) in cells.iter().zip(widths).zip(&grid.heads) {
        parts.push(match head.kind {
            HeadKind::Server => format!("{cell:<width$}"),
            HeadKind::Size | HeadKind::Figure => format!("{cell:>width$}"),
        });
    }
    parts.join("  ")
}

pub fn check(records: &[Record], sections: &[Section], facts: &Facts) {
    let text = render(records, sections, facts, 64);
    for section in sections {
        assert!(
            text.contains(&format!("\n{}", section.scenario)) || text.starts_with(section.scenario)
        );
    }
    for fault in records.iter().filter_map(|record| record.fault.as_deref()) {
        let words = fault.replace('\n', " ");
        assert!(text.contains(&words), "{words}");
    }
    let (peer, package) = &facts.skipped[0];
    assert!(text.contains(&format!(
        "{peer} is not installed; the Debian package {package}"
    )));
    let words = super::reading(records, 64).concat();
    let lines = wrapped(&words);
    assert!(lines.lines().all(|line| line.chars().count() <= COLUMNS));
    assert_eq!(lines.replace('\n', " "), words, "nothing but breaks");
    let grid = grid::of(&sections[0], 64);
    let names: usize = widths(&grid)[..grid.names()]
        .iter()
        .map(|width| width + 2)
        .sum();
    let table = table(&grid);
    let mut lines = table.lines().skip(1);
    let head = lines.next().expect("a line of heads");
    assert!(head.contains("CPU ns/line") && head.contains("÷ floor"));
    let end = head.chars().count();
    for (text, line) in lines.zip(&grid.lines) {
        match line.state {
            State::Well => assert_eq!(text.chars().count(), end, "{text}"),
            _ => assert!(text.chars().count() > names, "{text}"),
        }
    }
}
