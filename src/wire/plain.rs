//! The plain line protocol, for people with nothing but `nc` (contract, section 2).
//!
//! Lines to [`Command`]s, and events to lines. What comes in is cleaned here, so that everything behind
//! is clean, and freed from what a telnet client says to its like; what goes out is one line with its newline.

use super::{clean, telnet};
use crate::chat::names::{self, ALSO, Fault};
use crate::chat::{Command, Figures, LOBBY, Line, Lines, Millis, Moment, Notice, Said, Wall};
use crate::limits;
use time::{OffsetDateTime, UtcOffset};

/// What stands around a speaker's name, in bytes.
const AROUND_NAME: usize = "<> ".len();
/// A line of exactly this leaves.
const QUIT: &[u8] = b"quit";
/// What stands between a command and its arguments.
const BLANKS: [char; 2] = [' ', '\t'];

/// Reads one line, without its end. `scratch` is used where the line had to be cleaned.
pub fn parse<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Command<'a> {
    match clean::as_plain(line) {
        Some(_) if *line == *QUIT => Command::Quit(""),
        Some(text) => parse_text(text),
        None => {
            let line = telnet::strip(line);
            if *line == *QUIT {
                return Command::Quit("");
            }
            scratch.clear();
            append_cleaned(scratch, &line);
            // Both ways to append there write whole characters only.
            parse_text(str::from_utf8(scratch).unwrap_or_default())
        }
    }
}

/// Appends a line, cleaned but for a name that somebody asks for: that the rules see as it came, and refuse it if it
/// is not clean, or else they would be called otherwise than they wrote.
fn append_cleaned(out: &mut Vec<u8>, line: &[u8]) {
    let blank = |byte: &u8| BLANKS.contains(&char::from(*byte));
    let word = line.iter().position(blank).unwrap_or(line.len());
    let (word, rest) = line.split_at(word);
    clean::append(out, word);
    let name = match out.to_ascii_lowercase().as_slice() {
        b"/nick" => rest.len(),
        b"/join" => {
            let first = rest.iter().position(|byte| !blank(byte));
            let first = first.unwrap_or(rest.len());
            let length = rest[first..].iter().position(blank);
            length.map_or(rest.len(), |length| first + length)
        }
        _ => 0,
    };
    let (name, rest) = rest.split_at(name);
    out.extend_from_slice(String::from_utf8_lossy(name).as_bytes());
    clean::append(out, rest);
}

/// Whether anything is left of a line when all has been taken out that is no text.
pub fn says_something(line: &[u8]) -> bool {
    !clean::cleaned(&telnet::strip(line)).is_empty()
}

fn parse_text(text: &str) -> Command<'_> {
    match text.strip_prefix('/') {
        None => Command::Say(text.into()),
        Some(literal) if literal.starts_with('/') => Command::Say(literal.into()),
        Some(command) => parse_command(command),
    }
}

fn parse_command(command: &str) -> Command<'_> {
    let (word, rest) = command.split_once(BLANKS).unwrap_or((command, ""));
    let text = rest.trim_matches(BLANKS);
    let (first, more) = text.split_once(BLANKS).unwrap_or((text, ""));
    let more = more.trim_start_matches(BLANKS);
    match word.to_ascii_lowercase().as_str() {
        // What follows the one blank is the text as it is: somebody may draw with it.
        "me" => Command::Act(if text.is_empty() { "" } else { rest }),
        "msg" => Command::Msg {
            name: first,
            text: more,
        },
        "nick" => Command::Nick(text),
        "join" => Command::Join {
            room: first,
            key: more,
            keep: false,
        },
        "part" => Command::Part,
        "rooms" => Command::Rooms,
        "topic" => Command::Topic(text),
        "key" => Command::Key(text),
        "who" => Command::Who(text),
        "history" => Command::History(text),
        "ping" => Command::Ping(rest),
        "stats" => Command::Stats,
        "help" => Command::Help(text),
        "quit" => Command::Quit(text),
        "pass" => Command::Pass(rest),
        "admin" => Command::Admin(rest),
        "kick" => Command::Kick {
            name: first,
            text: more,
        },
        "ban" => Command::Ban {
            whom: first,
            text: more,
        },
        "unban" => Command::Unban(text),
        "bans" => Command::Bans,
        "wall" => Command::Wall(text),
        _ => Command::Unknown(word),
    }
}

/// How much talk is taken at once.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// The longest line, in bytes.
    pub line: usize,
    /// Lines.
    pub lines: usize,
    /// Bytes that the lines before the last become, for those who hear them …
    pub bytes: usize,
    /// … by their speaker's name, of so many bytes.
    pub name: usize,
}

