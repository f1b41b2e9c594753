//! That the simulation bites: it finds each of the faults that can be planted, by what readers get alone.

use crate::rng::Rng;
use crate::shrink::run;
use crate::world::Plan;
use snug::faults::{Fault, plant};

/// Events within which each is found.
const EVENTS: usize = 100_000;
/// Events of one run.
const RUN: usize = 2_500;

/// Runs one seed after the other with a fault until one fails, and that one again without.
fn check(fault: Fault) {
    let mut seeds = Rng::new(5);
    let mut events = 0;
    while events < EVENTS {
        let plan = Plan {
            seed: seeds.next() >> 16,
            events: RUN,
            skip: Vec::new(),
            // The hub's own checks would find some of them sooner.
            invariants: false,
        };
        plant(Some(fault));
        let outcome = run(&plan);
        plant(None);
        if let Err(failure) = outcome {
            events += failure.events;
            println!(
                "{fault:?} found after {events} events: {}",
                failure.complaint
            );
            assert!(run(&plan).is_ok(), "it fails without the fault, too");
            return;
        }
        events += plan.events;
    }
    panic!("{fault:?} was not found in {events} events");
}

#[test]
fn a_cursor_off_by_one_is_found() {
    check(Fault::CursorOffByOne);
}

#[test]
fn a_lost_wake_up_is_found() {
    check(Fault::LostWakeUp);
}

#[test]
fn a_double_delivery_is_found() {
    check(Fault::DoubleDelivery);
}

#[test]
fn a_gap_that_is_not_told_is_found() {
    check(Fault::GapNotTold);
}

#[test]
fn a_freed_slot_that_is_reused_is_found() {
    check(Fault::FreedSlotReused);
}
