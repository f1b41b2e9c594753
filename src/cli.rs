//! The command line: clap's definition of it, and what it is turned into.
//!
//! Owns option names, defaults, help texts and exit codes (contract, section 1). Everything that
//! can be wrong with an argument is said here, as a usage error (exit code 2).

mod identity;

use crate::address::Address;
use crate::client::{self, Color};
use crate::fanout::Slow;
use crate::pace::Pace;
use crate::server::Server;
use crate::transcript::{self, Tail, Transcript};
use crate::wire::clean::is_control;
use crate::{hub, limits, listen, logger, system};
use clap::builder::{FalseyValueParser, PossibleValuesParser, Resettable, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use log::LevelFilter;
use std::env;
use std::ffi::OsStr;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Descriptors that are not for clients: standard streams, listeners, the poll, the signals, and some to
/// tell those who find the server full.
const SPARE_FILES: usize = 32;
/// The longest line that can be allowed.
const MAX_LINE: usize = 64 << 20;
/// The backlogs that can be asked for.
const MIN_BACKLOG: usize = 4 << 10;
const MAX_BACKLOG: usize = MAX_MEMORY;
/// The highest ceiling of memory that can be asked for.
const MAX_MEMORY: usize = 1 << if usize::BITS > 32 { 40 } else { 30 };
/// The most lines a second, or at once.
const MAX_LINES: u64 = 1_000_000;
/// The longest time that can be asked for: a year.
const MAX_SECONDS: u64 = 366 * 24 * 3600;

/// The whole program: reads the command line and the environment, does what they ask.
///
/// Exit codes: 0 done, 1 failed while running, 2 wrong usage.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match matches.subcommand() {
        Some(("serve", args)) => serve(args),
        Some(("connect", args)) => match connect_config(args) {
            Ok(config) => client::run(&config),
            Err(error) => fail(&error),
        },
        _ => unreachable!("clap asks for a subcommand"),
    }
}

/// Runs a server until its end.
fn serve(args: &ArgMatches) -> ExitCode {
    logger::init(get(args, "log-level"));
    let file_limit = system::raise_file_limit();
    let config = match serve_config(args, file_limit) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    let addresses: Vec<Address> = args
        .get_many("listen")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let bound = match listen::bind(&addresses) {
        Ok(bound) => bound,
        Err(error) => return fail(&error),
    };
    let hints = listen::hints(
        &bound,
        if config.bare {
            "snug connect --bare"
        } else {
            "snug connect"
        },
    );
    let transcript = match args
        .get_one::<PathBuf>("transcript")
        .map(|path| open_transcript(path))
    {
        Some(Ok(transcript)) => Some(transcript),
        Some(Err(error)) => return fail(&error),
        None => None,
    };
    let mut server = match Server::new(bound, config) {
        Ok(server) => server,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    if let Some((transcript, tail)) = transcript {
        server.keep(transcript, &tail);
    }
    for hint in hints {
        log::info!("{hint}");
    }
    let end = server.run();
    server.close();
    log::logger().flush();
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot go on: {error}")),
    }
}

/// Opens a transcript, and reads what it has of late.
fn open_transcript(path: &Path) -> std::io::Result<(Transcript, Tail)> {
    let tail = transcript::read_tail(path, limits::TRANSCRIPT_TAIL)?;
    Ok((Transcript::open(path)?, tail))
}

/// Says why the program ends before its time.
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    // Whatever the log level: nobody starts a server to be told nothing.
    say(error);
    ExitCode::FAILURE
}

/// Says something on standard error. Where that is gone there is nobody else to tell.
fn say(text: &dyn std::fmt::Display) {
    _ = writeln!(std::io::stderr(), "snug: {text}");
}