/// The talk with which `bytes` begin, if they do: whole lines with their newlines, none of them a command or a
/// line that [`parse`] would change. `ends` is for where they end, and has room for as many.
pub fn talk<'a>(bytes: &'a [u8], most: Most, ends: &'a mut [u32]) -> Option<Lines<'a>> {
    let (mut from, mut lines) = (0, 0);
    for end in clean::clean_lines(bytes) {
        let line = &bytes[from..end];
        let is_talk = line.first() != Some(&b'/') && *line != *QUIT && line.len() <= most.line;
        let size = from + lines * (most.name + AROUND_NAME);
        if !is_talk || lines >= most.lines.min(ends.len()) || size > most.bytes {
            break;
        }
        ends[lines] = end as u32;
        lines += 1;
        from = end + 1;
    }
    let text = str::from_utf8(&bytes[..from]).ok()?;
    (lines > 0).then(|| Lines::new(text, &ends[..lines]))
}

/// The most bytes that [`said`] appends.
pub fn said_length(said: Said<'_>) -> usize {
    match said {
        Said::Text { name, lines } | Said::Action { name, lines } => {
            (name.len() + AROUND_NAME) * lines.count() + lines.size()
        }
        Said::Entered { name } => name.len() + 32,
        Said::Left { name, text } | Said::Wall { name, text } => name.len() + text.len() + 32,
        Said::Renamed { old, new } => old.len() + new.len() + 32,
        Said::Topic { name, topic } => name.len() + topic.len() + 32,
        Said::Key { name, .. } => name.len() + 64,
        Said::Kicked { name, by, text } => name.len() + by.len() + text.len() + 32,
    }
}

/// Appends what everyone in a room gets: a line, or as many as were said.
pub fn said(out: &mut Vec<u8>, said: Said<'_>) {
    match said {
        Said::Text { name, lines } => {
            for text in lines.iter() {
                // Nearly all that is said, and so piece by piece on the spot.
                out.push(b'<');
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"> ");
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
            }
        }
        Said::Action { name, lines } => {
            for text in lines.iter() {
                put(out, &["* ", name, " ", text, "\n"]);
            }
        }
        Said::Entered { name } => put(out, &["*** ", name, " entered\n"]),
        Said::Left { name, text } => put(out, &["*** ", name, " left", reason(text), text, "\n"]),
        Said::Renamed { old, new } => put(out, &["*** ", old, " is now ", new, "\n"]),
        Said::Topic { name, topic: "" } => put(out, &["*** ", name, " took the topic away\n"]),
        Said::Topic { name, topic } => put(out, &["*** ", name, " set the topic: ", topic, "\n"]),
        Said::Key { name, is_set: true } => {
            put(out, &["*** ", name, " closed the room with a key\n"])
        }
        Said::Key {
            name,
            is_set: false,
        } => put(out, &["*** ", name, " opened the room to all\n"]),
        Said::Kicked { name, by, text } => {
            put(
                out,
                &[
                    "*** ",
                    name,
                    " was thrown out by ",
                    by,
                    reason(text),
                    text,
                    "\n",
                ],
            );
        }
        Said::Wall { name, text } => put(out, &["*** ", name, " to all: ", text, "\n"]),
    }
}

/// Appends the line that one person gets.
pub fn notice(out: &mut Vec<u8>, notice: Notice<'_>) {
    match notice {
        Notice::Welcome(text) => put(out, &[text, "\n"]),
        Notice::Sent { to, text } => put(out, &["[-> ", to, "] ", text, "\n"]),
        Notice::Message { from, text } => put(out, &["[", from, "] ", text, "\n"]),
        Notice::Line { line, now } => history_line(out, line, now),
        Notice::Figures(figures) => figure_lines(out, figures),
        _ => {
            out.extend_from_slice(b"*** ");
            out.extend_from_slice(words(notice).as_bytes());
            out.push(b'\n');
        }
    }
}

