//! How far behind readers are, whom a room waits for, and how fast people may speak.

use super::stream::LineNo;
use super::*;
use snug::fanout::Slow;
use snug::pace::Pace;

/// What somebody may still say at once.
#[derive(Debug)]
pub struct Tokens {
    pace: Option<Pace>,
    left: f64,
    at: Millis,
}

impl Tokens {
    pub fn new(pace: Option<Pace>, now: Millis) -> Self {
        let left = pace.map_or(0.0, |pace| pace.burst as f64);
        Self {
            pace,
            left,
            at: now,
        }
    }

    /// Takes one. Whether there was one.
    fn take(&mut self, now: Millis) -> bool {
        let Some(pace) = self.pace else { return true };
        let new = (now - self.at) as f64 * pace.rate as f64 / 1_000.0;
        self.left = (self.left + new).min(pace.burst as f64);
        self.at = now;
        let has_one = self.left > 0.999;
        self.left -= 1.0;
        has_one
    }
}

/// Whether a room waits for its readers.
#[derive(Debug, Default)]
pub struct Hold {
    /// It must, for this reader.
    must: Option<Who>,
    /// Since when it may, and how many bytes came all the same.
    since: Option<Millis>,
    pub said: u64,
    /// Somebody's queue may have been given up, or have held it up.
    is_blurred: bool,
}

/// What the readers of a room come to.
#[derive(Default)]
struct Tally {
    must: Option<Who>,
    is_far: bool,
    waits: bool,
    has_expired: bool,
    is_crowded: bool,
}

impl Model {
    /// How many bytes a reader is behind in a room, at least and at most: the line that it is in may count or not.
    fn lag(&self, who: Who, at: usize) -> (u64, u64) {
        let stream = &self.people[who].stream;
        let owed = &stream.owed[at];
        let room = &self.rooms[owed.room];
        let end = self.lines.end(owed.lines[0].1);
        let start = end - self.lines.get(owed.lines[0].1).len() as u64;
        let from = if stream.rest.is_empty() { start } else { end };
        (
            (room.total - from).saturating_sub(room.late),
            room.total - start,
        )
    }

    /// Takes stock of who is how far behind, and of which rooms must be held up.
    pub(super) fn take_stock(&mut self) {
        for &who in &self.live {
            self.people[who].stream.end_turn();
        }
        if self.config.slow != Slow::Wait {
            return;
        }
        let mut tallies: Vec<(RoomNo, Tally)> = Vec::new();
        for room in self.waiting.drain(..) {
            tallies.push((room, Tally::default()));
        }
        for index in 0..self.live.len() {
            let who = self.live[index];
            for at in 0..self.people[who].stream.owed.len() {
                let lag = self.lag(who, at);
                let room = self.people[who].stream.owed[at].room;
                let found = tallies.iter().position(|&(other, _)| other == room);
                let tally = match found {
                    Some(at) => &mut tallies[at].1,
                    None => {
                        tallies.push((room, Tally::default()));
                        &mut tallies.last_mut().expect("just pushed").1
                    }
                };
                self.count(who, at, lag, tally);
            }
        }
        for (room, tally) in tallies {
            self.settle(room, tally);
        }
    }

    fn count(&mut self, who: Who, at: usize, (low, high): (u64, u64), tally: &mut Tally) {
        let backlog = self.config.backlog as u64;
        let person = &mut self.people[who];
        let stream = &mut person.stream;
        let since = &mut stream.owed[at].since;
        match high > backlog / 2 {
            true => _ = since.get_or_insert(self.now),
            false => *since = None,
        }
        let since = *since;
        if since.is_some_and(|since| self.now >= since + self.config.slow_timeout) {
            tally.has_expired |= !stream.is_excused;
            stream.is_excused = true;
        }
        tally.is_crowded |= stream.is_crowded();
        tally.is_far |= high > backlog && !stream.has_passed;
        tally.waits |= since.is_some() && !stream.has_passed;
        if low > backlog && !stream.is_excused && !person.is_lost && !person.is_cut {
            tally.must = Some(who);
        }
    }

    fn settle(&mut self, room: RoomNo, tally: Tally) {
        let hold = &mut self.rooms[room].hold;
        let is_over = hold.is_over(self.now, &self.config);
        let mut has_expired = tally.has_expired;
        match hold.since {
            _ if !tally.waits && !tally.is_crowded => hold.since = None,
            None if tally.is_far || tally.is_crowded => {
                hold.since = Some(self.now);
                hold.said = 0;
            }
            Some(_) if is_over => {
                hold.since = None;
                has_expired = true;
            }
            _ => {}
        }
        hold.is_blurred = tally.is_crowded;
        let is_sure = !has_expired && !tally.is_crowded && !self.is_short;
        hold.must = tally.must.filter(|_| is_sure);
        if hold.since.is_some() || hold.must.is_some() || hold.is_blurred {
            self.waiting.push(room);
        }
        if !has_expired {
            return;
        }
        // Whoever else holds the room up by then is skipped with it.
        for &who in &self.live {
            let stream = &mut self.people[who].stream;
            let is_far = |owed: &stream::Owed| owed.room == room && owed.since.is_some();
            if stream.owed.iter().any(is_far) {
                stream.is_excused = true;
                stream.has_passed |= is_over;
            }
        }
    }

