//! What goes into the rules and what comes out of them.
//!
//! Owns the vocabulary. Texts in here are clean (contract, promise 6): the dialect that read them saw to it. Only a name
//! that somebody asks for may be anything: [`names::check`](super::names::check) says what is wrong with it.

use super::bans::Door;
use super::history::{Line, Talk};
use super::{Millis, Moment, PersonId, RoomId};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where somebody is connected from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An address and a port; IPv4 never in IPv6's clothes.
    Ip { ip: IpAddr, port: u16 },
    /// A Unix socket. Those who come by it have no address; they are numbered. `own`: by the user who
    /// runs the server.
    Unix { number: u32, own: bool },
}

impl Origin {
    /// The address, if there is one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip { ip, .. } => Some(ip),
            Self::Unix { .. } => None,
        }
    }
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
            Self::Unix { number, .. } => write!(f, "unix:{number}"),
        }
    }
}

/// Lines that somebody said one after the other: one, or all that came together, so that the rules look only once at who
/// says them, and where.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    text: &'a str,
    /// Where the newline behind each line stands; empty, if `text` is the one line.
    ends: &'a [u32],
}

impl<'a> Lines<'a> {
    /// The lines of `text` that end at these places, where a newline stands: the first, and those behind it.
    pub fn new(text: &'a str, ends: &'a [u32]) -> Self {
        debug_assert!(!ends.is_empty());
        Self { text, ends }
    }

    /// How many.
    pub fn count(self) -> usize {
        self.ends.len().max(1)
    }

    /// Bytes of them all, with their newlines.
    pub fn size(self) -> usize {
        self.ends
            .last()
            .map_or(self.text.len(), |&end| end as usize)
            + 1
    }

    /// All of them, with a newline between each and the next.
    pub fn joined(self) -> &'a str {
        &self.text[..self.size() - 1]
    }

    /// Each, without its newline.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut from = 0;
        let ended = self.ends.iter().map(move |&end| {
            let line = &self.text[from..end as usize];
            from = end as usize + 1;
            line
        });
        ended.chain(self.ends.is_empty().then_some(self.text))
    }
}

impl PartialEq for Lines<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Lines<'_> {}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> From<&'a str> for Lines<'a> {
    /// One line.
    fn from(text: &'a str) -> Self {
        Self { text, ends: &[] }
    }
}

