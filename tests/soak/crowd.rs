//! All clients of a siege, and the loop that looks after them: one thread, one poll.

use crate::client::{Client, Counts, Going, Input, LOBBY, Place, Whisper, World};
use crate::plan::{LISTENER, Plan, Temper};
use crate::record::Room;
use crate::rng::Rng;
use crate::server::{Server, Usage};
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use snug::fanout::Slow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// New connections in one turn of the loop.
const ARRIVALS: usize = 20;
/// People in a room where all comings and goings are announced; there may be some more on their way.
const SMALL: usize = 60;
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
    live: usize,
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
            live: 0,
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

    pub fn counts(&self) -> Counts {
        let mut counts = self.world.counts;
        counts.compared += self
            .people()
            .map(|client| client.follower.compared)
            .sum::<u64>();
        counts
    }

    pub fn next_number(&self) -> u32 {
        self.next_number
    }

    /// A scribe for each room; it is over when all are where they belong.
    pub fn send_scribes(&mut self) -> Result<(), String> {
        for room in 0..self.world.rooms.len() {
            let scribe = Temper {
                name: "scribe",
                ..LISTENER
            };
            let index = self.come(scribe, None)?;
            if let Some(client) = &mut self.clients[index] {
                (client.records, client.home) = (Some(room), room);
            }
            let at = Instant::now();
            while !self.world.rooms[room].is_recorded {
                self.turn(at)?;
            }
        }
        Ok(())
    }

    /// Lets them live until that time.
    pub fn live(&mut self, seconds: f64) -> Result<(), String> {
        self.is_quiet = false;
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until {
            self.turn(until)?;
        }
        Ok(())
    }

    /// Lets them live until everybody is where they belong, has stopped if they ever will, and much has been said.
    pub fn begin_flood(&mut self, patience: Duration) -> Result<(), String> {
        let late = Instant::now() + patience;
        let (missing, most) = (self.plan.clients(), self.plan.window.unwrap_or(0));
        self.is_quiet = false;
        while self
            .people()
            .filter(|client| client.records.is_none())
            .count()
            < missing
        {
            self.turn(late)?;
        }
        let has_begun = |client: &Client| {
            client.room == client.home && (client.temper.stops == 0 || client.has_stopped)
        };
        self.until(late, has_begun, "it did not begin what it is for")?;
        let before = self.world.counts.recorded;
        while self.world.counts.recorded < before + 2 * most && Instant::now() < late {
            self.turn(late)?;
        }
        Ok(())
    }

    /// Everybody says no more, and reads to the end; then all must have got what they were to get.
    pub fn quiesce(&mut self, patience: Duration) -> Result<(), String> {
        self.is_quiet = true;
        let late = Instant::now() + patience;
        for index in 0..self.clients.len() {
            if let Some(client) = &mut self.clients[index] {
                (client.temper.sip, client.temper.chops) = (0, false);
            }
            self.wake(index);
        }
        // What is published before the first answers has come before the second.
        for round in 1..=2 {
            for index in 0..self.clients.len() {
                if let Some(client) = &mut self.clients[index]
                    && client.going.is_none()
                {
                    client.ask("/ping end");
                    self.send(index);
                }
            }
            let is_done = |client: &Client| client.going.is_none() && client.pongs == round;
            self.until(late, is_done, "it did not come to its end")?;
        }
        self.check_all()
    }

    /// Everybody goes, the scribes last; it is over when all are gone.
    pub fn leave(&mut self, patience: Duration) -> Result<(), String> {
        let late = Instant::now() + patience;
        for are_scribes in [false, true] {
            for index in 0..self.clients.len() {
                let way = self.rng.below(4);
                if let Some(client) = &mut self.clients[index]
                    && client.records.is_some() == are_scribes
                {
                    client.quit(way, &mut self.world);
                    self.send(index);
                }
            }
            let is_other = |client: &Client| client.records.is_some() != are_scribes;
            self.until(late, is_other, "it is still there")?;
        }
        Ok(())
    }

    /// The server is told to stop, now; all who read must get everything, and that it closes. Gives how long it took.
    pub fn stop(&mut self, patience: Duration) -> Result<Duration, String> {
        self.is_ending = true;
        self.server.stop();
        let start = Instant::now();
        let code = loop {
            self.turn(start + patience)?;
            if let Some(code) = self.server.exit_code() {
                break code;
            }
            if start.elapsed() > patience {
                return Err(format!(
                    "the server still runs {patience:?} after the signal"
                ));
            }
        };
        let took = start.elapsed();
        if code != 0 {
            return Err(format!(
                "the server's exit code is {code}\n{}",
                self.server.last_words()
            ));
        }
        let is_stuck = |client: &Client| client.has_stopped;
        while self
            .people()
            .any(|client| !client.has_ended && !is_stuck(client))
            && start.elapsed() < 2 * patience
        {
            self.turn(start + 2 * patience)?;
        }
        let World { rooms, .. } = &self.world;
        for client in self
            .clients
            .iter_mut()
            .flatten()
            .filter(|client| !is_stuck(client))
        {
            let is_whole = client.is_scribe() || client.follower.is_at_end(&rooms[client.room]);
            if !client.has_ended || !client.heard_closing || !is_whole {
                let error = "it did not get everything before the server's end";
                return Err(describe(client, &self.world.rooms, error));
            }
        }
        Ok(took)
    }

    /// Goes on until everybody is as they should be.
    fn until(
        &mut self,
        late: Instant,
        is_right: impl Fn(&Client) -> bool,
        error: &str,
    ) -> Result<(), String> {
        while !self.people().all(&is_right) {
            if Instant::now() > late {
                let wrong = self.people().find(|&client| !is_right(client));
                return Err(wrong.map_or_else(String::new, |wrong| self.describe(wrong, error)));
            }
            self.turn(late)?;
        }
        Ok(())
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
        self.live -= 1;
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
            let is_it = |client: &Client| client.number == number && !client.has_ended;
            if !self.clients[index]
                .as_ref()
                .is_some_and(|client| is_it(client))
            {
                continue;
            }
            match what {
                What::Send => self.send(index),
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

    /// Somebody does something.
    fn act(&mut self, index: usize, now: u64) {
        let Some(mut client) = self.clients[index].take() else {
            return;
        };
        let Temper { every, .. } = client.temper;
        let next = now + self.rng.between(every.0, every.1) as u64;
        self.timers
            .push(Reverse((next, index, client.number, What::Act)));
        if now >= client.leaves_at && client.going.is_none() && client.place != (Place::Coming) {
            if client.temper.is_rude {
                client.cut_off(&mut self.world);
                if client.place != Place::Coming {
                    let room = &mut self.world.rooms[client.room];
                    room.people = room.people.saturating_sub(1);
                }
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
            5 => {
                (client.is_resting, client.has_stopped) = (true, true);
                let until = now + self.rng.between(temper.stop_for.0, temper.stop_for.1) as u64;
                self.timers
                    .push(Reverse((until, index, client.number, What::Wake)));
            }
            _ => {}
        }
    }

    /// Whoever floods says what may be said; whether anybody does.
    fn flood(&mut self) -> bool {
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
    fn let_come(&mut self) -> Result<(), String> {
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
    fn come(&mut self, temper: Temper, kind: Option<usize>) -> Result<usize, String> {
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
        self.live += 1;
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

    /// Everybody has got everything, everything said was heard, and those are in the rooms who were announced.
    fn check_all(&mut self) -> Result<(), String> {
        let World { rooms, .. } = &self.world;
        for client in self.clients.iter_mut().flatten() {
            let room = &rooms[client.room];
            if !client.is_scribe() && !client.follower.is_at_end(room) {
                return Err(describe(
                    client,
                    rooms,
                    "it lacks the last lines of its room",
                ));
            }
            let heard = room.heard_of(client.number, client.visit);
            if heard != client.said && room.missed == 0 {
                let error = format!(
                    "it said {} lines here, the others heard {heard}",
                    client.said
                );
                return Err(describe(client, rooms, &error));
            }
        }
        for (index, room) in rooms.iter().enumerate() {
            let inside = self
                .people()
                .filter(|client| client.room == index)
                .map(|client| client.number);
            if room.is_small && room.missed == 0 && inside.collect::<HashSet<_>>() != room.inside {
                return Err(format!(
                    "{}: others are inside than were announced",
                    room.name
                ));
            }
            if !room.is_settled() {
                return Err(format!("{}: somebody who left lacks lines", room.name));
            }
        }
        let is_here = |number: u32| self.people().any(|client| client.number == number);
        for (&(from, count), &whisper) in &self.world.whispers {
            let Whisper {
                to,
                is_confirmed,
                has_come,
            } = whisper;
            if is_confirmed && !has_come && is_here(to) {
                return Err(format!(
                    "{to} did not get whisper {count} of {from}, which was confirmed"
                ));
            }
            if has_come && !is_confirmed && is_here(from) {
                return Err(format!(
                    "whisper {count} of {from} came to {to}, but was not confirmed"
                ));
            }
        }
        Ok(())
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
