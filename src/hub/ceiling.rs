//! What is given back when more is queued and kept than may be (contract, section 4: whoever holds the most gives first).
//!
//! Owns the order in which they give. What each loses, it is told, or its connection is closed and the reason logged: a
//! log's readers are told how many lines they missed, whoever is in the middle of a line has to say it again, and
//! whoever has not read its answers is seen out. What was said in a room is forgotten, oldest lines first.

use super::*;
use crate::fanout::queue::FeedId;
use std::collections::BinaryHeap;

/// Somebody or something that holds memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// The lines of a room that somebody still has to be written.
    Log(FeedId),
    /// What was said in a room.
    History(chat::RoomId),
    /// What was said in rooms that nobody has entered yet.
    Past,
    /// What one reader alone has still to be written.
    Queue(Id),
    /// What somebody has sent and was not yet dealt with.
    Input(Id),
}

impl<S: Stream> Hub<S> {
    /// Bytes of memory held for everything queued or kept, and for everybody who is here; with the gaps that an
    /// allocator leaves between what comes and goes.
    pub fn memory(&self) -> usize {
        let moving = self.post.fanout.memory() + self.chat.memory() + self.inputs.total();
        self.tables() + moving + moving / limits::GAPS
    }

    /// What of it nobody can give back: the price of so many connections.
    pub fn tables(&self) -> usize {
        // With its places in the list that is made of holders when memory is short.
        let each = size_of::<Connection<S>>() + 2 * size_of::<(usize, Holder)>();
        let connections = self.connections.capacity() * each;
        connections + self.post.fanout.tables() + self.chat.tables()
    }

    /// Whether one more would cost what the others need. Tables never shrink: a place in them that somebody has left
    /// is free again.
    pub(super) fn is_crowded(&self) -> bool {
        let each = self.tables() / self.connections.capacity().max(1);
        each * self.connections.len() > self.config.max_memory / 2
    }

    /// Has memory given back if there is more than may be: so much that it is not at once too much again.
    pub(super) fn relieve(&mut self) {
        let (most, fixed) = (self.config.max_memory, self.tables());
        // Else everybody would be seen out, over and over, for the price of rooms that stay.
        let most = most.max(fixed + most / limits::LEFT);
        let movable = most - fixed;
        if self.memory() <= most {
            self.is_short &= self.memory() > fixed + movable / 2;
            return;
        }
        if !std::mem::replace(&mut self.is_short, true) {
            log::warn!("the memory is used up ({most} bytes): whoever holds the most gives first");
        }
        let mut holders = self.holders();
        while self.memory() > most - movable / limits::RELIEF
            && let Some((_, holder)) = holders.pop()
        {
            let left = self.give(holder);
            if left > 0 {
                holders.push((left, holder));
            }
        }
    }

    /// Everybody who holds something, the one that holds the most on top.
    fn holders(&self) -> BinaryHeap<(usize, Holder)> {
        let fanout = &self.post.fanout;
        let logs = fanout.logs().map(|(id, size)| (size, Holder::Log(id)));
        let queues = fanout.queues().map(|(id, size)| (size, Holder::Queue(id)));
        let histories = self.chat.histories();
        let histories = histories.map(|(id, size)| (size, Holder::History(id)));
        let inputs = self.connections.iter();
        let inputs = inputs.map(|(id, connection)| (connection.held(), Holder::Input(id as Id)));
        let past = std::iter::once((self.chat.past(), Holder::Past));
        let all = logs
            .chain(queues)
            .chain(histories)
            .chain(inputs)
            .chain(past);
        all.filter(|&(size, _)| size > 0).collect()
    }

    /// Has one of them give something. How much it could give yet.
    fn give(&mut self, holder: Holder) -> usize {
        match holder {
            Holder::Log(feed) => self.post.fanout.shed(feed),
            Holder::History(room) => self.chat.forget_some(room),
            Holder::Past => self.chat.forget_past(),
            Holder::Queue(id) => {
                self.lose_queue(id);
                0
            }
            Holder::Input(id) => {
                self.lose_input(id);
                0
            }
        }
    }

    /// Sees somebody out who does not read what is queued for them.
    fn lose_queue(&mut self, id: Id) {
        self.post.fanout.cut(id);
        match self.connections[id as usize].phase {
            Phase::Open => self.end(id, Why::TooMuchQueued),
            Phase::Draining { .. } => self.abandon(id, &Why::TooMuchQueued),
            Phase::Lingering | Phase::Over => {}
        }
    }

