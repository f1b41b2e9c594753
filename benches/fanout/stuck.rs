//! One reader of many stops reading: what do the others notice?
//!
//! Two servers of the same kind run side by side, one with all readers well, one with a reader that has
//! stopped, and are measured in turn, so that both see the same moods of the machine. The one that has
//! stopped has a tiny receive buffer, and before anything is measured so much is said that the kernel
//! takes no more for it and the server's own backlog for it has overflowed. That it stays so until the
//! end is checked.

use std::time::{Duration, Instant};

use crate::load::{Latencies, Slice, Stage, latencies, record};
use crate::machine::Cores;
use crate::peers::Peer;
use crate::server::Server;
use crate::track::Reached;

/// More than a reader may fall behind by default (`--backlog 1M`) and than the kernel holds besides.
const FLOOD_BYTES: usize = 1_500_000;
const FLOOD_LINE: usize = 1_000;
const FLOOD_BATCH: usize = 32;
/// How often the two servers take turns within one.
const SPELLS: u32 = 6;

const CLOSED: &str = "closed the stuck reader";

pub struct Pair {
    well: Stage,
    stuck: Stage,
}

/// What a turn with both servers came to.
pub struct Turn {
    pub well: Spell,
    pub stuck: Spell,
}

/// Latencies to each of the readers that do read, and what that time cost.
pub struct Spell {
    pub latencies: Latencies,
    pub slice: Slice,
}

impl Pair {
    pub fn build(
        peer: &dyn Peer,
        cores: Cores,
        readers: usize,
        line_bytes: usize,
    ) -> Result<Pair, String> {
        let well = Stage::build(peer, cores, readers, line_bytes, true)?;
        let stuck = Stage::build(peer, cores, readers, line_bytes, true)?;
        let mut pair = Pair { well, stuck };
        pair.stuck.stop_last()?;
        let line_bytes = FLOOD_LINE.min(peer.longest_text());
        for stage in [&mut pair.well, &mut pair.stuck] {
            let flooded = stage.flood(peer, FLOOD_BYTES, line_bytes, FLOOD_BATCH);
            flooded.map_err(|error| in_words(error, stage))?;
        }
        pair.check_stuck()?;
        Ok(pair)
    }

    /// `time` with each server, in spells short enough that both meet the same moods of the machine.
    pub fn turn(&mut self, peer: &dyn Peer, rate: f64, time: Duration) -> Result<Turn, String> {
        let (mut well, mut stuck) = (Spell::new(), Spell::new());
        for _ in 0..SPELLS {
            well.go_on(&mut self.well, peer, rate, time / SPELLS)?;
            stuck.go_on(&mut self.stuck, peer, rate, time / SPELLS)?;
        }
        self.check_stuck()?;
        Ok(Turn { well, stuck })
    }

    /// The CPU for a line to each of the others, against none stuck, under closed load of one line at a time:
    /// `time` with each server in spells as above, each of which has its ratio. So that neither always comes
    /// first, they swap places.
    pub fn costs(&mut self, peer: &dyn Peer, time: Duration) -> Result<Vec<f64>, String> {
        let cost = |stage: &mut Stage| -> Result<f64, String> {
            Ok(stage.closed(peer, 1, time / SPELLS)?.cpu_per_line())
        };
        let mut ratios = Vec::new();
        for spell in 0..SPELLS {
            let (well, stuck) = if spell % 2 == 0 {
                let well = cost(&mut self.well)?;
                (well, cost(&mut self.stuck)?)
            } else {
                let stuck = cost(&mut self.stuck)?;
                (cost(&mut self.well)?, stuck)
            };
            ratios.push(stuck / well);
        }
        self.check_stuck()?;
        Ok(ratios)
    }

    pub fn servers(&self) -> [&Server; 2] {
        [&self.well.server, &self.stuck.server]
    }

    /// The kernel must hold something that the reader does not take, and by far not all that was said:
    /// then the server has more for it and is refused. Where the kernel does not tell, this is assumed.
    fn check_stuck(&self) -> Result<(), String> {
        let Some(end) = self.stuck.last_end() else {
            return Ok(());
        };
        let held = end.unsent_bytes;
        match end.is_open {
            false => Err(CLOSED.to_owned()),
            true if held == 0 || held >= FLOOD_BYTES as u64 / 2 => Err(format!(
                "the reader that stopped is not stuck: the kernel holds {held} bytes"
            )),
            true => Ok(()),
        }
    }
}

/// What went wrong while the reader was to get stuck.
fn in_words(error: String, stage: &mut Stage) -> String {
    if stage.last_end().is_some_and(|end| !end.is_open) {
        return CLOSED.to_owned();
    }
    match stage.server.last_words() {
        Some(words) => format!("ended: {words}"),
        None => error,
    }
}

impl Spell {
    fn new() -> Spell {
        let slice = Slice {
            delivered: 0,
            seconds: 0.0,
            cpu_ns: 0,
        };
        Spell {
            latencies: latencies(),
            slice,
        }
    }

    fn go_on(
        &mut self,
        stage: &mut Stage,
        peer: &dyn Peer,
        rate: f64,
        time: Duration,
    ) -> Result<(), String> {
        let cpu = stage.server.cpu()?;
        let started = Instant::now();
        stage.open(peer, 1, rate, time, |due, reached| {
            if reached == Reached::One {
                record(&mut self.latencies, due, Instant::now());
                self.slice.delivered += 1;
            }
        })?;
        self.slice.seconds += started.elapsed().as_secs_f64();
        self.slice.cpu_ns += stage.server.cpu()? - cpu;
        Ok(())
    }
}
