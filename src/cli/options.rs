//! What an option is, how clap learns of it, and how its value is taken out again.
//!
//! Options are plain data, and one function makes clap's arguments of them: clap's own builder spelled out for
//! each was a tenth of the program. All texts that are read become one type, [`Value`], for the same reason.

use clap::builder::{FalseyValueParser, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use log::LevelFilter;
use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use crate::address::Address;

/// An option as it stands in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub name: &'static str,
    pub short: Option<char>,
    /// What the help calls its value; of no use to a switch.
    pub value: &'static str,
    pub env: &'static str,
    pub default: Option<&'static str>,
    /// The option with which it makes no sense.
    pub conflict: Option<&'static str>,
    pub takes: Takes,
    pub help: &'static str,
}

/// What follows an option.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// Nothing. Its variable counts as set unless it is empty, `0`, `no`, `off` or `false`.
    Nothing,
    /// A path, of any bytes.
    File,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text that is read so, or is wrong for that reason.
    Text(Read),
    /// The same, several times, or several with commas between them.
    Texts(Read),
}

/// Reads a text.
pub(super) type Read = fn(&str) -> Result<Value, String>;

/// What a text was read as.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Address(Address),
    Level(LevelFilter),
}

/// An option with a value and no more to it; a table adds the rest.
pub(super) const fn option(
    name: &'static str,
    value: &'static str,
    env: &'static str,
    takes: Takes,
    help: &'static str,
) -> Spec {
    Spec {
        name,
        short: None,
        value,
        env,
        default: None,
        conflict: None,
        takes,
        help,
    }
}

/// A switch.
pub(super) const fn switch(name: &'static str, env: &'static str, help: &'static str) -> Spec {
    option(name, "", env, Takes::Nothing, help)
}

impl Spec {
    /// Makes clap's argument of it.
    pub(super) fn arg(&self) -> Arg {
        let Self { name, help, .. } = *self;
        let mut arg = Arg::new(name).long(name);
        arg = match self.takes {
            Takes::Nothing => arg
                .action(ArgAction::SetTrue)
                .value_parser(FalseyValueParser::new()),
            takes => arg.value_name(self.value).value_parser(takes.parser()),
        };
        if let Takes::Texts(_) = self.takes {
            arg = arg.action(ArgAction::Append).value_delimiter(',');
        }
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        if let Some(default) = self.default {
            arg = arg.default_value(default);
        }
        if let Some(other) = self.conflict {
            arg = arg.conflicts_with(other);
        }
        // A variable that is empty, or says that a switch is off, counts as one that is not set: it is in nobody's way. The
        // help names it all the same.
        match env::var_os(self.env).is_some_and(|value| self.is_off(&value)) {
            true => arg.help(format!("{help} [env: {}]", self.env)),
            false => arg.help(help).env(self.env).hide_env_values(true),
        }
    }

    /// Whether this value of its variable says that it is not set.
    fn is_off(&self, value: &OsStr) -> bool {
        let says_no = |word: &str| value.eq_ignore_ascii_case(word);
        let is_switch = matches!(self.takes, Takes::Nothing);
        value.is_empty()
            || is_switch
                && ["0", "n", "no", "f", "false", "off"]
                    .into_iter()
                    .any(says_no)
    }
}

impl Takes {
    fn parser(self) -> ValueParser {
        match self {
            Self::Nothing | Self::File => value_parser!(PathBuf),
            Self::Word(words) => PossibleValuesParser::new(words).into(),
            Self::Text(read) | Self::Texts(read) => ValueParser::new(read),
        }
    }
}

/// The file that an option names.
pub(super) fn file<'a>(args: &'a ArgMatches, name: &str) -> Option<&'a Path> {
    args.get_one::<PathBuf>(name).map(PathBuf::as_path)
}

/// The word that an option with a default has.
pub(super) fn word<'a>(args: &'a ArgMatches, name: &str) -> &'a str {
    let word = args.get_one::<String>(name);
    word.unwrap_or_else(|| unreachable!("--{name} has a default"))
}

/// The text of an option.
pub(super) fn text(args: &ArgMatches, name: &str) -> Option<String> {
    match value(args, name)? {
        Value::Text(text) => Some(text.clone()),
        other => wrong(name, other),
    }
}

/// The number of an option.
pub(super) fn number(args: &ArgMatches, name: &str) -> Option<u64> {
    match *value(args, name)? {
        Value::Number(number) => Some(number),
        ref other => wrong(name, other),
    }
}

/// The number of an option with a default, which is one of bytes, lines or people here.
pub(super) fn size(args: &ArgMatches, name: &str) -> usize {
    let number = number(args, name).unwrap_or_else(|| unreachable!("--{name} has a default"));
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The addresses of an option.
pub(super) fn addresses(args: &ArgMatches, name: &str) -> Vec<Address> {
    let values = args.get_many::<Value>(name).into_iter().flatten();
    let addresses = values.map(|value| match value {
        Value::Address(address) => address.clone(),
        other => wrong(name, other),
    });
    addresses.collect()
}

/// The level of an option with a default.
pub(super) fn level(args: &ArgMatches, name: &str) -> LevelFilter {
    match value(args, name) {
        Some(Value::Level(level)) => *level,
        other => wrong(name, &other),
    }
}

fn value<'a>(args: &'a ArgMatches, name: &str) -> Option<&'a Value> {
    args.get_one(name)
}

/// A table has another type for an option than the code that asks for it.
fn wrong(name: &str, is: &dyn std::fmt::Debug) -> ! {
    unreachable!("{name} is {is:?}")
}