/// What the server itself says to one person.
fn words(notice: Notice<'_>) -> String {
    match notice {
        Notice::Welcome(_)
        | Notice::Sent { .. }
        | Notice::Message { .. }
        | Notice::Line { .. }
        | Notice::Figures(_) => String::new(),
        Notice::PasswordNeeded => "this server has a password; say it with: /pass PASSWORD".into(),
        Notice::WrongPassword => "that is not the password".into(),
        Notice::TryLater(pause) => {
            format!(
                "too many wrong tries from your address; wait {} s, then try again",
                pause.div_ceil(1000)
            )
        }
        Notice::NoPassword => "you are in already; no password is needed".into(),
        Notice::AdminNow => "you are an admin now; /help lists what admins can do".into(),
        Notice::AdminOnly => "only an admin can do that".into(),
        Notice::NoAdmins => "this server has no password for admins".into(),
        Notice::NotReading(name) => format!("{name} is not reading; your message was not sent"),
        Notice::ThatIsYou => "that is you".into(),
        Notice::WouldBanYou => "that would ban you too; /kick NAME throws out somebody else".into(),
        Notice::NobodyCalled(name) => {
            format!("nobody here is called {name}; /who lists who is here")
        }
        Notice::YouAreNow(name) => format!("you are now {name}"),
        Notice::NameTaken(name) => {
            format!("the name {name} is taken; choose another with: /nick NAME")
        }
        Notice::NameBanned(name) => {
            format!("the name {name} is banned; choose another with: /nick NAME")
        }
        Notice::BadName(fault) => format!("a name {}", fault_words(fault)),
        Notice::YouAreIn { room, name } => format!("you are in {room} as {name}"),
        Notice::AlreadyIn(room) => format!("you are in {room} already"),
        Notice::LobbyStays => {
            "you are in #lobby, where everybody is who is nowhere else; /quit leaves".into()
        }
        Notice::NoRoom(room) => {
            format!("there is no room {room}; /rooms lists them, /join ROOM makes one")
        }
        Notice::BadRoom(fault) => format!("the name of a room {}", fault_words(fault)),
        Notice::KeyNeeded(room) => {
            format!("{room} is closed; who knows its key enters with: /join {room} KEY")
        }
        Notice::WrongKey => "that is not the key".into(),
        Notice::Key {
            room,
            key: Some(key),
        } => {
            format!("{room} is closed with the key {key}; /key - opens it to all")
        }
        Notice::Key { room, key: None } => format!("{room} is open to all; /key KEY closes it"),
        Notice::LobbyHasNoKey => {
            "#lobby is open to all; make a room of your own with: /join ROOM".into()
        }
        Notice::BadKey => format!("a key is one word of at most {} bytes", limits::KEY),
        Notice::NotYours(LOBBY) => format!("only an admin can set the topic of {LOBBY}"),
        Notice::NotYours(room) => {
            format!(
                "only whoever has been in {room} longest, or an admin, can set its topic and key"
            )
        }
        Notice::Topic {
            room: LOBBY,
            topic: "",
        } => format!("{LOBBY} has no topic; an admin can set one"),
        Notice::Topic { room, topic: "" } => {
            format!(
                "{room} has no topic; whoever has been here longest can set one with: /topic TEXT"
            )
        }
        Notice::Topic { room, topic } => format!("{room} is about: {topic}"),
        Notice::TopicTooLong(most) => format!("topic too long: {most} bytes at most"),
        Notice::Room {
            name,
            people,
            has_key,
            topic,
        } => {
            let key = if has_key { ", closed" } else { "" };
            let about = if topic.is_empty() { "" } else { ": " };
            format!("{name}, {}{key}{about}{topic}", count(people))
        }
        Notice::Pong("") => "pong".into(),
        Notice::Pong(text) => format!("pong {text}"),
        Notice::Present { room, people } => format!("in {room}: {}", count(people)),
        Notice::Person { name, is_you, idle } => {
            format!(
                "{name}{}, idle {}",
                if is_you { " (you)" } else { "" },
                age(idle)
            )
        }
        Notice::Earlier => "earlier:".into(),
        Notice::Forgotten => "some lines are no longer kept".into(),
        Notice::Now => "now:".into(),
        Notice::NoHistory(room) => format!("nothing was said in {room} yet"),
        Notice::Help { usage, about } => format!("{usage:<24} {about}"),
        Notice::UnknownCommand(word) => {
            format!("there is no command /{word}; /help lists them, and //{word} says /{word}")
        }
        Notice::Usage(usage) => format!("write it like this: {usage}"),
        Notice::YouWereKicked { by, text } => {
            format!("you were thrown out by {by}{}{text}", reason(text))
        }
        Notice::YouAreBanned => "you are banned here".into(),
        Notice::Banned(place) => format!("{place} is banned; lift it with: /unban {place}"),
        Notice::BannedName { name, ip: Some(ip) } => {
            format!("the name {name} is banned; the address too with: /ban {ip}")
        }
        Notice::BannedName { name, ip: None } => {
            format!("the name {name} is banned; lift it with: /unban {name}")
        }
        Notice::Unbanned(whom) => format!("{whom} is banned no more"),
        Notice::NotBanned(whom) => format!("{whom} is not banned; /bans lists who is"),
        Notice::BadBan(text) => {
            format!("{text} is neither a name nor an address that can be banned")
        }
        Notice::NoBans => "nobody is banned".into(),
        Notice::TooManyBans => format!(
            "there are {} bans already; lift some with: /unban",
            limits::BANS
        ),
        Notice::Ban { whom, by } => format!("{whom}, by {by}"),
        Notice::LineTooLong(most) => format!("line too long: {most} bytes at most"),
        Notice::LineDropped => {
            "the server is short of memory: the line you have begun is dropped, say it again later"
                .into()
        }
        Notice::NoMemory => {
            "the server is short of memory: what you said last was not heard".into()
        }
        Notice::Closing => "the server is closing".into(),
    }
}

