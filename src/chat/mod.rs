//! The rules: who is here, what they are called, who hears whom, who may do what.
//!
//! Owns people, names, rooms, history and permissions. Commands go in, [`Event`]s come out, in the order in which
//! they happen. Never sees a byte of a protocol, a socket or a clock: time is an argument.

mod bans;
mod doors;
mod event;
mod help;
mod history;
mod listing;
pub mod names;
mod past;
mod rooms;
mod talk;
#[cfg(test)]
mod tests;
mod time;

pub use crate::limits::Millis;
pub use bans::{Door, Place};
pub use event::{Command, Deed, Event, Figures, Lines, Notice, Origin, Reason, Said, Who};
pub use history::{Line, Talk};
pub use listing::Listing;
pub use rooms::{LOBBY, LOBBY_ID};
pub use time::{Moment, Wall};

use crate::limits;
use crate::memory::Meter;
use bans::{Bans, Tries};
use names::Names;
use past::Past;
use rooms::Rooms;
use smol_str::SmolStr;
use std::collections::HashMap;

/// Names a person; the caller chooses the numbers, small ones first.
pub type PersonId = u32;
/// Names a room.
pub type RoomId = u32;

/// What the rules are told once.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The first line a person gets.
    pub welcome: String,
    /// Unnamed people are `guest1`, `guest2` … instead of their address.
    pub hide_addresses: bool,
    /// Lines replayed to whoever enters a room; [`limits::HISTORY`] at most.
    pub history: usize,
    /// Public lines outlast their room, because a transcript keeps them anyway.
    pub keeps: bool,
    /// What must be said to enter.
    pub password: Option<String>,
    /// What makes somebody an admin.
    pub admin_password: Option<String>,
}

#[derive(Debug)]
struct Person {
    name: SmolStr,
    origin: Origin,
    /// The room that they are in; where there are several, the one that hears them.
    room: RoomId,
    /// Has a name of their own, or only one that the server gave.
    is_named: bool,
    is_admin: bool,
    /// When they last sent anything, or came.
    active: Second,
}

/// A whole second in four bytes, of which each person has one.
#[derive(Clone, Copy, Debug)]
struct Second(u32);

impl Second {
    fn of(ticks: Millis) -> Self {
        Self((ticks / 1_000) as u32)
    }

    /// How long ago it began.
    fn age(self, now: Millis) -> Millis {
        now.saturating_sub(Millis::from(self.0) * 1_000)
    }
}

/// How somebody goes out of a room.
#[derive(Clone, Copy, Debug)]
enum Going<'a> {
    /// With a last word, or none.
    Leaves(&'a str),
    IsThrownOut {
        by: &'a str,
        text: &'a str,
    },
}

/// Somebody who has not said the password.
#[derive(Debug)]
struct Visitor {
    origin: Origin,
    wrong: u8,
}

/// Everybody and everything.
#[derive(Debug)]
pub struct Chat {
    settings: Settings,
    people: Vec<Option<Person>>,
    names: Names,
    rooms: Rooms,
    /// The other rooms of those who are in several; hardly anybody is.
    elsewhere: HashMap<PersonId, Vec<RoomId>>,
    /// What was said in rooms that are not there.
    past: Past,
    /// Those at the door.
    visitors: HashMap<PersonId, Visitor>,
    bans: Bans,
    tries: Tries,
    /// The number of the last guest.
    guests: u64,
    /// Counts the memory of what was said.
    meter: Meter,
}

impl Chat {
    pub fn new(settings: Settings) -> Self {
        let meter = Meter::default();
        Self {
            settings,
            people: Vec::new(),
            names: Names::default(),
            rooms: Rooms::new(&meter),
            elsewhere: HashMap::new(),
            past: Past::new(&meter),
            visitors: HashMap::new(),
            bans: Bans::default(),
            tries: Tries::default(),
            guests: 0,
            meter,
        }
    }

    /// Adds a line of an earlier run to a room's history. Oldest first.
    pub fn remember(&mut self, room: &str, line: Line<'_>) {
        let Ok(name) = rooms::full_name(room) else {
            return;
        };
        match self.rooms.find(&name) {
            Some(id) => self.rooms.get_mut(id).history.push(line.into(), false),
            None => self.past.remember(&name, line),
        }
    }

