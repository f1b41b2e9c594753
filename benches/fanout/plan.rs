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

use crate::blocks::{self, Block};
use crate::peers::OTHERS;

/// What the lengths below add up to, about, on a machine of two cores.
const PLANNED_SECONDS: f64 = 80.0;
/// What a check takes, about.
const CHECK_SECONDS: f64 = 15.0;
/// What one send costs whatever it carries, in lines: about as much as the bytes of so many.
const OWN_COST: f64 = 150.0;
const ALL: &str = "all";
const SCENARIOS: [&str; 6] = ["one", "burst", "talk", "rooms", "stuck", "idle"];
/// The length of a line's text in a comparison, and the default elsewhere.
pub const LINE_BYTES: usize = 64;
/// Room in a line for the numbers by which it is known.
const LEAST_LINE: usize = 12;
const TALKERS: usize = 200;
const CROWD_OF_STUCK: usize = 1_000;
const CONNECTIONS_OF_IDLE: usize = 10_000;
const PEOPLE_IN_ROOMS: usize = 10_000;
/// Lines a second of `Kind::Paced`.
pub const PACE: f64 = 50.0;

/// One way of loading a server; in a group of these the same connections serve all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// This many lines at a time, the next when everybody has these.
    Lines(usize),
    /// Everybody talks, with so many lines under way.
    Talk(usize),
    /// One line at a time, fifty a second.
    Paced,
    /// Many rooms, in each of which somebody says this many lines at a time.
    Rooms(usize),
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
            Kind::Paced => "50 lines a second".to_owned(),
            Kind::Rooms(burst) => format!("rooms, bursts of {burst}"),
            Kind::Stuck => "one reader stuck".to_owned(),
            Kind::Idle => "idle".to_owned(),
        }
    }

    /// The name by which a scenario can be chosen.
    pub fn family(self) -> &'static str {
        match self {
            Kind::Lines(1) | Kind::Paced => "one",
            Kind::Lines(_) => "burst",
            Kind::Talk(_) => "talk",
            Kind::Rooms(_) => "rooms",
            Kind::Stuck => "stuck",
            Kind::Idle => "idle",
        }
    }

    /// Lines at a time, or under way; 0 where none are said.
    pub fn burst(self) -> usize {
        match self {
            Kind::Lines(lines) | Kind::Talk(lines) | Kind::Rooms(lines) => lines,
            Kind::Paced | Kind::Stuck => 1,
            Kind::Idle => 0,
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
    /// Servers of other makes to compare with, by name.
    pub peers: Vec<&'static str>,
    pub binary: PathBuf,
    pub server_args: Vec<String>,
    /// The comparison with those peers.
    pub blocks: Vec<Block>,
    pub csv: Option<PathBuf>,
    /// With which this run can be repeated.
    pub command: String,
    pub check: bool,
    pub gate: bool,
    /// How long the whole may take, about.
    pub planned: Duration,
    /// No repeat begins after this, except the first of each row.
    pub limit: Duration,
    /// Of all lengths in the plans.
    pub scale: f64,
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
            (Kind::Paced, _) => (6, 0.0, 2.0, PACE),
            (Kind::Rooms(_), _) => (3, 0.3, 0.0, 0.0),
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
    let arguments: Vec<OsString> = arguments.collect();
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let matches = command().try_get_matches_from(arguments)?;
    Ok(options(
        &matches,
        format!("cargo bench -- {}", words.join(" ")),
    ))
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
                    "Only these: a line at a time, bursts, everybody talks, in rooms too, a reader stuck, idle",
                ),
            option("peers", "NAME")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(
                    [ALL]
                        .into_iter()
                        .chain(OTHERS.iter().map(|other| other.name)),
                ))
                .help("Compare with servers of other makes, those of them that are installed"),
            list("readers", "10,100,1000,10000").help(
                "Readers for `one` and `burst`, talkers for `talk` (200 unless given), \
                people in `rooms` of ten (10000), readers for `stuck` (1000), connections for `idle` (10000)",
            ),
            list("burst", "64").help("Lines in a burst"),
            list("under-way", "64,1000").help("Lines under way in all while everybody talks"),
            number("line-bytes")
                .default_value("64")
                .help("Length of a line's text"),
            number("seconds").help(
                "Time for the whole run, about; lengths are scaled to it [default: 80, with peers 825]",
            ),
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

