//! Who one is and where: said to the server on every new connection, before anything else.
//!
//! Owns the password, the name one wants and the room one is in, and what the server has answered so far.
//! Lines of the server go in, commands for it and news for the user come out. Never does I/O, never looks at a
//! clock, and believes the server: a hostile one can mislead, not do harm.
//!
//! What is typed waits until the server has answered: whoever cannot be `alice` would otherwise speak as
//! somebody else, and whoever cannot enter a closed room would say in the lobby what was not for it. What waits
//! for a room that stays closed is given up. A server that answers nothing is no chat; after [`PATIENCE`] it is
//! spoken to all the same. One that took all before is a chat, and is asked again.

use super::Config;
use super::secrets::Secrets;
use crate::limits;
use crate::wire::clean;
use crate::wire::heard::{self, Heard, LOBBY, STARS};
use std::time::{Duration, Instant};

/// How long answers are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whose name is taken tries again after so long …
const SHORTEST: Duration = Duration::from_secs(30);
/// … then after twice as long, but never longer than this. A server's pause after wrong passwords and keys is not
/// believed to be longer either.
const LONGEST: Duration = Duration::from_secs(600);
/// What is put behind a name that is taken, once more each time; one character of the name is left.
const MARK: &str = "_";

/// What opens a server's door.
#[derive(Clone, Debug)]
pub struct Password {
    pub text: String,
    /// Where it is kept, as it is called when it turns out wrong.
    pub file: String,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// This line is sent before anything else.
    Send(String),
    /// The user is told.
    Say(String),
    /// What was typed and still waits was not for the place where one is now: it is given up, and the user is told.
    GiveUp(String),
    /// The user is told, and that is the end.
    Fail(String),
}

/// Who one is, on this connection and all that follow.
#[derive(Debug)]
pub struct Identity {
    /// What opens the server's door, given or once typed.
    password: Option<String>,
    /// Where a given one is kept.
    password_file: Option<String>,
    /// What one wants to be called, if anything.
    wanted: Option<String>,
    /// Where one wants to be, or is; with the key that the user gave, behind a blank.
    room: Option<String>,
    /// What the user said that may open doors, and did not yet.
    said: Secrets,
    /// What the server calls one.
    name: Option<String>,
    /// No server has taken all of that yet: what is refused now was never right.
    is_new: bool,
    door: Door,
    /// Until then the first answers on this connection are waited for.
    entering: Option<Instant>,
    /// The server has said nothing yet but perhaps why it cannot take one more. On a further connection, what was typed
    /// meanwhile is not for that.
    is_outside: bool,
    /// It has said why.
    is_refused: bool,
    /// On this connection or an earlier one, a server had a place.
    was_in: bool,
    /// It has said that it stops: what it has not read yet, it never will.
    is_closing: bool,
    /// The name that was asked for last, until there is an answer.
    asked: Option<String>,
    /// The room was asked for, and there is no answer.
    is_joining: bool,
    /// Its key was not looked at, because of wrong ones; the room is asked for again then.
    rejoin_at: Option<Instant>,
    /// One bears the name one wants.
    is_borne: bool,
    /// How many names were taken, until one was not.
    taken: usize,
    /// One bears another name for the time being, and was told so.
    has_other: bool,
    /// When the wanted name is asked for again, once nothing else is asked for.
    retry_at: Option<Instant>,
    /// The pause before the retry after that.
    pause: Duration,
}

/// Whether the server lets one in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// It does, as far as is known.
    Open,
    /// The password was said, and nothing heard of it.
    Knocked,
    /// There is no password; the user may know it.
    Locked,
    /// Too many wrong ones were said; it is said again then.
    Later(Instant),
}

impl Identity {
    pub fn new(config: &Config) -> Self {
        let given = config.password.clone();
        let (password, password_file) = given.map(|given| (given.text, given.file)).unzip();
        Self {
            password,
            password_file,
            wanted: config.nick.clone(),
            room: config.room.clone(),
            said: Secrets::default(),
            name: None,
            is_new: true,
            door: Door::Open,
            entering: None,
            is_outside: true,
            is_refused: false,
            was_in: false,
            is_closing: false,
            asked: None,
            is_joining: false,
            rejoin_at: None,
            is_borne: true,
            taken: 0,
            has_other: false,
            retry_at: None,
            pause: SHORTEST,
        }
    }

