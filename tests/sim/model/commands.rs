//! What each command brings about.

use super::doors::Door;
use super::ear::{self, Wish};
use super::people::Going;
use super::*;
use words::Fault;

impl Model {
    /// Somebody who is in has said a line.
    pub(super) fn command(&mut self, who: Who, line: &[u8]) {
        self.people[who].active = self.now;
        let (word, raw, text) = match ear::meaning(line) {
            Wish::Say(text) => return self.say(who, false, &text),
            Wish::Command { word, raw, text } => (word, raw, text),
        };
        let (first, more) = ear::first_word(&text);
        match word.to_ascii_lowercase().as_str() {
            "me" if text.is_empty() => self.tell(who, &words::usage("/me TEXT")),
            "me" => self.say(who, true, &raw),
            "msg" => self.message(who, first, more),
            "nick" => self.rename(who, &text),
            "join" => self.join(who, first, more),
            "part" => self.part(who),
            "rooms" => self.people[who].listing = Some(Listing::Rooms),
            "topic" => self.topic(who, &text),
            "key" => self.key(who, &text),
            "who" => self.who(who, &text),
            "history" => self.history(who, &text),
            "ping" if raw.is_empty() => self.tell(who, "*** pong"),
            "ping" => self.tell(who, &format!("*** pong {raw}")),
            "stats" => self.tell_stats(who),
            "help" => self.help(who, &text),
            "quit" => {
                self.depart(who, Going::Leaves(&text));
                self.people[who].dismissed = Some("quit");
            }
            "pass" => self.tell(who, "*** you are in already; no password is needed"),
            "admin" => self.become_admin(who, &raw),
            "kick" => self.kick(who, first, more),
            "ban" => self.ban(who, first, more),
            "unban" => self.unban(who, &text),
            "bans" => self.begin_bans(who),
            "wall" => self.wall(who, &text),
            _ => self.unknown(who, &word),
        }
    }

    fn unknown(&mut self, who: Who, word: &str) {
        let line =
            format!("*** there is no command /{word}; /help lists them, and //{word} says /{word}");
        self.tell(who, &line);
    }

    fn help(&mut self, who: Who, topic: &str) {
        const WORDS: [&str; 21] = [
            "help", "nick", "msg", "me", "who", "rooms", "join", "part", "topic", "key", "history",
            "ping", "stats", "pass", "quit", "admin", "kick", "ban", "unban", "bans", "wall",
        ];
        let word = topic.strip_prefix('/').unwrap_or(topic);
        let lower = word.to_ascii_lowercase();
        match WORDS.contains(&lower.as_str()) {
            true => self.give(who, Own::Begins(format!("*** /{lower}"))),
            false if word.is_empty() => self.give(who, Own::Commands),
            false if word == "/" => self.give(who, Own::Begins("*** //TEXT".into())),
            false => self.unknown(who, word),
        }
    }

    fn say(&mut self, who: Who, is_action: bool, text: &str) {
        let person = &self.people[who];
        let room_no = person.room;
        let said = Said {
            number: self.lines_in,
            at: self.now,
            clock: self.clock,
            is_action,
            name: person.name.clone(),
            text: text.into(),
            is_private: self.rooms[room_no].key.is_some(),
        };
        self.publish(room_no, Some(who), said.line().as_bytes());
        let room = &mut self.rooms[room_no];
        if self.config.records && !said.is_private {
            self.records += &said.record(&room.name);
        }
        room.said.push_back(said);
        if room.said.len() > limits::HISTORY {
            room.said.pop_front();
        }
    }

    fn message(&mut self, who: Who, name: &str, text: &str) {
        if name.is_empty() || text.is_empty() {
            return self.tell(who, &words::usage("/msg NAME TEXT"));
        }
        let Some(to) = self.find(name) else {
            return self.nobody(who, name);
        };
        if to == who {
            return self.tell(who, "*** that is you");
        }
        self.met.messages += 1;
        let (from, to_name) = (&self.people[who].name, &self.people[to].name);
        let number = self.messages.len();
        self.messages.push(Message {
            text: format!("[{from}] {text}"),
            sent: format!("[-> {to_name}] {text}"),
            refused: format!("*** {to_name} is not reading; your message was not sent"),
            fate: self.takes_messages(to),
        });
        self.give(to, Own::Message(number));
        self.give(who, Own::Outcome(number));
    }

