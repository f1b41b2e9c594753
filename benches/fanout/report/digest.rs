//! Puts the records in order: a section a scenario, in it a group a size, in it a row a server, the best
//! first. Owns who is ours and who is the floor, and where we are not first. It writes nothing.

use super::metric::{Better, CPU, Metric};
use crate::record::Record;

/// The name of the server that this is about; its variants begin with it.
pub const OURS: &str = "snug";
/// The loop that only sends; its variants begin with it. It is no server, and takes no part in a ranking.
pub const FLOOR: &str = "floor";

pub struct Section<'a> {
    pub scenario: &'a str,
    /// Those of which there is at least one figure or fault; the first ranks the rows.
    pub metrics: Vec<Metric>,
    pub groups: Vec<Group<'a>>,
}

/// What was measured under the same load.
pub struct Group<'a> {
    pub size: Size,
    pub rows: Vec<Row<'a>>,
}

/// 0 stands for what has no meaning in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    pub readers: usize,
    pub burst: usize,
    pub line_bytes: usize,
}

pub struct Row<'a> {
    pub peer: &'a str,
    pub records: Vec<&'a Record>,
}

impl Section<'_> {
    /// Whom the others are compared with: the floor, in each of its variants, and ours.
    pub fn references(&self) -> Vec<&str> {
        let rows = self.groups.iter().flat_map(|group| &group.rows);
        let mut references: Vec<&str> = rows
            .map(|row| row.peer)
            .filter(|peer| peer.starts_with(FLOOR))
            .collect();
        references.sort_unstable();
        references.dedup();
        references.push(OURS);
        references
    }
}

/// What a row has to say of a metric.
pub enum Outcome<'a> {
    Figure(&'a Record),
    /// Of this metric, or of the whole row if that is all there is.
    Fault(&'a str),
    Missing,
}

/// A place where another server is better than ours.
pub struct Behind<'a> {
    pub scenario: &'a str,
    pub size: Size,
    pub losses: Vec<Loss<'a>>,
}

pub struct Loss<'a> {
    pub metric: Metric,
    pub ours: &'a Record,
    /// The best of the others; `None` where ours has a fault and nobody has a figure.
    pub best: Option<&'a Record>,
}

impl Size {
    pub fn of(record: &Record) -> Size {
        Size {
            readers: record.readers,
            burst: record.burst,
            line_bytes: record.line_bytes,
        }
    }
}

/// All scenarios, those ranked by CPU first, and else as they first appear; sizes ascend.
pub fn sections(records: &[Record]) -> Vec<Section<'_>> {
    let mut scenarios: Vec<&str> = Vec::new();
    for record in records {
        if !scenarios.contains(&record.scenario.as_str()) {
            scenarios.push(&record.scenario);
        }
    }
    let section = |scenario| {
        let own: Vec<&Record> = (records.iter())
            .filter(|record| record.scenario == scenario)
            .collect();
        let mut metrics: Vec<Metric> = Vec::new();
        for record in &own {
            let metric = Metric::named(record.metric);
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        metrics.sort_by_key(Metric::place);
        let mut sizes: Vec<Size> = own.iter().map(|record| Size::of(record)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let lead = metrics[0];
        let groups = sizes.into_iter().map(|size| group(&own, size, lead));
        Section {
            scenario,
            groups: groups.collect(),
            metrics,
        }
    };
    let mut sections: Vec<Section> = scenarios.into_iter().map(section).collect();
    sections.sort_by_key(|section| section.metrics[0].place());
    sections
}

fn group<'a>(records: &[&'a Record], size: Size, lead: Metric) -> Group<'a> {
    let mut rows: Vec<Row> = Vec::new();
    for &record in records.iter().filter(|record| Size::of(record) == size) {
        match rows.iter_mut().find(|row| row.peer == record.peer) {
            Some(row) => row.records.push(record),
            None => rows.push(Row {
                peer: &record.peer,
                records: vec![record],
            }),
        }
    }
    // Stable: those that are equal, or have no figure, stay as they were measured.
    let worth = |row: &Row| match (row.figure(lead), lead.better) {
        (Some(figure), Better::More) => -figure,
        (Some(figure), Better::Less | Better::Neither) => figure,
        (None, _) => f64::INFINITY,
    };
    rows.sort_by(|left, right| worth(left).total_cmp(&worth(right)));
    Group { size, rows }
}

impl<'a> Group<'a> {
    pub fn row(&self, peer: &str) -> Option<&Row<'a>> {
        self.rows.iter().find(|row| row.peer == peer)
    }

    fn loss(&self, metric: Metric) -> Option<Loss<'a>> {
        let ours = self.row(OURS)?.record(metric)?;
        let best = (self.rows.iter())
            .filter(|row| !row.peer.starts_with(OURS) && !row.peer.starts_with(FLOOR))
            .filter_map(|row| row.record(metric))
            .filter_map(|record| Some((record.figure()?, record)))
            .reduce(|best, other| {
                if metric.beats(other.0, best.0) {
                    other
                } else {
                    best
                }
            });
        let lost = match (ours.figure(), best) {
            (Some(own), Some((other, _))) => metric.beats(other, own),
            (Some(_), None) => false,
            (None, _) => true,
        };
        lost.then_some(Loss {
            metric,
            ours,
            best: best.map(|(_, record)| record),
        })
    }
}

