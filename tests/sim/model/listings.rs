//! Answers of many lines, piece by piece.

use super::*;

impl Model {
    /// Somebody gets the next piece of a long answer.
    pub(super) fn list(&mut self, who: Who) {
        let mut lines: Vec<String> = match self.people[who].listing.take() {
            None => panic!("client {who} asked for nothing that is long"),
            Some(Listing::Who { room, from }) => self.list_people(who, room, from),
            Some(Listing::History { room, from, to }) => {
                return self.list_history(who, room, from, to);
            }
            Some(Listing::Bans) => self.bans.list(),
            Some(Listing::Rooms) => {
                let rooms = self.rooms.iter().filter(|room| !room.is_gone);
                let line = |room: &Room| {
                    words::room(
                        &room.name,
                        room.members.len(),
                        room.key.is_some(),
                        &room.topic,
                    )
                };
                rooms.map(line).collect()
            }
        };
        assert!(
            lines.len() <= limits::PAGE_LINES,
            "the world has too many rooms"
        );
        if lines.len() == 1 {
            self.tell(who, &lines.remove(0));
        } else if lines.len() > 1 {
            self.give(who, Own::AnyOrder(lines));
        }
    }

    /// The next of those in a room. Whoever comes first is the server's choice, but it must come to all.
    fn list_people(&mut self, who: Who, room_no: RoomNo, from: u32) -> Vec<String> {
        let room = &self.rooms[room_no];
        if room.is_gone || !self.may_look_into(who, room_no) {
            return Vec::new();
        }
        let mut there: Vec<Who> = room.members.clone();
        there.retain(|&there| self.people[there].id >= from);
        there.sort_unstable_by_key(|&there| self.people[there].id);
        if let Some(&next) = there.get(limits::PAGE_LINES) {
            let from = self.people[next].id;
            self.people[who].listing = Some(Listing::Who {
                room: room_no,
                from,
            });
        }
        there.truncate(limits::PAGE_LINES);
        let line = |there: Who| {
            let person = &self.people[there];
            let you = if there == who { " (you)" } else { "" };
            let idle = words::age(self.now - person.active / 1_000 * 1_000);
            format!("*** {}{you}, idle {idle}", person.name)
        };
        there.into_iter().map(line).collect()
    }

    /// The next of the lines from one to another, as far as they are still kept.
    fn list_history(&mut self, who: Who, room_no: RoomNo, from: u64, to: u64) {
        let (now, clock) = (self.now, self.clock);
        let said = &self.rooms[room_no].said;
        let mut said = said.iter().filter(|said| (from..to).contains(&said.number));
        let mut said = said.by_ref().peekable();
        let mut lines = Vec::new();
        if said.peek().is_none_or(|said| said.number != from) {
            lines.push("*** some lines are no longer kept".into());
        }
        let mut bytes = 0;
        for said in said.by_ref().take(limits::PAGE_LINES) {
            lines.push(said.earlier(now, clock));
            bytes += said.name.len() + said.text.len();
            if bytes >= limits::PAGE {
                break;
            }
        }
        match said.next().map(|said| said.number) {
            Some(from) => {
                let room = room_no;
                self.people[who].listing = Some(Listing::History { room, from, to });
            }
            None => lines.push("*** now:".into()),
        }
        lines.iter().for_each(|line| self.tell(who, line));
    }
}
