//! The options that say who one is, and the passwords in files, which the server has too.

use super::options::file;
use crate::client::Password;
use crate::system::in_words;
use crate::wire::clean::is_control;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use std::os::unix::fs::PermissionsExt as _;

pub(super) const PASSWORD_FILE: &str = "password-file";
const OPTIONS: [&str; 3] = ["nick", "room", PASSWORD_FILE];

/// Whether `snug connect` says who one is. On a bus there is nobody to say it to: to ask for that is an error,
/// but a name that waits in the environment for the next chat is left there.
pub(super) fn is_given(connect: &mut Command, args: &ArgMatches) -> Result<bool, clap::Error> {
    let is_bus = args.get_flag("bare");
    let typed = |name| args.value_source(name) == Some(ValueSource::CommandLine);
    match OPTIONS.into_iter().find(|name| is_bus && typed(name)) {
        Some(name) => Err(connect.error(
            ErrorKind::ArgumentConflict,
            format!("--{name} cannot be used with --bare: a bus has no names, rooms or passwords"),
        )),
        None => Ok(!is_bus),
    }
}

/// The password that the client says.
pub(super) fn client_password(args: &ArgMatches) -> Result<Option<Password>, String> {
    let text = password(args, PASSWORD_FILE, &|text| super::say(&text))?;
    let file = file(args, PASSWORD_FILE);
    Ok(text.zip(file).map(|(text, file)| Password {
        text,
        file: file.display().to_string(),
    }))
}

/// Reads the password that an option's file holds: its first line.
pub(super) fn password(
    args: &ArgMatches,
    option: &str,
    warn: &dyn Fn(&str),
) -> Result<Option<String>, String> {
    let Some(path) = file(args, option) else {
        return Ok(None);
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the password in {shown}: {}", in_words(&error)))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(format!(
            "there is no password in {shown}; write one into its first line"
        ));
    }
    if password.contains(is_control) {
        return Err(format!(
            "the password in {shown} has control characters, which nobody can send"
        ));
    }
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        warn(&format!(
            "others can read the password in {shown}; keep it yours with: chmod 600 {shown}"
        ));
    }
    Ok(Some(password.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    /// What `snug connect ARGS` makes of its identity.
    fn given(args: &[&str]) -> Result<bool, ErrorKind> {
        let mut connect = super::super::connect_command();
        let line = [&["connect"][..], args].concat();
        let matches = connect
            .try_get_matches_from_mut(line)
            .map_err(|error| error.kind())?;
        is_given(&mut connect, &matches).map_err(|error| error.kind())
    }

    #[test]
    fn a_name_and_a_room_are_one_word_each() {
        for (args, expected) in [
            (&["-n", "alice", "-r", "garden"][..], Ok(true)),
            (&["--nick=Zoë", "--room=#garden"], Ok(true)),
            (&["-n", ""], Err(ErrorKind::ValueValidation)),
            (&["-n", "a b"], Err(ErrorKind::ValueValidation)),
            (&["-n", "a\nb"], Err(ErrorKind::ValueValidation)),
            (&["-n", "a\u{202e}b"], Err(ErrorKind::ValueValidation)),
            (&["-r", "garden key"], Err(ErrorKind::ValueValidation)),
        ] {
            assert_eq!(given(args), expected, "{args:?}");
        }
    }

    #[test]
    fn a_bus_knows_nobody() {
        assert_eq!(given(&["--bare"]), Ok(false));
        for args in [["-n", "a"], ["-r", "a"], ["--password-file", "a"]] {
            let both = [&["--bare"][..], &args].concat();
            assert_eq!(given(&both), Err(ErrorKind::ArgumentConflict), "{args:?}");
            assert_eq!(given(&args), Ok(true), "{args:?}");
        }
    }

    #[test]
    fn each_has_a_variable() {
        let connect = super::super::connect_command();
        let variable = |name: &str| {
            let mut args = connect.get_arguments();
            let arg = args.find(|arg| arg.get_id() == name);
            arg.and_then(Arg::get_env).and_then(|env| env.to_str())
        };
        assert_eq!(
            OPTIONS.map(variable),
            [
                Some("SNUG_NICK"),
                Some("SNUG_ROOM"),
                Some("SNUG_PASSWORD_FILE")
            ]
        );
    }
}