    /// Whether what was typed may go out.
    pub fn is_settled(&self) -> bool {
        self.entering.is_none()
    }

    /// Why the server has heard nothing of what was said on this connection, or not all, if that is so.
    pub fn why_unheard(&self) -> Option<&'static str> {
        if self.door == Door::Locked {
            Some("nothing was heard: the server has a password; say it with: --password-file FILE")
        } else if self.is_refused {
            Some("nothing was heard: the server had no place for one more")
        } else if self.is_closing {
            Some("the last lines may not have been heard: the server was closing")
        } else {
            None
        }
    }

    /// Whether the server has no place for one more, and none ever had.
    pub fn is_turned_away(&self) -> bool {
        self.is_refused && !self.was_in
    }

    /// When [`Identity::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let knock = match self.door {
            Door::Later(until) => Some(until),
            Door::Open | Door::Knocked | Door::Locked => None,
        };
        let retry = self.retry_at.filter(|_| self.asked.is_none());
        [self.entering, knock, self.rejoin_at, retry]
            .into_iter()
            .flatten()
            .min()
    }

    /// There is a connection, on which nothing was said yet.
    pub fn connected(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.door = Door::Open;
        (self.is_outside, self.is_refused) = (true, false);
        self.is_closing = false;
        if let Some(password) = &self.password {
            actions.push(Action::Send(format!("/pass {password}")));
            self.door = Door::Knocked;
        }
        self.enter(now, actions);
    }

    /// The user said this.
    pub fn said(&mut self, secrets: Secrets) {
        self.said.add(secrets);
    }

    /// The server sent a line.
    pub fn line(&mut self, line: &[u8], now: Instant, actions: &mut Vec<Action>) {
        let mut scratch = Vec::new();
        let notice = line
            .strip_prefix(STARS.as_bytes())
            .map(|notice| clean::clean(notice, &mut scratch));
        let heard = notice.and_then(heard::read);
        self.is_closing |= heard == Some(Heard::Closing);
        self.is_outside &= notice.is_some() && matches!(heard, None | Some(Heard::NoPlace));
        self.is_refused = self.is_outside && heard.is_some();
        self.was_in |= !self.is_outside;
        match self.door {
            Door::Open => {}
            _ => self.at_the_door(heard, now, actions),
        }
        if let (Some(notice), Some(heard)) = (notice, heard) {
            self.notice(heard, notice, now, actions);
        }
        self.settle();
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if matches!(self.door, Door::Later(until) if now >= until) {
            self.connected(now, actions);
        }
        if self.rejoin_at.take_if(|at| now >= *at).is_some() {
            self.ask_for_room(actions);
        }
        if self.entering.take_if(|until| now >= *until).is_some() && self.is_joining && !self.is_new
        {
            self.entering = Some(now + PATIENCE);
            self.ask_for_room(actions);
        }
        let is_idle = self.asked.is_none();
        if self.retry_at.take_if(|at| is_idle && now >= *at).is_some() {
            self.ask_for_wanted(actions);
        }
    }

    /// Says who one is and where one wants to be.
    fn enter(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.asked = None;
        self.taken = 0;
        self.has_other = false;
        self.retry_at = None;
        self.pause = SHORTEST;
        self.is_borne = self.wanted.is_none();
        self.ask_for_wanted(actions);
        self.rejoin_at = None;
        self.is_joining = self.room.is_some();
        self.ask_for_room(actions);
        self.entering = Some(now + PATIENCE);
        self.settle();
    }

    /// Once all is answered, what was typed may go out.
    fn settle(&mut self) {
        let is_waiting = match self.door {
            Door::Knocked | Door::Later(_) => true,
            _ if self.is_outside && !self.is_new => true,
            Door::Open | Door::Locked => self.asked.is_some() || self.is_joining,
        };
        if !is_waiting {
            self.entering = None;
            self.is_new &= self.door == Door::Locked;
        }
    }

    /// Whoever has a password to say hears nothing but about that.
    fn at_the_door(&mut self, heard: Option<Heard<'_>>, now: Instant, actions: &mut Vec<Action>) {
        match (self.door, heard) {
            (Door::Knocked, Some(Heard::WrongPassword)) => match &self.password_file {
                Some(file) => {
                    actions.push(Action::Fail(format!("the password in {file} is wrong")));
                }
                None => {
                    self.password = None;
                    self.lock("the password that you said before is wrong now", actions);
                }
            },
            (Door::Knocked, Some(Heard::TryLater(seconds))) => {
                let pause = Duration::from_secs(seconds).min(LONGEST);
                self.door = Door::Later(now + pause);
                self.entering = Some(now + pause + PATIENCE);
                actions.push(Action::Say(format!(
                    "somebody at this address said wrong passwords; trying again in {} s",
                    pause.as_secs()
                )));
            }
            (_, Some(Heard::PasswordNeeded | Heard::WrongPassword | Heard::TryLater(_)))
            | (Door::Later(_), _) => {}
            // What was said before went unheard; now the user has said the password.
            (Door::Locked, _) => {
                self.door = Door::Open;
                if let Some(password) = self.said.password.take() {
                    self.password = Some(password);
                    self.password_file = None;
                }
                self.enter(now, actions);
            }
            (Door::Knocked | Door::Open, _) => self.door = Door::Open,
        }
    }

    fn notice(&mut self, heard: Heard<'_>, notice: &str, now: Instant, actions: &mut Vec<Action>) {
        match heard {
            Heard::PasswordNeeded if self.door == Door::Open => {
                self.lock("the server has a password", actions);
            }
            Heard::YouAreNow(name) => self.named(name, now, actions),
            Heard::NameTaken(name) if self.has_asked(name) => self.taken(now, actions),
            Heard::NameBanned(name) if self.has_asked(name) => match self.is_wanted(name) {
                true => self.refused("it is banned here", actions),
                false => self.taken(now, actions),
            },
            Heard::BadName if self.asked.is_some() => self.refused(notice, actions),
            Heard::YouAreIn { room, name } => {
                self.answered();
                self.name = Some(name.to_owned());
                let joined = self.said.join.take_if(|joining| is_room(joining, room));
                let known = self.room.take().filter(|known| is_room(known, room));
                let found = joined.or(known);
                let room = found.unwrap_or_else(|| room.to_owned());
                self.room = (room != LOBBY).then_some(room);
            }
            Heard::ThrownOut => {
                actions.push(Action::Fail(format!("not coming back by itself: {notice}")))
            }
            Heard::AlreadyIn => self.answered(),
            Heard::Closed(name) if self.name.as_deref() == Some(name) => {
                if let (Some(room), Some(key)) = (&mut self.room, self.said.key.take()) {
                    *room = format!("{} {key}", without_key(room));
                }
            }
            Heard::Opened => {
                if let Some(room) = &mut self.room {
                    room.truncate(without_key(room).len());
                }
            }
            Heard::RoomRefused if self.is_joining => {
                self.answered();
                actions.push(self.shut_out(notice));
            }
            Heard::TryLater(seconds) if self.is_joining && self.door == Door::Open => {
                self.join_later(seconds, now, actions);
            }
            Heard::Gone(name) if self.is_wanted(name) && !self.is_borne => match self.asked {
                // The answer is to come, and may be about another name.
                Some(_) => self.retry_at = Some(now),
                None => self.ask_for_wanted(actions),
            },
            _ => {}
        }
    }

    /// Nobody hears what is said but the password, which only the user may know.
    fn lock(&mut self, why: &str, actions: &mut Vec<Action>) {
        self.door = Door::Locked;
        self.asked = None;
        self.answered();
        // On a first connection the password may be among what was typed.
        if self.entering.is_some() && !self.is_new {
            let what = format!("{why}; say it with: /pass PASSWORD");
            actions.push(Action::GiveUp(what));
        }
    }

    /// The server calls one so from now on.
    fn named(&mut self, name: &str, now: Instant, actions: &mut Vec<Action>) {
        self.name = Some(name.to_owned());
        if self.has_asked(name) {
            self.asked = None;
        } else {
            // The user's own choice.
            self.wanted = Some(name.to_owned());
            self.taken = 0;
        }
        self.is_borne = self.wanted.as_deref() == Some(name);
        if self.is_borne {
            self.has_other = false;
            self.retry_at = None;
            self.pause = SHORTEST;
            return;
        }
        if self.taken > 0 && !std::mem::replace(&mut self.has_other, true) {
            let wanted = self.wanted.as_deref().unwrap_or_default();
            actions.push(Action::Say(format!(
                "the name {wanted} is taken; you are {name} until it is free"
            )));
        }
        self.retry_later(now);
    }

    /// The name that was asked for is somebody else's.
    fn taken(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.asked = None;
        let wanted = self.wanted.as_deref().unwrap_or_default();
        if self.is_borne {
            // Asked for before the user chose another.
        } else if self.has_other {
            self.retry_later(now);
        } else if let Some(other) = other_name(wanted, self.taken + 1) {
            self.taken += 1;
            self.ask(other, actions);
        } else {
            actions.push(Action::Say(format!(
                "the name {wanted} is taken, and so are those like it; you get it when it is free"
            )));
            self.has_other = true;
            self.retry_later(now);
        }
    }

    /// The name that was asked for can be nobody's.
    fn refused(&mut self, why: &str, actions: &mut Vec<Action>) {
        if let Some(name) = self.asked.take() {
            // Asking again would be no use.
            self.is_borne = true;
            let what = format!("the server does not let you be {name}: {why}");
            actions.push(self.failure(what));
        }
    }

    /// The room that was asked for is for others.
    fn shut_out(&mut self, why: &str) -> Action {
        let room = self.room.as_deref().map_or("", without_key);
        let what = format!("the server does not let you into {room}");
        if self.is_new {
            return Action::Fail(format!("{what}: {why}"));
        }
        self.room = None;
        Action::GiveUp(format!("{what} any more: {why}; you are in {LOBBY}"))
    }

    /// Whether the key is right will be told after so many seconds.
    fn join_later(&mut self, seconds: u64, now: Instant, actions: &mut Vec<Action>) {
        let pause = Duration::from_secs(seconds).min(LONGEST);
        self.rejoin_at = Some(now + pause);
        self.entering = Some(now + pause + PATIENCE);
        let room = self.room.as_deref().map_or("", without_key);
        actions.push(Action::Say(format!(
            "somebody at this address said wrong keys; trying {room} again in {} s",
            pause.as_secs()
        )));
    }

    /// There is an answer about the room.
    fn answered(&mut self) {
        self.is_joining = false;
        self.rejoin_at = None;
    }

    /// What was never right is wrong; what was right once is no reason to end.
    fn failure(&self, what: String) -> Action {
        match self.is_new {
            true => Action::Fail(what),
            false => Action::Say(what),
        }
    }

    fn ask_for_room(&self, actions: &mut Vec<Action>) {
        if let Some(room) = &self.room {
            actions.push(Action::Send(format!("/join {room}")));
        }
    }

    fn ask_for_wanted(&mut self, actions: &mut Vec<Action>) {
        if let Some(wanted) = self.wanted.clone() {
            self.ask(wanted, actions);
        }
    }

    fn ask(&mut self, name: String, actions: &mut Vec<Action>) {
        actions.push(Action::Send(format!("/nick {name}")));
        self.asked = Some(name);
    }

    /// The name may be free without one hearing of it: in another room, or a large one.
    fn retry_later(&mut self, now: Instant) {
        if self.retry_at.is_none() {
            self.retry_at = Some(now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }

    fn has_asked(&self, name: &str) -> bool {
        self.asked.as_deref() == Some(name)
    }

    fn is_wanted(&self, name: &str) -> bool {
        let wanted = self.wanted.as_deref();
        wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(name))
    }
}

fn without_key(room: &str) -> &str {
    room.split_once(' ').map_or(room, |(room, _)| room)
}

/// Whether `known`, with or without its key and its `#`, is the room that the server calls `room`.
fn is_room(known: &str, room: &str) -> bool {
    let known = without_key(known);
    known
        .trim_start_matches('#')
        .eq_ignore_ascii_case(&room[1..])
}

/// The `n`th name to be had instead of one that is taken, if there are so many.
fn other_name(name: &str, n: usize) -> Option<String> {
    let room = limits::NAME.checked_sub(n).filter(|&room| room > 0)?;
    let begin: String = name.chars().take(room).collect();
    Some(begin + &MARK.repeat(n))
}

#[cfg(test)]
mod tests;
