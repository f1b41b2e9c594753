//! The end of a turn: what is new goes to everybody who takes it.
//!
//! Owns the order in which a reader's stream is written: its queue, then its tail. Never decides who
//! is too slow.

use super::*;

/// Where what is written goes.
pub trait Outlets {
    /// Writes to a reader as much as it takes, and says how many bytes those were.
    fn write(&mut self, id: ReaderId, slices: &[IoSlice<'_>]) -> usize;

    /// This reader is soon to be written to, as are others: whoever keeps something about each far apart in memory may
    /// look at it now, so that it is fetched for several at once.
    fn near(&self, _id: ReaderId) {}
}

/// Outlets that `write` alone makes: enough for tests, where nothing is far apart.
pub fn outlets(write: impl FnMut(ReaderId, &[IoSlice<'_>]) -> usize) -> impl Outlets {
    struct Only<F>(F);

    impl<F: FnMut(ReaderId, &[IoSlice<'_>]) -> usize> Outlets for Only<F> {
        fn write(&mut self, id: ReaderId, slices: &[IoSlice<'_>]) -> usize {
            self.0(id, slices)
        }
    }

    Only(write)
}

/// So many readers are looked at before the first of them is written to. A write goes through so much of the kernel's
/// memory that what comes after it is far away again.
const BLOCK: usize = 32;

impl Fanout {
    /// Writes what is new to everybody who takes it.
    ///
    /// An outlet that takes less than it is given blocks its reader until [`Self::unblock`].
    pub fn flush(&mut self, now: Millis, outlets: &mut impl Outlets) {
        self.now = now;
        while let Some(feed_id) = self.dirty.pop() {
            self.flush_tails(feed_id, now, outlets);
            self.touch(feed_id);
        }
        for id in std::mem::take(&mut self.due) {
            let Some(Some(reader)) = self.readers.get_mut(id as usize) else {
                continue;
            };
            reader.due = false;
            if reader.blocked.is_none() && !reader.given_up {
                self.flush_reader(id, now, outlets);
            }
        }
        loop {
            // Settling a feed may take the last of it, or of another, from somebody, so that it is to be settled again.
            while let Some(feed_id) = self.touched.pop() {
                self.settle(feed_id, now);
            }
            for index in (0..self.held.len()).rev() {
                let feed_id = self.held[index];
                self.update_hold(feed_id, now);
                if self.feeds[feed_id as usize].held.is_none() {
                    self.held.swap_remove(index);
                    self.touch(feed_id);
                }
            }
            if self.touched.is_empty() {
                break;
            }
        }
    }

    /// Writes the tail of a feed to those who have nothing before it: nearly always everybody.
    fn flush_tails(&mut self, feed_id: FeedId, now: Millis, outlets: &mut impl Outlets) {
        let feed = &mut self.feeds[feed_id as usize];
        feed.dirty = false;
        let (start, end) = (feed.log.start(), feed.log.end());
        for block in feed.members.chunks_mut(BLOCK) {
            for member in &*block {
                std::hint::black_box(self.readers[member.reader as usize].is_some());
                outlets.near(member.reader);
            }
            for member in block {
                let reader = reader(&mut self.readers, member.reader);
                if reader.blocked.is_some() || reader.given_up {
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
                let written = outlets.write(member.reader, &[IoSlice::new(slice)]);
                if written == slice.len() {
                    if !planted(Fault::DoubleDelivery) {
                        member.cursor = end;
                    }
                } else {
                    let written = written + usize::from(planted(Fault::CursorOffByOne));
                    member.cursor = feed.log.advance(member.cursor, written);
                    reader.blocked = Some(Stamp::new(now));
                }
            }
        }
    }

    /// Writes to one reader until nothing is left or it takes no more.
    fn flush_reader(&mut self, id: ReaderId, now: Millis, outlets: &mut impl Outlets) {
        loop {
            self.tell_gap(id);
            if reader(&mut self.readers, id).given_up {
                break;
            }
            let mut slices = [IoSlice::new(&[]); limits::SLICES];
            let filled = self.gather(id, &mut slices);
            if filled == 0 {
                reader(&mut self.readers, id).excused = false;
                break;
            }
            let offered: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
            let written = outlets.write(id, &slices[..filled]);
            self.advance(id, written);
            if written < offered {
                reader(&mut self.readers, id).blocked = Some(Stamp::new(now));
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
        for segment in reader.queue.iter().flat_map(|queue| queue.iter()) {
            match segment {
                _ if filled == slices.len() => return filled,
                Segment::Bytes { bytes, written, .. } => {
                    slices[filled] = IoSlice::new(&bytes[*written..]);
                    filled += 1;
                }
                Segment::Line { line, written } => {
                    slices[filled] = IoSlice::new(&line.bytes[*written..]);
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
            let mut wrote = None;
            let done = match queue.front_mut() {
                None => {
                    reader.queue = None;
                    break;
                }
                Some(Segment::Bytes {
                    bytes,
                    written,
                    kind,
                }) => {
                    let taken = n.min(bytes.len() - *written);
                    *written += taken;
                    wrote = Some((*kind, taken));
                    n -= taken;
                    *written == bytes.len()
                }
                Some(Segment::Line { line, written }) => {
                    let taken = n.min(line.bytes.len() - *written);
                    *written += taken;
                    n -= taken;
                    *written == line.bytes.len()
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
            if let Some((kind, bytes)) = wrote {
                queue.wrote(kind, bytes);
            }
            if !done {
                return;
            }
            queue.pop_front();
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
            match queue.front_mut() {
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
                Some(Segment::Bytes { .. } | Segment::Line { .. }) => break,
                None => {
                    reader.queue = None;
                    break;
                }
            }
            if let Some(queue) = &mut reader.queue {
                queue.pop_front();
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
            self.skipped += missed;
            match self.settings.gap {
                Some(_) if planted(Fault::GapNotTold) => {}
                Some(gap) => queue(reader, &self.meter).push_front(Segment::Bytes {
                    bytes: gap(missed),
                    written: 0,
                    kind: Kind::Rest,
                }),
                None => give_up(reader, id, &mut self.too_slow),
            }
        }
    }
}
