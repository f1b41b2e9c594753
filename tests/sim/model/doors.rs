//! Secrets, and what admins may do.

use super::ear::{self, Wish};
use super::people::Going;
use super::*;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What a secret opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Server,
    Admin,
    Room,
}

/// Where somebody comes from, as far as bans and wrong secrets go: an address; of an IPv6 address, its first half.
pub(super) type Place = Option<IpAddr>;

pub(super) fn place(origin: Origin) -> Place {
    origin.ip().map(network)
}

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

fn show_network(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("{ip}/64"),
    }
}

fn is_local(place: Place) -> bool {
    match place {
        None => true,
        Some(IpAddr::V4(ip)) => ip.is_loopback(),
        Some(IpAddr::V6(ip)) => ip.is_unspecified(),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    /// In small letters.
    Name(String),
    Ip(IpAddr),
}

impl Whom {
    fn read(text: &str) -> Self {
        let plain = text.strip_suffix("/64").unwrap_or(text).parse();
        let socket = text.parse().map(|address: SocketAddr| address.ip());
        match plain.or(socket) {
            Ok(ip) => Self::Ip(network(ip)),
            Err(_) => Self::Name(text.to_ascii_lowercase()),
        }
    }

    fn concerns(&self, name: &str, origin: Origin) -> bool {
        match self {
            Self::Name(banned) => *banned == name.to_ascii_lowercase(),
            Self::Ip(ip) => place(origin) == Some(*ip),
        }
    }
}

/// Whom nobody wants: with the words in which each is listed.
#[derive(Debug, Default)]
pub struct Bans(Vec<(Whom, String)>);

impl Bans {
    pub fn bars(&self, origin: Origin) -> bool {
        let bars =
            |(whom, _): &(Whom, String)| matches!(whom, Whom::Ip(_)) && whom.concerns("", origin);
        self.0.iter().any(bars)
    }

    pub fn bars_name(&self, name: &str) -> bool {
        let name = Whom::Name(name.to_ascii_lowercase());
        self.0.iter().any(|(whom, _)| *whom == name)
    }

    pub fn list(&self) -> Vec<String> {
        self.0.iter().map(|(_, line)| line.clone()).collect()
    }
}

/// How many wrong secrets came from a place lately, and until when no other is looked at.
pub type Tries = HashMap<(Place, Door), (u32, Millis)>;

impl Model {
    /// Somebody at the door has said a line: only the password is heard, and that they go.
    pub(super) fn knock(&mut self, who: Who, line: &[u8]) {
        let (word, raw) = match ear::meaning(line) {
            Wish::Say(_) => (String::new(), String::new()),
            Wish::Command { word, raw, .. } => (word.to_ascii_lowercase(), raw),
        };
        match word.as_str() {
            "pass" if !raw.is_empty() => {
                let needed = self.config.password.clone().unwrap_or_default();
                if self.try_secret(who, Door::Server, &raw, &needed) {
                    self.let_in(who);
                }
            }
            "quit" => self.people[who].dismissed = Some("quit"),
            _ => self.tell(
                who,
                "*** this server has a password; say it with: /pass PASSWORD",
            ),
        }
    }

    /// Whether a secret is right. Each wrong one doubles the pause for all who come from there.
    pub(super) fn try_secret(&mut self, who: Who, door: Door, said: &str, needed: &str) -> bool {
        let place = place(self.people[who].origin);
        let now = self.now;
        let (count, until) = self.tries.get(&(place, door)).copied().unwrap_or_default();
        if until > now {
            self.tell(who, &words::try_later(until - now));
            return false;
        }
        if said == needed {
            self.tries.remove(&(place, door));
            return true;
        }
        self.met.wrong_secrets += 1;
        let is_forgotten = until + limits::TRY_MEMORY <= now;
        let count = if is_forgotten { 0 } else { count };
        let most = match is_local(place) {
            true => limits::TRY_PAUSE_LOCAL,
            false => limits::TRY_PAUSE_MOST,
        };
        let pause = (limits::TRY_PAUSE << count.min(16)).min(most);
        self.tries.insert((place, door), (count + 1, now + pause));
        let line = match door {
            Door::Room => "*** that is not the key",
            _ => "*** that is not the password",
        };
        self.tell(who, line);
        if door == Door::Server {
            self.people[who].wrong += 1;
            if self.people[who].wrong == limits::TRY_COUNT.into() {
                self.people[who].dismissed = Some("too many wrong passwords");
            }
        }
        false
    }

    pub(super) fn become_admin(&mut self, who: Who, password: &str) {
        let Some(needed) = self.config.admin_password.clone() else {
            return self.tell(who, "*** this server has no password for admins");
        };
        if password.is_empty() {
            return self.tell(who, &words::usage("/admin PASSWORD"));
        }
        if self.try_secret(who, Door::Admin, password, &needed) {
            self.people[who].is_admin = true;
            self.tell(
                who,
                "*** you are an admin now; /help lists what admins can do",
            );
        }
    }

    /// Whether somebody is an admin; says so if not.
    fn is_admin(&mut self, who: Who) -> bool {
        let is_admin = self.people[who].is_admin;
        if !is_admin {
            self.tell(who, "*** only an admin can do that");
        }
        is_admin
    }

    pub(super) fn kick(&mut self, who: Who, name: &str, text: &str) {
        if !self.is_admin(who) {
            return;
        }
        match self.find(name) {
            _ if name.is_empty() => self.tell(who, &words::usage("/kick NAME [TEXT]")),
            None => self.nobody(who, name),
            Some(whom) => {
                let by = self.people[who].name.clone();
                self.expel(whom, &by, text, "thrown out");
            }
        }
    }

    fn expel(&mut self, whom: Who, by: &str, text: &str, why: &'static str) {
        self.met.thrown_out += 1;
        let line = format!("*** you were thrown out by {by}{}", words::with(text));
        self.tell(whom, &line);
        self.depart(whom, Going::IsThrownOut { by, text });
        self.people[whom].dismissed = Some(why);
    }

    pub(super) fn ban(&mut self, who: Who, text: &str, why: &str) {
        if !self.is_admin(who) {
            return;
        }
        if text.is_empty() {
            return self.tell(who, &words::usage("/ban NAME|ADDRESS [TEXT]"));
        }
        let found = self.find(text).map(|found| &self.people[found]);
        let (is_there, is_named) = (found.is_some(), found.is_some_and(|found| found.is_named));
        let origin = found.map(|found| found.origin);
        let whom = match origin.filter(|_| !is_named) {
            // Whoever has no name of their own is called by their address, and that is what is meant.
            Some(origin) => place(origin).map(Whom::Ip),
            None => Some(Whom::read(text)),
        };
        let is_name = words::fault(text).is_none();
        let whom = whom.filter(|whom| is_there || is_name || matches!(whom, Whom::Ip(_)));
        let Some(whom) = whom else {
            let line = format!("*** {text} is neither a name nor an address that can be banned");
            return self.tell(who, &line);
        };
        let by = self.people[who].name.clone();
        if whom.concerns(&by, self.people[who].origin) {
            return self.tell(
                who,
                "*** that would ban you too; /kick NAME throws out somebody else",
            );
        }
        let listed = match &whom {
            Whom::Name(_) => text.to_owned(),
            Whom::Ip(ip) => show_network(*ip),
        };
        if !self.bans.0.iter().any(|(other, _)| *other == whom) {
            let line = format!("*** {listed}, by {by}");
            self.bans.0.push((whom.clone(), line));
        }
        let ip = origin.filter(|_| is_named).and_then(Origin::ip);
        let answer = match (&whom, ip) {
            (Whom::Ip(_), _) => format!("*** {listed} is banned; lift it with: /unban {listed}"),
            (_, Some(ip)) => {
                format!("*** the name {text} is banned; the address too with: /ban {ip}")
            }
            (_, None) => format!("*** the name {text} is banned; lift it with: /unban {text}"),
        };
        self.tell(who, &answer);
        self.send_away(&whom, &by, why);
    }

    /// All whom a ban concerns go, those with the server's smallest numbers first.
    fn send_away(&mut self, whom: &Whom, by: &str, why: &str) {
        let mut all = self.live.clone();
        all.sort_unstable_by_key(|&who| self.people[who].id);
        for who in all {
            let person = &self.people[who];
            match person.standing {
                Standing::In if whom.concerns(&person.name, person.origin) => {
                    self.expel(who, by, why, "banned");
                }
                Standing::AtTheDoor if whom.concerns("", person.origin) => {
                    self.tell(who, "*** you are banned here");
                    self.people[who].dismissed = Some("banned");
                }
                _ => {}
            }
        }
    }

    pub(super) fn unban(&mut self, who: Who, text: &str) {
        if !self.is_admin(who) {
            return;
        }
        let whom = Whom::read(text);
        let before = self.bans.0.len();
        self.bans.0.retain(|(banned, _)| *banned != whom);
        let answer = match self.bans.0.len() < before {
            _ if text.is_empty() => words::usage("/unban NAME|ADDRESS"),
            true => format!("*** {text} is banned no more"),
            false => format!("*** {text} is not banned; /bans lists who is"),
        };
        self.tell(who, &answer);
    }

    pub(super) fn begin_bans(&mut self, who: Who) {
        if !self.is_admin(who) {
            return;
        }
        if self.bans.0.is_empty() {
            self.tell(who, "*** nobody is banned");
        }
        self.people[who].listing = Some(Listing::Bans);
    }

    pub(super) fn wall(&mut self, who: Who, text: &str) {
        if !self.is_admin(who) {
            return;
        }
        if text.is_empty() {
            return self.tell(who, &words::usage("/wall TEXT"));
        }
        let line = format!("*** {} to all: {text}", self.people[who].name);
        for room in 0..self.rooms.len() {
            if !self.rooms[room].is_gone {
                self.publish(room, None, line.as_bytes());
            }
        }
    }
}
