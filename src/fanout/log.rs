//! A room's log: the encoded lines that somebody still has to be written, once for everybody.
//!
//! Owns bytes and their numbering. Never knows who reads them.

use crate::memory::{Held, Meter, block};
use std::collections::VecDeque;
use std::io::IoSlice;

/// The first capacity of a chunk: a few lines of talk.
const SMALLEST: usize = 256;
/// Places in the table of chunks that an empty log keeps: as many as the first chunk takes.
const PLACES: usize = 4;

/// A place in a log. Both numbers count from the log's beginning and only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Bytes before this place.
    pub at: u64,
    /// Line ends before this place; so at a line's start, and within it, the number of that line.
    pub line: u64,
}

/// Lines, oldest first, in chunks: dropping the oldest moves nothing, and what is given back is given
/// back whole. A line never straddles two chunks.
#[derive(Debug)]
pub struct Log {
    /// Oldest first; each begins where the one before ends. None is empty.
    chunks: VecDeque<Chunk>,
    /// Behind the last line.
    end: Cursor,
    /// A chunk that holds so much, or more by a part of what was last appended to it, is full.
    chunk_size: usize,
    /// The memory of all `chunks`' bytes.
    own: usize,
    held: Held,
}

#[derive(Debug)]
struct Chunk {
    /// Where its first byte stands; always a line's start.
    start: Cursor,
    bytes: Vec<u8>,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start.at + self.bytes.len() as u64
    }
}

impl Log {
    /// An empty log, whose memory is counted by `meter`. It allocates nothing before its first line.
    pub fn new(chunk_size: usize, meter: &Meter) -> Self {
        Self {
            chunks: VecDeque::new(),
            end: Cursor::default(),
            chunk_size,
            own: 0,
            held: meter.hold(),
        }
    }

    /// Where the oldest line held begins; [`Self::end`] if none is.
    pub fn start(&self) -> Cursor {
        self.chunks.front().map_or(self.end, |chunk| chunk.start)
    }

    /// Behind the newest line.
    pub fn end(&self) -> Cursor {
        self.end
    }

    /// Bytes of lines held.
    pub fn len(&self) -> usize {
        (self.end.at - self.start().at) as usize
    }

    /// Whether no line is held.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes of memory held for its lines.
    pub fn memory(&self) -> usize {
        self.held.bytes()
    }

    /// Bytes of memory that it may hold without any, and keeps.
    pub const fn least() -> usize {
        block(PLACES * size_of::<Chunk>())
    }

    /// Appends so many lines, of at most `length` bytes with their newlines, to one chunk. `write` appends them to
    /// what it is given. Whether the chunk was begun for them.
    pub fn append(&mut self, lines: u64, length: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let has_room = |chunk: &Chunk| chunk.bytes.len() < self.chunk_size;
        let begins = !self.chunks.back().is_some_and(has_room);
        if begins {
            self.chunks.push_back(Chunk {
                start: self.end,
                bytes: Vec::new(),
            });
        }
        let Some(chunk) = self.chunks.back_mut() else {
            return begins;
        };
        let (size, capacity) = (chunk.bytes.len(), chunk.bytes.capacity());
        if size + length > capacity {
            // What is last in it fits exactly: room for the next, which has none, would be memory that nobody counts as
            // lines.
            let doubled = (size + length).next_power_of_two().max(SMALLEST);
            let room = doubled.min(self.chunk_size).max(size + length);
            chunk.bytes.reserve_exact(room - size);
        }
        write(&mut chunk.bytes);
        debug_assert_eq!(chunk.bytes.last(), Some(&b'\n'));
        debug_assert_eq!(
            memchr::memchr_iter(b'\n', &chunk.bytes[size..]).count() as u64,
            lines
        );
        let grown = chunk.bytes.capacity();
        self.end.at += (chunk.bytes.len() - size) as u64;
        self.end.line += lines;
        if grown != capacity {
            self.own += block(grown) - block(capacity);
            self.count();
        }
        begins
    }

    /// The first piece of what is held from `from` on: up to the log's end, if one chunk has it all.
    /// `from` must not lie before [`Self::start`].
    #[inline]
    pub fn slice(&self, from: Cursor) -> &[u8] {
        let newest = self.chunks.back().filter(|chunk| chunk.start.at <= from.at);
        match newest.or_else(|| self.chunks.get(self.chunk_of(from.at))) {
            Some(chunk) => &chunk.bytes[(from.at - chunk.start.at) as usize..],
            None => &[],
        }
    }

