//! Carries out a comparison with servers of other makes.
//!
//! Each server is alone on its core: those that are not being measured are stopped, connections and all.
//! What goes wrong with a server is said in words in its row, and does not end the run.

use std::time::Duration;

use crate::blocks::{Block, Cell, Way};
use crate::demands::{SMALL, SNUG};
use crate::footprint;
use crate::load::{Setup, latencies};
use crate::machine::Cores;
use crate::peers::Peer;
use crate::plan::{Kind, Options, PACE, shares};
use crate::progress::Progress;
use crate::scene::Scene;
use crate::server::Server;
use crate::stuck::Pair;
use crate::tally::{
    BINARY, CONNECTIONS, CPU, IDLE_CALLS, LINES, Load, MEMORY, RESIDENT, STUCK_COST, THREADS, Tally,
};

/// How long idle servers are watched.
const IDLE_TIME: Duration = Duration::from_secs(20);

pub struct Contest<'a> {
    pub options: &'a Options,
    pub cores: Cores,
    pub peers: &'a [Box<dyn Peer>],
    pub progress: Progress,
    pub tally: Tally,
}

/// A peer's scene in a block, if it has one. It has none before it is built, and after a fault.
struct Seat {
    scene: Option<Scene>,
    /// Why it could not be built: it is not tried again.
    hopeless: Option<String>,
}

