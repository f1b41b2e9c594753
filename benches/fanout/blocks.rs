//! The plan of a comparison: what is measured of all servers, in which order, and how long that may take.
//!
//! A block is what shares its clients, or is to be compared with them. Repeats within a block go from load to load and from server to
//! server, so that a mood of the machine meets all of them; they are short and many, so that it meets
//! neighbours alike, and one bad moment spoils one of many pairs.

use clap::ArgMatches;

use crate::plan::{Kind, LINE_BYTES, chosen_readers, wants};

/// What the shares below add up to, with room for the last repeats within a quarter of an hour.
pub const PLANNED_SECONDS: f64 = 825.0;
/// Of lines by the clock so many repeats make one figure: fewer than a hundred lines have no 99th percentile.
pub const PACED_TURNS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All servers keep their clients while others are measured.
    Together,
    /// One server at a time: all of their clients together are more than a process may have files.
    Apart,
    /// Each server twice, once with a reader that has stopped.
    Stuck,
}

#[derive(Clone, Copy)]
pub struct Cell {
    pub kind: Kind,
    pub line_bytes: usize,
    /// Of load for each server and repeat.
    pub seconds: f64,
    /// At most.
    pub repeats: usize,
}

pub struct Block {
    pub way: Way,
    pub clients: usize,
    pub cells: Vec<Cell>,
    /// Its part of `PLANNED_SECONDS`.
    pub share: f64,
    /// Whether sizes, threads and idle system calls are asked for once the cells are done.
    pub footprint: bool,
}

/// The blocks that were asked for.
pub fn blocks(matches: &ArgMatches, short: bool) -> Vec<Block> {
    let readers = chosen_readers(matches).filter(|_| !short);
    let mut blocks = if short { short_plan() } else { whole_plan() };
    blocks.retain(|block| {
        readers
            .as_ref()
            .is_none_or(|readers| readers.contains(&block.clients))
    });
    for block in &mut blocks {
        block
            .cells
            .retain(|cell| wants(matches, cell.kind.family()));
        block.footprint &= wants(matches, "idle");
    }
    blocks.retain(|block| !block.cells.is_empty() || block.footprint);
    blocks
}

fn whole_plan() -> Vec<Block> {
    let lengths = [16, 400, 4_000].map(|bytes| Cell {
        line_bytes: bytes,
        ..cell(Kind::Lines(1), 0.1, 7)
    });
    let bursts = [1, 8, 64, 512].map(|burst| cell(Kind::Lines(burst), 0.1, 9));
    vec![
        Block {
            footprint: true,
            ..block(Way::Together, 100, 125.0, [&bursts[..], &lengths].concat())
        },
        block(
            Way::Together,
            10,
            25.0,
            [1, 64]
                .map(|burst| cell(Kind::Lines(burst), 0.1, 7))
                .to_vec(),
        ),
        block(
            Way::Together,
            200,
            60.0,
            [64, 1_000]
                .map(|lines| cell(Kind::Talk(lines), 0.15, 9))
                .to_vec(),
        ),
        block(Way::Stuck, 100, 50.0, vec![cell(Kind::Stuck, 0.25, 12)]),
        block(
            Way::Together,
            1_000,
            210.0,
            vec![
                cell(Kind::Lines(1), 0.12, 11),
                cell(Kind::Paced, 0.5, 6 * PACED_TURNS),
                cell(Kind::Lines(8), 0.12, 7),
                cell(Kind::Lines(64), 0.12, 9),
            ],
        ),
        block(
            Way::Apart,
            10_000,
            355.0,
            vec![
                cell(Kind::Idle, 0.0, 3),
                cell(Kind::Lines(1), 0.8, 3),
                cell(Kind::Lines(8), 0.6, 3),
                cell(Kind::Lines(64), 0.6, 3),
                cell(Kind::Rooms(1), 0.4, 3),
                cell(Kind::Rooms(8), 0.4, 3),
                cell(Kind::Rooms(64), 0.4, 3),
            ],
        ),
    ]
}

/// Enough to see that every server's protocol is spoken.
fn short_plan() -> Vec<Block> {
    let lines = [1, 64].map(|burst| cell(Kind::Lines(burst), 0.02, 1));
    vec![
        block(Way::Together, 10, 1.0, lines.to_vec()),
        block(Way::Apart, 20, 1.0, vec![cell(Kind::Rooms(8), 0.02, 1)]),
    ]
}

fn block(way: Way, clients: usize, share: f64, cells: Vec<Cell>) -> Block {
    Block {
        way,
        clients,
        cells,
        share,
        footprint: false,
    }
}

fn cell(kind: Kind, seconds: f64, repeats: usize) -> Cell {
    Cell {
        kind,
        line_bytes: LINE_BYTES,
        seconds,
        repeats,
    }
}
