//! How a crowd comes to be: connecting, entering, and agreeing where everybody's stream begins.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::{Client, Crowd, EVENTS, PATIENCE, READ_BYTES, parse, text};
use crate::peers::{Entering, Peer, Place};

/// Longest time for everybody to enter.
const ENTER_LIMIT: Duration = Duration::from_secs(30);
/// How long a server may take to ask what it asks of every client.
const ASK_LIMIT: Duration = Duration::from_secs(4);
/// A reader that is to stop gets the smallest receive buffer that the kernel gives.
const SMALL_BUFFER: usize = 1;
/// And announces segments as on a network: with those of loopback, 64 KiB each, the sender's kernel
/// would take megabytes for it before a write is refused.
const SMALL_SEGMENT: u32 = 536;
const SYNC: &[u8] = b"sync ";

impl Crowd {
    /// Connects `count` clients in order; the `deaf` one among them has a tiny receive buffer and is
    /// read no more once the crowd is in step.
    pub fn connect(
        server: SocketAddr,
        peer: &dyn Peer,
        count: usize,
        place: impl Fn(usize) -> Place,
        deaf: Option<usize>,
    ) -> Result<Crowd, String> {
        let mut crowd = Crowd {
            poll: Poll::new().map_err(text)?,
            events: Events::with_capacity(EVENTS),
            clients: Vec::with_capacity(count),
            buffer: vec![0; READ_BYTES],
            unheard: 0,
            untag: false,
            greeted_in: None,
        };
        let started = Instant::now();
        let mut last_progress = started;
        let mut entered = 0;
        while entered < count {
            let before = entered;
            let limit = count.min(entered + peer.entering_at_once());
            while crowd.clients.len() < limit && crowd.unheard < peer.unheard_at_once() {
                let index = crowd.clients.len();
                crowd
                    .add(server, place(index), deaf == Some(index))
                    .map_err(|error| format!("connection {} of {count}: {error}", index + 1))?;
                entered += usize::from(crowd.advance(peer, index)?);
            }
            if entered < count {
                entered += crowd.let_in(peer)?;
            }
            if entered > before {
                last_progress = Instant::now();
            }
            if last_progress.elapsed() > PATIENCE || started.elapsed() > ENTER_LIMIT {
                let time = started.elapsed().as_secs_f64();
                return Err(format!(
                    "only {entered} of {count} were let in, in {time:.0} s"
                ));
            }
        }
        crowd.greeted_in = peer.greets().then(|| started.elapsed());
        crowd.answer_asking(peer)?;
        Ok(crowd)
    }

    fn add(&mut self, server: SocketAddr, place: Place, deaf: bool) -> std::io::Result<()> {
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
        self.unheard += 1;
        self.clients.push(Client {
            stream,
            port,
            place,
            heard: false,
            step: Some(0),
            inbox: Vec::new(),
            outbox: Vec::new(),
            in_tag: false,
        });
        Ok(())
    }

    /// Takes a client as far into the room as what it has heard allows, and says whether that was all
    /// the way.
    fn advance(&mut self, peer: &dyn Peer, index: usize) -> Result<bool, String> {
        let mut say = Vec::new();
        let mut is_in = false;
        let client = &mut self.clients[index];
        while let Some(step) = client.step {
            match peer.enter(&client.place, step, &client.inbox, &mut say) {
                Entering::Waits => break,
                Entering::Says => client.step = Some(step + 1),
                Entering::In(heard) => {
                    client.step = None;
                    client.inbox.drain(..heard);
                    is_in = true;
                }
            }
        }
        if is_in && !client.heard {
            client.heard = true;
            self.unheard -= 1;
        }
        self.send(index, &say)?;
        Ok(is_in)
    }

    /// Waits until something has come, and answers how many have got in by that.
    fn let_in(&mut self, peer: &dyn Peer) -> Result<usize, String> {
        let mut heard = Vec::new();
        self.pump(Some(Duration::from_millis(20)), |index, bytes| {
            heard.push((index, bytes.to_vec()));
            Ok(())
        })?;
        let mut entered = 0;
        for (index, bytes) in heard {
            let client = &mut self.clients[index];
            client.inbox.extend_from_slice(&bytes);
            if !client.heard {
                client.heard = true;
                self.unheard -= 1;
            }
            entered += usize::from(self.advance(peer, index)?);
            if self.clients[index].step.is_none() {
                self.judge_inbox(peer, index, &mut |message| {
                    judge_notice(peer, index, message)
                })?;
            }
        }
        Ok(entered)
    }

