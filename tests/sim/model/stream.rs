//! What one reader must still get, and in which order.

use snug::limits::{self, Millis};
use std::collections::VecDeque;

/// A room that is or was: never given twice.
pub type RoomNo = usize;
/// A published line.
pub type LineNo = u32;
/// Its place among all that anybody was to get.
pub type Seq = u64;

/// Pieces of different kinds that may wait for a reader before lines of its rooms may be given up for their number.
const PIECES: usize = limits::SEGMENTS / 2 - 100;

/// All lines that were published, in all rooms.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
    /// Where each ends among what its room's readers got.
    room_ends: Vec<u64>,
}

impl Lines {
    /// Adds one, behind which its room's readers have got so many bytes.
    pub fn push(&mut self, line: &[u8], room_end: u64) -> LineNo {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
        self.room_ends.push(room_end);
        (self.ends.len() - 1) as LineNo
    }

    /// With its newline.
    pub fn get(&self, line: LineNo) -> &[u8] {
        let start = match line {
            0 => 0,
            line => self.ends[line as usize - 1],
        };
        &self.bytes[start..self.ends[line as usize]]
    }

    /// Where it ends in its room.
    pub fn end(&self, line: LineNo) -> u64 {
        self.room_ends[line as usize]
    }
}

/// A message from one to another, who may not be reading.
#[derive(Debug)]
pub struct Message {
    /// As its receiver gets it, and what its sender is told.
    pub text: String,
    pub sent: String,
    pub refused: String,
    /// Whether it was sent; `None` until somebody has seen it.
    pub fate: Option<bool>,
}

/// Something for one reader alone, without its last newline.
#[derive(Debug)]
pub enum Own {
    Line(String),
    /// A line that begins so.
    Begins(String),
    /// These lines, in whatever order.
    AnyOrder(Vec<String>),
    /// What commands there are, the last being the one to say a slash.
    Commands,
    /// A message, by its number, if it was sent.
    Message(usize),
    /// What became of it.
    Outcome(usize),
}

impl Own {
    /// Its bytes, at least and at most.
    fn length(&self) -> (usize, usize) {
        match self {
            Self::Line(text) => (text.len() + 1, text.len() + 1),
            Self::Begins(text) => (text.len() + 1, text.len() + 200),
            Self::AnyOrder(lines) => {
                let length = lines.iter().map(|line| line.len() + 1).sum();
                (length, length)
            }
            Self::Commands => (100, 4_000),
            Self::Message(_) | Self::Outcome(_) => (0, 5_000),
        }
    }
}

/// Lines of one room that a reader must still get.
#[derive(Debug)]
pub struct Owed {
    pub room: RoomNo,
    pub lines: VecDeque<(Seq, LineNo)>,
    /// Since when it is far behind with them.
    pub since: Option<Millis>,
}

/// What came last, for the pieces of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Piece {
    #[default]
    None,
    Own,
    Room(RoomNo),
}

#[derive(Debug, Default)]
pub struct Stream {
    pub owed: Vec<Owed>,
    own: VecDeque<(Seq, Own)>,
    /// The bytes of all `own`, at least and at most.
    own_low: usize,
    own_high: usize,
    /// A line of which not all has come.
    pub rest: Vec<u8>,
    /// Pieces since it last had everything.
    pieces: usize,
    last: Piece,
    /// Since when a write was cut short, and nobody has said that there is space again.
    pub blocked: Option<Millis>,
    /// It did not have everything at the end of the last turn.
    pub is_behind: bool,
    /// It may have used up its time, and it has.
    pub is_excused: bool,
    pub has_passed: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    /// The first of `own`.
    Own,
    /// The first line of this one of `owed`.
    Room(usize),
}

impl Stream {
    pub fn push_own(&mut self, seq: Seq, own: Own) {
        let (low, high) = own.length();
        self.own_low += low;
        self.own_high += high;
        self.own.push_back((seq, own));
        self.begin_piece(Piece::Own);
    }

    pub fn push_line(&mut self, seq: Seq, room: RoomNo, line: LineNo) {
        self.begin_piece(Piece::Room(room));
        if let Some(owed) = self.owed.iter_mut().find(|owed| owed.room == room) {
            return owed.lines.push_back((seq, line));
        }
        let lines = VecDeque::from([(seq, line)]);
        self.owed.push(Owed {
            room,
            lines,
            since: None,
        });
    }

    /// Says something itself, which it does not get.
    pub fn speak(&mut self) {
        self.begin_piece(Piece::None);
    }

    fn begin_piece(&mut self, piece: Piece) {
        if self.last != piece || piece == Piece::None {
            self.pieces += 1;
            self.last = piece;
        }
    }

    /// Whether so many pieces may have waited for it that it lost lines for that.
    pub fn is_crowded(&self) -> bool {
        self.pieces > PIECES
    }

