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

use crate::peers::OTHERS;

/// What the lengths below add up to, about, on a machine of two cores.
const PLANNED_SECONDS: f64 = 80.0;
/// What one send costs whatever it carries, in lines: about as much as the bytes of so many.
const OWN_COST: f64 = 150.0;
const ALL: &str = "all";
const SCENARIOS: [&str; 5] = ["one", "burst", "talk", "stuck", "idle"];
/// Room in a line for the numbers by which it is known.
const LEAST_LINE: usize = 12;
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
    /// Servers of other makes to measure too, by name.
    pub peers: Vec<String>,
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
    Command::new("cargo bench --")
        .about(
            "Measures what bringing a line to many readers costs, beside a loop that only sends.",
        )
        .no_binary_name(true)
        .args([
            option("scenario", "NAME")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(SCENARIOS))
                .help(
                    "Only these: a line at a time, bursts, everybody talks, a reader stuck, idle",
                ),
            option("peers", "NAME")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(
                    [ALL]
                        .into_iter()
                        .chain(OTHERS.iter().map(|other| other.name)),
                ))
                .help("Measure servers of other makes too, those of them that are installed"),
            list("readers", "10,100,1000,10000").help(
                "Readers for `one` and `burst`, talkers for `talk` (200 unless given), \
                readers for `stuck` (1000), connections for `idle` (10000)",
            ),
            list("burst", "64").help("Lines in a burst"),
            list("under-way", "64,1000").help("Lines under way in all while everybody talks"),
            number("line-bytes")
                .default_value("64")
                .help("Length of a line's text"),
            number("seconds")
                .default_value("80")
                .help("Time for the whole run, about; lengths are scaled to it"),
            number("repeat")
                .help("Repeats of each row, snug and floor in turn [default: 2 to 12, by row]"),
            flag(
                "same-bytes",
                "The floor's lines are as long as snug's become with their names",
            ),
            option("server-args", "ARGS")
                .allow_hyphen_values(true)
                .help(
                    "Further arguments of `snug serve`, as in --server-args \"--bare --slow wait\"",
                ),
            file("binary").help("Another build of snug to measure"),
            file("csv").help("Write the table as CSV too"),
            flag(
                "check",
                "A short run that fails if a reader's stream is wrong, never on a time",
            ),
            flag("gate", "Fail if a required figure is missed"),
        ])
        .after_help("Every reader's stream is checked; a row in which one is wrong is an error.")
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn number(name: &'static str) -> Arg {
    option(name, "N").value_parser(RangedU64ValueParser::<usize>::new().range(1..=1_000_000))
}

fn list(name: &'static str, default: &'static str) -> Arg {
    number(name)
        .value_name("N,N")
        .value_delimiter(',')
        .default_value(default)
}

fn file(name: &'static str) -> Arg {
    option(name, "FILE").value_parser(value_parser!(PathBuf))
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn options(matches: &ArgMatches) -> Options {
    let check = matches.get_flag("check");
    let seconds = numbers(matches, "seconds")[0] as f64;
    let binary = matches.get_one::<PathBuf>("binary").cloned();
    let server_args = matches.get_one::<String>("server-args");
    Options {
        groups: groups(matches, check),
        line_bytes: numbers(matches, "line-bytes")[0].max(LEAST_LINE),
        same_bytes: matches.get_flag("same-bytes"),
        peers: peers(matches),
        binary: binary.map_or_else(|| env!("CARGO_BIN_EXE_snug").into(), whole_path),
        server_args: server_args.map_or_else(Vec::new, |args| {
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

/// Servers run elsewhere, so a path must not depend on where this program does. One that leads nowhere is
/// left as it is, for the message.
fn whole_path(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// The names that were given, `all` being all of them.
fn peers(matches: &ArgMatches) -> Vec<String> {
    let given: Vec<String> = matches
        .get_many("peers")
        .map_or_else(Vec::new, |names| names.cloned().collect());
    let names = OTHERS.iter().map(|other| other.name.to_owned());
    names
        .filter(|name| given.iter().any(|given| given == name || given == ALL))
        .collect()
}

fn numbers(matches: &ArgMatches, name: &str) -> Vec<usize> {
    let values = matches.get_many(name);
    values.map_or_else(Vec::new, |values| values.copied().collect())
}

/// The scenarios that were asked for, with how many clients each; a short run has fewer.
fn groups(matches: &ArgMatches, short: bool) -> Vec<Group> {
    let given = matches.value_source("readers") == Some(ValueSource::CommandLine);
    let mut readers = numbers(matches, "readers");
    if short && !given {
        readers.retain(|&readers| readers <= 1_000);
    }
    let names = matches.get_many::<String>("scenario");
    let wants = |name: &str| {
        let mut names = names.clone().into_iter().flatten();
        matches.value_source("scenario").is_none() || names.any(|wanted| wanted == name)
    };
    let own = |usual: usize| if given { readers.clone() } else { vec![usual] };
    let mut groups = Vec::new();
    if wants("idle") {
        let connections = own(if short { 1_000 } else { CONNECTIONS_OF_IDLE });
        connections
            .into_iter()
            .for_each(|count| add(&mut groups, count, Kind::Idle));
    }
    for &readers in &readers {
        let bursts = numbers(matches, "burst")
            .into_iter()
            .filter(|_| wants("burst"));
        for batch in wants("one").then_some(1).into_iter().chain(bursts) {
            add(&mut groups, readers, Kind::Lines(batch));
        }
    }
    for talkers in own(TALKERS)
        .into_iter()
        .filter(|&count| count > 1 && wants("talk"))
    {
        for under_way in numbers(matches, "under-way") {
            add(&mut groups, talkers, Kind::Talk(under_way));
        }
    }
    let crowd = own(if short { 100 } else { CROWD_OF_STUCK });
    for readers in crowd
        .into_iter()
        .filter(|&count| count > 1 && wants("stuck"))
    {
        add(&mut groups, readers, Kind::Stuck);
    }
    groups
}

fn add(groups: &mut Vec<Group>, readers: usize, kind: Kind) {
    let mut groups_so_far = groups.iter_mut();
    match groups_so_far.find(|group| group.readers == readers && shares(group.kinds[0], kind)) {
        Some(group) => group.kinds.push(kind),
        None => groups.push(Group {
            readers,
            kinds: vec![kind],
        }),
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
