//! What the client makes of a server's lines.

use super::{Draw, check_clean, one_line};
use snug::chat::{Line, Moment, Notice, Said, names};
use snug::client::scene::Scene;
use snug::wire::heard::{self, Heard, STARS};
use snug::wire::plain;

/// Names that people may have and the server's sentences begin with or have in them.
const NAMES: [&str; 12] = [
    "you", "a", "the", "that", "this", "is", "now", "left", "in", "too", "name", "nobody",
];

/// What people say and are called never reads as a word of the server to this client.
///
/// What may be heard of others is that somebody is gone, who then is gone under that very name.
pub fn heard(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(
        Heard::YouAreNow(word)
        | Heard::NameTaken(word)
        | Heard::NameBanned(word)
        | Heard::YouAreIn(word)
        | Heard::Gone(word),
    ) = heard::read(&text)
    {
        assert!(text.contains(word));
    }

    let mut draw = Draw(data);
    let (kind, mine, theirs) = (draw.byte(), name(&mut draw), name(&mut draw));
    let (name, other, room) = (&*mine, &*theirs, &*format!("#{theirs}"));
    let text = &*snug::wire::clean::cleaned(draw.rest());
    let said = |said| {
        let mut out = Vec::new();
        plain::said(&mut out, said);
        assert!(out.len() <= plain::said_length(said), "{said:?}");
        out
    };
    let told = |notice| {
        let mut out = Vec::new();
        plain::notice(&mut out, notice);
        out
    };
    let gone = Some(Heard::Gone(name));
    let (line, expected) = match kind % 20 {
        0 => (said(Said::Text { name, text }), None),
        1 => (said(Said::Action { name, text }), None),
        2 => (said(Said::Entered { name }), None),
        3 => (said(Said::Left { name, text }), gone),
        4 => (
            said(Said::Renamed {
                old: name,
                new: other,
            }),
            gone,
        ),
        5 => (said(Said::Topic { name, topic: text }), None),
        6 => (
            said(Said::Key {
                name,
                is_set: kind > 99,
            }),
            None,
        ),
        7 => (
            said(Said::Kicked {
                name,
                by: other,
                text,
            }),
            gone,
        ),
        8 => (said(Said::Wall { name, text }), None),
        9 => (told(Notice::Message { from: name, text }), None),
        10 => (told(Notice::Sent { to: name, text }), None),
        11 => (told(Notice::Topic { room, topic: text }), None),
        12 => {
            let room = Notice::Room {
                name: room,
                people: draw.below(3),
                has_key: false,
                topic: text,
            };
            (told(room), None)
        }
        13 => (
            told(Notice::Person {
                name,
                is_you: kind > 99,
                idle: 1000 * u64::from(kind),
            }),
            None,
        ),
        14 => (
            told(Notice::Ban {
                whom: name,
                by: other,
            }),
            None,
        ),
        15 => {
            let line = Line {
                at: Moment::default(),
                is_action: kind > 99,
                name,
                text,
            };
            (
                told(Notice::Line {
                    line,
                    now: Moment::default(),
                }),
                None,
            )
        }
        16 => (told(Notice::YouAreNow(name)), Some(Heard::YouAreNow(name))),
        17 => (told(Notice::NameTaken(name)), Some(Heard::NameTaken(name))),
        18 => (
            told(Notice::YouAreIn { room, name }),
            Some(Heard::YouAreIn(room)),
        ),
        _ => (
            told(Notice::YouWereKicked { by: name, text }),
            Some(Heard::ThrownOut),
        ),
    };
    let line = one_line(&line);
    assert_eq!(
        line.strip_prefix(STARS).and_then(heard::read),
        expected,
        "{line:?}"
    );
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
