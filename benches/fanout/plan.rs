//! What is measured: the command line, the scenarios, and how long each may take.
//!
//! The lengths are chosen so that the whole plan ends well within the 90 seconds that `cargo bench` may
//! take; `--seconds` stretches or squeezes them all alike.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What the lengths below add up to, about, on a machine of two cores.
const PLANNED_SECONDS: f64 = 80.0;
/// What one send costs whatever it carries, in lines: about as much as the bytes of so many.
const OWN_COST: f64 = 150.0;
const TALKERS: usize = 200;
const CROWD_OF_STUCK: usize = 1_000;
const CONNECTIONS_OF_IDLE: usize = 10_000;

/// One way of loading a server; in a group of these the same connections serve all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// This many lines at a time, the next when everybody has these.
    Lines(usize),
    /// Everybody talks, with so many lines under way.
    Talk(usize),
    /// One reader stops.
    Stuck,
    /// Everybody is silent.
    Idle,
}

impl Kind {
    pub fn label(self) -> String {
        match self {
            Kind::Lines(1) => "one line at a time".to_owned(),
            Kind::Lines(batch) => format!("bursts of {batch}"),
            Kind::Talk(under_way) => format!("all talk, {under_way} under way"),
            Kind::Stuck => "one reader stuck".to_owned(),
            Kind::Idle => "idle".to_owned(),
        }
    }
}

/// How often and how long, for each server.
#[derive(Clone, Copy)]
pub struct Measure {
    pub repeats: usize,
    /// Closed load, once per repeat.
    pub closed: Duration,
    /// Open load, once per repeat, and its batches per second: about half of what the floor can do.
    pub open: Duration,
    pub rate: f64,
}

/// Scenarios that share their connections.
pub struct Group {
    pub readers: usize,
    pub kinds: Vec<Kind>,
}

pub struct Options {
    pub groups: Vec<Group>,
    pub line_bytes: usize,
    pub same_bytes: bool,
    pub binary: PathBuf,
    pub server_args: Vec<String>,
    pub csv: Option<PathBuf>,
    pub check: bool,
    pub gate: bool,
    /// No repeat begins after this, except the first of each row.
    pub limit: Duration,
    scale: f64,
    repeats: Option<usize>,
}

impl Options {
    /// Many short repeats rather than a few long ones: one bad moment then spoils one of many pairs,
    /// and the median does not see it.
    pub fn measure(&self, kind: Kind, readers: usize) -> Measure {
        let (repeats, closed, open, rate) = match (kind, readers) {
            (Kind::Lines(_), ..=31) => (5, 0.1, 0.1, 1_000.0),
            (Kind::Lines(_), ..=316) => (9, 0.15, 0.15, 400.0),
            (Kind::Lines(_), ..=3162) => (9, 0.2, 0.2, 50.0),
            (Kind::Lines(_), _) => (2, 0.8, 1.0, 5.0),
            (Kind::Talk(_), _) => (7, 0.2, 0.15, 200.0),
            (Kind::Stuck, _) => (12, 0.0, 0.5, 50.0),
            (Kind::Idle, _) => (2, 0.0, 0.0, 0.0),
        };
        // Long batches take longer to move: less of them, so that they too are half of what can be done.
        let rate = match kind {
            Kind::Lines(batch) => rate * (OWN_COST + 64.0) / (OWN_COST + batch.max(64) as f64),
            _ => rate,
        };
        let seconds = |seconds: f64| Duration::from_secs_f64(seconds * self.scale);
        Measure {
            repeats: self.repeats.unwrap_or(repeats),
            closed: seconds(closed),
            open: seconds(open),
            rate,
        }
    }
}

/// The options, or what to print and the exit code with which to leave.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options, clap::Error> {
    command()
        .try_get_matches_from(arguments)
        .map(|matches| options(&matches))
}

