//! One siege after the other: what is done, what must be so at the end, and what is said of it.

use crate::crowd::Crowd;
use crate::options::Options;
use crate::plan::Plan;
use crate::server::{Server, Usage};
use crate::world::Counts;
use snug::fanout::Slow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long what must happen may take on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the server may take to end: 5 seconds are promised, the rest is this machine's.
const STOP: Duration = Duration::from_millis(5_500);
/// How much more memory the server may have in use afterwards, in KiB: what an allocator keeps, …
const KEPT: u64 = 2 << 10;
/// … and the tables' places for so many connections as there were at once, each of so many bytes at most.
const PLACE: u64 = 1_024;
/// How much more it may have in use at any time, in KiB: what may be queued and kept by default, and a tenth.
const MOST: u64 = (64 << 10) * 11 / 10;

/// Runs what was asked for, and says what came of it.
pub fn run(options: &Options) -> ExitCode {
    _ = snug::system::raise_file_limit();
    for plan in plans(options) {
        let start = Instant::now();
        match besiege(&plan, options.seed) {
            Ok(summary) => println!(
                "{} ({:.1} s)\n{summary}",
                plan.name,
                start.elapsed().as_secs_f64()
            ),
            Err(error) => {
                eprintln!("{}, seed {}: {error}", plan.name, options.seed);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn plans(options: &Options) -> Vec<Plan> {
    let slow = match &*options.slow {
        "close" => Slow::Close,
        "wait" => Slow::Wait,
        _ => Slow::Skip,
    };
    let seconds = options.seconds.unwrap_or(60.0);
    match options.siege.as_deref() {
        Some("swizzle") => vec![Plan::swizzle(options.clients.unwrap_or(200), seconds, slow)],
        Some("flood") => vec![Plan::flood(options.clients.unwrap_or(4), seconds, None)],
        Some(_) => vec![Plan::crowd(options.clients.unwrap_or(1_000), seconds, slow)],
        None => vec![
            Plan::crowd(150, 1.5, Slow::Skip).brief(),
            Plan::swizzle(40, 1.0, Slow::Skip).brief(),
            Plan::swizzle(40, 0.7, Slow::Wait).brief(),
            Plan::flood(4, 0.5, Some(2_000)).brief(),
        ],
    }
}

fn besiege(plan: &Plan, seed: u64) -> Result<String, String> {
    let mut server = Server::start(plan)?;
    let before = server.usage();
    let no_poll = |error| format!("there is no poll: {error}");
    let mut crowd = Crowd::new(&mut server, plan, seed, 1).map_err(no_poll)?;
    crowd.send_scribes()?;
    let start = Instant::now();
    crowd.live(plan.seconds)?;
    // On a busy machine it may take longer until somebody is too far behind.
    while plan.expects_slow && !has_met_slow(&crowd) && start.elapsed() < PATIENCE {
        crowd.live(0.1)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    crowd.quiesce(PATIENCE)?;
    if plan.expects_slow && !has_met_slow(&crowd) {
        return Err("too tame: nobody was ever too far behind".into());
    }
    let mut outcome = Outcome {
        counts: crowd.counts(),
        seconds,
        waits: crowd.server.waits(),
        before,
        most: crowd.most,
        ..Outcome::default()
    };
    crowd.leave(PATIENCE)?;
    let next = crowd.next_number();
    drop(crowd);
    outcome.after = settle(&server, before)?;
    outcome.check_memory()?;

    let end = plan.end();
    let mut crowd = Crowd::new(&mut server, &end, seed, next).map_err(no_poll)?;
    crowd.send_scribes()?;
    crowd.begin_flood(PATIENCE)?;
    crowd.live(plan.seconds.min(1.0) / 4.0)?;
    outcome.took = crowd.stop(STOP)?;
    Ok(outcome.summary())
}

/// Whether somebody was skipped, or a room has waited.
fn has_met_slow(crowd: &Crowd<'_>) -> bool {
    crowd.counts().gaps > 0 || crowd.server.waits() > 0
}

/// Waits until the server has no descriptors but those it had, and does nothing.
fn settle(server: &Server, before: Usage) -> Result<Usage, String> {
    let start = Instant::now();
    while server.usage().descriptors != before.descriptors {
        if start.elapsed() > PATIENCE {
            return Err(format!("{:?} in use, {before:?} before", server.usage()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    if !server.comes_to_rest() {
        return Err("nobody is there, and the server does not rest".into());
    }
    Ok(server.usage())
}

/// What came of a siege.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    counts: Counts,
    seconds: f64,
    /// How often a room waited for a reader.
    waits: u64,
    /// What the server had in use before, at the most, and afterwards.
    before: Usage,
    most: Usage,
    after: Usage,
    /// How long it took to end.
    took: Duration,
}

impl Outcome {
    fn check_memory(&self) -> Result<(), String> {
        let Self {
            before,
            most,
            after,
            ..
        } = self;
        let places = KEPT + most.descriptors as u64 * PLACE / 1024;
        let base = before.resident + places;
        if most.resident > base + MOST || after.resident > base {
            return Err(format!(
                "{} KiB in use before, {} at a time, {} afterwards",
                before.resident, most.resident, after.resident
            ));
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let Self {
            seconds,
            waits,
            before,
            most,
            after,
            ..
        } = *self;
        let Counts {
            came,
            said,
            recorded,
            compared,
            bytes,
            gaps,
            missed,
            unrecorded,
            whispered,
            moved,
            renamed,
            quit,
            half_closed,
            cut_off,
            closed,
        } = self.counts;
        format!(
            "  {came} came ({quit} quit, {half_closed} half-closed, {cut_off} cut off, {closed} closed for being slow), \
         {moved} moves, {renamed} renamed, {whispered} whispers\n  \
         {said} lines said, {recorded} in the records, {compared} compared ({:.0}/s, {:.1} MB/s read)\n  \
         {gaps} gaps of {missed} lines in all, {unrecorded} of them the scribes'; rooms waited {waits} times\n  \
         server: {} to {} KiB resident, {} afterwards; {} descriptors at most, {} afterwards; {:.1} s computed\n  \
         ended {:.2} s after the signal, in mid-flood, nothing lost",
            compared as f64 / seconds,
            bytes as f64 / seconds / 1e6,
            before.resident,
            most.resident,
            after.resident,
            most.descriptors,
            after.descriptors,
            most.ticks as f64 / 100.0,
            self.took.as_secs_f64(),
        )
    }
}
