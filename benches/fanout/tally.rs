//! Gathers what each server came to in each scenario, repeat by repeat, and makes records of it.

use crate::blocks::PACED_TURNS;
use crate::load::Latencies;
use crate::plan::Kind;
use crate::record::Record;

pub const CPU: &str = "cpu_ns_per_line";
pub const LINES: &str = "lines_per_second";
pub const MEMORY: &str = "bytes_per_connection";
pub const CONNECTIONS: &str = "connections_per_second";
pub const RESIDENT: &str = "resident_start_bytes";
pub const BINARY: &str = "binary_bytes";
pub const IDLE_CALLS: &str = "idle_syscalls_per_minute";
pub const THREADS: &str = "threads";
pub const STUCK_COST: &str = "stuck_cost_ratio";
pub const P50: &str = "latency_p50_us";
pub const P99: &str = "latency_p99_us";
const QUANTILES: [(&str, f64); 4] = [
    (P50, 0.5),
    ("latency_p90_us", 0.9),
    (P99, 0.99),
    ("latency_p999_us", 0.999),
];
pub const FOOTPRINT: &str = "footprint";

/// A row of the comparison.
#[derive(Clone, PartialEq, Eq)]
pub struct Load {
    pub scenario: String,
    pub readers: usize,
    pub burst: usize,
    pub line_bytes: usize,
}

impl Load {
    pub fn new(kind: Kind, readers: usize, line_bytes: usize) -> Load {
        let line_bytes = if kind == Kind::Idle { 0 } else { line_bytes };
        Load {
            scenario: kind.label(),
            readers,
            burst: kind.burst(),
            line_bytes,
        }
    }

    pub fn footprint() -> Load {
        Load {
            scenario: FOOTPRINT.to_owned(),
            readers: 0,
            burst: 0,
            line_bytes: 0,
        }
    }

    /// The figure by which a row is known; a fault stands in its place.
    fn lead(&self) -> &'static str {
        let is = |kind: Kind| self.scenario == kind.label();
        match () {
            _ if is(Kind::Paced) => P50,
            _ if is(Kind::Stuck) => STUCK_COST,
            _ if is(Kind::Idle) => MEMORY,
            _ if self.scenario == FOOTPRINT => RESIDENT,
            _ => CPU,
        }
    }
}

/// What was measured of a server under one load.
struct Entry {
    load: Load,
    peer: String,
    figures: Vec<(&'static str, Vec<f64>)>,
    /// Those that do not make a figure yet, and of how many repeats they are.
    latencies: Option<(Latencies, usize)>,
    fault: Option<String>,
}

#[derive(Default)]
pub struct Tally {
    entries: Vec<Entry>,
}

impl Tally {
    pub fn add(&mut self, load: &Load, peer: &str, metric: &'static str, value: f64) {
        let figures = &mut self.entry(load, peer).figures;
        match figures.iter_mut().find(|(known, _)| *known == metric) {
            Some((_, values)) => values.push(value),
            None => figures.push((metric, vec![value])),
        }
    }

    /// One repeat's latencies. A few repeats make a figure, and not all of them one: the median of several is
    /// less moved by a bad moment.
    pub fn add_latencies(&mut self, load: &Load, peer: &str, latencies: Latencies) {
        let gathered = &mut self.entry(load, peer).latencies;
        let (latencies, repeats) = match gathered.take() {
            Some((sum, repeats)) => (sum + latencies, repeats + 1),
            None => (latencies, 1),
        };
        if repeats < PACED_TURNS {
            *gathered = Some((latencies, repeats));
        } else {
            self.add_quantiles(load, peer, &latencies);
        }
    }

    fn add_quantiles(&mut self, load: &Load, peer: &str, latencies: &Latencies) {
        for (metric, quantile) in QUANTILES {
            let ns = latencies.value_at_quantile(quantile) as f64;
            self.add(load, peer, metric, ns / 1e3);
        }
    }

    /// No more repeats come: where a short run had too few for a figure, what there is makes one.
    pub fn end(&mut self) {
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            let rest = entry.latencies.take().filter(|_| entry.figures.is_empty());
            let (load, peer) = (entry.load.clone(), entry.peer.clone());
            if let Some((latencies, _)) = rest {
                self.add_quantiles(&load, &peer, &latencies);
            }
        }
    }

    /// From here on the row shows these words, whatever was measured before.
    pub fn fail(&mut self, load: &Load, peer: &str, words: String) {
        self.entry(load, peer).fault.get_or_insert(words);
    }

    pub fn has_failed(&self, load: &Load, peer: &str) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.load == *load && entry.peer == peer && entry.fault.is_some())
    }

    pub fn faults(&self) -> impl Iterator<Item = String> {
        self.entries.iter().filter_map(|entry| {
            let (load, peer) = (&entry.load, &entry.peer);
            let words = entry.fault.as_ref()?;
            Some(format!(
                "{}, {} readers, {peer}: {words}",
                load.scenario, load.readers
            ))
        })
    }

    fn entry(&mut self, load: &Load, peer: &str) -> &mut Entry {
        let mut entries = self.entries.iter();
        let found = entries.position(|entry| entry.load == *load && entry.peer == peer);
        let at = found.unwrap_or_else(|| {
            self.entries.push(Entry {
                load: load.clone(),
                peer: peer.to_owned(),
                figures: Vec::new(),
                latencies: None,
                fault: None,
            });
            self.entries.len() - 1
        });
        &mut self.entries[at]
    }

    /// `version` knows what each peer says of itself.
    pub fn records(&self, version: impl Fn(&str) -> String) -> Vec<Record> {
        let mut records = Vec::new();
        for entry in &self.entries {
            let record = |metric, values: &[f64], fault| Record {
                scenario: entry.load.scenario.clone(),
                peer: entry.peer.clone(),
                version: version(&entry.peer),
                readers: entry.load.readers,
                burst: entry.load.burst,
                line_bytes: entry.load.line_bytes,
                metric,
                figures: values.to_vec(),
                fault,
            };
            if let Some(fault) = &entry.fault {
                records.push(record(entry.load.lead(), &[], Some(fault.clone())));
                continue;
            }
            let figures = entry.figures.iter();
            records.extend(figures.map(|(metric, values)| record(metric, values, None)));
        }
        records
    }
}
