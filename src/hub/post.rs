//! Events to bytes, and bytes to those whom they concern.
//!
//! Owns which room's lines go into which feed. Never decides who may hear what: the rules did.

use super::journal;
use crate::chat::{Event, Notice, PersonId, Reason, RoomId, Said, Talk};
use crate::fanout::Fanout;
use crate::fanout::queue::FeedId;
use crate::limits::{self, Millis};
use crate::wire::{plain, record};

/// Delivers what the rules let happen. A person hears one room at a time, as the plain dialect has it: the rules
/// would let them be in several.
#[derive(Debug)]
pub struct Post {
    pub fanout: Fanout,
    /// The feed of each room, by the room's number.
    feeds: Vec<Option<FeedId>>,
    /// Those whom the rules dismissed, and what the log calls them, for the hub to see out.
    pub dismissed: Vec<(PersonId, Reason, Box<str>)>,
    /// Those who want the figures, for the hub to give.
    pub reports: Vec<PersonId>,
    /// Lines published.
    pub lines: u64,
    /// The public lines since the last [`Self::take_records`], and how many; `None` if nobody wants them.
    records: Option<(Vec<u8>, u64)>,
    /// Bytes published in this turn.
    pub published: usize,
    scratch: Vec<u8>,
}

impl Post {
    pub fn new(fanout: Fanout, records: bool) -> Self {
        Self {
            fanout,
            feeds: Vec::new(),
            dismissed: Vec::new(),
            reports: Vec::new(),
            lines: 0,
            records: records.then(Default::default),
            published: 0,
            scratch: Vec::new(),
        }
    }

    /// Begins a turn.
    pub fn begin(&mut self, now: Millis) {
        self.fanout.begin(now);
        self.published = 0;
        // What one line took is not held for all that follow.
        self.scratch.clear();
        self.scratch.shrink_to(limits::TURN);
    }

    #[cfg(test)]
    pub fn scratch_capacity(&self) -> usize {
        self.scratch.capacity()
    }

    /// Does what an event says.
    pub fn deliver(&mut self, event: Event<'_>) {
        match event {
            Event::Publish { room, author, said } => self.publish(room, author, said),
            Event::Record { room, talk } => self.record(room, talk),
            Event::Tell { to, notice } => self.tell(to, notice),
            Event::Whisper {
                from,
                to,
                from_name,
                to_name,
                text,
            } => {
                if self.fanout.is_reading(to) {
                    self.render(Notice::Message {
                        from: from_name,
                        text,
                    });
                    self.fanout.whisper(to, &self.scratch);
                    self.tell(from, Notice::Sent { to: to_name, text });
                } else {
                    self.tell(from, Notice::NotReading(to_name));
                }
            }
            Event::Report { to } => self.reports.push(to),
            Event::Enter { person, room } => self.join(person, room),
            Event::Leave { person, .. } => self.fanout.part(person),
            Event::Vanish { room } => {
                if let Some(feed) = self.feeds.get_mut(room as usize).and_then(Option::take) {
                    self.fanout.close(feed);
                }
            }
            Event::Dismiss {
                person,
                reason,
                name,
            } => self.dismissed.push((person, reason, name.into())),
            Event::Note { who, deed } => journal::note(who, deed),
        }
    }

    /// Sends one person a line.
    pub fn tell(&mut self, to: PersonId, notice: Notice<'_>) {
        self.render(notice);
        self.fanout.send(to, &self.scratch);
    }

    /// Makes `scratch` a notice's line.
    fn render(&mut self, notice: Notice<'_>) {
        self.scratch.clear();
        plain::notice(&mut self.scratch, notice);
    }

    /// Publishes so many lines as they came, with their newlines, in a room without rules.
    pub fn relay(&mut self, room: RoomId, author: PersonId, bytes: &[u8], lines: u64) {
        let feed = self.feed(room);
        self.published += bytes.len();
        self.lines += lines;
        self.fanout
            .publish(feed, Some(author), lines, bytes.len(), |out| {
                out.extend_from_slice(bytes);
            });
    }

    /// Has a reader get the lines of a room from now on.
    pub fn join(&mut self, reader: PersonId, room: RoomId) {
        let feed = self.feed(room);
        self.fanout.join(reader, feed);
    }

    /// Panics unless a reader gets the lines of that room, if of any, and of no other. For tests and debug builds.
    pub fn check_room(&self, reader: PersonId, room: Option<RoomId>) {
        let feed = room.and_then(|room| self.feeds[room as usize]);
        assert_eq!(self.fanout.feed(reader), feed, "{reader} is elsewhere");
    }

    #[inline]
    fn publish(&mut self, room: RoomId, author: Option<PersonId>, said: Said<'_>) {
        let length = plain::said_length(said);
        let feed = self.feed(room);
        let lines = match said {
            Said::Text { lines, .. } | Said::Action { lines, .. } => lines.count() as u64,
            _ => 1,
        };
        self.published += length;
        self.lines += lines;
        self.fanout
            .publish(feed, author, lines, length, |out| plain::said(out, said));
    }

    /// The public lines since the last call, and how many they are.
    pub fn take_records(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, u64) {
        buffer.clear();
        // What one turn took is not held for all that follow.
        buffer.shrink_to(4 * limits::TURN);
        match &mut self.records {
            Some(records) => std::mem::replace(records, (buffer, 0)),
            None => (buffer, 0),
        }
    }

    fn record(&mut self, room: &str, talk: Talk<'_>) {
        let Some((records, count)) = &mut self.records else {
            return;
        };
        for text in talk.lines.iter() {
            let entry = record::Entry {
                unix: talk.at.wall.unix,
                utc_offset_seconds: talk.at.wall.offset,
                room,
                is_action: talk.is_action,
                name: talk.name,
                text,
            };
            record::format(records, entry);
            *count += 1;
        }
    }

    /// The feed of a room; made when it is first needed.
    #[inline]
    fn feed(&mut self, room: RoomId) -> FeedId {
        let index = room as usize;
        if index >= self.feeds.len() {
            self.feeds.resize(index + 1, None);
        }
        *self.feeds[index].get_or_insert_with(|| self.fanout.open())
    }
}
