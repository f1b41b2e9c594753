//! What is cleaned, read as a command, and written to a transcript.

use super::{Draw, check_clean, is_control, one_line};
use snug::chat::names::{self, Fault};
use snug::chat::{Command, Said};
use snug::wire::record::{self, Entry};
use snug::wire::stranger::{self, Verdict};
use snug::wire::{clean, plain, telnet};

/// What is cleaned is UTF-8 without controls, and all that can be shown is still there, in order.
pub fn cleaner(data: &[u8]) {
    let mut out = b"before".to_vec();
    clean::append(&mut out, data);
    let text = str::from_utf8(&out).expect("cleaned text is UTF-8");
    let text = text.strip_prefix("before").expect("it is appended");
    check_clean(text);
    assert!(!text.contains(clean::is_control));
    assert!(text.len() <= 3 * data.len(), "{} bytes", text.len());

    let mut scratch = b"left over".to_vec();
    assert_eq!(clean::clean(data, &mut scratch), text);
    assert_eq!(clean::cleaned(data), text);
    assert_eq!(clean::cleaned(text.as_bytes()), text, "cleaned twice");

    // The library's own reading, but that it has a sign for each byte that is a control by itself.
    let lossy = String::from_utf8_lossy(data);
    let shown = |text: &str| -> String {
        let is_text = |&c: &char| !is_control(c) && c != char::REPLACEMENT_CHARACTER;
        text.chars().filter(is_text).collect()
    };
    assert_eq!(shown(text), shown(&lossy));
    let signs = |text: &str| text.matches(char::REPLACEMENT_CHARACTER).count();
    let lone = data
        .utf8_chunks()
        .filter(|chunk| matches!(chunk.invalid(), [0x80..=0x9F]));
    assert_eq!(signs(text), signs(&lossy) - lone.count());
}

/// Whatever a line is, nothing in the command is a control, but for names that nobody may have then; and what is said
/// goes out as one line.
pub fn plain(data: &[u8]) {
    together(data);
    let mut scratch = b"left over".to_vec();
    let command = plain::parse(data, &mut scratch);
    let asked = match command {
        Command::Nick(name) => Some(name),
        Command::Join { room, .. } => Some(room.strip_prefix('#').unwrap_or(room)),
        _ => None,
    };
    let refused = asked.is_some_and(|name| matches!(names::check(name), Err(Fault::Character(_))));
    let mut texts = fields(command);
    if refused {
        texts.remove(0);
    }
    texts.iter().for_each(|text| check_clean(text));
    // What a telnet client sends besides text goes first.
    let typed = telnet::strip(data);
    let cleaned = clean::cleaned(&typed);
    if cleaned != "quit" && !refused {
        let mut scratch = Vec::new();
        assert_eq!(plain::parse(cleaned.as_bytes(), &mut scratch), command);
    }
    match (command, cleaned.strip_prefix('/')) {
        (Command::Say(lines), None) => assert_eq!(lines, cleaned.as_str().into()),
        (Command::Say(lines), Some(literal)) => {
            assert_eq!(lines, literal.into());
            assert!(literal.starts_with('/'));
        }
        (command, None) => assert_eq!((command, &*typed), (Command::Quit(""), &b"quit"[..])),
        (_, Some(command)) => assert!(!command.starts_with('/')),
    }
    let (name, text) = ("192.168.1.7:4031", texts.pop().unwrap_or_default());
    let lines = text.into();
    for (said, expected) in [
        (Said::Text { name, lines }, format!("<{name}> {text}")),
        (Said::Action { name, lines }, format!("* {name} {text}")),
    ] {
        let mut out = Vec::new();
        plain::said(&mut out, said);
        assert!(out.len() <= plain::said_length(said));
        assert_eq!(one_line(&out), expected);
    }
}

