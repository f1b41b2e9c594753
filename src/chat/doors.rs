//! Who may come in, who must go, and who decides it.

use super::bans::{Door, Whom};
use super::*;

/// What came of a secret that somebody said.
#[derive(PartialEq, Eq)]
enum Try {
    Right,
    Wrong,
    /// It was not looked at.
    TooEarly,
}

impl Chat {
    /// Somebody at the door asks for something: only the password is heard, and that they go.
    pub(super) fn knock(
        &mut self,
        id: PersonId,
        command: Command<'_>,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        match command {
            Command::Pass(password) if !password.is_empty() => {
                let needed = self.settings.password.clone().unwrap_or_default();
                let Some(origin) = self.visitors.get(&id).map(|visitor| visitor.origin) else {
                    return;
                };
                match self.try_secret(id, Door::Server, password, &needed, now, emit) {
                    Try::Right => {
                        self.visitors.remove(&id);
                        self.let_in(id, origin, now, emit);
                    }
                    Try::Wrong => self.count_wrong(id, emit),
                    Try::TooEarly => {}
                }
            }
            Command::Quit(_) => {
                self.visitors.remove(&id);
                emit(Event::Dismiss {
                    person: id,
                    reason: Reason::Quit,
                    name: "",
                });
            }
            _ => emit(tell(id, Notice::PasswordNeeded)),
        }
    }

    /// Somebody at the door said a wrong password: after so many they go.
    fn count_wrong(&mut self, id: PersonId, emit: &mut impl FnMut(Event<'_>)) {
        let Some(visitor) = self.visitors.get_mut(&id) else {
            return;
        };
        visitor.wrong += 1;
        if visitor.wrong >= limits::TRY_COUNT {
            self.visitors.remove(&id);
            emit(Event::Dismiss {
                person: id,
                reason: Reason::WrongPassword,
                name: "",
            });
        }
    }

    pub(super) fn become_admin(
        &mut self,
        id: PersonId,
        password: &str,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        let Some(needed) = self.settings.admin_password.clone() else {
            return emit(tell(id, Notice::NoAdmins));
        };
        if password.is_empty() {
            return emit(tell(id, Notice::Usage(help::usage("admin"))));
        }
        let tried = self.try_secret(id, Door::Admin, password, &needed, now, emit);
        if tried == Try::Right {
            if let Some(person) = self.people.get_mut(id as usize).and_then(Option::as_mut) {
                person.is_admin = true;
            }
            emit(tell(id, Notice::AdminNow));
            self.note(id, Deed::BecameAdmin, emit);
        }
    }

    /// Whether somebody knows the key of a room, if it has one; if not, says so.
    pub(super) fn try_key(
        &mut self,
        id: PersonId,
        room: RoomId,
        key: &str,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> bool {
        let room = self.rooms.get(room);
        let Some(needed) = room.key().map(str::to_owned) else {
            return true;
        };
        if key.is_empty() {
            emit(tell(id, Notice::KeyNeeded(&room.name)));
            return false;
        }
        self.try_secret(id, Door::Room, key, &needed, now, emit) == Try::Right
    }

    /// Whether a secret is right; if not, says so. Those who come from where wrong ones came must wait before
    /// another is looked at.
    fn try_secret(
        &mut self,
        id: PersonId,
        door: Door,
        said: &str,
        needed: &str,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Try {
        let visitor = self.visitors.get(&id).map(|visitor| visitor.origin);
        let Some(origin) = visitor.or_else(|| Some(self.person(id)?.origin)) else {
            return Try::TooEarly;
        };
        let place = Place::from(origin);
        if let Some(pause) = self.tries.pause(place, door, now.ticks) {
            emit(tell(id, Notice::TryLater(pause)));
            return Try::TooEarly;
        }
        if constant_time_eq::constant_time_eq(said.as_bytes(), needed.as_bytes()) {
            self.tries.right(place, door);
            return Try::Right;
        }
        self.tries.wrong(place, door, now.ticks);
        let name = self.person(id).map_or("", |person| self.told(person));
        let who = &Who { origin, name };
        let deed = Deed::Wrong(door);
        emit(Event::Note { who, deed });
        let notice = match door {
            Door::Room => Notice::WrongKey,
            Door::Server | Door::Admin => Notice::WrongPassword,
        };
        emit(tell(id, notice));
        Try::Wrong
    }

    pub(super) fn kick(
        &mut self,
        id: PersonId,
        name: &str,
        text: &str,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        if !self.is_admin(id, emit) {
            return;
        }
        if name.is_empty() {
            return emit(tell(id, Notice::Usage(help::usage("kick"))));
        }
        match self.find(name) {
            None => emit(tell(id, Notice::NobodyCalled(name))),
            Some(whom) => {
                let by = name_of(&self.people, id).to_owned();
                let name = name_of(&self.people, whom);
                self.note(id, Deed::ThrewOut { name, text }, emit);
                self.expel(whom, &by, text, Reason::Kicked, emit);
            }
        }
    }

    pub(super) fn ban(
        &mut self,
        id: PersonId,
        text: &str,
        why: &str,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        if !self.is_admin(id, emit) {
            return;
        }
        if text.is_empty() {
            return emit(tell(id, Notice::Usage(help::usage("ban"))));
        }
        let mut whom = Whom::read(text);
        let found = self.find(text).and_then(|found| self.person(found));
        // Somebody without a name of their own is called by their address, and that is what is meant.
        if let Some(person) = found.filter(|person| !person.is_named) {
            whom = Whom::Place(person.origin.into());
        }
        let mine = self.person(id).map(|person| Place::from(person.origin));
        if whom == Whom::Place(Place::Here)
            || found.is_none() && matches!(whom, Whom::Name(_)) && names::check(text).is_err()
        {
            return emit(tell(id, Notice::BadBan(text)));
        }
        if mine.is_some_and(|mine| whom.concerns(name_of(&self.people, id), mine)) {
            return emit(tell(id, Notice::WouldBanYou));
        }
        let ip = found
            .filter(|person| person.is_named)
            .and_then(|person| person.origin.ip());
        let by = name_of(&self.people, id).to_owned();
        if !self.bans.add(whom.clone(), &by) {
            return emit(tell(id, Notice::TooManyBans));
        }
        let deed = Deed::Banned {
            whom: &whom.to_string(),
            text: why,
        };
        self.note(id, deed, emit);
        match &whom {
            Whom::Name(name) => emit(tell(id, Notice::BannedName { name, ip })),
            Whom::Place(place) => emit(tell(id, Notice::Banned(&place.to_string()))),
        }
        let is_meant = |person: &Person| whom.concerns(&person.name, person.origin.into());
        let people = (0..).zip(&self.people);
        let all: Vec<PersonId> = people
            .filter(|(_, person)| person.as_ref().is_some_and(is_meant))
            .map(|(at, _)| at)
            .collect();
        for person in all {
            self.expel(person, &by, why, Reason::Banned, emit);
        }
        let at_the_door = self
            .visitors
            .iter()
            .filter(|(_, visitor)| whom.concerns("", visitor.origin.into()));
        let visitors: Vec<PersonId> = at_the_door.map(|(&id, _)| id).collect();
        for visitor in visitors {
            self.visitors.remove(&visitor);
            emit(tell(visitor, Notice::YouAreBanned));
            emit(Event::Dismiss {
                person: visitor,
                reason: Reason::Banned,
                name: "",
            });
        }
    }

    pub(super) fn unban(&mut self, id: PersonId, text: &str, emit: &mut impl FnMut(Event<'_>)) {
        if !self.is_admin(id, emit) {
            return;
        }
        let whom = Whom::read(text);
        let notice = match text {
            "" => Notice::Usage(help::usage("unban")),
            _ if self.bans.lift(&whom) => {
                self.note(id, Deed::Unbanned(&whom.to_string()), emit);
                Notice::Unbanned(text)
            }
            _ => Notice::NotBanned(text),
        };
        emit(tell(id, notice));
    }

    pub(super) fn bans(&self, id: PersonId, emit: &mut impl FnMut(Event<'_>)) -> Option<Listing> {
        if !self.is_admin(id, emit) {
            return None;
        }
        if self.bans.list().is_empty() {
            emit(tell(id, Notice::NoBans));
        }
        Some(Listing::Bans { from: 0 })
    }

    pub(super) fn wall(&mut self, id: PersonId, text: &str, emit: &mut impl FnMut(Event<'_>)) {
        if !self.is_admin(id, emit) {
            return;
        }
        if text.is_empty() {
            return emit(tell(id, Notice::Usage(help::usage("wall"))));
        }
        self.note(id, Deed::SpokeToAll(text), emit);
        let name = name_of(&self.people, id);
        for (room, _) in self.rooms.iter() {
            emit(Event::Publish {
                room,
                author: None,
                said: Said::Wall { name, text },
            });
        }
    }

    /// Throws somebody out: they are told by whom, and so are their rooms.
    fn expel(
        &mut self,
        id: PersonId,
        by: &str,
        text: &str,
        reason: Reason,
        emit: &mut impl FnMut(Event<'_>),
    ) {
        emit(tell(id, Notice::YouWereKicked { by, text }));
        let gone = self.remove(id, Going::IsThrownOut { by, text }, emit);
        emit(Event::Dismiss {
            person: id,
            reason,
            name: gone.as_ref().map_or("", |gone| self.told(gone)),
        });
    }

    /// Whether somebody is an admin; if not, says that they would have to be.
    fn is_admin(&self, id: PersonId, emit: &mut impl FnMut(Event<'_>)) -> bool {
        let is_admin = self.person(id).is_some_and(|person| person.is_admin);
        if !is_admin {
            emit(tell(id, Notice::AdminOnly));
        }
        is_admin
    }
}
