//! Runs a plan, and makes one that fails as small as can be.

use crate::model::Met;
use crate::world::{Plan, World};
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

/// How long it is tried to make a failure smaller.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was wrong, what led to it, and in which event it showed.
pub struct Failure {
    pub complaint: String,
    pub tail: String,
    pub events: usize,
}

thread_local! {
    /// A panic is expected, and told in other words.
    static MUTED: Cell<bool> = const { Cell::new(false) };
    /// Where it was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the panics of muted threads from being printed.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !MUTED.get() {
                return usual(info);
            }
            let place = info.location().map(ToString::to_string);
            PLACE.set(place.unwrap_or_default());
        }));
    });
}

/// One world from its beginning to its end; its last events and the complaint, if there is one.
pub fn run(plan: &Plan) -> Result<Met, Failure> {
    install_hook();
    let mut world = World::new(plan);
    MUTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    MUTED.set(false);
    match outcome {
        Ok(()) => Ok(world.stage.model.met),
        Err(panic) => {
            let complaint = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
                .unwrap_or_default();
            let complaint = format!("{}: {complaint}", PLACE.take());
            let mut tail = format!("{:?}\n{:?}\n", world.config, world.temper);
            for (event, happening) in &world.tail {
                tail += &format!("  {event}: {happening:?}\n");
            }
            let events = world.events;
            Err(Failure {
                complaint,
                tail,
                events,
            })
        }
    }
}

/// A plan that fails, too, with fewer events: none behind the failure, and of those before it, all pieces left out that
/// it does not need; large pieces first.
pub fn shrink(plan: &Plan, events: usize) -> Plan {
    let start = Instant::now();
    let mut best = Plan {
        events,
        ..plan.clone()
    };
    if run(&best).is_ok() {
        best.events = plan.events;
    }
    let mut size = best.events / 2;
    while size > 0 {
        let mut at = 0;
        while at < best.events {
            if start.elapsed() > PATIENCE {
                return best;
            }
            let piece = at..(at + size).min(best.events);
            at = piece.end;
            if best
                .skip
                .iter()
                .any(|skip| skip.start <= piece.start && piece.end <= skip.end)
            {
                continue;
            }
            let mut smaller = best.clone();
            smaller
                .skip
                .retain(|skip| skip.start < piece.start || skip.end > piece.end);
            smaller.skip.push(piece);
            if run(&smaller).is_err() {
                smaller.skip = joined(smaller.skip);
                best = smaller;
            }
        }
        size /= 2;
    }
    best
}

/// The same ranges in order, those that touch as one.
fn joined(mut ranges: Vec<std::ops::Range<usize>>) -> Vec<std::ops::Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<std::ops::Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}
