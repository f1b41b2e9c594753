//! Which plots there are: picks the figures of each from the sections. Draws nothing itself.

use std::collections::BTreeMap;

use super::bars::{Bar, Bars};
use super::digest::{FLOOR, Group, OURS, Outcome, Row, Section, Size, peers};
use super::look::Look;
use super::metric::{CPU, LATENCIES, MEMORY, Metric, grouped};
use super::plot::{Axis, Mark, Place, Plot, Role, Series};
use super::scale::Scale;
use crate::record::Record;

/// The scenarios of the main plot: cost against readers. And what its two files are called.
pub const MAIN: [(&str, &str); 2] = [
    ("one line at a time", "cost-one-line"),
    ("bursts of 64", "cost-bursts-64"),
];
const STEADY: &str = "50 lines a second";
const IDLE: &str = "idle";
/// Where several numbers of readers would do for a plot, the one nearest to this is taken.
const TYPICAL_READERS: f64 = 1_000.0;
const LEAST_LENGTHS: usize = 3;
const CPU_TITLE: &str = "Server CPU for each delivered line, ns";

pub enum Chart {
    Lines(Plot),
    Bars(Bars),
}

impl Chart {
    pub fn name(&self) -> &str {
        match self {
            Chart::Lines(plot) => &plot.name,
            Chart::Bars(bars) => &bars.name,
        }
    }

    /// An SVG of that width; `alone` if it has to carry its own style sheet.
    pub fn draw(&self, width: f64, alone: bool) -> String {
        match self {
            Chart::Lines(plot) => plot.draw(width, alone),
            Chart::Bars(bars) => bars.draw(width, alone),
        }
    }
}

/// What is to be drawn, before it is known whether it has one place or several.
struct Draft<'a> {
    name: String,
    title: String,
    note: String,
    x_title: String,
    y_title: String,
    /// Whether the places are numbers whose ratios matter; else they stand at equal distances.
    logarithmic: bool,
    columns: Vec<Column<'a>>,
}

/// What stands over one place.
struct Column<'a> {
    at: f64,
    label: String,
    rows: Vec<(&'a Row<'a>, Metric)>,
}

/// Every plot for which there are figures.
pub fn all(records: &[Record], sections: &[Section], usual_line: usize) -> Vec<Chart> {
    let looks = looks(records);
    let find = |scenario| sections.iter().find(|it| it.scenario == scenario);
    let mut drafts = Vec::new();
    for (scenario, name) in MAIN {
        drafts.extend(find(scenario).map(|section| by_readers(section, name, usual_line)));
    }
    drafts.extend(by_burst(sections, usual_line));
    drafts.extend(by_length(sections));
    drafts.extend(find(IDLE).map(memory));
    for group in find(STEADY).iter().flat_map(|section| &section.groups) {
        drafts.push(latency(group, usual_line));
    }
    let charts = drafts.into_iter().filter_map(|draft| draft.chart(&looks));
    charts.collect()
}

/// Ours and the floor look the same in every report; the others in the order in which they appear.
fn looks(records: &[Record]) -> BTreeMap<&str, Look> {
    let mut looks = BTreeMap::new();
    let mut next = 2;
    for (peer, _) in peers(records) {
        let own = match role(peer) {
            Role::Ours => Look(0),
            Role::Floor => Look(1),
            Role::Other => Look(next),
        };
        // A variant of either does not look like the first of its kind.
        let look = if looks.values().any(|&taken| taken == own) {
            Look(next)
        } else {
            own
        };
        next = next.max(look.0 + 1);
        looks.insert(peer, look);
    }
    looks
}

fn column<'a>(at: usize, group: &'a Group<'a>, metric: &'static str) -> Column<'a> {
    let metric = Metric::named(metric);
    Column {
        at: at as f64,
        label: grouped(at as f64),
        rows: group.rows.iter().map(|row| (row, metric)).collect(),
    }
}