fn command() -> Command {
    let numbers = |name, value, default, help| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .value_delimiter(',')
            .value_parser(RangedU64ValueParser::<usize>::new().range(1..=1_000_000))
            .default_value(default)
            .help(help)
    };
    let flag = |name, help| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("cargo bench --")
        .about("Measures what bringing a line to many readers costs, beside a loop that only sends.")
        .no_binary_name(true)
        .arg(
            Arg::new("scenario")
                .long("scenario")
                .value_name("NAME")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(["one", "burst", "talk", "stuck", "idle"]))
                .help("Only these: one line at a time, bursts, everybody talks, one reader stuck, idle"),
        )
        .arg(numbers("readers", "N,N", "10,100,1000,10000", "Readers for `one` and `burst`, talkers \
            for `talk` (200 unless given), readers for `stuck` (1000), connections for `idle` (10000)"))
        .arg(numbers("burst", "N,N", "64", "Lines in a burst"))
        .arg(numbers("under-way", "N,N", "64,1000", "Lines under way in all while everybody talks"))
        .arg(numbers("line-bytes", "N", "64", "Length of a line's text").value_delimiter(None))
        .arg(
            numbers("seconds", "N", "80", "Time for the whole run, about; lengths are scaled to it")
                .value_delimiter(None),
        )
        .arg(
            Arg::new("repeat")
                .long("repeat")
                .value_name("N")
                .value_parser(RangedU64ValueParser::<usize>::new().range(1..=1_000))
                .help("Repeats of each row, snug and floor in turn [default: 2 to 12, by row]"),
        )
        .arg(flag("same-bytes", "The floor says lines as long as those of snug become with their names"))
        .arg(
            Arg::new("server-args")
                .long("server-args")
                .value_name("ARGS")
                .allow_hyphen_values(true)
                .help("Further arguments of `snug serve`, as in --server-args \"--bare --slow wait\""),
        )
        .arg(
            Arg::new("binary")
                .long("binary")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Another build of snug to measure"),
        )
        .arg(
            Arg::new("csv")
                .long("csv")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Write the table as CSV too"),
        )
        .arg(flag("check", "A short run that fails if a reader's stream is wrong, never on a time"))
        .arg(flag("gate", "Fail if a required figure is missed"))
        .after_help("Every reader's stream is checked byte by byte; a row in which one is wrong is an error.")
}

fn options(matches: &ArgMatches) -> Options {
    let many = |name: &str| -> Vec<usize> {
        matches
            .get_many(name)
            .map_or_else(Vec::new, |values| values.copied().collect())
    };
    let check = matches.get_flag("check");
    let given = matches.value_source("readers") == Some(ValueSource::CommandLine);
    let mut readers = many("readers");
    if check && !given {
        readers.retain(|&readers| readers <= 1_000);
    }
    let wanted: Option<Vec<String>> = matches
        .get_many::<String>("scenario")
        .map(|names| names.cloned().collect());
    let wants = |name: &str| {
        wanted
            .as_ref()
            .is_none_or(|names| names.iter().any(|wanted| wanted == name))
    };
    let own = |usual: usize| if given { readers.clone() } else { vec![usual] };
    let cap = |usual: usize, short: usize| own(if check { short } else { usual });

    let mut groups: Vec<Group> = Vec::new();
    let mut add = |readers: usize, kind: Kind| match groups
        .iter_mut()
        .find(|group| group.readers == readers && shares(group.kinds[0], kind))
    {
        Some(group) => group.kinds.push(kind),
        None => groups.push(Group {
            readers,
            kinds: vec![kind],
        }),
    };
    if wants("idle") {
        cap(CONNECTIONS_OF_IDLE, 1_000)
            .into_iter()
            .for_each(|n| add(n, Kind::Idle));
    }
    for &readers in &readers {
        if wants("one") {
            add(readers, Kind::Lines(1));
        }
        if wants("burst") {
            many("burst")
                .into_iter()
                .for_each(|batch| add(readers, Kind::Lines(batch)));
        }
    }
    for talkers in own(TALKERS)
        .into_iter()
        .filter(|&talkers| talkers > 1 && wants("talk"))
    {
        many("under-way")
            .into_iter()
            .for_each(|under_way| add(talkers, Kind::Talk(under_way)));
    }
    if wants("stuck") {
        let readers = cap(CROWD_OF_STUCK, 100)
            .into_iter()
            .filter(|&readers| readers > 1);
        readers.for_each(|n| add(n, Kind::Stuck));
    }

    let seconds = many("seconds")[0] as f64;
    Options {
        groups,
        line_bytes: many("line-bytes")[0].max(12),
        same_bytes: matches.get_flag("same-bytes"),
        binary: matches
            .get_one::<PathBuf>("binary")
            .cloned()
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_snug").into()),
        server_args: matches
            .get_one::<String>("server-args")
            .map_or_else(Vec::new, |args| {
                args.split_ascii_whitespace().map(str::to_owned).collect()
            }),
        csv: matches.get_one("csv").cloned(),
        check,
        gate: matches.get_flag("gate"),
        // Room for the last repeat and for what every row has to do once.
        limit: Duration::from_secs_f64(0.92 * seconds),
        scale: if check {
            0.15
        } else {
            seconds / PLANNED_SECONDS
        },
        repeats: matches.get_one("repeat").copied().or(check.then_some(1)),
    }
}

/// Whether two scenarios with the same number of clients can use the same connections.
fn shares(left: Kind, right: Kind) -> bool {
    let family = |kind| match kind {
        Kind::Lines(_) | Kind::Idle => 0,
        Kind::Talk(_) => 1,
        Kind::Stuck => 2,
    };
    family(left) == family(right)
}
