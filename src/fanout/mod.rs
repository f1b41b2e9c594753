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

pub mod log;
pub mod queue;

use crate::limits::{self, Millis};
use log::{Cursor, Log};
use queue::{FeedId, Queue, Segment};
use slab::Slab;
use std::collections::VecDeque;
use std::io::IoSlice;

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
    /// The line that tells a reader how many it missed. `None`: the dialect has no such line, and a
    /// reader that missed one is given up.
    pub gap: Option<fn(u64) -> Vec<u8>>,
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
    /// The last write was cut short; none is tried before [`Fanout::unblock`].
    blocked: bool,
    /// Listed in `due`.
    due: bool,
    /// Has used up its time under [`Slow::Wait`] and holds nobody up until it has caught up.
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
    /// Those who left and have lines of it still in their queue.
    trailing: Vec<ReaderId>,
    /// Ranges of this log in all queues.
    ranges: usize,
    /// Since when what its members say waits.
    held: Option<Millis>,
    /// Listed in `dirty`: there are new lines.
    dirty: bool,
    /// Listed in `touched`: something was added or taken, so it may be time to clear or drop.
    touched: bool,
}

/// All feeds and all readers.
#[derive(Debug)]
pub struct Fanout {
    settings: Settings,
    feeds: Slab<Feed>,
    readers: Vec<Option<Reader>>,
    dirty: Vec<FeedId>,
    touched: Vec<FeedId>,
    due: Vec<ReaderId>,
    held: Vec<FeedId>,
    too_slow: Vec<ReaderId>,
}