fn by_readers<'a>(section: &'a Section<'a>, name: &str, usual_line: usize) -> Draft<'a> {
    let groups = (section.groups.iter()).filter(|group| group.size.line_bytes == usual_line);
    Draft {
        name: name.to_owned(),
        title: format!("Cost of a delivered line: {}", section.scenario),
        note: format!("{usual_line} bytes a line; lower is better; both axes logarithmic"),
        x_title: "readers".to_owned(),
        y_title: CPU_TITLE.to_owned(),
        logarithmic: true,
        columns: groups
            .map(|group| column(group.size.readers, group, CPU))
            .collect(),
    }
}

/// For the number of readers with which most bursts were measured.
fn by_burst<'a>(sections: &'a [Section<'a>], usual_line: usize) -> Option<Draft<'a>> {
    let mut columns: BTreeMap<usize, Vec<Column>> = BTreeMap::new();
    for section in sections {
        if section.scenario != MAIN[0].0 && !section.scenario.starts_with("bursts of ") {
            continue;
        }
        for group in section
            .groups
            .iter()
            .filter(|it| it.size.line_bytes == usual_line)
        {
            let Size { readers, burst, .. } = group.size;
            columns
                .entry(readers)
                .or_default()
                .push(column(burst.max(1), group, CPU));
        }
    }
    let far = |readers: usize| ((readers.max(1) as f64) / TYPICAL_READERS).ln().abs();
    let (readers, columns) = columns.into_iter().max_by(|left, right| {
        let most = left.1.len().cmp(&right.1.len());
        most.then(far(right.0).total_cmp(&far(left.0)))
    })?;
    (columns.len() > 1).then(|| Draft {
        name: "cost-by-burst".to_owned(),
        title: format!(
            "Cost of a delivered line by burst: {} readers",
            grouped(readers as f64)
        ),
        note: format!("{usual_line} bytes a line; lower is better; both axes logarithmic"),
        x_title: "lines at a time".to_owned(),
        y_title: CPU_TITLE.to_owned(),
        logarithmic: true,
        columns,
    })
}

/// For the load that was measured with most lengths of line, if there are enough.
fn by_length<'a>(sections: &'a [Section<'a>]) -> Option<Draft<'a>> {
    let mut best: Option<(&Section, Size, Vec<Column>)> = None;
    for section in sections {
        for Group { size, .. } in &section.groups {
            let alike = |other: &Size| (other.readers, other.burst) == (size.readers, size.burst);
            let groups = section.groups.iter();
            let columns: Vec<Column> = groups
                .filter(|group| alike(&group.size) && group.size.line_bytes > 0)
                .map(|group| column(group.size.line_bytes, group, CPU))
                .collect();
            let most = best.as_ref().map_or(LEAST_LENGTHS - 1, |best| best.2.len());
            if columns.len() > most {
                best = Some((section, *size, columns));
            }
        }
    }
    let (section, size, columns) = best?;
    let readers = grouped(size.readers as f64);
    Some(Draft {
        name: "cost-by-length".to_owned(),
        title: format!(
            "Cost of a delivered line by length: {}, {readers} readers",
            section.scenario
        ),
        note: "lower is better; both axes logarithmic".to_owned(),
        x_title: "bytes a line".to_owned(),
        y_title: CPU_TITLE.to_owned(),
        logarithmic: true,
        columns,
    })
}

fn memory<'a>(section: &'a Section<'a>) -> Draft<'a> {
    let columns = section.groups.iter();
    let columns: Vec<Column> = columns
        .map(|group| column(group.size.readers, group, MEMORY))
        .collect();
    let (title, note) = match &columns[..] {
        [only] => (
            format!(
                "Memory of an idle connection, of {} connections",
                only.label
            ),
            "lower is better",
        ),
        _ => (
            "Memory of an idle connection".to_owned(),
            "lower is better; both axes logarithmic",
        ),
    };
    Draft {
        name: "memory".to_owned(),
        title,
        note: note.to_owned(),
        x_title: "connections".to_owned(),
        y_title: "The server's resident memory for each connection, bytes".to_owned(),
        logarithmic: true,
        columns,
    }
}

fn latency<'a>(group: &'a Group<'a>, usual_line: usize) -> Draft<'a> {
    let metrics = LATENCIES.iter().enumerate();
    let columns = metrics.map(|(index, (name, label))| Column {
        at: index as f64,
        label: (*label).to_owned(),
        // A row with nothing but a fault says so once, not over every percentile.
        rows: (group.rows.iter())
            .filter(|row| index == 0 || row.figure(Metric::named(name)).is_some())
            .map(|row| (row, Metric::named(name)))
            .collect(),
    });
    let readers = grouped(group.size.readers as f64);
    let bytes = match group.size.line_bytes {
        0 => usual_line,
        bytes => bytes,
    };
    Draft {
        name: format!("latency-{}", group.size.readers),
        title: format!("Latency to the last of {readers} readers: {STEADY}"),
        note: format!("{bytes} bytes a line; lower is better; upright axis logarithmic"),
        x_title: "percentile".to_owned(),
        y_title: "From when a line was due until the last reader had it, µs".to_owned(),
        logarithmic: false,
        columns: columns.collect(),
    }
}

impl Draft<'_> {
    /// Lines over several places, bars at a single one, nothing where there is no figure at all.
    fn chart(mut self, looks: &BTreeMap<&str, Look>) -> Option<Chart> {
        self.columns
            .sort_by(|left, right| left.at.total_cmp(&right.at));
        let cells = self.columns.iter().flat_map(|column| &column.rows);
        cells
            .clone()
            .find(|(row, metric)| row.figure(*metric).is_some())?;
        let mut peers: Vec<&str> = Vec::new();
        for (row, _) in cells {
            if !peers.contains(&row.peer) {
                peers.push(row.peer);
            }
        }
        let look = |peer| looks.get(peer).copied().unwrap_or(Look(2));
        if let [column] = &self.columns[..] {
            // The rows of a group come with the best first by its own metric, which need not be this.
            let mut bars: Vec<Bar> = (peers.iter())
                .map(|&peer| Bar {
                    peer: peer.to_owned(),
                    look: look(peer),
                    role: role(peer),
                    mark: column.mark(peer),
                })
                .collect();
            bars.sort_by(|left, right| left.mark.height().total_cmp(&right.mark.height()));
            return Some(Chart::Bars(Bars {
                name: self.name,
                title: self.title,
                note: self.note,
                x_title: self.y_title,
                bars,
            }));
        }
        let series = peers.iter().map(|&peer| Series {
            peer: peer.to_owned(),
            look: look(peer),
            role: role(peer),
            marks: self.columns.iter().map(|it| it.mark(peer)).collect(),
        });
        let series = series.collect();
        let places: Vec<f64> = self.columns.iter().map(|column| column.at).collect();
        Some(Chart::Lines(Plot {
            name: self.name,
            title: self.title,
            note: self.note,
            y_title: self.y_title,
            series,
            x: Axis {
                title: self.x_title,
                scale: Scale::between(&places, self.logarithmic),
                places: (self.columns.into_iter())
                    .map(|Column { at, label, .. }| Place { at, label })
                    .collect(),
            },
        }))
    }
}

impl Column<'_> {
    fn mark(&self, peer: &str) -> Mark {
        let Some((row, metric)) = self.rows.iter().find(|(row, _)| row.peer == peer) else {
            return Mark::Missing;
        };
        match row.outcome(*metric) {
            Outcome::Figure(record) => Mark::Figure {
                value: record.median(),
                low: record.low(),
                high: record.high(),
            },
            Outcome::Fault(words) => Mark::Fault(words.to_owned()),
            Outcome::Missing => Mark::Missing,
        }
    }
}

fn role(peer: &str) -> Role {
    if peer.starts_with(OURS) {
        Role::Ours
    } else if peer.starts_with(FLOOR) {
        Role::Floor
    } else {
        Role::Other
    }
}
