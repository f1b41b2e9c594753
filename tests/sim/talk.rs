//! What clients say: of everything something, most of it small.

use crate::rng::Rng;
use snug::hub::Config;

pub const PASSWORD: &str = "sesame";
/// What follows the one blank is the password as it is.
pub const ADMIN_PASSWORD: &str = "open up ";

const ROOMS: [&str; 9] = [
    "#lobby", "a", "#A", "b", "#garden", "Garden", "#lob", "10.0.0.1", "é世",
];
const NICKS: [&str; 12] = [
    "ann", "Ann", "bob", "eve", "d`{}", "été", "世界", "x", "y", "z", "Zoe", "o_O",
];
const NO_NAMES: [&str; 9] = [
    "guest7",
    "Guest12",
    "10.0.0.1",
    "a b",
    "<x>",
    "a\u{1}b",
    "a\u{202E}b",
    "🍺",
    "this-name-is-far-too-long-to-be-one",
];
const KEYS: [&str; 3] = ["k1", "k2", "two words"];
const WORDS: [&str; 9] = [
    "me", "ping", "/who", "quit", "join", "wall", "/", "//", "nothing",
];

/// Each kind of line, and how likely it is among others.
const KINDS: [(usize, Kind); 33] = [
    (500, Kind::Words),
    (20, Kind::Empty),
    (30, Kind::Garbage),
    (40, Kind::Act),
    (15, Kind::Slash),
    (15, Kind::Longest),
    (10, Kind::TooLong),
    (8, Kind::Unknown),
    (5, Kind::NoArgument),
    (3, Kind::Quit),
    (3, Kind::LastWord),
    (60, Kind::Ping),
    (15, Kind::Who),
    (12, Kind::WhoElsewhere),
    (6, Kind::Help),
    (8, Kind::Rooms),
    (20, Kind::Nick),
    (6, Kind::NoNick),
    (60, Kind::Msg),
    (40, Kind::Join),
    (15, Kind::JoinWithKey),
    (12, Kind::Part),
    (6, Kind::AskTopic),
    (14, Kind::Topic),
    (4, Kind::AskKey),
    (10, Kind::Key),
    (10, Kind::History),
    (5, Kind::Stats),
    (8, Kind::Pass),
    (10, Kind::Admin),
    (5, Kind::Kick),
    (7, Kind::Ban),
    (5, Kind::Wall),
];

/// Kinds of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Words,
    Empty,
    Garbage,
    Act,
    Slash,
    Longest,
    TooLong,
    Unknown,
    NoArgument,
    Quit,
    LastWord,
    Ping,
    Who,
    WhoElsewhere,
    Help,
    Rooms,
    Nick,
    NoNick,
    Msg,
    Join,
    JoinWithKey,
    Part,
    AskTopic,
    Topic,
    AskKey,
    Key,
    History,
    Stats,
    Pass,
    Admin,
    Kick,
    Ban,
    Wall,
}

pub fn kind(rng: &mut Rng) -> Kind {
    KINDS[rng.weighted(&KINDS.map(|(weight, _)| weight))].1
}

/// One line with its end, before which a `\r` may stand. `tag` is like no other, `name` somebody's who is there.
pub fn line(
    rng: &mut Rng,
    config: &Config,
    kind: Kind,
    tag: &str,
    name: &str,
    has_cr: bool,
) -> Vec<u8> {
    let max = config.max_line;
    let is_long = match config.bare {
        // One such line ends a bus's connection.
        true => kind == Kind::Stats && rng.one_in(40),
        false => kind == Kind::TooLong,
    };
    let mut line = match kind {
        _ if is_long => {
            let over = rng.pick(&[1, 2, 100, 5_000]);
            padded(rng, tag, max + over)
        }
        Kind::Empty => Vec::new(),
        Kind::Garbage => garbage(rng, 30),
        Kind::Longest => padded(rng, tag, max),
        Kind::Act => words(rng, &format!("/me {tag}")),
        _ if config.bare => words(rng, tag),
        Kind::Join if rng.one_in(20) => [&b"/join "[..], &garbage(rng, 10)].concat(),
        Kind::Nick if rng.one_in(20) => [&b"/nick "[..], &garbage(rng, 10)].concat(),
        Kind::Topic if rng.one_in(9) => [&b"/topic "[..], &garbage(rng, 10)].concat(),
        _ => command(rng, config, kind, tag, name),
    };
    if !is_long {
        line.truncate(max);
    }
    if has_cr && (!config.bare || line.len() < max) {
        line.push(b'\r');
    }
    line.push(b'\n');
    line
}