    /// Drops the line that somebody is in the middle of. Whole lines that wait are not dropped: rather is their sender
    /// seen out, who knows then what became of them.
    fn lose_input(&mut self, id: Id) {
        let connection = &mut self.connections[id as usize];
        if connection.phase != Phase::Open {
            // It was seen out for its queue, and has no more input.
            return;
        }
        let mut input = connection.take_input();
        if self.config.bare || !input.unread.is_empty() || input.listing.is_some() {
            if !self.config.bare {
                self.post.tell(id, Notice::NoMemory);
            }
            self.end(id, Why::TooMuchSent);
            return;
        }
        // Not again of whom it was dropped before, and its end has not come.
        let is_dropped = input.decoder.is_partial();
        input.decoder.drop_line();
        connection.is_new = false;
        connection.put_input(input, &self.inputs);
        if is_dropped {
            log::trace!("{} loses the line it has begun", connection.origin);
            self.post.tell(id, Notice::LineDropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::doubles::{Wire, config, hub, settle};
    use super::*;

    /// Lets people in until somebody is refused, who is not among them.
    fn fill(hub: &mut Hub<Wire>) -> Vec<(Id, Wire)> {
        let mut people = Vec::new();
        loop {
            let (id, wire) = Wire::arrive(hub, people.len() as u32);
            hub.turn(0);
            if wire.told().contains("no memory for one more") {
                return people;
            }
            people.push((id, wire));
            assert!(people.len() < 100_000, "nobody is refused");
        }
    }

    #[test]
    fn a_place_is_free_again_when_somebody_has_left() {
        let mut hub = hub();
        let people = fill(&mut hub);
        for (id, wire) in &people {
            wire.0.borrow_mut().has_gone = true;
            hub.readable(*id, true);
        }
        settle(&mut hub);
        assert!(hub.is_empty());
        assert!(fill(&mut hub).len() >= people.len());
        assert!(hub.tables() <= hub.config.max_memory);
    }

    #[test]
    fn the_price_of_people_and_rooms_costs_nobody_a_line() {
        let mut hub = hub();
        let people = fill(&mut hub);
        for (number, (id, wire)) in people.iter().enumerate() {
            // Somebody heard them, and so their logs are made.
            wire.send(&mut hub, *id, &format!("/join r{number}\n/topic x\n"));
        }
        settle(&mut hub);
        assert!(hub.tables() > hub.config.max_memory, "there are many rooms");
        let (id, wire) = &people[0];
        wire.told();
        wire.say(&mut hub, *id, "/ping a line in");
        wire.say(&mut hub, *id, " two parts\n");
        assert_eq!(wire.told(), "*** pong a line in two parts\n");
    }

    #[test]
    fn a_crowd_that_is_told_much_comes_in_a_few_at_a_time() {
        let mut hub = Hub::new(Config {
            history: limits::HISTORY,
            ..config()
        });
        let (id, wire) = Wire::arrive(&mut hub, 0);
        let line = "x".repeat(500) + "\n";
        wire.say(&mut hub, id, &line.repeat(limits::HISTORY));
        let before = hub.memory();
        let mut number = 1;
        while hub.has_room() {
            number += 1;
            Wire::arrive(&mut hub, number);
        }
        assert!(hub.memory() < before + 2 * hub.budget + 2 * limits::REPLIES);
        hub.turn(0);
        assert!(hub.has_room());
        assert!(hub.peak() > before + 2 * hub.budget);
    }

    #[test]
    fn long_answers_for_many_are_made_as_they_are_written() {
        let mut hub = Hub::new(Config {
            max_memory: 4 << 20,
            ..config()
        });
        let mut people = Vec::new();
        for number in 0..300 {
            let (id, wire) = Wire::arrive(&mut hub, number);
            let topic = "x".repeat(limits::TOPIC);
            wire.say(&mut hub, id, &format!("/join r{number}\n/topic {topic}\n"));
            wire.told();
            people.push((id, wire));
        }
        for (id, wire) in &people {
            wire.send(&mut hub, *id, "/rooms\n");
        }
        // What may be added by reading, and as much by going on, each with the last piece that it makes.
        let piece = 2 * limits::PAGE;
        let most = hub.memory() + 2 * (2 * hub.budget + piece);
        while hub.is_busy() {
            hub.turn(0);
            assert!(hub.memory() < most, "{} of {most} bytes", hub.memory());
        }
        for (_, wire) in &people {
            assert_eq!(wire.told().lines().count(), 1 + people.len());
        }
    }

    #[test]
    fn topics_and_keys_count() {
        let mut hub = hub();
        let (id, wire) = Wire::arrive(&mut hub, 1);
        wire.say(&mut hub, id, "/join den\n");
        let (memory, tables) = (hub.memory(), hub.tables());
        let (topic, key) = ("x".repeat(limits::TOPIC), "y".repeat(limits::KEY));
        wire.say(&mut hub, id, &format!("/topic {topic}\n/key {key}\n"));
        assert!(hub.memory() >= memory + limits::TOPIC + limits::KEY);
        wire.say(&mut hub, id, "/topic -\n/key -\n");
        assert_eq!(hub.tables(), tables);
    }

    #[test]
    fn a_long_line_leaves_nothing_behind() {
        let mut hub = Hub::new(Config {
            max_line: 1 << 20,
            max_memory: 16 << 20,
            ..config()
        });
        let (id, wire) = Wire::arrive(&mut hub, 1);
        let (_other, _) = Wire::arrive(&mut hub, 2);
        wire.say(
            &mut hub,
            id,
            &format!("/msg guest2 {}\n", "\u{7f}x".repeat(400_000)),
        );
        wire.say(&mut hub, id, "/ping\n");
        assert!(wire.told().ends_with("*** pong\n"));
        assert!(hub.scratch.capacity() <= limits::TURN);
        assert!(hub.post.scratch_capacity() <= limits::TURN);
    }

    #[test]
    fn whoever_has_to_say_a_line_again_is_told_so_once() {
        let mut hub = hub();
        let (id, wire) = Wire::arrive(&mut hub, 1);
        wire.say(&mut hub, id, "half a line");
        wire.told();
        for _ in 0..3 {
            hub.give(Holder::Input(id));
            settle(&mut hub);
        }
        assert_eq!(wire.told().matches("say it again").count(), 1);
        wire.say(&mut hub, id, ", the rest\n/ping\n");
        assert_eq!(wire.told(), "*** pong\n");
    }
}
