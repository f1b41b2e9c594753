//! The whole hub, simulated: chance decides what everybody does, and a naive model says what everybody must get.
//!
//! One number decides everything. `SNUG_SIM_SEED` runs that one alone, `SNUG_SIM_EVENTS` sets how many events, `SNUG_SIM_SKIP`
//! which of them are left out. A failure says all three, with as few events as still fail, and shows the last of them.

mod journal;
mod model;
mod net;
mod orders;
#[cfg(feature = "faults")]
mod planted;
mod rng;
mod shrink;
mod stage;
mod talk;
mod temper;
mod terminal;
mod world;

use model::Met;
use rng::Rng;
use shrink::{Failure, run, shrink};
use std::ops::{AddAssign, Range};
use world::Plan;

/// Events of the fixed seeds, all tests together.
const EVENTS: usize = 1_000_000;
/// Events of one run, but for one in ten.
const RUN: usize = 2_500;
const LONG_RUN: usize = 15_000;

fn env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

/// The ranges in `SNUG_SIM_SKIP`, as a failure says them.
fn skip_from_env() -> Vec<Range<usize>> {
    let text = std::env::var("SNUG_SIM_SKIP").unwrap_or_default();
    let range = |range: &str| {
        let (from, to) = range.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    };
    let ranges = text.split(',').filter(|range| !range.is_empty());
    ranges
        .map(|text| range(text).unwrap_or_else(|| panic!("SNUG_SIM_SKIP: {text} is no range")))
        .collect()
}

/// Runs a plan, and counts what it came to. A failure is made as small as can be before it is told.
fn check(plan: &Plan, met: &mut Met) {
    match run(plan) {
        Ok(new) => *met += new,
        Err(_) if !plan.skip.is_empty() => report(plan, run(plan)),
        Err(first) => {
            let small = shrink(plan, first.events);
            report(&small, run(&small));
        }
    }
}

fn report(plan: &Plan, outcome: Result<Met, Failure>) {
    let Err(Failure {
        complaint,
        tail,
        events,
    }) = outcome
    else {
        panic!("seed {} failed, but no longer does", plan.seed);
    };
    let skip: Vec<String> = plan.skip.iter().map(|skip| format!("{skip:?}")).collect();
    panic!(
        "{complaint}\n\n{tail}\nin event {events}; again: SNUG_SIM_SEED={} SNUG_SIM_EVENTS={} SNUG_SIM_SKIP={} cargo test --test sim",
        plan.seed,
        plan.events,
        skip.join(",")
    );
}

/// Runs one seed after the other from `first` on, until there were so many events.
fn simulate(first: u64, events: usize) {
    let mut met = Met::default();
    if let Some(seed) = env("SNUG_SIM_SEED") {
        let plan = Plan {
            seed,
            events: env("SNUG_SIM_EVENTS").map_or(RUN, |events| events as usize),
            skip: skip_from_env(),
            invariants: true,
        };
        return check(&plan, &mut met);
    }
    let mut seeds = Rng::new(first);
    let mut done = 0;
    while done < events {
        let seed = seeds.next() >> 16;
        let length = match seed.is_multiple_of(10) {
            true => LONG_RUN,
            false => RUN,
        };
        let plan = Plan {
            seed,
            events: length.min(events),
            skip: Vec::new(),
            invariants: true,
        };
        check(&plan, &mut met);
        done += plan.events;
    }
    println!("{done} events: {met:?}");
    // So long a run must have met everything that there is.
    let all = [
        met.skipped,
        met.too_slow,
        met.holds,
        met.refused,
        met.thrown_out,
        met.wrong_secrets,
        met.renamed,
        met.rooms,
        met.messages,
        met.strangers,
        met.shortages,
        met.most_people as u64 / 101,
    ];
    assert!(done < 200_000 || !all.contains(&0), "too tame: {met:?}");
}

impl AddAssign for Met {
    fn add_assign(&mut self, new: Self) {
        self.lines += new.lines;
        self.received += new.received;
        self.skipped += new.skipped;
        self.too_slow += new.too_slow;
        self.abandoned += new.abandoned;
        self.holds += new.holds;
        self.refused += new.refused;
        self.thrown_out += new.thrown_out;
        self.wrong_secrets += new.wrong_secrets;
        self.renamed += new.renamed;
        self.rooms += new.rooms;
        self.messages += new.messages;
        self.strangers += new.strangers;
        self.shortages += new.shortages;
        self.most_people = self.most_people.max(new.most_people);
    }
}

fn events() -> usize {
    env("SNUG_SIM_EVENTS").map_or(EVENTS, |events| events as usize)
}

// Two tests, so that two cores share the work.

#[test]
fn every_reader_gets_what_it_must() {
    simulate(1, events() / 2);
}

#[test]
fn every_reader_gets_what_it_must_from_other_seeds() {
    if env("SNUG_SIM_SEED").is_none() {
        simulate(2, events() - events() / 2);
    }
}

#[test]
fn seeds_that_nobody_chose() {
    if env("SNUG_SIM_SEED").is_none() {
        let time = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_nanos() as u64);
        simulate(time, events() / 20);
    }
}
