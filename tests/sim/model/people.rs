//! Who is here, what they are called, and which room they are in.

use super::*;

/// What is counted with each line that is said again, in bytes, beside its name and text.
const AROUND: usize = 32;

/// How somebody goes out of a room.
#[derive(Clone, Copy)]
pub enum Going<'a> {
    Leaves(&'a str),
    IsThrownOut { by: &'a str, text: &'a str },
}

impl Model {
    /// Somebody was let in, as far as the door.
    pub(super) fn came(&mut self, who: Who) {
        let complaint = self.refusal(who);
        assert_eq!(complaint, None, "client {who} was to be refused");
        self.open += 1;
        self.met.most_people = self.met.most_people.max(self.open);
        let origin = self.people[who].origin;
        let own = matches!(origin, Origin::Unix { own: true, .. });
        if self.config.bare {
            self.people[who].standing = Standing::In;
            self.rooms[LOBBY].members.push(who);
        } else if self.bans.bars(origin) {
            self.people[who].standing = Standing::AtTheDoor;
            self.tell(who, "*** you are banned here");
            self.people[who].dismissed = Some("banned");
        } else if self.config.password.is_some() && !own {
            self.people[who].standing = Standing::AtTheDoor;
            self.tell(
                who,
                "*** this server has a password; say it with: /pass PASSWORD",
            );
        } else {
            self.let_in(who);
        }
    }

    /// Somebody is greeted, gets a name and enters the lobby.
    pub(super) fn let_in(&mut self, who: Who) {
        let name = self.first_name(self.people[who].origin);
        self.names.insert(name.to_ascii_lowercase(), who);
        let person = &mut self.people[who];
        person.standing = Standing::In;
        person.name = name;
        person.active = self.now;
        self.tell(who, &self.config.welcome.clone());
        self.enter(who, LOBBY);
    }

    fn first_name(&mut self, origin: Origin) -> String {
        if self.config.hide_addresses {
            if self.names.is_empty() {
                self.guests = 0;
            }
            loop {
                self.guests += 1;
                let name = format!("guest{}", self.guests);
                if !self.names.contains_key(&name) {
                    return name;
                }
            }
        }
        match origin.ip().map(|ip| ip.to_string()) {
            Some(ip) if !self.names.contains_key(&ip) => ip,
            _ => origin.to_string(),
        }
    }

    /// Who is called so.
    pub(super) fn find(&self, name: &str) -> Option<Who> {
        self.names.get(&name.to_ascii_lowercase()).copied()
    }

    /// Somebody goes into a room, which hears of it; and hears what was said there.
    pub(super) fn enter(&mut self, who: Who, room_no: RoomNo) {
        self.people[who].room = room_no;
        self.people[who].entered = self.turn;
        let name = self.people[who].name.clone();
        if self.rooms[room_no].members.len() < limits::ANNOUNCED {
            self.publish(room_no, None, format!("*** {name} entered").as_bytes());
        }
        self.replay(who, room_no);
        self.rooms[room_no].members.push(who);
    }

    /// Somebody is told the last lines of the room that they enter, as many as one may have unread.
    fn replay(&mut self, who: Who, room_no: RoomNo) {
        let (now, clock) = (self.now, self.clock);
        let mut left = limits::REPLIES;
        let fits = |said: &&Said| {
            let length = said.name.len() + said.text.len() + AROUND;
            let fits = length <= left;
            left = left.saturating_sub(length);
            fits
        };
        let newest = self.rooms[room_no].said.iter().rev();
        let newest = newest.take(self.config.history).take_while(fits);
        let lines: Vec<String> = newest.map(|said| said.earlier(now, clock)).collect();
        if lines.is_empty() {
            return;
        }
        self.tell(who, "*** earlier:");
        lines.iter().rev().for_each(|line| self.tell(who, line));
        self.tell(who, "*** now:");
    }

    /// Somebody goes out of a room, which hears of it. An empty one vanishes.
    pub(super) fn leave(&mut self, who: Who, room_no: RoomNo, going: Going<'_>) {
        let room = &mut self.rooms[room_no];
        let is_announced = room.members.len() <= limits::ANNOUNCED;
        room.members.retain(|&member| member != who);
        let name = &self.people[who].name;
        let line = match going {
            Going::Leaves(text) => format!("*** {name} left{}", words::with(text)),
            Going::IsThrownOut { by, text } => {
                format!("*** {name} was thrown out by {by}{}", words::with(text))
            }
        };
        if is_announced {
            self.publish(room_no, None, line.as_bytes());
        }
        let room = &mut self.rooms[room_no];
        if room.members.is_empty() && room_no != LOBBY {
            room.is_gone = true;
            let name = room.name.to_ascii_lowercase();
            // What stands in the transcript anyway outlasts its room.
            if self.config.records {
                let mut said = std::mem::take(&mut room.said);
                said.retain(|said| !said.is_private);
                self.past.insert(name.clone(), said);
            }
            self.room_names.remove(&name);
        }
    }

    /// Somebody goes out of all rooms.
    pub(super) fn depart(&mut self, who: Who, going: Going<'_>) {
        if self.people[who].standing == Standing::In {
            self.leave(who, self.people[who].room, going);
            let name = self.people[who].name.to_ascii_lowercase();
            self.names.remove(&name);
        }
        self.people[who].standing = Standing::Gone;
    }

    pub(super) fn open_room(&mut self, name: &str) -> RoomNo {
        self.met.rooms += 1;
        let mut room = Room::new(name);
        let lower = name.to_ascii_lowercase();
        room.said = self.past.remove(&lower).unwrap_or_default();
        self.rooms.push(room);
        let number = self.rooms.len() - 1;
        self.room_names.insert(lower, number);
        number
    }

    pub(super) fn find_room(&self, name: &str) -> Option<RoomNo> {
        self.room_names.get(&name.to_ascii_lowercase()).copied()
    }

    /// Whether somebody may set a room's topic and key.
    pub(super) fn may_keep(&self, who: Who) -> bool {
        let person = &self.people[who];
        let is_first = self.rooms[person.room].members.first() == Some(&who);
        person.is_admin || person.room != LOBBY && is_first
    }
}
