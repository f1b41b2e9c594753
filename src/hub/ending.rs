//! Who may come in, and how connections end.
//!
//! A connection that ends is gone for the others at once. It then *drains*: what is queued for it is written. Then it
//! *lingers*: it has been told that there is nothing more, and what its peer still sends is discarded until
//! that ends too, because closing a socket with unread input would reset it, and the reset overtakes the last word.

use super::*;
use crate::chat::Who;
use std::fmt::Display;
use std::io;

impl<S: Stream> Hub<S> {
    /// Begins the end of an open connection: it is gone for the others, and gets what is queued for it.
    pub(super) fn end(&mut self, id: Id, why: Why) {
        self.end_as(id, "", why);
    }

    /// [`Self::end`] for somebody whom the rules have let go of, and who had that name.
    pub(super) fn end_as(&mut self, id: Id, name: &str, why: Why) {
        let connection = &mut self.connections[id as usize];
        if connection.phase != Phase::Open {
            return;
        }
        connection.phase = Phase::Draining { linger: true };
        if matches!(why, Why::Dismissed(Reason::Kicked | Reason::Banned)) {
            // What is left for somebody thrown out holds no room up.
            self.post.fanout.excuse(id);
        }
        self.rests.clear(id);
        if self.pauses.clear(id) {
            connection.listed = false;
        }
        connection.put_input(Input::default(), &self.inputs);
        let (origin, broken) = (connection.origin, connection.broken);
        let who = self.chat.known(id).unwrap_or(Who { origin, name });
        log::info!("{who} left: {}", broken.map_or(why, Why::Failed));
        self.open -= 1;
        if let Some(place) = self.limited_place(origin)
            && let Some(count) = self.per_ip.get_mut(&place)
        {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&place);
            }
        }
        if self.config.bare || self.stopping {
            self.post.fanout.part(id);
        } else {
            self.chat
                .depart(id, "", &mut |event| self.post.deliver(event));
        }
        self.ending.push(id);
        self.timers.set(id, self.now + limits::DRAIN);
    }

    /// Ends a connection that nothing can be read from any more, nor written to.
    pub(super) fn lose(&mut self, id: Id, error: io::ErrorKind) {
        self.end(id, Why::Failed(error));
        self.connections[id as usize].phase = Phase::Over;
    }

    /// After a write has failed: what the peer sent before it went is still heard.
    pub(super) fn hear_out(&mut self, id: Id, error: io::ErrorKind) {
        match self.connections[id as usize].phase {
            Phase::Open => self.readable(id, true),
            Phase::Draining { .. } => self.abandon(id, &Why::Failed(error)),
            // Why it ends has been said.
            Phase::Lingering | Phase::Over => {}
        }
    }

    /// Gives up writing to a connection that ends.
    #[cold]
    pub(super) fn abandon(&mut self, id: Id, why: &dyn Display) {
        self.connections[id as usize].phase = Phase::Over;
        self.regret(id, why);
    }

    /// Says why a connection that ends does not get all that it was to get.
    #[cold]
    pub(super) fn regret(&self, id: Id, why: &dyn Display) {
        let origin = self.connections[id as usize].origin;
        log::warn!("{origin} did not get all that was left for it: {why}");
    }

    /// The time for a stop is over: says who does not get all that was left for them.
    pub fn give_up(&self) {
        let pending = |id: &&Id| self.post.fanout.is_pending(**id);
        for &id in self.ending.iter().filter(pending) {
            self.regret(id, &"it took too long");
        }
    }

    /// Why somebody cannot come in, for the log and for them.
    pub(super) fn refusal(&self, origin: Origin) -> Option<(Why, String)> {
        if self.open >= self.config.max_clients {
            let most = match self.config.max_clients {
                1 => "1 person".to_owned(),
                n => format!("{n} people"),
            };
            let text = format!("the server is full: {most} at most; try again later");
            return Some((Why::Full, text));
        }
        if self.is_crowded() {
            let text = "the server has no memory for one more; try again later".into();
            return Some((Why::NoMemory, text));
        }
        let limit = self.config.max_per_ip?;
        let count = *self.per_ip.get(&self.limited_place(origin)?)?;
        let text =
            format!("too many connections from your address: {limit} at most; close one first");
        (count >= limit).then_some((Why::TooManyFromAddress, text))
    }

    /// The place under which a connection counts, if it does: whoever has one IPv6 address has a whole /64 of them.
    pub(super) fn limited_place(&self, origin: Origin) -> Option<Place> {
        match origin {
            Origin::Ip { ip, .. } if self.config.max_per_ip.is_some() && !ip.is_loopback() => {
                Some(ip.into())
            }
            _ => None,
        }
    }

    /// Frees those who have everything, or will not take it.
    pub(super) fn see_out(&mut self) {
        for id in std::mem::take(&mut self.ending) {
            let connection = &self.connections[id as usize];
            if let Phase::Draining { linger } = connection.phase
                && !self.post.fanout.is_pending(id)
            {
                self.say_farewell(id, linger);
            }
            if self.connections[id as usize].phase == Phase::Over {
                self.post.fanout.remove(id);
                self.timers.clear(id);
                if self.connections.remove(id as usize).listed {
                    // Else whoever has its number next would be read from in its stead.
                    self.ready.retain(|&ready| ready != id);
                }
            } else {
                self.ending.push(id);
            }
        }
    }

    /// Everything is written: says so, and decides whether to wait for the peer's end.
    fn say_farewell(&mut self, id: Id, linger: bool) {
        let connection = &mut self.connections[id as usize];
        if connection.stream.shutdown_write().is_err() || connection.ended {
            connection.phase = Phase::Over;
            return;
        }
        // In a stop, where many end at once, only those are waited for who have sent more: their last word would be lost.
        let has_sent = matches!(connection.fill(&mut self.buffer), Fill::Bytes(_));
        if linger && (has_sent || !self.stopping) && !connection.ended {
            connection.phase = Phase::Lingering;
            let is_readable = connection.readable;
            self.timers.set(id, self.now + limits::LINGER);
            if is_readable {
                self.make_ready(id);
            }
        } else {
            connection.phase = Phase::Over;
        }
    }

    /// Reads and forgets.
    pub(super) fn discard(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        match connection.fill(&mut self.buffer) {
            Fill::Bytes(_) if connection.readable => self.make_ready(id),
            Fill::Bytes(_) | Fill::Nothing => {}
            Fill::End | Fill::Failed(_) => connection.phase = Phase::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::doubles::{Wire, hub};
    use super::*;

    #[test]
    fn whoever_does_not_read_its_answers_is_given_up_whenever_it_half_closes() {
        for closes_at in [0, 1_000] {
            let mut hub = hub();
            let (id, wire) = Wire::arrive(&mut hub, 1);
            wire.0.borrow_mut().has_stopped = true;
            wire.send(&mut hub, id, &"/help\n".repeat(1_000));
            let mut now = 0;
            while !hub.is_empty() {
                if now == closes_at {
                    wire.0.borrow_mut().has_gone = true;
                    hub.readable(id, true);
                }
                hub.turn(now);
                hub.check_invariants();
                now += 500;
                // For its answers, and for what is left of them when it is no longer open.
                assert!(now <= closes_at + 2 * limits::DRAIN + 1_000, "it stays");
            }
        }
    }
}