    pub(super) fn nobody(&mut self, who: Who, name: &str) {
        let line = format!("*** nobody here is called {name}; /who lists who is here");
        self.tell(who, &line);
    }

    fn rename(&mut self, who: Who, name: &str) {
        match words::fault(name) {
            Some(Fault::Empty) => return self.tell(who, &words::usage("/nick NAME")),
            Some(_) => return self.give(who, Own::Begins("*** a name ".into())),
            None => {}
        }
        let choose = "choose another with: /nick NAME";
        if self.bans.bars_name(name) {
            return self.tell(who, &format!("*** the name {name} is banned; {choose}"));
        }
        if self.find(name).is_some_and(|other| other != who) {
            return self.tell(who, &format!("*** the name {name} is taken; {choose}"));
        }
        self.met.renamed += 1;
        let old = std::mem::replace(&mut self.people[who].name, name.into());
        self.people[who].is_named = true;
        self.names.remove(&old.to_ascii_lowercase());
        self.names.insert(name.to_ascii_lowercase(), who);
        self.tell(who, &format!("*** you are now {name}"));
        let room = self.people[who].room;
        if old != name && self.rooms[room].members.len() <= limits::ANNOUNCED {
            let line = format!("*** {old} is now {name}");
            self.publish(room, Some(who), line.as_bytes());
        }
    }

    fn join(&mut self, who: Who, room: &str, key: &str) {
        let name = room.strip_prefix('#').unwrap_or(room);
        match words::fault(name) {
            Some(Fault::Empty) => return self.tell(who, &words::usage("/join ROOM [KEY]")),
            Some(Fault::Bad) => {
                return self.give(who, Own::Begins("*** the name of a room ".into()));
            }
            Some(Fault::Reserved) | None => {}
        }
        let name = format!("#{name}");
        let found = self.find_room(&name);
        if found == Some(self.people[who].room) {
            let name = &self.rooms[self.people[who].room].name;
            return self.tell(who, &format!("*** you are in {name} already"));
        }
        if let Some(room) = found
            && !self.people[who].is_admin
            && let Some(needed) = self.rooms[room].key.clone()
        {
            if key.is_empty() {
                return self.key_needed(who, room);
            }
            if !self.try_secret(who, Door::Room, key, &needed) {
                return;
            }
        }
        if !is_key(key) {
            return self.tell(who, &words::bad_key());
        }
        let room = found.unwrap_or_else(|| {
            let room = self.open_room(&name);
            self.rooms[room].key = (!key.is_empty()).then(|| key.into());
            room
        });
        self.go(who, room);
    }

    fn key_needed(&mut self, who: Who, room: RoomNo) {
        let name = &self.rooms[room].name;
        let line = format!("*** {name} is closed; who knows its key enters with: /join {name} KEY");
        self.tell(who, &line);
    }

    fn part(&mut self, who: Who) {
        match self.people[who].room {
            LOBBY => self.tell(
                who,
                "*** you are in #lobby, where everybody is who is nowhere else; /quit leaves",
            ),
            _ => self.go(who, LOBBY),
        }
    }

    fn go(&mut self, who: Who, room_no: RoomNo) {
        self.leave(who, self.people[who].room, Going::Leaves(""));
        let room = &self.rooms[room_no];
        let mut lines = vec![format!(
            "*** you are in {} as {}",
            room.name, self.people[who].name
        )];
        if !room.topic.is_empty() {
            lines.push(words::topic(&room.name, &room.topic));
        }
        if room.members.is_empty() && room.key.is_some() {
            lines.push(words::key(&room.name, room.key.as_deref()));
        }
        lines.iter().for_each(|line| self.tell(who, line));
        self.enter(who, room_no);
    }

