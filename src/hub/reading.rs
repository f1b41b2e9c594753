//! From what streams bring to what the rules are asked.
//!
//! Owns who is read from, how much of it in a turn, and who must wait.

use super::*;
use crate::chat::Command;
use crate::wire::lines::whole_lines;
use crate::wire::stranger::{self, Verdict};
use crate::wire::telnet;
use std::borrow::Cow;

impl<S: Stream> Hub<S> {
    /// Reads from whoever is ready, each its share, until the turn has published enough. Gives how many of them
    /// somebody heard.
    pub(super) fn read_ready(&mut self) -> usize {
        let mut speakers = 0;
        // What the turn keeps counts as well: half lines, answers.
        let most = self.most_after_turn();
        for _ in 0..self.ready.len() {
            if self.post.published >= self.budget || self.memory() > most {
                break;
            }
            let Some(id) = self.ready.pop_front() else {
                break;
            };
            let Some(connection) = self.connections.get_mut(id as usize) else {
                continue;
            };
            connection.listed = false;
            let before = self.post.fanout.delivered();
            match connection.phase {
                Phase::Open => self.read(id),
                Phase::Lingering => self.discard(id),
                Phase::Draining { .. } | Phase::Over => {}
            }
            speakers += usize::from(self.post.fanout.delivered() > before);
        }
        speakers
    }

    /// One connection's share of a turn.
    fn read(&mut self, id: Id) {
        let must_wait = self.must_wait(id);
        let connection = &mut self.connections[id as usize];
        if must_wait {
            connection.listed = true;
            return self.waiting.push(id);
        }
        if let Some(pace) = self.config.pace
            && !connection.bucket.has_line(pace, self.now)
        {
            connection.listed = true;
            self.pauses.set(id, connection.bucket.refilled_at(pace));
            return;
        }
        let mut input = connection.take_input();
        if std::mem::take(&mut connection.rested) && !connection.readable && input.unread.is_empty()
        {
            // Had the line gone on, it would not have rested.
            let origin = connection.origin;
            match self.finish(&mut input) {
                Some(line) => {
                    self.connections[id as usize].is_new = false;
                    input.listing = self.line(id, &line);
                }
                None => log::trace!("{origin} has rested"),
            }
        } else if input.unread.is_empty() {
            let mut buffer = std::mem::take(&mut self.buffer);
            let fill = connection.fill(&mut buffer);
            match fill {
                Fill::Bytes(n) => self.lines(id, &mut input, &buffer[..n]),
                Fill::Nothing | Fill::End => {}
                Fill::Failed(error) => self.lose(id, error.kind()),
            }
            self.buffer = buffer;
        } else {
            let unread = std::mem::take(&mut input.unread);
            self.lines(id, &mut input, &unread);
        }
        self.after_read(id, input);
    }

    /// Deals with the lines in `bytes`, as many as may be for now; the rest becomes the input's `unread`.
    fn lines(&mut self, id: Id, input: &mut Input, bytes: &[u8]) {
        if self.connections[id as usize].is_new && self.is_stranger(id, input, bytes) {
            input.decoder = Default::default();
            return;
        }
        let mut rest = bytes;
        while self.next(id, input, &mut rest) {
            if self.connections[id as usize].phase != Phase::Open {
                input.decoder = Default::default();
                return;
            }
            if input.listing.is_some()
                || self.post.published >= self.budget
                || self.must_wait(id)
                || self.is_spent(id)
            {
                break;
            }
        }
        if rest.is_empty()
            && !self.config.bare
            && let Some(answer) = telnet::answer(bytes)
        {
            self.spend(id, 1);
            self.post.fanout.send(id, answer);
        }
        input.unread = rest.to_vec();
        if input.decoder.is_dropping() {
            // A line without an end is no way around the pace.
            self.spend(id, (bytes.len() / self.config.max_line) as u64);
        }
    }

