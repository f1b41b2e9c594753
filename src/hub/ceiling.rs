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
    pub(super) fn tables(&self) -> usize {
        // With its places in the list that is made of holders when memory is short.
        let each = size_of::<Connection<S>>() + 2 * size_of::<(usize, Holder)>();
        let connections = self.connections.capacity() * each;
        connections + self.post.fanout.tables() + self.chat.tables()
    }

    /// Whether one more would cost what the others need.
    pub(super) fn is_crowded(&self) -> bool {
        self.tables() > self.config.max_memory / 2
    }

    /// Has memory given back if there is more than may be: so much that it is not at once too much again.
    pub(super) fn relieve(&mut self) {
        let most = self.config.max_memory;
        if self.memory() <= most {
            self.is_short &= self.memory() > most / 2;
            return;
        }
        if !std::mem::replace(&mut self.is_short, true) {
            log::warn!("the memory is used up ({most} bytes): whoever holds the most gives first");
        }
        let mut holders = self.holders();
        while self.memory() > most - most / limits::RELIEF
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
        log::trace!("{} loses the line it has begun", connection.origin);
        input.decoder.drop_line();
        connection.put_input(input, &self.inputs);
        self.post.tell(id, Notice::LineDropped);
    }
}
