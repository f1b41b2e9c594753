//! One reader of many stops reading: what do the others notice?
//!
//! Two servers of the same kind run side by side, one with all readers well, one with a reader that has
//! stopped, and are measured in turn, so that both see the same moods of the machine. The one that has
//! stopped has a tiny receive buffer, and before anything is measured so much is said that the kernel
//! takes no more for it and the server's own backlog for it has overflowed; that the kernel took next
//! to nothing for it until the end is checked, else nothing was stuck.

use std::time::{Duration, Instant};

use crate::load::{Latencies, Reached, Slice, Stage, latencies, record};
use crate::machine::Cores;
use crate::server::Peer;

/// More than a reader may fall behind by default (`--backlog 1M`) and than the kernel holds besides.
const FLOOD_BYTES: usize = 1_500_000;
const FLOOD_LINE: usize = 1_000;
const FLOOD_BATCH: usize = 32;
/// What the kernel may still take for a reader that has stopped: a probe of its closed window.
const PROBES: u64 = 4 * 1024;
const WARM: Duration = Duration::from_millis(60);

pub struct Pair {
    well: Stage,
    stuck: Stage,
    unsent: Option<u64>,
}

/// What one turn with each server came to.
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
        let mut pair = Pair {
            well,
            stuck,
            unsent: None,
        };
        pair.stuck.stop_last()?;
        for stage in [&mut pair.well, &mut pair.stuck] {
            stage.flood(peer, FLOOD_BYTES, FLOOD_LINE, FLOOD_BATCH)?;
        }
        pair.unsent = pair.stuck.unsent_to_last();
        match pair.unsent {
            // All of it, or none: then the server has never been refused.
            Some(held) if held == 0 || held >= FLOOD_BYTES as u64 / 2 => Err(format!(
                "the reader that stopped is not stuck: the kernel holds {held} bytes"
            )),
            _ => Ok(pair),
        }
    }

    pub fn turn(&mut self, peer: &dyn Peer, rate: f64, time: Duration) -> Result<Turn, String> {
        let well = spell(&mut self.well, peer, rate, time)?;
        let stuck = spell(&mut self.stuck, peer, rate, time)?;
        let unsent = self.stuck.unsent_to_last();
        if let (Some(before), Some(now)) = (self.unsent, unsent)
            && (now > before + PROBES || now == 0)
        {
            return Err(format!(
                "the reader that stopped is not stuck: {before} then {now} bytes"
            ));
        }
        Ok(Turn { well, stuck })
    }
}

fn spell(stage: &mut Stage, peer: &dyn Peer, rate: f64, time: Duration) -> Result<Spell, String> {
    let mut latencies = latencies();
    let mut delivered = 0;
    stage.open(peer, 1, rate, WARM, |_, _| {})?;
    let cpu = stage.server.cpu()?;
    let started = Instant::now();
    stage.open(peer, 1, rate, time, |due, reached| {
        if reached == Reached::One {
            record(&mut latencies, due, Instant::now());
            delivered += 1;
        }
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu_ns = stage.server.cpu()? - cpu;
    Ok(Spell {
        latencies,
        slice: Slice {
            delivered,
            seconds,
            cpu_ns,
        },
    })
}
