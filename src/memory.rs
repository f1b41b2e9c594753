//! How much memory is held for what is queued or kept (contract: `--max-memory`).
//!
//! Owns the sums. Whoever keeps something that grows keeps a [`Held`] beside it, and says how large it is; so the sum is
//! exact at any moment and costs no walk. Never decides who must give something back.

use std::cell::Cell;
use std::rc::Rc;

/// What an allocator takes for a block beside its bytes, the step in which blocks grow, and the smallest
/// one: as glibc and most others have it on 64 bits.
const HEADER: usize = 8;
const STEP: usize = 16;
const LEAST: usize = 32;

/// The memory that a block of so many bytes takes. One of none takes none.
pub const fn block(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ if bytes + HEADER < LEAST => LEAST,
        _ => (bytes + HEADER).next_multiple_of(STEP),
    }
}

/// The sum of all that is held by it.
#[derive(Clone, Debug, Default)]
pub struct Meter(Rc<Cell<usize>>);

impl Meter {
    /// Bytes held in all.
    pub fn total(&self) -> usize {
        self.0.get()
    }

    /// An account of nothing as yet, that is part of this sum.
    pub fn hold(&self) -> Held {
        Held {
            meter: self.clone(),
            bytes: 0,
        }
    }
}

/// What one thing holds. Given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    meter: Meter,
    bytes: usize,
}

impl Held {
    /// So many bytes it is, from here on.
    pub fn set(&mut self, bytes: usize) {
        let Self { meter, bytes: old } = self;
        meter.0.set(meter.0.get() - *old + bytes);
        *old = bytes;
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_of_what_is_still_held() {
        let meter = Meter::default();
        let (mut first, mut second) = (meter.hold(), meter.hold());
        assert_eq!(meter.total(), 0);
        first.set(100);
        second.set(20);
        first.set(70);
        assert_eq!((first.bytes(), second.bytes(), meter.total()), (70, 20, 90));
        drop(first);
        assert_eq!(meter.total(), 20);
        second.set(0);
        assert_eq!(meter.total(), 0);
    }

    #[test]
    fn blocks_are_as_an_allocator_makes_them() {
        for (bytes, expected) in [(0, 0), (1, 32), (24, 32), (25, 48), (4096, 4112)] {
            assert_eq!(block(bytes), expected);
        }
    }
}
