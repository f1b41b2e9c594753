//! Rooms: what they are called, who is in them, what was said there.

use super::history::History;
use super::names::{self, Fault, Names};
use super::{PersonId, RoomId};
use crate::limits;
use crate::memory::{Held, Meter, block};
use slab::Slab;

/// The room that everybody enters first, and that stays.
pub const LOBBY: &str = "#lobby";
/// Its number: the first.
pub const LOBBY_ID: RoomId = 0;

/// A room.
#[derive(Debug)]
pub struct Room {
    /// Told from every other that ever was, also of the same number.
    pub serial: u64,
    /// With its `#`.
    pub name: Box<str>,
    topic: Box<str>,
    key: Option<Box<str>>,
    /// The memory of topic and key.
    texts: Held,
    /// Who is in it, the first to come first.
    pub members: Vec<PersonId>,
    pub history: History,
}

impl Room {
    fn new(name: &str, serial: u64, history: History, texts: Held) -> Self {
        Self {
            serial,
            name: name.into(),
            topic: "".into(),
            key: None,
            texts,
            members: Vec::new(),
            history,
        }
    }

    /// What it is about; may be empty.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What opens it, if it is closed.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Says what it is about; nothing, if that is empty.
    pub fn set_topic(&mut self, topic: &str) {
        self.topic = topic.into();
        self.count();
    }

    /// Closes it with a key, or opens it to all.
    pub fn set_key(&mut self, key: Option<&str>) {
        self.key = key.map(Into::into);
        self.count();
    }

    fn count(&mut self) {
        let key = self.key().map_or(0, str::len);
        self.texts.set(block(self.topic.len()) + block(key));
    }

    /// Whether somebody may set topic and key: the first who came, of those still there.
    pub fn is_keeper(&self, id: PersonId) -> bool {
        self.members.first() == Some(&id)
    }
}

/// All rooms: those with somebody in them, and the lobby.
#[derive(Debug)]
pub struct Rooms {
    rooms: Slab<Room>,
    names: Names,
    /// How many there ever were.
    count: u64,
    /// Counts the memory of what was said.
    meter: Meter,
    /// Counts the memory of topics and keys.
    texts: Meter,
}

impl Rooms {
    /// The lobby alone. The memory of what is said in rooms is counted by `meter`.
    pub fn new(meter: &Meter) -> Self {
        let mut rooms = Self {
            rooms: Slab::new(),
            names: Names::default(),
            count: 0,
            meter: meter.clone(),
            texts: Meter::default(),
        };
        let lobby = rooms.open(LOBBY);
        debug_assert_eq!(lobby, LOBBY_ID);
        rooms
    }

    /// The room of that name, as [`full_name`] gives it.
    pub fn find(&self, name: &str) -> Option<RoomId> {
        self.names.find(name, |id| &self.rooms[id as usize].name)
    }

    /// Makes a room, of a name that none has.
    pub fn open(&mut self, name: &str) -> RoomId {
        self.count += 1;
        let history = History::new(&self.meter);
        let room = Room::new(name, self.count, history, self.texts.hold());
        let id = self.rooms.insert(room) as RoomId;
        self.names.insert(id, |id| &self.rooms[id as usize].name);
        id
    }

    /// Takes a room away.
    pub fn close(&mut self, id: RoomId) -> Room {
        let room = self.rooms.remove(id as usize);
        self.names.remove(id, &room.name);
        room
    }

    /// A room that is there.
    pub fn get(&self, id: RoomId) -> &Room {
        &self.rooms[id as usize]
    }

    /// A room, if it is still the one of that serial number.
    pub fn get_same(&self, id: RoomId, serial: u64) -> Option<&Room> {
        self.rooms
            .get(id as usize)
            .filter(|room| room.serial == serial)
    }

    /// A room that is there, to change.
    pub fn get_mut(&mut self, id: RoomId) -> &mut Room {
        &mut self.rooms[id as usize]
    }

    /// A room, if it is there, to change.
    pub fn find_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.rooms.get_mut(id as usize)
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(id, room)| (id as RoomId, room))
    }

    /// Bytes of memory held for the rooms themselves, with their topics and keys.
    pub fn tables(&self) -> usize {
        // Its name, its members, and its place in the table of names.
        let room = size_of::<Room>() + 2 * block(limits::NAME / 2) + size_of::<RoomId>() + 1;
        self.rooms.capacity() * room + self.texts.total()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }
}

/// What a room is called in full, from what somebody wrote, with or without the `#`.
pub fn full_name(text: &str) -> Result<String, Fault> {
    let name = text.strip_prefix('#').unwrap_or(text);
    // What is reserved among people is free for rooms.
    match names::check(name) {
        Ok(()) | Err(Fault::Reserved) => Ok(format!("#{name}")),
        Err(fault) => Err(fault),
    }
}