    /// Deals with what comes next in `rest`: with talk, as much of it as may be taken together, or with one other line.
    /// Whether there was anything.
    fn next(&mut self, id: Id, input: &mut Input, rest: &mut &[u8]) -> bool {
        let mut ends = [0; limits::RUN_LINES];
        let most = limits::RUN.min(self.budget.saturating_sub(self.post.published));
        if !input.decoder.is_idle() {
            // First the rest of a line.
        } else if self.config.bare {
            let most = most.min(self.config.max_line);
            if let Some((bytes, lines)) = whole_lines(rest, most) {
                *rest = &rest[bytes.len()..];
                self.relay(id, bytes, lines);
                return true;
            }
        } else if !self.chat.is_visitor(id)
            && let Some(lines) = plain::talk(rest, self.most_talk(id, most), &mut ends)
        {
            *rest = &rest[lines.size()..];
            input.listing = self.command(id, Command::Say(lines), lines.count());
            return true;
        }
        match input.decoder.next(rest, self.framing) {
            Some(Item::Line(line)) => input.listing = self.line(id, &line),
            Some(Item::TooLong) if self.config.bare => self.end(id, Why::LineTooLong),
            Some(Item::TooLong) => {
                let origin = self.connections[id as usize].origin;
                log::trace!("{origin} said a line too long");
                // What still comes of it begins nothing.
                self.connections[id as usize].is_new = false;
                self.spend(id, 1);
                let notice = Notice::LineTooLong(self.config.max_line);
                self.post.tell(id, notice);
            }
            None => return false,
        }
        true
    }

    /// Whether a connection's first line, as far as it has come, is of another protocol. Then it is told so, and ends:
    /// nothing that it sends is relayed.
    fn is_stranger(&mut self, id: Id, input: &Input, bytes: &[u8]) -> bool {
        if self.config.bare {
            return false;
        }
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let line = match input.decoder.begun() {
            [] => Cow::Borrowed(&bytes[..end]),
            begun => Cow::Owned([begun, &bytes[..end]].concat()),
        };
        let verdict = stranger::judge(&line);
        self.connections[id as usize].is_new = verdict == Verdict::Unsure;
        if let Verdict::Stranger(stranger) = verdict {
            let sentence = plain::refusal(&stranger.sentence());
            self.post.fanout.send(id, &sentence);
            self.end(id, Why::Stranger(stranger));
        }
        matches!(verdict, Verdict::Stranger(_))
    }

    /// Puts the input back, sees to the end of the stream, and decides when the next share comes.
    fn after_read(&mut self, id: Id, mut input: Input) {
        let connection = &mut self.connections[id as usize];
        if connection.phase != Phase::Open {
            return;
        }
        if connection.ended && input.unread.is_empty() && input.listing.is_none() {
            // A stream that was cut off has no end: what it left is half a line.
            if !connection.is_cut_off()
                && let Some(line) = self.finish(&mut input)
            {
                input.listing = self.line(id, &line);
            }
            if input.listing.is_none() {
                self.end(id, Why::ClosedByPeer);
                return;
            }
        }
        if let Some(rest) = self.config.unterminated {
            match input.decoder.is_idle() {
                true => _ = self.rests.clear(id),
                false => self.rests.set(id, self.now + rest),
            }
        }
        let connection = &mut self.connections[id as usize];
        let again = connection.readable
            || connection.ended
            || !input.unread.is_empty()
            || input.listing.is_some();
        connection.put_input(input, &self.inputs);
        if again {
            self.make_ready(id);
        }
    }

