//! Events to bytes, and bytes to those whom they concern.
//!
//! Owns which room's lines go into which feed. Never decides who may hear what: the rules did.

use crate::chat::{Event, Notice, PersonId, RoomId, Said};
use crate::fanout::Fanout;
use crate::fanout::queue::FeedId;
use crate::wire::plain;

/// Delivers what the rules let happen.
#[derive(Debug)]
pub struct Post {
    pub fanout: Fanout,
    /// The feed of each room, by the room's number.
    feeds: Vec<Option<FeedId>>,
    /// Those whom the rules dismissed, for the hub to see out.
    pub dismissed: Vec<PersonId>,
    /// Bytes published in this turn.
    pub published: usize,
    scratch: Vec<u8>,
}

impl Post {
    pub fn new(fanout: Fanout) -> Self {
        Self {
            fanout,
            feeds: Vec::new(),
            dismissed: Vec::new(),
            published: 0,
            scratch: Vec::new(),
        }
    }

    /// Does what an event says.
    pub fn deliver(&mut self, event: Event<'_>) {
        match event {
            Event::Publish { room, author, said } => self.publish(room, author, said),
            Event::Tell { to, notice } => self.tell(to, notice),
            Event::Enter { person, room } => {
                let feed = self.feed(room);
                self.fanout.join(person, feed);
            }
            Event::Leave { person, .. } => self.fanout.part(person),
            Event::Dismiss { person } => self.dismissed.push(person),
        }
    }

    /// Sends one person a line.
    pub fn tell(&mut self, to: PersonId, notice: Notice<'_>) {
        self.scratch.clear();
        plain::notice(&mut self.scratch, notice);
        self.fanout.send(to, &self.scratch);
    }

    /// Publishes a line as it came, with a newline, in a room without rules.
    pub fn relay(&mut self, room: RoomId, author: PersonId, line: &[u8]) {
        let length = line.len() + 1;
        let feed = self.feed(room);
        self.published += length;
        self.fanout.publish(feed, Some(author), length, |out| {
            out.extend_from_slice(line);
            out.push(b'\n');
        });
    }

    /// Puts a reader into a room without rules.
    pub fn join(&mut self, reader: PersonId, room: RoomId) {
        let feed = self.feed(room);
        self.fanout.join(reader, feed);
    }

    fn publish(&mut self, room: RoomId, author: Option<PersonId>, said: Said<'_>) {
        let length = plain::said_length(said);
        let feed = self.feed(room);
        self.published += length;
        self.fanout
            .publish(feed, author, length, |out| plain::said(out, said));
    }

    /// The feed of a room; made when it is first needed.
    fn feed(&mut self, room: RoomId) -> FeedId {
        let index = room as usize;
        if index >= self.feeds.len() {
            self.feeds.resize(index + 1, None);
        }
        *self.feeds[index].get_or_insert_with(|| self.fanout.open())
    }
}
