//! The rules: who is here, what they are called, who hears whom.
//!
//! Owns people, names, rooms and permissions. Commands go in, [`Event`]s come out, in the order in which they
//! happen. Never sees a byte of a protocol, a socket or a clock: time is an argument.

mod event;
mod help;
mod names;

pub use crate::limits::Millis;
pub use event::{Command, Event, Notice, Origin, Said};

use crate::limits;
use names::Names;
use slab::Slab;

/// Names a person; the caller chooses the numbers, small ones first.
pub type PersonId = u32;
/// Names a room.
pub type RoomId = u32;

/// The room that everybody enters first, and that stays.
pub const LOBBY: &str = "#lobby";
/// Its number: the first.
pub const LOBBY_ID: RoomId = 0;

/// What the rules are told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first line a person gets.
    pub welcome: String,
    /// Unnamed people are `guest1`, `guest2` … instead of their address.
    pub hide_addresses: bool,
}

#[derive(Debug)]
struct Person {
    name: Box<str>,
    room: RoomId,
    /// When they last said anything, or came.
    active: Millis,
}

#[derive(Debug)]
struct Room {
    name: Box<str>,
    /// In no order.
    members: Vec<PersonId>,
}

/// An answer of many lines, made piece by piece as its reader takes it.
#[derive(Debug, PartialEq, Eq)]
pub enum Listing {
    /// Those in a room, from this person's number on.
    Who { room: RoomId, from: PersonId },
}

/// Everybody and everything.
#[derive(Debug)]
pub struct Chat {
    settings: Settings,
    people: Vec<Option<Person>>,
    names: Names,
    rooms: Slab<Room>,
    /// The number of the last guest.
    guests: u64,
}

impl Chat {
    pub fn new(settings: Settings) -> Self {
        let mut rooms = Slab::new();
        let lobby = rooms.insert(Room {
            name: LOBBY.into(),
            members: Vec::new(),
        }) as RoomId;
        debug_assert_eq!(lobby, LOBBY_ID);
        Self {
            settings,
            people: Vec::new(),
            names: Names::default(),
            rooms,
            guests: 0,
        }
    }

