//! Carries out the plan: builds the scenes, takes the servers in turn, gathers what was measured.
//!
//! Within a row the servers take turns slice by slice, and a ratio is that of two slices side by side;
//! so a mood of the machine meets both. Where the file limit allows it, both servers keep their
//! connections while the other is measured (a server with nothing to do sleeps); else each turn
//! connects anew.

use crate::load::{Latencies, Setup, Slice, latencies};
use crate::machine::Cores;
use crate::peers::Peer;
use crate::plan::{Group, Kind, Options};
use crate::progress::Progress;
use crate::scene::Scene;
use crate::stuck::{Pair, Turn};

/// Files that a process needs besides its sockets.
const SPARE_FILES: usize = 64;

pub struct Row {
    pub kind: Kind,
    pub readers: usize,
    pub entries: Vec<Entry>,
}

/// What was measured of one server in one row. An empty list is a figure that the row does not have.
#[derive(Default)]
pub struct Entry {
    pub server: String,
    /// Why there is nothing to show: a wrong stream, a dead server.
    pub error: Option<String>,
    /// Why nothing was tried.
    pub skipped: Option<String>,
    pub lines_per_second: Vec<f64>,
    /// Nanoseconds; in the idle row for each connection instead.
    pub cpu: Vec<f64>,
    /// Against the floor, slice by slice: of `cpu`. In the row of the stuck reader: of p99, against
    /// the same server with nobody stuck.
    pub ratios: Vec<f64>,
    pub latencies: Option<Latencies>,
    pub bytes_per_idle: Vec<f64>,
    pub connections_per_second: Vec<f64>,
    pub resident_at_start: Vec<f64>,
}

pub struct Runner<'a> {
    pub options: &'a Options,
    pub cores: Cores,
    /// The last one is the floor that ratios refer to.
    pub peers: &'a [Box<dyn Peer>],
    pub file_limit: u64,
    pub progress: Progress,
}

