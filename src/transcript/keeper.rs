//! Lines on their way to a target that may fail at any byte.
//!
//! Owns what the target has not taken yet, the count of lines that it never will, and when it is
//! tried again. Knows nothing of files, and never waits: time is an argument.
//!
//! A target stands well, or is slow (a pipe that is full: its lines wait a moment, so many at most),
//! or has failed. While it has failed each turn's lines are counted and dropped, but for one: a line
//! of which the target holds the beginning is kept until its end can follow. So the target only ever
//! grows, by whole lines in their order. A line of somebody else's, or of a process that crashed, whose end nobody
//! has is marked as none before anything follows it.

use crate::limits::{self, Millis};
use crate::system::in_words;
use crate::wire::record;
use memchr::{memchr, memchr_iter};
use rustix::io::Errno;
use std::io;

/// What takes the lines.
pub trait Target {
    /// Sees to it that there is something to write to. What it is, if it was opened just now.
    fn ready(&mut self) -> io::Result<Option<Opened>>;
    /// Opens it anew if its name stands for something else by now; the old one stays if that fails.
    fn renew(&mut self) -> io::Result<Option<Opened>>;
    /// Writes what can be written without waiting; `WouldBlock` if that is nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Lets go of it: `ready` is to open it anew.
    fn close(&mut self);
}

/// A target that was opened.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// It is what was open before.
    pub same: bool,
    /// Its last line has no end.
    pub torn: bool,
}

/// A target, and what it owes.
pub struct Keeper<T> {
    /// For people.
    name: String,
    target: T,
    state: State,
    /// What the target has yet to take.
    rest: Vec<u8>,
    /// The target holds the beginning of a line, whose end stands first in `rest`.
    torn: bool,
    /// The target's last line is none of ours and has no end.
    behind_torn: bool,
    /// Lines not kept since that was last said.
    lost: u64,
    /// The target is to be renewed then; 0 if that was not tried yet.
    renew_at: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `rest` is empty.
    Well,
    /// `rest` is not: it is tried again at `again`. The target last took a byte at `since`.
    Slow { since: Millis, again: Millis },
    /// Nothing is tried before `again`. `rest` is the end of a torn line, or empty.
    Failed { again: Millis },
}

impl<T: Target> Keeper<T> {
    /// Opens the target. The error, if it cannot be.
    pub fn new(name: String, target: T) -> io::Result<Self> {
        let mut keeper = Self::closed(name, target);
        keeper.prepare(0)?;
        Ok(keeper)
    }

    /// Leaves the target for later, as `error` forbids to open it now.
    pub fn failed(name: String, target: T, error: &io::Error) -> Self {
        let mut keeper = Self::closed(name, target);
        keeper.fail(error, 0);
        keeper
    }

    fn closed(name: String, target: T) -> Self {
        Self {
            name,
            target,
            state: State::Well,
            rest: Vec::new(),
            torn: false,
            behind_torn: false,
            lost: 0,
            renew_at: None,
        }
    }

    /// Takes one turn's lines, `count` of them, each with its newline.
    pub fn append(&mut self, lines: &[u8], count: u64, now: Millis) {
        debug_assert_eq!(self::count(lines), count);
        debug_assert!(lines.is_empty() || lines.ends_with(b"\n"));
        if lines.is_empty() {
            return;
        }
        if matches!(self.state, State::Failed { again } if now < again) {
            self.lost += count;
            return;
        }
        match self.settle(now) {
            Ok(moved) => {
                let (taken, error) = self.put(lines);
                self.rest.extend_from_slice(&lines[taken..]);
                self.rate(moved || taken > 0, error, now);
            }
            Err((moved, error)) => {
                if self.rest.len() + lines.len() <= limits::TRANSCRIPT && may_wait(&error) {
                    self.rest.extend_from_slice(lines);
                    self.rate(moved, Some(error), now);
                } else {
                    self.lost += count;
                    self.fail(&error, now);
                }
            }
        }
        self.check_invariants();
    }

    /// Tries what waits again, if it is time.
    pub fn retry(&mut self, now: Millis) {
        if !matches!(self.state, State::Slow { again, .. } if now >= again) {
            return;
        }
        match self.settle(now) {
            Ok(moved) => self.rate(moved, None, now),
            Err((moved, error)) => self.rate(moved, Some(error), now),
        }
        self.check_invariants();
    }