impl Contest<'_> {
    pub fn run(&mut self) {
        let scale = self.options.scale;
        let mut planned = 0.0;
        for block in &self.options.blocks {
            planned += block.share;
            let until = Duration::from_secs_f64(planned * scale);
            match block.way {
                Way::Together => self.together(block, until),
                Way::Apart => self.apart(block, until),
                Way::Stuck => self.stuck(block, until),
            }
        }
        if self.options.blocks.iter().any(|block| block.footprint) {
            self.sizes();
        }
        self.tally.end();
    }

    /// Every repeat takes every load, and for each load every server.
    fn together(&mut self, block: &Block, until: Duration) {
        let mut seats: Vec<Seat> = self.peers.iter().map(|_| Seat::new()).collect();
        let most = block
            .cells
            .iter()
            .map(|cell| cell.repeats)
            .max()
            .unwrap_or(0);
        let mut last = vec![Duration::ZERO; block.cells.len()];
        for repeat in 0..most {
            for (cell, last) in block.cells.iter().zip(&mut last) {
                let begun = self.progress.passed();
                if repeat >= cell.repeats || (repeat > 0 && begun + *last > until) {
                    continue;
                }
                for peer in there_and_back(self.peers.len(), repeat) {
                    self.visit(block, cell, peer, &mut seats[peer], repeat);
                }
                *last = self.progress.passed() - begun;
            }
        }
        if block.footprint {
            self.footprint(block, &mut seats);
        }
    }

    /// Every repeat takes every server, and for each server every load; what cannot share clients has its own.
    fn apart(&mut self, block: &Block, until: Duration) {
        let most = block
            .cells
            .iter()
            .map(|cell| cell.repeats)
            .max()
            .unwrap_or(0);
        let mut last = Duration::ZERO;
        for repeat in 0..most {
            let begun = self.progress.passed();
            if repeat > 0 && begun + last > until {
                break;
            }
            for peer in there_and_back(self.peers.len(), repeat) {
                for cells in block
                    .cells
                    .chunk_by(|left, right| shares(left.kind, right.kind))
                {
                    let mut seat = Seat::new();
                    for cell in cells {
                        self.visit(block, cell, peer, &mut seat, repeat);
                    }
                }
            }
            last = self.progress.passed() - begun;
        }
    }

    /// One load of one server, if that has a place in it.
    fn visit(&mut self, block: &Block, cell: &Cell, index: usize, seat: &mut Seat, repeat: usize) {
        let peer = self.peers[index].as_ref();
        let load = load_of(block, cell);
        if !takes_part(peer, block, cell) || self.tally.has_failed(&load, peer.name()) {
            return;
        }
        self.progress
            .show(&load.scenario, block.clients, peer.name(), repeat);
        if let Some(words) = refusal(peer, block, cell) {
            self.tally.fail(&load, peer.name(), words);
            return;
        }
        if let Err(words) = self.sit(peer, block, cell.kind, seat) {
            self.tally.fail(&load, peer.name(), words);
            return;
        }
        let Some(scene) = &mut seat.scene else { return };
        scene.server().resume();
        let outcome = self.measure(peer, cell, &load, scene);
        scene.server().pause();
        if let Err(error) = outcome {
            scene.server().resume();
            let words = in_words(error, scene);
            self.tally.fail(&load, peer.name(), words);
            seat.scene = None;
        }
    }

    /// Builds the scene, unless it is there.
    fn sit(
        &mut self,
        peer: &dyn Peer,
        block: &Block,
        kind: Kind,
        seat: &mut Seat,
    ) -> Result<(), String> {
        if let Some(words) = &seat.hopeless {
            return Err(words.clone());
        }
        if seat.scene.is_none() {
            let line_bytes = self.options.line_bytes;
            let scene = Scene::build(kind, peer, self.cores, block.clients, line_bytes);
            let scene = scene.inspect_err(|words| seat.hopeless = Some(words.clone()))?;
            self.take_setup(peer, block, kind, scene.setup());
            seat.scene = Some(scene);
        }
        Ok(())
    }

    fn measure(
        &mut self,
        peer: &dyn Peer,
        cell: &Cell,
        load: &Load,
        scene: &mut Scene,
    ) -> Result<(), String> {
        let (kind, time) = (cell.kind, self.time_of(cell));
        match kind {
            // Measured while connecting.
            Kind::Idle => {}
            Kind::Paced => {
                let mut seen = latencies();
                scene.open(peer, kind, PACE, time, &mut seen)?;
                self.tally.add_latencies(load, peer.name(), seen);
            }
            _ => {
                scene.set_line_bytes(cell.line_bytes);
                let slice = scene.closed(peer, kind, time)?;
                let name = peer.name();
                self.tally.add(load, name, CPU, slice.cpu_per_line());
                self.tally.add(load, name, LINES, slice.lines_per_second());
            }
        }
        Ok(())
    }

    fn take_setup(&mut self, peer: &dyn Peer, block: &Block, kind: Kind, setup: Setup) {
        let name = peer.name();
        if let Some(start) = setup.resident_at_start {
            self.tally
                .add(&Load::footprint(), name, RESIDENT, start as f64);
        }
        // The room of all is what is asked about; rooms of ten stand in where a server cannot fill it.
        let in_rooms = matches!(kind, Kind::Rooms(_));
        let asked = !in_rooms && block.cells.iter().any(|cell| cell.kind == Kind::Idle);
        let instead = in_rooms && peer.room_limit().is_some();
        if !asked && !instead {
            return;
        }
        let load = Load::new(Kind::Idle, block.clients, 0);
        let connections = setup.connections as f64;
        if let Some(time) = setup.greeted_in {
            let rate = connections / time.as_secs_f64();
            self.tally.add(&load, name, CONNECTIONS, rate);
        }
        if let (Some(start), Some(now)) = (setup.resident_at_start, setup.resident_connected) {
            let bytes = now.saturating_sub(start) as f64 / connections;
            self.tally.add(&load, name, MEMORY, bytes);
        }
    }

    fn stuck(&mut self, block: &Block, until: Duration) {
        let Some(cell) = block.cells.first() else {
            return;
        };
        let load = load_of(block, cell);
        let mut pairs: Vec<Option<Pair>> = self.peers.iter().map(|_| None).collect();
        let mut last = Duration::ZERO;
        for repeat in 0..cell.repeats {
            let begun = self.progress.passed();
            if repeat > 0 && begun + last > until {
                break;
            }
            for index in there_and_back(self.peers.len(), repeat) {
                let peer = self.peers[index].as_ref();
                if !takes_part(peer, block, cell) || self.tally.has_failed(&load, peer.name()) {
                    continue;
                }
                self.progress
                    .show(&load.scenario, block.clients, peer.name(), repeat);
                match self.stuck_turn(peer, block, cell, &mut pairs[index]) {
                    Ok(ratios) => ratios
                        .into_iter()
                        .for_each(|ratio| self.tally.add(&load, peer.name(), STUCK_COST, ratio)),
                    Err(words) => {
                        self.tally.fail(&load, peer.name(), words);
                        pairs[index] = None;
                    }
                }
            }
            last = self.progress.passed() - begun;
        }
    }

    fn stuck_turn(
        &self,
        peer: &dyn Peer,
        block: &Block,
        cell: &Cell,
        pair: &mut Option<Pair>,
    ) -> Result<Vec<f64>, String> {
        let pair = match pair {
            Some(pair) => pair,
            None => pair.insert(Pair::build(
                peer,
                self.cores,
                block.clients,
                cell.line_bytes,
            )?),
        };
        pair.servers().into_iter().for_each(Server::resume);
        let ratios = pair.costs(peer, self.time_of(cell));
        pair.servers().into_iter().for_each(Server::pause);
        ratios
    }

    fn time_of(&self, cell: &Cell) -> Duration {
        Duration::from_secs_f64(cell.seconds * self.options.scale)
    }

    /// All servers side by side with their clients, none of whom says a word.
    fn footprint(&mut self, block: &Block, seats: &mut [Seat]) {
        let peers = self.peers;
        self.progress
            .show(crate::tally::FOOTPRINT, block.clients, "all", 0);
        let mut who = Vec::new();
        for (peer, seat) in peers.iter().zip(seats) {
            // A server that cannot even be built has said so in its rows.
            if peer.is_variant() || self.sit(peer.as_ref(), block, Kind::Idle, seat).is_err() {
                continue;
            }
            if let Some(scene) = &mut seat.scene {
                scene.server().resume();
                who.push((peer.name(), scene.server().pid()));
            }
        }
        let pids: Vec<u32> = who.iter().map(|&(_, pid)| pid).collect();
        let calls = footprint::idle_calls(&pids, IDLE_TIME);
        let load = Load::footprint();
        for ((name, pid), calls) in who.into_iter().zip(calls) {
            if let Some(threads) = footprint::threads(pid) {
                self.tally.add(&load, name, THREADS, threads as f64);
            }
            if let Some(calls) = calls {
                self.tally.add(&load, name, IDLE_CALLS, calls);
            }
        }
    }

    fn sizes(&mut self) {
        let load = Load::footprint();
        for peer in self.peers {
            if let Some(size) = peer.program().and_then(|program| footprint::size(&program)) {
                self.tally.add(&load, peer.name(), BINARY, size as f64);
            }
        }
        // A profile's directory stands beside the others.
        let profiles = self.options.binary.ancestors().nth(2);
        let small = profiles.map(|profiles| profiles.join("small").join(SNUG));
        if let Some(size) = small.and_then(|small| footprint::size(&small)) {
            self.tally.add(&load, SMALL, BINARY, size as f64);
        }
    }
}

