//! Looks at everything that is shown, over figures that are made up. The benchmark has no test harness:
//! its `--check` calls this, and what is wrong here ends it with a panic that says what.

use super::charts::{self, Chart};
use super::look::{ALL_LETTERS, Letters};
use super::page::{NARROW, WIDE};
use super::svg::{self, Anchor};
use super::{csv, digest, files, labels, look, markdown, metric, sample, scale, text};
use crate::record::Record;

/// A text as a picture shows it: the box that it takes at most.
struct Shown {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    words: String,
}

pub fn check() {
    crate::record::check();
    metric::check();
    scale::check();
    labels::check();
    look::check();
    svg::check();
    let (records, facts) = (sample::records(), sample::facts());
    let sections = digest::sections(&records);
    digest::check(&records);
    csv::check(&records);
    text::check(&records, &sections, &facts);
    let main = charts::MAIN.map(|(scenario, _)| scenario);
    markdown::check(&records, &sections, &facts, &main);
    for (name, contents) in files(&records, &facts) {
        if name.ends_with(".svg") || name.ends_with(".html") {
            check_nesting(&name, &contents);
            let outside = contents.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            assert!(
                !outside.contains("://") && !outside.contains("<script"),
                "{name}"
            );
        }
    }
    check_plots(&records);
    // A run may be of a single server in a single scenario, without a floor, or of nothing at all.
    for count in [0, 1] {
        let few: Vec<Record> = sample::records().into_iter().take(count).collect();
        assert_eq!(files(&few, &facts).len(), 4 + count, "of {count} records");
    }
}

fn check_plots(records: &[Record]) {
    let sections = digest::sections(records);
    let charts = charts::all(records, &sections, digest::usual_line(records));
    let names: Vec<&str> = charts.iter().map(Chart::name).collect();
    let expected = [
        "cost-one-line",
        "cost-bursts-64",
        "cost-by-burst",
        "cost-by-length",
        "memory",
        "latency-1000",
    ];
    assert_eq!(names, expected);
    for chart in &charts {
        for width in [WIDE, NARROW] {
            let picture = chart.draw(width, true);
            check_texts(chart.name(), &picture, width);
            for server in ["snug", "floor", "redis", "threads.py", "ncat"] {
                assert!(
                    picture.contains(&format!(">{server}"))
                        || picture.contains(&format!("✕ {server}"))
                );
            }
        }
    }
    let one = charts[0].draw(WIDE, true);
    assert!(
        one.contains("✕ ncat: lost 12 lines"),
        "a fault at its place"
    );
    assert!(one.contains("&amp; &lt;stopped&gt;"), "escaped");
    for tick in [">10<", ">100<", ">1,000<", ">10,000<"] {
        assert!(one.contains(tick), "{tick}");
    }
    let Chart::Lines(plot) = &charts[0] else {
        panic!("several numbers of readers make a plot of lines");
    };
    let marks = plot.series.iter().map(|series| series.marks.len());
    assert!(marks.into_iter().all(|marks| marks == plot.x.places.len()));
    // Mosquitto's line has a gap at 1,000: it is begun anew after it.
    let mut series = plot.series.iter();
    let gap = series.find(|series| series.peer == "mosquitto");
    let stroke = gap.expect("in the sample").look.stroke();
    let begun = |line: &str| {
        line.starts_with(&format!("<path class=\"{stroke}\"")) && line.matches('M').count() == 2
    };
    assert!(one.lines().any(begun), "a gap");
    assert!(
        matches!(charts[4], Chart::Bars(_)),
        "one number of connections makes bars"
    );
}

/// Every tag that is opened is closed, in order, and no bare `<` or `&` stands in the text.
fn check_nesting(name: &str, document: &str) {
    const LONE: [&str; 2] = ["meta", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document;
    while let Some((_, tail)) = rest.split_once('<') {
        let (tag, tail) = tail.split_once('>').expect("a tag ends");
        rest = tail;
        let word = tag.split([' ', '\n']).next().unwrap_or_default();
        if let Some(word) = word.strip_prefix('/') {
            assert_eq!(open.pop(), Some(word), "{name}");
        } else if !tag.ends_with('/') && !LONE.contains(&word) {
            open.push(word);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{name}: {tag}");
    }
    assert!(open.is_empty(), "{name}: {open:?}");
    for entity in document.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(
            known.iter().any(|known| entity.starts_with(known)),
            "{name}: &{entity:.20}"
        );
    }
}

/// No text leaves the picture or lies on another.
fn check_texts(name: &str, picture: &str, width: f64) {
    let texts: Vec<Shown> = picture.lines().filter_map(shown).collect();
    assert!(texts.len() > 10, "{name}: {} texts", texts.len());
    for (index, text) in texts.iter().enumerate() {
        assert!(
            text.left >= 0.0 && text.right <= width,
            "{name}, {width}: {} sticks out",
            text.words
        );
        for other in &texts[..index] {
            let apart = text.right <= other.left
                || other.right <= text.left
                || text.bottom <= other.top
                || other.bottom <= text.top;
            assert!(
                apart,
                "{name}, {width}: {} lies on {}",
                text.words, other.words
            );
        }
    }
}

fn shown(line: &str) -> Option<Shown> {
    let rest = line.strip_prefix("<text ")?;
    let (attributes, words) = rest.split_once('>')?;
    let value = |name: &str| {
        let (_, tail) = attributes.split_once(&format!("{name}=\""))?;
        tail.split('"').next()
    };
    let class = value("class")?.split(' ').next()?;
    let letters: &Letters = ALL_LETTERS.iter().find(|it| it.class == class)?;
    let (x, y): (f64, f64) = (value(" x")?.parse().ok()?, value(" y")?.parse().ok()?);
    // An entity is one letter.
    let words = words.strip_suffix("</text>")?;
    let mut plain = words.to_owned();
    for entity in ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"] {
        plain = plain.replace(entity, "+");
    }
    let width = letters.width(&plain);
    let left = match value("text-anchor")? {
        anchor if anchor == Anchor::Start.word() => x,
        anchor if anchor == Anchor::Middle.word() => x - width / 2.0,
        _ => x - width,
    };
    Some(Shown {
        left,
        right: left + width,
        top: y - 0.8 * letters.size,
        bottom: y + 0.2 * letters.size,
        words: plain,
    })
}
