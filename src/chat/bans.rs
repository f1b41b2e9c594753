//! Who must stay outside, and who tries too often to come in.

use super::event::Origin;
use crate::limits::{self, Millis};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An address as far as it stands for one place: an IPv6 address up to its /64, which is what one
/// household is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    V4(std::net::Ipv4Addr),
    V6(u64),
    /// All Unix sockets.
    Here,
}

impl From<IpAddr> for Place {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

impl From<Origin> for Place {
    // Asked for in many places, none of which is in a hurry.
    #[inline(never)]
    fn from(origin: Origin) -> Self {
        origin.ip().map_or(Self::Here, Self::from)
    }
}

impl Place {
    /// Whether it is this machine.
    fn is_local(self) -> bool {
        match self {
            Self::V4(ip) => ip.is_loopback(),
            Self::V6(high) => high == 0,
            Self::Here => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(high) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(high) << 64)),
            Self::Here => f.write_str("unix"),
        }
    }
}

/// Whom a ban concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Whoever calls themselves so; case counts for nothing in ASCII.
    Name(Box<str>),
    /// Whoever comes from there.
    Place(Place),
}

impl Whom {
    /// Reads what an admin wrote: an address, with a port or without, an IPv6 network as [`Place`] shows it, or
    /// else a name.
    pub fn read(text: &str) -> Self {
        let network = text
            .strip_suffix("/64")
            .and_then(|text| text.parse::<Ipv6Addr>().ok());
        let socket = text.parse::<SocketAddr>().map(|address| address.ip());
        match network
            .map(IpAddr::V6)
            .ok_or(())
            .or(text.parse())
            .or(socket)
        {
            Ok(ip) => Self::Place(ip.into()),
            Err(_) => Self::Name(text.into()),
        }
    }

    /// Whether it concerns somebody of that name, from that place.
    pub fn concerns(&self, name: &str, place: Place) -> bool {
        match self {
            Self::Name(banned) => banned.eq_ignore_ascii_case(name),
            Self::Place(banned) => *banned == place,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Place(place) => place.fmt(f),
        }
    }
}

/// A ban, and who pronounced it.
#[derive(Debug)]
pub struct Ban {
    pub whom: Whom,
    pub by: Box<str>,
}

/// All bans, oldest first, [`limits::BANS`] at most. They last as long as the process.
#[derive(Debug, Default)]
pub struct Bans {
    list: Vec<Ban>,
}

impl Bans {
    /// Adds one, or says that there are too many. One that is there already is not added again.
    pub fn add(&mut self, whom: Whom, by: &str) -> bool {
        if self.list.iter().any(|ban| ban.whom.is_same(&whom)) {
            return true;
        }
        let has_room = self.list.len() < limits::BANS;
        if has_room {
            self.list.push(Ban {
                whom,
                by: by.into(),
            });
        }
        has_room
    }

    /// Lifts one. Whether there was any.
    pub fn lift(&mut self, whom: &Whom) -> bool {
        let before = self.list.len();
        self.list.retain(|ban| !ban.whom.is_same(whom));
        self.list.len() < before
    }

    /// Whether nobody may be called so.
    pub fn bars_name(&self, name: &str) -> bool {
        let bars = |ban: &Ban| matches!(&ban.whom, Whom::Name(banned) if banned.eq_ignore_ascii_case(name));
        self.list.iter().any(bars)
    }

    /// Whether nobody may come from there.
    pub fn bars_place(&self, place: Place) -> bool {
        self.list.iter().any(|ban| ban.whom == Whom::Place(place))
    }

    pub fn list(&self) -> &[Ban] {
        &self.list
    }
}

/// What a secret opens. Each has tries of its own, so that one which is known opens no way to guess another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Server,
    Admin,
    Room,
}

/// Who said something wrong at a door lately: each wrong one doubles the pause before the next is looked at, for all who
/// come from the same place. So a new connection is no new chance.
#[derive(Debug, Default)]
pub struct Tries {
    /// One for each place and door, [`limits::TRIES`] at most: so few that they are looked through.
    list: Vec<Tried>,
}

#[derive(Debug)]
struct Tried {
    place: Place,
    door: Door,
    /// How many were wrong.
    count: u32,
    /// When the next is looked at.
    until: Millis,
}

impl Tries {
    /// How long somebody from there must wait, if they must.
    pub fn pause(&self, place: Place, door: Door, now: Millis) -> Option<Millis> {
        let tried = &self.list[self.find(place, door)?];
        tried.until.checked_sub(now).filter(|&pause| pause > 0)
    }

    /// One more was wrong.
    pub fn wrong(&mut self, place: Place, door: Door, now: Millis) {
        if self.list.len() >= limits::TRIES {
            self.list
                .retain(|tried| tried.until + limits::TRY_MEMORY > now);
        }
        if self.list.len() >= limits::TRIES {
            self.list.clear();
        }
        let index = self.find(place, door).unwrap_or_else(|| {
            let (count, until) = (0, 0);
            self.list.push(Tried {
                place,
                door,
                count,
                until,
            });
            self.list.len() - 1
        });
        let tried = &mut self.list[index];
        if tried.until + limits::TRY_MEMORY <= now {
            tried.count = 0;
        }
        let pause = limits::TRY_PAUSE << tried.count.min(16);
        // Many who mean well may share this machine.
        let most = match place.is_local() {
            true => limits::TRY_PAUSE_LOCAL,
            false => limits::TRY_PAUSE_MOST,
        };
        tried.until = now + pause.min(most);
        tried.count += 1;
    }

    /// One was right.
    pub fn right(&mut self, place: Place, door: Door) {
        if let Some(index) = self.find(place, door) {
            self.list.swap_remove(index);
        }
    }

    fn find(&self, place: Place, door: Door) -> Option<usize> {
        self.list
            .iter()
            .position(|tried| tried.place == place && tried.door == door)
    }
}