/// What a person asks for. An argument that was left out is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Talk, for the room they are in.
    Say(Lines<'a>),
    /// `/me TEXT`.
    Act(&'a str),
    /// `/msg NAME TEXT`.
    Msg { name: &'a str, text: &'a str },
    /// `/nick NAME`.
    Nick(&'a str),
    /// `/join ROOM [KEY]`. With `keep`, they stay in the rooms where they are too.
    Join {
        room: &'a str,
        key: &'a str,
        keep: bool,
    },
    /// `/part`: out of the room they are in.
    Part,
    /// `/rooms`.
    Rooms,
    /// `/topic [TEXT]`.
    Topic(&'a str),
    /// `/key [KEY]`.
    Key(&'a str),
    /// `/who [ROOM]`.
    Who(&'a str),
    /// `/history [N]`.
    History(&'a str),
    /// `/ping [TEXT]`.
    Ping(&'a str),
    /// `/stats`.
    Stats,
    /// `/help [COMMAND]`.
    Help(&'a str),
    /// `quit`, `/quit [TEXT]`.
    Quit(&'a str),
    /// `/pass PASSWORD`.
    Pass(&'a str),
    /// `/admin PASSWORD`.
    Admin(&'a str),
    /// `/kick NAME [TEXT]`.
    Kick { name: &'a str, text: &'a str },
    /// `/ban NAME|ADDRESS [TEXT]`.
    Ban { whom: &'a str, text: &'a str },
    /// `/unban NAME|ADDRESS`.
    Unban(&'a str),
    /// `/bans`.
    Bans,
    /// `/wall TEXT`.
    Wall(&'a str),
    /// A command that is none, without its slash.
    Unknown(&'a str),
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Everyone in the room but the author gets a line, or as many as were said.
    Publish {
        room: RoomId,
        author: Option<PersonId>,
        said: Said<'a>,
    },
    /// Lines that stay: for the history's file.
    Record { room: &'a str, talk: Talk<'a> },
    /// One person gets a line.
    Tell { to: PersonId, notice: Notice<'a> },
    /// One person speaks to another; each gets their line, unless the other does not read.
    Whisper {
        from: PersonId,
        to: PersonId,
        from_name: &'a str,
        to_name: &'a str,
        text: &'a str,
    },
    /// One person wants the figures of the server.
    Report { to: PersonId },
    /// From now on, the person gets the room's lines.
    Enter { person: PersonId, room: RoomId },
    /// From now on, no more.
    Leave { person: PersonId, room: RoomId },
    /// The room is no more. Nobody is in it.
    Vanish { room: RoomId },
    /// The person is to be disconnected, when everything until now has been written. `name` is what they were called,
    /// if there is more to it than their address, or else empty.
    Dismiss {
        person: PersonId,
        reason: Reason,
        name: &'a str,
    },
    /// Nobody is told, but whoever runs the server may want to know.
    Note { who: &'a Who<'a>, deed: Deed<'a> },
}

/// Somebody, as those who run the server know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    pub origin: Origin,
    /// Empty, if it would say no more than the address.
    pub name: &'a str,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            "" => self.origin.fmt(f),
            name => write!(f, "{} ({name})", self.origin),
        }
    }
}

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// They have another name now.
    Renamed(&'a str),
    /// They went to another room.
    Entered(&'a str),
    BecameAdmin,
    /// They said a wrong password or key.
    Wrong(Door),
    ThrewOut {
        name: &'a str,
        text: &'a str,
    },
    Banned {
        whom: &'a str,
        text: &'a str,
    },
    Unbanned(&'a str),
    SpokeToAll(&'a str),
}

/// Why the rules dismiss somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Quit,
    Kicked,
    Banned,
    WrongPassword,
    /// Said no password for too long.
    NoPassword,
}

/// A line for a room, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    Text {
        name: &'a str,
        lines: Lines<'a>,
    },
    /// `/me`.
    Action {
        name: &'a str,
        lines: Lines<'a>,
    },
    Entered {
        name: &'a str,
    },
    Left {
        name: &'a str,
        text: &'a str,
    },
    Renamed {
        old: &'a str,
        new: &'a str,
    },
    Topic {
        name: &'a str,
        topic: &'a str,
    },
    Key {
        name: &'a str,
        is_set: bool,
    },
    Kicked {
        name: &'a str,
        by: &'a str,
        text: &'a str,
    },
    Wall {
        name: &'a str,
        text: &'a str,
    },
}

/// How the server is doing. Sizes are bytes, times milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub people: usize,
    /// At the door.
    pub visitors: usize,
    pub rooms: usize,
    /// Lines that came, and lines published, since the beginning.
    pub lines_in: u64,
    pub lines_out: u64,
    /// Lines delivered in the last second, to a reader each.
    pub per_second: u64,
    /// Readers that are behind, and how far the last of them is.
    pub behind: usize,
    pub most_behind: usize,
    /// Lines that readers were told they missed.
    pub skipped: u64,
    /// Queued or kept, in bytes, and how much that may be.
    pub memory: usize,
    pub max_memory: usize,
    pub uptime: Millis,
}

/// A line for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The greeting.
    Welcome(&'a str),
    /// At the door: what opens it.
    PasswordNeeded,
    /// A wrong password, at the door or for an admin.
    WrongPassword,
    /// Too many wrong ones from their address; they may try again in so many milliseconds.
    TryLater(Millis),
    /// There is no password to be said, or none any more.
    NoPassword,
    AdminNow,
    AdminOnly,
    /// This server has no password for admins.
    NoAdmins,
    /// To the author of a message that somebody got, or to the one who got it.
    Sent {
        to: &'a str,
        text: &'a str,
    },
    Message {
        from: &'a str,
        text: &'a str,
    },
    NotReading(&'a str),
    /// A message to oneself.
    ThatIsYou,
    /// A ban of oneself.
    WouldBanYou,
    NobodyCalled(&'a str),
    YouAreNow(&'a str),
    NameTaken(&'a str),
    NameBanned(&'a str),
    /// What keeps a text from being a name, or a room's.
    BadName(super::names::Fault),
    YouAreIn {
        room: &'a str,
        name: &'a str,
    },
    AlreadyIn(&'a str),
    LobbyStays,
    NoRoom(&'a str),
    BadRoom(super::names::Fault),
    KeyNeeded(&'a str),
    WrongKey,
    LobbyHasNoKey,
    /// The key of a room, for those who may set it.
    Key {
        room: &'a str,
        key: Option<&'a str>,
    },
    BadKey,
    NotYours(&'a str),
    Topic {
        room: &'a str,
        topic: &'a str,
    },
    TopicTooLong(usize),
    /// One of the rooms.
    Room {
        name: &'a str,
        people: usize,
        has_key: bool,
        topic: &'a str,
    },
    Pong(&'a str),
    /// The head of the answer to `/who`.
    Present {
        room: &'a str,
        people: usize,
    },
    /// One of those present; idle since they last sent anything, or came.
    Person {
        name: &'a str,
        is_you: bool,
        idle: Millis,
    },
    /// What was said earlier begins, …
    Earlier,
    /// … each line of it, …
    Line {
        line: Line<'a>,
        now: Moment,
    },
    /// … some that were still to come are no longer kept, …
    Forgotten,
    /// … and ends.
    Now,
    NoHistory(&'a str),
    /// The answer to `/stats`.
    Figures(&'a Figures),
    /// What there is to say about one command.
    Help {
        usage: &'a str,
        about: &'a str,
    },
    UnknownCommand(&'a str),
    /// A command lacks its argument; this is how it is used.
    Usage(&'a str),
    YouWereKicked {
        by: &'a str,
        text: &'a str,
    },
    YouAreBanned,
    Banned(&'a str),
    BannedName {
        name: &'a str,
        ip: Option<IpAddr>,
    },
    Unbanned(&'a str),
    NotBanned(&'a str),
    BadBan(&'a str),
    NoBans,
    TooManyBans,
    Ban {
        whom: &'a str,
        by: &'a str,
    },
    /// A line over the limit, which is this many bytes.
    LineTooLong(usize),
    /// The line that they are in the middle of is dropped: there is no memory for it.
    LineDropped,
    /// The lines that they have sent and that wait are not heard, for the same reason.
    NoMemory,
    /// The server stops.
    Closing,
}
