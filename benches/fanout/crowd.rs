//! Many connections to one server, in one thread: connecting, greeting, agreeing where everybody's
//! stream begins, and moving bytes.
//!
//! A `Crowd` owns sockets and knows nothing of what a stream ought to hold once it has begun: whoever
//! measures passes a function that judges what came in. One buffer serves all sockets, so that ten
//! thousand of them are little more than ten thousand descriptors.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::server::Peer;

/// Longest silence while something is still to come; after that the row is an error.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that may wait for their greeting while the next ones are made: enough that the server
/// never idles, below the accept queue of any of them.
const UNGREETED: usize = 64;
const EVENTS: usize = 1024;
const READ_BYTES: usize = 64 * 1024;
/// A reader that is to stop gets the smallest receive buffer that the kernel gives.
const SMALL_BUFFER: usize = 1;
/// And announces segments as on a network: with those of loopback, 64 KiB each, the sender's kernel
/// would take megabytes for it before a write is refused.
const SMALL_SEGMENT: u32 = 536;
const SYNC: &[u8] = b"sync ";

struct Client {
    stream: TcpStream,
    port: u16,
    /// Bytes not yet judged: part of a line during the greeting and the agreement, then empty.
    inbox: Vec<u8>,
    /// What the kernel has not yet taken of what this client says.
    outbox: Vec<u8>,
}

pub struct Crowd {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// From the first connect until the last greeting; `None` for servers that do not greet.
    pub greeted_in: Option<Duration>,
}

impl Crowd {
    /// Connects `count` clients in order; the `deaf` ones among them have tiny receive buffers and are
    /// read no more once the crowd is in step.
    pub fn connect(
        server: SocketAddr,
        peer: &dyn Peer,
        count: usize,
        deaf: Option<usize>,
    ) -> Result<Crowd, String> {
        let mut crowd = Crowd {
            poll: Poll::new().map_err(text)?,
            events: Events::with_capacity(EVENTS),
            clients: Vec::with_capacity(count),
            buffer: vec![0; READ_BYTES],
            greeted_in: None,
        };
        let started = Instant::now();
        let mut greeted = 0;
        while greeted < count {
            while crowd.clients.len() < count && crowd.clients.len() - greeted < UNGREETED {
                let index = crowd.clients.len();
                crowd
                    .add(server, deaf == Some(index))
                    .map_err(|error| format!("connection {} of {count}: {error}", index + 1))?;
            }
            match peer.greeting() {
                Some(greeting) => greeted += crowd.greetings(greeting)?,
                None => greeted = crowd.clients.len(),
            }
            if started.elapsed() > PATIENCE + Duration::from_micros(500) * count as u32 {
                return Err(format!("only {greeted} of {count} connections greeted"));
            }
        }
        crowd.greeted_in = peer.greeting().map(|_| started.elapsed());
        Ok(crowd)
    }

