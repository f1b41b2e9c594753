//! What was typed and is still to be sent: the bytes of standard input on their way to the socket.
//!
//! Owns them from the moment they are read until the line they belong to is wholly with the
//! kernel, so that a line that was half sent when the connection broke can be sent again
//! whole. Knows nothing of sockets, and never holds more than [`LIMIT`] + [`LONGEST_KEPT`] and
//! one push.

use super::fifo::Fifo;
use super::secrets::Secrets;
use crate::wire::heard::{self, Meant};
use memchr::{memchr, memchr_iter, memrchr};

/// With this much unsent the client reads nothing more from standard input.
pub const LIMIT: usize = 256 << 10;
/// How much of a line is kept for a second try after it was sent in part.
const LONGEST_KEPT: usize = 256 << 10;

/// How lines are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The bytes as they are; in a chat whole lines of them, as long as there is room to wait for their ends.
    Stream,
    /// Each line by itself and without its newline; empty lines are nothing to send.
    LineByLine,
}

/// The queue from standard input to the socket.
#[derive(Debug)]
pub struct Outgoing {
    framing: Framing,
    /// Begins with the line that is being sent, unless `cut`.
    bytes: Fifo,
    /// So many of `bytes` are whole lines: no newline comes after.
    whole: usize,
    /// How many of `bytes` the kernel has. They are all of one unfinished line.
    sent: usize,
    /// The line being sent is so long that its beginning was let go: it cannot be sent again.
    cut: bool,
    /// What is pushed up to the next newline belongs to a line that was given up.
    skipping: bool,
    /// Nothing more will be pushed.
    ended: bool,
    /// This is a chat: lines may leave it or open doors, and none is published in halves. A bus takes bytes as they
    /// come.
    is_chat: bool,
    /// A line that leaves is with the kernel.
    quit: bool,
    /// What opens doors in the lines that the kernel has, until it is taken.
    secrets: Secrets,
}

impl Outgoing {
    /// An empty queue; `is_chat` where lines that leave or open doors are to be noticed.
    pub fn new(framing: Framing, is_chat: bool) -> Self {
        Self {
            framing,
            bytes: Fifo::default(),
            whole: 0,
            sent: 0,
            cut: false,
            skipping: false,
            ended: false,
            is_chat,
            quit: false,
            secrets: Secrets::default(),
        }
    }

