//! Which options there are: names, variables, defaults, help (contract, section 1).

use super::identity::PASSWORD_FILE;
use super::options::{Spec, Takes, option, switch};
use super::values::{self, MAX_LINES, number, size};
use crate::limits;
use Takes::{File, Text, Texts, Word};

/// The longest line that can be allowed.
const MAX_LINE: usize = 64 << 20;
/// The backlogs that can be asked for.
const MIN_BACKLOG: usize = 4 << 10;
const MAX_BACKLOG: usize = MAX_MEMORY;
/// The highest ceiling of memory that can be asked for.
const MAX_MEMORY: usize = 1 << if usize::BITS > 32 { 40 } else { 30 };
/// The longest time that can be asked for: a year.
const MAX_SECONDS: u64 = 366 * 24 * 3600;

/// The options of `snug serve`.
#[rustfmt::skip]
pub(super) const SERVE: &[Spec] = &[
    Spec {
        short: Some('l'),
        default: Some("127.0.0.1:9999"),
        ..option("listen", "ADDR", "SNUG_LISTEN", Texts(values::to_listen), "HOST:PORT, [v6]:PORT or unix:PATH; port 0 picks a free one; may be repeated")
    },
    Spec {
        default: Some("Welcome to this chatroom!"),
        ..option("welcome", "TEXT", "SNUG_WELCOME", Text(values::welcome), "The first line that a plain client sees")
    },
    switch("bare", "SNUG_BARE", "A bus: lines are relayed byte for byte, without greeting, names, notices or commands"),
    option("max-clients", "N", "SNUG_MAX_CLIENTS", Text(values::count), "How many may be connected [default: the file limit less 32]"),
    option("max-per-ip", "N", "SNUG_MAX_PER_IP", Text(values::count), "How many from one address, or from one /64 of IPv6; loopback and Unix sockets are exempt [default: off]"),
    Spec {
        default: Some("4096"),
        ..option("max-line", "BYTES", "SNUG_MAX_LINE", Text(|text| size(text, 1..=MAX_LINE)), "The longest line, without its newline")
    },
    Spec {
        default: Some("1M"),
        ..option("backlog", "BYTES", "SNUG_BACKLOG", Text(|text| size(text, MIN_BACKLOG..=MAX_BACKLOG)), "How far behind a room a reader may fall")
    },
    Spec {
        default: Some("skip"),
        ..option("slow", "POLICY", "SNUG_SLOW", Word(&["skip", "close", "wait"]), "What happens to a reader further behind: it skips lines and is told, is closed, or the room waits for it")
    },
    Spec {
        default: Some("30"),
        ..option("slow-timeout", "SECONDS", "SNUG_SLOW_TIMEOUT", Text(|text| number(text, 0..=MAX_SECONDS)), "With --slow wait: how long a reader may hold the room up")
    },
    Spec {
        default: Some("64M"),
        ..option("max-memory", "BYTES", "SNUG_MAX_MEMORY", Text(|text| size(text, limits::MIN_MEMORY..=MAX_MEMORY)), "How much may be queued and kept, all connections together; beyond that whoever holds the most gives first")
    },
    Spec {
        default: Some("50"),
        ..option("rate", "LINES", "SNUG_RATE", Text(values::rate), "How many lines each client may say in a second; beyond that it is read from later; or off")
    },
    Spec {
        default: Some("200"),
        ..option("burst", "LINES", "SNUG_BURST", Text(|text| number(text, 1..=MAX_LINES)), "How many it may say at once after a silence")
    },
    option("unterminated", "MS", "SNUG_UNTERMINATED", Text(|text| number(text, 1..=MAX_SECONDS * 1000)), "A partial line that rests so long counts as a line, for clients that send no newline [default: off]"),
    Spec {
        default: Some("20"),
        ..option("history", "LINES", "SNUG_HISTORY", Text(values::history), "Lines replayed to whoever enters a room (100 are kept); 0 is off")
    },
    Spec {
        conflict: Some("bare"),
        ..option("transcript", "FILE", "SNUG_TRANSCRIPT", File, "Append every public line to FILE, and read it back at the start; - is standard output")
    },
    Spec {
        conflict: Some("bare"),
        ..option(PASSWORD_FILE, "FILE", "SNUG_PASSWORD_FILE", File, "Its first line must be said to enter: /pass PASSWORD")
    },
    Spec {
        conflict: Some("bare"),
        ..option("admin-password-file", "FILE", "SNUG_ADMIN_PASSWORD_FILE", File, "Its first line makes an admin: /admin PASSWORD")
    },
    switch("hide-addresses", "SNUG_HIDE_ADDRESSES", "Unnamed people are guest1, guest2 … instead of their address"),
    Spec {
        default: Some("info"),
        ..option("log-level", "LEVEL", "SNUG_LOG_LEVEL", Text(values::level), "off, error, warn, info, debug or trace; on standard error; RUST_LOG too")
    },
];

/// The one argument of `snug connect` that stands without a name.
pub(super) const ADDRESS: Spec = Spec {
    default: Some("127.0.0.1:9999"),
    ..option(
        "addr",
        "ADDR",
        "SNUG_ADDR",
        Text(values::to_connect),
        "HOST:PORT, [v6]:PORT, unix:PATH, or a lone host or port",
    )
};

/// The options of `snug connect`.
#[rustfmt::skip]
pub(super) const CONNECT: &[Spec] = &[
    Spec {
        short: Some('n'),
        ..option("nick", "NAME", "SNUG_NICK", Text(values::word), "Be called NAME, also after a reconnect; where it is taken, NAME_ until it is free")
    },
    Spec {
        short: Some('r'),
        ..option("room", "ROOM", "SNUG_ROOM", Text(values::word), "Go to this room, also after a reconnect")
    },
    option(PASSWORD_FILE, "FILE", "SNUG_PASSWORD_FILE", File, "Its first line is the password that the server asks for"),
    switch("bare", "SNUG_BARE", "The other end is a bus (or any line server): lines as they are"),
    Spec {
        short: Some('R'),
        ..switch("receive-only", "SNUG_RECEIVE_ONLY", "Do not read standard input")
    },
    Spec {
        short: Some('S'),
        conflict: Some("receive-only"),
        ..switch("send-only", "SNUG_SEND_ONLY", "Print nothing of what is received")
    },
    switch("no-newline", "SNUG_NO_NEWLINE", "Send each line without its newline, as the oldest chat clients did"),
    switch("timestamps", "SNUG_TIMESTAMPS", "Print the local time before each line"),
    Spec {
        default: Some("auto"),
        ..option("color", "WHEN", "SNUG_COLOR", Word(&["auto", "always", "never"]), "Colour what is printed; auto: on a terminal, unless NO_COLOR is set")
    },
    switch("no-reconnect", "SNUG_NO_RECONNECT", "Exit with 1 when the connection is lost"),
    switch("bell", "SNUG_BELL", "Ring the terminal's bell when your name is said"),
];