impl Runner<'_> {
    pub fn run(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for group in &self.options.groups {
            if group.kinds[0] == Kind::Stuck {
                rows.push(self.stuck(group.readers));
            } else {
                rows.extend(self.group(group));
            }
        }
        rows.sort_by_key(|row| (row.kind, row.readers));
        rows
    }

    fn group(&mut self, group: &Group) -> Vec<Row> {
        let mut rows: Vec<Row> = group
            .kinds
            .iter()
            .map(|&kind| self.empty_row(kind, group.readers))
            .collect();
        let clients = group.readers + 1;
        if !self.fits(clients) {
            let note = format!("needs {clients} files, the limit is {}", self.file_limit);
            for entry in rows.iter_mut().flat_map(|row| &mut row.entries) {
                entry.skipped = Some(note.clone());
            }
            return rows;
        }
        if matches!(group.kinds[0], Kind::Rooms(_)) {
            for entry in rows.iter_mut().flat_map(|row| &mut row.entries) {
                let peer = self.peers.iter().find(|peer| peer.name() == entry.server);
                if peer.is_some_and(|peer| !peer.has_rooms()) {
                    entry.skipped = Some("it has no rooms".to_owned());
                }
            }
        }
        let together = self.fits(clients * self.peers.len());
        let mut scenes: Vec<Option<Scene>> = self.peers.iter().map(|_| None).collect();
        for (repeat, peer, index) in self.order(group, together) {
            let row = &mut rows[index];
            let entry = &mut row.entries[peer];
            if entry.error.is_some()
                || entry.skipped.is_some()
                || (repeat > 0 && self.progress.passed() > self.options.limit)
            {
                continue;
            }
            self.progress
                .show(&row.kind.label(), row.readers, &entry.server, repeat);
            if row.kind == Kind::Idle {
                scenes[peer] = None;
            }
            if !together {
                (0..scenes.len())
                    .filter(|&other| other != peer)
                    .for_each(|other| scenes[other] = None);
            }
            if let Err(error) = self.visit(row.kind, row.readers, peer, &mut scenes[peer], entry) {
                let last_words = scenes[peer]
                    .as_mut()
                    .and_then(|scene| scene.server().last_words());
                entry.error = Some(match last_words {
                    Some(words) => format!("{error}; the server ended: {words}"),
                    None => error,
                });
                scenes[peer] = None;
            }
        }
        rows.iter_mut().for_each(relate_to_floor);
        rows
    }

    /// Who is measured when, as (repeat, peer, row).
    fn order(&self, group: &Group, together: bool) -> Vec<(usize, usize, usize)> {
        let (peers, kinds) = (self.peers.len(), group.kinds.len());
        let repeats = |index: usize| {
            self.options
                .measure(group.kinds[index], group.readers)
                .repeats
        };
        let most = (0..kinds).map(repeats).max().unwrap_or(0);
        let mut order = Vec::new();
        for repeat in 0..most {
            order.extend(
                (0..peers).flat_map(|peer| (0..kinds).map(move |index| (repeat, peer, index))),
            );
        }
        order.retain(|&(repeat, _, index)| repeat < repeats(index));
        if together {
            // There and back, so that neither always comes first.
            let turn = |repeat: usize, peer| {
                if repeat.is_multiple_of(2) {
                    peer
                } else {
                    peers - peer
                }
            };
            order.sort_by_key(|&(repeat, peer, index)| (index, repeat, turn(repeat, peer)));
        }
        order
    }

    fn visit(
        &self,
        kind: Kind,
        readers: usize,
        peer: usize,
        scene: &mut Option<Scene>,
        entry: &mut Entry,
    ) -> Result<(), String> {
        let peer = self.peers[peer].as_ref();
        let line_bytes = self.options.line_bytes;
        let scene = match scene {
            Some(scene) => scene,
            None => scene.insert(Scene::build(kind, peer, self.cores, readers, line_bytes)?),
        };
        if kind == Kind::Idle {
            entry.take_setup(scene.setup());
            return Ok(());
        }
        let measure = self.options.measure(kind, readers);
        entry.take_slice(scene.closed(peer, kind, measure.closed)?);
        let latencies = entry.latencies.get_or_insert_with(latencies);
        scene.open(peer, kind, measure.rate, measure.open, latencies)
    }

    fn stuck(&mut self, readers: usize) -> Row {
        let mut row = Row {
            kind: Kind::Stuck,
            readers,
            entries: Vec::new(),
        };
        let name = self.peers[0].name().to_owned();
        for server in [format!("{name}, none"), format!("{name}, one")] {
            row.entries.push(Entry {
                server,
                ..Entry::default()
            });
        }
        if !self.fits(2 * (readers + 1)) {
            let note = format!(
                "needs {} files, the limit is {}",
                2 * readers,
                self.file_limit
            );
            row.entries
                .iter_mut()
                .for_each(|entry| entry.skipped = Some(note.clone()));
        } else if let Err(error) = self.stuck_turns(&mut row) {
            row.entries
                .iter_mut()
                .for_each(|entry| entry.error = Some(error.clone()));
        }
        row
    }

    fn stuck_turns(&mut self, row: &mut Row) -> Result<(), String> {
        let measure = self.options.measure(Kind::Stuck, row.readers);
        let peer = self.peers[0].as_ref();
        self.progress
            .show(&row.kind.label(), row.readers, peer.name(), 0);
        let mut pair = Pair::build(peer, self.cores, row.readers, self.options.line_bytes)?;
        for repeat in 0..measure.repeats {
            if repeat > 0 && self.progress.passed() > self.options.limit {
                break;
            }
            self.progress
                .show(&row.kind.label(), row.readers, peer.name(), repeat);
            let Turn { well, stuck } = pair.turn(peer, measure.rate, measure.open)?;
            let p99 = |latencies: &Latencies| latencies.value_at_quantile(0.99) as f64;
            row.entries[1]
                .ratios
                .push(p99(&stuck.latencies) / p99(&well.latencies));
            for (entry, spell) in row.entries.iter_mut().zip([well, stuck]) {
                entry.take_slice(spell.slice);
                // The rate is given, so it says nothing of the server.
                entry.lines_per_second.clear();
                let all = entry.latencies.get_or_insert_with(latencies);
                all.add(spell.latencies)
                    .expect("histograms with the same bounds");
            }
        }
        Ok(())
    }

    fn empty_row(&self, kind: Kind, readers: usize) -> Row {
        let entry = |peer: &dyn Peer| Entry {
            server: peer.name().to_owned(),
            ..Entry::default()
        };
        Row {
            kind,
            readers,
            entries: self.peers.iter().map(|peer| entry(peer.as_ref())).collect(),
        }
    }

    fn fits(&self, connections: usize) -> bool {
        (connections + SPARE_FILES) as u64 <= self.file_limit
    }
}

impl Entry {
    fn take_slice(&mut self, slice: Slice) {
        self.lines_per_second.push(slice.lines_per_second());
        self.cpu.push(slice.cpu_per_line());
    }

    fn take_setup(&mut self, setup: Setup) {
        let connections = setup.connections as f64;
        self.cpu
            .extend(setup.cpu_ns.map(|cpu| cpu as f64 / connections));
        if let Some(time) = setup.greeted_in {
            self.connections_per_second
                .push(connections / time.as_secs_f64());
        }
        if let (Some(start), Some(now)) = (setup.resident_at_start, setup.resident_connected) {
            self.resident_at_start.push(start as f64);
            self.bytes_per_idle
                .push(now.saturating_sub(start) as f64 / connections);
        }
    }
}

/// Fills in the ratios against the floor. Slices are compared in pairs, as they were taken.
fn relate_to_floor(row: &mut Row) {
    let Some((floor, others)) = row.entries.split_last_mut() else {
        return;
    };
    for entry in others {
        entry.ratios = entry
            .cpu
            .iter()
            .zip(&floor.cpu)
            .map(|(own, floor)| own / floor)
            .collect();
    }
}
