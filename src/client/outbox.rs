//! All that is sent: the client's own commands, and behind them what was typed.
//!
//! Owns the two queues and which of them is next: a command waits for the end of a line that has begun, and
//! nothing else. Knows nothing of sockets, nor of what the commands are for.

use super::handed::Handed;
use super::outgoing::{Framing, Outgoing};
use super::secrets::Secrets;
use memchr::{memchr, memrchr_iter};
use std::iter;

/// The queues to the socket.
#[derive(Debug)]
pub struct Outbox {
    framing: Framing,
    /// The client's own commands, which are for this connection only.
    commands: Outgoing,
    /// What was typed.
    input: Outgoing,
    /// What was typed waits, though no line of it has begun.
    held: bool,
    /// What this connection was given of both.
    handed: Handed,
}

impl Outbox {
    /// Empty queues; `is_chat` as with [`Outgoing::new`].
    pub fn new(framing: Framing, is_chat: bool) -> Self {
        Self {
            framing,
            commands: Outgoing::new(framing, false),
            input: Outgoing::new(framing, is_chat),
            held: false,
            handed: Handed::default(),
        }
    }

    /// Takes a command of the client's own. A server that reads none of very many gets no more.
    pub fn command(&mut self, line: &str) {
        if !self.commands.is_full() {
            self.commands.push(line.as_bytes());
            self.commands.push(b"\n");
        }
    }

    /// Whether what was typed waits from now on.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Lets go of what was typed and not sent; see [`Outgoing::give_up`].
    pub fn give_up(&mut self) -> usize {
        self.input.give_up()
    }

    /// Takes what was read from standard input.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Standard input has ended.
    pub fn end(&mut self) {
        self.input.end();
    }

    /// Whether everything is with the kernel and nothing more will come.
    pub fn is_done(&self) -> bool {
        // Behind a last line that has no end no command has a place.
        self.input.is_done() && !self.held && !self.commands_first()
    }

    /// Whether something that was typed is still to be sent.
    pub fn has_more(&self) -> bool {
        self.input.has_more()
    }

    /// Whether so much was typed that nothing should be added.
    pub fn is_full(&self) -> bool {
        self.input.is_full()
    }

    /// Whether a line that leaves the chat was sent over this connection.
    pub fn said_quit(&self) -> bool {
        self.input.said_quit()
    }

    /// What opens doors in what the user said; see [`Outgoing::take_secrets`].
    pub fn take_secrets(&mut self) -> Secrets {
        self.input.take_secrets()
    }

    /// What to send next, in one write as far as the socket takes it; empty if there is nothing.
    pub fn next(&self) -> &[u8] {
        let (commands, input) = (self.commands.next(), self.input.next());
        if !self.input.is_within_line() {
            return match commands {
                [] if self.held => &[],
                [] => input,
                commands => commands,
            };
        }
        // To the end of the line and no further, if something else has its turn then.
        match memchr(b'\n', input) {
            Some(end) if self.held || !commands.is_empty() => &input[..=end],
            _ => input,
        }
    }

    /// The kernel took `n` bytes of [`Outbox::next`]. Gives whether that finished a line.
    pub fn took(&mut self, n: usize) -> bool {
        if self.commands_first() {
            self.handed.add(n, iter::empty());
            return self.commands.took(n);
        }
        match self.framing {
            Framing::Stream => {
                let ends = memrchr_iter(b'\n', &self.input.next()[..n]).map(|at| at + 1);
                self.handed.add(n, ends);
                self.input.took(n)
            }
            Framing::LineByLine => {
                let has_ended = self.input.took(n);
                self.handed.add(n, has_ended.then_some(n).into_iter());
                has_ended
            }
        }
    }

    /// How many lines of the user's end in the last `n` bytes that this connection was given.
    pub fn lines_in_last(&self, n: usize) -> usize {
        self.handed.lines_in_last(n)
    }

