//! One publisher and any number of readers: says lines, follows each reader through what it ought to
//! read, and measures.
//!
//! All readers ought to read the same bytes, and these are known as soon as they are said. So there is
//! one expected stream and a position in it for every reader; checking what arrives is one comparison
//! of memory. What differs in a single byte, comes twice, or comes before it was said, is an error.
//!
//! Two ways of saying, for two questions. *Closed*: the next batch goes when every reader has the one
//! before; this gives the throughput and, from the kernel, the cost. *Open*: batches go by the clock,
//! whatever has become of those before, and latency counts from when a batch was due, not from when
//! it could be said; else the waits that a slow server causes would hide in lines never sent.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::crowd::{Crowd, PATIENCE};
use crate::machine::{self, Cores, ServerEnd};
use crate::peers::{Peer, Place, Role};
use crate::server::Server;
use crate::track::{Reached, Track};

/// Batches that are said before the clock starts, so that no slice pays for growing buffers.
const WARM_BATCHES: usize = 3;
const WARM_TIME: Duration = Duration::from_millis(40);
/// However short the time, a slice has so many batches.
const LEAST_BATCHES: usize = 3;
/// A batch of so many deliveries is long enough to be warm after one, and to be measured alone.
const LARGE_BATCH: usize = 50_000;
/// Closer than this to the next batch the loop spins: the poll's clock has ticks of a millisecond.
const SPIN: Duration = Duration::from_millis(2);

/// What a slice of closed load came to.
#[derive(Clone, Copy)]
pub struct Slice {
    /// Lines times readers.
    pub delivered: u64,
    pub seconds: f64,
    pub cpu_ns: u64,
}

impl Slice {
    pub fn cpu_per_line(&self) -> f64 {
        self.cpu_ns as f64 / self.delivered as f64
    }

    pub fn lines_per_second(&self) -> f64 {
        self.delivered as f64 / self.seconds
    }
}

/// What connecting came to. Of a server that does not greet nobody can tell when it has accepted:
/// for that there is no time and no cost.
#[derive(Clone, Copy)]
pub struct Setup {
    pub connections: usize,
    pub resident_at_start: Option<u64>,
    pub resident_connected: Option<u64>,
    pub cpu_ns: Option<u64>,
    pub greeted_in: Option<Duration>,
}

/// Nanoseconds from when a batch was due.
pub type Latencies = Histogram<u64>;

pub fn latencies() -> Latencies {
    // The bounds are valid constants: from a microsecond to a minute, three digits.
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("valid bounds")
}

pub fn record(latencies: &mut Latencies, due: Instant, now: Instant) {
    latencies.saturating_record(now.saturating_duration_since(due).as_nanos() as u64);
}

/// Starts a server and connects `count` clients to it, with what that cost.
pub fn connect(
    peer: &dyn Peer,
    cores: Cores,
    count: usize,
    place: impl Fn(usize) -> Place,
    deaf: Option<usize>,
) -> Result<(Server, Crowd, Setup), String> {
    let server = Server::start(peer, cores)?;
    let cpu_before = server.cpu()?;
    let crowd = Crowd::connect(server.address, peer, count, place, deaf)?;
    let greeted = crowd.greeted_in.is_some();
    let setup = Setup {
        connections: count,
        resident_at_start: server.resident_at_start,
        cpu_ns: greeted.then_some(server.cpu()? - cpu_before),
        resident_connected: server.resident().filter(|_| greeted),
        greeted_in: crowd.greeted_in,
    };
    Ok((server, crowd, setup))
}

/// A server with its readers and one publisher, in step and ready to be loaded.
pub struct Stage {
    pub server: Server,
    pub setup: Setup,
    pub crowd: Crowd,
    track: Track,
    name: Vec<u8>,
    publisher: usize,
    pub line_bytes: usize,
    said: Vec<u8>,
    said_lines: u64,
}

impl Stage {
    /// The publisher joins last, so that whatever it says, every reader is there. With `deaf` the last
    /// reader can be made to stop.
    pub fn build(
        peer: &dyn Peer,
        cores: Cores,
        readers: usize,
        line_bytes: usize,
        deaf: bool,
    ) -> Result<Stage, String> {
        let deaf = deaf.then(|| readers - 1);
        let publisher = readers;
        let place = |client| Place {
            client,
            room: None,
            role: if client == publisher {
                Role::Publishes
            } else {
                Role::Reads
            },
        };
        let (server, mut crowd, mut setup) = connect(peer, cores, readers + 1, place, deaf)?;
        let mut names = crowd.agree(peer, &[publisher])?;
        // A publisher that is in the room has heard of those that came: its stream is drained too.
        if !peer.is_bus() {
            crowd.agree(peer, &[0])?;
        }
        setup.resident_connected = setup.resident_connected.or_else(|| server.resident());
        Ok(Stage {
            server,
            setup,
            crowd,
            track: Track::new(readers),
            name: names.remove(0),
            publisher,
            line_bytes,
            said: Vec::new(),
            said_lines: 0,
        })
    }

    pub fn readers(&self) -> usize {
        self.track.readers.len()
    }

