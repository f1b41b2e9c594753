//! Points in time, as the event loop reads them.

use crate::limits::Millis;

/// The beginning of 2020: a machine that believes in an earlier time has not been told it.
const PLAUSIBLE: i64 = 1_577_836_800;

/// A time of day as the machine's clock shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// Seconds since 1970, UTC.
    pub unix: i64,
    /// Seconds by which the local time is ahead of UTC.
    pub offset: i32,
}

impl Wall {
    /// Whether the clock has plainly been set.
    pub fn is_set(self) -> bool {
        self.unix >= PLAUSIBLE
    }
}

/// Now, by both clocks: the one that only goes forward, and the one on the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub ticks: Millis,
    pub wall: Wall,
}
