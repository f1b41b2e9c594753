//! What does it cost to bring a line to many readers? `cargo bench` measures it: snug beside a floor,
//! a loop that does nothing but send.
//!
//! The server under test is a process of its own, alone on one core; this process is the load, on
//! another. The first figure is the server's CPU for each delivered line, from the kernel's account of
//! that process: it does not depend on how fast the load is, and the ratio to the floor's carries from
//! machine to machine. All that is counted is checked: a row in which any reader's stream is not
//! complete and in order shows an error in place of figures.
//!
//! | part | owns |
//! | --- | --- |
//! | `plan` | the command line, the scenarios, how long each may take |
//! | `run` | carrying the plan out, servers in turn |
//! | `load`, `talk`, `stuck` | the scenarios: what is said, what must arrive, what is measured |
//! | `crowd` | the sockets of the load |
//! | `server`, `floor` | the servers: starting, asking the kernel, ending; the floor itself |
//! | `machine` | cores, limits, the kernel's accounts |
//! | `table`, `progress` | what is shown |
//!
//! A server of another make is one more `server::Peer`.

#[path = "fanout/crowd.rs"]
mod crowd;
#[path = "fanout/floor.rs"]
mod floor;
#[path = "fanout/load.rs"]
mod load;
#[path = "fanout/machine.rs"]
mod machine;
#[path = "fanout/plan.rs"]
mod plan;
#[path = "fanout/progress.rs"]
mod progress;
#[path = "fanout/record.rs"]
mod record;
#[path = "fanout/report/mod.rs"]
#[allow(dead_code)]
mod report;
#[path = "fanout/run.rs"]
mod run;
#[path = "fanout/server.rs"]
mod server;
#[path = "fanout/stuck.rs"]
mod stuck;
#[path = "fanout/table.rs"]
mod table;
#[path = "fanout/talk.rs"]
mod talk;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;

use machine::Cores;
use plan::Options;
use progress::Progress;
use run::{Row, Runner};
use server::{Floor, Peer, Snug};

/// Hidden first arguments with which this program runs itself: as the floor, and as what a server's
/// process is before it becomes the server.
const FLOOR_FLAG: &str = "--floor-server";
const LAUNCH_FLAG: &str = "--launch";
/// `cargo bench` adds this; `cargo test` does not.
const BENCH_FLAG: &str = "--bench";
/// From so many percent of the time on, waiting for a core shows in the figures.
const DISTURBED: f64 = 2.0;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some(FLOOR_FLAG) => return serve_floor(),
        Some(LAUNCH_FLAG) => return server::launch(&arguments[1..]),
        _ => {}
    }
    let given = arguments.len();
    arguments.retain(|argument| argument != BENCH_FLAG);
    let asked = arguments.len() < given;
    if given == 0 {
        return hint();
    }
    match plan::parse(arguments.into_iter()) {
        Ok(options) => measure(&options),
        // What `cargo test --all-targets -- ...` hands to every test is not for this program.
        Err(error) if !asked && error.kind() == ErrorKind::UnknownArgument => hint(),
        Err(error) => {
            // Nothing is left to do where not even that can be printed.
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        }
    }
}

/// `cargo test --benches` runs this program too, and is not to wait for a minute.
fn hint() -> ExitCode {
    println!("The benchmark runs with `cargo bench`; `cargo bench -- --help` shows how to choose.");
    ExitCode::SUCCESS
}

fn serve_floor() -> ExitCode {
    machine::raise_file_limit();
    match floor::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> ExitCode {
    if options.check {
        report::check();
    }
    let file_limit = machine::raise_file_limit();
    let cores = Cores::choose();
    if let Some(core) = cores.load {
        machine::pin(core);
    }
    let peers: Vec<Box<dyn Peer>> = vec![
        Box::new(Snug::new(
            options.binary.clone(),
            options.server_args.clone(),
        )),
        Box::new(Floor {
            same_bytes: options.same_bytes,
        }),
    ];
    let mut runner = Runner {
        options,
        cores,
        peers: &peers,
        file_limit,
        progress: Progress::new(),
    };
    let rows = runner.run();
    runner.progress.end();
    let mut stdout = std::io::stdout();
    // Whoever reads it may have gone (`| head`); the exit code tells all the same.
    let _ = writeln!(
        stdout,
        "{}{}",
        table::for_people(&rows),
        footer(options, cores, &rows, runner.progress.passed())
    );
    if let Some(path) = &options.csv
        && let Err(error) = std::fs::write(path, table::csv(&rows))
    {
        eprintln!("cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let wrong = rows
        .iter()
        .flat_map(|row| &row.entries)
        .any(|entry| entry.error.is_some());
    let missed = table::requirements(&rows)
        .iter()
        .any(|requirement| !requirement.is_met());
    // An error is never a success; a time is a failure only where that was asked for.
    if wrong || (options.gate && missed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// How to read the table, what was required, and on which machine it was made.
fn footer(options: &Options, cores: Cores, rows: &[Row], passed: Duration) -> String {
    let line_bytes = options.line_bytes;
    let short = if options.check {
        "A short run: its figures mean little.\n"
    } else {
        ""
    };
    format!(
        "\n\
        lines/s: lines times readers, delivered; CPU/line: the server's CPU for each of these (for an \
        idle row: for each connection).\n\
        ratio: CPU/line against the floor's, slice by slice in turn (one reader stuck: p99 against \
        none stuck). Medians.\n\
        p50, p99, max: at a fixed rate, from when a line was due until the last reader had it (one \
        reader stuck: each of the others).\n\
        all talk: where more lines are under way than talkers, the floor finds several of one talker \
        together and serves them with one send.\n\
        B/idle: growth of resident memory for each idle connection; conn/s: connected and greeted.\n\
        Text of {line_bytes} bytes a line; snug adds the speaker's name.\n{short}\n\
        {}\n{}\n{}",
        table::verdicts(rows),
        machine::facts(cores),
        disturbance(passed),
    )
}

/// Whether other programs took part: on a busy machine the costs hold, more or less, and the latencies
/// do not.
fn disturbance(passed: Duration) -> String {
    let Some(waited) = machine::waited_for_core() else {
        return "Whether other programs disturbed this run is not known.".to_owned();
    };
    let share = 100.0 * waited.as_secs_f64() / passed.as_secs_f64().max(f64::MIN_POSITIVE);
    let verdict = if share < DISTURBED {
        "undisturbed"
    } else {
        "DISTURBED by other programs"
    };
    format!("This run was {verdict}: the load waited {share:.1} % of the time for its core.")
}
