//! What the README quotes: the figures of the main plot as tables, and where ours is not first. To be
//! pasted as it is.

use std::fmt::Write;

use super::Facts;
use super::digest::{self, FLOOR, Loss, OURS, Outcome, Section, peers, size_words};
use super::metric::{CPU, Metric, grouped};
use crate::record::Record;

const NOTHING: &str = "-";

/// `main` names the scenarios of the main plot.
pub fn render(
    records: &[Record],
    sections: &[Section],
    facts: &Facts,
    main: &[&str],
    usual_line: usize,
) -> String {
    let mut out = format!(
        "Measured on {} ({}) with `{}`: medians, each server alone on one core.\n",
        cell(&facts.date),
        cell(&facts.machine),
        facts.command.replace('`', "'"),
    );
    for section in sections.iter().filter(|it| main.contains(&it.scenario)) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            out,
            "\nServer CPU per delivered line, in ns: {}.\n\n{}",
            section.scenario,
            costs(section, &peers(records), usual_line)
        );
    }
    for (peer, package) in &facts.skipped {
        let _ = write!(
            out,
            "\nNot measured: {} (Debian package `{}`).\n",
            cell(peer),
            package.replace('`', "'")
        );
    }
    let _ = write!(out, "\n{}", behind(sections, usual_line));
    out
}

/// A row a server, the best at the greatest size first, a column a number of readers.
fn costs(section: &Section, peers: &[(&str, &str)], usual_line: usize) -> String {
    let cpu = Metric::named(CPU);
    let groups: Vec<_> = (section.groups.iter())
        .filter(|group| group.size.line_bytes == usual_line)
        .collect();
    let mut head = "| server |".to_owned();
    let mut rule = "| --- |".to_owned();
    for group in &groups {
        let _ = write!(head, " {} readers |", grouped(group.size.readers as f64));
        rule.push_str(" ---: |");
    }
    let mut out = format!("{head}\n{rule}\n");
    // Each group has its best first, so the place in the last one decides; who is not in it comes last.
    let place = |peer: &str| {
        let rows = groups.last().map(|group| &group.rows);
        rows.and_then(|rows| rows.iter().position(|row| row.peer == peer))
            .unwrap_or(usize::MAX)
    };
    let mut peers: Vec<_> = (peers.iter())
        .filter(|(peer, _)| groups.iter().any(|group| group.row(peer).is_some()))
        .collect();
    peers.sort_by_key(|(peer, _)| place(peer));
    for (peer, version) in peers {
        let name = cell(format!("{peer} {version}").trim_end());
        let _ = match peer.starts_with(OURS) {
            true => write!(out, "| **{name}** |"),
            false => write!(out, "| {name} |"),
        };
        for group in &groups {
            let outcome = group.row(peer).map(|row| row.outcome(cpu));
            let text = match outcome {
                Some(Outcome::Figure(record)) => cpu.show(record.median()),
                Some(Outcome::Fault(fault)) => cell(fault),
                Some(Outcome::Missing) | None => NOTHING.to_owned(),
            };
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
    out
}

/// A sentence each, for programs of any mark-up to show as a list.
pub fn behind_sentences(sections: &[Section], usual_line: usize) -> Vec<String> {
    let sentence = |place: &digest::Behind| {
        let words = size_words(place.scenario, place.size, usual_line);
        let comma = if words.is_empty() { "" } else { ", " };
        let losses: Vec<String> = place.losses.iter().map(loss_words).collect();
        format!("{}{comma}{words}: {}", place.scenario, losses.join("; "))
    };
    digest::behind(sections).iter().map(sentence).collect()
}

fn loss_words(loss: &Loss) -> String {
    let Loss { metric, ours, best } = loss;
    let own = match &ours.fault {
        Some(fault) => fault.clone(),
        None => metric.say(ours.median()),
    };
    match best {
        Some(best) => format!(
            "{} {own}, {} {}",
            metric.words,
            best.peer,
            metric.say(best.median())
        ),
        None => format!("{} {own}", metric.words),
    }
}

fn behind(sections: &[Section], usual_line: usize) -> String {
    let sentences = behind_sentences(sections, usual_line);
    if sentences.is_empty() {
        return format!("{OURS} is first in every row ({}).\n", without_floor());
    }
    let mut out = format!("Where {OURS} is not first ({}):\n\n", without_floor());
    for sentence in sentences {
        let _ = writeln!(out, "- {}", cell(&sentence));
    }
    out
}

/// Why the floor may have the lower figure.
pub fn without_floor() -> String {
    format!("the {FLOOR}, which only sends, takes no part")
}

/// Text that stays in its cell, and is not taken for mark-up.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '|' | '*' | '`' | '<' | '[' | '\\' => out.extend(['\\', letter]),
            '\n' | '\r' => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}

pub fn check(records: &[Record], sections: &[Section], facts: &Facts, main: &[&str]) {
    assert_eq!(cell("a|b\nc"), "a\\|b c");
    let text = render(records, sections, facts, main, 64);
    let mut bars = 0;
    for line in text.lines() {
        // All rows of a table have as many cells as its head.
        let own = line.matches('|').count() - line.matches("\\|").count();
        assert!(own == 0 || bars == 0 || own == bars, "{line}");
        bars = own;
    }
    assert!(text.contains("| **snug 0.1.0** |"), "{text}");
    assert!(text.contains(&format!("Where {OURS} is not first")));
    let ours: Vec<&Section> = sections
        .iter()
        .filter(|it| it.scenario == main[0])
        .collect();
    let alone = Section {
        scenario: main[0],
        metrics: ours[0].metrics.clone(),
        groups: Vec::new(),
    };
    assert!(behind(&[alone], 64).contains("first in every row"));
}