fn options(matches: &ArgMatches, command: String) -> Options {
    let check = matches.get_flag("check");
    let peers = peers(matches, check);
    let planned = if peers.is_empty() || check {
        PLANNED_SECONDS
    } else {
        blocks::PLANNED_SECONDS
    };
    let seconds = matches.get_one::<usize>("seconds");
    let seconds = seconds.map_or(planned, |&seconds| seconds as f64);
    let binary = matches.get_one::<PathBuf>("binary").cloned();
    let server_args = matches.get_one::<String>("server-args");
    Options {
        groups: groups(matches, check),
        line_bytes: numbers(matches, "line-bytes")[0].max(LEAST_LINE),
        same_bytes: matches.get_flag("same-bytes"),
        binary: binary.map_or_else(|| env!("CARGO_BIN_EXE_snug").into(), whole_path),
        server_args: server_args.map_or_else(Vec::new, |args| {
            args.split_ascii_whitespace().map(str::to_owned).collect()
        }),
        blocks: blocks::blocks(matches, check),
        peers,
        csv: matches.get_one("csv").cloned(),
        command,
        check,
        gate: matches.get_flag("gate"),
        planned: Duration::from_secs_f64(if check { CHECK_SECONDS } else { seconds }),
        // Room for the last repeat and for what every row has to do once.
        limit: Duration::from_secs_f64(0.92 * seconds),
        scale: if check { 0.15 } else { seconds / planned },
        repeats: matches.get_one("repeat").copied().or(check.then_some(1)),
    }
}

/// Servers run elsewhere, so a path must not depend on where this program does. One that leads nowhere is
/// left as it is, for the message.
fn whole_path(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// The names that were given, `all` being all of them; a check looks at whatever there is.
fn peers(matches: &ArgMatches, check: bool) -> Vec<&'static str> {
    let given: Vec<String> = matches
        .get_many("peers")
        .map_or_else(Vec::new, |names| names.cloned().collect());
    let all = given.iter().any(|given| given == ALL) || (check && given.is_empty());
    let names = OTHERS.iter().map(|other| other.name);
    names
        .filter(|name| all || given.iter().any(|given| given == name))
        .collect()
}

/// The numbers of clients that were chosen, if any were.
pub fn chosen_readers(matches: &ArgMatches) -> Option<Vec<usize>> {
    let given = matches.value_source("readers") == Some(ValueSource::CommandLine);
    given.then(|| numbers(matches, "readers"))
}

fn numbers(matches: &ArgMatches, name: &str) -> Vec<usize> {
    let values = matches.get_many(name);
    values.map_or_else(Vec::new, |values| values.copied().collect())
}

/// The scenarios that were asked for, with how many clients each; a short run has fewer.
fn groups(matches: &ArgMatches, short: bool) -> Vec<Group> {
    let given = chosen_readers(matches).is_some();
    let mut readers = numbers(matches, "readers");
    if short && !given {
        readers.retain(|&readers| readers <= 1_000);
    }
    let wants = |name: &str| wants(matches, name);
    let own = |usual: usize| if given { readers.clone() } else { vec![usual] };
    let bursts = numbers(matches, "burst");
    let mut groups = Vec::new();
    if wants("idle") {
        let connections = own(if short { 1_000 } else { CONNECTIONS_OF_IDLE });
        connections
            .into_iter()
            .for_each(|count| add(&mut groups, count, Kind::Idle));
    }
    for &readers in &readers {
        let bursts = bursts.iter().copied().filter(|_| wants("burst"));
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
    let people = own(if short { 200 } else { PEOPLE_IN_ROOMS });
    for people in people.into_iter().filter(|_| wants("rooms")) {
        for burst in std::iter::once(1).chain(bursts.iter().copied()) {
            add(&mut groups, people, Kind::Rooms(burst));
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

/// Whether a scenario was chosen by its name, or none was.
pub fn wants(matches: &ArgMatches, name: &str) -> bool {
    let mut names = matches.get_many::<String>("scenario").into_iter().flatten();
    matches.value_source("scenario").is_none() || names.any(|wanted| wanted == name)
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
pub fn shares(left: Kind, right: Kind) -> bool {
    let family = |kind| match kind {
        Kind::Lines(_) | Kind::Paced | Kind::Idle => 0,
        Kind::Talk(_) => 1,
        Kind::Stuck => 2,
        Kind::Rooms(_) => 3,
    };
    family(left) == family(right)
}