    /// Takes what was read from standard input.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if self.skipping {
            match memchr(b'\n', bytes) {
                Some(at) => bytes = &bytes[at + 1..],
                None => return,
            }
            self.skipping = false;
        }
        if let Some(at) = memrchr(b'\n', bytes) {
            self.whole = self.bytes.len() + at + 1;
        }
        self.bytes.back().extend_from_slice(bytes);
        self.pass_line_ends();
    }

    /// Standard input has ended: its last line needs no newline.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether everything is with the kernel and nothing more will come.
    pub fn is_done(&self) -> bool {
        self.ended && !self.has_more()
    }

    /// Whether something is not with the kernel yet.
    pub fn has_more(&self) -> bool {
        !self.unsent().is_empty()
    }

    /// Whether a line has begun to go out and has not ended.
    pub fn is_within_line(&self) -> bool {
        self.sent > 0 || self.cut
    }

    /// Whether so much waits that nothing should be added.
    pub fn is_full(&self) -> bool {
        self.unsent().len() >= LIMIT
    }

    /// Whether a line that leaves the chat was sent over this connection.
    pub fn said_quit(&self) -> bool {
        self.quit
    }

    /// What opens doors in the lines that were sent; once.
    pub fn take_secrets(&mut self) -> Secrets {
        std::mem::take(&mut self.secrets)
    }

    /// What to send next, in one write as far as the socket takes it; empty if there is nothing.
    pub fn next(&self) -> &[u8] {
        let unsent = self.unsent();
        if self.framing == Framing::Stream {
            return match self.whole.checked_sub(self.sent) {
                _ if !self.is_chat || self.ended => unsent,
                Some(whole @ 1..) => &unsent[..whole],
                _ if self.is_full() => unsent,
                _ => &[],
            };
        }
        let line = match memchr(b'\n', unsent) {
            Some(end) => &unsent[..end],
            None if self.ended => return unsent,
            // The rest of this line is still to be read, but there is no room for it.
            None if self.is_full() => unsent,
            None => return &[],
        };
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The kernel took `n` bytes of [`Outgoing::next`]. Gives whether that finished a line.
    pub fn took(&mut self, n: usize) -> bool {
        self.sent += n;
        let finished = match self.framing {
            Framing::LineByLine => self.pass_line_ends(),
            Framing::Stream => {
                let new = &self.bytes.as_slice()[self.sent - n..self.sent];
                if let Some(at) = memrchr(b'\n', new) {
                    self.finish(self.sent - n + at + 1);
                }
                self.sent < n
            }
        };
        if self.sent > LONGEST_KEPT {
            self.drop_front(self.sent);
            self.sent = 0;
            self.cut = true;
        }
        finished
    }

    /// The connection broke: what is unfinished will be sent again whole over the next one. Gives
    /// whether a line had to be given up because its beginning is no longer there.
    pub fn start_over(&mut self) -> bool {
        self.quit = false;
        self.sent = 0;
        if !std::mem::take(&mut self.cut) {
            return false;
        }
        match memchr(b'\n', self.bytes.as_slice()) {
            Some(at) => self.drop_front(at + 1),
            None => {
                self.drop_front(self.bytes.len());
                self.skipping = !self.ended;
            }
        }
        true
    }

    /// Lets go of all that is here, but of the rest of a line that has begun: what comes next must not be taken for its
    /// end. Gives how many lines are therefore not sent.
    pub fn give_up(&mut self) -> usize {
        let bytes = self.bytes.as_slice();
        let kept = match memchr(b'\n', bytes) {
            _ if !self.is_within_line() => 0,
            Some(at) => at + 1,
            None => bytes.len(),
        };
        let given_up = &bytes[kept..];
        let has_rest = given_up.last().is_some_and(|&byte| byte != b'\n');
        let lines = memchr_iter(b'\n', given_up).count() + usize::from(has_rest);
        self.bytes.truncate(kept);
        self.whole = self.whole.min(kept);
        self.skipping |= has_rest && !self.ended;
        lines
    }

    fn drop_front(&mut self, n: usize) {
        self.bytes.drop_front(n);
        self.whole = self.whole.saturating_sub(n);
    }

    fn unsent(&self) -> &[u8] {
        &self.bytes.as_slice()[self.sent..]
    }

    /// Lets go of the lines that end at `end`.
    fn finish(&mut self, end: usize) {
        if self.is_chat {
            let mut scratch = Vec::new();
            for line in self.bytes.as_slice()[..end].split(|&b| b == b'\n') {
                match meant(line, &mut scratch) {
                    Some(Meant::Quit) => self.quit = true,
                    Some(secret) => self.secrets.note(&secret),
                    None => {}
                }
            }
        }
        self.drop_front(end);
        self.sent = self.sent.saturating_sub(end);
        self.cut = false;
    }

    /// [`Framing::LineByLine`]: passes over the line breaks that come next, which are not sent. Gives
    /// whether there were any.
    fn pass_line_ends(&mut self) -> bool {
        let mut passed = false;
        while self.framing == Framing::LineByLine {
            let end = match self.unsent() {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                _ => break,
            };
            self.finish(self.sent + end);
            passed = true;
        }
        passed
    }
}

/// Whether the server closes the connection on this line (contract, section 2).
pub fn leaves(line: &[u8]) -> bool {
    meant(line, &mut Vec::new()) == Some(Meant::Quit)
}

