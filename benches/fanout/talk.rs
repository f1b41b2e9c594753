//! Everybody talks: each client says lines and reads those of all others.
//!
//! The order in which a server takes up what different people say is its own affair, but it must be
//! the same for all. So one client only listens, and what it reads becomes the expected stream once it
//! has been checked: each line carries who said it and which of theirs it is, and must be the very
//! bytes that were sent, those of each speaker in order and without gaps. Everybody else must read the
//! same, less what they said themselves. A reader who is ahead of the witness waits for it. Thus most
//! of the checking is comparing long runs of memory, and the load is no slower than it has to be.
//!
//! *Closed*: a given number of lines is under way; as soon as one has reached everybody, the next
//! person says one. *Open*: people talk in turn by the clock.

use std::time::{Duration, Instant};

use crate::book::Book;
use crate::crowd::{Crowd, PATIENCE};
use crate::load::{Latencies, Setup, Slice, connect, record};
use crate::machine::Cores;
use crate::peers::{Peer, Place, Role};
use crate::server::Server;

/// The client that only listens. It joins first: servers tend to serve in that order, and what it has
/// read is what the others' lines are compared with.
const WITNESS: usize = 0;
/// Rounds of everybody saying a line before the clock starts.
const WARM_ROUNDS: u64 = 1;
const SPIN: Duration = Duration::from_millis(2);

pub struct Talk {
    pub server: Server,
    pub setup: Setup,
    pub crowd: Crowd,
    book: Book,
    /// What stands before the text of each talker. Talker `n` is client `n + 1`.
    names: Vec<Vec<u8>>,
    next_speaker: usize,
    said: Vec<u8>,
}

impl Talk {
    pub fn build(
        peer: &dyn Peer,
        cores: Cores,
        talkers: usize,
        line_bytes: usize,
    ) -> Result<Talk, String> {
        let place = |client| Place {
            client,
            room: None,
            role: if client == WITNESS {
                Role::Reads
            } else {
                Role::Talks
            },
        };
        let (server, mut crowd, setup) = connect(peer, cores, talkers + 1, place, None)?;
        // The last to come first: when all have heard that one, all are there to hear the others.
        let last = crowd.agree(peer, &[talkers])?;
        let others: Vec<usize> = (1..talkers).collect();
        let mut names = crowd.agree(peer, &others)?;
        names.extend(last);
        let book = Book::new(peer, talkers, line_bytes);
        Ok(Talk {
            server,
            setup,
            crowd,
            book,
            names,
            next_speaker: 0,
            said: Vec::new(),
        })
    }

    pub fn closed(
        &mut self,
        peer: &dyn Peer,
        under_way: usize,
        time: Duration,
    ) -> Result<Slice, String> {
        let warm = WARM_ROUNDS * self.names.len() as u64;
        self.rounds(peer, under_way, |said, _| said < warm)?;
        let cpu = self.server.cpu()?;
        let started = Instant::now();
        let said = self.rounds(peer, under_way, |_, elapsed| elapsed < time)?;
        let seconds = started.elapsed().as_secs_f64();
        let cpu_ns = self.server.cpu()? - cpu;
        Ok(Slice {
            delivered: said * self.readers(),
            seconds,
            cpu_ns,
        })
    }

    /// Keeps `under_way` lines under way while `go_on(lines said, time passed)`; answers how many lines
    /// were said when all of them have arrived.
    fn rounds(
        &mut self,
        peer: &dyn Peer,
        under_way: usize,
        go_on: impl Fn(u64, Duration) -> bool,
    ) -> Result<u64, String> {
        let started = Instant::now();
        let mut said = 0;
        while go_on(said, started.elapsed()) {
            while self.book.under_way < under_way {
                self.say(peer, Instant::now())?;
                said += 1;
            }
            // Slots that come free together are filled together: the readers are read first.
            self.wait_for_one_less(peer, |_| {})?;
        }
        while self.book.under_way > 0 {
            self.wait_for_one_less(peer, |_| {})?;
        }
        Ok(said)
    }

    pub fn open(
        &mut self,
        peer: &dyn Peer,
        rate: f64,
        time: Duration,
        latencies: &mut Latencies,
    ) -> Result<(), String> {
        let started = Instant::now();
        let lines = (rate * time.as_secs_f64()).ceil().max(1.0) as u32;
        let mut done = |due| record(latencies, due, Instant::now());
        for number in 0..lines {
            let due = started + Duration::from_secs_f64(f64::from(number) / rate);
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                self.pump(peer, left.saturating_sub(SPIN), &mut done)?;
            }
            self.say(peer, due)?;
        }
        while self.book.under_way > 0 {
            self.wait_for_one_less(peer, &mut done)?;
        }
        Ok(())
    }

    /// Of each line: the other talkers and the witness, and who said it where that gets it back.
    fn readers(&self) -> u64 {
        self.names.len() as u64 + u64::from(self.book.echoes)
    }

    /// The next person says one line.
    fn say(&mut self, peer: &dyn Peer, due: Instant) -> Result<(), String> {
        let speaker = self.next_speaker;
        self.next_speaker = (speaker + 1) % self.names.len();
        self.said.clear();
        let text = self.book.next_text(speaker);
        peer.encode(0, &text, &mut self.said);
        let mut line = Vec::with_capacity(self.names[speaker].len() + text.len() + 1);
        peer.deliver(0, &self.names[speaker], &text, &mut line);
        self.book.said(speaker, line, due);
        self.crowd.send(speaker + 1, &self.said)
    }

    fn wait_for_one_less(
        &mut self,
        peer: &dyn Peer,
        mut done: impl FnMut(Instant),
    ) -> Result<(), String> {
        let before = self.book.under_way;
        let (mut progress, mut last_progress) = (self.book.progress, Instant::now());
        while self.book.under_way == before {
            self.pump(peer, Duration::from_millis(100), &mut done)?;
            if self.book.progress != progress {
                (progress, last_progress) = (self.book.progress, Instant::now());
            } else if last_progress.elapsed() > PATIENCE {
                return Err(format!(
                    "stalled: {before} lines have not reached everybody"
                ));
            }
        }
        Ok(())
    }

    fn pump(
        &mut self,
        peer: &dyn Peer,
        wait: Duration,
        mut done: impl FnMut(Instant),
    ) -> Result<(), String> {
        let book = &mut self.book;
        self.crowd.pump(Some(wait), |client, bytes| match client {
            WITNESS => book.witnessed(peer, bytes, &mut done),
            _ => book.received(client - 1, bytes, &mut done),
        })
    }
}
