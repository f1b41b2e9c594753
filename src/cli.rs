//! The command line: clap's definition of it, and what it is turned into.
//!
//! Owns option names, defaults, help texts and exit codes (contract, section 1). Everything that
//! can be wrong with an argument is said here, as a usage error (exit code 2).

mod identity;
mod options;
mod tables;
mod values;

use crate::client::{self, Color};
use crate::fanout::Slow;
use crate::pace::Pace;
use crate::server::Server;
use crate::transcript::{self, Tail, Transcript};
use crate::{hub, limits, listen, logger, system};
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use identity::PASSWORD_FILE;
use options::{Spec, number, size, text, word};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Descriptors that are not for clients: standard streams, listeners, the poll, the signals, and some to
/// tell those who find the server full.
const SPARE_FILES: usize = 32;
/// The part of a limited address space that is for what is queued or kept. The rest is for the program, for its
/// libraries, and for the gaps that an allocator leaves.
const SPACE_PART: usize = 4;

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
    logger::init(options::level(args, "log-level"));
    system::release_libraries();
    let file_limit = system::raise_file_limit();
    let config = match serve_config(args, file_limit) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    let addresses = options::addresses(args, "listen");
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
    let transcript = match options::file(args, "transcript").map(open_transcript) {
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
#[cold]
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    // Whatever the log level: nobody starts a server to be told nothing.
    say(error);
    ExitCode::FAILURE
}

/// Says something on standard error. Where that is gone there is nobody else to tell.
#[inline(never)]
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
        .args(tables::SERVE.iter().map(Spec::arg))
}

fn serve_config(args: &ArgMatches, file_limit: u64) -> Result<hub::Config, String> {
    let spare = usize::try_from(file_limit)
        .unwrap_or(usize::MAX)
        .saturating_sub(SPARE_FILES)
        .max(1);
    let password = |option| identity::password(args, option, &|text| log::warn!("{text}"));
    let limit = |option| number(args, option).and_then(|limit| usize::try_from(limit).ok());
    Ok(hub::Config {
        welcome: text(args, "welcome").unwrap_or_default(),
        bare: args.get_flag("bare"),
        max_clients: limit("max-clients").unwrap_or(spare),
        max_per_ip: limit("max-per-ip"),
        max_line: size(args, "max-line"),
        backlog: size(args, "backlog"),
        slow: match word(args, "slow") {
            "close" => Slow::Close,
            "wait" => Slow::Wait,
            _ => Slow::Skip,
        },
        slow_timeout: number(args, "slow-timeout").unwrap_or_default() * 1000,
        max_memory: max_memory(args),
        pace: pace(args),
        unterminated: number(args, "unterminated"),
        hide_addresses: args.get_flag("hide-addresses"),
        history: size(args, "history"),
        password: password(PASSWORD_FILE)?,
        admin_password: password("admin-password-file")?,
        records: args.contains_id("transcript"),
    })
}

/// The ceiling of memory. Where nobody says what it is, it leaves room in the address space, if that is limited: past
/// such a limit an allocation fails, and the process ends.
fn max_memory(args: &ArgMatches) -> usize {
    let most = size(args, "max-memory");
    let is_default = args.value_source("max-memory") == Some(ValueSource::DefaultValue);
    let Some(space) = system::address_space().filter(|_| is_default) else {
        return most;
    };
    let part = usize::try_from(space).unwrap_or(usize::MAX) / SPACE_PART;
    let part = part.max(limits::MIN_MEMORY);
    if part < most {
        log::info!("of {space} bytes of address space, {part} are for what is queued or kept");
    }
    most.min(part)
}

/// The pace that is asked for, unless there is to be none.
fn pace(args: &ArgMatches) -> Option<Pace> {
    let rate = number(args, "rate").filter(|&rate| rate > 0 && !args.get_flag("bare"))?;
    let burst = number(args, "burst")?;
    Some(Pace { rate, burst })
}

fn connect_command() -> Command {
    Command::new("connect")
        .about("Join a server: standard input is sent, what comes is printed")
        .arg(tables::ADDRESS.arg().long(Resettable::Reset))
        .args(tables::CONNECT.iter().map(Spec::arg))
}

fn connect_config(args: &ArgMatches) -> Result<client::Config, String> {
    let has_identity = identity::is_given(&mut connect_command().bin_name("snug connect"), args)
        .unwrap_or_else(|error| error.exit());
    let name = |option| text(args, option).filter(|_| has_identity);
    let password = match has_identity {
        true => identity::client_password(args)?,
        false => None,
    };
    Ok(client::Config {
        address: options::addresses(args, "addr").remove(0),
        bare: args.get_flag("bare"),
        receive_only: args.get_flag("receive-only"),
        send_only: args.get_flag("send-only"),
        no_newline: args.get_flag("no-newline"),
        timestamps: args.get_flag("timestamps"),
        color: match word(args, "color") {
            "always" => Color::Always,
            "never" => Color::Never,
            _ => Color::Auto,
        },
        reconnect: !args.get_flag("no-reconnect"),
        bell: args.get_flag("bell"),
        nick: name("nick"),
        room: name("room"),
        password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