/// What the server makes of a line that may have a carriage return at its end.
fn meant<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Meant<'a>> {
    heard::meant(line.strip_suffix(b"\r").unwrap_or(line), scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `read` bytes to a socket that takes `take` bytes at a time. Gives
    /// the writes that were whole, joined by `|`.
    fn sent(framing: Framing, input: &[u8], read: usize, take: usize) -> String {
        let mut queue = Outgoing::new(framing, false);
        let mut writes = String::new();
        let mut reads = input.chunks(read).map(Some).chain([None]);
        loop {
            while !queue.next().is_empty() {
                let all = queue.next();
                let n = all.len().min(take);
                writes.push_str(std::str::from_utf8(&all[..n]).expect("ASCII"));
                if queue.took(n) || framing == Framing::Stream {
                    writes.push('|');
                }
            }
            match reads.next() {
                Some(Some(bytes)) => queue.push(bytes),
                Some(None) => queue.end(),
                None => break,
            }
        }
        assert!(queue.is_done());
        writes
    }

    #[test]
    fn a_stream_goes_out_as_it_is() {
        let input = b"one\n\r\ntwo\nrest";
        for read in 1..=input.len() {
            for take in 1..=input.len() {
                let writes = sent(Framing::Stream, input, read, take);
                assert_eq!(writes.replace('|', "").as_bytes(), input);
            }
        }
        assert_eq!(
            sent(Framing::Stream, input, 100, 100),
            "one\n\r\ntwo\nrest|"
        );
    }

    #[test]
    fn line_by_line_each_goes_out_alone_without_its_newline() {
        for read in 1..=20 {
            for take in 1..=10 {
                let writes = sent(
                    Framing::LineByLine,
                    b"\none\n\n\r\ntwo\r\nthree\n\nrest",
                    read,
                    take,
                );
                assert_eq!(writes, "one|two|three|rest", "read {read}, take {take}");
            }
        }
    }

    #[test]
    fn line_by_line_a_line_beyond_the_limit_passes_in_parts() {
        let mut input = vec![b'x'; 3 * LIMIT];
        input.extend(b"\ny\n");
        let expected = format!("{}|y|", "x".repeat(3 * LIMIT));
        assert_eq!(sent(Framing::LineByLine, &input, 4096, 60_000), expected);
    }

    #[test]
    fn after_a_break_the_unfinished_line_goes_out_again_whole() {
        for (taken, again) in [
            (0, "one\ntwo\nthree"),
            (3, "one\ntwo\nthree"),
            (4, "two\nthree"),
            (6, "two\nthree"),
            (8, "three"),
            (13, "three"),
        ] {
            let mut queue = Outgoing::new(Framing::Stream, false);
            queue.push(b"one\ntwo\nthree");
            queue.took(taken);
            assert!(!queue.start_over());
            assert_eq!(queue.next(), again.as_bytes(), "{taken} taken");
        }
    }

    #[test]
    fn line_by_line_a_break_repeats_the_line_too() {
        let mut queue = Outgoing::new(Framing::LineByLine, false);
        queue.push(b"one\ntwo\n");
        queue.took(2);
        assert!(!queue.start_over());
        assert_eq!(queue.next(), b"one");
        queue.took(3);
        assert_eq!(queue.next(), b"two");
    }

    #[test]
    fn a_line_too_long_to_keep_is_given_up_to_its_end() {
        let mut queue = Outgoing::new(Framing::Stream, false);
        for _ in 0..10 {
            queue.push(&[b'x'; LONGEST_KEPT / 2]);
            queue.took(LONGEST_KEPT / 2);
            assert!(queue.bytes.len() <= LONGEST_KEPT);
        }
        queue.push(b"xx");
        assert!(queue.start_over());
        assert!(queue.next().is_empty());
        queue.push(b"still the same line");
        assert!(queue.next().is_empty());
        queue.push(b" of x\nnext\n");
        assert_eq!(queue.next(), b"next\n");
        assert!(!queue.start_over());
    }

    #[test]
    fn a_chat_gets_whole_lines_as_long_as_there_is_room() {
        let mut queue = Outgoing::new(Framing::Stream, true);
        queue.push(b"hal");
        assert_eq!(queue.next(), b"");
        queue.push(b"lo\nyou\nthe");
        assert_eq!(queue.next(), b"hallo\nyou\n");
        queue.took(2);
        assert_eq!(queue.next(), b"llo\nyou\n");
        queue.took(5);
        assert_eq!(queue.next(), b"ou\n");
        assert!(!queue.start_over());
        assert_eq!(queue.next(), b"you\n");
        queue.took(4);
        assert_eq!((queue.next(), queue.has_more()), (&b""[..], true));
        queue.push(&[b'x'; LIMIT]);
        assert_eq!(queue.next().len(), LIMIT + 3);
        queue.took(LIMIT);
        queue.push(b"\nre");
        assert_eq!(queue.next(), b"xxx\n");
        queue.took(4);
        assert_eq!(queue.next(), b"");
        queue.end();
        assert_eq!(queue.next(), b"re");
    }

    #[test]
    fn what_is_given_up_is_counted_and_goes_to_its_end() {
        let mut queue = Outgoing::new(Framing::Stream, false);
        assert_eq!(queue.give_up(), 0);
        queue.push(b"one\ntwo\n");
        queue.took(2);
        assert_eq!(queue.give_up(), 1);
        assert_eq!(queue.next(), b"e\n");
        queue.took(1);
        assert_eq!(queue.give_up(), 0);
        queue.start_over();
        assert_eq!(queue.give_up(), 1);
        queue.push(b"three\nfo");
        assert_eq!(queue.give_up(), 2);
        queue.push(b"u");
        assert_eq!(queue.give_up(), 0);
        queue.push(b"r\nfive");
        assert_eq!(queue.next(), b"five");
        queue.end();
        assert_eq!(queue.give_up(), 1);
        assert!(queue.is_done());
    }

    #[test]
    fn quit_is_noticed_once_it_is_sent() {
        for (line, expected) in [
            (&b"quit\n"[..], true),
            (b"quit\r\n", true),
            (b"hello\nquit\nmore\n", true),
            (b"/quit\n", true),
            (b"/quit see you\n", true),
            (b"/QUIT\n", true),
            (b"/Quit\tbye\r\n", true),
            (b"Quit\n", false),
            (b"quite\n", false),
            (b"/quitter\n", false),
            (b"//quit\n", false),
            (b" quit\n", false),
        ] {
            for framing in [Framing::Stream, Framing::LineByLine] {
                let mut queue = Outgoing::new(framing, true);
                queue.push(line);
                assert!(!queue.said_quit());
                while !queue.next().is_empty() {
                    queue.took(queue.next().len());
                }
                assert_eq!(queue.said_quit(), expected, "{line:?}");
            }
            let mut bus = Outgoing::new(Framing::Stream, false);
            bus.push(line);
            bus.took(line.len());
            assert!(!bus.said_quit());
        }
    }

    #[test]
    fn what_opens_doors_is_noticed_once_it_is_sent() {
        for (lines, join, key) in [
            ("/join tea\n", None, None),
            ("/join tea kettle\n/join pub\n", Some("tea kettle"), None),
            ("/JOIN  #tea kettle \r\nhello\n", Some("#tea kettle"), None),
            (
                "/key a\n/join tea kettle\n/key b\r\n",
                Some("tea kettle"),
                Some("b"),
            ),
        ] {
            let mut queue = Outgoing::new(Framing::Stream, true);
            queue.push(lines.as_bytes());
            assert_eq!(queue.take_secrets().join, None);
            queue.took(lines.len());
            let secrets = queue.take_secrets();
            assert_eq!(secrets.join.as_deref(), join, "{lines:?}");
            assert_eq!(secrets.key.as_deref(), key, "{lines:?}");
            assert_eq!(queue.take_secrets().join, None);
        }
    }

    #[test]
    fn it_says_when_it_is_full() {
        let mut queue = Outgoing::new(Framing::Stream, false);
        queue.push(&vec![b'\n'; LIMIT - 1]);
        assert!(!queue.is_full());
        queue.push(b"\n");
        assert!(queue.is_full());
        queue.took(1);
        assert!(!queue.is_full());
    }
}