    /// Waits for what the server asks of every client, and lets them answer. If it does not ask, nothing
    /// is amiss.
    fn answer_asking(&mut self, peer: &dyn Peer) -> Result<(), String> {
        let Some((question, answer)) = peer.asks() else {
            return Ok(());
        };
        let started = Instant::now();
        let mut asked = 0;
        while asked < self.clients.len() && started.elapsed() < ASK_LIMIT {
            let mut who = Vec::new();
            self.messages(peer, Duration::from_millis(20), |index, message| {
                if message == question {
                    who.push(index);
                }
                Ok(())
            })?;
            asked += who.len();
            for index in who {
                self.send(index, answer)?;
            }
        }
        Ok(())
    }

    /// Lets `speakers` each say one line, waits until all others of the room have read it, and answers
    /// what stood before each speaker's text. After this, and nothing said since, every stream is drained:
    /// what a server sends on entering lies before those lines.
    pub fn agree(&mut self, peer: &dyn Peer, speakers: &[usize]) -> Result<Vec<Vec<u8>>, String> {
        let mut names: Vec<Option<Vec<u8>>> = vec![None; speakers.len()];
        let mut missing: usize = speakers
            .iter()
            .map(|&speaker| self.listeners(peer, speaker))
            .sum();
        let mut queue: VecDeque<usize> = (0..speakers.len()).collect();
        let mut last_progress = Instant::now();
        while missing > 0 {
            // A few at a time: no server is to fall behind before anything is measured.
            for speaker in queue.drain(..queue.len().min(8)) {
                let mut line = Vec::new();
                let room = self.clients[speakers[speaker]].room();
                let text = [SYNC, speaker.to_string().as_bytes()].concat();
                peer.encode(room, &text, &mut line);
                self.send(speakers[speaker], &line)?;
            }
            let before = missing;
            self.messages(peer, Duration::from_millis(1), |index, message| {
                let Some(at) = memchr::memmem::find(message, SYNC) else {
                    return judge_notice(peer, index, message);
                };
                let end = message.len() - peer.after_text();
                let (name, number) = (&message[..at], message.get(at + SYNC.len()..end));
                let speaker: usize = number.and_then(parse).ok_or("a garbled first line")?;
                let known = names.get_mut(speaker).ok_or("a first line of nobody")?;
                let known = known.get_or_insert_with(|| name.to_vec());
                if (speakers[speaker] == index && !peer.echoes()) || known != name {
                    return Err(format!(
                        "client {index} read {:?}",
                        String::from_utf8_lossy(message)
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
        let left = |client: &Client| client.listens(peer) && !client.inbox.is_empty();
        if let Some(index) = self.clients.iter().position(left) {
            return Err(format!("client {index} read more than was said"));
        }
        self.untag = peer.tags_pieces();
        Ok(names.into_iter().flatten().collect())
    }

    /// How many read what a client says.
    fn listeners(&self, peer: &dyn Peer, speaker: usize) -> usize {
        let own = self.clients[speaker].listens(peer) && !peer.echoes();
        let room = self.clients[speaker].place.room;
        // Of many rooms all have the same size, and everybody listens.
        let all = match room {
            Some(_) => self
                .clients
                .iter()
                .filter(|client| client.place.room == room)
                .count(),
            None => self
                .clients
                .iter()
                .filter(|client| client.listens(peer))
                .count(),
        };
        all - usize::from(own)
    }

    /// As `pump`, by whole messages, and only those of clients that listen. Slower: for entering and
    /// agreement only.
    fn messages(
        &mut self,
        peer: &dyn Peer,
        timeout: Duration,
        mut judge: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut heard: Vec<(usize, Vec<u8>)> = Vec::new();
        self.pump(Some(timeout), |index, bytes| {
            heard.push((index, bytes.to_vec()));
            Ok(())
        })?;
        for (index, bytes) in heard {
            self.clients[index].inbox.extend_from_slice(&bytes);
            self.judge_inbox(peer, index, &mut |message| judge(index, message))?;
        }
        Ok(())
    }

    fn judge_inbox(
        &mut self,
        peer: &dyn Peer,
        index: usize,
        judge: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut inbox = std::mem::take(&mut self.clients[index].inbox);
        let mut start = 0;
        while let Some(length) = peer.message(&inbox[start..]) {
            judge(&inbox[start..start + length])?;
            start += length;
        }
        inbox.drain(..start);
        if !inbox.is_empty() {
            self.clients[index].inbox = inbox;
        }
        Ok(())
    }
}

/// A notice is no part of what is measured.
fn judge_notice(peer: &dyn Peer, index: usize, message: &[u8]) -> Result<(), String> {
    if peer.is_notice(message) {
        return Ok(());
    }
    let message = String::from_utf8_lossy(message);
    Err(format!("client {index} read {message:?}"))
}
