//! Many rooms, each with a few people, and in each somebody talks.
//!
//! In a round one person in every room says a burst; the next round begins when everybody else of every
//! room has it, and then the next person speaks. What a room hears is known as soon as it is said,
//! so a reader's stream is checked by comparing memory.

use std::time::{Duration, Instant};

use crate::crowd::{Crowd, PATIENCE};
use crate::load::{Setup, Slice, connect, line_text};
use crate::machine::Cores;
use crate::peers::{Peer, Place, Role};
use crate::server::Server;

/// People in a room.
pub const MEMBERS: usize = 10;

pub struct Rooms {
    pub server: Server,
    pub setup: Setup,
    pub crowd: Crowd,
    rooms: usize,
    /// What stands before the text of each client. Client `n` is in room `n % rooms`.
    names: Vec<Vec<u8>>,
    /// What each room's readers get in this round.
    expected: Vec<Vec<u8>>,
    /// How much of that each client has.
    at: Vec<usize>,
    line_bytes: usize,
    rounds: usize,
    said_lines: u64,
}

impl Rooms {
    /// `clients` people in rooms of ten.
    pub fn build(
        peer: &dyn Peer,
        cores: Cores,
        clients: usize,
        line_bytes: usize,
    ) -> Result<Rooms, String> {
        let rooms = (clients / MEMBERS).max(1);
        let clients = rooms * MEMBERS;
        let place = |client| Place {
            client,
            room: Some(client % rooms),
            role: Role::Talks,
        };
        let (server, mut crowd, setup) = connect(peer, cores, clients, place, None)?;
        let everybody: Vec<usize> = (0..clients).collect();
        let names = crowd.agree(peer, &everybody)?;
        Ok(Rooms {
            server,
            setup,
            crowd,
            rooms,
            names,
            expected: vec![Vec::new(); rooms],
            at: vec![0; clients],
            line_bytes,
            rounds: 0,
            said_lines: 0,
        })
    }

    /// As long as `time`, a round of bursts of `burst` lines when all have the last one.
    pub fn closed(
        &mut self,
        peer: &dyn Peer,
        burst: usize,
        time: Duration,
    ) -> Result<Slice, String> {
        let (mut cpu, mut started) = (self.server.cpu()?, Instant::now());
        self.round(peer, burst)?;
        let mut rounds = 1;
        // A round to warm up that takes as long as the slice is the slice.
        if started.elapsed() < time {
            (cpu, started) = (self.server.cpu()?, Instant::now());
            rounds = 0;
            while rounds == 0 || started.elapsed() < time {
                self.round(peer, burst)?;
                rounds += 1;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let cpu_ns = self.server.cpu()? - cpu;
        Ok(Slice {
            delivered: (rounds * burst * self.readers(peer)) as u64,
            seconds,
            cpu_ns,
        })
    }

    /// Of a round, in all rooms together.
    fn readers(&self, peer: &dyn Peer) -> usize {
        self.rooms * (MEMBERS - usize::from(!peer.echoes()))
    }

    fn round(&mut self, peer: &dyn Peer, burst: usize) -> Result<(), String> {
        let turn = self.rounds % MEMBERS;
        self.rounds += 1;
        self.at.fill(0);
        let (mut said, mut text) = (Vec::new(), Vec::new());
        for room in 0..self.rooms {
            let speaker = turn * self.rooms + room;
            said.clear();
            self.expected[room].clear();
            for _ in 0..burst {
                line_text(self.said_lines, self.line_bytes, &mut text);
                peer.encode(room, &text, &mut said);
                let expected = &mut self.expected[room];
                peer.deliver(room, &self.names[speaker], &text, expected);
                self.said_lines += 1;
            }
            self.crowd.send(speaker, &said)?;
        }
        self.listen(turn, self.readers(peer), peer.echoes())
    }

    /// Until `missing` readers have all that was said in their rooms.
    fn listen(&mut self, turn: usize, mut missing: usize, echoes: bool) -> Result<(), String> {
        let (rooms, expected, at) = (self.rooms, &self.expected, &mut self.at);
        let mut last_progress = Instant::now();
        while missing > 0 {
            let mut progress = false;
            self.crowd
                .pump(Some(Duration::from_millis(100)), |client, bytes| {
                    if client / rooms == turn && !echoes {
                        return Err("a speaker got a line of its own back".to_owned());
                    }
                    let expected = &expected[client % rooms];
                    let start = at[client];
                    if expected.get(start..start + bytes.len()) != Some(bytes) {
                        return Err(format!(
                            "client {client} read what its room did not say next"
                        ));
                    }
                    at[client] += bytes.len();
                    missing -= usize::from(at[client] == expected.len());
                    progress = true;
                    Ok(())
                })?;
            if progress {
                last_progress = Instant::now();
            } else if last_progress.elapsed() > PATIENCE {
                return Err(format!("stalled: {missing} readers lack a line"));
            }
        }
        Ok(())
    }
}
