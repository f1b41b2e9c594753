//! What clients do, each by chance.

use super::*;

impl World {
    pub(super) fn newcomer(&mut self) -> (Origin, Mood, usize) {
        let number = self.origins;
        self.origins += 1;
        let port = 1024 + (number % 60_000) as u16;
        let ip = match self.rng.weighted(&[3, 2, 2, 1, 1]) {
            0 => IpAddr::from([10, 0, (number >> 8) as u8, number as u8]),
            1 => IpAddr::from([192, 168, 1, self.rng.between(1, 4) as u8]),
            2 => IpAddr::from([127, 0, 0, 1]),
            3 => {
                // Three in one network, and one in another.
                let host = self.rng.between(1, 4) as u16;
                IpAddr::from([0xfe80, 0, 0, host / 4, 0, 0, 0, host])
            }
            _ => {
                let own = self.rng.one_in(3);
                return (Origin::Unix { number, own }, self.mood(), self.temper.short);
            }
        };
        (Origin::Ip { ip, port }, self.mood(), self.temper.short)
    }

    fn mood(&mut self) -> Mood {
        match self.rng.below(100) {
            n if n < self.temper.stuck => Mood::Stuck,
            n if n < self.temper.stuck + self.temper.slow => Mood::Slow,
            _ => Mood::Eager,
        }
    }

    /// Lets those in who have come.
    pub(super) fn admit(&mut self) {
        for (origin, mood, short) in std::mem::take(&mut self.coming) {
            let space = match mood {
                Mood::Eager => usize::MAX,
                Mood::Slow => self.rng.between(0, 2_000),
                Mood::Stalled | Mood::Stuck => self.rng.pick(&[0, 10, 100, 3_000]),
            };
            let rng = Rng::new(self.rng.next());
            let who = self.stage.connect(origin, rng, space, short);
            let from = origin.to_string();
            self.note(Happening::Connect { who, from, mood });
            let mut unsent = VecDeque::new();
            if self.rng.one_in(30) {
                unsent.extend(talk::stranger(&mut self.rng));
            }
            if self.config.password.is_some() && !self.rng.one_in(4) {
                unsent.extend(format!("/pass {}\n", talk::PASSWORD).bytes());
            }
            self.peers.push(Peer {
                mood,
                unsent,
                is_closing: false,
                shut_seen: false,
            });
        }
    }

    /// A client writes something; it is under way.
    pub(super) fn send(&mut self, who: Who) {
        let peer = &self.peers[who];
        if peer.is_closing || peer.unsent.len() > WINDOW {
            return;
        }
        let is_flood = self.rng.one_in(self.temper.flood);
        let lines = match is_flood {
            true => self.rng.between(1, self.temper.flood_lines),
            false => self.rng.between(1, 3),
        };
        // A flood is of one kind: many lines of talk, or many questions.
        let kind = is_flood.then(|| talk::kind(&mut self.rng));
        let flood_has_cr = self.rng.one_in(5);
        for _ in 0..lines {
            self.lines += 1;
            let kind = kind.unwrap_or_else(|| talk::kind(&mut self.rng));
            let tag = format!("c{who}.{} ", self.lines);
            let other = self.stage.live[self.rng.below(self.stage.live.len())];
            let name = &self.stage.model.people[other].name;
            let has_cr = match is_flood {
                // Lines that are taken together have none.
                true => flood_has_cr,
                false => self.rng.one_in(5),
            };
            let line = talk::line(&mut self.rng, &self.config, kind, &tag, name, has_cr);
            self.peers[who].unsent.extend(line);
        }
        if self.rng.one_in(20) {
            // It may rest, or go on.
            let line = format!("c{who}.{} rests", self.lines);
            self.peers[who].unsent.extend(line.bytes());
        }
        if self.rng.one_in(2) {
            self.arrive(who);
        }
    }

    /// Some of what is under way arrives.
    pub(super) fn arrive(&mut self, who: Who) {
        let most = self.peers[who].unsent.len();
        if most == 0 || self.stage.pipe(who).unread() > WINDOW {
            return;
        }
        let bytes = match self.rng.weighted(&[2, 2, 2, 8]) {
            0 => 1,
            1 => self.rng.between(1, most.min(20)),
            2 => self.rng.between(1, most),
            _ => most,
        };
        self.deliver(who, bytes);
    }

    pub(super) fn deliver(&mut self, who: Who, bytes: usize) {
        let peer = &mut self.peers[who];
        if self.stage.pipe(who).is_hung_up() {
            peer.unsent.clear();
            return;
        }
        let piece: Vec<u8> = peer.unsent.drain(..bytes).collect();
        self.stage.arrive(who, &piece);
        let bytes = crate::model::show(&piece);
        self.note(Happening::Arrive { who, bytes });
    }

    /// A reader makes room.
    pub(super) fn take(&mut self, who: Who) {
        if self.peers[who].mood == Mood::Slow {
            let bytes = match self.rng.below(4) {
                0 => self.rng.between(1, 10),
                1 => self.rng.between(1, 200),
                2 => self.rng.between(1, 3_000),
                _ => self.rng.between(1, 20_000),
            };
            self.stage.pipe(who).take(bytes);
            self.note(Happening::Take { who, bytes });
        }
    }

    pub(super) fn change_mood(&mut self, who: Who) {
        match self.peers[who].mood {
            Mood::Eager | Mood::Slow if self.temper.slow > 0 => {
                self.peers[who].mood = Mood::Stalled;
                self.stage.pipe(who).space = self.rng.pick(&[0, 0, 7, 500]);
                self.note(Happening::Stall { who });
            }
            Mood::Stalled => self.recover(who),
            _ => {}
        }
    }

    pub(super) fn recover(&mut self, who: Who) {
        self.peers[who].mood = Mood::Eager;
        self.stage.pipe(who).take(usize::MAX);
        self.note(Happening::Recover { who });
    }

    pub(super) fn half_close(&mut self, who: Who) {
        let bytes = self.peers[who].unsent.len();
        if std::mem::replace(&mut self.peers[who].is_closing, true) {
            return;
        }
        if bytes > 0 {
            // Now and then, the end of it never comes.
            let bytes = match self.rng.one_in(4) {
                true => self.rng.between(0, bytes),
                false => bytes,
            };
            self.deliver(who, bytes);
            self.peers[who].unsent.clear();
        }
        if !self.stage.pipe(who).is_hung_up() {
            self.stage.end(who);
            self.note(Happening::HalfClose { who });
        }
    }

    pub(super) fn reset(&mut self, who: Who) {
        let keeps_inbox = self.rng.one_in(2);
        self.peers[who].is_closing = true;
        self.peers[who].unsent.clear();
        self.stage.reset(who, keeps_inbox);
        self.note(Happening::Reset { who });
    }
}
