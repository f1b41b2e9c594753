//! What goes into the rules and what comes out of them.
//!
//! Owns the vocabulary. Texts in here are clean (contract, promise 6): the dialect that read them saw to it.

use super::{Millis, PersonId, RoomId};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where somebody is connected from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An address and a port; IPv4 never in IPv6's clothes.
    Ip { ip: IpAddr, port: u16 },
    /// A Unix socket. Those who come by it have no address; they are numbered.
    Unix { number: u32 },
}

impl From<SocketAddr> for Origin {
    fn from(address: SocketAddr) -> Self {
        Self::Ip {
            ip: address.ip().to_canonical(),
            port: address.port(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ip { ip, port } => SocketAddr::new(ip, port).fmt(f),
            Self::Unix { number } => write!(f, "unix:{number}"),
        }
    }
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// A line of talk.
    Say(&'a str),
    /// `/me TEXT`.
    Act(&'a str),
    /// `/who`.
    Who,
    /// `/ping [TEXT]`.
    Ping(&'a str),
    /// `/help [COMMAND]`, the command without its slash.
    Help(&'a str),
    /// `quit`, `/quit [TEXT]`.
    Quit(&'a str),
    /// A command that is none, without its slash.
    Unknown(&'a str),
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Everyone in the room but the author gets a line.
    Publish {
        room: RoomId,
        author: Option<PersonId>,
        said: Said<'a>,
    },
    /// One person gets a line.
    Tell { to: PersonId, notice: Notice<'a> },
    /// From now on, the person gets the room's lines.
    Enter { person: PersonId, room: RoomId },
    /// From now on, no more.
    Leave { person: PersonId, room: RoomId },
    /// The person is to be disconnected, when everything until now has been written.
    Dismiss { person: PersonId },
}

/// A line for a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    Text { name: &'a str, text: &'a str },
    Action { name: &'a str, text: &'a str },
    Entered { name: &'a str },
    Left { name: &'a str, text: &'a str },
}

/// A line for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The greeting.
    Welcome(&'a str),
    Pong(&'a str),
    /// The head of the answer to `/who`.
    Present {
        room: &'a str,
        people: usize,
    },
    /// One of those present; idle since they last said anything, or came.
    Person {
        name: &'a str,
        is_you: bool,
        idle: Millis,
    },
    /// What there is to say about one command.
    Help {
        usage: &'a str,
        about: &'a str,
    },
    UnknownCommand(&'a str),
    /// A command lacks its argument; this is how it is used.
    Usage(&'a str),
    /// A line over the limit, which is this many bytes.
    LineTooLong(usize),
    /// The server stops.
    Closing,
}