/// What keeps a text from being the name of somebody or something.
fn fault_words(fault: Fault) -> String {
    match fault {
        Fault::Empty => "cannot be empty".into(),
        Fault::TooLong(length) => format!(
            "has {} characters at most; that one has {length}",
            limits::NAME
        ),
        Fault::Character(c) if c.is_whitespace() => {
            format!("is one word of letters, digits and {ALSO}")
        }
        Fault::Character(c) => {
            let c = match names::is_visible(c) {
                true => format!("'{c}'"),
                false => format!("U+{:04X}", u32::from(c)),
            };
            format!("cannot have {c} in it, only letters, digits and {ALSO}")
        }
        Fault::Reserved => "cannot look like an address or a guest's number".into(),
    }
}

/// Appends a line that was said earlier, with its time.
fn history_line(out: &mut Vec<u8>, line: Line<'_>, now: Moment) {
    let when = when(line.at, now);
    match line.is_action {
        true => put(out, &["[", &when, "] * ", line.name, " ", line.text, "\n"]),
        false => put(out, &["[", &when, "] <", line.name, "> ", line.text, "\n"]),
    }
}

/// Appends the answer to `/stats`.
fn figure_lines(out: &mut Vec<u8>, figures: &Figures) {
    let Figures {
        people,
        visitors,
        rooms,
        lines_in,
        lines_out,
        per_second,
        behind,
        most_behind,
        skipped,
        memory,
        max_memory,
        uptime,
    } = *figures;
    let at_the_door = if visitors > 0 {
        format!(", {visitors} at the door")
    } else {
        String::new()
    };
    let last = if behind > 0 {
        format!(", the last by {most_behind} bytes")
    } else {
        String::new()
    };
    for line in [
        format!("up for {}", age(uptime)),
        format!("people: {people}{at_the_door}; rooms: {rooms}"),
        format!("lines: {lines_in} in, {lines_out} out, {per_second} delivered a second"),
        format!("readers behind: {behind}{last}; lines skipped: {skipped}"),
        format!("memory queued or kept: {memory} of {max_memory} bytes"),
    ] {
        put(out, &["*** ", &line, "\n"]);
    }
}

/// When something was, as people say it: the time, with the day if that was another; where the clock is not
/// set, how long ago.
fn when(at: Moment, now: Moment) -> String {
    let (then, today) = (local(at.wall), local(now.wall));
    match then.zip(today) {
        None if at.ticks == 0 => "some time ago".into(),
        None => format!("{} ago", age(now.ticks.saturating_sub(at.ticks))),
        Some((then, today)) if then.date() == today.date() => {
            format!("{:02}:{:02}", then.hour(), then.minute())
        }
        Some((then, _)) => format!("{} {:02}:{:02}", then.date(), then.hour(), then.minute()),
    }
}

/// The local date and time, if the clock is set.
fn local(wall: Wall) -> Option<OffsetDateTime> {
    let offset = UtcOffset::from_whole_seconds(wall.offset).ok()?;
    let time = OffsetDateTime::from_unix_timestamp(wall.unix).ok()?;
    Some(time.to_offset(offset)).filter(|_| wall.is_set())
}

/// Between what happened and the words that were said to it.
fn reason(text: &str) -> &'static str {
    if text.is_empty() { "" } else { ": " }
}

