//! Deadlines, at most one a connection.

use crate::limits::Millis;
use std::collections::{BTreeSet, HashMap};

/// What is due when. Only those who have a deadline are in here.
#[derive(Debug, Default)]
pub struct Timers {
    order: BTreeSet<(Millis, u32)>,
    /// The same, by connection.
    deadlines: HashMap<u32, Millis>,
}

impl Timers {
    /// Gives `id` a deadline, instead of the one it may have.
    pub fn set(&mut self, id: u32, at: Millis) {
        if let Some(old) = self.deadlines.insert(id, at) {
            self.order.remove(&(old, id));
        }
        self.order.insert((at, id));
    }

    /// Takes the deadline of `id` away. Whether it had one.
    pub fn clear(&mut self, id: u32) -> bool {
        let old = self.deadlines.remove(&id);
        if let Some(old) = old {
            self.order.remove(&(old, id));
        }
        old.is_some()
    }

    /// Gives `id` a later deadline, if it has one that is earlier.
    pub fn put_off(&mut self, id: u32, at: Millis) {
        if self.deadlines.get(&id).is_some_and(|&old| old < at) {
            self.set(id, at);
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Millis> {
        self.order.first().map(|&(at, _)| at)
    }

    /// All who have a deadline, in no order. For tests and debug builds.
    pub fn all(&self) -> impl Iterator<Item = u32> {
        self.deadlines.keys().copied()
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        assert_eq!(self.order.len(), self.deadlines.len());
        for (&id, &at) in &self.deadlines {
            assert!(self.order.contains(&(at, id)), "{id} has two deadlines");
        }
    }

    /// Takes one whose deadline has come.
    pub fn pop(&mut self, now: Millis) -> Option<u32> {
        let &(at, id) = self.order.first().filter(|&&(at, _)| at <= now)?;
        self.order.remove(&(at, id));
        self.deadlines.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_and_in_order() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(1, 30);
        timers.set(2, 10);
        timers.set(3, 20);
        timers.set(1, 5);
        assert!(timers.clear(3));
        assert!(!timers.clear(7));
        timers.put_off(7, 1);
        timers.put_off(2, 9);
        assert_eq!(timers.next(), Some(5));
        assert_eq!(timers.pop(4), None);
        assert_eq!(timers.pop(10), Some(1));
        assert_eq!(timers.pop(10), Some(2));
        assert_eq!(timers.pop(u64::MAX), None);
        assert_eq!(timers.next(), None);
    }
}
