//! The floor: the least a server can do and still be one. It sends what it reads to every other
//! socket, and does nothing else: no lines, no names, no queues.
//!
//! It is meant to be hard to beat: edge-triggered, one read, then one send to each of the others, and
//! no second read where the first left the buffer unfilled. What it cannot do it does not pretend to:
//! at the first short write it ends, and its row of the table becomes an error.
//!
//! The greeting is written once on accepting, so that its rate of connections means the same as that
//! of a server that greets. It lies outside every other measurement.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use socket2::{Domain, Socket, Type};

pub const GREETING: &str = "floor";

const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 64 * 1024;
const EVENTS: usize = 1024;
const ACCEPT_QUEUE: i32 = 4096;

pub fn serve() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS);
    let mut listener = listen()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("listening on {}", listener.local_addr()?);

    let mut sockets = Slab::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&listener, &poll, &mut sockets)?,
                Token(from) => relay(from, &mut sockets, &mut buffer)?,
            }
        }
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Accepted sockets inherit it: no system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(ACCEPT_QUEUE)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn accept(listener: &TcpListener, poll: &Poll, sockets: &mut Slab<TcpStream>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                socket.write_all(format!("{GREETING}\n").as_bytes())?;
                let place = sockets.vacant_entry();
                poll.registry()
                    .register(&mut socket, Token(place.key()), Interest::READABLE)?;
                place.insert(socket);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Reads once and sends that to all the others; again only if the buffer came back full, since an
/// edge-triggered socket that gave less has given all.
fn relay(from: usize, sockets: &mut Slab<TcpStream>, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let read = match sockets.get_mut(from).map(|socket| socket.read(buffer)) {
            Some(Ok(read)) if read > 0 => read,
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The end of the stream, a reset, or an event of one that has just gone.
            _ => {
                sockets.try_remove(from);
                return Ok(());
            }
        };
        for (to, mut socket) in sockets.iter() {
            if to != from && socket.write(&buffer[..read])? < read {
                return Err(io::Error::other("the floor does not queue: a short write"));
            }
        }
        if read < buffer.len() {
            return Ok(());
        }
    }
}
