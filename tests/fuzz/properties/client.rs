//! What the client makes of a server's lines.

use super::{Draw, check_clean, one_line};
use snug::chat::{Line, Moment, Notice, Said, names};
use snug::client::scene::Scene;
use snug::wire::heard::{self, Heard, STARS};
use snug::wire::{clean, plain};

/// Names that people may have and the server's sentences begin with or have in them.
const NAMES: [&str; 12] = [
    "you", "a", "the", "that", "this", "is", "now", "left", "in", "too", "name", "nobody",
];

/// What people say and are called never reads as a word of the server to this client.
///
/// What may be heard of others is that somebody is gone or has closed the room, under that very name, or opened it.
pub fn heard(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(
        Heard::YouAreNow(word)
        | Heard::NameTaken(word)
        | Heard::NameBanned(word)
        | Heard::YouAreIn { room: word, .. }
        | Heard::Closed(word)
        | Heard::Gone(word),
    ) = heard::read(&text)
    {
        assert!(text.contains(word));
    }

    let mut draw = Draw(data);
    let (kind, mine, theirs) = (draw.byte(), name(&mut draw), name(&mut draw));
    let (name, room) = (&*mine, &*format!("#{theirs}"));
    let text = &*clean::cleaned(draw.rest());
    let mut out = Vec::new();
    match said(kind, name, &theirs, text) {
        Some(said) => {
            plain::said(&mut out, said);
            assert!(out.len() <= plain::said_length(said), "{said:?}");
        }
        None => plain::notice(&mut out, told(kind, name, &theirs, room, text)),
    }
    let line = one_line(&out);
    let expected = match kind % KINDS {
        3 | 4 | 7 => Some(Heard::Gone(name)),
        6 if kind > 99 => Some(Heard::Closed(name)),
        6 => Some(Heard::Opened),
        16 => Some(Heard::YouAreNow(name)),
        17 => Some(Heard::NameTaken(name)),
        18 => Some(Heard::YouAreIn { room, name }),
        19 => Some(Heard::ThrownOut),
        _ => None,
    };
    let heard = line.strip_prefix(STARS).and_then(heard::read);
    assert_eq!(heard, expected, "{line:?}");
}

/// The kinds of lines in which people's words stand.
const KINDS: u8 = 20;

/// Of those, what all in a room are told.
fn said<'a>(kind: u8, name: &'a str, other: &'a str, text: &'a str) -> Option<Said<'a>> {
    let (old, new, by, topic, is_set) = (name, other, other, text, kind > 99);
    Some(match kind % KINDS {
        0 => Said::Text {
            name,
            lines: text.into(),
        },
        1 => Said::Action {
            name,
            lines: text.into(),
        },
        2 => Said::Entered { name },
        3 => Said::Left { name, text },
        4 => Said::Renamed { old, new },
        5 => Said::Topic { name, topic },
        6 => Said::Key { name, is_set },
        7 => Said::Kicked { name, by, text },
        8 => Said::Wall { name, text },
        _ => return None,
    })
}

/// And what one is told alone.
fn told<'a>(kind: u8, name: &'a str, other: &'a str, room: &'a str, text: &'a str) -> Notice<'a> {
    let (topic, is_you, idle) = (text, kind > 99, 1_000 * u64::from(kind));
    let (at, now) = (Moment::default(), Moment::default());
    match kind % KINDS {
        9 => Notice::Message { from: name, text },
        10 => Notice::Sent { to: name, text },
        11 => Notice::Topic { room, topic },
        12 => Notice::Room {
            name: room,
            people: usize::from(kind),
            has_key: false,
            topic,
        },
        13 => Notice::Person { name, is_you, idle },
        14 => Notice::Ban {
            whom: name,
            by: other,
        },
        15 => {
            let is_action = kind > 99;
            let line = Line {
                at,
                is_action,
                name,
                text,
            };
            Notice::Line { line, now }
        }
        16 => Notice::YouAreNow(name),
        17 => Notice::NameTaken(name),
        18 => Notice::YouAreIn { room, name },
        _ => Notice::YouWereKicked { by: name, text },
    }
}

/// A name that somebody can have.
fn name(draw: &mut Draw<'_>) -> String {
    let fixed = draw.pick(&NAMES).to_owned();
    let drawn = draw.text();
    if names::check(&drawn).is_ok() {
        drawn
    } else {
        fixed
    }
}

/// Whatever the server sends, what is kept of it is clean and bounded, and a mention is where it says.
pub fn scene(data: &[u8]) {
    let mut scene = Scene::default();
    for line in data.split(|&byte| byte == b'\n') {
        scene.line(line);
        let me = scene.me().map(str::to_owned);
        let found = scene.mention(line);
        if let Some((start, end)) = found {
            let me = me.clone().unwrap_or_default();
            assert!(line[start..end].eq_ignore_ascii_case(me.as_bytes()) && start < end);
        }
        // Whom nobody called is called by nobody.
        assert!(me.is_some() || found.is_none());
        if line == b"left" {
            scene.left();
        }
    }
    let (mut count, mut bytes) = (0, 0);
    for word in scene
        .names()
        .chain(scene.rooms())
        .chain(scene.me())
        .chain(scene.room())
    {
        check_clean(word);
        assert!(
            !word.is_empty() && !word.contains(char::is_whitespace),
            "{word:?}"
        );
        count += 1;
        bytes = bytes.max(word.len());
    }
    assert!(
        count <= 602 && bytes <= 128,
        "{count} words of up to {bytes} bytes"
    );
    assert!(
        scene
            .rooms()
            .chain(scene.room())
            .all(|room| room.starts_with('#'))
    );
    let mut names: Vec<_> = scene.names().map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    assert!(
        names.windows(2).all(|pair| pair[0] != pair[1]),
        "twice the same: {names:?}"
    );
    let me = scene.me().map(str::to_ascii_lowercase);
    assert!(!names.iter().any(|name| me.as_deref() == Some(name)));
}