    /// The connection broke; see [`Outgoing::start_over`]. Its commands are of no use to the next.
    pub fn start_over(&mut self) -> bool {
        self.commands = Outgoing::new(self.framing, false);
        self.held = false;
        self.handed = Handed::default();
        self.input.start_over()
    }

    fn commands_first(&self) -> bool {
        !self.input.is_within_line() && !self.commands.next().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends all there is, `take` bytes at a time.
    fn sent(outbox: &mut Outbox, take: usize) -> String {
        let mut all = String::new();
        while !outbox.next().is_empty() {
            let n = outbox.next().len().min(take);
            all.push_str(str::from_utf8(&outbox.next()[..n]).expect("ASCII"));
            outbox.took(n);
        }
        all
    }

    #[test]
    fn commands_go_before_what_was_typed_and_it_waits_for_leave() {
        for (framing, ahead, behind) in [
            (Framing::Stream, "/pass x\n/nick a\n", "/join b\nhi\nhal"),
            (Framing::LineByLine, "/pass x/nick a", "/join bhi"),
        ] {
            for take in 1..20 {
                let mut outbox = Outbox::new(framing, true);
                outbox.push(b"hi\nhal");
                outbox.hold(true);
                outbox.command("/pass x");
                outbox.command("/nick a");
                assert_eq!(sent(&mut outbox, take), ahead);
                outbox.end();
                assert!(!outbox.is_done());
                outbox.command("/join b");
                outbox.hold(false);
                let rest = sent(&mut outbox, take);
                assert!(rest.starts_with(behind), "{rest:?}");
                assert!(outbox.is_done());
            }
        }
    }

    #[test]
    fn a_line_that_has_begun_comes_to_its_end_first() {
        let mut outbox = Outbox::new(Framing::Stream, true);
        outbox.push(b"hallo\nyou\n");
        outbox.took(3);
        outbox.command("/nick a");
        outbox.hold(true);
        assert_eq!(sent(&mut outbox, 100), "lo\n/nick a\n");
        outbox.hold(false);
        assert_eq!(sent(&mut outbox, 2), "you\n");
    }

    #[test]
    fn a_command_has_no_place_behind_a_last_line_without_an_end() {
        let mut outbox = Outbox::new(Framing::Stream, true);
        outbox.push(b"hallo");
        outbox.end();
        outbox.took(3);
        outbox.command("/nick a");
        assert!(!outbox.is_done());
        assert_eq!(sent(&mut outbox, 100), "lo");
        assert!(outbox.is_done());
    }

    #[test]
    fn lines_of_the_users_are_counted_and_commands_are_not() {
        for (framing, bytes) in [(Framing::Stream, 4), (Framing::LineByLine, 3)] {
            let mut outbox = Outbox::new(framing, true);
            outbox.push(b"one\ntwo\nsix\n");
            sent(&mut outbox, 2);
            assert_eq!(outbox.lines_in_last(1), 1);
            assert_eq!(outbox.lines_in_last(bytes + 1), 2);
            outbox.command("/nick a");
            sent(&mut outbox, 2);
            assert_eq!(outbox.lines_in_last(1), 0);
            assert_eq!(outbox.lines_in_last(99), 3);
            outbox.start_over();
            assert_eq!(outbox.lines_in_last(99), 0);
        }
    }

    #[test]
    fn a_break_takes_the_commands_and_keeps_what_was_typed() {
        let mut outbox = Outbox::new(Framing::Stream, true);
        outbox.push(b"hello\n");
        outbox.hold(true);
        outbox.command("/nick a");
        outbox.took(3);
        assert!(!outbox.start_over());
        assert_eq!(sent(&mut outbox, 100), "hello\n");
    }

    #[test]
    fn a_server_that_reads_no_commands_does_not_fill_the_memory() {
        let mut outbox = Outbox::new(Framing::Stream, true);
        for _ in 0..100_000 {
            outbox.command("/nick alice");
        }
        assert!(sent(&mut outbox, usize::MAX).len() < 300_000);
    }
}
