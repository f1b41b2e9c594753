//! Answers of many lines, made piece by piece as their reader takes them.
//!
//! Owns where such an answer goes on. What it tells of may change between two pieces.

use super::bans::Ban;
use super::rooms::Room;
use super::*;

/// What is still to come of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Listing {
    /// Those in a room, from this person's number on.
    Who {
        room: RoomId,
        serial: u64,
        from: PersonId,
    },
    /// The rooms, from this number on.
    Rooms { from: RoomId },
    /// The bans, from this place in their list on.
    Bans { from: u32 },
    /// What was said in a room, from this line's number on to before that.
    History {
        room: RoomId,
        serial: u64,
        from: u32,
        to: u32,
    },
}

impl Chat {
    /// Goes on with a long answer, by so many lines at most. Gives back what is still to come. Whoever is in a
    /// room from the first piece to the last is named exactly once, and so is each line that is kept so long.
    pub fn list(
        &self,
        id: PersonId,
        listing: Listing,
        lines: usize,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        match listing {
            Listing::Who { room, serial, from } => {
                self.list_people(id, (room, serial), from, lines, now, emit)
            }
            Listing::Rooms { from } => self.list_rooms(id, from, lines, emit),
            Listing::Bans { from } => self.list_bans(id, from, lines, emit),
            Listing::History {
                room,
                serial,
                from,
                to,
            } => self.list_history(id, (room, serial), (from, to), lines, now, emit),
        }
    }

    fn list_people(
        &self,
        id: PersonId,
        (room, serial): (RoomId, u64),
        from: PersonId,
        lines: usize,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        // It may be gone, or closed, since the last piece.
        let asker = self.person(id)?;
        let there = self.rooms.get_same(room, serial)?;
        if there.key().is_some() && !self.is_in(id, room) && !asker.is_admin {
            return None;
        }
        let everybody = (0..).zip(&self.people).skip(from as usize);
        let mut there = everybody.filter_map(|(at, person)| {
            let person = person.as_ref()?;
            self.is_in(at, room).then_some((at, person))
        });
        let text = |(_, person): &(_, &Person)| person.name.len();
        for (at, person) in piece(&mut there, lines, text) {
            let idle = person.active.age(now.ticks);
            let (name, is_you) = (&*person.name, at == id);
            emit(tell(id, Notice::Person { name, is_you, idle }));
        }
        let (from, _) = there.next()?;
        Some(Listing::Who { room, serial, from })
    }

    fn list_rooms(
        &self,
        id: PersonId,
        from: RoomId,
        lines: usize,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        let mut rooms = self.rooms.iter().skip_while(|&(at, _)| at < from);
        let text = |(_, room): &(_, &Room)| room.name.len() + room.topic().len();
        for (_, room) in piece(&mut rooms, lines, text) {
            let has_key = room.key().is_some();
            let notice = Notice::Room {
                name: &room.name,
                people: room.members.len(),
                has_key,
                // What a closed room is about is for those in it.
                topic: if has_key { "" } else { room.topic() },
            };
            emit(tell(id, notice));
        }
        rooms.next().map(|(from, _)| Listing::Rooms { from })
    }

    fn list_bans(
        &self,
        id: PersonId,
        from: u32,
        lines: usize,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        let mut bans = (0..).zip(self.bans.list()).skip(from as usize);
        let text = |(_, ban): &(_, &Ban)| ban.by.len();
        for (_, ban) in piece(&mut bans, lines, text) {
            let whom = &ban.whom.to_string();
            emit(tell(id, Notice::Ban { whom, by: &ban.by }));
        }
        bans.next().map(|(from, _)| Listing::Bans { from })
    }

    fn list_history(
        &self,
        id: PersonId,
        (room, serial): (RoomId, u64),
        (from, to): (u32, u32),
        lines: usize,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
        if !self.is_in(id, room) {
            return None;
        }
        let history = &self.rooms.get_same(room, serial)?.history;
        let mut said = history.between(from, to).peekable();
        // What is said meanwhile pushes out the oldest.
        if said.peek().is_none_or(|&(number, _)| number != from) {
            emit(tell(id, Notice::Forgotten));
        }
        let text = |(_, line): &(_, Line<'_>)| line.name.len() + line.text.len();
        for (_, line) in piece(&mut said, lines, text) {
            emit(tell(id, Notice::Line { line, now }));
        }
        if let Some((from, _)) = said.next() {
            return Some(Listing::History {
                room,
                serial,
                from,
                to,
            });
        }
        emit(tell(id, Notice::Now));
        None
    }
}

/// The next of what is listed: so many lines at most, and no more once the texts in them come to
/// [`limits::PAGE`] bytes. One line may be as long as many.
fn piece<T>(
    items: &mut impl Iterator<Item = T>,
    mut lines: usize,
    text: impl Fn(&T) -> usize,
) -> impl Iterator<Item = T> {
    let mut bytes = 0;
    std::iter::from_fn(move || {
        lines = lines.checked_sub(1).filter(|_| bytes < limits::PAGE)?;
        let item = items.next()?;
        bytes += text(&item);
        Some(item)
    })
}
