//! What one reader is to be written before the live tail of its log.
//!
//! Owns the order of segments. Bytes of a room's log are here by reference only.

use super::log::Cursor;
use crate::limits;
use crate::memory::{Held, Meter, block};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Names a feed: a log with its readers.
pub type FeedId = u32;

/// A piece of a reader's stream.
#[derive(Debug)]
pub enum Segment {
    /// Bytes for this reader alone, whole lines; those before `written` have been written, so that
    /// `bytes[written - 1]` tells whether the reader is inside a line. Only a queue's first segment has any.
    Bytes {
        bytes: Vec<u8>,
        written: usize,
        kind: Kind,
    },
    /// A line that its log may drop, of which some is written. Only a queue's first segment is one.
    Line { line: Rc<Line>, written: usize },
    /// Lines of a feed's log. Only a queue's first segment may begin inside a line.
    Range {
        feed: FeedId,
        from: Cursor,
        to: Cursor,
    },
    /// So many lines that the reader is told it missed.
    Lost { lines: u64 },
}

/// What bytes for one reader alone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An answer, or the like.
    Reply,
    /// What somebody else said to this reader alone.
    Word,
    /// The rest of a line, or the word of a gap.
    Rest,
}

/// A line that readers were in the middle of when its log dropped it: one copy for all of them.
#[derive(Debug)]
pub struct Line {
    pub bytes: Box<[u8]>,
    /// Where it ended in its log.
    pub end: Cursor,
    held: Held,
}

impl Line {
    /// A copy of a line that ends at `end`, whose memory is counted by `meter`.
    pub fn new(bytes: &[u8], end: Cursor, meter: &Meter) -> Self {
        let mut held = meter.hold();
        held.set(block(size_of::<Self>() + 2 * size_of::<usize>()) + block(bytes.len()));
        Self {
            bytes: bytes.into(),
            end,
            held,
        }
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.held.bytes()
    }
}

/// To look through fewer segments is nothing to be remembered.
const FAR: usize = 16;

/// Segments, first to be written first. A reader that only listens and keeps up has no queue at all.
#[derive(Debug)]
pub struct Queue {
    segments: VecDeque<Segment>,
    /// Bytes not yet written, of each [`Kind`].
    unread: [usize; 3],
    /// The memory of all segments' own bytes.
    own: usize,
    /// That no segment before this one is a range of this feed: see [`Self::first_range`].
    known: Cell<(FeedId, usize)>,
    held: Held,
}

impl Queue {
    /// An empty queue, whose memory is counted by `meter`.
    pub fn new(meter: &Meter) -> Self {
        Self {
            segments: VecDeque::new(),
            unread: [0; 3],
            own: 0,
            known: Cell::default(),
            held: meter.hold(),
        }
    }

    /// Bytes of a kind that are not yet written.
    pub fn unread(&self, kind: Kind) -> usize {
        self.unread[kind as usize]
    }

    /// So many bytes of the first segment, which are of that kind, have been written.
    pub fn wrote(&mut self, kind: Kind, bytes: usize) {
        self.unread[kind as usize] -= bytes;
    }

    /// Appends bytes for this reader alone.
    pub fn push_bytes(&mut self, new: &[u8], kind: Kind) {
        let last = match self.segments.back_mut() {
            Some(Segment::Bytes {
                bytes,
                written,
                kind: last,
            }) if *last == kind => Some((bytes, written)),
            _ => None,
        };
        let Some((bytes, written)) = last else {
            return self.push(Segment::Bytes {
                bytes: new.to_vec(),
                written: 0,
                kind,
            });
        };
        let before = block(bytes.capacity());
        // What is written goes before more is taken, or a segment that never quite empties
        // would grow for ever. Its last byte stays: it tells whether a line is begun.
        if *written > bytes.len() / 2 {
            bytes.drain(..*written - 1);
            *written = 1;
        }
        bytes.extend_from_slice(new);
        self.own += block(bytes.capacity()) - before;
        self.unread[kind as usize] += new.len();
        self.count();
    }

    /// Appends a segment.
    pub fn push(&mut self, segment: Segment) {
        self.add(&segment);
        self.segments.push_back(segment);
        self.count();
    }

    /// Puts something before everything else; some of it may be written already.
    pub fn push_front(&mut self, segment: Segment) {
        self.add(&segment);
        self.segments.push_front(segment);
        self.count();
    }

    /// Takes the first segment away, all of whose bytes must have been written.
    pub fn pop_front(&mut self) {
        if let Some(segment) = self.segments.pop_front() {
            let (feed, index) = self.known.get();
            self.known.set((feed, index.saturating_sub(1)));
            self.own -= segment.memory();
            self.count();
        }
    }

