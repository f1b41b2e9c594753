//! How one run differs from others: what the seed draws before anything happens.

use crate::model::words::Clock;
use crate::rng::Rng;
use crate::talk;
use snug::fanout::Slow;
use snug::hub::Config;
use snug::pace::Pace;

/// What people and networks are like.
#[derive(Clone, Debug)]
pub struct Temper {
    /// About how many are connected.
    pub people: usize,
    /// How likely somebody is to come while they are fewer.
    pub comings: usize,
    /// Events between two turns, about.
    pub tempo: usize,
    /// One write in so many is cut short.
    pub short: usize,
    /// Whether a poll tells, with the edge, all else that is so (epoll), or the edge alone.
    pub combined: bool,
    /// One line in so many comes in a flood.
    pub flood: usize,
    /// The longest flood.
    pub flood_lines: usize,
    /// How likely readers are to be slow and to be stuck, in percent.
    pub slow: usize,
    pub stuck: usize,
    /// Events between two times of quiet.
    pub quiet: usize,
    /// Whether time never leaps.
    pub calm: bool,
    /// Whether resets happen.
    pub resets: bool,
    /// Turns between two checks of the hub's own invariants.
    pub check: usize,
    /// What the clock on the wall shows when time begins.
    pub clock: Clock,
}

pub fn draw_config(rng: &mut Rng) -> Config {
    let bare = rng.one_in(4);
    let slow = [Slow::Skip, Slow::Close, Slow::Wait][rng.weighted(&[45, 20, 35])];
    let paces = [(50, 200), (5, 10), (1_000, 3), (1, 1), (2_000, 1_000)];
    let is_poor = rng.one_in(6);
    let max_memory = match is_poor {
        true => rng.pick(&[64 << 10, 96 << 10, 192 << 10]),
        false => 64 << 20,
    };
    let max_line = rng.pick(&[48, 64, 256, 1024, 4096]);
    let (rate, burst) = rng.pick(&paces);
    Config {
        history: if is_poor {
            0
        } else {
            rng.pick(&[0, 0, 3, 20, 100])
        },
        password: rng.one_in(6).then(|| talk::PASSWORD.into()),
        admin_password: rng.one_in(2).then(|| talk::ADMIN_PASSWORD.into()),
        // What is kept of rooms that are no more has a limit, which is beyond so short lines.
        records: max_line <= 256 && !is_poor && rng.one_in(2),
        welcome: "Welcome to this chatroom!".into(),
        bare,
        max_clients: if rng.one_in(6) {
            rng.between(2, 12)
        } else {
            1000
        },
        max_per_ip: rng.one_in(5).then(|| rng.between(1, 3)),
        max_line,
        backlog: match is_poor {
            true => rng.pick(&[64 << 10, 1 << 20]),
            false => rng.pick(&[4 << 10, 4 << 10, 6 << 10, 16 << 10, 64 << 10, 1 << 20]),
        },
        slow,
        slow_timeout: rng.pick(&[50, 1_000, 1_000, 30_000]),
        max_memory,
        pace: rng
            .one_in(3)
            .then_some(Pace { rate, burst })
            .filter(|_| !bare),
        unterminated: rng.one_in(4).then(|| rng.pick(&[5, 100, 1_000])),
        hide_addresses: rng.one_in(3),
    }
}

pub fn draw(rng: &mut Rng, config: &Config) -> Temper {
    let is_poor = config.max_memory < 4 << 20;
    let is_crowd = !is_poor && rng.one_in(30);
    let people = if is_crowd {
        rng.pick(&[110, 250])
    } else {
        rng.pick(&[2, 4, 8, 8, 16, 32])
    };
    let offset = rng.pick(&[0, 3_600, -34_200, 20_700]);
    let unix = match rng.below(5) {
        // Nobody has set it.
        0 => 7_200,
        // Half an hour before or behind midnight.
        1 => 1_795_305_600 - i64::from(offset) + rng.pick(&[-1_800, 1_800]),
        _ => 1_795_352_587,
    };
    Temper {
        people,
        comings: if is_crowd { 80 } else { 12 },
        tempo: if is_crowd {
            16
        } else {
            rng.pick(&[1, 2, 4, 8, 16])
        },
        short: rng.pick(&[0, 2, 8, 64]),
        combined: rng.one_in(2),
        flood: if is_crowd { 0 } else { rng.pick(&[0, 20, 200]) },
        flood_lines: match config.pace {
            None if people <= 8 => rng.pick(&[30, 100, 1500]),
            _ => 100,
        },
        slow: if is_poor { 60 } else { rng.pick(&[0, 20, 60]) },
        stuck: if is_poor {
            20
        } else {
            rng.pick(&[0, 0, 5, 20])
        },
        quiet: rng.pick(&[200, 1_000, 4_000]),
        calm: rng.one_in(3),
        resets: !rng.one_in(3),
        check: if is_crowd || config.backlog > 64 << 10 {
            16
        } else {
            1
        },
        clock: Clock { unix, offset },
    }
}