fn command(rng: &mut Rng, config: &Config, kind: Kind, tag: &str, name: &str) -> Vec<u8> {
    let whom = if rng.one_in(9) { "nobody" } else { name };
    let text = match kind {
        Kind::Slash => format!("//{tag}"),
        Kind::Unknown => format!("/{}{tag}", rng.pick(&["nock", "WHOM ", "", "pin\u{e9} "])),
        Kind::NoArgument => {
            let words = [
                "me ", "nick", "msg", "join", "kick", "ban", "unban", "wall", "pass",
            ];
            format!("/{}", rng.pick(&words))
        }
        Kind::Quit => return b"quit".to_vec(),
        Kind::LastWord => "/quit ".into(),
        Kind::Ping => format!("/ping {tag}"),
        Kind::Who => return b"/who".to_vec(),
        Kind::WhoElsewhere => format!("/WHO {}", rng.pick(&ROOMS)),
        Kind::Help => format!("/help {}", rng.pick(&WORDS)),
        Kind::Rooms => "/rooms".into(),
        Kind::Nick => format!("/nick {}", rng.pick(&NICKS)),
        Kind::NoNick => format!("/nick {}", rng.pick(&NO_NAMES)),
        Kind::Msg => format!("/msg {whom} {tag}"),
        Kind::Join => format!("/join {}", rng.pick(&ROOMS)),
        Kind::JoinWithKey => format!("/join {} {}", rng.pick(&ROOMS), rng.pick(&KEYS)),
        Kind::Part => "/part".into(),
        Kind::AskTopic => "/topic".into(),
        Kind::Topic if rng.one_in(4) => "/topic -".into(),
        Kind::Topic => format!("/topic {tag}"),
        Kind::AskKey => "/key".into(),
        Kind::Key if rng.one_in(2) => "/key -".into(),
        Kind::Key => format!("/key {}", rng.pick(&KEYS)),
        // Without memory, the oldest of it is forgotten, which nobody is told.
        Kind::History if config.max_memory < 4 << 20 => "/help".into(),
        Kind::History => format!("/history {}", rng.pick(&["", "1", "7", "500", "0", "x"])),
        Kind::Stats => "/stats".into(),
        Kind::Pass => format!("/pass {}", rng.pick(&[PASSWORD, PASSWORD, "wrong"])),
        Kind::Admin => format!(
            "/admin {}",
            rng.pick(&[ADMIN_PASSWORD, ADMIN_PASSWORD, "open up"])
        ),
        Kind::Kick => format!("/kick {whom} {}", rng.pick(&["", "go"])),
        Kind::Ban => {
            let banned = rng.pick(&[
                "192.168.1.2",
                "[fe80::1]:7",
                "127.0.0.1",
                "eve",
                "fe80::/64",
            ]);
            match rng.below(8) {
                0 | 1 => format!("/ban {banned} {tag}"),
                2 => format!("/ban {whom}"),
                3 => "/bans".into(),
                _ => format!("/unban {banned}"),
            }
        }
        Kind::Wall => format!("/wall {tag}"),
        _ => tag.into(),
    };
    match kind {
        Kind::Slash
        | Kind::Ping
        | Kind::LastWord
        | Kind::Msg
        | Kind::Wall
        | Kind::Topic
        | Kind::Words => words(rng, &text),
        _ => text.into_bytes(),
    }
}

fn words(rng: &mut Rng, start: &str) -> Vec<u8> {
    let mut line = start.as_bytes().to_vec();
    let length = match rng.below(30) {
        0 => rng.between(0, 1_000),
        _ => rng.between(0, 30),
    };
    line.extend(b"abc def ".iter().cycle().take(length));
    line
}

fn padded(rng: &mut Rng, start: &str, length: usize) -> Vec<u8> {
    let mut line = start.as_bytes().to_vec();
    let letter = b'a' + rng.below(26) as u8;
    line.resize(length.max(line.len()), letter);
    line
}

/// Bytes of every kind but the newline.
pub fn garbage(rng: &mut Rng, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.between(1, most) {
        match rng.below(6) {
            // None begins a character of its own: what letters and marks make a name is not for here.
            0 => bytes.push(match rng.next() as u8 {
                byte @ 0xC0..=0xF7 => byte & 0x7F,
                byte => byte,
            }),
            1 => bytes.extend("\u{1b}[31m".bytes()),
            2 => bytes.extend(
                rng.pick(&["é", "\u{85}", "世", "\u{202e}", "\u{feff}", "🍺"])
                    .bytes(),
            ),
            3 => bytes.extend(rng.pick(&[[0xE2, 0x82], [0xFF, 0xFB], [0xFF, 0xFA], [0xFF, 0xFF]])),
            4 => bytes.push(b'\r'),
            _ => bytes.push(b'x'),
        }
    }
    bytes.retain(|&byte| byte != b'\n');
    bytes
}

/// What comes from those who have the wrong port.
pub fn stranger(rng: &mut Rng) -> &'static [u8] {
    rng.pick(&[
        b"\x16\x03\x01\x02\0\x01\0\x01\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"*\0AAAAAAAAAA",
        b"GET / HTTP/1.12\r\n",
        b"HELLO\n",
    ])
}