/// Lines that are taken together are those that would be taken one by one, as far as the first that is no talk.
fn together(data: &[u8]) {
    let most = plain::Most {
        line: 1 + data.len() % 60,
        lines: 1 + data.len() % 7,
        bytes: data.len() % 90,
        name: 3,
    };
    let mut ends = [0; 5];
    let run = plain::talk(data, most, &mut ends);
    let taken: Vec<&str> = run.iter().flat_map(|lines| lines.iter()).collect();
    let size = run.map_or(0, |lines| lines.size());
    assert_eq!(size, taken.iter().map(|line| line.len() + 1).sum());
    assert_eq!(taken.len(), run.map_or(0, |lines| lines.count()));
    let mut expected = Vec::new();
    let mut bytes = 0;
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        let whole = line
            .strip_suffix(b"\n")
            .filter(|line| line.len() <= most.line);
        let text = whole.and_then(|line| str::from_utf8(line).ok());
        let is_talk = |line: &&str| {
            let mut scratch = Vec::new();
            let command = plain::parse(line.as_bytes(), &mut scratch);
            command == Command::Say((*line).into()) && !line.starts_with('/')
        };
        let Some(line) = text.filter(is_talk) else {
            break;
        };
        if expected.len() == most.lines.min(5) || bytes > most.bytes {
            break;
        }
        bytes += "<ann> ".len() + line.len() + 1;
        expected.push(line);
    }
    assert_eq!(taken, expected);
    let Some(lines) = run else { return };
    let mut out = Vec::new();
    let said = Said::Text { name: "ann", lines };
    plain::said(&mut out, said);
    assert!(out.len() <= plain::said_length(said));
    let expected: String = expected
        .iter()
        .map(|line| format!("<ann> {line}\n"))
        .collect();
    assert_eq!(String::from_utf8(out), Ok(expected));
}

/// However a first line is cut, whose it is comes out the same, at the latest with its end; and of text that was sent as
/// telnet clients do, nothing is lost.
pub fn stranger(data: &[u8]) {
    let end = data
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(data.len(), |at| at + 1);
    let mut decided = None;
    for cut in 0..=end {
        let verdict = stranger::judge(&data[..cut]);
        assert!(
            decided.is_none_or(|decided| decided == verdict),
            "{verdict:?}, but {decided:?} before at {cut}"
        );
        if verdict != Verdict::Unsure {
            decided = Some(verdict);
        }
    }
    assert!(decided.is_some() || !data[..end].ends_with(b"\n"));

    let doubled: Vec<u8> = data
        .iter()
        .flat_map(|&byte| vec![byte; if byte == 0xFF { 2 } else { 1 }])
        .collect();
    assert_eq!(&*telnet::strip(&doubled), data);
    let stripped = telnet::strip(data);
    let mut rest = data.iter();
    assert!(
        stripped.iter().all(|byte| rest.any(|other| other == byte)),
        "{stripped:?} of {data:?}"
    );
    // Nothing beyond ASCII is taken for a command.
    let is_text = str::from_utf8(data).is_ok();
    assert!(!is_text || *stripped == *data);
}

/// The texts of a command.
fn fields(command: Command<'_>) -> Vec<&str> {
    match command {
        Command::Part | Command::Rooms | Command::Stats | Command::Bans => vec![],
        Command::Say(lines) => lines.iter().collect(),
        Command::Act(text)
        | Command::Nick(text)
        | Command::Topic(text)
        | Command::Key(text)
        | Command::Who(text)
        | Command::History(text)
        | Command::Ping(text)
        | Command::Help(text)
        | Command::Quit(text)
        | Command::Pass(text)
        | Command::Admin(text)
        | Command::Unban(text)
        | Command::Wall(text)
        | Command::Unknown(text) => vec![text],
        Command::Msg { name, text } | Command::Kick { name, text } => vec![name, text],
        Command::Join { room, key, .. } => vec![room, key],
        Command::Ban { whom, text } => vec![whom, text],
    }
}

const WORDS: [&str; 22] = [
    "me", "msg", "nick", "join", "part", "rooms", "topic", "key", "who", "history", "ping",
    "stats", "help", "quit", "pass", "admin", "kick", "ban", "unban", "bans", "wall", "",
];