    /// Somebody is heard: they must be allowed to speak now.
    pub(super) fn check_may_speak(&mut self, who: Who) {
        self.on_time();
        let person = &mut self.people[who];
        assert!(
            matches!(person.standing, Standing::In | Standing::AtTheDoor),
            "client {who} was heard behind its end"
        );
        // A last line without an end may be one more.
        assert!(
            person.tokens.take(self.now) || person.ear.has_ended,
            "client {who} was heard faster than it may speak"
        );
        assert!(
            person.listing.is_none(),
            "client {who} was heard before it had its answer"
        );
        let unread = person.stream.answers().0;
        assert!(
            unread <= limits::REPLIES || person.is_lost,
            "client {who} was heard with {unread} bytes of answers unread"
        );
        // Whoever has come into the room in this turn may finish what it was saying.
        let is_there = person.standing == Standing::In && person.entered < self.turn;
        let must = self.rooms[person.room].hold.must;
        if let Some(holder) = must.filter(|_| is_there) {
            let stream = &self.people[holder].stream;
            let lag: Vec<_> = (0..stream.owed.len())
                .map(|at| self.lag(holder, at))
                .collect();
            panic!(
                "client {who} was heard, but its room waits for client {holder}, who is {lag:?} bytes behind"
            );
        }
    }

    /// What is published from here on, no flush has seen yet.
    fn on_time(&mut self) {
        for room in self.late.drain(..) {
            self.rooms[room].late = 0;
        }
    }

    /// Whether somebody takes messages; `None` if that cannot be said from here.
    pub(super) fn takes_messages(&self, who: Who) -> Option<bool> {
        let person = &self.people[who];
        let (low, high) = person.stream.answers();
        let blocked = person.stream.blocked;
        let may_have_stopped = blocked.is_some_and(|since| self.now + 2 >= since + limits::STALL);
        if person.is_lost {
            None
        } else if low > limits::REPLIES {
            Some(false)
        } else if high > limits::REPLIES || may_have_stopped {
            None
        } else {
            Some(true)
        }
    }

    /// Whether a reader may have used up the time that its room waits for it.
    fn has_used_up_its_time(&self, who: Who, room: RoomNo) -> bool {
        let stream = &self.people[who].stream;
        let is_late = |since: Millis| self.now >= since + self.config.slow_timeout;
        let hold = &self.rooms[room].hold;
        stream.is_excused
            || hold.is_blurred
            || hold.is_over(self.now, &self.config)
            || stream
                .owed
                .iter()
                .any(|owed| owed.since.is_some_and(is_late))
    }

    /// Whether a reader may miss a line: it did not have everything, and the line lies too far back.
    pub(super) fn may_miss(&self, who: Who, room: RoomNo, line: LineNo) -> Result<(), String> {
        let stream = &self.people[who].stream;
        if stream.is_crowded() || self.is_short {
            return Ok(());
        }
        if !stream.is_behind {
            return Err("it had everything before".into());
        }
        if self.config.slow == Slow::Wait && !self.has_used_up_its_time(who, room) {
            return Err("its room waits for it".into());
        }
        let back = self.rooms[room].total - self.lines.end(line);
        match back >= self.config.backlog as u64 {
            true => Ok(()),
            false => Err(format!("it was only {back} bytes back")),
        }
    }

    /// Whether a reader may be closed for being too slow: it would miss lines, and the policy or the dialect has no
    /// way to go on.
    pub(super) fn may_be_too_slow(&self, who: Who) -> bool {
        let stream = &self.people[who].stream;
        let (slow, bare) = (self.config.slow, self.config.bare);
        if slow != Slow::Close && !bare {
            return false;
        }
        let may_miss = |owed: &stream::Owed| {
            let is_late = slow == Slow::Wait && self.has_used_up_its_time(who, owed.room);
            is_late || self.may_miss(who, owed.room, owed.lines[0].1).is_ok()
        };
        stream.is_crowded() || stream.owed.iter().any(may_miss)
    }
}

impl Hold {
    /// Whether a room has waited long enough.
    fn is_over(&self, now: Millis, config: &Config) -> bool {
        let is_late =
            |since| now >= since + config.slow_timeout || self.said > config.backlog as u64;
        self.since.is_some_and(is_late)
    }
}
