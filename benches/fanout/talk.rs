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

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::crowd::{Crowd, PATIENCE, parse};
use crate::load::{Latencies, Setup, Slice, connect, record};
use crate::machine::Cores;
use crate::peers::{Peer, Place, Role};
use crate::server::Server;

/// The client that only listens. It joins first: servers tend to serve in that order, and what it has
/// read is what the others' lines are compared with.
const WITNESS: usize = 0;
/// Digits of the speaker's number and of the line's in each text.
const SPEAKER_DIGITS: usize = 4;
const LINE_DIGITS: usize = 8;
/// Rounds of everybody saying a line before the clock starts.
const WARM_ROUNDS: u64 = 1;
/// So much of the expected stream may be done with before it is dropped: dropping moves the rest.
const LOG_KEPT: usize = 256 * 1024;
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
        let book = Book::new(peer, talkers, line_bytes.max(SPEAKER_DIGITS + LINE_DIGITS));
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

/// What has been said, in which order it came out, and how far everybody is.
struct Book {
    /// What each talker has said and the witness has not read yet, oldest first.
    unseen: Vec<VecDeque<Said>>,
    /// How many lines each talker has said.
    count: Vec<u64>,
    /// What the witness has read, from offset `base` of its stream on.
    log: Vec<u8>,
    base: u64,
    /// The lines in `log` that somebody still lacks; the first one is number `first`.
    marks: VecDeque<Mark>,
    first: u64,
    /// One for each talker.
    readers: Vec<Reader>,
    /// The beginning of the witness's next line.
    part: Vec<u8>,
    /// Talkers who have read beyond what the witness has.
    ahead: Vec<usize>,
    text_bytes: usize,
    /// What follows the text in a message.
    after_text: usize,
    /// Whether who says a line reads it too.
    echoes: bool,
    under_way: usize,
    /// Counts what arrives, to tell slow from stalled.
    progress: u64,
}

struct Said {
    /// As every other client reads it, with its newline.
    bytes: Vec<u8>,
    due: Instant,
}

struct Mark {
    /// Where the line ends in the witness's stream.
    end: u64,
    missing: usize,
    due: Instant,
}

#[derive(Default)]
struct Reader {
    /// Up to where it has read the witness's stream, and the line that this lies in.
    at: u64,
    line: u64,
    /// Where its own lines lie in that stream, which it never reads: (start, end).
    own: VecDeque<(u64, u64)>,
    /// What it has read beyond the end of `log`.
    ahead: Vec<u8>,
}

impl Book {
    fn new(peer: &dyn Peer, talkers: usize, text_bytes: usize) -> Book {
        Book {
            unseen: (0..talkers).map(|_| VecDeque::new()).collect(),
            count: vec![0; talkers],
            log: Vec::new(),
            base: 0,
            marks: VecDeque::new(),
            first: 0,
            readers: (0..talkers).map(|_| Reader::default()).collect(),
            part: Vec::new(),
            ahead: Vec::new(),
            text_bytes,
            after_text: peer.after_text(),
            echoes: peer.echoes(),
            under_way: 0,
            progress: 0,
        }
    }

    fn next_text(&self, speaker: usize) -> Vec<u8> {
        let number = self.count[speaker];
        let mut text = format!("{speaker:0SPEAKER_DIGITS$}{number:0LINE_DIGITS$}").into_bytes();
        text.extend((text.len()..self.text_bytes).map(|at| b'a' + (at % 26) as u8));
        text
    }

    fn said(&mut self, speaker: usize, bytes: Vec<u8>, due: Instant) {
        self.unseen[speaker].push_back(Said { bytes, due });
        self.count[speaker] += 1;
        self.under_way += 1;
    }