impl<'a> Row<'a> {
    pub fn record(&self, metric: Metric) -> Option<&'a Record> {
        let mut records = self.records.iter().copied();
        records.find(|record| record.metric == metric.name)
    }

    pub fn figure(&self, metric: Metric) -> Option<f64> {
        self.record(metric)?.figure()
    }

    pub fn outcome(&self, metric: Metric) -> Outcome<'a> {
        let record = self.record(metric);
        let fault = || match record {
            Some(record) => record.fault.as_deref(),
            None => self.faults().first().copied(),
        };
        match record {
            Some(record) if record.figure().is_some() => Outcome::Figure(record),
            _ => fault().map_or(Outcome::Missing, Outcome::Fault),
        }
    }

    /// What went wrong, each thing once.
    pub fn faults(&self) -> Vec<&'a str> {
        let mut faults: Vec<&str> = Vec::new();
        for fault in self.records.iter().filter_map(|it| it.fault.as_deref()) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }
}

/// Where ours is not first, or has no figure. Figures that round to the same are a tie.
pub fn behind<'a>(sections: &[Section<'a>]) -> Vec<Behind<'a>> {
    let mut all = Vec::new();
    for section in sections {
        for group in &section.groups {
            let metrics = section.metrics.iter();
            let losses: Vec<Loss> = metrics.filter_map(|&metric| group.loss(metric)).collect();
            if !losses.is_empty() {
                all.push(Behind {
                    scenario: section.scenario,
                    size: group.size,
                    losses,
                });
            }
        }
    }
    all
}

/// Every server, as it first appears, with its version. Ours comes first, then the floor.
pub fn peers(records: &[Record]) -> Vec<(&str, &str)> {
    let mut peers: Vec<(&str, &str)> = Vec::new();
    for record in records {
        match peers.iter_mut().find(|(peer, _)| *peer == record.peer) {
            Some((_, version)) if version.is_empty() => *version = &record.version,
            Some(_) => {}
            None => peers.push((&record.peer, &record.version)),
        }
    }
    peers.sort_by_key(|(peer, _)| match peer {
        _ if peer.starts_with(OURS) => 0,
        _ if peer.starts_with(FLOOR) => 1,
        _ => 2,
    });
    peers
}

/// The length of line that most records have, of those that have one.
pub fn usual_line(records: &[Record]) -> usize {
    let lengths = || records.iter().map(|it| it.line_bytes).filter(|&it| it > 0);
    let count = |length| lengths().filter(|&other| other == length).count();
    lengths()
        .max_by_key(|&length| (count(length), std::cmp::Reverse(length)))
        .unwrap_or(0)
}

/// What the clients of a scenario are called.
pub fn clients(scenario: &str) -> &'static str {
    if scenario.starts_with("all talk") {
        "talkers"
    } else if scenario == "idle" {
        "connections"
    } else {
        "readers"
    }
}

/// A size in words, without what the scenario's name says already or what is as usual.
pub fn size_words(scenario: &str, size: Size, usual_line: usize) -> String {
    let mut words = Vec::new();
    let number = |value: usize| super::metric::grouped(value as f64);
    if size.readers > 0 {
        words.push(format!("{} {}", number(size.readers), clients(scenario)));
    }
    if size.burst > 1 && !scenario.contains(&size.burst.to_string()) {
        words.push(format!("{} lines at a time", number(size.burst)));
    }
    if size.line_bytes > 0 && size.line_bytes != usual_line {
        words.push(format!("{} bytes a line", number(size.line_bytes)));
    }
    words.join(", ")
}

pub fn check(records: &[Record]) {
    let sections = sections(records);
    assert_eq!(sections[0].scenario, "one line at a time");
    assert_eq!(sections[0].metrics[0].name, CPU);
    assert_eq!(sections.last().map(|it| it.scenario), Some("footprint"));
    sections.iter().for_each(check_order);
    let rates = (records.iter()).filter(|it| it.metric == "connections_per_second");
    let rates: Vec<Record> = rates.cloned().collect();
    check_order(&self::sections(&rates)[0]);
    let lost = behind(&sections);
    assert!(!lost.is_empty());
    for loss in lost.iter().flat_map(|place| &place.losses) {
        let best = loss.best.expect("ours has no fault in the sample");
        assert!(!best.peer.starts_with(FLOOR) && best.fault.is_none());
        assert!(loss.metric.beats(best.median(), loss.ours.median()));
    }
    assert_eq!(peers(records)[0].0, OURS);
    assert_eq!(usual_line(records), 64);
}

/// The best first, those without a figure last.
fn check_order(section: &Section) {
    let lead = section.metrics[0];
    for group in &section.groups {
        let figures: Vec<_> = group.rows.iter().map(|row| row.figure(lead)).collect();
        let known: Vec<f64> = figures.iter().flatten().copied().collect();
        let in_order = known.is_sorted_by(|left, right| !lead.beats(*right, *left));
        assert!(in_order && !known.is_empty(), "{}", section.scenario);
        let unknown = &figures[known.len()..];
        assert!(unknown.iter().all(Option::is_none), "{}", section.scenario);
    }
}