    /// Deals with one line. A long answer that it began is given back.
    pub(super) fn line(&mut self, id: Id, line: &[u8]) -> Option<chat::Listing> {
        if self.config.bare {
            self.relay(id, &[line, b"\n"].concat(), 1);
            return None;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let listing = self.command(id, plain::parse(line, &mut scratch), 1);
        self.scratch = scratch;
        listing
    }

    /// Brings lines of a bus to all others, as they came.
    fn relay(&mut self, id: Id, bytes: &[u8], lines: u64) {
        self.trace_lines(id, lines);
        self.post.relay(LOBBY_ID, id, bytes, lines);
    }

    fn trace_lines(&self, id: Id, lines: u64) {
        if log::log_enabled!(log::Level::Trace) {
            let origin = self.connections[id as usize].origin;
            (0..lines).for_each(|_| log::trace!("{origin} said a line"));
        }
    }

    /// How much talk of somebody's may be taken at once: so many bytes, and what else there is to it.
    fn most_talk(&self, id: Id, bytes: usize) -> plain::Most {
        let bucket = &self.connections[id as usize].bucket;
        let lines = |pace| bucket.lines(pace, self.now).max(1) as usize;
        plain::Most {
            line: self.config.max_line,
            lines: self.config.pace.map_or(usize::MAX, lines),
            bytes,
            name: self.chat.name(id).map_or(0, str::len),
        }
    }

    /// Does what so many lines of somebody's ask for. A long answer that they began is given back.
    fn command(&mut self, id: Id, command: Command<'_>, lines: usize) -> Option<chat::Listing> {
        self.trace_lines(id, lines as u64);
        let was_outside = self.config.password.is_some() && self.chat.is_visitor(id);
        self.lines_in += lines as u64;
        self.spend(id, lines as u64);
        let moment = self.moment();
        let Self { chat, post, .. } = self;
        let listing = chat.command(id, command, moment, &mut |event| post.deliver(event));
        self.see_to_dismissed();
        if was_outside && self.chat.known(id).is_some() {
            // It has said the password in time.
            self.timers.clear(id);
        }
        self.report();
        listing
    }

    /// Takes a line without an end as one, now that its end will not come. What says nothing is none: what a telnet
    /// client sends of its own accord, a lone control. Of a line too long that is the end, too.
    fn finish(&self, input: &mut Input) -> Option<Vec<u8>> {
        let line = input.decoder.finish(self.framing);
        line.filter(|line| self.config.bare || plain::says_something(line))
    }

    /// Counts lines against somebody's pace.
    #[inline]
    fn spend(&mut self, id: Id, lines: u64) {
        if let Some(pace) = self.config.pace {
            let bucket = &mut self.connections[id as usize].bucket;
            bucket.take(lines, pace, self.now);
        }
    }

    /// Whether somebody has said all that their pace allows for now.
    fn is_spent(&self, id: Id) -> bool {
        let bucket = &self.connections[id as usize].bucket;
        let has_line = |pace| bucket.has_line(pace, self.now);
        !self.config.pace.is_none_or(has_line)
    }

    /// Sees those out whom the rules have dismissed.
    #[inline]
    pub(super) fn see_to_dismissed(&mut self) {
        while let Some((id, reason, name)) = self.post.dismissed.pop() {
            self.end_as(id, &name, Why::Dismissed(reason));
        }
    }

    /// Gives the figures to those who asked for them. They are made once a turn, because they take a walk through
    /// everything.
    fn report(&mut self) {
        while let Some(to) = self.post.reports.pop() {
            let figures = self.figures.unwrap_or_else(|| self.take_stock());
            self.figures = Some(figures);
            self.post.tell(to, Notice::Figures(&figures));
        }
    }

    fn take_stock(&self) -> Figures {
        let (behind, most_behind) = self.post.fanout.behind();
        Figures {
            people: self.chat.people(),
            visitors: self.chat.visitors(),
            rooms: self.chat.rooms(),
            lines_in: self.lines_in,
            lines_out: self.post.lines,
            per_second: self.rate.per_second(self.now),
            behind,
            most_behind,
            skipped: self.post.fanout.skipped(),
            memory: self.memory(),
            max_memory: self.config.max_memory,
            uptime: self.now,
        }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            ticks: self.now,
            wall: self.wall,
        }
    }