    /// All segments, the first to be written first.
    pub fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// How many segments there are.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there are more than the queue of a blocked reader may hold.
    pub fn is_full(&self) -> bool {
        self.len() > limits::SEGMENTS
    }

    /// Whether there are so many that it may soon be full.
    pub fn is_crowded(&self) -> bool {
        self.len() > limits::SEGMENTS / 2
    }

    /// Whether there are none. Such a queue is not kept.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Where the first lines of a feed begin, if there are any. It is asked for often, and behind many lines of another
    /// room: so it is remembered how far there were none.
    pub fn first_range(&self, of: FeedId) -> Option<Cursor> {
        let (feed, index) = self.known.get();
        let start = if feed == of { index } else { 0 };
        let mut at = start;
        let found = self
            .segments
            .range(start..)
            .find_map(|segment| match segment {
                Segment::Range { feed, from, .. } if *feed == of => Some(*from),
                _ => {
                    at += 1;
                    None
                }
            });
        if at - start >= FAR {
            self.known.set((of, at));
        }
        found
    }

    /// The first segment.
    pub fn front(&self) -> Option<&Segment> {
        self.segments.front()
    }

    /// The first segment, of which some may have been written; its bytes must stay as they are.
    pub fn front_mut(&mut self) -> Option<&mut Segment> {
        self.segments.front_mut()
    }

    /// A segment by its place in the queue, to change as with [`Self::front_mut`].
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Segment> {
        self.segments.get_mut(index)
    }

    /// All segments, taken out.
    pub fn into_segments(self) -> VecDeque<Segment> {
        self.segments
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.held.bytes()
    }

    fn add(&mut self, segment: &Segment) {
        if let Segment::Bytes {
            bytes,
            written,
            kind,
        } = segment
        {
            self.unread[*kind as usize] += bytes.len() - written;
        }
        self.own += segment.memory();
    }

    fn count(&mut self) {
        self.held.set(self.footprint());
    }

    fn footprint(&self) -> usize {
        block(size_of::<Self>()) + block(self.segments.capacity() * size_of::<Segment>()) + self.own
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        let mut unread = [0; 3];
        assert!(!self.is_empty(), "an empty queue is kept");
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Bytes {
                    bytes,
                    written,
                    kind,
                } => {
                    assert!(*written < bytes.len(), "a segment without bytes");
                    assert!(index == 0 || *written == 0, "written out of turn");
                    unread[*kind as usize] += bytes.len() - written;
                }
                Segment::Line { line, written } => {
                    assert!(index == 0, "a line is finished out of turn");
                    assert!((1..line.bytes.len()).contains(written));
                }
                Segment::Range { from, to, .. } => {
                    assert!(
                        from.at < to.at && from.line < to.line,
                        "a range without lines"
                    );
                }
                Segment::Lost { lines } => assert!(*lines > 0, "a gap of no lines"),
            }
        }
        assert_eq!(unread, self.unread);
        let (known, index) = self.known.get();
        assert!(index <= self.len());
        for segment in self.segments.range(..index) {
            let is_range = matches!(segment, Segment::Range { feed, .. } if *feed == known);
            assert!(!is_range, "a range is overlooked");
        }
        let own: usize = self.segments.iter().map(Segment::memory).sum();
        assert_eq!(own, self.own, "the memory of segments is miscounted");
        assert_eq!(self.held.bytes(), self.footprint());
    }
}

impl Segment {
    /// The memory of its own bytes.
    fn memory(&self) -> usize {
        match self {
            Self::Bytes { bytes, .. } => block(bytes.capacity()),
            // A line is counted once for all.
            Self::Line { .. } | Self::Range { .. } | Self::Lost { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_of_each_room_are_found_however_far_they_are() {
        let mut queue = Queue::new(&Meter::default());
        let at = |line: u64| Cursor {
            at: 10 * line,
            line,
        };
        let feeds = || (0..40).map(|_| 1).chain([2, 1, 2]);
        for (line, feed) in (0..).zip(feeds()) {
            let (from, to) = (at(line), at(line + 1));
            queue.push(Segment::Range { feed, from, to });
        }
        while !queue.is_empty() {
            let left = feeds().count() - queue.len();
            for feed in [2, 1, 2, 3, 2] {
                let mut rest = feeds().enumerate().skip(left);
                let first = rest.find(|&(_, other)| other == feed);
                let expected = first.map(|(line, _)| 10 * line as u64);
                assert_eq!(queue.first_range(feed).map(|from| from.at), expected);
                queue.check_invariants();
            }
            queue.pop_front();
        }
    }
}
