//! What a client makes of the lines that it gets.

use super::*;

impl Client {
    /// A line came.
    pub(super) fn hear(&mut self, line: &[u8], world: &mut World) -> Result<(), String> {
        let Some(word) = words::read(line) else {
            return Err(format!(
                "this is nothing that a server may say: \"{}\"",
                line.escape_ascii()
            ));
        };
        match word {
            Word::Room(news) => self.hear_room(line, news, world)?,
            Word::Gap(count) => self.hear_gap(count, world)?,
            Word::Welcome if self.place == Place::Coming => {
                self.place = Place::In;
                world.rooms[LOBBY].people += 1;
                world.counts.came += 1;
                self.begin_record(world);
            }
            Word::YouAreIn(room, name) => self.arrive(room, name, world)?,
            Word::YouAreNow(name) => name.clone_into(&mut self.name),
            Word::Pong("end") => self.pongs += 1,
            Word::Private(text) => self.hear_whisper(text, false, world)?,
            Word::Sent(text) => self.hear_whisper(text, true, world)?,
            Word::Closing => self.heard_closing = true,
            Word::Pong(_) | Word::Other => {}
            Word::Welcome => return Err("it is welcomed again".into()),
        }
        Ok(())
    }

    fn hear_room(&mut self, line: &[u8], news: News<'_>, world: &mut World) -> Result<(), String> {
        if self.place == Place::Coming {
            return Err("a line before the welcome".into());
        }
        let room = &mut world.rooms[self.room];
        if self.records == Some(self.room) {
            world.counts.recorded += u64::from(matches!(news, News::Said { .. }));
            return room.append(line, news);
        }
        self.follower.line(line, room)
    }

    fn hear_gap(&mut self, count: u64, world: &mut World) -> Result<(), String> {
        let is_allowed = match world.gaps {
            Gaps::Anybody => true,
            Gaps::Stopped => self.has_stopped,
            Gaps::Nobody => false,
        };
        if !is_allowed {
            return Err(format!("it missed {count} lines"));
        }
        world.counts.gaps += 1;
        world.counts.missed += count;
        let room = &mut world.rooms[self.room];
        if self.records == Some(self.room) {
            world.counts.unrecorded += count;
            room.append_gap(count);
            return Ok(());
        }
        self.follower.gap(count, room)
    }

    /// It is in another room from here on; all of the last one has come.
    fn arrive(&mut self, room: &str, name: &str, world: &mut World) -> Result<(), String> {
        let Place::Moving { to, from } = self.place else {
            return Err(format!("it is taken to {room} unasked"));
        };
        if world.rooms[to].name != room || name != self.name {
            return Err(format!(
                "it asked for {} as {}",
                world.rooms[to].name, self.name
            ));
        }
        self.leave(": ", false, world)?;
        (self.place, self.room) = (Place::In, to);
        self.follower = Follower::new(self.number, from);
        self.visit += 1;
        self.said = 0;
        world.counts.moved += 1;
        self.begin_record(world);
        Ok(())
    }

    fn begin_record(&mut self, world: &mut World) {
        let room = &mut world.rooms[self.room];
        if self.records == Some(self.room) {
            room.is_recorded = true;
            room.inside.insert(self.number);
        }
    }

    /// It has left its room; what the others hear behind its name, if it said anything.
    pub fn leave(&mut self, words: &str, has_words: bool, world: &mut World) -> Result<(), String> {
        let room = &mut world.rooms[self.room];
        room.people = room.people.saturating_sub(1);
        if self.records == Some(self.room) {
            return Ok(());
        }
        let follower =
            std::mem::replace(&mut self.follower, Follower::new(self.number, room.end()));
        world.counts.compared += follower.compared;
        let words = if has_words { words } else { "" };
        follower.leave(&format!("*** {} left{words}", self.name), room)
    }

    fn hear_whisper(&mut self, text: &str, is_copy: bool, world: &mut World) -> Result<(), String> {
        let Some(key) = words::whisper(text) else {
            return Err(format!("nobody whispers like that: {text}"));
        };
        let Some(whisper) = world.whispers.get_mut(&key) else {
            return Err(format!("a whisper that never was, or came twice: {text}"));
        };
        let (whose, is_done) = match is_copy {
            true => (key.0, &mut whisper.is_confirmed),
            false => (whisper.to, &mut whisper.has_come),
        };
        if whose != self.number || std::mem::replace(is_done, true) {
            return Err(format!("a whisper for another, or twice: {text}"));
        }
        if whisper.is_confirmed && whisper.has_come {
            world.whispers.remove(&key);
        }
        Ok(())
    }
}