    /// Whether it has everything.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.owed.is_empty() && self.rest.is_empty()
    }

    /// Bytes of answers that it has not taken, at least and at most.
    pub fn answers(&self) -> (usize, usize) {
        (self.own_low.saturating_sub(self.rest.len()), self.own_high)
    }

    /// Takes stock at the end of a turn.
    pub fn end_turn(&mut self) {
        self.is_behind = !self.is_empty() || self.blocked.is_some();
        if !self.is_behind {
            self.pieces = 0;
            self.last = Piece::None;
            self.is_excused = false;
            self.has_passed = false;
        }
    }

    fn next(&self) -> Next {
        let own = self.own.front().map(|&(seq, _)| (seq, Next::Own));
        let rooms = self.owed.iter().enumerate();
        let rooms = rooms.map(|(at, owed)| (owed.lines[0].0, Next::Room(at)));
        let first = rooms.chain(own).min_by_key(|&(seq, _)| seq);
        first.map_or(Next::Nothing, |(_, next)| next)
    }

    fn pop_own(&mut self) {
        if let Some((_, own)) = self.own.pop_front() {
            let (low, high) = own.length();
            self.own_low -= low;
            self.own_high -= high;
        }
    }

    fn pop_line(&mut self, at: usize) -> Option<LineNo> {
        let (_, line) = self.owed[at].lines.pop_front()?;
        if self.owed[at].lines.is_empty() {
            self.owed.swap_remove(at);
        }
        Some(line)
    }

    /// It gets a line. Whether that is what comes next.
    pub fn get(&mut self, line: &[u8], lines: &Lines, messages: &mut [Message]) -> bool {
        loop {
            match self.next() {
                Next::Nothing => return false,
                Next::Room(at) => {
                    let is_next = lines.get(self.owed[at].lines[0].1) == line;
                    return is_next && self.pop_line(at).is_some();
                }
                Next::Own => match self.get_own(&line[..line.len() - 1], messages) {
                    Some(fits) => return fits,
                    None => self.pop_own(),
                },
            }
        }
    }

    /// Whether a line is what its own next thing is; `None` if there turns out to be no such thing.
    fn get_own(&mut self, line: &[u8], messages: &mut [Message]) -> Option<bool> {
        let (fits, is_done) = match &mut self.own.front_mut()?.1 {
            Own::Line(text) => (line == text.as_bytes(), true),
            Own::Begins(text) => (line.starts_with(text.as_bytes()), true),
            Own::AnyOrder(texts) => {
                let at = texts.iter().position(|text| text.as_bytes() == line);
                let length = at.map(|at| texts.swap_remove(at).len() + 1);
                let is_done = texts.is_empty();
                self.own_low -= length.unwrap_or(0);
                self.own_high -= length.unwrap_or(0);
                (at.is_some(), is_done)
            }
            Own::Commands => (line.starts_with(b"*** /"), line.starts_with(b"*** //")),
            Own::Message(number) => {
                let message = &mut messages[*number];
                let fits = line == message.text.as_bytes();
                match message.fate {
                    Some(false) => return None,
                    None if !fits => {
                        message.fate = Some(false);
                        return None;
                    }
                    _ => message.fate = Some(true),
                }
                (fits, true)
            }
            Own::Outcome(number) => {
                let message = &mut messages[*number];
                let is_sent = line == message.sent.as_bytes();
                let is_known = is_sent || line == message.refused.as_bytes();
                let fits = is_known && message.fate.is_none_or(|fate| fate == is_sent);
                message.fate = Some(is_sent);
                (fits, true)
            }
        };
        if fits && is_done {
            self.pop_own();
        }
        Some(fits)
    }

    /// Passes messages over that were not sent after all.
    pub fn pass_messages(&mut self, messages: &mut [Message]) {
        while self.next() == Next::Own
            && let Some((_, Own::Message(number))) = self.own.front()
            && messages[*number].fate != Some(true)
        {
            messages[*number].fate = Some(false);
            self.pop_own();
        }
    }

    /// It is told that it missed so many lines; gives them with their rooms. Of one piece, unless it was crowded.
    pub fn skip(
        &mut self,
        count: u64,
        messages: &mut [Message],
    ) -> Result<Vec<(RoomNo, LineNo)>, String> {
        let mut skipped = Vec::new();
        for _ in 0..count {
            self.pass_messages(messages);
            let next = match self.next() {
                Next::Own if self.is_crowded() && !skipped.is_empty() => self.next_line(),
                next => next,
            };
            let Next::Room(at) = next else {
                return Err(format!("it missed {} lines, not {count}", skipped.len()));
            };
            let room = self.owed[at].room;
            skipped.extend(self.pop_line(at).map(|line| (room, line)));
        }
        Ok(skipped)
    }

    /// The next line of a room, whatever comes before it.
    fn next_line(&self) -> Next {
        let rooms = self.owed.iter().enumerate();
        let first = rooms.min_by_key(|(_, owed)| owed.lines[0].0);
        first.map_or(Next::Nothing, |(at, _)| Next::Room(at))
    }

    /// What comes next, for a complaint.
    pub fn describe_next(&self, lines: &Lines) -> String {
        match self.next() {
            Next::Nothing => "nothing".into(),
            Next::Own => format!("{:.200}", format!("{:?}", self.own[0].1)),
            Next::Room(at) => super::show(lines.get(self.owed[at].lines[0].1)),
        }
    }
}
