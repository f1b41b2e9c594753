//! The command line: clap's definition of it, and what it is turned into.
//!
//! Owns option names, defaults, help texts and exit codes (contract, section 1). Everything that
//! can be wrong with an argument is said here, as a usage error (exit code 2).

use crate::address::Address;
use crate::client::{self, Color};
use clap::builder::{FalseyValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use log::LevelFilter;
use std::process::ExitCode;

/// The whole program: reads the command line and the environment, does what they ask.
///
/// Exit codes: 0 done, 1 failed while running, 2 wrong usage.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match matches.subcommand() {
        Some(("connect", args)) => client::run(&connect_config(args)),
        _ => ExitCode::SUCCESS,
    }
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
        .disable_help_subcommand(true)
        .subcommand(connect_command())
}

fn connect_command() -> Command {
    Command::new("connect")
        .about("Join a server: standard input is sent, what comes is printed")
        .arg(
            Arg::new("addr")
                .value_name("ADDR")
                .env("SNUG_ADDR")
                .default_value("127.0.0.1:9999")
                .value_parser(Address::connect)
                .help("HOST:PORT, [v6]:PORT, unix:PATH, or a lone host or port"),
        )
        .arg(
            flag("bare", "SNUG_BARE")
                .help("The other end is a bus (or any line server): lines as they are"),
        )
        .arg(
            flag("receive-only", "SNUG_RECEIVE_ONLY")
                .short('R')
                .help("Do not read standard input"),
        )
        .arg(
            flag("send-only", "SNUG_SEND_ONLY")
                .short('S')
                .conflicts_with("receive-only")
                .help("Print nothing of what is received"),
        )
        .arg(
            flag("no-newline", "SNUG_NO_NEWLINE")
                .help("Send each line without its newline, as the oldest chat clients did"),
        )
        .arg(flag("timestamps", "SNUG_TIMESTAMPS").help("Print the local time before each line"))
        .arg(
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
        )
        .arg(
            flag("no-reconnect", "SNUG_NO_RECONNECT")
                .help("Exit with 1 when the connection is lost"),
        )
}

fn connect_config(args: &ArgMatches) -> client::Config {
    client::Config {
        address: get(args, "addr"),
        bare: args.get_flag("bare"),
        receive_only: args.get_flag("receive-only"),
        send_only: args.get_flag("send-only"),
        no_newline: args.get_flag("no-newline"),
        timestamps: args.get_flag("timestamps"),
        color: get(args, "color"),
        reconnect: !args.get_flag("no-reconnect"),
    }
}

/// A switch. Its variable counts as set unless it is empty, `0`, `no`, `off` or `false`.
fn flag(name: &'static str, env: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .env(env)
        .action(ArgAction::SetTrue)
        .value_parser(FalseyValueParser::new())
}

/// The value of an option that has a default, and so always one.
fn get<T: Clone + Send + Sync + 'static>(args: &ArgMatches, name: &str) -> T {
    args.get_one::<T>(name)
        .cloned()
        .unwrap_or_else(|| unreachable!("--{name} has a default"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
