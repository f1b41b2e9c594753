//! What does it cost to bring a line to many readers? `cargo bench` measures it: snug beside a floor,
//! a loop that does nothing but send; and with `cargo bench -- --peers all` beside servers of other makes.
//!
//! The server under test is a process of its own, alone on one core; this process is the load, on
//! another. The first figure is the server's CPU for each delivered line, from the kernel's account of
//! that process: it does not depend on how fast the load is, and the ratio to the floor's carries from
//! machine to machine. All that is counted is checked: a row in which any reader's stream is not
//! complete and in order shows an error in place of figures.
//!
//! | part | owns |
//! | --- | --- |
//! | `plan`, `blocks` | the command line, the scenarios, how long each may take: of the two servers; of all |
//! | `run`, `contest` | carrying these out, servers in turn |
//! | `load`, `talk`, `rooms`, `stuck` | the scenarios: what is said, and what is measured |
//! | `scene`, `footprint` | any of these but the last; what a server is when it does nothing |
//! | `track`, `book` | what must arrive, and how far everybody is: of one who speaks, of all |
//! | `crowd` | the sockets of the load |
//! | `peers` | the servers by what the load must know of them: how to start one, its protocol |
//! | `server`, `guard`, `floor` | a running server: starting, asking the kernel, ending; the floor itself |
//! | `machine` | cores, limits, the kernel's accounts |
//! | `table`, `progress` | what is shown of the two servers, and meanwhile |
//! | `tally`, `record`, `demands`, `report` | what a comparison comes to, what it must come to, how it is shown |
//!
//! A server of another make is one more `peers::Peer`.

#[path = "fanout/blocks.rs"]
mod blocks;
#[path = "fanout/book.rs"]
mod book;
#[path = "fanout/contest.rs"]
mod contest;
#[path = "fanout/crowd.rs"]
mod crowd;
#[path = "fanout/demands.rs"]
mod demands;
#[path = "fanout/floor.rs"]
mod floor;
#[path = "fanout/footprint.rs"]
mod footprint;
#[path = "fanout/guard.rs"]
mod guard;
#[path = "fanout/load.rs"]
mod load;
#[path = "fanout/machine.rs"]
mod machine;
#[path = "fanout/peers.rs"]
#[allow(dead_code)]
mod peers;
#[path = "fanout/plan.rs"]
mod plan;
#[path = "fanout/progress.rs"]
mod progress;
#[path = "fanout/record.rs"]
mod record;
#[path = "fanout/report/mod.rs"]
mod report;
#[path = "fanout/rooms.rs"]
mod rooms;
#[path = "fanout/run.rs"]
mod run;
#[path = "fanout/scene.rs"]
mod scene;
#[path = "fanout/server.rs"]
mod server;
#[path = "fanout/stuck.rs"]
mod stuck;
#[path = "fanout/table.rs"]
mod table;
#[path = "fanout/talk.rs"]
mod talk;
#[path = "fanout/tally.rs"]
mod tally;
#[path = "fanout/track.rs"]
mod track;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;

use contest::Contest;
use machine::Cores;
use peers::{Floor, OTHERS, Other, Peer, Snug};
use plan::Options;
use progress::Progress;
use run::{Row, Runner};
use tally::Tally;

/// Hidden first arguments with which this program runs itself: as the floor, as what a server's process is
/// before it becomes the server, and as what ends the servers that are left.
const FLOOR_FLAG: &str = "--floor-server";
const LAUNCH_FLAG: &str = "--launch";
const GUARD_FLAG: &str = "--guard";
/// `cargo bench` adds this; `cargo test` does not.
const BENCH_FLAG: &str = "--bench";
/// From so many percent of the time on, waiting for a core shows in the figures.
const DISTURBED: f64 = 2.0;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some(FLOOR_FLAG) => return serve_floor(),
        Some(GUARD_FLAG) => return guard::serve(),
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
    let file_limit = machine::raise_file_limit();
    let cores = Cores::choose();
    if let Some(core) = cores.load {
        machine::pin(core);
    }
    if options.check {
        report::check();
    } else if !options.peers.is_empty() {
        return verdict(compare(options, cores));
    }
    let peers: [Box<dyn Peer>; 2] = [snug(options), floor(options.same_bytes)];
    let mut runner = Runner {
        options,
        cores,
        peers: &peers,
        file_limit,
        progress: Progress::new(options.planned),
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
    let failed = wrong || (options.gate && missed);
    verdict(!failed && (!options.check || protocols_are_spoken(options, cores)))
}

