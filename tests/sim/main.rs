//! The whole hub, simulated: chance decides what everybody does, and a naive model says what everybody must get.
//!
//! One number decides everything. `SNUG_SIM_SEED` runs that one alone, `SNUG_SIM_EVENTS` sets how many events. A failure
//! says both, shortened to the fewest events that still fail, and the last of them.

mod effects;
mod model;
mod net;
mod rng;
mod talk;
mod world;

use rng::Rng;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use world::World;

/// Events of the fixed seeds, all tests together.
const EVENTS: usize = 1_000_000;
/// Events of one run, but for one in ten.
const RUN: usize = 2_500;
const LONG_RUN: usize = 15_000;

/// What a run came to.
#[derive(Debug, Default)]
struct Met {
    runs: usize,
    events: usize,
    received: u64,
    skipped: u64,
    cuts: u64,
    holds: u64,
}

/// What was wrong, what led to it, and how many events there had been.
struct Failure {
    complaint: String,
    tail: String,
    events: usize,
}

fn env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

thread_local! {
    /// A panic is expected, and told in other words.
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the panics of muted threads from being printed.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !MUTED.get() {
                usual(info);
            }
        }));
    });
}

/// One world from its beginning to its end; its last events and the complaint, if there is one.
fn run(seed: u64, events: usize) -> Result<World, Failure> {
    install_hook();
    let mut world = World::new(seed);
    MUTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run(events)));
    MUTED.set(false);
    match outcome {
        Ok(()) => Ok(world),
        Err(panic) => {
            let complaint = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
                .unwrap_or_default();
            let mut tail = format!("{:?}\n{:?}\n", world.config, world.temper);
            for happening in &world.tail {
                tail += &format!("  {happening:?}\n");
            }
            Err(Failure {
                complaint,
                tail,
                events: world.events,
            })
        }
    }
}

/// Runs a seed; a failure is run again with fewer and fewer events.
fn check(seed: u64, events: usize, met: &mut Met) {
    let Err(first) = run(seed, events).map(|world| {
        met.runs += 1;
        met.events += world.events;
        met.received += world.model.received;
        met.skipped += world.model.skipped;
        met.cuts += world.model.cuts;
        met.holds += world.model.holds;
    }) else {
        return;
    };
    let is_replay = env("SNUG_SIM_SEED").is_some() && env("SNUG_SIM_EVENTS").is_some();
    let met = met.events + first.events;
    let (mut good, mut bad, mut last) = (0, events, first);
    while bad - good > 1 && !is_replay {
        let middle = good + (bad - good) / 2;
        match run(seed, middle) {
            Ok(_) => good = middle,
            Err(failure) => (bad, last) = (middle, failure),
        }
    }
    let Failure {
        complaint, tail, ..
    } = last;
    panic!(
        "{complaint}\n\n{tail}\nfound after {met} events; again: SNUG_SIM_SEED={seed} SNUG_SIM_EVENTS={bad} cargo test --test sim"
    );
}

/// Runs one seed after the other from `first` on, until there were so many events.
fn simulate(first: u64, events: usize) {
    let mut met = Met::default();
    if let Some(seed) = env("SNUG_SIM_SEED") {
        return check(
            seed,
            env("SNUG_SIM_EVENTS").unwrap_or(RUN as u64) as usize,
            &mut met,
        );
    }
    let mut seeds = Rng::new(first);
    while met.events < events {
        let seed = seeds.next() >> 16;
        let length = if seed.is_multiple_of(10) {
            LONG_RUN
        } else {
            RUN
        };
        check(seed, length.min(events), &mut met);
    }
    println!("{met:?}");
    assert!(
        met.events < 200_000 || met.skipped > 0 && met.cuts > 0 && met.holds > 0,
        "too tame: {met:?}"
    );
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