    /// Takes what the witness has read into the expected stream, line by line.
    fn witnessed(
        &mut self,
        peer: &dyn Peer,
        bytes: &[u8],
        mut done: impl FnMut(Instant),
    ) -> Result<(), String> {
        self.progress += 1;
        let mut part = std::mem::take(&mut self.part);
        part.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = peer.message(&part[start..]) {
            let line = &part[start..start + length];
            self.appear(line)?;
            start += line.len();
        }
        part.drain(..start);
        self.part = part;
        for reader in std::mem::take(&mut self.ahead) {
            let bytes = std::mem::take(&mut self.readers[reader].ahead);
            self.received(reader, &bytes, &mut done)?;
        }
        self.forget_finished(done);
        Ok(())
    }

    /// The next line of the order that all must see.
    fn appear(&mut self, line: &[u8]) -> Result<(), String> {
        let speaker = self.speaker_of(line);
        let said = speaker.and_then(|speaker| self.unseen[speaker].pop_front());
        let (Some(speaker), Some(said)) = (speaker, said.filter(|said| said.bytes == line)) else {
            return Err(format!(
                "the first reader read {:?}, which was not next",
                shown(line)
            ));
        };
        let start = self.base + self.log.len() as u64;
        self.log.extend_from_slice(line);
        let end = start + line.len() as u64;
        if !self.echoes {
            self.readers[speaker].own.push_back((start, end));
        }
        self.marks.push_back(Mark {
            end,
            missing: self.readers.len(),
            due: said.due,
        });
        // It may have read all that came before, and nothing of this will tell it so.
        self.count_lines(speaker);
        Ok(())
    }

    /// Who said a line, by the digits at the start of its text.
    fn speaker_of(&self, line: &[u8]) -> Option<usize> {
        let text = &line[line.len().checked_sub(self.text_bytes + self.after_text)?..];
        parse(&text[..SPEAKER_DIGITS]).filter(|&speaker| speaker < self.readers.len())
    }

    /// Compares what a talker has read with what it ought to have.
    fn received(
        &mut self,
        index: usize,
        bytes: &[u8],
        done: impl FnMut(Instant),
    ) -> Result<(), String> {
        self.progress += 1;
        let reader = &mut self.readers[index];
        if !reader.ahead.is_empty() {
            reader.ahead.extend_from_slice(bytes);
            return Ok(());
        }
        let mut rest = bytes;
        let end = self.base + self.log.len() as u64;
        while !rest.is_empty() {
            reader.skip_own();
            let stop = reader.own.front().map_or(end, |own| own.0);
            let length = rest.len().min((stop - reader.at) as usize);
            if length == 0 {
                reader.ahead.extend_from_slice(rest);
                self.ahead.push(index);
                break;
            }
            let start = (reader.at - self.base) as usize;
            if rest[..length] != self.log[start..start + length] {
                return Err("readers differ in which line comes next".to_owned());
            }
            reader.at += length as u64;
            rest = &rest[length..];
        }
        self.count_lines(index);
        self.forget_finished(done);
        Ok(())
    }

    /// Tells the lines that a talker has now read, or said itself, that it is past them.
    fn count_lines(&mut self, index: usize) {
        let reader = &mut self.readers[index];
        reader.skip_own();
        while let Some(mark) = self.marks.get_mut((reader.line - self.first) as usize)
            && mark.end <= reader.at
        {
            mark.missing -= 1;
            reader.line += 1;
        }
    }

    /// Nobody passes a line before the one in front of it, so they finish in order.
    fn forget_finished(&mut self, mut done: impl FnMut(Instant)) {
        let mut finished_to = self.base;
        while let Some(mark) = self.marks.front()
            && mark.missing == 0
        {
            done(mark.due);
            finished_to = mark.end;
            self.marks.pop_front();
            self.under_way -= 1;
            self.first += 1;
        }
        let dead = (finished_to - self.base) as usize;
        if dead == self.log.len() || dead > LOG_KEPT {
            self.log.drain(..dead);
            self.base = finished_to;
        }
    }
}

impl Reader {
    /// Moves on over what it said itself.
    fn skip_own(&mut self) {
        while let Some(&(start, end)) = self.own.front()
            && start == self.at
        {
            self.at = end;
            self.own.pop_front();
        }
    }
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned()
}
