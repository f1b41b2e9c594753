//! What a comparison must come to: ratios within one run, and sizes.

use std::fmt::Write;

use crate::plan::Kind;
use crate::record::Record;
use crate::tally::{BINARY, CONNECTIONS, CPU, FOOTPRINT, MEMORY, P50, P99, RESIDENT, STUCK_COST};

pub const SNUG: &str = "snug";
/// snug by the profile for size, where that has been built.
pub const SMALL: &str = "snug, small";
const FLOOR: &str = "floor";
const SAME_BYTES: &str = "floor, same bytes";
/// Those whose best snug is to beat line by line.
const FIELD: [&str; 5] = ["redis", "nats", "mosquitto", "ngircd", "ncat"];
/// Those that keep lines whole: ncat relays what it read in one piece as one piece, as the floor does.
const KEEPERS: [&str; 6] = [
    "redis",
    "nats",
    "mosquitto",
    "ngircd",
    "inspircd",
    "threads.py",
];
const KIB: f64 = 1024.0;

pub struct Demand {
    pub what: String,
    pub limit: Limit,
    /// `None` where one of the figures is missing.
    pub measured: Option<f64>,
    /// Who was best of those that it is measured against.
    pub against: String,
}

#[derive(Clone, Copy)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Demand {
    pub fn is_met(&self) -> bool {
        self.measured.is_some_and(|measured| match self.limit {
            Limit::AtMost(limit) => measured <= limit,
            Limit::AtLeast(limit) => measured >= limit,
        })
    }
}

/// One line each, with its figure and whether it is met.
pub fn for_people(demands: &[Demand]) -> String {
    let mut out = String::new();
    for demand in demands {
        let measured = demand.measured.map_or_else(|| "-".to_owned(), shown);
        let limit = match demand.limit {
            Limit::AtMost(limit) => format!("at most {}", shown(limit)),
            Limit::AtLeast(limit) => format!("at least {}", shown(limit)),
        };
        let verdict = match demand.measured {
            Some(_) if demand.is_met() => "met",
            Some(_) => "MISSED",
            None => "not measured",
        };
        let (what, against) = (&demand.what, &demand.against);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{verdict:<12}  {measured:>9}, {limit:<16}  {what}{against}"
        );
    }
    out
}

fn shown(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.3}"),
        _ => format!("{value:.0}"),
    }
}

/// All of them, whether or not this run has the figures.
pub fn demands(records: &[Record]) -> Vec<Demand> {
    let book = Book { records };
    let mut all = Vec::new();
    for (readers, best) in [(100, 0.85), (1_000, 0.75), (10_000, 1.0)] {
        let place = (Kind::Lines(1), readers);
        all.push(book.ratio(place, CPU, &[FLOOR], Limit::AtMost(1.05)));
        all.push(book.ratio(place, CPU, &FIELD, Limit::AtMost(best)));
    }
    for readers in [100, 1_000] {
        let place = (Kind::Lines(64), readers);
        all.push(book.ratio(place, CPU, &[SAME_BYTES], Limit::AtMost(1.25)));
        all.push(book.ratio(place, CPU, &KEEPERS, Limit::AtMost(0.55)));
    }
    for (under_way, limit) in [(64, 0.20), (1_000, 0.10)] {
        let place = (Kind::Talk(under_way), 200);
        all.push(book.ratio(place, CPU, &["ngircd"], Limit::AtMost(limit)));
    }
    for burst in [1, 8, 64] {
        let figure = |kind: Kind| book.record(&kind.label(), 10_000, SNUG, CPU);
        let pair = figure(Kind::Rooms(burst)).zip(figure(Kind::Lines(burst)));
        all.push(size(
            &format!(
                "1,000 rooms of ten, bursts of {burst}: CPU per line against one room of 10,000"
            ),
            1.3,
            pair.and_then(|(rooms, room)| rooms.ratio_to(room)),
        ));
    }
    for (metric, limit) in [(P50, 1.05), (P99, 1.10)] {
        all.push(book.ratio((Kind::Paced, 1_000), metric, &[FLOOR], Limit::AtMost(limit)));
    }
    let idle = (Kind::Idle, 10_000);
    let memory = book.of(&Kind::Idle.label(), 10_000, SNUG, MEMORY);
    all.push(size(
        "bytes for each of 10,000 idle connections",
        200.0,
        memory,
    ));
    let others: Vec<&str> = FIELD.iter().chain(&KEEPERS).copied().collect();
    all.push(book.ratio(idle, MEMORY, &others, Limit::AtMost(0.25)));
    all.push(book.ratio(idle, CONNECTIONS, &["redis"], Limit::AtLeast(1.0)));
    let stuck = book.of(&Kind::Stuck.label(), 100, SNUG, STUCK_COST);
    all.push(size(
        "one reader of a hundred stuck: the others' cost against none stuck",
        1.02,
        stuck,
    ));
    let footprint = |peer, metric| book.of(FOOTPRINT, 0, peer, metric);
    all.push(size(
        "bytes of the binary",
        KIB * KIB,
        footprint(SNUG, BINARY),
    ));
    all.push(size(
        "bytes of the binary, small profile",
        800.0 * KIB,
        footprint(SMALL, BINARY),
    ));
    all.push(size(
        "bytes resident at the start",
        2.5 * KIB * KIB,
        footprint(SNUG, RESIDENT),
    ));
    all
}

fn size(what: &str, at_most: f64, measured: Option<f64>) -> Demand {
    Demand {
        what: what.to_owned(),
        limit: Limit::AtMost(at_most),
        measured,
        against: String::new(),
    }
}

struct Book<'a> {
    records: &'a [Record],
}

impl Book<'_> {
    /// With the usual length of lines, where a scenario has several.
    fn record(&self, scenario: &str, readers: usize, peer: &str, metric: &str) -> Option<&Record> {
        let mut records = self.records.iter();
        records.find(|record| {
            record.scenario == scenario
                && record.readers == readers
                && record.peer == peer
                && record.metric == metric
                && (record.line_bytes == 0 || record.line_bytes == crate::plan::LINE_BYTES)
        })
    }

    fn of(&self, scenario: &str, readers: usize, peer: &str, metric: &str) -> Option<f64> {
        self.record(scenario, readers, peer, metric)?.figure()
    }

    /// snug's figure against the best of `others`.
    fn ratio(
        &self,
        (kind, readers): (Kind, usize),
        metric: &str,
        others: &[&str],
        limit: Limit,
    ) -> Demand {
        let scenario = kind.label();
        let own = self.record(&scenario, readers, SNUG, metric);
        let ratios = others.iter().filter_map(|&peer| {
            let other = self.record(&scenario, readers, peer, metric)?;
            Some((peer, own?.ratio_to(other)?))
        });
        // The best of them is whom snug does worst against.
        let best = match limit {
            Limit::AtMost(_) => ratios.max_by(|left, right| left.1.total_cmp(&right.1)),
            Limit::AtLeast(_) => ratios.min_by(|left, right| left.1.total_cmp(&right.1)),
        };
        let what = match metric {
            CPU => "CPU per line",
            P50 => "p50",
            P99 => "p99",
            MEMORY => "bytes for a connection",
            _ => "connections a second",
        };
        let against = match (best, others.len()) {
            (Some((peer, _)), 1) => format!(" against {peer}"),
            (Some((peer, _)), _) => format!(" against the best, {peer}"),
            (None, _) => format!(" against {}", others.join(", ")),
        };
        Demand {
            what: format!("{scenario}, {readers} readers: {what}"),
            limit,
            measured: best.map(|(_, ratio)| ratio),
            against,
        }
    }
}
