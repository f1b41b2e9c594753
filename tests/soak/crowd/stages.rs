//! The stages of a siege, one after the other, and what must be so at the end of each.

use super::*;

impl Crowd<'_> {
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
}
