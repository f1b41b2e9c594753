//! A contiguous queue of bytes: what waits for standard output, and what waits for the socket.
//!
//! Owns the bytes and where they start. Never does I/O and sets no limit: who fills it asks
//! [`Fifo::len`] first.

/// Bytes that come in at the back and go out at the front, always one slice.
#[derive(Debug, Default)]
pub struct Fifo {
    bytes: Vec<u8>,
    /// `bytes[..start]` is dead; at most as much as lives, or nothing lives.
    start: usize,
}

impl Fifo {
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vector to append to. What is in it already must stay.
    pub fn back(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets all but the `n` bytes at the front.
    pub fn truncate(&mut self, n: usize) {
        self.bytes.truncate(self.start + n);
    }

    /// Forgets the `n` bytes at the front.
    pub fn drop_front(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len());
        // Moved only when the dead part outweighs the rest, so that each byte is moved at most once
        // for every byte dropped.
        if self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_and_the_dead_part_stays_small() {
        let mut fifo = Fifo::default();
        let (mut written, mut read) = (0u32, 0u32);
        for turn in 0..1000usize {
            for _ in 0..turn % 7 {
                fifo.back().extend(written.to_be_bytes());
                written += 1;
            }
            for _ in 0..(turn % 5).min(fifo.len() / 4) {
                assert_eq!(fifo.as_slice()[..4], read.to_be_bytes());
                fifo.drop_front(4);
                read += 1;
            }
            assert!(fifo.start <= fifo.len(), "{} dead", fifo.start);
        }
        fifo.drop_front(fifo.len());
        assert!(fifo.is_empty() && fifo.start == 0);
    }
}
