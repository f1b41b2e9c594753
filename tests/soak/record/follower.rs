//! Somebody's stream, compared with the record of the room line by line.

use super::*;

/// What somebody got of a room.
#[derive(Debug)]
enum Seen {
    Line(Box<[u8]>),
    Gap(u64),
    /// It left, and this is what the others were told.
    Left(Box<[u8]>),
}

/// Somebody who follows a room's record.
#[derive(Debug)]
pub struct Follower {
    pub number: u32,
    /// The next line of the record that is due; where it is not known yet, the first that may be.
    next: u64,
    /// Announcements that came before the first line that no other line is the same as: where they stand is known
    /// only then.
    prefix: Option<Vec<Box<[u8]>>>,
    /// What the record does not have yet.
    pending: VecDeque<Seen>,
    /// It has said something: lines that nobody knows may be its own.
    pub has_spoken: bool,
    /// It has left, and nothing more will come.
    is_over: bool,
    /// Lines that were compared.
    pub compared: u64,
}

impl Follower {
    /// Somebody who comes into a room whose record is as far as `from`.
    pub fn new(number: u32, from: u64) -> Self {
        Self {
            number,
            next: from,
            prefix: Some(Vec::new()),
            pending: VecDeque::new(),
            has_spoken: false,
            is_over: false,
            compared: 0,
        }
    }

    /// It got a line of the room.
    pub fn line(&mut self, line: &[u8], room: &mut Room) -> Check {
        if self.pending.is_empty() && self.prefix.is_none() {
            self.skip_own(room);
            // Nearly always.
            if let Some(Some(known)) = room.line(self.next)
                && *known.line == *line
            {
                self.next += 1;
                self.compared += 1;
                return Ok(());
            }
        }
        self.pending.push_back(Seen::Line(line.into()));
        self.advance(room)
    }

    /// It was told that it missed lines.
    pub fn gap(&mut self, count: u64, room: &mut Room) -> Check {
        self.pending.push_back(Seen::Gap(count));
        self.advance(room)
    }

    /// It is no longer there; the others were told so by this line. All that came before it must have reached it.
    pub fn leave(mut self, announcement: &str, room: &mut Room) -> Check {
        match room.is_small && room.missed == 0 {
            true => self
                .pending
                .push_back(Seen::Left(announcement.as_bytes().into())),
            false => self.is_over = true,
        }
        self.advance(room)?;
        if !self.is_through() {
            room.leaving.push(self);
        }
        Ok(())
    }

    /// Whether something is still to be compared that the record does not have.
    pub fn waits(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether all of the record is compared.
    pub fn is_at_end(&mut self, room: &Room) -> bool {
        self.skip_own(room);
        self.pending.is_empty() && (self.prefix.is_some() || self.next == room.end())
    }

    /// The first line of the record that it may need.
    pub fn needs(&self) -> u64 {
        self.next
    }

    pub(super) fn is_through(&self) -> bool {
        self.is_over && self.pending.is_empty()
    }

    fn skip_own(&mut self, room: &Room) {
        while self.prefix.is_none() && room.is_own(self.next, self.number) {
            self.next += 1;
        }
    }

    /// Compares what can be compared.
    pub fn advance(&mut self, room: &mut Room) -> Check {
        while let Some(seen) = self.pending.pop_front() {
            if self.prefix.is_some() {
                if !self.settle(&seen, room)? {
                    self.pending.push_front(seen);
                    return Ok(());
                }
                continue;
            }
            self.skip_own(room);
            let Some(due) = room.line(self.next) else {
                self.pending.push_front(seen);
                return Ok(());
            };
            match (seen, due) {
                (Seen::Line(line), Some(known)) if known.line == line => self.compared += 1,
                (Seen::Line(line), Some(known)) => return Err(mismatch(&line, &known.line)),
                (Seen::Gap(count), due) => {
                    if due.is_none() && self.has_spoken {
                        // It may be its own line that nobody has seen.
                        self.prefix = Some(Vec::new());
                        continue;
                    }
                    if count > 1 {
                        self.pending.push_front(Seen::Gap(count - 1));
                    }
                }
                (Seen::Left(line), Some(known)) if known.line == line => self.is_over = true,
                (Seen::Left(line), Some(known)) => return Err(mismatch(&line, &known.line)),
                (Seen::Left(_), None) => self.is_over = true,
                // What the scribe missed, another got.
                (Seen::Line(line), None) if !self.has_spoken => {
                    let at = (self.next - room.base) as usize;
                    let Some(Word::Room(news)) = read(&line) else {
                        return Err("no line of a room".into());
                    };
                    let author = news.author().unwrap_or(NOBODY);
                    let is_unique = matches!(news, News::Said { .. });
                    room.lines[at] = Some(Known {
                        line,
                        author,
                        is_unique,
                    });
                    self.compared += 1;
                }
                (seen @ Seen::Line(_), None) => {
                    self.prefix = Some(Vec::new());
                    self.pending.push_front(seen);
                    continue;
                }
            }
            self.next += 1;
        }
        Ok(())
    }

    /// Finds where in the record its lines begin, by the first that no other is the same as. Whether `seen` was
    /// dealt with; if not, the record does not have it yet.
    fn settle(&mut self, seen: &Seen, room: &Room) -> Result<bool, String> {
        let Some(prefix) = &mut self.prefix else {
            return Ok(true);
        };
        let line = match seen {
            Seen::Line(line) => line,
            // How many came before it is not known.
            Seen::Gap(_) => {
                prefix.clear();
                return Ok(true);
            }
            Seen::Left(_) => {
                self.is_over = true;
                return Ok(true);
            }
        };
        if !matches!(read(line), Some(Word::Room(News::Said { .. }))) {
            prefix.push(line.clone());
            return Ok(true);
        }
        let is_it = |known: &Option<Known>| matches!(known, Some(known) if known.is_unique && known.line == *line);
        let from = (self.next - room.base) as usize;
        let Some(at) = room.lines.iter().skip(from).position(is_it) else {
            // Where the scribe missed lines, it may be one of them.
            return if room.missed > 0 { Ok(true) } else { Ok(false) };
        };
        let at = self.next + at as u64;
        // What came before it stands right before it.
        let mut before = at;
        for line in prefix.iter().rev() {
            loop {
                if before == room.base {
                    return Err(format!(
                        "\"{}\" is before all that it can be",
                        line.escape_ascii()
                    ));
                }
                before -= 1;
                if !room.is_own(before, self.number) {
                    break;
                }
            }
            if let Some(Some(known)) = room.line(before)
                && known.line != *line
            {
                return Err(mismatch(line, &known.line));
            }
        }
        self.compared += 1 + prefix.len() as u64;
        self.prefix = None;
        self.next = at + 1;
        Ok(true)
    }
}

fn mismatch(got: &[u8], due: &[u8]) -> String {
    format!(
        "got \"{}\"\nwhere  \"{}\" was due",
        got.escape_ascii(),
        due.escape_ascii()
    )
}
