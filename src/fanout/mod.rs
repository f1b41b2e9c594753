//! What is still to be written to whom.
//!
//! Owns the feeds (a room's log in one dialect, with its readers' cursors), the readers' queues, and what becomes
//! of readers that fall behind. Never touches a socket: the hub lends it a function that writes.
//!
//! A published line is appended once, to its feed's log. A reader is a cursor into that log; what is
//! between the cursor and the log's end is its *tail*. What must come before the tail (a reply, the lines
//! from before its own line) is set aside in the reader's queue, the lines among it by reference. So the
//! order is exact, the author skips its own line by standing still, and for those who only listen
//! there is nothing but the cursor.
//!
//! [`Fanout::flush`] ends a turn: it writes to everybody who has something to come and is not blocked, then
//! settles each feed: clears a log that nobody needs, drops the oldest chunk of one that is too long,
//! holds a room up or lets it go on.

mod check;
mod flush;
pub mod log;
pub mod queue;
mod slow;

pub use flush::{Outlets, outlets};

use crate::faults::{Fault, planted};
use crate::limits::{self, Millis};
use crate::memory::{Meter, block};
use log::{Cursor, Log};
use queue::{FeedId, Kind, Line, Queue, Segment};
use slab::Slab;
use std::io::IoSlice;
use std::num::NonZeroU32;
use std::rc::{Rc, Weak};

/// Names a reader; the caller chooses the numbers, small ones first.
pub type ReaderId = u32;

/// What happens to a reader further behind than the backlog (contract, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// It goes on from the oldest line still held, after a line that counts what it missed.
    Skip,
    /// It is given up.
    Close,
    /// Its room is held up until it is back within half its backlog, or has used up its time.
    Wait,
}

/// What all feeds have in common.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far behind a feed's end a reader may fall, in bytes.
    pub backlog: usize,
    pub slow: Slow,
    /// How long a reader may hold its room up under [`Slow::Wait`].
    pub slow_timeout: Millis,
    /// A reader that took nothing for so long has stopped: unless under [`Slow::Wait`], nobody waits for it.
    pub stall: Millis,
    /// The line that tells a reader how many it missed. `None`: the dialect has no such line, and a
    /// reader that missed one is given up.
    pub gap: Option<fn(u64) -> Vec<u8>>,
}

/// A room that is held up.
#[derive(Clone, Copy, Debug)]
struct Hold {
    since: Millis,
    /// When it is to be looked at again.
    check: Millis,
    /// Where the log ended when it began.
    end: u64,
}

/// A point in time in four bytes, of which every reader has one. Ages are right up to 49 days.
#[derive(Clone, Copy, Debug)]
struct Stamp(NonZeroU32);

impl Stamp {
    fn new(now: Millis) -> Self {
        Self(NonZeroU32::MIN | now as u32)
    }

    fn age(self, now: Millis) -> u32 {
        (now as u32 | 1).wrapping_sub(self.0.get())
    }
}

/// Not in any feed.
const NOWHERE: FeedId = FeedId::MAX;

#[derive(Debug)]
struct Reader {
    /// What comes before the tail; `None` is empty.
    queue: Option<Box<Queue>>,
    /// The feed whose tail this reader has, or [`NOWHERE`]; and its index in that feed's `members`.
    feed: FeedId,
    seat: u32,
    /// Since when no write is tried, because the last one was cut short; until [`Fanout::unblock`].
    blocked: Option<Stamp>,
    /// Listed in `due`.
    due: bool,
    /// Has stopped for too long, and holds nobody up until it has caught up.
    excused: bool,
    /// Listed in `too_slow`: behind what it missed, nothing is written to it before it is [`Fanout::cut`].
    given_up: bool,
}

#[derive(Debug)]
struct Member {
    reader: ReaderId,
    /// Where its tail begins. Inside a line only while the reader has no queue.
    cursor: Cursor,
}

#[derive(Debug)]
struct Feed {
    log: Log,
    /// In one array that a flush walks in order.
    members: Vec<Member>,
    /// Those who left and have lines of it still in their queue, or had.
    trailing: Vec<ReaderId>,
    /// Ranges of this log in all queues.
    ranges: usize,
    /// The line that somebody was last left in the middle of, while anybody is.
    unfinished: Weak<Line>,
    /// What its members say waits.
    held: Option<Hold>,
    /// Gone as soon as nothing of it is to be written any more.
    is_closed: bool,
    /// Listed in `dirty`: there are new lines.
    dirty: bool,
    /// Listed in `touched`: something was added or taken, so it may be time to clear or drop.
    touched: bool,
}

