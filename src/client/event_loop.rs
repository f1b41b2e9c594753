//! The client's event loop: the only place of the client that knows mio.
//!
//! Owns the poll, the signals and what is watched. It tells the [`Session`] what became ready and asks
//! it for a turn; it never touches a byte itself.

use super::session::{Next, Session};
use super::{Config, words};
use crate::system;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook_mio::v1_0::Signals;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

const SIGNALS: Token = Token(0);
const STDIN: Token = Token(1);
const STDOUT: Token = Token(2);
const SOCKET: Token = Token(3);
/// Each of the four sources has one event at most.
const EVENTS: usize = 4;

/// Runs a session to its end and gives its exit code.
pub fn run(config: &Config) -> u8 {
    turn_by_turn(config).unwrap_or_else(|error| {
        words::say(&format!("cannot wait for events: {}", words::cause(&error)));
        1
    })
}

fn turn_by_turn(config: &Config) -> io::Result<u8> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS);
    let mut session = Session::new(config, Instant::now());
    let mut signals = watch_signals(poll.registry(), &session)?;
    watch_standard_streams(poll.registry(), &mut session);
    loop {
        let next = session.turn(Instant::now());
        if let Some(socket) = session.new_socket() {
            let both = Interest::READABLE | Interest::WRITABLE;
            watch(poll.registry(), socket, SOCKET, both)?;
        }
        let timeout = match next {
            Next::Exit(code) => return Ok(code),
            Next::Again => Some(Duration::ZERO),
            Next::Wait(until) => until.map(|at| at.saturating_duration_since(Instant::now())),
        };
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            tell(&mut session, event, &mut signals);
        }
    }
}

/// Tells the session what an event is about.
fn tell(session: &mut Session, event: &Event, signals: &mut Signals) {
    match event.token() {
        SIGNALS => {
            // Not one by one: of those that come while it is stopped, the one that ends it has its turn before the one
            // that lets it go on.
            let came: Vec<_> = signals.pending().collect();
            for signal in came {
                match signal {
                    SIGWINCH => session.resized(Instant::now()),
                    SIGTSTP => session.suspend(),
                    SIGCONT => session.resume(),
                    _ => session.stop(),
                }
            }
        }
        STDIN => {
            if let Some(input) = session.input() {
                input.something_came();
            }
        }
        STDOUT if event.is_error() || event.is_write_closed() => session.output_closed(),
        STDOUT => {
            if let Some(output) = session.output() {
                output.room_came();
            }
        }
        SOCKET => {
            let failed = event.is_error();
            session.socket_ready(
                event.is_readable() || event.is_read_closed() || failed,
                event.is_writable() || event.is_write_closed() || failed,
            );
        }
        _ => {}
    }
}

/// Has signals told to the loop, which is all that they then do.
fn watch_signals(registry: &Registry, session: &Session<'_>) -> io::Result<Signals> {
    let ends: &[i32] = match session.has_person() {
        // Those that would end the process with the terminal as it is.
        true => &[SIGINT, SIGTERM, SIGHUP, SIGQUIT],
        false => &[SIGINT, SIGTERM],
    };
    // What was not to be heard of stays so.
    let heeded = |signal: &&i32| !system::is_ignored(**signal);
    let mut signals = Signals::new(ends.iter().filter(heeded))?;
    if session.has_person() {
        for signal in [SIGTSTP, SIGCONT, SIGWINCH] {
            signals.add_signal(signal)?;
        }
    }
    registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
    Ok(signals)
}

/// Watches standard input and output where they can be watched. epoll refuses what is always ready
/// (files, `/dev/null`), and that is then treated so.
fn watch_standard_streams(registry: &Registry, session: &mut Session) {
    if let Some(input) = session.input() {
        let refused = |fd| watch(registry, fd, STDIN, Interest::READABLE).is_err();
        if input.to_watch().is_some_and(refused) {
            input.not_watchable();
        }
    }
    if let Some(output) = session.output() {
        let refused = |fd| watch(registry, fd, STDOUT, Interest::WRITABLE).is_err();
        if output.to_watch().is_some_and(refused) {
            output.not_watchable();
        }
    }
}

fn watch(
    registry: &Registry,
    fd: BorrowedFd<'_>,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    registry.register(&mut SourceFd(&fd.as_raw_fd()), token, interest)
}