/// A command that is put together comes apart into what it was made of.
///
/// The input: which word, its case and the blanks; then the first argument, a tab, and the rest.
pub fn command(data: &[u8]) {
    let mut draw = Draw(data);
    let word = draw.pick(&WORDS);
    let case = draw.byte();
    let blank = [" ", "\t"][usize::from(case >> 7)];
    let blanks = ["", " ", "\t ", " \t"][usize::from(case >> 5 & 3)];
    let capital = |(at, c): (usize, char)| match case >> (at % 5) & 1 {
        1 => c.to_ascii_uppercase(),
        _ => c,
    };
    let typed: String = word.chars().enumerate().map(capital).collect();
    let cleaned = clean::cleaned(draw.rest());
    let (first, more) = cleaned.split_once('\t').unwrap_or((&cleaned, ""));
    let first: String = first.split_whitespace().collect();
    let more = match first.is_empty() {
        true => "",
        false => more.trim_matches([' ', '\t']),
    };
    let all = match more {
        "" => first.clone(),
        more => format!("{first}{blank}{blanks}{more}"),
    };
    let line = match word {
        // Somebody may draw with the blanks, or have them in a password.
        "me" | "ping" | "pass" | "admin" => format!("/{typed}{blank}{all}"),
        _ => format!("/{typed}{blank}{blanks}{all}{blanks}"),
    };
    let mut scratch = Vec::new();
    let command = plain::parse(line.as_bytes(), &mut scratch);
    assert_eq!(command, expected(word, &all, &first, more), "{line:?}");
}

/// The command of a word, with all its arguments, the first of them, and the rest.
fn expected<'a>(word: &'a str, all: &'a str, first: &'a str, more: &'a str) -> Command<'a> {
    let (name, room, whom, text, key) = (first, first, first, more, more);
    match word {
        "me" => Command::Act(all),
        "msg" => Command::Msg { name, text },
        "nick" => Command::Nick(all),
        "join" => Command::Join {
            room,
            key,
            keep: false,
        },
        "part" => Command::Part,
        "rooms" => Command::Rooms,
        "topic" => Command::Topic(all),
        "key" => Command::Key(all),
        "who" => Command::Who(all),
        "history" => Command::History(all),
        "ping" => Command::Ping(all),
        "stats" => Command::Stats,
        "help" => Command::Help(all),
        "quit" => Command::Quit(all),
        "pass" => Command::Pass(all),
        "admin" => Command::Admin(all),
        "kick" => Command::Kick { name, text },
        "ban" => Command::Ban { whom, text },
        "unban" => Command::Unban(all),
        "bans" => Command::Bans,
        "wall" => Command::Wall(all),
        word => Command::Unknown(word),
    }
}

/// No line of a transcript brings a control or a name that nobody can have; what is read is written as it stood, and
/// what is written is read back.
pub fn record(data: &[u8]) {
    if let Some(entry) = record::parse(data) {
        let Entry {
            room, name, text, ..
        } = entry;
        [room, name, text].into_iter().for_each(check_clean);
        assert!(
            !name.contains(char::is_whitespace) && room.starts_with('#'),
            "{entry:?}"
        );
        let mut out = Vec::new();
        record::format(&mut out, entry);
        assert_eq!(record::parse(one_line(&out).as_bytes()), Some(entry));
        // But that nobody is ahead of the time by minus nothing, and that an empty text has its blank.
        let (stamp, rest) = data.split_at(25);
        let (own_stamp, own_rest) = one_line(&out).split_at(25);
        assert_eq!(
            own_rest.trim_end().as_bytes(),
            str::from_utf8(rest).unwrap_or("").trim_end().as_bytes()
        );
        assert!(own_stamp.as_bytes() == stamp || stamp.ends_with(b"-00:00"));
    }
    let mut draw = Draw(data);
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0i64, |number, &byte| number << 8 | i64::from(byte))
    };
    let unix = number(draw.take(5));
    let minutes = number(draw.take(2)) as i32 % 1440;
    let (is_action, name) = (draw.flag(), draw.text());
    let entry = Entry {
        unix: unix - (1 << 36),
        utc_offset_seconds: minutes * 60,
        room: &format!("#{}", draw.text()),
        is_action,
        name: &name,
        text: &clean::cleaned(draw.rest()),
    };
    let can_be = |name: &str| matches!(names::check(name), Ok(()) | Err(Fault::Reserved));
    let mut out = Vec::new();
    record::format(&mut out, entry);
    let read = record::parse(one_line(&out).as_bytes());
    if can_be(&name) && can_be(&entry.room[1..]) {
        let years = -62_135_510_400..=253_370_678_400;
        assert!(
            !years.contains(&entry.unix) || read == Some(entry),
            "{entry:?} came back as {read:?}"
        );
    }
}