impl Seat {
    fn new() -> Seat {
        Seat {
            scene: None,
            hopeless: None,
        }
    }
}

fn load_of(block: &Block, cell: &Cell) -> Load {
    Load::new(cell.kind, block.clients, cell.line_bytes)
}

/// So that none always comes first.
fn there_and_back(count: usize, repeat: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if repeat % 2 == 1 {
        order.reverse();
    }
    order
}

/// Whether a load makes sense for a server at all.
fn takes_part(peer: &dyn Peer, block: &Block, cell: &Cell) -> bool {
    match cell.kind {
        Kind::Rooms(_) => peer.has_rooms(),
        // It is asked in rooms of ten: see `take_setup`.
        Kind::Idle if peer.has_rooms() && peer.room_limit().is_some() => false,
        // It does not queue, and says so.
        Kind::Stuck => !peer.is_floor(),
        Kind::Lines(burst) if peer.is_variant() => burst > 1 && block.way == Way::Together,
        _ => !peer.is_variant(),
    }
}

/// Why a server cannot take part in a load that makes sense for it.
fn refusal(peer: &dyn Peer, block: &Block, cell: &Cell) -> Option<String> {
    if cell.line_bytes > peer.longest_text() {
        return Some(format!("no line over {} bytes", peer.longest_text()));
    }
    let one_room = !matches!(cell.kind, Kind::Rooms(_));
    let (most, why) = peer.room_limit().filter(|_| one_room)?;
    (block.clients > most).then(|| why.to_owned())
}

/// What went wrong, in the few words that a row has room for.
fn in_words(error: String, scene: &mut Scene) -> String {
    if let Some(words) = scene.server().last_words() {
        return format!("ended: {words}");
    }
    match scene.crowd().closed() {
        0 => error,
        1 => "closed a client".to_owned(),
        closed => format!("closed {closed} clients"),
    }
}
