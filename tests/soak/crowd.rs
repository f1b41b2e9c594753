//! All clients of a siege, and the loop that looks after them: one thread, one poll.

mod deeds;
mod stages;

use crate::client::{Client, Going, Input, LOBBY, Place};
use crate::plan::{LISTENER, Plan, Temper};
use crate::record::Room;
use crate::rng::Rng;
use crate::server::{Server, Usage};
use crate::world::{Counts, Whisper, World};
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use snug::fanout::Slow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// How often the records are shortened and the server is looked at, in milliseconds.
const LOOK: u64 = 200;

/// What is to be done with a client at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Act,
    /// Reads again.
    Wake,
    /// Sends the next piece.
    Send,
}

/// Everybody, and the server they are with.
pub struct Crowd<'a> {
    pub server: &'a mut Server,
    plan: Plan,
    rng: Rng,
    poll: Poll,
    start: Instant,
    clients: Vec<Option<Box<Client>>>,
    free: Vec<usize>,
    /// How many of each kind there are.
    kinds: Vec<usize>,
    next_number: u32,
    pub world: World,
    timers: BinaryHeap<Reverse<(u64, usize, u32, What)>>,
    /// Has something to read.
    ready: Vec<usize>,
    /// Has got what the record does not have yet.
    waiting: Vec<usize>,
    buffer: Vec<u8>,
    /// Nobody comes any more, and nobody does anything of its own.
    is_quiet: bool,
    /// The server is told to stop.
    is_ending: bool,
    looked_at: u64,
    /// The most that the server had in use.
    pub most: Usage,
}

impl<'a> Crowd<'a> {
    /// Nobody yet. People are numbered from `first` on.
    pub fn new(
        server: &'a mut Server,
        plan: &Plan,
        seed: u64,
        first: u32,
    ) -> std::io::Result<Self> {
        let mut rooms = vec![Room::new("#lobby", false)];
        rooms.extend((0..plan.big_rooms).map(|n| Room::new(&format!("#hall{first}-{n}"), false)));
        rooms.extend((0..plan.small_rooms).map(|n| Room::new(&format!("#room{first}-{n}"), true)));
        Ok(Self {
            server,
            plan: plan.clone(),
            rng: Rng::new(seed),
            poll: Poll::new()?,
            start: Instant::now(),
            clients: Vec::new(),
            free: Vec::new(),
            kinds: vec![0; plan.people.len()],
            next_number: first,
            world: World {
                rooms,
                gaps: plan.gaps(),
                ..World::default()
            },
            timers: BinaryHeap::new(),
            ready: Vec::new(),
            waiting: Vec::new(),
            buffer: vec![0; 64 << 10],
            is_quiet: true,
            is_ending: false,
            looked_at: 0,
            most: Usage::default(),
        })
    }

