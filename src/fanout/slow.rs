//! What becomes of readers that fall behind, and of the lines that they have not taken.
//!
//! A room waits for a reader that has fallen behind the backlog but keeps taking bytes: its members are
//! not read from, so that they can say nothing it would miss. How long, and what comes then, is the policy's.
//! Under [`Slow::Wait`] the room waits for everybody, for `slow_timeout`. Otherwise it waits for those who took
//! something within the last moment ([`Settings::stall`]), for [`limits::PATIENCE`] at most: a machine under full load does
//! not make healthy readers lose lines, and a reader that stops costs the others nothing.

use super::*;

impl Fanout {
    /// Ends a turn for a feed: gives back what nobody needs, and keeps it within the backlog.
    pub(super) fn settle(&mut self, feed_id: FeedId, now: Millis) {
        let feed = &mut self.feeds[feed_id as usize];
        feed.touched = false;
        let end = feed.log.end().at;
        if feed.ranges == 0 && feed.members.iter().all(|member| member.cursor.at == end) {
            feed.log.clear();
            feed.trailing.clear();
            if feed.is_closed {
                debug_assert!(feed.members.is_empty(), "somebody is in a closed feed");
                self.feeds.remove(feed_id as usize);
                self.held.retain(|&held| held != feed_id);
                return;
            }
        }
        if self.feeds[feed_id as usize].held.is_none() {
            self.update_hold(feed_id, now);
            if self.feeds[feed_id as usize].held.is_some() {
                self.held.push(feed_id);
            }
        }
        self.trim(feed_id, now, false);
    }