    /// Somebody comes. Unless there is a password to be said first, they are greeted, get a name, and enter the
    /// lobby. `id` must be free.
    pub fn arrive(
        &mut self,
        id: PersonId,
        origin: Origin,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        if self.bans.bars_place(origin.into()) {
            emit(Event::Tell {
                to: id,
                notice: Notice::YouAreBanned,
            });
            emit(Event::Dismiss {
                person: id,
                reason: Reason::Banned,
                name: "",
            });
        } else if self.settings.password.is_some() && !is_own(origin) {
            self.visitors.insert(id, Visitor { origin, wrong: 0 });
            emit(Event::Tell {
                to: id,
                notice: Notice::PasswordNeeded,
            });
        } else {
            self.let_in(id, origin, now, emit);
        }
    }

    /// Somebody goes, for whatever reason; `text` is their last word, or nothing. Nothing happens if they are
    /// not here.
    pub fn depart(&mut self, id: PersonId, text: &str, emit: &mut impl FnMut(Event<'_>)) {
        self.visitors.remove(&id);
        self.remove(id, Going::Leaves(text), emit);
    }

    /// Somebody asks for something. A long answer is begun, and the rest of it given back, for
    /// [`Self::list`] to go on with.
    pub fn command(
        &mut self,
        id: PersonId,
        command: Command<'_>,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        if self.visitors.contains_key(&id) {
            self.knock(id, command, now, emit);
            return None;
        }
        let person = self.people.get_mut(id as usize)?.as_mut()?;
        person.active = Second::of(now.ticks);
        match command {
            Command::Say(lines) => self.say(id, false, lines, now, emit),
            Command::Act("") => emit(tell(id, Notice::Usage(help::usage("me")))),
            Command::Act(text) => self.say(id, true, text.into(), now, emit),
            Command::Msg { name, text } => self.whisper(id, name, text, emit),
            Command::Nick(name) => self.rename(id, name, emit),
            Command::Join { room, key, keep } => self.join(id, room, key, keep, now, emit),
            Command::Part => self.part(id, now, emit),
            Command::Rooms => return Some(Listing::Rooms { from: 0 }),
            Command::Topic(topic) => self.topic(id, topic, emit),
            Command::Key(key) => self.key(id, key, emit),
            Command::Who(room) => return self.who(id, room, emit),
            Command::History(count) => return self.history(id, count, emit),
            Command::Ping(text) => emit(tell(id, Notice::Pong(text))),
            Command::Stats => emit(Event::Report { to: id }),
            Command::Help(topic) => help::answer(id, topic, emit),
            Command::Quit(text) => {
                let gone = self.remove(id, Going::Leaves(text), emit);
                emit(Event::Dismiss {
                    person: id,
                    reason: Reason::Quit,
                    name: gone.as_ref().map_or("", |gone| self.told(gone)),
                });
            }
            Command::Pass(_) => emit(tell(id, Notice::NoPassword)),
            Command::Admin(password) => self.become_admin(id, password, now, emit),
            Command::Kick { name, text } => self.kick(id, name, text, emit),
            Command::Ban { whom, text } => self.ban(id, whom, text, emit),
            Command::Unban(whom) => self.unban(id, whom, emit),
            Command::Bans => return self.bans(id, emit),
            Command::Wall(text) => self.wall(id, text, emit),
            Command::Unknown(word) => emit(tell(id, Notice::UnknownCommand(word))),
        }
        None
    }

    /// How many people there are, those at the door apart.
    pub fn people(&self) -> usize {
        self.names.len()
    }

    /// How many are at the door.
    pub fn visitors(&self) -> usize {
        self.visitors.len()
    }

