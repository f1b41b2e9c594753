//! What everybody has said where everybody talks, in which order it came out, and how far each of them is
//! in reading it.

use std::collections::VecDeque;
use std::time::Instant;

use crate::crowd::parse;
use crate::peers::Peer;

/// Digits of the speaker's number and of the line's in each text.
const SPEAKER_DIGITS: usize = 4;
const LINE_DIGITS: usize = 8;
/// So much of the expected stream may be done with before it is dropped: dropping moves the rest.
const LOG_KEPT: usize = 256 * 1024;

/// What has been said, in which order it came out, and how far everybody is.
pub struct Book {
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
    pub echoes: bool,
    pub under_way: usize,
    /// Counts what arrives, to tell slow from stalled.
    pub progress: u64,
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
    pub fn new(peer: &dyn Peer, talkers: usize, text_bytes: usize) -> Book {
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
            text_bytes: text_bytes.max(SPEAKER_DIGITS + LINE_DIGITS),
            after_text: peer.after_text(),
            echoes: peer.echoes(),
            under_way: 0,
            progress: 0,
        }
    }

    pub fn next_text(&self, speaker: usize) -> Vec<u8> {
        let number = self.count[speaker];
        let mut text = format!("{speaker:0SPEAKER_DIGITS$}{number:0LINE_DIGITS$}").into_bytes();
        text.extend((text.len()..self.text_bytes).map(|at| b'a' + (at % 26) as u8));
        text
    }

    pub fn said(&mut self, speaker: usize, bytes: Vec<u8>, due: Instant) {
        self.unseen[speaker].push_back(Said { bytes, due });
        self.count[speaker] += 1;
        self.under_way += 1;
    }

    /// Takes what the witness has read into the expected stream, line by line.
    pub fn witnessed(
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
    pub fn received(
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