/// The command line as clap knows it.
pub fn command() -> Command {
    Command::new("snug")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A chat and broadcast server for small machines, and its client")
        .after_help(
            "Try: 'snug serve' in one terminal, 'snug connect' or 'nc 127.0.0.1 9999' in others.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve_command())
        .subcommand(connect_command())
}

fn serve_command() -> Command {
    Command::new("serve")
        .about("Run a server: each line that a client sends is brought to everybody else")
        .args([
            option("listen", "ADDR", "SNUG_LISTEN", "HOST:PORT, [v6]:PORT or unix:PATH; port 0 picks a free one; may be repeated")
                .short('l')
                .default_value("127.0.0.1:9999")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(Address::listen),
            option("welcome", "TEXT", "SNUG_WELCOME", "The first line that a plain client sees")
                .default_value("Welcome to this chatroom!")
                .value_parser(welcome),
            flag("bare", "SNUG_BARE").help("A bus: lines are relayed byte for byte, without greeting, names, notices or commands"),
            option("max-clients", "N", "SNUG_MAX_CLIENTS", "How many may be connected [default: the file limit less 32]")
                .value_parser(count),
            option("max-per-ip", "N", "SNUG_MAX_PER_IP", "How many from one address, or from one /64 of IPv6; loopback and Unix sockets are exempt [default: off]")
                .value_parser(count),
            option("max-line", "BYTES", "SNUG_MAX_LINE", "The longest line, without its newline")
                .default_value("4096")
                .value_parser(|text: &str| size(text, 1..=MAX_LINE)),
            option("backlog", "BYTES", "SNUG_BACKLOG", "How far behind a room a reader may fall")
                .default_value("1M")
                .value_parser(|text: &str| size(text, MIN_BACKLOG..=MAX_BACKLOG)),
            option("slow", "POLICY", "SNUG_SLOW", "What happens to a reader further behind: it skips lines and is told, is closed, or the room waits for it")
                .default_value("skip")
                .value_parser(PossibleValuesParser::new(["skip", "close", "wait"]).map(|word| match word.as_str() {
                    "close" => Slow::Close,
                    "wait" => Slow::Wait,
                    _ => Slow::Skip,
                })),
            option("slow-timeout", "SECONDS", "SNUG_SLOW_TIMEOUT", "With --slow wait: how long a reader may hold the room up")
                .default_value("30")
                .value_parser(|text: &str| number(text, 0..=MAX_SECONDS)),
            option("max-memory", "BYTES", "SNUG_MAX_MEMORY", "How much may be queued and kept, all connections together; beyond that whoever holds the most gives first")
                .default_value("64M")
                .value_parser(|text: &str| size(text, limits::MIN_MEMORY..=MAX_MEMORY)),
            option("rate", "LINES", "SNUG_RATE", "How many lines each client may say in a second; beyond that it is read from later; or off")
                .default_value("50")
                .value_parser(rate),
            option("burst", "LINES", "SNUG_BURST", "How many it may say at once after a silence")
                .default_value("200")
                .value_parser(|text: &str| number(text, 1..=MAX_LINES)),
            option("unterminated", "MS", "SNUG_UNTERMINATED", "A partial line that rests so long counts as a line, for clients that send no newline [default: off]")
                .value_parser(|text: &str| number(text, 1..=MAX_SECONDS * 1000)),
            option("history", "LINES", "SNUG_HISTORY", "Lines replayed to whoever enters a room (100 are kept); 0 is off")
                .default_value("20")
                .value_parser(history),
            option("transcript", "FILE", "SNUG_TRANSCRIPT", "Append every public line to FILE, and read it back at the start; - is standard output")
                .conflicts_with("bare")
                .value_parser(value_parser!(PathBuf)),
            option("password-file", "FILE", "SNUG_PASSWORD_FILE", "Its first line must be said to enter: /pass PASSWORD")
                .conflicts_with("bare")
                .value_parser(value_parser!(PathBuf)),
            option("admin-password-file", "FILE", "SNUG_ADMIN_PASSWORD_FILE", "Its first line makes an admin: /admin PASSWORD")
                .conflicts_with("bare")
                .value_parser(value_parser!(PathBuf)),
            flag("hide-addresses", "SNUG_HIDE_ADDRESSES").help("Unnamed people are guest1, guest2 … instead of their address"),
            option("log-level", "LEVEL", "SNUG_LOG_LEVEL", "off, error, warn, info, debug or trace; on standard error; RUST_LOG too")
                .default_value("info")
                .value_parser(log_level),
        ])
        .mut_args(without_empty_variable)
}

fn serve_config(args: &ArgMatches, file_limit: u64) -> Result<hub::Config, String> {
    let spare = usize::try_from(file_limit)
        .unwrap_or(usize::MAX)
        .saturating_sub(SPARE_FILES)
        .max(1);
    let password = |option| identity::password(args, option, |text| log::warn!("{text}"));
    Ok(hub::Config {
        welcome: get(args, "welcome"),
        bare: args.get_flag("bare"),
        max_clients: args.get_one("max-clients").copied().unwrap_or(spare),
        max_per_ip: args.get_one("max-per-ip").copied(),
        max_line: get(args, "max-line"),
        backlog: get(args, "backlog"),
        slow: get(args, "slow"),
        slow_timeout: get::<u64>(args, "slow-timeout") * 1000,
        max_memory: get(args, "max-memory"),
        pace: pace(args),
        unterminated: args.get_one("unterminated").copied(),
        hide_addresses: args.get_flag("hide-addresses"),
        history: get(args, "history"),
        password: password("password-file")?,
        admin_password: password("admin-password-file")?,
        records: args.contains_id("transcript"),
    })
}

/// The pace that is asked for, unless there is to be none.
fn pace(args: &ArgMatches) -> Option<Pace> {
    let rate = get::<Option<u64>>(args, "rate").filter(|_| !args.get_flag("bare"))?;
    let burst = get(args, "burst");
    Some(Pace { rate, burst })
}

fn connect_command() -> Command {
    let connect = Command::new("connect")
        .about("Join a server: standard input is sent, what comes is printed")
        .arg(
            Arg::new("addr")
                .value_name("ADDR")
                .env("SNUG_ADDR")
                .default_value("127.0.0.1:9999")
                .value_parser(Address::connect)
                .help("HOST:PORT, [v6]:PORT, unix:PATH, or a lone host or port"),
        );
    identity::add_to(connect)
        .args([
            flag("bare", "SNUG_BARE")
                .help("The other end is a bus (or any line server): lines as they are"),
            flag("receive-only", "SNUG_RECEIVE_ONLY")
                .short('R')
                .help("Do not read standard input"),
            flag("send-only", "SNUG_SEND_ONLY")
                .short('S')
                .conflicts_with("receive-only")
                .help("Print nothing of what is received"),
            flag("no-newline", "SNUG_NO_NEWLINE")
                .help("Send each line without its newline, as the oldest chat clients did"),
            flag("timestamps", "SNUG_TIMESTAMPS").help("Print the local time before each line"),
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .env("SNUG_COLOR")
                .default_value("auto")
                .value_parser(
                    PossibleValuesParser::new(["auto", "always", "never"]).map(|word| {
                        match word.as_str() {
                            "always" => Color::Always,
                            "never" => Color::Never,
                            _ => Color::Auto,
                        }
                    }),
                )
                .help("Colour what is printed; auto: on a terminal, unless NO_COLOR is set"),
            flag("no-reconnect", "SNUG_NO_RECONNECT")
                .help("Exit with 1 when the connection is lost"),
            flag("bell", "SNUG_BELL").help("Ring the terminal's bell when your name is said"),
        ])
        .mut_args(without_empty_variable)
}

fn connect_config(args: &ArgMatches) -> Result<client::Config, String> {
    let has_identity = identity::is_given(&mut connect_command().bin_name("snug connect"), args)
        .unwrap_or_else(|error| error.exit());
    let word = |name| {
        args.get_one::<String>(name)
            .filter(|_| has_identity)
            .cloned()
    };
    let password = match has_identity {
        true => identity::client_password(args)?,
        false => None,
    };
    Ok(client::Config {
        address: get(args, "addr"),
        bare: args.get_flag("bare"),
        receive_only: args.get_flag("receive-only"),
        send_only: args.get_flag("send-only"),
        no_newline: args.get_flag("no-newline"),
        timestamps: args.get_flag("timestamps"),
        color: get(args, "color"),
        reconnect: !args.get_flag("no-reconnect"),
        bell: args.get_flag("bell"),
        nick: word("nick"),
        room: word("room"),
        password,
    })
}

/// An option with a value. Not inlined: there are many, and each is large.
#[inline(never)]
fn option(name: &'static str, value: &'static str, env: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .env(env)
        .hide_env_values(true)
        .help(help)
}

/// A switch. Its variable counts as set unless it is empty, `0`, `no`, `off` or `false`.
#[inline(never)]
fn flag(name: &'static str, env: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .env(env)
        .hide_env_values(true)
        .action(ArgAction::SetTrue)
        .value_parser(FalseyValueParser::new())
}

/// Takes a variable that is empty for one that is not set. The help names it all the same.
fn without_empty_variable(arg: Arg) -> Arg {
    let is_empty = |name: &&OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let Some(name) = arg.get_env().filter(is_empty) else {
        return arg;
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = format!("{help} [env: {}]", name.display());
    arg.env(Resettable::Reset).help(help)
}

/// The value of an option that has a default, and so always one.
fn get<T: Clone + Send + Sync + 'static>(args: &ArgMatches, name: &str) -> T {
    args.get_one::<T>(name)
        .cloned()
        .unwrap_or_else(|| unreachable!("--{name} has a default"))
}

/// Reads a number of bytes: digits, then `K`, `M` or `G` for powers of 1024, or nothing.
fn size(text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let shift = match text.bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        Some(b'g' | b'G') => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        text
    } else {
        &text[..text.len() - 1]
    };
    let number = match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => digits.parse::<usize>().ok(),
        false => None,
    };
    let Some(bytes) = number.and_then(|n| n.checked_mul(1 << shift)) else {
        return Err("write a number of bytes such as 4096, 64K, 1M or 1G".into());
    };
    match range.contains(&bytes) {
        true => Ok(bytes),
        false => Err(format!(
            "it must be from {} to {} bytes",
            range.start(),
            range.end()
        )),
    }
}

