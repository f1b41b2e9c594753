//! Who may come in, who must go, and who decides it.

use super::bans::Whom;
use super::*;

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
                if self.try_password(id, origin, password, &needed, now, emit) {
                    self.visitors.remove(&id);
                    self.let_in(id, origin, now, emit);
                } else if let Some(visitor) = self.visitors.get_mut(&id) {
                    visitor.wrong += 1;
                    if visitor.wrong >= limits::TRY_COUNT {
                        self.visitors.remove(&id);
                        emit(Event::Dismiss {
                            person: id,
                            reason: Reason::WrongPassword,
                        });
                    }
                }
            }
            Command::Quit(_) => {
                self.visitors.remove(&id);
                emit(Event::Dismiss {
                    person: id,
                    reason: Reason::Quit,
                });
            }
            _ => emit(tell(id, Notice::PasswordNeeded)),
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
        let Some(origin) = self.person(id).map(|person| person.origin) else {
            return;
        };
        if self.try_password(id, origin, password, &needed, now, emit) {
            if let Some(person) = self.people.get_mut(id as usize).and_then(Option::as_mut) {
                person.is_admin = true;
            }
            emit(tell(id, Notice::AdminNow));
        }
    }

    /// Whether a password is right; if not, says so. Those who come from where wrong ones came must wait before
    /// another is looked at.
    fn try_password(
        &mut self,
        id: PersonId,
        origin: Origin,
        password: &str,
        needed: &str,
        now: Moment,
        emit: &mut impl FnMut(Event<'_>),
    ) -> bool {
        let place = Place::from(origin);
        if let Some(pause) = self.tries.pause(place, now.ticks) {
            emit(tell(id, Notice::TryLater(pause)));
            return false;
        }
        let is_right = constant_time_eq::constant_time_eq(password.as_bytes(), needed.as_bytes());
        if is_right {
            self.tries.right(place);
        } else {
            self.tries.wrong(place, now.ticks);
            emit(tell(id, Notice::WrongPassword));
        }
        is_right
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
        match self.find(name) {
            _ if name.is_empty() => emit(tell(id, Notice::Usage(help::usage("kick")))),
            None => emit(tell(id, Notice::NobodyCalled(name))),
            Some(whom) => {
                let by = name_of(&self.people, id).to_owned();
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
            return emit(tell(id, Notice::ThatIsYou));
        }
        let ip = found
            .filter(|person| person.is_named)
            .and_then(|person| person.origin.ip());
        let by = name_of(&self.people, id).to_owned();
        if !self.bans.add(whom.clone(), &by) {
            return emit(tell(id, Notice::TooManyBans));
        }
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
    }

    pub(super) fn unban(&mut self, id: PersonId, text: &str, emit: &mut impl FnMut(Event<'_>)) {
        if !self.is_admin(id, emit) {
            return;
        }
        let whom = Whom::read(text);
        let notice = match text {
            "" => Notice::Usage(help::usage("unban")),
            _ if self.bans.lift(&whom) => Notice::Unbanned(text),
            _ => Notice::NotBanned(text),
        };
        emit(tell(id, notice));
    }

    pub(super) fn list_bans(
        &self,
        id: PersonId,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Option<Listing> {
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
        self.remove(id, Going::IsThrownOut { by, text }, emit);
        emit(Event::Dismiss { person: id, reason });
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
