//! Faults that are built in on purpose, one at a time, so that the simulation can show that it finds them.
//!
//! Only with the feature `faults`, which nothing but the simulation's own test asks for. Without it there is none, as the
//! compiler knows: nothing is left of the places where they would be.

/// A mistake that somebody could have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// After a write was cut short, a cursor rests one byte too far.
    CursorOffByOne,
    /// A reader that takes bytes again is not written to.
    LostWakeUp,
    /// After a write, a cursor stays where it was.
    DoubleDelivery,
    /// A reader goes on behind what it missed as if there had been nothing.
    GapNotTold,
    /// What was still to be written to somebody who is gone goes to whoever has their number next.
    FreedSlotReused,
}

#[cfg(feature = "faults")]
mod planted {
    use super::Fault;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Plants a fault in all that this thread does from here on, or none.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }

    /// Whether this fault is planted.
    pub fn planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }
}

#[cfg(feature = "faults")]
pub use planted::{plant, planted};

/// Whether this fault is planted: never.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn planted(_: Fault) -> bool {
    false
}