/// All feeds and all readers.
#[derive(Debug)]
pub struct Fanout {
    settings: Settings,
    /// This turn's time.
    now: Millis,
    feeds: Slab<Feed>,
    readers: Vec<Option<Reader>>,
    dirty: Vec<FeedId>,
    touched: Vec<FeedId>,
    due: Vec<ReaderId>,
    held: Vec<FeedId>,
    too_slow: Vec<ReaderId>,
    /// Lines for a reader each, since the beginning: published, and missed.
    delivered: u64,
    skipped: u64,
    waited_for: Vec<ReaderId>,
    /// Counts the memory of logs and queues.
    meter: Meter,
}

impl Fanout {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0,
            feeds: Slab::new(),
            readers: Vec::new(),
            dirty: Vec::new(),
            touched: Vec::new(),
            due: Vec::new(),
            held: Vec::new(),
            too_slow: Vec::new(),
            delivered: 0,
            skipped: 0,
            waited_for: Vec::new(),
            meter: Meter::default(),
        }
    }

    /// A turn begins.
    pub fn begin(&mut self, now: Millis) {
        self.now = now;
    }

    /// Makes a feed without readers.
    pub fn open(&mut self) -> FeedId {
        let chunk = (self.settings.backlog / 16).clamp(limits::MIN_CHUNK, limits::CHUNK);
        self.feeds.insert(Feed {
            log: Log::new(chunk, &self.meter),
            members: Vec::new(),
            trailing: Vec::new(),
            ranges: 0,
            unfinished: Weak::new(),
            held: None,
            is_closed: false,
            dirty: false,
            touched: false,
        }) as FeedId
    }

    /// Ends a feed that nobody is in. Those who left get what they were to get of it.
    pub fn close(&mut self, feed_id: FeedId) {
        self.feeds[feed_id as usize].is_closed = true;
        self.touch(feed_id);
    }

    /// Makes a reader that is in no feed. `id` must be free.
    pub fn add(&mut self, id: ReaderId) {
        let index = id as usize;
        if index >= self.readers.len() {
            self.readers.resize_with(index + 1, || None);
        }
        if self.readers[index].is_some() && planted(Fault::FreedSlotReused) {
            return;
        }
        debug_assert!(
            self.readers[index].is_none(),
            "reader {id} is there already"
        );
        self.readers[index] = Some(Reader {
            queue: None,
            feed: NOWHERE,
            seat: 0,
            blocked: None,
            due: false,
            excused: false,
            given_up: false,
        });
    }

    /// Forgets a reader and whatever was to be written to it.
    pub fn remove(&mut self, id: ReaderId) {
        self.unseat(id);
        if planted(Fault::FreedSlotReused) {
            return;
        }
        self.drop_queue(id);
        self.forgive(id);
        self.readers[id as usize] = None;
    }

    /// Puts a reader that is in no feed into one, from the next line on.
    pub fn join(&mut self, id: ReaderId, feed_id: FeedId) {
        let feed = &mut self.feeds[feed_id as usize];
        let reader = reader(&mut self.readers, id);
        debug_assert_eq!(reader.feed, NOWHERE, "one tail a reader");
        reader.feed = feed_id;
        reader.seat = feed.members.len() as u32;
        feed.members.push(Member {
            reader: id,
            cursor: feed.log.end(),
        });
    }

    /// Takes a reader out of its feed. The lines published until now still reach it.
    pub fn part(&mut self, id: ReaderId) {
        self.set_tail_aside(id);
        if let Some(feed_id) = self.unseat(id) {
            let reader = reader(&mut self.readers, id);
            let has_range = first_range(reader, feed_id).is_some();
            if has_range {
                // No longer a member, it is not reached by the feed's own flush.
                mark_due(reader, id, &mut self.due);
            }
            let trailing = &mut self.feeds[feed_id as usize].trailing;
            if has_range && !trailing.contains(&id) {
                trailing.push(id);
            }
        }
    }

    /// Appends lines to a feed, for all its members but `author`. `write` appends them, of at most
    /// `length` bytes with their newlines, to what it is given.
    pub fn publish(
        &mut self,
        feed_id: FeedId,
        author: Option<ReaderId>,
        lines: u64,
        length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let author = author.filter(|&id| reader(&mut self.readers, id).feed == feed_id);
        if self.feeds[feed_id as usize].members.len() == usize::from(author.is_some()) {
            return;
        }
        if let Some(id) = author {
            self.set_tail_aside(id);
        }
        let feed = &mut self.feeds[feed_id as usize];
        self.delivered += lines * (feed.members.len() - usize::from(author.is_some())) as u64;
        let begins_chunk = feed.log.append(lines, length, write);
        if let Some(id) = author {
            let seat = reader(&mut self.readers, id).seat;
            feed.members[seat as usize].cursor = feed.log.end();
        }
        let is_long = begins_chunk && feed.log.len() > self.settings.backlog;
        if !std::mem::replace(&mut feed.dirty, true) {
            self.dirty.push(feed_id);
        }
        if is_long {
            // Not only at the turn's end, or a turn's worth would come on top of the backlog.
            self.trim(feed_id, self.now, true);
        }
    }

    /// Adds an answer for one reader, after everything published until now.
    pub fn send(&mut self, id: ReaderId, bytes: &[u8]) {
        self.add_bytes(id, bytes, Kind::Reply);
    }

    /// The same, of what somebody else says to this reader alone. See [`Self::is_reading`].
    pub fn whisper(&mut self, id: ReaderId, bytes: &[u8]) {
        self.add_bytes(id, bytes, Kind::Word);
    }

    fn add_bytes(&mut self, id: ReaderId, bytes: &[u8], kind: Kind) {
        if bytes.is_empty() {
            return;
        }
        self.set_tail_aside(id);
        let reader = reader(&mut self.readers, id);
        queue(reader, &self.meter).push_bytes(bytes, kind);
        mark_due(reader, id, &mut self.due);
    }

    /// The reader's socket takes bytes again.
    pub fn unblock(&mut self, id: ReaderId) {
        let reader = reader(&mut self.readers, id);
        let is_forgotten = reader.queue.is_some() && planted(Fault::LostWakeUp);
        if reader.blocked.take().is_some() && !is_forgotten {
            mark_due(reader, id, &mut self.due);
        }
    }

    /// Has nobody wait for a reader before it has caught up.
    pub fn excuse(&mut self, id: ReaderId) {
        reader(&mut self.readers, id).excused = true;
    }

    /// Takes a reader out of its feed and drops what is to be written to it, but for the rest of the
    /// line it is in.
    pub fn cut(&mut self, id: ReaderId) {
        self.finish_line(id);
        self.unseat(id);
        let queue = reader(&mut self.readers, id).queue.as_ref();
        let unfinished = match queue.and_then(|queue| queue.front()) {
            Some(Segment::Line { line, written }) => Some(Segment::Line {
                line: Rc::clone(line),
                written: *written,
            }),
            Some(Segment::Bytes { bytes, written, .. })
                if *written > 0 && bytes[*written - 1] != b'\n' =>
            {
                // With the last byte that is written: who is cut off once more must be seen to be inside a line.
                let rest = &bytes[*written - 1..];
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                Some(Segment::Bytes {
                    bytes: rest[..end].to_vec(),
                    written: 1,
                    kind: Kind::Rest,
                })
            }
            _ => None,
        };
        self.drop_queue(id);
        self.forgive(id);
        if let Some(unfinished) = unfinished {
            let reader = reader(&mut self.readers, id);
            self::queue(reader, &self.meter).push_front(unfinished);
            mark_due(reader, id, &mut self.due);
        }
    }

    /// The feed that a reader is in.
    pub fn feed(&self, id: ReaderId) -> Option<FeedId> {
        let reader = self.readers.get(id as usize)?.as_ref()?;
        Some(reader.feed).filter(|&feed| feed != NOWHERE)
    }

    /// Whether anything is still to be written to the reader.
    pub fn is_pending(&self, id: ReaderId) -> bool {
        let Some(Some(reader)) = self.readers.get(id as usize) else {
            return false;
        };
        reader.queue.is_some() || self.tail(reader).is_some()
    }

    /// Bytes of answers that the reader has not taken.
    pub fn replies(&self, id: ReaderId) -> usize {
        self.unread(id, Kind::Reply)
    }

    /// Whether a reader takes what it is sent: it has not stopped, nor are answers and private messages piling up for it.
    pub fn is_reading(&self, id: ReaderId) -> bool {
        let Some(Some(reader)) = self.readers.get(id as usize) else {
            return false;
        };
        // Whoever is not blocked gets all that there is at the turn's end.
        let Some(queue) = reader.queue.as_ref().filter(|_| reader.blocked.is_some()) else {
            return true;
        };
        // Words between lines of a room are segments, for the number of which no line is to be lost.
        !self.settings.is_stalled(reader, self.now)
            && !queue.is_crowded()
            && queue.unread(Kind::Reply) + queue.unread(Kind::Word) <= limits::REPLIES
    }

    fn unread(&self, id: ReaderId, kind: Kind) -> usize {
        let reader = self.readers.get(id as usize).and_then(Option::as_ref);
        reader
            .and_then(|reader| reader.queue.as_ref())
            .map_or(0, |queue| queue.unread(kind))
    }

    /// Lines times the readers that they were published for.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Lines that readers were told they missed.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many readers are behind, and by how many bytes the last of them is.
    pub fn behind(&self) -> (usize, usize) {
        let (mut readers, mut most) = (0, 0);
        for (feed_id, feed) in &self.feeds {
            self.each_position(feed_id as FeedId, |_, reader, from| {
                if reader.blocked.is_some() {
                    readers += 1;
                    most = most.max((feed.log.end().at - from.at) as usize);
                }
            });
        }
        (readers, most)
    }

    /// Bytes of memory held for what is still to be written.
    pub fn memory(&self) -> usize {
        self.meter.total()
    }

    /// Bytes of memory held for readers and feeds, whatever there is to be written.
    pub fn tables(&self) -> usize {
        let reader = size_of::<Option<Reader>>() + size_of::<Member>();
        // Most feeds have few members.
        let feed = size_of::<Feed>() + block(4 * size_of::<Member>()) + Log::least();
        self.readers.capacity() * reader + self.feeds.capacity() * feed
    }

    /// The logs that are not empty, and the memory that each holds.
    pub fn logs(&self) -> impl Iterator<Item = (FeedId, usize)> {
        let logs = self.feeds.iter().filter(|(_, feed)| !feed.log.is_empty());
        logs.map(|(id, feed)| (id as FeedId, feed.log.memory()))
    }

    /// The readers that have a queue, and the memory that each holds.
    pub fn queues(&self) -> impl Iterator<Item = (ReaderId, usize)> {
        let readers = (0..).zip(&self.readers);
        readers.filter_map(|(id, reader)| Some((id, reader.as_ref()?.queue.as_ref()?.memory())))
    }

    /// Whether what this reader says must wait, because its room is held up.
    pub fn is_held(&self, id: ReaderId) -> bool {
        match self.readers.get(id as usize) {
            Some(Some(reader)) if reader.feed != NOWHERE => {
                self.feeds[reader.feed as usize].held.is_some()
            }
            _ => false,
        }
    }

    /// Whether a flush would have something to do: to write, blocked readers apart, or to let go on.
    pub fn has_news(&self) -> bool {
        !self.dirty.is_empty() || !self.due.is_empty() || !self.touched.is_empty()
    }

    /// How many feeds have lines that the next flush will write.
    pub fn feeds_with_news(&self) -> usize {
        self.dirty.len()
    }

    /// The readers given up since the last call: too far behind, where the policy or the dialect has no
    /// way to go on.
    pub fn take_too_slow(&mut self) -> Vec<ReaderId> {
        std::mem::take(&mut self.too_slow)
    }

    /// The readers for which a room began to wait since the last call, under [`Slow::Wait`].
    pub fn take_waited_for(&mut self) -> Vec<ReaderId> {
        std::mem::take(&mut self.waited_for)
    }

    /// When it must be seen whether a room is held up any longer, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        let checks = self
            .held
            .iter()
            .filter_map(|&feed| self.feeds[feed as usize].held);
        checks.map(|hold| hold.check).min()
    }

    /// Sets the tail aside in the queue, so that something can come behind it. Afterwards the reader's
    /// cursor is at the end of its feed.
    fn set_tail_aside(&mut self, id: ReaderId) {
        let Some(Some(reader)) = self.readers.get(id as usize) else {
            return;
        };
        let Some((feed_id, from)) = self.tail(reader) else {
            return;
        };
        let feed = &mut self.feeds[feed_id as usize];
        let to = feed.log.end();
        let reader = self::reader(&mut self.readers, id);
        feed.members[reader.seat as usize].cursor = to;
        feed.ranges += 1;
        let queue = queue(reader, &self.meter);
        queue.push(Segment::Range {
            feed: feed_id,
            from,
            to,
        });
        // Whoever is not blocked gets them at the turn's end, which is never far.
        if queue.is_full() && reader.blocked.is_some() {
            self.give_up_ranges(id);
        }
        // A queue so crowded may have its room held: `settle` sees to that.
        self.touch(feed_id);
    }

    /// The feed and the beginning of a reader's tail, if there is anything in it.
    #[inline]
    fn tail(&self, reader: &Reader) -> Option<(FeedId, Cursor)> {
        let feed = self.feeds.get(reader.feed as usize)?;
        let cursor = feed.members[reader.seat as usize].cursor;
        (cursor.at < feed.log.end().at).then_some((reader.feed, cursor))
    }

    /// Takes a reader out of its feed, and says which that was.
    fn unseat(&mut self, id: ReaderId) -> Option<FeedId> {
        let gone = reader(&mut self.readers, id);
        let feed_id = std::mem::replace(&mut gone.feed, NOWHERE);
        let seat = gone.seat;
        let feed = self.feeds.get_mut(feed_id as usize)?;
        feed.members.swap_remove(seat as usize);
        if let Some(moved) = feed.members.get(seat as usize) {
            reader(&mut self.readers, moved.reader).seat = seat;
        }
        touch(feed, feed_id, &mut self.touched);
        Some(feed_id)
    }

    /// Drops a reader's queue.
    fn drop_queue(&mut self, id: ReaderId) {
        let Some(queue) = reader(&mut self.readers, id).queue.take() else {
            return;
        };
        for segment in queue.iter() {
            if let Segment::Range { feed: feed_id, .. } = segment {
                let feed = &mut self.feeds[*feed_id as usize];
                feed.ranges -= 1;
                touch(feed, *feed_id, &mut self.touched);
            }
        }
    }

    /// Takes a reader off the list of those given up: what was to come of it has come. Its number may be another's
    /// before the list is taken.
    fn forgive(&mut self, id: ReaderId) {
        if std::mem::take(&mut reader(&mut self.readers, id).given_up) {
            self.too_slow.retain(|&listed| listed != id);
        }
    }

    fn touch(&mut self, feed_id: FeedId) {
        touch(
            &mut self.feeds[feed_id as usize],
            feed_id,
            &mut self.touched,
        );
    }
}

