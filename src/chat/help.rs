//! What `/help` says.

use super::{Event, Notice, PersonId};

/// Every command: its word, how it is used, what it does.
const COMMANDS: [(&str, &str, &str); 5] = [
    (
        "help",
        "/help [COMMAND]",
        "says what the commands are, or what one of them does",
    ),
    ("me", "/me TEXT", "tells the room what you do: * NAME TEXT"),
    (
        "ping",
        "/ping [TEXT]",
        "is answered at once, with your text",
    ),
    (
        "quit",
        "/quit [TEXT]",
        "leaves, with a last word; a line of just 'quit' leaves too",
    ),
    (
        "who",
        "/who",
        "says who is here, and for how long each has been idle",
    ),
];

/// Answers `/help TOPIC`; an empty topic is all of them.
pub fn answer(to: PersonId, topic: &str, emit: &mut impl FnMut(Event<'_>)) {
    let word = topic.strip_prefix('/').unwrap_or(topic);
    let mut found = false;
    for (_, usage, about) in COMMANDS
        .iter()
        .filter(|(name, ..)| word.is_empty() || word.eq_ignore_ascii_case(name))
    {
        found = true;
        emit(Event::Tell {
            to,
            notice: Notice::Help { usage, about },
        });
    }
    if word.is_empty() {
        emit(Event::Tell {
            to,
            notice: Notice::Help {
                usage: "//TEXT",
                about: "says /TEXT",
            },
        });
    }
    if !found {
        emit(Event::Tell {
            to,
            notice: Notice::UnknownCommand(word),
        });
    }
}