    /// Whether somebody is at the door.
    pub fn is_visitor(&self, id: PersonId) -> bool {
        self.visitors.contains_key(&id)
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Bytes of memory held for what was said.
    pub fn memory(&self) -> usize {
        self.meter.total()
    }

    /// Bytes of memory held for people and rooms, whatever is said.
    pub fn tables(&self) -> usize {
        let person = size_of::<Option<Person>>();
        let named = self.names.len() * (size_of::<PersonId>() + 1);
        self.people.capacity() * person + named + self.rooms.tables()
    }

    /// The rooms in which something was said, and the memory that each holds for it.
    pub fn histories(&self) -> impl Iterator<Item = (RoomId, usize)> {
        let rooms = self.rooms.iter();
        rooms.map(|(id, room)| (id, room.history.memory()))
    }

    /// Forgets the older half of what was said in a room, if that is still there. Gives the memory that is still held
    /// for the rest.
    pub fn forget_some(&mut self, room: RoomId) -> usize {
        let Some(room) = self.rooms.find_mut(room) else {
            return 0;
        };
        room.history.halve();
        room.history.memory()
    }

    /// Bytes of memory held for what was said in rooms that are not there.
    pub fn past(&self) -> usize {
        self.past.memory()
    }

    /// Forgets the room among them in which nothing was said for longest. Gives the memory that is still held for the rest.
    pub fn forget_past(&mut self) -> usize {
        self.past.forget_one();
        self.past.memory()
    }

    /// What somebody is called, if they are in.
    pub fn name(&self, id: PersonId) -> Option<&str> {
        self.person(id).map(|person| &*person.name)
    }

    /// The room that hears somebody, if they are in.
    pub fn room(&self, id: PersonId) -> Option<RoomId> {
        self.person(id).map(|person| person.room)
    }

    /// Somebody, for the log; `None` if they are not in.
    pub fn known(&self, id: PersonId) -> Option<Who<'_>> {
        let person = self.person(id)?;
        Some(Who {
            origin: person.origin,
            name: self.told(person),
        })
    }

