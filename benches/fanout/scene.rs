//! A server with its clients, ready to be loaded in one of the ways there are.

use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::load::{Latencies, Setup, Slice, Stage, record};
use crate::machine::Cores;
use crate::peers::Peer;
use crate::plan::Kind;
use crate::rooms::Rooms;
use crate::server::Server;
use crate::talk::Talk;
use crate::track::Reached;

pub enum Scene {
    Fan(Stage),
    Talk(Talk),
    Rooms(Rooms),
}

impl Scene {
    /// With `clients` readers, talkers, or people in rooms, as `kind` wants it.
    pub fn build(
        kind: Kind,
        peer: &dyn Peer,
        cores: Cores,
        clients: usize,
        line_bytes: usize,
    ) -> Result<Scene, String> {
        Ok(match kind {
            Kind::Talk(_) => Scene::Talk(Talk::build(peer, cores, clients, line_bytes)?),
            Kind::Rooms(_) => Scene::Rooms(Rooms::build(peer, cores, clients, line_bytes)?),
            _ => Scene::Fan(Stage::build(peer, cores, clients, line_bytes, false)?),
        })
    }

    pub fn server(&mut self) -> &mut Server {
        match self {
            Scene::Fan(stage) => &mut stage.server,
            Scene::Talk(talk) => &mut talk.server,
            Scene::Rooms(rooms) => &mut rooms.server,
        }
    }

    pub fn crowd(&mut self) -> &mut Crowd {
        match self {
            Scene::Fan(stage) => &mut stage.crowd,
            Scene::Talk(talk) => &mut talk.crowd,
            Scene::Rooms(rooms) => &mut rooms.crowd,
        }
    }

    pub fn setup(&self) -> Setup {
        match self {
            Scene::Fan(stage) => stage.setup,
            Scene::Talk(talk) => talk.setup,
            Scene::Rooms(rooms) => rooms.setup,
        }
    }

    /// From here on lines have a text of so many bytes.
    pub fn set_line_bytes(&mut self, line_bytes: usize) {
        if let Scene::Fan(stage) = self {
            stage.line_bytes = line_bytes;
        }
    }

    pub fn closed(&mut self, peer: &dyn Peer, kind: Kind, time: Duration) -> Result<Slice, String> {
        match (self, kind) {
            (Scene::Fan(stage), Kind::Lines(batch)) => stage.closed(peer, batch, time),
            (Scene::Talk(talk), Kind::Talk(under_way)) => talk.closed(peer, under_way, time),
            (Scene::Rooms(rooms), Kind::Rooms(burst)) => rooms.closed(peer, burst, time),
            _ => Err("a scenario without its scene".to_owned()),
        }
    }

    /// Lines by the clock. In rooms nobody speaks by it.
    pub fn open(
        &mut self,
        peer: &dyn Peer,
        kind: Kind,
        rate: f64,
        time: Duration,
        latencies: &mut Latencies,
    ) -> Result<(), String> {
        match (self, kind) {
            (Scene::Fan(stage), Kind::Lines(_) | Kind::Paced) => {
                let batch = kind.burst();
                stage.open(peer, batch, rate, time, |due, reached| {
                    if reached == Reached::All {
                        record(latencies, due, Instant::now());
                    }
                })
            }
            (Scene::Talk(talk), Kind::Talk(_)) => talk.open(peer, rate, time, latencies),
            (Scene::Rooms(_), _) => Ok(()),
            _ => Err("a scenario without its scene".to_owned()),
        }
    }
}