    /// Goes on with a long answer, if there is one and its reader has nearly taken what there is.
    pub(super) fn list(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        let mut input = connection.take_input();
        if let Some(listing) = input.listing.take() {
            log::trace!("{} gets more of a long answer", connection.origin);
            let moment = self.moment();
            let Self { chat, post, .. } = self;
            input.listing = chat.list(id, listing, limits::PAGE_LINES, moment, &mut |event| {
                post.deliver(event);
            });
        }
        self.connections[id as usize].put_input(input, &self.inputs);
    }

    /// Lets those read on who no longer have to wait, and goes on with long answers: as many as one turn may add. The
    /// others have their turn when these have been written.
    pub(super) fn wake_waiting(&mut self) {
        let most = self.most_after_turn();
        for id in std::mem::take(&mut self.waiting) {
            let Some(connection) = self.connections.get_mut(id as usize) else {
                continue;
            };
            if connection.phase != Phase::Open {
                connection.listed = false;
                self.make_ready(id);
                continue;
            }
            let (is_listing, has_ended) = (connection.is_listing(), connection.hung_up);
            if is_listing && self.post.fanout.replies(id) < limits::PAGE && self.memory() <= most {
                self.list(id);
            }
            if !self.must_wait(id) {
                self.ready.push_back(id);
                continue;
            }
            if has_ended && self.owes_reading(id) {
                self.timers.begin(id, self.now + limits::DRAIN);
            }
            self.waiting.push(id);
        }
    }

    pub(super) fn must_wait(&self, id: Id) -> bool {
        self.owes_reading(id) || self.post.fanout.is_held(id)
    }

    /// Whether somebody must read the answers they have before they are heard again.
    pub(super) fn owes_reading(&self, id: Id) -> bool {
        self.connections[id as usize].is_listing() || self.too_many_replies(id)
    }

    fn too_many_replies(&self, id: Id) -> bool {
        self.post.fanout.replies(id) > limits::REPLIES
    }

    pub(super) fn make_ready(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        if !std::mem::replace(&mut connection.listed, true) {
            self.ready.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::doubles::{Wire, config, settle};
    use super::*;

    #[test]
    fn what_still_comes_of_a_line_too_long_is_no_first_line() {
        let mut hub = Hub::new(Config {
            max_line: 16,
            ..config()
        });
        let (id, wire) = Wire::arrive(&mut hub, 1);
        wire.say(&mut hub, id, "CAPITALSWITHOUTANEND");
        assert!(
            wire.told()
                .ends_with("*** line too long: 16 bytes at most\n")
        );
        wire.say(&mut hub, id, "GET / HTTP/1.1\r\n/ping\n");
        assert_eq!(wire.told(), "*** pong\n");
    }

    /// Lines of a room with a word between each and the next, for somebody who takes nothing for a moment.
    #[test]
    fn words_between_lines_cost_no_line() {
        for slow in [Slow::Skip, Slow::Close, Slow::Wait] {
            let mut hub = Hub::new(Config {
                slow,
                max_memory: 64 << 20,
                ..config()
            });
            let (reader, ear) = Wire::arrive(&mut hub, 1);
            let (talker, mouth) = Wire::arrive(&mut hub, 2);
            settle(&mut hub);
            ear.told();
            mouth.told();
            ear.0.borrow_mut().has_stopped = true;
            mouth.say(&mut hub, talker, "first\n");
            let count = 2 * limits::SEGMENTS;
            mouth.say(&mut hub, talker, &"a\n/msg guest1 b\n".repeat(count));
            ear.0.borrow_mut().has_stopped = false;
            hub.writable(reader);
            settle(&mut hub);
            let (heard, answers) = (ear.told(), mouth.told());
            assert_eq!(heard.matches("<guest2> a\n").count(), count, "{slow:?}");
            let (sent, refused) = (heard.matches("[guest2] b\n").count(), "is not reading");
            assert_eq!(answers.matches("[-> guest1] b\n").count(), sent);
            assert_eq!(answers.matches(refused).count(), count - sent);
        }
    }
}
