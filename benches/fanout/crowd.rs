//! Many connections to one server, in one thread: connecting, entering, agreeing where everybody's
//! stream begins, and moving bytes.
//!
//! A `Crowd` owns sockets and knows nothing of what a stream ought to hold once it has begun: whoever
//! measures passes a function that judges what came in. One buffer serves all sockets, so that ten
//! thousand of them are little more than ten thousand descriptors.

#[path = "crowd/enter.rs"]
mod enter;

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Poll};

use crate::peers::{Peer, Place, Role};

/// Longest silence while something is still to come; after that the row is an error.
pub const PATIENCE: Duration = Duration::from_secs(10);
const EVENTS: usize = 1024;
const READ_BYTES: usize = 64 * 1024;

struct Client {
    stream: TcpStream,
    port: u16,
    place: Place,
    /// Whether the server has sent it anything.
    heard: bool,
    /// The next step of entering; `None` once it is in.
    step: Option<usize>,
    /// Bytes not yet judged: part of a line while entering and agreeing, then empty.
    inbox: Vec<u8>,
    /// What the kernel has not yet taken of what this client says.
    outbox: Vec<u8>,
    /// Within the name that a server puts before a piece.
    in_tag: bool,
}

impl Client {
    /// Whether what the server sends it are lines.
    fn listens(&self, peer: &dyn Peer) -> bool {
        !(peer.is_bus() && self.place.role == Role::Publishes)
    }

    fn room(&self) -> usize {
        self.place.room.unwrap_or(0)
    }
}

pub struct Crowd {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// How many have not heard anything, and wait for it.
    unheard: usize,
    /// Names before pieces are taken out of what arrives: from the agreement on.
    untag: bool,
    /// From the first connect until the last is in; `None` for servers that do not greet.
    pub greeted_in: Option<Duration>,
}

impl Crowd {
    /// Stops reading from a client: what comes for it stays in the kernel.
    pub fn deafen(&mut self, index: usize) -> Result<(), String> {
        self.poll
            .registry()
            .deregister(&mut self.clients[index].stream)
            .map_err(text)
    }

    /// How many clients the server has closed. What has come for the others is thrown away.
    pub fn closed(&mut self) -> usize {
        let mut closed = 0;
        for client in &mut self.clients {
            // A server may go on sending: no more than a good part of what a socket holds.
            for _ in 0..64 {
                match client.stream.read(&mut self.buffer) {
                    Ok(read) if read > 0 => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    _ => {
                        closed += 1;
                        break;
                    }
                }
            }
        }
        closed
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
                let kept = if self.untag {
                    take_tags_out(&mut self.buffer[..read], &mut client.in_tag)
                } else {
                    read
                };
                judge(index, &self.buffer[..kept])?;
                // Edge-triggered: what filled less than the buffer has emptied the socket.
                if read < self.buffer.len() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Takes `<name> ` out of `bytes` wherever it stands; texts hold no `<`. Answers how many bytes are left,
/// which lie in front. `inside` says whether the last ones ended within a name.
fn take_tags_out(bytes: &mut [u8], inside: &mut bool) -> usize {
    let (mut from, mut kept) = (0, 0);
    while from < bytes.len() {
        let wanted = if *inside { b' ' } else { b'<' };
        let found = memchr::memchr(wanted, &bytes[from..]).map(|at| from + at);
        let end = found.unwrap_or(bytes.len());
        if !*inside {
            bytes.copy_within(from..end, kept);
            kept += end - from;
        }
        *inside ^= found.is_some();
        from = end + usize::from(found.is_some());
    }
    kept
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
