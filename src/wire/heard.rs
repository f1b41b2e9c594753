//! What a client understands of the server's own lines (`*** …`): who one is, where, and what was refused; and of those
//! that go to the server: what opens a door, or leaves.
//!
//! The counterpart of [`plain`], for those few that a client acts on. It repeats the words of
//! notices, and a test renders each there and reads it here. None can be forged: what people say never
//! begins with the stars, and what begins a notice with their name goes on with words that are not theirs.

use super::plain;
use crate::chat::Command;

/// What begins each of the server's own lines.
pub const STARS: &str = "*** ";
/// The room in which everybody is first (contract, section 2).
pub const LOBBY: &str = "#lobby";

/// A notice that a client acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    PasswordNeeded,
    WrongPassword,
    /// The password was not looked at; it will be after so many seconds.
    TryLater(u64),
    YouAreNow(&'a str),
    NameTaken(&'a str),
    NameBanned(&'a str),
    /// What was asked for is no name.
    BadName,
    YouAreIn {
        room: &'a str,
        name: &'a str,
    },
    /// One is in the room that was asked for.
    AlreadyIn,
    /// The room that was asked for needs another key, or is none.
    RoomRefused,
    /// Who bears this name has closed the room with a key.
    Closed(&'a str),
    /// The room has no key any more.
    Opened,
    /// The server is full, or has enough of one's address.
    NoPlace,
    /// The server stops.
    Closing,
    /// One is sent away, and to come back at once would be no answer.
    ThrownOut,
    /// Nobody is called so any more, as far as the room can tell.
    Gone(&'a str),
}

/// Reads a notice, without its stars and its end.
pub fn read(notice: &str) -> Option<Heard<'_>> {
    let name = |end| between(notice, "the name ", end).filter(|name| is_word(name));
    if let Some(name) = between(notice, "you are now ", "") {
        return Some(Heard::YouAreNow(name));
    }
    if let Some(name) = name(" is taken; choose another with: /nick NAME") {
        return Some(Heard::NameTaken(name));
    }
    if let Some(name) = name(" is banned; choose another with: /nick NAME") {
        return Some(Heard::NameBanned(name));
    }
    if let Some(rest) = notice.strip_prefix("you are in #") {
        let room = &notice[notice.len() - rest.len() - 1..];
        return match room.split_once(' ')? {
            (_, "already") => Some(Heard::AlreadyIn),
            (room, rest) => {
                let name = rest.strip_prefix("as ")?;
                Some(Heard::YouAreIn { room, name })
            }
        };
    }
    match notice {
        "that is not the password" => return Some(Heard::WrongPassword),
        "you are banned here" => return Some(Heard::ThrownOut),
        "the server is closing" => return Some(Heard::Closing),
        "this server has a password; say it with: /pass PASSWORD" => {
            return Some(Heard::PasswordNeeded);
        }
        _ => {}
    }
    let no_place = [
        "the server is full: ",
        "the server has no memory for one more; ",
        "too many connections from your address: ",
    ];
    if no_place.iter().any(|begin| notice.starts_with(begin)) {
        return Some(Heard::NoPlace);
    }
    if notice.starts_with("you were thrown out by ") {
        return Some(Heard::ThrownOut);
    }
    let later = "too many wrong tries from your address; wait ";
    if let Some(seconds) = between(notice, later, " s, then try again") {
        return Some(Heard::TryLater(seconds.parse().ok()?));
    }
    let is_closed = "is closed; who knows its key enters with: /join ";
    match notice.split_once(' ')? {
        ("a", rest) if rest.starts_with("name ") => Some(Heard::BadName),
        ("the", rest) if rest.starts_with("name of a room ") => Some(Heard::RoomRefused),
        ("that", "is not the key") => Some(Heard::RoomRefused),
        (room, rest) if room.starts_with('#') => {
            rest.starts_with(is_closed).then_some(Heard::RoomRefused)
        }
        (name, "closed the room with a key") => Some(Heard::Closed(name)),
        (_, "opened the room to all") => Some(Heard::Opened),
        (name, rest) => {
            let gone = rest == "left"
                || ["left: ", "is now ", "was thrown out by "]
                    .iter()
                    .any(|how| rest.starts_with(how));
            gone.then_some(Heard::Gone(name))
        }
    }
}

/// A line to the server that a client must know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant<'a> {
    /// The connection ends with it.
    Quit,
    /// A room, with its key.
    Join {
        room: &'a str,
        key: &'a str,
    },
    /// A new key for the room one is in.
    Key(&'a str),
    Password(&'a str),
}

/// Reads a line to the server, without its end, as the server does. `scratch` is used where it has to be cleaned.
pub fn meant<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Meant<'a>> {
    match plain::parse(line, scratch) {
        Command::Quit(_) => Some(Meant::Quit),
        Command::Join { room, key, .. } if is_word(room) && is_word(key) => {
            Some(Meant::Join { room, key })
        }
        // A dash takes the key away.
        Command::Key(key) if is_word(key) && key != "-" => Some(Meant::Key(key)),
        Command::Pass(password) if !password.is_empty() => Some(Meant::Password(password)),
        _ => None,
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::names::Fault;
    use crate::chat::{Notice, Said};

    fn heard(line: Vec<u8>) -> String {
        let line = String::from_utf8(line).expect("UTF-8");
        let notice = line
            .strip_prefix(STARS)
            .and_then(|rest| rest.strip_suffix('\n'));
        let heard = notice.and_then(read);
        heard.map_or_else(String::new, |heard| format!("{heard:?}"))
    }

    #[test]
    fn what_the_server_says_is_understood() {
        let (room, name) = ("#garden", "alice");
        for (notice, expected) in [
            (Notice::PasswordNeeded, "PasswordNeeded"),
            (Notice::WrongPassword, "WrongPassword"),
            (Notice::TryLater(6_001), "TryLater(7)"),
            (Notice::YouAreNow(name), "YouAreNow(\"alice\")"),
            (Notice::NameTaken(name), "NameTaken(\"alice\")"),
            (Notice::NameBanned(name), "NameBanned(\"alice\")"),
            (Notice::BadName(Fault::TooLong(31)), "BadName"),
            (Notice::BadName(Fault::Character('<')), "BadName"),
            (Notice::BadName(Fault::Character(' ')), "BadName"),
            (Notice::BadName(Fault::Reserved), "BadName"),
            (
                Notice::YouAreIn { room, name },
                "YouAreIn { room: \"#garden\", name: \"alice\" }",
            ),
            (Notice::AlreadyIn(room), "AlreadyIn"),
            (Notice::KeyNeeded(room), "RoomRefused"),
            (Notice::WrongKey, "RoomRefused"),
            (Notice::BadRoom(Fault::TooLong(31)), "RoomRefused"),
            (Notice::YouWereKicked { by: name, text: "" }, "ThrownOut"),
            (
                Notice::YouWereKicked {
                    by: name,
                    text: "spam",
                },
                "ThrownOut",
            ),
            (Notice::YouAreBanned, "ThrownOut"),
            (Notice::Closing, "Closing"),
            // These are about something else.
            (Notice::NoPassword, ""),
            (Notice::NoRoom(room), ""),
            (Notice::ThatIsYou, ""),
            (Notice::BannedName { name, ip: None }, ""),
            (Notice::Welcome("that is not the password"), ""),
        ] {
            let mut line = Vec::new();
            plain::notice(&mut line, notice);
            assert_eq!(heard(line), expected, "{notice:?}");
        }
    }

    #[test]
    fn whoever_goes_leaves_a_name() {
        let (name, text, new) = ("alice", "you are now bob", "eve");
        for (said, expected) in [
            (Said::Left { name, text: "" }, "Gone(\"alice\")"),
            (Said::Left { name, text }, "Gone(\"alice\")"),
            (Said::Renamed { old: name, new }, "Gone(\"alice\")"),
            (
                Said::Kicked {
                    name,
                    by: new,
                    text,
                },
                "Gone(\"alice\")",
            ),
            (Said::Key { name, is_set: true }, "Closed(\"alice\")"),
            (
                Said::Key {
                    name,
                    is_set: false,
                },
                "Opened",
            ),
            (Said::Entered { name }, ""),
            (Said::Wall { name, text }, ""),
            (
                Said::Text {
                    name: "***",
                    lines: text.into(),
                },
                "",
            ),
            (Said::Left { name: "a", text }, "Gone(\"a\")"),
            (Said::Renamed { old: "that", new }, "Gone(\"that\")"),
            (Said::Renamed { old: "you", new }, "Gone(\"you\")"),
            (Said::Left { name: "the", text }, "Gone(\"the\")"),
        ] {
            let mut line = Vec::new();
            plain::said(&mut line, said);
            assert_eq!(heard(line), expected, "{said:?}");
        }
    }

    #[test]
    fn what_goes_to_the_server_is_read_as_the_server_does() {
        let join = |room, key| Some(Meant::Join { room, key });
        for (line, expected) in [
            ("quit", Some(Meant::Quit)),
            ("/QUIT", Some(Meant::Quit)),
            ("/Quit\tsee you", Some(Meant::Quit)),
            ("Quit", None),
            ("//quit", None),
            (" quit", None),
            ("/quitter", None),
            ("/join tea kettle", join("tea", "kettle")),
            ("/JOIN\t #tea  kettle ", join("#tea", "kettle")),
            ("/join tea", None),
            ("/join tea kettle pot", None),
            ("//join tea kettle", None),
            ("/Key  kettle", Some(Meant::Key("kettle"))),
            ("/key", None),
            ("/key -", None),
            ("/key two words", None),
            (
                "/pass  open sesame ",
                Some(Meant::Password(" open sesame ")),
            ),
            ("/pass", None),
            ("hello", None),
        ] {
            assert_eq!(
                meant(line.as_bytes(), &mut Vec::new()),
                expected,
                "{line:?}"
            );
        }
    }
}
