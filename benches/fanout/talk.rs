//! Everybody talks: each client says lines and reads those of all others.
//!
//! The order in which a server takes up what different people say is its own affair, so there is no
//! expected stream. Each line carries who said it and which of theirs it is; a reader must find the
//! very bytes that were sent, and the lines of each speaker in order, without gaps, and never its own.
//!
//! *Closed*: a given number of lines is under way; as soon as one has reached everybody, the next
//! person says one. *Open*: people talk in turn by the clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::crowd::{Crowd, PATIENCE, parse};
use crate::load::{Latencies, Setup, Slice, connect, record};
use crate::machine::Cores;
use crate::server::{Peer, Server};

/// Digits of the speaker's number and of the line's in each text.
const SPEAKER_DIGITS: usize = 4;
const LINE_DIGITS: usize = 8;
/// Rounds of everybody saying a line before the clock starts.
const WARM_ROUNDS: u64 = 1;
const SPIN: Duration = Duration::from_millis(2);

pub struct Talk {
    pub server: Server,
    pub setup: Setup,
    crowd: Crowd,
    book: Book,
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
        let (server, mut crowd, setup) = connect(peer, cores, talkers, None)?;
        // The last to come first: when all have heard that one, all are there to hear the others.
        let last = crowd.agree(peer, &[talkers - 1])?;
        let all: Vec<usize> = (0..talkers - 1).collect();
        let mut names = crowd.agree(peer, &all)?;
        names.extend(last);
        let text_bytes = line_bytes.max(SPEAKER_DIGITS + LINE_DIGITS);
        let book = Book::new(talkers, text_bytes);
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
            delivered: said * self.others(),
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
            self.wait_for_one_less(|_| {})?;
        }
        while self.book.under_way > 0 {
            self.wait_for_one_less(|_| {})?;
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
                self.pump(left.saturating_sub(SPIN), &mut done)?;
            }
            self.say(peer, due)?;
        }
        while self.book.under_way > 0 {
            self.wait_for_one_less(&mut done)?;
        }
        Ok(())
    }

    pub fn others(&self) -> u64 {
        self.names.len() as u64 - 1
    }

    /// The next person says one line.
    fn say(&mut self, peer: &dyn Peer, due: Instant) -> Result<(), String> {
        let speaker = self.next_speaker;
        self.next_speaker = (speaker + 1) % self.names.len();
        self.said.clear();
        let text = self.book.next_text(speaker);
        peer.encode(&text, &mut self.said);
        let mut line = Vec::with_capacity(self.names[speaker].len() + text.len() + 1);
        peer.deliver(&self.names[speaker], &text, &mut line);
        self.book.open(speaker, line, due);
        self.crowd.send(speaker, &self.said)
    }

    fn wait_for_one_less(&mut self, mut done: impl FnMut(Instant)) -> Result<(), String> {
        let before = self.book.under_way;
        let (mut progress, mut last_progress) = (self.book.progress, Instant::now());
        while self.book.under_way == before {
            self.pump(Duration::from_millis(100), &mut done)?;
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

    fn pump(&mut self, wait: Duration, mut done: impl FnMut(Instant)) -> Result<(), String> {
        let book = &mut self.book;
        self.crowd.pump(Some(wait), |reader, bytes| {
            book.received(reader, bytes, &mut done)
        })
    }
}

/// What has been said and who has yet to read it.
struct Book {
    speakers: Vec<Speaker>,
    readers: Vec<Reader>,
    text_bytes: usize,
    under_way: usize,
    /// Counts what arrives, to tell slow from stalled.
    progress: u64,
}

struct Speaker {
    /// Lines that somebody still lacks, oldest first; the first one is number `first`.
    lines: VecDeque<Line>,
    first: u32,
}

struct Line {
    /// As every other client reads it, with its newline.
    bytes: Vec<u8>,
    missing: usize,
    due: Instant,
}

struct Reader {
    /// For each speaker the number of the line that comes next.
    next: Vec<u32>,
    /// The beginning of a line whose end has not come yet.
    part: Vec<u8>,
}

impl Book {
    fn new(talkers: usize, text_bytes: usize) -> Book {
        let reader = |_| Reader {
            next: vec![0; talkers],
            part: Vec::new(),
        };
        let speaker = |_| Speaker {
            lines: VecDeque::new(),
            first: 0,
        };
        Book {
            speakers: (0..talkers).map(speaker).collect(),
            readers: (0..talkers).map(reader).collect(),
            text_bytes,
            under_way: 0,
            progress: 0,
        }
    }

    fn next_text(&self, speaker: usize) -> Vec<u8> {
        let said = &self.speakers[speaker];
        let number = said.first as usize + said.lines.len();
        let mut text = format!("{speaker:0SPEAKER_DIGITS$}{number:0LINE_DIGITS$}").into_bytes();
        text.extend((text.len()..self.text_bytes).map(|at| b'a' + (at % 26) as u8));
        text
    }

    fn open(&mut self, speaker: usize, bytes: Vec<u8>, due: Instant) {
        let missing = self.readers.len() - 1;
        self.speakers[speaker].lines.push_back(Line {
            bytes,
            missing,
            due,
        });
        self.under_way += 1;
    }

    fn received(
        &mut self,
        reader: usize,
        bytes: &[u8],
        mut done: impl FnMut(Instant),
    ) -> Result<(), String> {
        self.progress += 1;
        let mut rest = bytes;
        while let Some(length) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(length + 1);
            rest = after;
            if self.readers[reader].part.is_empty() {
                self.line(reader, line, &mut done)?;
            } else {
                let mut whole = std::mem::take(&mut self.readers[reader].part);
                whole.extend_from_slice(line);
                self.line(reader, &whole, &mut done)?;
            }
        }
        self.readers[reader].part.extend_from_slice(rest);
        Ok(())
    }

    fn line(
        &mut self,
        reader: usize,
        line: &[u8],
        mut done: impl FnMut(Instant),
    ) -> Result<(), String> {
        let speaker = self.speaker_of(line).filter(|&speaker| speaker != reader);
        let found = speaker.and_then(|index| {
            let next = &mut self.readers[reader].next[index];
            let speaker = &mut self.speakers[index];
            let said = speaker
                .lines
                .get_mut(next.checked_sub(speaker.first)? as usize)?;
            (said.bytes == line).then(|| *next += 1)?;
            Some((index, said))
        });
        let Some((index, said)) = found else {
            let line = String::from_utf8_lossy(&line[..line.len().min(60)]);
            return Err(format!("reader {reader} read {line:?}, which was not next"));
        };
        said.missing -= 1;
        if said.missing == 0 {
            done(said.due);
            self.under_way -= 1;
            let speaker = &mut self.speakers[index];
            while speaker.lines.front().is_some_and(|line| line.missing == 0) {
                speaker.lines.pop_front();
                speaker.first += 1;
            }
        }
        Ok(())
    }

    /// Who said a line, by the digits at the start of its text.
    fn speaker_of(&self, line: &[u8]) -> Option<usize> {
        let text = &line[line.len().checked_sub(self.text_bytes + 1)?..];
        parse(&text[..SPEAKER_DIGITS]).filter(|&speaker| speaker < self.speakers.len())
    }
}
