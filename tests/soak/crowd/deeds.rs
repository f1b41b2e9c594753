//! What people do of their own: come, talk, move about, stop, go.

use super::*;

/// New connections in one turn of the loop.
const ARRIVALS: usize = 20;
/// People in a room where all comings and goings are announced; there may be some more on their way.
const SMALL: usize = 60;

impl Crowd<'_> {
    /// Somebody does something.
    pub(super) fn act(&mut self, index: usize, now: u64) {
        let Some(mut client) = self.clients[index].take() else {
            return;
        };
        let Temper { every, .. } = client.temper;
        let next = now + self.rng.between(every.0, every.1) as u64;
        self.timers
            .push(Reverse((next, index, client.number, What::Act)));
        if now >= client.leaves_at && client.going.is_none() && client.place != Place::Coming {
            if client.temper.is_rude {
                client.cut_off(&mut self.world);
                let room = &mut self.world.rooms[client.room];
                room.people = room.people.saturating_sub(1);
                return self.forget(index, &client);
            }
            if client.place == Place::In {
                client.quit(self.rng.below(4), &mut self.world);
                if client.is_readable {
                    self.ready.push(index);
                }
            }
        } else if client.is_in() && client.records.is_none() {
            self.do_something(index, &mut client, now);
        }
        self.clients[index] = Some(client);
        self.send(index);
    }

    fn do_something(&mut self, index: usize, client: &mut Client, now: u64) {
        let temper = client.temper;
        let weights = [
            temper.talk,
            temper.moves,
            temper.renames,
            temper.whispers,
            temper.asks,
            temper.stops,
            1,
        ];
        match self.rng.weighted(&weights) {
            0 => {
                for _ in 0..self.rng.between(temper.burst.0, temper.burst.1) {
                    if client.may_speak() {
                        let length = self.rng.between(temper.length.0, temper.length.1);
                        client.say(length, self.rng.one_in(12), true, &mut self.world);
                    }
                }
            }
            1 => {
                let to = self.some_room();
                if to != client.room {
                    client.go(to, &mut self.world);
                }
            }
            2 => client.rename(&mut self.world),
            3 => {
                let other = self.rng.below(self.clients.len());
                if let Some(other) = &self.clients[other]
                    && other.place != Place::Coming
                {
                    client.whisper(other.number, &other.name, &mut self.world);
                }
            }
            4 => client.ask(self.rng.pick(&[
                "/ping",
                "/who",
                "/topic",
                "/help msg",
                "/frobnicate",
                "/nick a<b",
                "/msg",
            ])),
            // Who has stopped may speak all the same.
            5 if now >= client.stopped_until => {
                (client.is_resting, client.has_stopped) = (true, true);
                let until = now + self.rng.between(temper.stop_for.0, temper.stop_for.1) as u64;
                client.stopped_until = until;
                self.timers
                    .push(Reverse((until, index, client.number, What::Wake)));
            }
            _ => {}
        }
    }

    /// Whoever floods says what may be said; whether anybody does.
    pub(super) fn flood(&mut self) -> bool {
        if self.is_quiet
            || self.is_ending
            || !self.plan.people.iter().any(|(temper, _)| temper.floods)
        {
            return false;
        }
        let rooms = &self.world.rooms;
        // Whoever floods gets nothing but what the others say.
        let listens =
            |client: &&Client| !client.temper.floods && !client.has_stopped && !client.is_scribe();
        let healthy = self
            .people()
            .filter(|client| listens(client) && client.is_in());
        let behind = healthy
            .map(|client| {
                rooms[client.room]
                    .end()
                    .saturating_sub(client.follower.needs())
            })
            .max();
        let Counts { said, recorded, .. } = self.world.counts;
        let mut left = self.plan.window.map_or(u64::MAX, |window| {
            window.saturating_sub(said - recorded + behind.unwrap_or(0))
        });
        let mut is_busy = false;
        for index in 0..self.clients.len() {
            let Some(client) = &mut self.clients[index] else {
                continue;
            };
            let Temper { floods, length, .. } = client.temper;
            if !floods || client.room != client.home {
                continue;
            }
            while left > 0 && client.may_speak() {
                let length = self.rng.between(length.0, length.1);
                client.say(length, false, true, &mut self.world);
                (left, is_busy) = (left - 1, true);
            }
            self.send(index);
        }
        is_busy
    }

    /// Lets come who is missing.
    pub(super) fn let_come(&mut self) -> Result<(), String> {
        let mut arrivals = 0;
        for kind in 0..self.kinds.len() {
            let (temper, count) = self.plan.people[kind];
            while self.kinds[kind] < count && arrivals < ARRIVALS {
                self.come(temper, Some(kind))?;
                arrivals += 1;
            }
        }
        Ok(())
    }

    /// Somebody comes.
    pub(super) fn come(&mut self, temper: Temper, kind: Option<usize>) -> Result<usize, String> {
        let number = self.next_number;
        self.next_number += 1;
        let client = Client::connect(self.server.address, number, temper, &self.world);
        let mut client = client.map_err(|error| format!("{number} cannot connect: {error}"))?;
        let index = self.free.pop().unwrap_or(self.clients.len());
        if index == self.clients.len() {
            self.clients.push(None);
        }
        let interests = Interest::READABLE | Interest::WRITABLE;
        let registered = self
            .poll
            .registry()
            .register(&mut client.stream, Token(index), interests);
        registered.map_err(|error| format!("cannot watch a socket: {error}"))?;
        let now = self.now();
        if let Some(kind) = kind {
            client.home = self.some_room();
            self.kinds[kind] += 1;
            client.leaves_at = match self.plan.life {
                Some((least, most)) => now + self.rng.between(least, most) as u64,
                None => u64::MAX,
            };
            if temper.name == "visitor" {
                client.leaves_at = now + self.rng.below(60) as u64;
            }
            self.timers.push(Reverse((
                now + 1 + self.rng.below(temper.every.1) as u64,
                index,
                number,
                What::Act,
            )));
        }
        self.clients[index] = Some(Box::new(client));
        Ok(index)
    }

    /// A room that has room: mostly one of the large ones.
    fn some_room(&mut self) -> usize {
        let Plan {
            big_rooms,
            small_rooms,
            ..
        } = self.plan;
        if self.plan.life.is_none() {
            return 1;
        }
        let small = 1 + big_rooms + self.rng.below(small_rooms.max(1));
        match self.rng.below(20) {
            0 => LOBBY,
            1..=9 if small_rooms > 0 && self.world.rooms[small].people < SMALL => small,
            _ => 1 + self.rng.below(big_rooms),
        }
    }
}