    /// What it has come to so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.world.counts;
        counts.compared += self
            .people()
            .map(|client| client.follower.compared)
            .sum::<u64>();
        counts
    }

    /// The number of whoever comes next.
    pub fn next_number(&self) -> u32 {
        self.next_number
    }

    fn people(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().flatten().map(|client| &**client)
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// One turn: what is due, who is ready, who comes.
    fn turn(&mut self, until: Instant) -> Result<(), String> {
        self.run_timers()?;
        let floods = self.flood();
        let next = self
            .timers
            .peek()
            .map(|Reverse((at, ..))| at.saturating_sub(self.now()));
        let left = until.saturating_duration_since(Instant::now()).as_millis() as u64;
        let pause = match self.ready.is_empty() && !floods {
            true => next.unwrap_or(20).min(20).min(left + 1),
            false => 0,
        };
        let mut events = Events::with_capacity(1024);
        match self
            .poll
            .poll(&mut events, Some(Duration::from_millis(pause)))
        {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(format!("cannot poll: {error}"));
            }
            _ => {}
        }
        for event in &events {
            self.note(event);
        }
        self.read_all()?;
        self.advance_all()?;
        if !self.is_quiet && !self.is_ending {
            self.let_come()?;
        }
        if self.now() >= self.looked_at + LOOK {
            self.look();
        }
        Ok(())
    }

    fn note(&mut self, event: &Event) {
        let index = event.token().0;
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let may_read = event.is_readable() || event.is_read_closed() || event.is_error();
        if may_read && !std::mem::replace(&mut client.is_readable, true) && !client.is_resting {
            self.ready.push(index);
        }
        if event.is_writable() {
            self.send(index);
        }
    }

    /// Sends, now or in pieces.
    fn send(&mut self, index: usize) {
        if let Some(client) = &mut self.clients[index]
            && client.send()
        {
            let at = self.start.elapsed().as_millis() as u64 + 1 + u64::from(client.number % 8);
            self.timers
                .push(Reverse((at, index, client.number, What::Send)));
        }
    }

    /// Reads what has come, the scribes first: what they get is what the others' lines are compared with.
    fn read_all(&mut self) -> Result<(), String> {
        let mut ready = std::mem::take(&mut self.ready);
        let clients = &self.clients;
        ready.sort_by_key(|&index| {
            clients[index]
                .as_ref()
                .is_none_or(|client| client.records.is_none())
        });
        for index in ready {
            self.read(index)?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<(), String> {
        let Some(mut client) = self.clients[index].take() else {
            return Ok(());
        };
        let result = client.read(&mut self.buffer, &mut self.world);
        if client.follower.waits() {
            self.waiting.push(index);
        }
        let (number, now) = (client.number, self.now());
        match result {
            Err(error) => {
                let error = self.describe(&client, &error);
                self.clients[index] = Some(client);
                return Err(error);
            }
            Ok(Input::End) => return self.end(index, client),
            Ok(Input::Nothing) => client.is_readable = false,
            Ok(Input::More) if client.is_resting => {
                self.timers
                    .push(Reverse((now + 20, index, number, What::Wake)));
            }
            Ok(Input::More) => self.ready.push(index),
        }
        let moves_on = client.is_in() && client.home != client.room && client.visit == 0;
        if moves_on && !self.is_ending && (!self.is_quiet || client.records.is_some()) {
            client.go(client.home, &mut self.world);
        }
        self.clients[index] = Some(client);
        self.send(index);
        Ok(())
    }

    /// The server has ended a connection.
    fn end(&mut self, index: usize, mut client: Box<Client>) -> Result<(), String> {
        let (words, is_expected) = match client.going {
            Some(Going::Quit(words)) => (words, true),
            Some(Going::HalfClosed) => ("", true),
            Some(Going::WillHalfClose) | None => ("", false),
        };
        if self.is_ending {
            (client.has_ended, client.is_readable) = (true, false);
            // The server waits a moment for its peer's own end.
            _ = client.stream.shutdown(Shutdown::Both);
            self.clients[index] = Some(client);
            return Ok(());
        }
        let is_too_slow = self.plan.slow == Slow::Close && client.has_stopped;
        if !is_expected && !is_too_slow {
            return Err(self.describe(&client, "the server closes its connection"));
        }
        if is_expected {
            // It never came in, if it went before it was welcomed.
            let result = match client.place {
                Place::Coming => Ok(()),
                _ => client.leave(words, !words.is_empty(), &mut self.world),
            };
            result.map_err(|error| self.describe(&client, &error))?;
        } else {
            self.world.counts.closed += 1;
        }
        self.forget(index, &client);
        Ok(())
    }

    /// Strikes a client off that is taken out.
    fn forget(&mut self, index: usize, client: &Client) {
        if let Place::Moving { to, .. } = client.place {
            let room = &mut self.world.rooms[to];
            room.people = room.people.saturating_sub(1);
        }
        if let Some(kind) = self
            .plan
            .people
            .iter()
            .position(|(temper, _)| temper.name == client.temper.name)
        {
            self.kinds[kind] -= 1;
        }
        self.free.push(index);
    }

    /// Compares what had to wait for the record.
    fn advance_all(&mut self) -> Result<(), String> {
        for index in std::mem::take(&mut self.waiting) {
            let Some(client) = &mut self.clients[index] else {
                continue;
            };
            let room = &mut self.world.rooms[client.room];
            if let Err(error) = client.follower.advance(room) {
                return Err(describe(client, &self.world.rooms, &error));
            }
            if client.follower.waits() {
                self.waiting.push(index);
            }
        }
        self.waiting.sort_unstable();
        self.waiting.dedup();
        for room in &mut self.world.rooms {
            if std::mem::take(&mut room.has_grown) {
                room.see_out().map_err(|(number, error)| {
                    format!("{number}, who left {}: {error}", room.name)
                })?;
            }
        }
        Ok(())
    }

    fn run_timers(&mut self) -> Result<(), String> {
        let now = self.now();
        while let Some(&Reverse((at, index, number, what))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            let Some(client) = &self.clients[index] else {
                continue;
            };
            if client.number != number || client.has_ended {
                continue;
            }
            match what {
                What::Send => self.send(index),
                What::Wake if now < client.stopped_until => {}
                What::Wake => self.wake(index),
                What::Act if self.is_quiet || self.is_ending => {}
                What::Act => self.act(index, now),
            }
        }
        Ok(())
    }

    fn wake(&mut self, index: usize) {
        if let Some(client) = &mut self.clients[index]
            && std::mem::take(&mut client.is_resting)
            && client.is_readable
        {
            self.ready.push(index);
        }
    }

    /// Forgets what nobody needs any more, and looks at the server.
    fn look(&mut self) {
        self.looked_at = self.now();
        let mut needed: Vec<u64> = self.world.rooms.iter().map(Room::end).collect();
        for client in self.clients.iter().flatten() {
            if !client.is_scribe() {
                needed[client.room] = needed[client.room].min(client.follower.needs());
            }
            if let Place::Moving { to, from } = client.place {
                needed[to] = needed[to].min(from);
            }
        }
        for (room, needed) in self.world.rooms.iter_mut().zip(needed) {
            room.trim(needed);
        }
        let Usage {
            resident,
            descriptors,
            ticks,
        } = self.server.usage();
        self.most.resident = self.most.resident.max(resident);
        self.most.descriptors = self.most.descriptors.max(descriptors);
        self.most.ticks = ticks;
    }

    fn describe(&self, client: &Client, error: &str) -> String {
        describe(client, &self.world.rooms, error)
    }
}

fn describe(client: &Client, rooms: &[Room], error: &str) -> String {
    format!(
        "{error}\nclient {} ({}, called {}, in {}, visit {}, {:?}, {:?}), the tail of its stream:\n  {}",
        client.number,
        client.temper.name,
        client.name,
        rooms[client.room].name,
        client.visit,
        client.place,
        client.going,
        client.tail()
    )
}