fn verdict(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn snug(options: &Options) -> Box<dyn Peer> {
    let (binary, arguments) = (options.binary.clone(), options.server_args.clone());
    Box::new(Snug::new(binary, arguments))
}

fn floor(same_bytes: bool) -> Box<dyn Peer> {
    Box::new(Floor { same_bytes })
}

/// Measures servers of other makes beside snug and the floor, shows and writes what came of it, and says
/// whether that is a success.
fn compare(options: &Options, cores: Cores) -> bool {
    let LineUp { peers, skipped } = line_up(options);
    for (name, package) in &skipped {
        eprintln!("skipped: {name} is not here; the Debian package {package} brings it");
    }
    let contest = contest(options, cores, &peers);
    let versions: Vec<(&str, String)> = peers
        .iter()
        .map(|peer| (peer.name(), peer.version()))
        .collect();
    let version = |name: &str| {
        let mut versions = versions.iter();
        let known = versions.find(|(peer, _)| *peer == name);
        known.map_or_else(String::new, |(_, version)| version.clone())
    };
    let records = contest.tally.records(version);
    let facts = report::Facts {
        date: machine::today(),
        machine: machine::facts(cores),
        command: options.command.clone(),
        skipped,
    };
    let demands = demands::demands(&records);
    // Whoever reads it may have gone (`| head`); the exit code tells all the same.
    let _ = writeln!(
        std::io::stdout(),
        "{}\n{}\n{}",
        report::text(&records, &facts),
        demands::for_people(&demands),
        disturbance(contest.progress.passed()),
    );
    match report::write(&records, &facts) {
        Ok(paths) => {
            let written = paths.iter().map(|path| path.display().to_string());
            let written: Vec<String> = written.collect();
            eprintln!("written: {}", written.join(", "));
        }
        Err(error) => {
            eprintln!("cannot write the report: {error}");
            return false;
        }
    }
    let ours = |record: &record::Record| record.peer == demands::SNUG && record.fault.is_some();
    let wrong = records.iter().any(ours);
    let missed = demands.iter().any(|demand| !demand.is_met());
    !(wrong || options.gate && missed)
}

/// A very short comparison with whatever is here, which fails if anything in it goes wrong.
fn protocols_are_spoken(options: &Options, cores: Cores) -> bool {
    let peers = line_up(options).peers;
    let contest = contest(options, cores, &peers);
    for fault in contest.tally.faults() {
        eprintln!("wrong: {fault}");
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    println!("Lines went through: {}", names.join("; "));
    contest.tally.faults().next().is_none()
}

fn contest<'a>(options: &'a Options, cores: Cores, peers: &'a [Box<dyn Peer>]) -> Contest<'a> {
    let mut contest = Contest {
        options,
        cores,
        peers,
        progress: Progress::new(options.planned),
        tally: Tally::default(),
    };
    contest.run();
    contest.progress.end();
    contest
}

/// The servers of a comparison, snug first.
struct LineUp {
    peers: Vec<Box<dyn Peer>>,
    /// Those that are not here, each with the Debian package that brings it.
    skipped: Vec<(String, String)>,
}

fn line_up(options: &Options) -> LineUp {
    let mut peers = vec![snug(options), floor(false), floor(true)];
    let mut skipped = Vec::new();
    let wanted = |other: &&Other| options.peers.contains(&other.name);
    for other in OTHERS.iter().filter(wanted) {
        match other.find() {
            Some(peer) => peers.push(peer),
            None => skipped.push((other.name.to_owned(), other.package.to_owned())),
        }
    }
    LineUp { peers, skipped }
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