    /// As long as `time`, the next batch when all have the last one.
    pub fn closed(
        &mut self,
        peer: &dyn Peer,
        batch: usize,
        time: Duration,
    ) -> Result<Slice, String> {
        let large = batch * self.readers() >= LARGE_BATCH;
        let (warm, least) = if large {
            (1, 1)
        } else {
            (WARM_BATCHES, LEAST_BATCHES)
        };
        let (mut cpu, mut started) = (self.server.cpu()?, Instant::now());
        let mut batches = self.rounds(peer, batch, WARM_TIME, warm)?;
        // Warming up that takes as long as the slice is the slice.
        if started.elapsed() < time || !large {
            (cpu, started) = (self.server.cpu()?, Instant::now());
            batches = self.rounds(peer, batch, time, least)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let cpu_ns = self.server.cpu()? - cpu;
        let delivered = (batches * batch * self.track.counted()) as u64;
        Ok(Slice {
            delivered,
            seconds,
            cpu_ns,
        })
    }

    fn rounds(
        &mut self,
        peer: &dyn Peer,
        batch: usize,
        time: Duration,
        least: usize,
    ) -> Result<usize, String> {
        let started = Instant::now();
        let mut rounds = 0;
        while rounds < least || started.elapsed() < time {
            self.say(peer, batch, Instant::now())?;
            self.finish(peer, |_, _| {})?;
            rounds += 1;
        }
        Ok(rounds)
    }

    /// `rate` batches a second for as long as `time`, come what may. `seen` is called with the time at
    /// which a batch was due and whom it reached.
    pub fn open(
        &mut self,
        peer: &dyn Peer,
        batch: usize,
        rate: f64,
        time: Duration,
        mut seen: impl FnMut(Instant, Reached),
    ) -> Result<(), String> {
        let started = Instant::now();
        let batches = (rate * time.as_secs_f64()).ceil().max(1.0) as u32;
        for number in 0..batches {
            let due = started + Duration::from_secs_f64(f64::from(number) / rate);
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                self.pump(peer, left.saturating_sub(SPIN), &mut seen)?;
            }
            self.say(peer, batch, due)?;
        }
        self.finish(peer, seen)
    }

    /// Says `batch` lines at once.
    fn say(&mut self, peer: &dyn Peer, batch: usize, due: Instant) -> Result<(), String> {
        self.said.clear();
        let mut text = Vec::with_capacity(self.line_bytes);
        for _ in 0..batch {
            line_text(self.said_lines, self.line_bytes, &mut text);
            peer.encode(0, &text, &mut self.said);
            peer.deliver(0, &self.name, &text, &mut self.track.expected);
            self.said_lines += 1;
        }
        self.track.close_batch(batch, due);
        self.crowd.send(self.publisher, &self.said)
    }

    /// Until everybody has everything.
    fn finish(
        &mut self,
        peer: &dyn Peer,
        mut seen: impl FnMut(Instant, Reached),
    ) -> Result<(), String> {
        let (mut before, mut last_progress) = (self.track.progress, Instant::now());
        while !self.track.batches.is_empty() {
            self.pump(peer, Duration::from_millis(100), &mut seen)?;
            if self.track.progress != before {
                (before, last_progress) = (self.track.progress, Instant::now());
            } else if last_progress.elapsed() > PATIENCE {
                return Err(self.track.describe_stall());
            }
        }
        Ok(())
    }

    fn pump(
        &mut self,
        peer: &dyn Peer,
        wait: Duration,
        mut seen: impl FnMut(Instant, Reached),
    ) -> Result<(), String> {
        let (track, publisher) = (&mut self.track, self.publisher);
        self.crowd.pump(Some(wait), |client, bytes| {
            match client == publisher {
                true if peer.is_bus() => return Ok(()),
                true => return Err("the publisher got a line of its own back".to_owned()),
                false => {}
            }
            track.received(client, bytes, &mut seen)
        })
    }

    /// Says `bytes` in all, in lines of `line_bytes`, each batch when all that count have the last one.
    pub fn flood(
        &mut self,
        peer: &dyn Peer,
        bytes: usize,
        line_bytes: usize,
        batch: usize,
    ) -> Result<(), String> {
        let usual = std::mem::replace(&mut self.line_bytes, line_bytes);
        let batches = bytes.div_ceil(line_bytes * batch);
        self.rounds(peer, batch, Duration::ZERO, batches)?;
        self.line_bytes = usual;
        Ok(())
    }

    /// From here on the last reader reads nothing, and nobody waits for it.
    pub fn stop_last(&mut self) -> Result<(), String> {
        let last = self.readers() - 1;
        self.track.stopped = true;
        self.crowd.deafen(last)
    }

    /// The server's end of the connection to the last reader.
    pub fn last_end(&self) -> Option<ServerEnd> {
        let last = self.readers() - 1;
        machine::server_end(self.server.address.port(), self.crowd.port(last))
    }
}

/// The text of line `number`: eight digits and filler up to `length`.
pub fn line_text(number: u64, length: usize, text: &mut Vec<u8>) {
    use std::io::Write;
    text.clear();
    // Writing to a vector cannot fail.
    let _ = write!(text, "{number:08}");
    text.extend((text.len()..length).map(|at| b'a' + (at % 26) as u8));
}
