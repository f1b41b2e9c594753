//! What `/help` says.

use super::{Event, Notice, PersonId};

/// A command: its word, how it is used, what it does.
type Entry = (&'static str, &'static str, &'static str);

const COMMANDS: [Entry; 22] = [
    (
        "help",
        "/help [COMMAND]",
        "says what the commands are, or what one of them does",
    ),
    ("nick", "/nick NAME", "calls you NAME from now on"),
    ("msg", "/msg NAME TEXT", "says something to NAME alone"),
    ("me", "/me TEXT", "tells the room what you do: * NAME TEXT"),
    (
        "who",
        "/who [ROOM]",
        "says who is there, and for how long each has been idle",
    ),
    ("rooms", "/rooms", "says which rooms there are"),
    (
        "join",
        "/join ROOM [KEY]",
        "goes to another room; it is made if there is none of that name",
    ),
    ("part", "/part", "goes back to #lobby"),
    (
        "topic",
        "/topic [TEXT]",
        "says what the room is about, or sets it if you have been there longest; - takes it away",
    ),
    (
        "key",
        "/key [KEY]",
        "closes the room to all who do not know KEY, if you have been there longest; - opens it",
    ),
    (
        "history",
        "/history [N]",
        "says again what was said, the last N lines",
    ),
    (
        "ping",
        "/ping [TEXT]",
        "is answered at once, with your text",
    ),
    ("stats", "/stats", "says how the server is doing"),
    (
        "pass",
        "/pass PASSWORD",
        "lets you in, where the server has a password",
    ),
    (
        "quit",
        "/quit [TEXT]",
        "leaves, with a last word; a line of just 'quit' leaves too",
    ),
    ("admin", "/admin PASSWORD", "makes you an admin"),
    ("kick", "/kick NAME [TEXT]", "throws NAME out; for admins"),
    (
        "ban",
        "/ban NAME|ADDRESS [TEXT]",
        "keeps out whoever is called so or comes from there; for admins",
    ),
    ("unban", "/unban NAME|ADDRESS", "lifts a ban; for admins"),
    ("bans", "/bans", "says who is banned; for admins"),
    (
        "wall",
        "/wall TEXT",
        "tells everybody in all rooms; for admins",
    ),
    ("/", "//TEXT", "says /TEXT"),
];

/// How a command is used.
pub fn usage(word: &str) -> &'static str {
    let entry = COMMANDS.iter().find(|(name, ..)| *name == word);
    entry.map_or("/help", |(_, usage, _)| usage)
}

/// Answers `/help TOPIC`; an empty topic is all of them.
pub fn answer(to: PersonId, topic: &str, emit: &mut impl FnMut(Event<'_>)) {
    let word = topic.strip_prefix('/').unwrap_or(topic);
    let mut found = false;
    let asked_for = |(name, ..): &&Entry| word.is_empty() || name.eq_ignore_ascii_case(word);
    for (_, usage, about) in COMMANDS.iter().filter(asked_for) {
        found = true;
        emit(Event::Tell {
            to,
            notice: Notice::Help { usage, about },
        });
    }
    if !found {
        emit(Event::Tell {
            to,
            notice: Notice::UnknownCommand(word),
        });
    }
}