    /// Fills `slices` with what is held from `from` to `to`, as far as they go. Gives how many it filled.
    /// `from` must not lie before [`Self::start`], nor behind `to`.
    pub fn slices<'a>(&'a self, from: Cursor, to: Cursor, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut at = from.at;
        for chunk in self
            .chunks
            .range(self.chunk_of(from.at).min(self.chunks.len())..)
        {
            if at >= to.at || filled == slices.len() {
                break;
            }
            let until = chunk.end().min(to.at);
            let piece = (at - chunk.start.at) as usize..(until - chunk.start.at) as usize;
            slices[filled] = IoSlice::new(&chunk.bytes[piece]);
            filled += 1;
            at = until;
        }
        filled
    }

    /// The place `n` bytes behind `from`, both of them held.
    pub fn advance(&self, from: Cursor, n: usize) -> Cursor {
        let mut to = from;
        let mut left = n;
        while left > 0 {
            let piece = self.slice(to);
            let piece = &piece[..piece.len().min(left)];
            if piece.is_empty() {
                break;
            }
            to.at += piece.len() as u64;
            to.line += memchr::memchr_iter(b'\n', piece).count() as u64;
            left -= piece.len();
        }
        to
    }

    /// The line inside which `from` stands, with its newline, and how much of it lies before `from`. `None`
    /// at a line's start, and where the line is no longer held.
    pub fn line_around(&self, from: Cursor) -> Option<(&[u8], usize)> {
        let chunk = self.chunks.get(self.chunk_of(from.at))?;
        let at = from.at.checked_sub(chunk.start.at)? as usize;
        let start = memchr::memrchr(b'\n', &chunk.bytes[..at]).map_or(0, |n| n + 1);
        let end = memchr::memchr(b'\n', &chunk.bytes[at..]).map(|n| at + n + 1)?;
        (start < at).then(|| (&chunk.bytes[start..end], at - start))
    }

    /// Where the log would begin if its oldest chunk were dropped; `None` if it is the only one, which
    /// may still be growing.
    pub fn second_start(&self) -> Option<Cursor> {
        self.chunks.get(1).map(|chunk| chunk.start)
    }

    /// Drops the oldest chunk.
    pub fn drop_oldest(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.own -= block(chunk.bytes.capacity());
            if self.chunks.is_empty() {
                return self.clear();
            }
            self.count();
        }
    }

    /// Drops everything: nobody is behind.
    pub fn clear(&mut self) {
        self.chunks.clear();
        // What an empty log holds, nobody could give back.
        self.chunks.shrink_to(PLACES);
        self.own = 0;
        self.count();
    }

    fn count(&mut self) {
        self.held.set(self.footprint());
    }

    fn footprint(&self) -> usize {
        let table = match self.chunks.capacity() {
            ..=PLACES => 0,
            capacity => block(capacity * size_of::<Chunk>()),
        };
        table + self.own
    }

    /// The index of the chunk that holds `at`.
    fn chunk_of(&self, at: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.end() <= at)
    }

    /// Panics where the fields contradict one another. For tests and debug builds.
    pub fn check_invariants(&self) {
        let mut place = self.start();
        for chunk in &self.chunks {
            assert!(!chunk.bytes.is_empty(), "an empty chunk");
            assert_eq!(chunk.start, place, "chunks leave a hole or overlap");
            assert_eq!(
                chunk.bytes.last(),
                Some(&b'\n'),
                "a chunk ends inside a line"
            );
            place.at = chunk.end();
            place.line += memchr::memchr_iter(b'\n', &chunk.bytes).count() as u64;
        }
        assert_eq!(place, self.end, "the end is not where the chunks end");
        let own = self
            .chunks
            .iter()
            .map(|chunk| block(chunk.bytes.capacity()));
        assert_eq!(own.sum::<usize>(), self.own, "chunks are miscounted");
        assert_eq!(self.held.bytes(), self.footprint());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a chunk takes beside its bytes, as a block and in the table of chunks.
    const BESIDES: usize = 64;

    #[test]
    fn no_length_of_a_line_wastes_memory() {
        for length in [1, 50, 511, 4_096, 5_500, 9_000, 16_384, 20_000, 50_000] {
            let mut log = Log::new(16 << 10, &Meter::default());
            for _ in 0..100 {
                log.append(1, length, |bytes| {
                    bytes.resize(bytes.len() + length - 1, b'x');
                    bytes.push(b'\n');
                });
                log.check_invariants();
                // What the newest chunk has left.
                assert!(
                    log.memory() <= log.len() + (8 << 10) + 100 * BESIDES,
                    "{length}: {} bytes for {}",
                    log.memory(),
                    log.len()
                );
            }
        }
    }

    #[test]
    fn an_empty_log_holds_no_more_than_after_its_first_line() {
        let fill = |log: &mut Log, lines| {
            for _ in 0..lines {
                log.append(1, 512, |bytes| {
                    bytes.extend([[b'x'; 511].as_slice(), b"\n"].concat())
                });
            }
        };
        for is_shed in [false, true] {
            let mut log = Log::new(512, &Meter::default());
            fill(&mut log, 1);
            log.clear();
            let least = log.memory();
            fill(&mut log, 1_000);
            match is_shed {
                true => (0..1_000).for_each(|_| log.drop_oldest()),
                false => log.clear(),
            }
            log.check_invariants();
            assert_eq!(log.memory(), least);
        }
    }
}