impl Fanout {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            feeds: Slab::new(),
            readers: Vec::new(),
            dirty: Vec::new(),
            touched: Vec::new(),
            due: Vec::new(),
            held: Vec::new(),
            too_slow: Vec::new(),
        }
    }

    /// Makes a feed without readers.
    pub fn open(&mut self) -> FeedId {
        let chunk = (self.settings.backlog / 16).clamp(limits::MIN_CHUNK, limits::CHUNK);
        self.feeds.insert(Feed {
            log: Log::new(chunk),
            members: Vec::new(),
            trailing: Vec::new(),
            ranges: 0,
            held: None,
            dirty: false,
            touched: false,
        }) as FeedId
    }

    /// Makes a reader that is in no feed. `id` must be free.
    pub fn add(&mut self, id: ReaderId) {
        let index = id as usize;
        if index >= self.readers.len() {
            self.readers.resize_with(index + 1, || None);
        }
        debug_assert!(
            self.readers[index].is_none(),
            "reader {id} is there already"
        );
        self.readers[index] = Some(Reader {
            queue: None,
            feed: NOWHERE,
            seat: 0,
            blocked: false,
            due: false,
            excused: false,
            given_up: false,
        });
    }

    /// Forgets a reader and whatever was to be written to it.
    pub fn remove(&mut self, id: ReaderId) {
        self.unseat(id);
        self.drop_queue(id);
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

    /// Appends a line to a feed, for all its members but `author`. `write` appends the line, of at most
    /// `length` bytes with its newline, to what it is given.
    pub fn publish(
        &mut self,
        feed_id: FeedId,
        author: Option<ReaderId>,
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
        feed.log.append(length, write);
        if let Some(id) = author {
            let seat = reader(&mut self.readers, id).seat;
            feed.members[seat as usize].cursor = feed.log.end();
        }
        if !std::mem::replace(&mut feed.dirty, true) {
            self.dirty.push(feed_id);
        }
    }

    /// Adds bytes for one reader alone, after everything published until now.
    pub fn send(&mut self, id: ReaderId, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.set_tail_aside(id);
        let reader = reader(&mut self.readers, id);
        reader.queue.get_or_insert_default().push_bytes(bytes);
        mark_due(reader, id, &mut self.due);
    }

    /// The reader's socket takes bytes again.
    pub fn unblock(&mut self, id: ReaderId) {
        let reader = reader(&mut self.readers, id);
        reader.blocked = false;
        mark_due(reader, id, &mut self.due);
    }

    /// Takes a reader out of its feed and drops what is to be written to it, but for the rest of the
    /// line it is in.
    pub fn cut(&mut self, id: ReaderId) {
        self.finish_line(id);
        self.unseat(id);
        let unfinished = match reader(&mut self.readers, id)
            .queue
            .as_ref()
            .and_then(|queue| queue.segments.front())
        {
            Some(Segment::Bytes { bytes, written })
                if *written > 0 && bytes[*written - 1] != b'\n' =>
            {
                let rest = &bytes[*written..];
                rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)].to_vec()
            }
            _ => Vec::new(),
        };
        self.drop_queue(id);
        reader(&mut self.readers, id).given_up = false;
        self.send(id, &unfinished);
    }

    /// Whether anything is still to be written to the reader.
    pub fn is_pending(&self, id: ReaderId) -> bool {
        let Some(Some(reader)) = self.readers.get(id as usize) else {
            return false;
        };
        reader.queue.is_some() || self.tail(reader).is_some()
    }

    /// Bytes of replies, of private messages and the like that the reader has not taken.
    pub fn private(&self, id: ReaderId) -> usize {
        let reader = self.readers.get(id as usize).and_then(Option::as_ref);
        reader
            .and_then(|reader| reader.queue.as_ref())
            .map_or(0, |queue| queue.private)
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

    /// Whether a flush would have something to write, blocked readers apart.
    pub fn has_news(&self) -> bool {
        !self.dirty.is_empty() || !self.due.is_empty()
    }

    /// The readers given up since the last call: too far behind, where the policy or the dialect has no
    /// way to go on.
    pub fn take_too_slow(&mut self) -> Vec<ReaderId> {
        std::mem::take(&mut self.too_slow)
    }

    /// When a reader will have used up its time, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        let since = self
            .held
            .iter()
            .filter_map(|&feed| self.feeds[feed as usize].held)
            .min();
        since.map(|since| since + self.settings.slow_timeout)
    }

    /// Writes what is new to everybody who takes it.
    ///
    /// `write` is given a reader and slices, and says how many bytes of them it could write; fewer than
    /// all block the reader until [`Self::unblock`].
    pub fn flush(&mut self, now: Millis, mut write: impl FnMut(ReaderId, &[IoSlice<'_>]) -> usize) {
        while let Some(feed_id) = self.dirty.pop() {
            self.flush_tails(feed_id, &mut write);
            self.touch(feed_id);
        }
        for id in std::mem::take(&mut self.due) {
            let Some(Some(reader)) = self.readers.get_mut(id as usize) else {
                continue;
            };
            reader.due = false;
            if !reader.blocked && !reader.given_up {
                self.flush_reader(id, &mut write);
            }
        }
        // Settling a feed may take the last of it from somebody, so that it is to be settled again.
        while let Some(feed_id) = self.touched.pop() {
            self.settle(feed_id, now);
        }
        for index in (0..self.held.len()).rev() {
            let feed_id = self.held[index];
            self.update_hold(feed_id, now);
            if self.feeds[feed_id as usize].held.is_none() {
                self.held.swap_remove(index);
                self.settle(feed_id, now);
            }
        }
    }

    /// Writes the tail of a feed to those who have nothing before it: nearly always everybody.
    fn flush_tails(
        &mut self,
        feed_id: FeedId,
        write: &mut impl FnMut(ReaderId, &[IoSlice<'_>]) -> usize,
    ) {
        let feed = &mut self.feeds[feed_id as usize];
        feed.dirty = false;
        let (start, end) = (feed.log.start(), feed.log.end());
        for member in &mut feed.members {
            let reader = reader(&mut self.readers, member.reader);
            if reader.blocked || reader.given_up {
                continue;
            }
            if reader.queue.is_some() {
                mark_due(reader, member.reader, &mut self.due);
                continue;
            }
            if member.cursor.at == end.at {
                continue;
            }
            let slice = if member.cursor.at < start.at {
                &[]
            } else {
                feed.log.slice(member.cursor)
            };
            if slice.len() as u64 != end.at - member.cursor.at {
                // Several chunks, or a gap: rare enough to go the long way.
                mark_due(reader, member.reader, &mut self.due);
                continue;
            }
            let written = write(member.reader, &[IoSlice::new(slice)]);
            if written == slice.len() {
                member.cursor = end;
            } else {
                member.cursor = feed.log.advance(member.cursor, written);
                reader.blocked = true;
            }
        }
    }

    /// Writes to one reader until nothing is left or it takes no more.
    fn flush_reader(
        &mut self,
        id: ReaderId,
        write: &mut impl FnMut(ReaderId, &[IoSlice<'_>]) -> usize,
    ) {
        loop {
            self.tell_gap(id);
            if reader(&mut self.readers, id).given_up {
                break;
            }
            let mut slices = [IoSlice::new(&[]); limits::SLICES];
            let filled = self.gather(id, &mut slices);
            if filled == 0 {
                break;
            }
            let offered: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
            let written = write(id, &slices[..filled]);
            self.advance(id, written);
            if written < offered {
                reader(&mut self.readers, id).blocked = true;
                break;
            }
        }
        let feed_id = reader(&mut self.readers, id).feed;
        if feed_id != NOWHERE {
            self.touch(feed_id);
        }
    }

    /// Fills `slices` with what comes next for a reader, up to the first thing that is not there as bytes.
    fn gather<'a>(&'a self, id: ReaderId, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(Some(reader)) = self.readers.get(id as usize) else {
            return 0;
        };
        let mut filled = 0;
        for segment in reader.queue.iter().flat_map(|queue| &queue.segments) {
            match segment {
                _ if filled == slices.len() => return filled,
                Segment::Bytes { bytes, written } => {
                    slices[filled] = IoSlice::new(&bytes[*written..]);
                    filled += 1;
                }
                Segment::Range { feed, from, to } => {
                    let log = &self.feeds[*feed as usize].log;
                    if from.at < log.start().at {
                        return filled;
                    }
                    let free = &mut slices[filled..];
                    let pieces = log.slices(*from, *to, free);
                    let covered: usize = free[..pieces].iter().map(|slice| slice.len()).sum();
                    filled += pieces;
                    if (covered as u64) < to.at - from.at {
                        return filled;
                    }
                }
                Segment::Lost { .. } => return filled,
            }
        }
        if let Some((feed_id, from)) = self.tail(reader) {
            let log = &self.feeds[feed_id as usize].log;
            if from.at >= log.start().at {
                filled += log.slices(from, log.end(), &mut slices[filled..]);
            }
        }
        filled
    }

    /// Moves a reader past `n` bytes of what [`Self::gather`] gave.
    fn advance(&mut self, id: ReaderId, mut n: usize) {
        let reader = reader(&mut self.readers, id);
        while let Some(queue) = &mut reader.queue {
            let done = match queue.segments.front_mut() {
                None => {
                    reader.queue = None;
                    break;
                }
                Some(Segment::Bytes { bytes, written }) => {
                    let taken = n.min(bytes.len() - *written);
                    *written += taken;
                    queue.private -= taken;
                    n -= taken;
                    *written == bytes.len()
                }
                Some(Segment::Range { feed, from, to }) => {
                    let feed_id = *feed;
                    let feed = &mut self.feeds[feed_id as usize];
                    let taken = n.min((to.at - from.at) as usize);
                    *from = if taken as u64 == to.at - from.at {
                        *to
                    } else {
                        feed.log.advance(*from, taken)
                    };
                    n -= taken;
                    let done = from.at == to.at;
                    if done {
                        feed.ranges -= 1;
                        touch(feed, feed_id, &mut self.touched);
                    }
                    done
                }
                Some(Segment::Lost { .. }) => false,
            };
            if !done {
                return;
            }
            queue.segments.pop_front();
        }
        if n > 0 && reader.feed != NOWHERE {
            let feed = &mut self.feeds[reader.feed as usize];
            let (cursor, end) = (
                &mut feed.members[reader.seat as usize].cursor,
                feed.log.end(),
            );
            *cursor = if cursor.at + n as u64 == end.at {
                end
            } else {
                feed.log.advance(*cursor, n)
            };
        }
    }

    /// Puts the line that tells of a gap where a reader's next lines are no longer held.
    fn tell_gap(&mut self, id: ReaderId) {
        let reader = reader(&mut self.readers, id);
        let mut missed = 0;
        while let Some(queue) = &mut reader.queue {
            match queue.segments.front_mut() {
                Some(Segment::Lost { lines }) => missed += *lines,
                Some(Segment::Range { feed, from, to }) => {
                    let feed_id = *feed;
                    let feed = &mut self.feeds[feed_id as usize];
                    let start = feed.log.start();
                    if to.at > start.at {
                        if from.at < start.at {
                            missed += start.line - from.line;
                            *from = start;
                        }
                        break;
                    }
                    missed += to.line - from.line;
                    feed.ranges -= 1;
                    touch(feed, feed_id, &mut self.touched);
                }
                Some(Segment::Bytes { .. }) => break,
                None => {
                    reader.queue = None;
                    break;
                }
            }
            if let Some(queue) = &mut reader.queue {
                queue.segments.pop_front();
            }
        }
        if reader.queue.is_none() && reader.feed != NOWHERE {
            let feed = &mut self.feeds[reader.feed as usize];
            let start = feed.log.start();
            let cursor = &mut feed.members[reader.seat as usize].cursor;
            if cursor.at < start.at {
                missed += start.line - cursor.line;
                *cursor = start;
            }
        }
        if missed > 0 {
            match self.settings.gap {
                Some(gap) => reader
                    .queue
                    .get_or_insert_default()
                    .push_front(gap(missed), 0),
                None => give_up(reader, id, &mut self.too_slow),
            }
        }
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
        let queue = reader.queue.get_or_insert_default();
        queue.segments.push_back(Segment::Range {
            feed: feed_id,
            from,
            to,
        });
        if queue.segments.len() > limits::SEGMENTS {
            self.give_up_ranges(id);
        }
        // The hub may ask for a hold; the next flush sees to that.
        self.touch(feed_id);
    }

    /// Makes room in a queue that has too many segments: all its lines count as missed, its bytes
    /// stay in order.
    fn give_up_ranges(&mut self, id: ReaderId) {
        self.finish_line(id);
        let reader = reader(&mut self.readers, id);
        let Some(old) = reader.queue.take() else {
            return;
        };
        let mut new = Queue {
            private: 0,
            segments: VecDeque::new(),
        };
        let mut missed = 0;
        let mut gap = None;
        for segment in old.segments {
            missed += match segment {
                Segment::Bytes { bytes, written } if new.segments.is_empty() => {
                    new.push_front(bytes, written);
                    continue;
                }
                Segment::Bytes { bytes, .. } => {
                    new.push_bytes(&bytes);
                    continue;
                }
                Segment::Range {
                    feed: feed_id,
                    from,
                    to,
                } => {
                    let feed = &mut self.feeds[feed_id as usize];
                    feed.ranges -= 1;
                    touch(feed, feed_id, &mut self.touched);
                    to.line - from.line
                }
                Segment::Lost { lines } => lines,
            };
            if gap.is_none() {
                gap = Some(new.segments.len());
                new.segments.push_back(Segment::Lost { lines: 0 });
            }
        }
        if let Some(Segment::Lost { lines }) = gap.and_then(|at| new.segments.get_mut(at)) {
            *lines = missed;
        }
        reader.queue = Some(Box::new(new));
        if !self.settings.can_skip() {
            give_up(reader, id, &mut self.too_slow);
        }
    }

    /// Where a reader stands inside a line of a log, gives it a copy of that line, and moves it to
    /// the next: the log may then go.
    fn finish_line(&mut self, id: ReaderId) {
        let reader = reader(&mut self.readers, id);
        let line = match reader
            .queue
            .as_mut()
            .map(|queue| queue.segments.front_mut())
        {
            Some(Some(Segment::Range { feed, from, to })) => {
                let feed_id = *feed;
                let feed = &mut self.feeds[feed_id as usize];
                let line = past_line(&feed.log, from);
                if line.is_some() && from.at == to.at {
                    feed.ranges -= 1;
                    touch(feed, feed_id, &mut self.touched);
                    reader
                        .queue
                        .as_mut()
                        .and_then(|queue| queue.segments.pop_front());
                }
                line
            }
            None if reader.feed != NOWHERE => {
                let feed = &mut self.feeds[reader.feed as usize];
                past_line(&feed.log, &mut feed.members[reader.seat as usize].cursor)
            }
            _ => None,
        };
        if let Some((line, written)) = line {
            reader
                .queue
                .get_or_insert_default()
                .push_front(line, written);
        }
    }

    /// Ends a turn for a feed: gives back what nobody needs, and keeps it within the backlog.
    fn settle(&mut self, feed_id: FeedId, now: Millis) {
        let feed = &mut self.feeds[feed_id as usize];
        feed.touched = false;
        let end = feed.log.end().at;
        if feed.ranges == 0 && feed.members.iter().all(|member| member.cursor.at == end) {
            feed.log.clear();
            feed.trailing.clear();
        }
        if self.settings.slow == Slow::Wait && self.feeds[feed_id as usize].held.is_none() {
            self.update_hold(feed_id, now);
            if self.feeds[feed_id as usize].held.is_some() {
                self.held.push(feed_id);
            }
        }
        self.trim(feed_id);
    }

    /// Drops chunks that nobody needs, and those beyond the backlog that nobody may ask for.
    fn trim(&mut self, feed_id: FeedId) {
        if self.feeds[feed_id as usize].log.second_start().is_none() {
            return;
        }
        self.forget_trailing(feed_id);
        let waits = self.settings.slow == Slow::Wait;
        let (mut needed, mut waited_for) = (u64::MAX, u64::MAX);
        self.each_position(feed_id, |_, reader, from| {
            needed = needed.min(from.at);
            if waits && !reader.excused {
                waited_for = waited_for.min(from.at);
            }
        });
        while let Some(second) = self.feeds[feed_id as usize].log.second_start() {
            let end = self.feeds[feed_id as usize].log.end().at;
            let over = end - second.at >= self.settings.backlog as u64 && second.at <= waited_for;
            if second.at > needed && !over {
                break;
            }
            if second.at > needed {
                self.leave_behind(feed_id, second);
            }
            self.feeds[feed_id as usize].log.drop_oldest();
        }
    }

    /// Prepares everybody who still needs something before `start` for its loss: the line a reader is
    /// in is finished from a copy, what is behind it will be counted as missed.
    fn leave_behind(&mut self, feed_id: FeedId, start: Cursor) {
        let mut behind = Vec::new();
        self.each_position(feed_id, |id, _, from| {
            if from.at < start.at {
                behind.push(id);
            }
        });
        for id in behind {
            self.finish_line(id);
            if !self.settings.can_skip() {
                give_up(reader(&mut self.readers, id), id, &mut self.too_slow);
            }
        }
    }

    /// Under [`Slow::Wait`], decides whether a feed's members may speak.
    fn update_hold(&mut self, feed_id: FeedId, now: Millis) {
        let Self { feeds, readers, .. } = self;
        let feed = &feeds[feed_id as usize];
        let end = feed.log.end().at;
        for member in feed.members.iter().filter(|member| member.cursor.at == end) {
            let reader = reader(readers, member.reader);
            reader.excused &= reader.queue.is_some();
        }
        let backlog = self.settings.backlog as u64;
        let (mut worst, mut holders) = (0, Vec::new());
        self.each_position(feed_id, |id, reader, from| {
            if reader.excused || reader.given_up {
                return;
            }
            let crowded = reader
                .queue
                .as_ref()
                .is_some_and(|queue| queue.segments.len() > limits::SEGMENTS / 2);
            let behind = if crowded { backlog + 1 } else { end - from.at };
            worst = worst.max(behind);
            if behind > backlog / 2 {
                holders.push(id);
            }
        });
        let held = match self.feeds[feed_id as usize].held {
            None => (worst > backlog).then_some(now),
            Some(_) if holders.is_empty() => None,
            Some(since) if now < since + self.settings.slow_timeout => Some(since),
            Some(_) => {
                for id in holders {
                    let reader = reader(&mut self.readers, id);
                    reader.excused = true;
                    if self.settings.gap.is_none() {
                        give_up(reader, id, &mut self.too_slow);
                    }
                }
                None
            }
        };
        self.feeds[feed_id as usize].held = held;
    }

    /// Calls `each` with everybody who has something of a feed still to come, and where that begins.
    fn each_position(&self, feed_id: FeedId, mut each: impl FnMut(ReaderId, &Reader, Cursor)) {
        let feed = &self.feeds[feed_id as usize];
        let end = feed.log.end().at;
        for member in &feed.members {
            let Some(Some(reader)) = self.readers.get(member.reader as usize) else {
                continue;
            };
            match first_range(reader, feed_id) {
                Some(from) => each(member.reader, reader, from),
                None if member.cursor.at < end => each(member.reader, reader, member.cursor),
                None => {}
            }
        }
        for &id in &feed.trailing {
            let Some(Some(reader)) = self.readers.get(id as usize) else {
                continue;
            };
            // Whoever came back is among the members.
            if let Some(from) = first_range(reader, feed_id).filter(|_| reader.feed != feed_id) {
                each(id, reader, from);
            }
        }
    }

    /// The feed and the beginning of a reader's tail, if there is anything in it.
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
        for segment in &queue.segments {
            if let Segment::Range { feed: feed_id, .. } = segment {
                let feed = &mut self.feeds[*feed_id as usize];
                feed.ranges -= 1;
                feed.trailing.retain(|&trailing| trailing != id);
                touch(feed, *feed_id, &mut self.touched);
            }
        }
    }

    /// Strikes those off a feed's `trailing` who have had all of it.
    fn forget_trailing(&mut self, feed_id: FeedId) {
        let Self { feeds, readers, .. } = self;
        feeds[feed_id as usize].trailing.retain(|&id| {
            readers[id as usize]
                .as_ref()
                .is_some_and(|reader| first_range(reader, feed_id).is_some())
        });
    }

    fn touch(&mut self, feed_id: FeedId) {
        touch(
            &mut self.feeds[feed_id as usize],
            feed_id,
            &mut self.touched,
        );
    }

    /// Panics where the fields contradict one another. For tests and debug builds; between turns.
    pub fn check_invariants(&self) {
        let mut ranges = vec![0; self.feeds.capacity()];
        for (id, reader) in self.readers.iter().enumerate() {
            let Some(reader) = reader else { continue };
            if let Some(queue) = &reader.queue {
                queue.check_invariants();
                for segment in &queue.segments {
                    if let Segment::Range { feed, to, .. } = segment {
                        assert!(to.at <= self.feeds[*feed as usize].log.end().at);
                        ranges[*feed as usize] += 1;
                    }
                }
            }
            if let Some(feed) = self.feeds.get(reader.feed as usize) {
                assert_eq!(
                    feed.members[reader.seat as usize].reader, id as ReaderId,
                    "a seat is another's"
                );
            }
        }
        for (feed_id, feed) in &self.feeds {
            feed.log.check_invariants();
            assert_eq!(feed.ranges, ranges[feed_id], "ranges are miscounted");
            assert!(
                feed.members
                    .iter()
                    .all(|member| member.cursor.at <= feed.log.end().at)
            );
            let mut wanted = false;
            self.each_position(feed_id as FeedId, |_, _, _| wanted = true);
            assert!(
                wanted || feed.log.is_empty() || feed.touched || feed.dirty,
                "a log that nobody needs is held"
            );
        }
    }
}

impl Settings {
    /// Whether a reader can go on behind a gap.
    fn can_skip(&self) -> bool {
        self.slow != Slow::Close && self.gap.is_some()
    }
}

/// The reader of that name, which must be there: the callers hold what they add.
fn reader(readers: &mut [Option<Reader>], id: ReaderId) -> &mut Reader {
    match readers.get_mut(id as usize) {
        Some(Some(reader)) => reader,
        _ => unreachable!("reader {id} was never added, or is removed"),
    }
}

/// Where the first lines of a feed in a reader's queue begin.
fn first_range(reader: &Reader, feed_id: FeedId) -> Option<Cursor> {
    reader
        .queue
        .as_ref()?
        .segments
        .iter()
        .find_map(|segment| match segment {
            Segment::Range { feed, from, .. } if *feed == feed_id => Some(*from),
            _ => None,
        })
}

/// Moves `from` behind the line it is in; gives a copy of that line, and how much of it is written.
fn past_line(log: &Log, from: &mut Cursor) -> Option<(Vec<u8>, usize)> {
    let (line, written) = log.line_around(*from)?;
    from.at += (line.len() - written) as u64;
    from.line += 1;
    Some((line.to_vec(), written))
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