    /// When [`Keeper::retry`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        match self.state {
            State::Slow { again, .. } => Some(again),
            State::Well | State::Failed { .. } => None,
        }
    }

    /// Opens the target anew at once, or as soon as that is possible.
    pub fn reopen(&mut self, now: Millis) {
        if matches!(self.state, State::Failed { .. }) {
            self.state = State::Failed { again: 0 };
        }
        self.renew_at = Some(0);
        // A fault is said by `renew`, if the old one is still open, or else with the next lines.
        let _ = self.prepare(now);
        self.check_invariants();
    }

    /// Tries a last time, and says what was not kept.
    pub fn close(&mut self, now: Millis) {
        if !self.rest.is_empty() {
            let _ = self.settle(now);
        }
        self.lost += count(&self.rest);
        self.rest.clear();
        if self.lost > 0 {
            log::warn!("transcript {}: {}", self.name, not_kept(self.lost));
        }
        self.lost = 0;
        self.torn = false;
        self.state = State::Well;
        self.target.close();
    }

    /// Sees to it that there is something to write to.
    fn prepare(&mut self, now: Millis) -> io::Result<()> {
        if self.renew_at.is_some_and(|at| now >= at) {
            self.renew(now);
        }
        if let Some(opened) = self.target.ready()? {
            self.begin(opened);
        }
        Ok(())
    }

    fn renew(&mut self, now: Millis) {
        match self.target.renew() {
            Ok(opened) => {
                self.renew_at = None;
                if let Some(opened) = opened {
                    self.begin(opened);
                }
            }
            Err(error) => {
                // Once for each time that it was asked for.
                if self.renew_at == Some(0) && !matches!(self.state, State::Failed { .. }) {
                    let reason = reason(&error);
                    log::warn!("transcript {}: cannot be opened anew: {reason}", self.name);
                }
                self.renew_at = Some(now + limits::TRANSCRIPT_REST);
            }
        }
    }

    fn begin(&mut self, Opened { same, torn }: Opened) {
        if self.torn && !(same && torn) {
            // Its end would stand alone, and mean nothing.
            let end = memchr(b'\n', &self.rest).map_or(self.rest.len(), |at| at + 1);
            self.rest.drain(..end);
            self.torn = false;
            self.lost += 1;
        }
        self.behind_torn = torn && !self.torn;
    }

    /// Writes what goes before any further line. Gives, with an error too, whether a byte was taken.
    fn settle(&mut self, now: Millis) -> Result<bool, (bool, io::Error)> {
        self.prepare(now).map_err(|error| (false, error))?;
        let mut moved = false;
        if self.behind_torn {
            let (_, error) = self.put(record::TORN_END);
            // Whatever of it was taken, the line is none of ours.
            self.torn = false;
            if let Some(error) = error {
                return Err((false, error));
            }
            self.behind_torn = false;
            moved = true;
            let name = &self.name;
            log::warn!(
                "transcript {name}: its last line was cut short; it stays, but counts as none"
            );
        }
        if !self.rest.is_empty() {
            let mut rest = std::mem::take(&mut self.rest);
            let (taken, error) = self.put(&rest);
            rest.drain(..taken);
            self.rest = rest;
            moved |= taken > 0;
            if let Some(error) = error {
                return Err((moved, error));
            }
        }
        Ok(moved)
    }

    /// Writes as much of `bytes` as the target takes now, how much that is, and what stopped it.
    fn put(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        let mut taken = 0;
        let mut error = None;
        while taken < bytes.len() && error.is_none() {
            match self.target.write(&bytes[taken..]) {
                Ok(0) => error = Some(io::ErrorKind::WriteZero.into()),
                Ok(n) => taken += n,
                Err(why) => error = Some(why),
            }
        }
        if taken > 0 {
            self.torn = bytes[taken - 1] != b'\n';
        }
        (taken, error)
    }

    /// Judges the target after a try: whether it took something, and what stopped it.
    fn rate(&mut self, moved: bool, error: Option<io::Error>, now: Millis) {
        let Some(error) = error else {
            self.rest = Vec::new();
            self.works(State::Well);
            return;
        };
        let since = match self.state {
            _ if moved => Some(now),
            State::Well => Some(now),
            State::Slow { since, .. } => Some(since),
            State::Failed { .. } => None,
        };
        match since.filter(|&since| may_wait(&error) && now < since + limits::TRANSCRIPT_PATIENCE) {
            Some(since) => {
                let again = now + limits::TRANSCRIPT_PAUSE;
                self.works(State::Slow { since, again });
            }
            None => self.fail(&error, now),
        }
    }

    fn works(&mut self, state: State) {
        let failed = matches!(self.state, State::Failed { .. });
        self.state = state;
        if failed || self.lost > 0 {
            let lost = not_kept(self.lost);
            log::warn!("transcript {}: works again; {lost}", self.name);
            self.lost = 0;
        }
    }

    /// Gives up what waits, but for the end of a torn line.
    fn fail(&mut self, error: &io::Error, now: Millis) {
        let kept = match self.torn {
            true => memchr(b'\n', &self.rest).map_or(self.rest.len(), |at| at + 1),
            false => 0,
        };
        self.lost += count(&self.rest[kept..]);
        self.rest.truncate(kept);
        self.rest.shrink_to_fit();
        // A pipe that is full is still the right one, and its reader has the beginning of that line.
        if !may_wait(error) {
            self.target.close();
        }
        if !matches!(self.state, State::Failed { .. }) {
            let (name, reason) = (&self.name, reason(error));
            log::warn!("transcript {name}: {reason}; lines are not kept until it works again");
        }
        self.state = State::Failed {
            again: now + limits::TRANSCRIPT_REST,
        };
    }

    #[cfg(test)]
    pub fn target(&mut self) -> &mut T {
        &mut self.target
    }

    /// What holds between turns.
    pub fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            assert!(!self.torn || !self.rest.is_empty());
            assert!(self.rest.is_empty() || self.rest.ends_with(b"\n"));
            match self.state {
                State::Well => assert!(self.rest.is_empty() && self.lost == 0),
                State::Slow { .. } => {}
                State::Failed { .. } => assert_eq!(count(&self.rest), u64::from(self.torn)),
            }
        }
    }
}

/// Whether more room may come by itself, and soon.
fn may_wait(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn count(lines: &[u8]) -> u64 {
    memchr_iter(b'\n', lines).count() as u64
}

fn not_kept(lines: u64) -> String {
    match lines {
        0 => "no line was lost".into(),
        1 => "1 line was not kept".into(),
        n => format!("{n} lines were not kept"),
    }
}

/// Why a target fails, for people.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::AGAIN) => "its reader does not keep up".into(),
        Some(Errno::PIPE) => "its reader is gone".into(),
        Some(Errno::NXIO) => "nobody reads it".into(),
        None if may_wait(error) => "its reader does not keep up".into(),
        _ => in_words(error),
    }
}
