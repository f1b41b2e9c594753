//! Shows what was measured: records in, files and a table out. It measures nothing and starts nothing.
//!
//! All of it but [`write`] is text from records, without a clock, a file or a state.
//!
//! | part | owns |
//! | --- | --- |
//! | `metric` | what the figures mean, and how a number is written |
//! | `digest` | the order: scenarios, sizes, servers; where ours is not first |
//! | `csv`, `markdown`, `text`, `page` | the forms: for programs, for the README, for a terminal, for a browser |
//! | `grid` | a scenario's table, rounded and named, for the last two |
//! | `charts` | which plots there are, and of what |
//! | `plot`, `bars` | drawing one: lines over measured places, bars at a single place |
//! | `scale`, `labels` | where a value stands, which values are marked, how labels keep apart |
//! | `svg`, `look` | shapes and letters; colours, markers, the style sheet |
//! | `check`, `sample` | a look at all of that over figures that are made up |

mod bars;
mod charts;
mod check;
mod csv;
mod digest;
mod grid;
mod labels;
mod look;
mod markdown;
mod metric;
mod page;
mod plot;
mod sample;
mod scale;
mod svg;
mod text;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::Record;
pub use check::check;

/// The figures for programs.
const CSV: &str = "fanout.csv";
/// The table for people.
const TEXT: &str = "fanout.txt";
/// What the README quotes.
const MARKDOWN: &str = "readme.md";
const PAGE: &str = "index.html";

/// What belongs under a table.
pub struct Facts {
    pub date: String,
    /// Processor, cores, system, which core was whose.
    pub machine: String,
    /// With which the run can be repeated.
    pub command: String,
    /// Servers that are not installed, each with the Debian package that brings it.
    pub skipped: Vec<(String, String)>,
}

/// The table for people, with what belongs under it.
pub fn text(records: &[Record], facts: &Facts) -> String {
    let sections = digest::sections(records);
    text::render(records, &sections, facts, digest::usual_line(records))
}

/// Writes every form to `fanout` in the target directory and says which files these are, the page first.
/// Plots of an earlier run are taken away: they might be of scenarios that this one does not have.
pub fn write(records: &[Record], facts: &Facts) -> io::Result<Vec<PathBuf>> {
    // Cargo's directory for the scratch files of benchmarks is in the target directory, wherever that is.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = scratch.parent().unwrap_or(scratch).join("fanout");
    fs::create_dir_all(&directory)?;
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(path)?;
        }
    }
    let mut paths = Vec::new();
    for (name, contents) in files(records, facts) {
        let path = directory.join(name);
        fs::write(&path, contents)?;
        paths.push(path);
    }
    Ok(paths)
}

/// Every file by its name, the page first.
fn files(records: &[Record], facts: &Facts) -> Vec<(String, String)> {
    let sections = digest::sections(records);
    let usual_line = digest::usual_line(records);
    let charts = charts::all(records, &sections, usual_line);
    let main = charts::MAIN.map(|(scenario, _)| scenario);
    let forms = [
        (
            PAGE,
            page::render(records, &sections, &charts, facts, usual_line),
        ),
        (TEXT, text::render(records, &sections, facts, usual_line)),
        (
            MARKDOWN,
            markdown::render(records, &sections, facts, &main, usual_line),
        ),
        (CSV, csv::render(records)),
    ];
    let plots = (charts.iter()).map(|chart| {
        (
            format!("{}.svg", chart.name()),
            chart.draw(page::WIDE, true),
        )
    });
    let forms = forms.map(|(name, contents)| (name.to_owned(), contents));
    forms.into_iter().chain(plots).collect()
}

/// How the figures are meant, a sentence or two a line.
fn reading(records: &[Record], usual_line: usize) -> Vec<String> {
    let mut lines = vec![
        "CPU ns/line: the server's CPU for each line delivered to a reader, from the kernel's account; it does not \
        depend on how fast the load is. spread: the least and the greatest of the repeats of the first figure."
            .to_owned(),
        "÷ floor, ÷ snug: the first figure against theirs, repeat by repeat, in which all take turns; so it need not \
        be the ratio of the medians. The floor is a loop that sends what it reads and does nothing else. p50 to p99.9: from when a line was due until the last reader had it."
            .to_owned(),
        format!(
            "Medians. Every reader's stream is checked; where one is not complete and in order, or a server closes \
            readers or stalls, words stand in place of figures. Lines of {usual_line} bytes unless another length is named."
        ),
    ];
    if records.iter().any(|record| record.peer == "ncat") {
        lines.push(
            "ncat passes on what one read brings it, as the floor does, be it one line or many."
                .to_owned(),
        );
    }
    lines
}