fn count(people: usize) -> String {
    match people {
        1 => "1 person".into(),
        n => format!("{n} people"),
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

/// Appends all parts. Not inlined: it is called in many places, and each copy is large.
#[inline(never)]
fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_is_taken_together_as_far_as_it_goes() {
        let most = Most {
            line: 5,
            lines: 9,
            bytes: 100,
            name: 2,
        };
        let check = |text: &str, most, expected: &[&str]| {
            let mut ends = [0; 8];
            let lines = talk(text.as_bytes(), most, &mut ends);
            let taken: Vec<&str> = lines.iter().flat_map(|lines| lines.iter()).collect();
            assert_eq!(taken, expected, "{text:?}");
            let size: usize = expected.iter().map(|line| line.len() + 1).sum();
            assert_eq!(lines.map_or(0, Lines::size), size);
            assert_eq!(lines.map_or(0, Lines::count), expected.len());
        };
        check("a\n\nb c\nd", most, &["a", "", "b c"]);
        check("", most, &[]);
        check("half", most, &[]);
        for other in ["quit", "/me", "//me", "/", "longer", "\x07", "b\r"] {
            check(&format!("a\n{other}\nb\n"), most, &["a"]);
            check(&format!("{other}\nb\n"), most, &[]);
        }
        check("quits\nQuit\n", most, &["quits", "Quit"]);
        check("1\n2\n3\n", Most { lines: 2, ..most }, &["1", "2"]);
        check("1\n2\n3\n4\n", Most { bytes: 13, ..most }, &["1", "2"]);
        check("1\n2\n3\n4\n", Most { bytes: 14, ..most }, &["1", "2", "3"]);
        check("1\n2\n3\n4\n", Most { bytes: 0, ..most }, &["1"]);
        check(&"x\n".repeat(9), most, &["x"; 8]);
    }

    #[test]
    fn lines_are_talk_or_commands() {
        let join = |room, key| Command::Join {
            room,
            key,
            keep: false,
        };
        for (line, expected) in [
            (&b"hello"[..], Command::Say("hello".into())),
            (b"", Command::Say("".into())),
            (b"quit", Command::Quit("")),
            (b"quit ", Command::Say("quit ".into())),
            (b"Quit", Command::Say("Quit".into())),
            (b" /me", Command::Say(" /me".into())),
            (b"//me waves", Command::Say("/me waves".into())),
            (b"/", Command::Unknown("")),
            (b"/me waves", Command::Act("waves")),
            (b"/ME  waves ", Command::Act(" waves ")),
            (b"/me", Command::Act("")),
            (b"/me  ", Command::Act("")),
            (b"/who", Command::Who("")),
            (b"/who\t", Command::Who("")),
            (b"/ping a b", Command::Ping("a b")),
            (b"/help /me", Command::Help("/me")),
            (b"/quit so long", Command::Quit("so long")),
            (b"/whoami", Command::Unknown("whoami")),
            (b"/m\x1be waves", Command::Act("waves")),
            (
                b"/N\x1bick \x01 a\x07b\xff\t",
                Command::Nick("\x01 a\x07b\u{FFFD}"),
            ),
            (b"/nick \x0b\x85", Command::Nick("\x0b\u{FFFD}")),
            (
                "/nick \u{202E}a\u{A0}".as_bytes(),
                Command::Nick("\u{202E}a\u{A0}"),
            ),
            (b"/join \x01", join("\x01", "")),
            (b"/JOIN\t #t\x7fa \x1b[k ", join("#t\x7fa", "[k")),
            (b"/join tea \x85 k\x85", join("tea", "k")),
            (b"//nick a\x07b", Command::Say("/nick ab".into())),
            (b"/nicks a\x07b", Command::Unknown("nicks")),
            (b"/who #t\x07a", Command::Who("#ta")),
            (b"\x1b]0;x\x07\xff", Command::Say("]0;x\u{FFFD}".into())),
            (b"\xff\xfb\x1f/nick a", Command::Nick("a")),
            (
                b"\xff\xf4\xff\xfd\x06hello\xff\xff",
                Command::Say("hello\u{FFFD}".into()),
            ),
            (b"\xff\xf4\xff\xfd\x06quit", Command::Quit("")),
            (b"\x1bquit", Command::Say("quit".into())),
        ] {
            assert_eq!(parse(line, &mut Vec::new()), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_for_a_room_are_as_long_as_announced() {
        let (name, text) = ("alice", "hello");
        for (line, expected) in [
            (
                Said::Text {
                    name,
                    lines: text.into(),
                },
                "<alice> hello\n",
            ),
            (
                Said::Action {
                    name,
                    lines: text.into(),
                },
                "* alice hello\n",
            ),
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
