//! What all readers of one publisher ought to read, and how far each of them is in it.

use std::collections::VecDeque;
use std::time::Instant;

/// So much of a stream is looked for further on: the end of a number and some of its line's filler.
const LOST_PATTERN: usize = 40;

/// Whom a batch has reached: one more reader, or the last of those that count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    One,
    All,
}

/// The expected stream and how far each reader is in it.
pub struct Track {
    /// From `base` on; emptied whenever everybody has everything.
    pub expected: Vec<u8>,
    base: u64,
    /// Those that somebody still lacks, oldest first; the first one is number `first_batch`.
    pub batches: VecDeque<Batch>,
    first_batch: u64,
    pub readers: Vec<Reader>,
    /// What one line of the last batch takes on the wire.
    line_bytes: usize,
    /// The last reader does not read, and does not count.
    pub stopped: bool,
    /// Counts what arrives, to tell slow from stalled.
    pub progress: u64,
}

pub struct Batch {
    end: u64,
    missing: usize,
    due: Instant,
}

#[derive(Clone, Copy)]
pub struct Reader {
    at: u64,
    /// The first batch that it does not have whole.
    batch: u64,
}

impl Track {
    pub fn new(readers: usize) -> Track {
        Track {
            expected: Vec::new(),
            base: 0,
            batches: VecDeque::new(),
            first_batch: 0,
            readers: vec![Reader { at: 0, batch: 0 }; readers],
            line_bytes: 1,
            stopped: false,
            progress: 0,
        }
    }

    pub fn counted(&self) -> usize {
        self.readers.len() - usize::from(self.stopped)
    }

    /// What has been appended to `expected` since the last batch is one more.
    pub fn close_batch(&mut self, lines: usize, due: Instant) {
        let end = self.base + self.expected.len() as u64;
        let begin = self.batches.back().map_or(self.base, |batch| batch.end);
        self.line_bytes = (end - begin) as usize / lines;
        self.batches.push_back(Batch {
            end,
            missing: self.counted(),
            due,
        });
    }

    pub fn received(
        &mut self,
        index: usize,
        bytes: &[u8],
        mut seen: impl FnMut(Instant, Reached),
    ) -> Result<(), String> {
        let reader = &mut self.readers[index];
        let start = (reader.at - self.base) as usize;
        let expected = self.expected.get(start..start + bytes.len());
        if expected != Some(bytes) {
            return Err(self.describe_difference(index, start, bytes));
        }
        reader.at += bytes.len() as u64;
        self.progress += 1;
        while let Some(batch) = self
            .batches
            .get_mut((reader.batch - self.first_batch) as usize)
            && batch.end <= reader.at
        {
            reader.batch += 1;
            batch.missing -= 1;
            seen(batch.due, Reached::One);
            if batch.missing == 0 {
                seen(batch.due, Reached::All);
            }
        }
        self.forget_finished();
        Ok(())
    }

    fn forget_finished(&mut self) {
        while self.batches.front().is_some_and(|batch| batch.missing == 0) {
            self.batches.pop_front();
            self.first_batch += 1;
        }
        if self.batches.is_empty() {
            self.base += self.expected.len() as u64;
            self.expected.clear();
        }
    }

    pub fn describe_stall(&self) -> String {
        let missing = self.batches.front().map_or(0, |batch| batch.missing);
        format!(
            "stalled: {missing} of {} readers lack a line",
            self.counted()
        )
    }

    /// Where a reader's stream departs from the expected one.
    fn describe_difference(&self, index: usize, start: usize, bytes: &[u8]) -> String {
        let expected = &self.expected[start..];
        let same = expected
            .iter()
            .zip(bytes)
            .take_while(|(left, right)| left == right)
            .count();
        // A line's number is where a stream departs that lacks lines: the rest of what was read comes later.
        let rest = &bytes[same..bytes.len().min(same + LOST_PATTERN)];
        let later = expected.get(same..).unwrap_or_default();
        if rest.len() == LOST_PATTERN
            && let Some(lost) = memchr::memmem::find(later, rest)
        {
            return format!("lost {} lines", lost.div_ceil(self.line_bytes));
        }
        let start = bytes[..same]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let show = |from: &[u8]| {
            let line = from.get(start..).unwrap_or_default();
            let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
            String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned()
        };
        format!(
            "reader {index} read {:?} in place of {:?}",
            show(bytes),
            show(expected)
        )
    }
}