    /// What somebody is called, unless that says no more than their address does.
    fn told<'a>(&self, person: &'a Person) -> &'a str {
        match person.is_named || self.settings.hide_addresses {
            true => &person.name,
            false => "",
        }
    }

    /// Has a deed of somebody who is here noted.
    fn note(&self, id: PersonId, deed: Deed<'_>, emit: &mut impl FnMut(Event<'_>)) {
        if let Some(who) = &self.known(id) {
            emit(Event::Note { who, deed });
        }
    }

    /// Greets somebody, gives them a name, and puts them into the lobby.
    fn let_in(
        &mut self,
        id: PersonId,
        origin: Origin,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        let name = self.first_name(origin);
        let index = id as usize;
        if index >= self.people.len() {
            self.people.resize_with(index + 1, || None);
        }
        debug_assert!(self.people[index].is_none(), "person {id} is here already");
        self.people[index] = Some(Person {
            name,
            origin,
            room: LOBBY_ID,
            is_named: false,
            is_admin: is_own(origin),
            active: Second::of(now.ticks),
        });
        self.names.insert(id, |id| name_of(&self.people, id));
        emit(tell(id, Notice::Welcome(&self.settings.welcome)));
        self.enter(id, LOBBY_ID, now, emit);
    }

    /// Takes somebody, who is given back, out of all rooms, each of which hears how, and forgets them.
    fn remove(
        &mut self,
        id: PersonId,
        going: Going<'_>,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Person> {
        let rooms: Vec<RoomId> = self.rooms_of(id).collect();
        for room in rooms {
            self.leave(id, room, going, emit);
        }
        self.elsewhere.remove(&id);
        let person = self.people.get_mut(id as usize)?;
        let person = person.take()?;
        self.names.remove(id, &person.name);
        Some(person)
    }

    /// Puts somebody into a room. It hears of it, and they hear what was said there.
    fn enter(
        &mut self,
        id: PersonId,
        room_id: RoomId,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        let room = self.rooms.get_mut(room_id);
        room.members.push(id);
        if room.members.len() <= limits::ANNOUNCED {
            let said = Said::Entered {
                name: name_of(&self.people, id),
            };
            emit(Event::Publish {
                room: room_id,
                author: Some(id),
                said,
            });
        }
        self.replay(id, room_id, now, emit);
        emit(Event::Enter {
            person: id,
            room: room_id,
        });
    }

    /// Takes somebody out of a room. It hears of it; an empty one vanishes.
    fn leave(
        &mut self,
        id: PersonId,
        room_id: RoomId,
        going: Going<'_>,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        emit(Event::Leave {
            person: id,
            room: room_id,
        });
        let room = self.rooms.get_mut(room_id);
        if room.members.len() <= limits::ANNOUNCED {
            let name = name_of(&self.people, id);
            let said = match going {
                Going::Leaves(text) => Said::Left { name, text },
                Going::IsThrownOut { by, text } => Said::Kicked { name, by, text },
            };
            emit(Event::Publish {
                room: room_id,
                author: None,
                said,
            });
        }
        if let Some(at) = room.members.iter().position(|&member| member == id) {
            room.members.remove(at);
        }
        if room.members.is_empty() && room_id != LOBBY_ID {
            let room = self.rooms.close(room_id);
            if self.settings.keeps {
                self.past.keep(&room.name, room.history);
            }
            emit(Event::Vanish { room: room_id });
        }
    }

    /// Tells somebody who enters a room its last lines, all at once: they come before any that is said from then
    /// on. As many as [`Settings::history`] says, but no more than [`limits::REPLIES`] bytes.
    fn replay(&self, id: PersonId, room: RoomId, now: Moment, emit: &mut impl FnMut(Event<'_>)) {
        let room = self.rooms.get(room);
        let count = room.history.fitting(self.settings.history, limits::REPLIES);
        if count == 0 {
            return;
        }
        emit(tell(id, Notice::Earlier));
        for line in room.history.last(count) {
            emit(tell(id, Notice::Line { line, now }));
        }
        emit(tell(id, Notice::Now));
    }

    fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(id as usize)?.as_ref()
    }

    /// All rooms that somebody is in.
    fn rooms_of(&self, id: PersonId) -> impl Iterator<Item = RoomId> {
        let others = self.elsewhere.get(&id).into_iter().flatten().copied();
        let room = self.person(id).map(|person| person.room);
        room.into_iter().chain(others)
    }

    fn is_in(&self, id: PersonId, room: RoomId) -> bool {
        self.rooms_of(id).any(|other| other == room)
    }

    /// Who is called so.
    fn find(&self, name: &str) -> Option<PersonId> {
        self.names.find(name, |id| name_of(&self.people, id))
    }

    /// What a newcomer is called: their address; with the port where that is taken.
    fn first_name(&mut self, origin: Origin) -> SmolStr {
        if self.settings.hide_addresses {
            if self.names.is_empty() {
                self.guests = 0;
            }
            loop {
                self.guests += 1;
                let name = format!("guest{}", self.guests);
                if self.find(&name).is_none() {
                    return name.into();
                }
            }
        }
        let address = origin.ip().map(|ip| ip.to_string());
        let free = address.filter(|name| self.find(name).is_none());
        free.unwrap_or_else(|| self.full_address(origin)).into()
    }

    /// An address with its port. Where the server listens at several ports, two may come from the same.
    fn full_address(&self, origin: Origin) -> String {
        let numbered = (2..).map(|n| format!("{origin}-{n}"));
        let mut names = std::iter::once(origin.to_string()).chain(numbered);
        names
            .find(|name| self.find(name).is_none())
            .unwrap_or_default()
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        let rooms = self.rooms.iter().map(|(_, room)| &room.history);
        let here: usize = rooms.map(history::History::checked_memory).sum();
        assert_eq!(
            here + self.past.memory(),
            self.memory(),
            "memory is miscounted"
        );
        assert_eq!(self.names.len(), self.people.iter().flatten().count());
        assert!(self.elsewhere.values().all(|others| !others.is_empty()));
        assert!(self.elsewhere.keys().all(|&id| self.person(id).is_some()));
        let seats: usize = (0..self.people.len())
            .map(|id| self.rooms_of(id as PersonId).count())
            .sum();
        assert_eq!(
            self.rooms
                .iter()
                .map(|(_, room)| room.members.len())
                .sum::<usize>(),
            seats
        );
        for (id, person) in self.people.iter().enumerate() {
            let Some(person) = person else { continue };
            assert_eq!(
                self.find(&person.name),
                Some(id as PersonId),
                "{} is not found",
                person.name
            );
            assert!(!self.visitors.contains_key(&(id as PersonId)));
            for room in self.rooms_of(id as PersonId) {
                assert!(self.rooms.get(room).members.contains(&(id as PersonId)));
            }
        }
        for (id, room) in self.rooms.iter() {
            assert_eq!(
                self.rooms.find(&room.name),
                Some(id),
                "{} is not found",
                room.name
            );
            assert!(
                id == LOBBY_ID || !room.members.is_empty(),
                "{} is empty",
                room.name
            );
        }
    }
}

/// Whether somebody runs the server, and so may do everything there.
fn is_own(origin: Origin) -> bool {
    matches!(origin, Origin::Unix { own: true, .. })
}

/// The name of somebody who is here.
fn name_of(people: &[Option<Person>], id: PersonId) -> &str {
    people
        .get(id as usize)
        .and_then(Option::as_ref)
        .map_or("", |person| &person.name)
}

fn tell(to: PersonId, notice: Notice<'_>) -> Event<'_> {
    Event::Tell { to, notice }
}