/// Reads a number.
fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "write a number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// Reads a number of things of which there must be one.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("write a number such as 100".into()),
    }
}

/// Reads how many lines a second somebody may say; `None` is no limit.
fn rate(text: &str) -> Result<Option<u64>, String> {
    match text.parse() {
        _ if text.eq_ignore_ascii_case("off") => Ok(None),
        Ok(lines @ 1..=MAX_LINES) => Ok(Some(lines)),
        _ => Err(format!(
            "write a number of lines from 1 to {MAX_LINES}, or off"
        )),
    }
}

/// Reads how many lines of a room's history are replayed.
fn history(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 0..=limits::HISTORY) => Ok(n),
        _ => Err(format!("write a number from 0 to {}", limits::HISTORY)),
    }
}

/// Takes a greeting of one line: what is no control is sent as it is.
fn welcome(text: &str) -> Result<String, String> {
    match text.contains(is_control) {
        true => Err("it must be one line without control characters".into()),
        false => Ok(text.into()),
    }
}

fn log_level(text: &str) -> Result<LevelFilter, String> {
    text.parse()
        .map_err(|_| "write off, error, warn, info, debug or trace".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_units_and_keep_to_their_range() {
        for (text, expected) in [
            ("1", Some(1)),
            ("4096", Some(4096)),
            ("64k", Some(65536)),
            ("1M", Some(1 << 20)),
            ("2G", None),
            ("", None),
            ("K", None),
            ("+1", None),
            ("-1", None),
            ("1.5M", None),
            ("1MB", None),
            ("99999999999999999999", None),
            ("18446744073709551615K", None),
            ("0", None),
        ] {
            assert_eq!(size(text, 1..=1 << 30).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
