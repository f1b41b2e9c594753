//! One page with everything: plots, tables, who took part, how to repeat it. No script, nothing from
//! elsewhere; for a screen of any width, light or dark, and for paper.

use std::fmt::Write;

use super::Facts;
use super::charts::Chart;
use super::digest::{OURS, Section, peers};
use super::grid::{self, Grid, HeadKind, Line, State};
use super::look;
use super::markdown::{behind_sentences, without_floor};
use super::svg::escaped;
use crate::record::Record;

/// Widths of the two drawings of each plot. The page shows one of them: letters do not shrink on a phone.
pub const WIDE: f64 = 720.0;
pub const NARROW: f64 = 360.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#16181d;--soft:#565c66;--line:#d5d8dd;--ours:#fdeee6}
@media screen and (prefers-color-scheme:dark){:root{--paper:#14161a;--ink:#f0f1f4;--soft:#aab0ba;--line:#3a3f47;--ours:#3a2418}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:56rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.2rem;margin:2.5rem 0 .75rem}
h3{font-size:1rem;margin:1.75rem 0 .4rem}
p,li{max-width:46rem}.soft{color:var(--soft)}
code,pre{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.9em}
pre{overflow-x:auto;padding:.75rem 1rem;border:1px solid var(--line);border-radius:6px}
figure{margin:0 0 1.5rem}figure svg{display:block;max-width:100%;height:auto}
.narrow{display:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:right;white-space:nowrap}
th{border-bottom:2px solid var(--line);font-weight:600}
.word{text-align:left}.words{text-align:left;color:var(--soft)}
.opens>*{border-top:1px solid var(--line)}thead+tbody>.opens:first-child>*{border-top:0}
.ours td{font-weight:600}.ours .tint{background:var(--ours)}
@media screen and (max-width:47rem){.wide{display:none}.narrow{display:block}}
@media print{figure,tr{break-inside:avoid}h2,h3{break-after:avoid}body{max-width:none;padding:0}
.scroll{overflow:visible}table{font-size:.7rem}th,td{padding:.1rem .3rem}}
";

/// The whole page.
pub fn render(
    records: &[Record],
    sections: &[Section],
    charts: &[Chart],
    facts: &Facts,
    usual_line: usize,
) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
        <title>{OURS} and the others, {}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n\
        <h1>What does it cost to bring a line to many readers?</h1>\n",
        escaped(&facts.date),
        look::style(),
    );
    out.push_str(&taking_part(records, facts));
    out.push_str("<h2>Plots</h2>\n");
    for chart in charts {
        for (class, width) in [("wide", WIDE), ("narrow", NARROW)] {
            // Writing to a string cannot fail, here and below.
            let svg = chart.draw(width, false);
            let _ = writeln!(out, "<figure class=\"{class}\">\n{svg}</figure>");
        }
    }
    let _ = write!(
        out,
        "<h2>Where {OURS} is not first</h2>\n{}",
        behind(sections, usual_line)
    );
    out.push_str("<h2>All figures</h2>\n");
    for section in sections {
        out.push_str(&table(&grid::of(section, usual_line)));
    }
    out.push_str(&reading(records, facts, usual_line));
    out.push_str("</body>\n</html>\n");
    out
}

fn taking_part(records: &[Record], facts: &Facts) -> String {
    let servers = peers(records).into_iter();
    let servers: Vec<String> = servers
        .map(|(peer, version)| escaped(format!("{peer} {version}").trim_end()))
        .collect();
    let mut out = format!(
        "<p class=\"soft\">{}; {}.</p>\n<p>Measured in one run: {}.</p>\n",
        escaped(&facts.date),
        escaped(&facts.machine),
        servers.join(", "),
    );
    if !facts.skipped.is_empty() {
        out.push_str("<p>Skipped, since not installed:</p>\n<ul>\n");
        for (peer, package) in &facts.skipped {
            let _ = writeln!(
                out,
                "<li>{} (Debian package <code>{}</code>)</li>",
                escaped(peer),
                escaped(package)
            );
        }
        out.push_str("</ul>\n");
    }
    out
}

fn behind(sections: &[Section], usual_line: usize) -> String {
    let sentences = behind_sentences(sections, usual_line);
    if sentences.is_empty() {
        return format!("<p>In no row ({}).</p>\n", without_floor());
    }
    let mut out = format!("<p>By medians; {}.</p>\n<ul>\n", without_floor());
    for sentence in sentences {
        let _ = writeln!(out, "<li>{}</li>", escaped(&sentence));
    }
    out + "</ul>\n"
}

fn reading(records: &[Record], facts: &Facts, usual_line: usize) -> String {
    let mut out = "<h2>How to read this</h2>\n".to_owned();
    for line in super::reading(records, usual_line) {
        let _ = writeln!(out, "<p>{}</p>", escaped(&line));
    }
    let _ = write!(
        out,
        "<h2>How to repeat it</h2>\n<p>In the source tree, with the servers above on the <code>PATH</code>, on a \
        machine that does nothing else:</p>\n<pre>{}</pre>\n<p>The figures for programs are in \
        <code>{}</code> beside this page.</p>\n",
        escaped(&facts.command),
        super::CSV,
    );
    out
}

fn table(grid: &Grid) -> String {
    let mut out = format!(
        "<h3>{}</h3>\n<div class=\"scroll\"><table>\n<thead><tr>",
        escaped(&grid.title)
    );
    for head in &grid.heads {
        let _ = write!(
            out,
            "<th scope=\"col\"{}>{}</th>",
            class(head.kind),
            escaped(&head.text)
        );
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for line in &grid.lines {
        out.push_str(&row(grid, line));
    }
    out + "</tbody>\n</table></div>\n"
}

fn row(grid: &Grid, line: &Line) -> String {
    let opens = if line.opens_group { "opens" } else { "" };
    let ours = if line.ours { " ours" } else { "" };
    let mut out = format!("<tr class=\"{opens}{ours}\">");
    let (names, all) = (grid.names(), grid.heads.len());
    let shown = match line.state {
        State::Failed(_) => names,
        State::Well | State::Partly(_) => all,
    };
    for (cell, head) in line.cells.iter().zip(&grid.heads).take(shown) {
        let _ = write!(out, "<td{}>{}</td>", class(head.kind), escaped(cell));
    }
    match &line.state {
        State::Well => {}
        State::Partly(words) => {
            let _ = write!(out, "<td class=\"words\">{}</td>", escaped(words));
        }
        State::Failed(words) => {
            let span = all - names;
            let words = escaped(words);
            let _ = write!(out, "<td class=\"words\" colspan=\"{span}\">{words}</td>");
        }
    }
    out + "</tr>\n"
}

fn class(kind: HeadKind) -> &'static str {
    match kind {
        HeadKind::Size => "",
        HeadKind::Server => " class=\"word tint\"",
        HeadKind::Figure => " class=\"tint\"",
    }
}