    /// Somebody comes: is greeted, gets a name, and enters the lobby. `id` must be free.
    pub fn arrive(
        &mut self,
        id: PersonId,
        origin: Origin,
        now: Millis,
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
            room: LOBBY_ID,
            active: now,
        });
        self.names.insert(id, |id| name_of(&self.people, id));
        emit(Event::Tell {
            to: id,
            notice: Notice::Welcome(&self.settings.welcome),
        });
        self.enter(id, LOBBY_ID, emit);
    }

    /// Somebody goes, for whatever reason; `text` is their last word, or nothing. Nothing happens if they are
    /// not here.
    pub fn depart(&mut self, id: PersonId, text: &str, emit: &mut impl FnMut(Event<'_>)) {
        let Some(room) = self.person(id).map(|person| person.room) else {
            return;
        };
        self.leave(id, room, text, emit);
        self.names.remove(id, name_of(&self.people, id));
        self.people[id as usize] = None;
    }

    /// Somebody asks for something. A long answer is begun, and the rest of it given back, for
    /// [`Self::list`] to go on with.
    pub fn command(
        &mut self,
        id: PersonId,
        command: Command<'_>,
        now: Millis,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        let person = self.people.get_mut(id as usize)?.as_mut()?;
        person.active = now;
        let (name, room) = (&*person.name, person.room);
        match command {
            Command::Say(text) => {
                emit(Event::Publish {
                    room,
                    author: Some(id),
                    said: Said::Text { name, text },
                });
            }
            Command::Act("") => emit(Event::Tell {
                to: id,
                notice: Notice::Usage("/me TEXT"),
            }),
            Command::Act(text) => {
                emit(Event::Publish {
                    room,
                    author: Some(id),
                    said: Said::Action { name, text },
                });
            }
            Command::Who => {
                let Room { name, members } = &self.rooms[room as usize];
                emit(Event::Tell {
                    to: id,
                    notice: Notice::Present {
                        room: name,
                        people: members.len(),
                    },
                });
                return Some(Listing::Who { room, from: 0 });
            }
            Command::Ping(text) => emit(Event::Tell {
                to: id,
                notice: Notice::Pong(text),
            }),
            Command::Help(topic) => help::answer(id, topic, emit),
            Command::Quit(text) => {
                self.depart(id, text, emit);
                emit(Event::Dismiss { person: id });
            }
            Command::Unknown(word) => emit(Event::Tell {
                to: id,
                notice: Notice::UnknownCommand(word),
            }),
        }
        None
    }

    /// Goes on with a long answer, for as long as `more` says so. Gives back what is still to come. Whoever is
    /// there from the first piece to the last is named exactly once.
    pub fn list(
        &self,
        id: PersonId,
        listing: Listing,
        now: Millis,
        mut more: impl FnMut() -> bool,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        let Listing::Who { room, from } = listing;
        for at in from..self.people.len() as PersonId {
            let Some(person) = self.person(at).filter(|person| person.room == room) else {
                continue;
            };
            if !more() {
                return Some(Listing::Who { room, from: at });
            }
            let idle = now.saturating_sub(person.active);
            emit(Event::Tell {
                to: id,
                notice: Notice::Person {
                    name: &person.name,
                    is_you: at == id,
                    idle,
                },
            });
        }
        None
    }

    /// How many people there are.
    pub fn people(&self) -> usize {
        self.names.len()
    }

    /// What somebody is called.
    pub fn name(&self, id: PersonId) -> Option<&str> {
        self.person(id).map(|person| &*person.name)
    }

    fn enter(&mut self, id: PersonId, room_id: RoomId, emit: &mut impl FnMut(Event<'_>)) {
        let room = &mut self.rooms[room_id as usize];
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
        emit(Event::Enter {
            person: id,
            room: room_id,
        });
    }

    fn leave(
        &mut self,
        id: PersonId,
        room_id: RoomId,
        text: &str,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        emit(Event::Leave {
            person: id,
            room: room_id,
        });
        let room = &mut self.rooms[room_id as usize];
        if room.members.len() <= limits::ANNOUNCED {
            let said = Said::Left {
                name: name_of(&self.people, id),
                text,
            };
            emit(Event::Publish {
                room: room_id,
                author: None,
                said,
            });
        }
        if let Some(at) = room.members.iter().position(|&member| member == id) {
            room.members.swap_remove(at);
        }
    }

    fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(id as usize)?.as_ref()
    }

    fn is_free(&self, name: &str) -> bool {
        self.names
            .find(name, |id| name_of(&self.people, id))
            .is_none()
    }

    /// What a newcomer is called: their address; with the port where that is taken.
    fn first_name(&mut self, origin: Origin) -> Box<str> {
        if self.settings.hide_addresses {
            if self.names.is_empty() {
                self.guests = 0;
            }
            loop {
                self.guests += 1;
                let name = format!("guest{}", self.guests);
                if self.is_free(&name) {
                    return name.into();
                }
            }
        }
        match origin {
            Origin::Ip { ip, .. } => Some(ip.to_string()).filter(|name| self.is_free(name)),
            Origin::Unix { .. } => None,
        }
        .unwrap_or_else(|| self.full_address(origin))
        .into()
    }

    /// An address with its port. Where the server listens at several ports, two may come from the same.
    fn full_address(&self, origin: Origin) -> String {
        let numbered = (2..).map(|n| format!("{origin}-{n}"));
        let mut names = std::iter::once(origin.to_string()).chain(numbered);
        names.find(|name| self.is_free(name)).unwrap_or_default()
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        let here = self.people.iter().flatten().count();
        assert_eq!(self.names.len(), here);
        assert_eq!(
            self.rooms
                .iter()
                .map(|(_, room)| room.members.len())
                .sum::<usize>(),
            here
        );
        for (id, person) in self.people.iter().enumerate() {
            let Some(person) = person else { continue };
            let found = self
                .names
                .find(&person.name, |id| name_of(&self.people, id));
            assert_eq!(found, Some(id as PersonId), "{} is not found", person.name);
            assert!(
                self.rooms[person.room as usize]
                    .members
                    .contains(&(id as PersonId))
            );
        }
    }
}

/// The name of somebody who is here.
fn name_of(people: &[Option<Person>], id: PersonId) -> &str {
    people
        .get(id as usize)
        .and_then(Option::as_ref)
        .map_or("", |person| &person.name)
}

#[cfg(test)]
mod tests;
