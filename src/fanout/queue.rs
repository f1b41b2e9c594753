//! What one reader is to be written before the live tail of its log.
//!
//! Owns the order of segments. Bytes of a room's log are here by reference only.

use super::log::Cursor;
use std::collections::VecDeque;

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
        /// An answer or the like, not the copy of a line nor the word of a gap.
        is_reply: bool,
    },
    /// Lines of a feed's log. Only a queue's first segment may begin inside a line.
    Range {
        feed: FeedId,
        from: Cursor,
        to: Cursor,
    },
    /// So many lines that the reader is told it missed.
    Lost { lines: u64 },
}

/// Segments, first to be written first. A reader that only listens and keeps up has no queue at all.
#[derive(Debug, Default)]
pub struct Queue {
    pub segments: VecDeque<Segment>,
    /// Bytes not yet written, of all replies.
    pub replies: usize,
}

impl Queue {
    /// Appends bytes for this reader alone.
    pub fn push_bytes(&mut self, new: &[u8]) {
        self.replies += new.len();
        match self.segments.back_mut() {
            Some(Segment::Bytes {
                bytes,
                written,
                is_reply: true,
            }) => {
                // What is written goes before more is taken, or a segment that never quite empties
                // would grow for ever. Its last byte stays: it tells whether a line is begun.
                if *written > bytes.len() / 2 {
                    bytes.drain(..*written - 1);
                    *written = 1;
                }
                bytes.extend_from_slice(new);
            }
            _ => self.segments.push_back(Segment::Bytes {
                bytes: new.to_vec(),
                written: 0,
                is_reply: true,
            }),
        }
    }

    /// Appends a segment.
    pub fn push(&mut self, segment: Segment) {
        if let Segment::Bytes {
            bytes,
            written,
            is_reply: true,
        } = &segment
        {
            self.replies += bytes.len() - written;
        }
        self.segments.push_back(segment);
    }

    /// Puts bytes that are no reply before everything else; some of them may be written already.
    pub fn push_front(&mut self, bytes: Vec<u8>, written: usize) {
        self.segments.push_front(Segment::Bytes {
            bytes,
            written,
            is_reply: false,
        });
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        let bytes = self.segments.iter().map(|segment| match segment {
            Segment::Bytes { bytes, .. } => bytes.capacity(),
            Segment::Range { .. } | Segment::Lost { .. } => 0,
        });
        size_of::<Self>() + self.segments.capacity() * size_of::<Segment>() + bytes.sum::<usize>()
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        let mut replies = 0;
        assert!(!self.segments.is_empty(), "an empty queue is kept");
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Bytes {
                    bytes,
                    written,
                    is_reply,
                } => {
                    assert!(*written < bytes.len(), "a segment without bytes");
                    assert!(index == 0 || *written == 0, "written out of turn");
                    replies += if *is_reply { bytes.len() - written } else { 0 };
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
        assert_eq!(replies, self.replies);
    }
}