    fn topic(&mut self, who: Who, text: &str) {
        let room_no = self.people[who].room;
        let may_keep = self.may_keep(who);
        let room = &mut self.rooms[room_no];
        let answer = match text {
            "" => words::topic(&room.name, &room.topic),
            _ if !may_keep => words::not_yours(&room.name),
            _ if text.len() > limits::TOPIC => {
                format!("*** topic too long: {} bytes at most", limits::TOPIC)
            }
            _ => {
                let name = &self.people[who].name;
                let line = match text {
                    "-" => format!("*** {name} took the topic away"),
                    _ => format!("*** {name} set the topic: {text}"),
                };
                room.topic = if text == "-" { "" } else { text }.into();
                return self.publish(room_no, None, line.as_bytes());
            }
        };
        self.tell(who, &answer);
    }

    fn key(&mut self, who: Who, key: &str) {
        let room_no = self.people[who].room;
        let may_keep = self.may_keep(who);
        let room = &mut self.rooms[room_no];
        let answer = match key {
            _ if room_no == LOBBY => {
                "*** #lobby is open to all; make a room of your own with: /join ROOM".into()
            }
            _ if !may_keep => words::not_yours(&room.name),
            "" => words::key(&room.name, room.key.as_deref()),
            "-" if room.key.is_none() => words::key(&room.name, None),
            _ if !is_key(key) => words::bad_key(),
            _ => {
                let name = &self.people[who].name;
                let line = match key {
                    "-" => format!("*** {name} opened the room to all"),
                    _ => format!("*** {name} closed the room with a key"),
                };
                room.key = (key != "-").then(|| key.into());
                if key == "-" {
                    room.said.retain(|said| !said.is_private);
                }
                return self.publish(room_no, None, line.as_bytes());
            }
        };
        self.tell(who, &answer);
    }

    fn who(&mut self, who: Who, text: &str) {
        let name = text.strip_prefix('#').unwrap_or(text);
        let found = match (text, words::fault(name)) {
            ("", _) => Some(self.people[who].room),
            (_, None | Some(Fault::Reserved)) => self.find_room(&format!("#{name}")),
            _ => None,
        };
        let Some(room) = found else {
            let line =
                format!("*** there is no room {text}; /rooms lists them, /join ROOM makes one");
            return self.tell(who, &line);
        };
        if !self.may_look_into(who, room) {
            return self.key_needed(who, room);
        }
        let count = words::people(self.rooms[room].members.len());
        self.tell(who, &format!("*** in {}: {count}", self.rooms[room].name));
        self.people[who].listing = Some(Listing::Who { room, from: 0 });
    }

    pub(super) fn may_look_into(&self, who: Who, room: RoomNo) -> bool {
        let person = &self.people[who];
        self.rooms[room].key.is_none() || person.room == room || person.is_admin
    }

    fn history(&mut self, who: Who, count: &str) {
        let room_no = self.people[who].room;
        let count = match count {
            "" => limits::HISTORY,
            _ => match count.parse() {
                Ok(count) if count > 0 => count,
                _ => return self.tell(who, &words::usage("/history [N]")),
            },
        };
        let room = &self.rooms[room_no];
        let from = room.said.len().saturating_sub(count);
        let Some(from) = room.said.get(from).map(|said| said.number) else {
            let line = format!("*** nothing was said in {} yet", room.name);
            return self.tell(who, &line);
        };
        self.tell(who, "*** earlier:");
        let to = self.lines_in;
        let room = room_no;
        self.people[who].listing = Some(Listing::History { room, from, to });
    }

    fn tell_stats(&mut self, who: Who) {
        if self.stats.is_empty() {
            let at_the_door = self.open - self.names.len();
            let visitors = match at_the_door {
                0 => String::new(),
                n => format!(", {n} at the door"),
            };
            let rooms = self.rooms.iter().filter(|room| !room.is_gone).count();
            self.stats = vec![
                format!("*** up for {}", words::age(self.now)),
                format!("*** people: {}{visitors}; rooms: {rooms}", self.names.len()),
                format!("*** lines: {} in, {} out, ", self.lines_in, self.lines_out),
                "*** readers behind: ".into(),
                "*** memory queued or kept: ".into(),
            ];
        }
        for line in self.stats.clone() {
            self.give(who, Own::Begins(line));
        }
    }
}

/// A word that is not too long.
fn is_key(text: &str) -> bool {
    text.len() <= limits::KEY && !text.contains(char::is_whitespace)
}
