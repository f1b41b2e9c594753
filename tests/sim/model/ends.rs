//! Who is refused, who leaves and why, and what must have come by then.

use super::people::Going;
use super::*;

/// With so much memory, nobody is refused for the want of it.
const ENOUGH: usize = 4 << 20;

impl Model {
    /// Why somebody cannot come in, if so.
    pub(super) fn refusal(&self, who: Who) -> Option<&'static str> {
        if self.open >= self.config.max_clients {
            return Some("the server is full");
        }
        let limit = self.config.max_per_ip?;
        let limited = |origin: Origin| {
            let is_loopback = origin.ip().is_none_or(|ip| ip.is_loopback());
            doors::place(origin).filter(|_| !is_loopback)
        };
        let ip = limited(self.people[who].origin)?;
        let is_open = |standing| matches!(standing, Standing::In | Standing::AtTheDoor);
        let same = self.live.iter().filter(|&&other| {
            let other = &self.people[other];
            is_open(other.standing) && limited(other.origin) == Some(ip)
        });
        (same.count() >= limit).then_some("too many from its address")
    }

    /// Somebody was not let in.
    pub(super) fn refused(&mut self, who: Who, why: &str) {
        self.met.refused += 1;
        // What so many connections cost is the server's to know.
        let is_for_memory = why == "no memory for one more" && self.config.max_memory < ENOUGH;
        assert!(
            is_for_memory || self.refusal(who) == Some(why),
            "client {who} was refused: {why}"
        );
        if !self.config.bare {
            let word = match why {
                _ if is_for_memory => "*** the server has no memory for one more",
                "the server is full" => "*** the server is full",
                _ => "*** too many connections from your address",
            };
            self.give(who, Own::Begins(word.into()));
        }
        self.people[who].standing = Standing::Refused;
        self.people[who].leaving = self.now;
    }

    /// Somebody is gone for the others, for the reason that the log gives.
    pub(super) fn left(&mut self, who: Who, why: &str) {
        let is_abandoned = self.is_abandoned(who);
        let is_too_slow = self.may_be_too_slow(who);
        let is_for_memory = self.is_for_memory(why);
        let person = &mut self.people[who];
        let dismissed = person.dismissed.take();
        let standing = person.standing;
        let is_open = matches!(standing, Standing::In | Standing::AtTheDoor);
        // With its peer's end, it is waited for no longer than for anybody's.
        let has_waited = self.now >= person.came + limits::DOOR;
        let has_ended = person
            .ended
            .is_some_and(|ended| self.now >= ended + limits::DRAIN);
        let is_late = standing == Standing::AtTheDoor && (has_waited || has_ended);
        let is_heard = person.ear.is_empty(self.config.bare, false);
        let has_reason = match why {
            "closed by peer" if is_abandoned => {
                self.met.abandoned += 1;
                true
            }
            "closed by peer" => person.ear.has_ended && is_heard,
            "said no password" => is_late,
            _ if why.starts_with("it spoke ") => {
                let stranger = why.strip_prefix("it spoke ");
                let is_first = !person.has_spoken && person.ear.stranger() == stranger;
                let line = format!("*** {} is not spoken here: ", stranger.unwrap_or_default());
                self.met.strangers += 1;
                self.give(who, Own::Begins(line));
                is_first
            }
            "too slow" => {
                self.met.too_slow += 1;
                person.is_cut = true;
                is_too_slow
            }
            _ if is_for_memory => {
                self.people[who].is_cut = true;
                if why.starts_with("too many lines of it wait") {
                    self.forget_lines(who);
                }
                true
            }
            "line too long" => self.config.bare && person.ear.next_is_too_long(),
            "the server is closing" => self.is_stopping,
            // Whatever else ends it, that is what the log says of one whose connection is no more.
            "reset by peer" => {
                let is_stranger = !person.has_spoken && person.ear.stranger().is_some();
                let is_too_long = self.config.bare && person.ear.next_is_too_long();
                let has_other = dismissed.is_some()
                    || !is_open
                    || is_abandoned
                    || is_late
                    || is_too_long
                    || is_stranger
                    || is_too_slow
                    || self.is_short
                    || self.is_stopping;
                person.must_be_heard_out = !has_other;
                person.is_lost && (is_heard || has_other)
            }
            _ => dismissed == Some(why),
        };
        assert!(
            has_reason,
            "client {who} left at {}: {why}; {:?}",
            self.now, self.people[who]
        );
        self.open -= 1;
        let person = &mut self.people[who];
        person.leaving = self.now;
        person.listing = None;
        if self.config.bare || self.is_stopping {
            let room = &mut self.rooms[self.people[who].room];
            room.members.retain(|&member| member != who);
            self.people[who].standing = Standing::Gone;
        } else {
            self.depart(who, Going::Leaves(""));
        }
    }

    /// Somebody on the way out does not get everything, for the reason that the log gives.
    pub(super) fn regretted(&mut self, who: Who, why: &str) {
        let has_reason = match why {
            "it stopped reading" => self.has_stopped(who),
            "too slow" => self.may_be_too_slow(who),
            _ if self.is_for_memory(why) => true,
            _ => self.people[who].is_lost,
        };
        assert!(has_reason, "client {who} is given up: {why}");
        self.people[who].is_cut = true;
    }

    /// Whether somebody on the way out has taken nothing for so long that they may be given up.
    fn has_stopped(&self, who: Who) -> bool {
        let person = &self.people[who];
        let patience = match person.standing {
            Standing::Refused => limits::LINGER,
            _ => limits::DRAIN,
        };
        person.stream.blocked.is_some() && self.now >= person.leaving + patience
    }

    /// Whether somebody has ended their side, but leaves answers unread for too long.
    fn is_abandoned(&self, who: Who) -> bool {
        let person = &self.people[who];
        let is_late = |ended: Millis| self.now >= ended + limits::DRAIN;
        let must_wait = person.listing.is_some() || person.stream.answers().1 > limits::REPLIES;
        must_wait && person.ended.is_some_and(is_late)
    }

    /// The peer has ended its side.
    pub fn end(&mut self, who: Who) {
        self.people[who].ended = Some(self.now);
    }

    /// A connection is no more.
    pub fn lose(&mut self, who: Who) {
        self.people[who].is_lost = true;
        self.people[who].is_cut = true;
        self.people[who].ended.get_or_insert(self.now);
    }

    /// The server has ended its side of a stream: everything must have come, and no half line.
    pub(super) fn shut(&mut self, who: Who) {
        let person = &mut self.people[who];
        person.is_shut = true;
        assert!(
            matches!(person.standing, Standing::Gone | Standing::Refused),
            "client {who} was shut out while it was there"
        );
        person.stream.pass_messages(&mut self.messages);
        assert!(
            person.stream.rest.is_empty() || person.is_lost,
            "client {who} ends with half a line: {}",
            show(&person.stream.rest)
        );
        assert!(
            person.is_cut || person.stream.is_empty(),
            "client {who} ends, but lacks {}",
            person.stream.describe_next(&self.lines)
        );
    }

    /// The server has let go of a stream.
    pub(super) fn dropped(&mut self, who: Who) {
        self.live.retain(|&live| live != who);
        let person = &self.people[who];
        if person.is_shut || person.is_lost || person.is_cut && self.is_short {
            return;
        }
        assert!(
            self.has_stopped(who),
            "client {who} was dropped, but is to get {}",
            person.stream.describe_next(&self.lines)
        );
    }
}