/// The reader of that name, which must be there: the callers hold what they add.
#[inline]
fn reader(readers: &mut [Option<Reader>], id: ReaderId) -> &mut Reader {
    match readers.get_mut(id as usize) {
        Some(Some(reader)) => reader,
        _ => unreachable!("reader {id} was never added, or is removed"),
    }
}

/// What comes before a reader's tail; made when it is first needed.
fn queue<'a>(reader: &'a mut Reader, meter: &Meter) -> &'a mut Queue {
    reader
        .queue
        .get_or_insert_with(|| Box::new(Queue::new(meter)))
}

/// Where the first lines of a feed in a reader's queue begin.
fn first_range(reader: &Reader, feed_id: FeedId) -> Option<Cursor> {
    reader.queue.as_ref()?.first_range(feed_id)
}

fn touch(feed: &mut Feed, feed_id: FeedId, touched: &mut Vec<FeedId>) {
    if !std::mem::replace(&mut feed.touched, true) {
        touched.push(feed_id);
    }
}

fn mark_due(reader: &mut Reader, id: ReaderId, due: &mut Vec<ReaderId>) {
    if !std::mem::replace(&mut reader.due, true) {
        due.push(id);
    }
}

fn give_up(reader: &mut Reader, id: ReaderId, too_slow: &mut Vec<ReaderId>) {
    if !std::mem::replace(&mut reader.given_up, true) {
        too_slow.push(id);
    }
}

#[cfg(test)]
mod tests;