    /// Drops chunks that nobody needs, and those beyond the backlog unless somebody is waited for. With `before_flush`,
    /// whoever takes bytes is waited for: they have not had their chance in this turn.
    pub(super) fn trim(&mut self, feed_id: FeedId, now: Millis, before_flush: bool) {
        if self.feeds[feed_id as usize].log.second_start().is_none() {
            return;
        }
        self.forget_trailing(feed_id);
        let (mut needed, mut waited_for) = (u64::MAX, u64::MAX);
        self.each_position(feed_id, |_, reader, from| {
            needed = needed.min(from.at);
            let has_chance = before_flush && reader.blocked.is_none();
            if has_chance || self.is_waited_for(reader, now) {
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

    /// Drops a log's oldest chunk, whoever needs it. Gives the memory that the log holds then, nothing if it is empty.
    pub fn shed(&mut self, feed_id: FeedId) -> usize {
        let log = &self.feeds[feed_id as usize].log;
        let start = log.second_start().unwrap_or(log.end());
        self.leave_behind(feed_id, start);
        let log = &mut self.feeds[feed_id as usize].log;
        log.drop_oldest();
        let left = if log.is_empty() { 0 } else { log.memory() };
        self.touch(feed_id);
        left
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

    /// Decides whether a feed's members may speak.
    pub(super) fn update_hold(&mut self, feed_id: FeedId, now: Millis) {
        let feed = &self.feeds[feed_id as usize];
        let backlog = self.settings.backlog as u64;
        let end = feed.log.end().at;
        let (held, waits) = (feed.held, self.settings.slow == Slow::Wait);
        if held.is_none() && (feed.log.is_empty() || !waits && feed.log.len() as u64 <= backlog) {
            return;
        }
        let (mut worst, mut holders, mut stopped) = ((0, 0), Vec::new(), Vec::new());
        self.each_position(feed_id, |id, reader, from| {
            // A crowded queue loses its lines too, and sooner than the log.
            let crowded = waits && reader.queue.as_deref().is_some_and(Queue::is_crowded);
            let behind = if crowded { backlog + 1 } else { end - from.at };
            let is_far = behind > backlog / 2;
            if !self.is_waited_for(reader, now) {
                stopped.extend(is_far.then_some(id));
                return;
            }
            worst = worst.max((behind, id));
            holders.extend(is_far.then_some(id));
        });
        for id in stopped {
            reader(&mut self.readers, id).excused = true;
        }
        let (check, patience) = match waits {
            true => (self.settings.slow_timeout, self.settings.slow_timeout),
            false => (self.settings.stall, limits::PATIENCE),
        };
        let hold = match held {
            None if worst.0 > backlog => {
                if waits {
                    self.waited_for.push(worst.1);
                }
                Some(Hold {
                    since: now,
                    check: now,
                    end,
                })
            }
            None => None,
            Some(_) if holders.is_empty() => None,
            // Comings and goings are announced in a room that is held, too.
            Some(hold) if now < hold.since + patience && end - hold.end <= backlog => Some(hold),
            Some(_) => {
                for id in holders {
                    self.lose_patience(id);
                }
                None
            }
        };
        let hold = hold.map(|hold| Hold {
            check: (now + check).min(hold.since + patience),
            ..hold
        });
        self.feeds[feed_id as usize].held = hold;
    }

    /// Whether the room of a reader that has fallen behind waits for it.
    fn is_waited_for(&self, reader: &Reader, now: Millis) -> bool {
        let waits = self.settings.slow == Slow::Wait;
        !reader.excused && !reader.given_up && (waits || !self.settings.is_stalled(reader, now))
    }

    /// A reader has used up its time. By the policies that are not for waiting, it may be within the backlog all the
    /// same: what it needs is then dropped when it no longer is, and not before.
    fn lose_patience(&mut self, id: ReaderId) {
        let reader = reader(&mut self.readers, id);
        reader.excused = true;
        if self.settings.gap.is_none() && self.settings.slow == Slow::Wait {
            give_up(reader, id, &mut self.too_slow);
        }
    }

    /// Makes room in a queue that has too many segments: all its lines count as missed, its bytes
    /// stay in order.
    pub(super) fn give_up_ranges(&mut self, id: ReaderId) {
        self.finish_line(id);
        let reader = reader(&mut self.readers, id);
        let Some(old) = reader.queue.take() else {
            return;
        };
        let mut new = Queue::new(&self.meter);
        let mut missed = 0;
        let mut gap = None;
        for segment in old.into_segments() {
            missed += match segment {
                Segment::Bytes {
                    bytes,
                    written: 0,
                    kind,
                } => {
                    new.push_bytes(&bytes, kind);
                    continue;
                }
                segment @ (Segment::Bytes { .. } | Segment::Line { .. }) => {
                    new.push(segment);
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
                gap = Some(new.len());
                new.push(Segment::Lost { lines: 0 });
            }
        }
        if let Some(Segment::Lost { lines }) = gap.and_then(|at| new.get_mut(at)) {
            *lines = missed;
        }
        reader.queue = Some(Box::new(new));
        if !self.settings.can_skip() {
            give_up(reader, id, &mut self.too_slow);
        }
    }

    /// Where a reader stands inside a line of a log, gives it that line apart, and moves it to the next: the log may
    /// then go.
    pub(super) fn finish_line(&mut self, id: ReaderId) {
        let reader = reader(&mut self.readers, id);
        let line = match reader.queue.as_mut().map(|queue| queue.front_mut()) {
            Some(Some(Segment::Range { feed, from, to })) => {
                let feed_id = *feed;
                let feed = &mut self.feeds[feed_id as usize];
                let line = past_line(feed, from, &self.meter);
                if line.is_some() && from.at == to.at {
                    feed.ranges -= 1;
                    touch(feed, feed_id, &mut self.touched);
                    if let Some(queue) = reader.queue.as_mut() {
                        queue.pop_front();
                    }
                }
                line
            }
            None if reader.feed != NOWHERE => {
                let feed = &mut self.feeds[reader.feed as usize];
                let mut cursor = feed.members[reader.seat as usize].cursor;
                let line = past_line(feed, &mut cursor, &self.meter);
                feed.members[reader.seat as usize].cursor = cursor;
                line
            }
            _ => None,
        };
        if let Some(line) = line {
            queue(reader, &self.meter).push_front(line);
        }
    }

    /// Calls `each` with everybody who has something of a feed still to come, and where that begins.
    pub(super) fn each_position(
        &self,
        feed_id: FeedId,
        mut each: impl FnMut(ReaderId, &Reader, Cursor),
    ) {
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

    /// Strikes those off a feed's `trailing` who have had all of it.
    fn forget_trailing(&mut self, feed_id: FeedId) {
        let Self { feeds, readers, .. } = self;
        feeds[feed_id as usize].trailing.retain(|&id| {
            readers[id as usize]
                .as_ref()
                .is_some_and(|reader| first_range(reader, feed_id).is_some())
        });
    }
}

impl Settings {
    /// Whether a reader has taken nothing for too long.
    pub(super) fn is_stalled(&self, reader: &Reader, now: Millis) -> bool {
        reader
            .blocked
            .is_some_and(|since| u64::from(since.age(now)) >= self.stall)
    }

    /// Whether a reader can go on behind a gap.
    fn can_skip(&self) -> bool {
        self.slow != Slow::Close && self.gap.is_some()
    }
}

/// Moves `from` behind the line it is in; gives what is left of that line. Readers that stop do so at about the same
/// place, so that many share one.
fn past_line(feed: &mut Feed, from: &mut Cursor, meter: &Meter) -> Option<Segment> {
    let (bytes, written) = feed.log.line_around(*from)?;
    from.at += (bytes.len() - written) as u64;
    from.line += 1;
    let known = feed.unfinished.upgrade().filter(|line| line.end == *from);
    let line = known.unwrap_or_else(|| Rc::new(Line::new(bytes, *from, meter)));
    feed.unfinished = Rc::downgrade(&line);
    Some(Segment::Line { line, written })
}
