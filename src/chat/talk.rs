//! Commands for everybody: names, talk, rooms.

use super::names::Fault;
use super::rooms::full_name;
use super::*;

/// Said instead of a topic or a key, takes it away.
const NOTHING: &str = "-";

impl Chat {
    /// Publishes lines in the room that somebody is in, and keeps them.
    pub(super) fn say(
        &mut self,
        id: PersonId,
        is_action: bool,
        lines: Lines<'_>,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        let Some(person) = self.people.get(id as usize).and_then(Option::as_ref) else {
            return;
        };
        let (name, room_id) = (&*person.name, person.room);
        let said = match is_action {
            true => Said::Action { name, lines },
            false => Said::Text { name, lines },
        };
        emit(Event::Publish {
            room: room_id,
            author: Some(id),
            said,
        });
        let room = self.rooms.get_mut(room_id);
        let is_private = room.key().is_some();
        let talk = Talk {
            at: now,
            is_action,
            name,
            lines,
        };
        if !is_private {
            emit(Event::Record {
                room: &room.name,
                talk,
            });
        }
        room.history.push(talk, is_private);
    }

    pub(super) fn whisper(
        &mut self,
        id: PersonId,
        name: &str,
        text: &str,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        if name.is_empty() || text.is_empty() {
            return emit(tell(id, Notice::Usage(help::usage("msg"))));
        }
        match self.find(name) {
            None => emit(tell(id, Notice::NobodyCalled(name))),
            Some(to) if to == id => emit(tell(id, Notice::ThatIsYou)),
            Some(to) => emit(Event::Whisper {
                from: id,
                to,
                from_name: name_of(&self.people, id),
                to_name: name_of(&self.people, to),
                text,
            }),
        }
    }

    pub(super) fn rename(&mut self, id: PersonId, name: &str, emit: &mut impl FnMut(Event<'_>)) {
        match names::check(name) {
            Err(Fault::Empty) => return emit(tell(id, Notice::Usage(help::usage("nick")))),
            Err(fault) => return emit(tell(id, Notice::BadName(fault))),
            Ok(()) => {}
        }
        if self.bans.bars_name(name) {
            return emit(tell(id, Notice::NameBanned(name)));
        }
        if self.find(name).is_some_and(|other| other != id) {
            return emit(tell(id, Notice::NameTaken(name)));
        }
        self.names.remove(id, name_of(&self.people, id));
        if name_of(&self.people, id) != name {
            self.note(id, Deed::Renamed(name), emit);
        }
        let Some(person) = self.people.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let old = std::mem::replace(&mut person.name, name.into());
        person.is_named = true;
        self.names.insert(id, |id| name_of(&self.people, id));
        emit(tell(id, Notice::YouAreNow(name)));
        if *old == *name {
            return;
        }
        for room in self.rooms_of(id) {
            if self.rooms.get(room).members.len() <= limits::ANNOUNCED {
                let said = Said::Renamed {
                    old: &old,
                    new: name,
                };
                emit(Event::Publish {
                    room,
                    author: Some(id),
                    said,
                });
            }
        }
    }

    pub(super) fn join(
        &mut self,
        id: PersonId,
        room: &str,
        key: &str,
        keep: bool,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        let name = match full_name(room) {
            Err(Fault::Empty) => return emit(tell(id, Notice::Usage(help::usage("join")))),
            Err(fault) => return emit(tell(id, Notice::BadRoom(fault))),
            Ok(name) => name,
        };
        let found = self.rooms.find(&name);
        let Some(person) = self.person(id) else {
            return;
        };
        if found == Some(person.room) {
            return emit(tell(
                id,
                Notice::AlreadyIn(&self.rooms.get(person.room).name),
            ));
        }
        if let Some(room) = found
            && !self.is_in(id, room)
            && !person.is_admin
            && !self.try_key(id, room, key, now, emit)
        {
            return;
        }
        if !is_key(key) {
            return emit(tell(id, Notice::BadKey));
        }
        let room = found.unwrap_or_else(|| {
            let id = self.rooms.open(&name);
            let room = self.rooms.get_mut(id);
            if let Some(history) = self.past.take(&name) {
                room.history = history;
            }
            room.set_key(Some(key).filter(|key| !key.is_empty()));
            id
        });
        self.go(id, room, keep, now, emit);
    }

    pub(super) fn part(&mut self, id: PersonId, now: Moment, emit: &mut impl FnMut(Event<'_>)) {
        let is_elsewhere = self.elsewhere.contains_key(&id);
        match self.person(id).map(|person| person.room) {
            Some(room) if is_elsewhere => self.drop_room(id, room, emit),
            Some(LOBBY_ID) => emit(tell(id, Notice::LobbyStays)),
            Some(_) => self.go(id, LOBBY_ID, false, now, emit),
            None => {}
        }
    }

    /// Takes somebody to a room; the one they were in is left, unless they `keep` it.
    fn go(
        &mut self,
        id: PersonId,
        room: RoomId,
        keep: bool,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        let was_in = self.is_in(id, room);
        let Some(person) = self.people.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let old = std::mem::replace(&mut person.room, room);
        let mut others = self.elsewhere.remove(&id).unwrap_or_default();
        others.retain(|&other| other != room);
        if keep {
            others.push(old);
        }
        if !others.is_empty() {
            self.elsewhere.insert(id, others);
        }
        if !keep {
            self.leave(id, old, Going::Leaves(""), emit);
        }
        let (room_name, topic) = (&*self.rooms.get(room).name, self.rooms.get(room).topic());
        emit(tell(
            id,
            Notice::YouAreIn {
                room: room_name,
                name: name_of(&self.people, id),
            },
        ));
        if !topic.is_empty() {
            emit(tell(
                id,
                Notice::Topic {
                    room: room_name,
                    topic,
                },
            ));
        }
        let here = self.rooms.get(room);
        if here.members.is_empty() && here.key().is_some() {
            let (room, key) = (&*here.name, here.key());
            emit(tell(id, Notice::Key { room, key }));
        }
        if !was_in {
            self.note(id, Deed::Entered(&self.rooms.get(room).name), emit);
            self.enter(id, room, now, emit);
        }
    }

    /// Takes somebody, who is in others too, out of a room.
    fn drop_room(&mut self, id: PersonId, room: RoomId, emit: &mut impl FnMut(Event<'_>)) {
        let Some(person) = self.people.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        if let Some(others) = self.elsewhere.get_mut(&id) {
            if let Some(next) = others.pop() {
                person.room = next;
            }
            if others.is_empty() {
                self.elsewhere.remove(&id);
            }
        }
        self.leave(id, room, Going::Leaves(""), emit);
    }

    pub(super) fn topic(&mut self, id: PersonId, topic: &str, emit: &mut impl FnMut(Event<'_>)) {
        let Some(person) = self.people.get(id as usize).and_then(Option::as_ref) else {
            return;
        };
        let room_id = person.room;
        let room = self.rooms.get_mut(room_id);
        if topic.is_empty() {
            return emit(tell(
                id,
                Notice::Topic {
                    room: &room.name,
                    topic: room.topic(),
                },
            ));
        }
        if !may_keep(person, id, room_id, room) {
            return emit(tell(id, Notice::NotYours(&room.name)));
        }
        if topic.len() > limits::TOPIC {
            return emit(tell(id, Notice::TopicTooLong(limits::TOPIC)));
        }
        let topic = if topic == NOTHING { "" } else { topic };
        room.set_topic(topic);
        let said = Said::Topic {
            name: &person.name,
            topic,
        };
        emit(Event::Publish {
            room: room_id,
            author: None,
            said,
        });
    }

    pub(super) fn key(&mut self, id: PersonId, key: &str, emit: &mut impl FnMut(Event<'_>)) {
        let Some(person) = self.people.get(id as usize).and_then(Option::as_ref) else {
            return;
        };
        let room_id = person.room;
        let room = self.rooms.get_mut(room_id);
        if room_id == LOBBY_ID {
            return emit(tell(id, Notice::LobbyHasNoKey));
        }
        if !may_keep(person, id, room_id, room) {
            return emit(tell(id, Notice::NotYours(&room.name)));
        }
        if key.is_empty() || key == NOTHING && room.key().is_none() {
            let (room, key) = (&*room.name, room.key());
            return emit(tell(id, Notice::Key { room, key }));
        }
        if !is_key(key) {
            return emit(tell(id, Notice::BadKey));
        }
        let is_set = key != NOTHING;
        room.set_key(Some(key).filter(|_| is_set));
        if !is_set {
            room.history.forget_private();
        }
        let said = Said::Key {
            name: &person.name,
            is_set,
        };
        emit(Event::Publish {
            room: room_id,
            author: None,
            said,
        });
    }

    pub(super) fn who(
        &self,
        id: PersonId,
        room: &str,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        let person = self.person(id)?;
        let found = match (room, full_name(room)) {
            ("", _) => Some(person.room),
            (_, Ok(name)) => self.rooms.find(&name),
            (_, Err(_)) => None,
        };
        let Some(room_id) = found else {
            emit(tell(id, Notice::NoRoom(room)));
            return None;
        };
        let room = self.rooms.get(room_id);
        if room.key().is_some() && !self.is_in(id, room_id) && !person.is_admin {
            emit(tell(id, Notice::KeyNeeded(&room.name)));
            return None;
        }
        emit(tell(
            id,
            Notice::Present {
                room: &room.name,
                people: room.members.len(),
            },
        ));
        Some(Listing::Who {
            room: room_id,
            serial: room.serial,
            from: 0,
        })
    }

    pub(super) fn history(
        &self,
        id: PersonId,
        count: &str,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        let person = self.person(id)?;
        let count = match (count, count.parse()) {
            ("", _) => limits::HISTORY,
            (_, Ok(count @ 1..)) => count,
            _ => {
                emit(tell(id, Notice::Usage(help::usage("history"))));
                return None;
            }
        };
        let room = self.rooms.get(person.room);
        let Some((from, to)) = room.history.numbers(count) else {
            emit(tell(id, Notice::NoHistory(&room.name)));
            return None;
        };
        emit(tell(id, Notice::Earlier));
        Some(Listing::History {
            room: person.room,
            serial: room.serial,
            from,
            to,
        })
    }
}

/// Whether a text can be a key: a word.
fn is_key(text: &str) -> bool {
    text.len() <= limits::KEY && !text.contains(char::is_whitespace)
}

/// Whether somebody may set a room's topic and key. The lobby is nobody's but the admins'.
fn may_keep(person: &Person, id: PersonId, room_id: RoomId, room: &rooms::Room) -> bool {
    person.is_admin || room_id != LOBBY_ID && room.is_keeper(id)
}