    fn add(&mut self, server: SocketAddr, deaf: bool) -> std::io::Result<()> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.set_tcp_nodelay(true)?;
        if deaf {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
            socket.set_tcp_mss(SMALL_SEGMENT)?;
        }
        socket.connect(&server.into())?;
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket.into());
        let port = stream.local_addr()?.port();
        let token = Token(self.clients.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, token, interest)?;
        self.clients.push(Client {
            stream,
            port,
            inbox: Vec::new(),
            outbox: Vec::new(),
        });
        Ok(())
    }

    /// Waits until something has come and counts the greetings in it.
    fn greetings(&mut self, greeting: &str) -> Result<usize, String> {
        let mut lines = Vec::new();
        self.lines(Duration::from_millis(20), |index, line| {
            lines.push((index, line == greeting.as_bytes(), line.starts_with(b"***")));
            Ok(())
        })?;
        let stray = lines.iter().find(|(_, greets, notice)| !greets && !notice);
        match stray {
            Some((index, ..)) => Err(format!("client {index} read a line before anybody spoke")),
            None => Ok(lines.iter().filter(|(_, greets, _)| *greets).count()),
        }
    }

    /// Lets `speakers` each say one line, waits until all others have read it, and answers what stood
    /// before each speaker's text. After this, and nothing said since, every stream is drained: what
    /// a server sends on entering lies before those lines.
    pub fn agree(&mut self, peer: &dyn Peer, speakers: &[usize]) -> Result<Vec<Vec<u8>>, String> {
        let mut names: Vec<Option<Vec<u8>>> = vec![None; speakers.len()];
        let mut missing = speakers.len() * (self.clients.len() - 1);
        let mut queue: VecDeque<usize> = (0..speakers.len()).collect();
        let mut last_progress = Instant::now();
        while missing > 0 {
            // A few at a time: no server is to fall behind before anything is measured.
            for speaker in queue.drain(..queue.len().min(8)) {
                let mut line = Vec::new();
                peer.encode(&[SYNC, speaker.to_string().as_bytes()].concat(), &mut line);
                self.send(speakers[speaker], &line)?;
            }
            let before = missing;
            self.lines(Duration::from_millis(1), |index, line| {
                let Some(at) = memchr::memmem::find(line, SYNC) else {
                    return judge_notice(index, line);
                };
                let (name, number) = (&line[..at], &line[at + SYNC.len()..]);
                let speaker: usize = parse(number).ok_or("a garbled first line")?;
                let known = names.get_mut(speaker).ok_or("a first line of nobody")?;
                let known = known.get_or_insert_with(|| name.to_vec());
                if speakers[speaker] == index || known != name {
                    return Err(format!(
                        "client {index} read {:?}",
                        String::from_utf8_lossy(line)
                    ));
                }
                missing -= 1;
                Ok(())
            })?;
            if missing < before {
                last_progress = Instant::now();
            } else if last_progress.elapsed() > PATIENCE {
                return Err(format!("{missing} first lines did not arrive"));
            }
        }
        match self
            .clients
            .iter()
            .position(|client| !client.inbox.is_empty())
        {
            Some(index) => Err(format!("client {index} read more than was said")),
            None => Ok(names.into_iter().flatten().collect()),
        }
    }

    /// Stops reading from a client: what comes for it stays in the kernel.
    pub fn deafen(&mut self, index: usize) -> Result<(), String> {
        self.poll
            .registry()
            .deregister(&mut self.clients[index].stream)
            .map_err(text)
    }

    pub fn port(&self, index: usize) -> u16 {
        self.clients[index].port
    }

    /// Lets a client say `bytes`; what the kernel does not take at once goes when it can.
    pub fn send(&mut self, index: usize, bytes: &[u8]) -> Result<(), String> {
        let client = &mut self.clients[index];
        if client.outbox.is_empty() {
            let written = write_some(&mut client.stream, bytes)?;
            client.outbox.extend_from_slice(&bytes[written..]);
        } else {
            client.outbox.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Waits until something arrives, and hands all of it to `judge` as (client, bytes).
    pub fn pump(
        &mut self,
        timeout: Option<Duration>,
        mut judge: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(text(error)),
            _ => {}
        }
        for event in &self.events {
            let index = event.token().0;
            let client = &mut self.clients[index];
            if event.is_writable() && !client.outbox.is_empty() {
                let written = write_some(&mut client.stream, &client.outbox)?;
                client.outbox.drain(..written);
            }
            while event.is_readable() {
                let read = match client.stream.read(&mut self.buffer) {
                    Ok(0) => return Err(format!("the server closed client {index}")),
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(format!("client {index}: {error}")),
                };
                judge(index, &self.buffer[..read])?;
                // Edge-triggered: what filled less than the buffer has emptied the socket.
                if read < self.buffer.len() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// As `pump`, by whole lines. Slower: for greeting and agreement only.
    fn lines(
        &mut self,
        timeout: Duration,
        mut judge: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut inboxes: Vec<(usize, Vec<u8>)> = Vec::new();
        self.pump(Some(timeout), |index, bytes| {
            inboxes.push((index, bytes.to_vec()));
            Ok(())
        })?;
        for (index, bytes) in inboxes {
            let mut inbox = std::mem::take(&mut self.clients[index].inbox);
            inbox.extend_from_slice(&bytes);
            let mut start = 0;
            while let Some(length) = memchr::memchr(b'\n', &inbox[start..]) {
                judge(index, &inbox[start..start + length])?;
                start += length + 1;
            }
            inbox.drain(..start);
            if !inbox.is_empty() {
                self.clients[index].inbox = inbox;
            }
        }
        Ok(())
    }
}

/// A notice is no part of what is measured, unless it says that something was left out.
fn judge_notice(index: usize, line: &[u8]) -> Result<(), String> {
    let line = String::from_utf8_lossy(line);
    if line.starts_with("*** ") && !line.contains("skipped") {
        return Ok(());
    }
    Err(format!("client {index} read {line:?}"))
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize, String> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(format!("writing: {error}")),
        }
    }
    Ok(written)
}

pub fn parse(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}
