//! Deadlines, at most one a connection.

use crate::limits::Millis;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// What is due when. Only those who have a deadline are in here.
#[derive(Debug, Default)]
pub struct Timers {
    deadlines: HashMap<u32, Millis>,
    /// The same, the earliest on top, which is never one that was taken away or replaced; below it such may be,
    /// as many as there are deadlines.
    order: BinaryHeap<Reverse<(Millis, u32)>>,
}

impl Timers {
    /// Gives `id` a deadline, instead of the one it may have.
    pub fn set(&mut self, id: u32, at: Millis) {
        if self.deadlines.insert(id, at) != Some(at) {
            self.order.push(Reverse((at, id)));
            self.tidy();
        }
    }

    /// Gives `id` a deadline if it has none.
    pub fn begin(&mut self, id: u32, at: Millis) {
        if !self.deadlines.contains_key(&id) {
            self.set(id, at);
        }
    }

    /// Takes the deadline of `id` away. Whether it had one.
    pub fn clear(&mut self, id: u32) -> bool {
        let had = self.deadlines.remove(&id).is_some();
        if had {
            self.tidy();
        }
        had
    }

    /// Gives `id` a later deadline, if it has one that is earlier.
    pub fn put_off(&mut self, id: u32, at: Millis) {
        if self.deadlines.get(&id).is_some_and(|&old| old < at) {
            self.set(id, at);
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Millis> {
        self.order.peek().map(|&Reverse((at, _))| at)
    }

    /// All who have a deadline, in no order. For tests and debug builds.
    pub fn all(&self) -> impl Iterator<Item = u32> {
        self.deadlines.keys().copied()
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        let order: HashSet<_> = self.order.iter().map(|entry| entry.0).collect();
        for (&id, &at) in &self.deadlines {
            assert!(order.contains(&(at, id)), "{id} is forgotten");
        }
        assert!(self.order.len() <= 2 * self.deadlines.len());
        if let Some(&Reverse((at, id))) = self.order.peek() {
            assert_eq!(
                self.deadlines.get(&id),
                Some(&at),
                "{id} has no such deadline"
            );
        }
    }

    /// Takes one whose deadline has come.
    pub fn pop(&mut self, now: Millis) -> Option<u32> {
        let &Reverse((_, id)) = self.order.peek().filter(|entry| entry.0.0 <= now)?;
        self.clear(id);
        Some(id)
    }

    /// Drops what no longer counts: all of it on top, and below if it is more than what does.
    fn tidy(&mut self) {
        let Self { deadlines, order } = self;
        if order.len() > 2 * deadlines.len() {
            order.clear();
            order.extend(deadlines.iter().map(|(&id, &at)| Reverse((at, id))));
        }
        while let Some(&Reverse((at, id))) = order.peek()
            && deadlines.get(&id) != Some(&at)
        {
            order.pop();
        }
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
        timers.check_invariants();
        assert_eq!(timers.next(), Some(5));
        assert_eq!(timers.pop(4), None);
        assert_eq!(timers.pop(10), Some(1));
        assert_eq!(timers.pop(10), Some(2));
        assert_eq!(timers.pop(u64::MAX), None);
        assert_eq!(timers.next(), None);
    }
    #[test]
    fn one_that_is_set_often_leaves_nothing_behind() {
        let mut timers = Timers::default();
        timers.set(1, 7);
        for at in (0..10_000).chain((0..10_000).rev()) {
            timers.set(2, at);
            timers.check_invariants();
            assert_eq!(timers.next(), Some(at.min(7)));
        }
        assert!(timers.clear(1) && timers.clear(2));
        assert_eq!((timers.next(), timers.order.len()), (None, 0));
    }
}
