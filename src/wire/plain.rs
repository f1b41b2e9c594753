//! The plain line protocol, for people with nothing but `nc` (contract, section 2).
//!
//! Lines to [`Command`]s, and events to lines. What comes in is cleaned here, so that everything behind
//! is clean; what goes out is one line with its newline.

use super::clean;
use crate::chat::{Command, Millis, Notice, Said};

/// Reads one line, without its end. `scratch` is used where the line had to be cleaned.
pub fn parse<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Command<'a> {
    if line == b"quit" {
        return Command::Quit("");
    }
    let text = clean::clean(line, scratch);
    match text.strip_prefix('/') {
        None => Command::Say(text),
        Some(literal) if literal.starts_with('/') => Command::Say(literal),
        Some(command) => parse_command(command),
    }
}

fn parse_command(command: &str) -> Command<'_> {
    let (word, rest) = command.split_once([' ', '\t']).unwrap_or((command, ""));
    let text = rest.trim();
    match word.to_ascii_lowercase().as_str() {
        // What follows the one blank is the text as it is: somebody may draw with it.
        "me" => Command::Act(if text.is_empty() { "" } else { rest }),
        "who" => Command::Who,
        "ping" => Command::Ping(rest),
        "help" => Command::Help(text),
        "quit" => Command::Quit(text),
        _ => Command::Unknown(word),
    }
}

/// The most bytes that [`said`] appends.
pub fn said_length(said: Said<'_>) -> usize {
    match said {
        Said::Text { name, text } | Said::Action { name, text } => name.len() + text.len() + 4,
        Said::Entered { name } => name.len() + 16,
        Said::Left { name, text } => name.len() + text.len() + 16,
    }
}

/// Appends the line that everyone in a room gets.
pub fn said(out: &mut Vec<u8>, said: Said<'_>) {
    match said {
        Said::Text { name, text } => put(out, &["<", name, "> ", text, "\n"]),
        Said::Action { name, text } => put(out, &["* ", name, " ", text, "\n"]),
        Said::Entered { name } => put(out, &["*** ", name, " entered\n"]),
        Said::Left { name, text: "" } => put(out, &["*** ", name, " left\n"]),
        Said::Left { name, text } => put(out, &["*** ", name, " left: ", text, "\n"]),
    }
}

/// Appends the line that one person gets.
pub fn notice(out: &mut Vec<u8>, notice: Notice<'_>) {
    match notice {
        Notice::Welcome(text) => put(out, &[text, "\n"]),
        Notice::Pong("") => put(out, &["*** pong\n"]),
        Notice::Pong(text) => put(out, &["*** pong ", text, "\n"]),
        Notice::Present { room, people } => {
            let people = match people {
                1 => "only you".to_owned(),
                n => format!("{n} people"),
            };
            put(out, &["*** in ", room, ": ", &people, "\n"]);
        }
        Notice::Person { name, is_you, idle } => {
            let you = if is_you { " (you)" } else { "" };
            put(out, &["*** ", name, you, ", idle ", &age(idle), "\n"]);
        }
        Notice::Help { usage, about } => put(out, &["*** ", usage, " ", about, "\n"]),
        Notice::UnknownCommand(word) => put(
            out,
            &[
                "*** there is no command /",
                word,
                "; /help lists them, and //",
                word,
                " says /",
                word,
                "\n",
            ],
        ),
        Notice::Usage(usage) => put(
            out,
            &["*** something is missing; the command is: ", usage, "\n"],
        ),
        Notice::LineTooLong(max) => {
            put(
                out,
                &["*** line too long: ", &max.to_string(), " bytes at most\n"],
            );
        }
        Notice::Closing => put(out, &["*** the server is closing\n"]),
    }
}

/// The line that tells a reader how many it missed (contract, promise 2).
pub fn gap(lines: u64) -> Vec<u8> {
    format!("*** {lines} lines skipped: your connection fell behind\n").into_bytes()
}

/// The line for somebody who cannot come in, before the connection is closed.
pub fn refusal(reason: &str) -> Vec<u8> {
    format!("*** {reason}\n").into_bytes()
}

/// A span of time as people say it, in its largest unit: `4 s`, `3 min`, `2 h`, `5 d`.
fn age(span: Millis) -> String {
    match span / 1000 {
        s @ ..60 => format!("{s} s"),
        s @ ..3_600 => format!("{} min", s / 60),
        s @ ..86_400 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_talk_or_commands() {
        for (line, expected) in [
            (&b"hello"[..], Command::Say("hello")),
            (b"", Command::Say("")),
            (b"quit", Command::Quit("")),
            (b"quit ", Command::Say("quit ")),
            (b"Quit", Command::Say("Quit")),
            (b" /me", Command::Say(" /me")),
            (b"//me waves", Command::Say("/me waves")),
            (b"/", Command::Unknown("")),
            (b"/me waves", Command::Act("waves")),
            (b"/ME  waves ", Command::Act(" waves ")),
            (b"/me", Command::Act("")),
            (b"/me  ", Command::Act("")),
            (b"/who", Command::Who),
            (b"/who\t", Command::Who),
            (b"/ping a b", Command::Ping("a b")),
            (b"/help /me", Command::Help("/me")),
            (b"/quit so long", Command::Quit("so long")),
            (b"/whoami", Command::Unknown("whoami")),
            (b"/m\x1be waves", Command::Act("waves")),
            (b"\x1b]0;x\x07\xff", Command::Say("]0;x\u{FFFD}")),
        ] {
            assert_eq!(parse(line, &mut Vec::new()), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_for_a_room_are_as_long_as_announced() {
        let (name, text) = ("alice", "hello");
        for (line, expected) in [
            (Said::Text { name, text }, "<alice> hello\n"),
            (Said::Action { name, text }, "* alice hello\n"),
            (Said::Entered { name }, "*** alice entered\n"),
            (Said::Left { name, text: "" }, "*** alice left\n"),
            (Said::Left { name, text }, "*** alice left: hello\n"),
        ] {
            let mut out = Vec::new();
            said(&mut out, line);
            assert_eq!(String::from_utf8_lossy(&out), expected);
            assert!(out.len() <= said_length(line), "{expected}");
        }
    }

    #[test]
    fn ages_and_gaps_read_well() {
        for (span, expected) in [
            (0, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(age(span), expected);
        }
        assert_eq!(
            gap(37),
            b"*** 37 lines skipped: your connection fell behind\n"
        );
        // One form for every number: scripts count on it.
        assert_eq!(
            gap(1),
            b"*** 1 lines skipped: your connection fell behind\n"
        );
    }
}
