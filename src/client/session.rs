//! The client without its event loop: what happens in a turn, and in which order.
//!
//! Owns the parts and moves bytes between them: standard input to [`Outbox`] to the socket, the
//! socket through [`Printer`] to [`Output`]. Decides what follows from an end: a new try, or an exit
//! code. Never waits: who drives it says what became ready and calls [`Session::turn`], which says
//! when it wants the next one.

use super::Config;
use super::backoff::Backoff;
use super::clock::Clock;
use super::console::{Console, above};
use super::dial::{self, DialError, LookUp, Progress, Stream};
use super::input::{Input, Read};
use super::introduce::Introduction;
use super::link::{Connection, Link, Received};
use super::outbox::Outbox;
use super::outgoing::{Framing, leaves};
use super::output::Output;
use super::printer::{Look, Printer};
use super::terminal;
use super::words::{self, say};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, IsTerminal};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Bytes of one read, from standard input and from the socket.
const CHUNK: usize = 64 << 10;
/// Reads of one source in a turn; then the others have theirs.
const READS_PER_TURN: usize = 4;
/// The part of a line whose end does not come is printed after so long: it may be a prompt.
const REST: Duration = Duration::from_millis(50);
/// The same where a row is edited below. The part then ends its row, so it should be no slow line.
const REST_ABOVE: Duration = Duration::from_secs(1);
/// What is printed last, on a terminal, is waited for so long at most.
const LAST: Duration = Duration::from_millis(200);
/// A connection that stood so long was stable: the pauses after it begin anew.
const STABLE: Duration = Duration::from_secs(10);

/// What [`Session::turn`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do that is ready already.
    Again,
    /// Another turn when something happens, or at this time.
    Wait(Option<Instant>),
    /// The end, with this exit code.
    Exit(u8),
}

/// One run of `snug connect`.
pub struct Session<'a> {
    pub(super) config: &'a Config,
    /// Whether somebody sits at a terminal: lines are edited as soon as there is a connection …
    pub(super) has_person: bool,
    /// … and as long as both it and the input last.
    pub(super) console: Option<Console>,
    pub(super) link: Link,
    /// None with `--bare`: a bus knows nobody.
    pub(super) introduction: Option<Introduction>,
    /// Whether there ever was a connection. Before, a failure is final, and standard input is left
    /// alone: another program may have use for it.
    met: bool,
    /// None with `--receive-only`, and when it has ended.
    input: Option<Input>,
    pub(super) outgoing: Outbox,
    pub(super) printer: Printer,
    pub(super) color: bool,
    /// When the part of a line that `printer` holds is printed; set whenever it holds any.
    rest_at: Option<Instant>,
    /// None with `--send-only`.
    pub(super) output: Option<Output>,
    /// None without `--timestamps`.
    pub(super) clock: Option<Clock>,
    backoff: Backoff,
    /// Something failed that does not end the session but decides its exit code.
    failed: bool,
    /// Set when the session ends at once.
    exit: Option<u8>,
    /// Where reads go first.
    pub(super) chunk: Box<[u8]>,
}

impl<'a> Session<'a> {
    pub fn new(config: &'a Config, now: Instant) -> Self {
        let terminal = io::stdout().is_terminal();
        let color = config.color.is_wanted(terminal) && !config.bare;
        let framing = match config.no_newline {
            true => Framing::LineByLine,
            false => Framing::Stream,
        };
        Self {
            config,
            has_person: !config.receive_only && !config.send_only && terminal::is_there(),
            console: None,
            link: Link::Down {
                until: now,
                in_order: false,
            },
            introduction: (!config.bare).then(|| Introduction::new(config)),
            met: false,
            input: (!config.receive_only).then(Input::new),
            outgoing: Outbox::new(framing, !config.bare),
            printer: Printer::new(Look {
                clean: terminal || color,
                color,
                stamps: config.timestamps,
                people: (terminal || color) && !config.bare,
                bell: config.bell && terminal && !config.bare,
            }),
            color,
            rest_at: None,
            output: (!config.send_only).then(Output::new),
            clock: config.timestamps.then(Clock::default),
            backoff: Backoff::default(),
            failed: false,
            exit: None,
            chunk: vec![0; CHUNK].into(),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }

    /// Whether somebody sits at a terminal.
    pub fn has_person(&self) -> bool {
        self.has_person
    }

    /// Standard input, unless it is not read.
    pub fn input(&mut self) -> Option<&mut Input> {
        self.input.as_mut()
    }

    /// Standard output, unless nothing is printed.
    pub fn output(&mut self) -> Option<&mut Output> {
        self.output.as_mut()
    }

    /// The socket, or what stands for it, once for each new one: it is to be watched from now on.
    pub fn new_socket(&mut self) -> Option<BorrowedFd<'_>> {
        self.link.stream().and_then(Stream::watch_once)
    }

    /// The loop saw something happen to the socket.
    pub fn socket_ready(&mut self, readable: bool, writable: bool) {
        self.link.ready(readable, writable);
    }

    /// Whoever read standard output has gone; it had enough, as `head` has.
    pub fn output_closed(&mut self) {
        self.exit = Some(0);
    }

    /// The user wants to stop: prints what is there as far as that needs no waiting.
    pub fn stop(&mut self) {
        let unsent = words::unsent(self.outgoing.give_up());
        let is_incomplete = unsent.is_some() && !self.has_person;
        if self.has_person && terminal::is_anothers() {
            // A word more on it would come in between what the user does there.
            (self.console, self.output) = (None, None);
        } else if let Some(unsent) = unsent {
            self.say(&unsent);
        }
        self.print_rest();
        let has_console = self.console.is_some();
        self.close_console();
        self.print();
        if has_console {
            self.print_last();
        }
        self.exit = Some(u8::from(is_incomplete));
    }

    /// Does what can be done now. Top to bottom, one turn.
    pub fn turn(&mut self, now: Instant) -> Next {
        let now = self.connect(now);
        self.tick(now);
        self.read_input(now);
        self.remind(now);
        self.send(now);
        self.receive(now);
        if self.rests_until().is_some_and(|at| now >= at) {
            self.print_rest();
        }
        self.print();
        self.next()
    }

    /// Ends pauses that are over, and looks how a connection in the making comes along. Gives the time after it: a stop in
    /// the background takes some.
    fn connect(&mut self, now: Instant) -> Instant {
        let progress = match std::mem::replace(&mut self.link, Link::Over(1)) {
            // Nobody is there to talk to and nothing is left to say. It does not matter which ended
            // first, the input or the connection.
            Link::Down { in_order, .. } if self.outgoing.is_done() => {
                if !in_order {
                    say("the input has ended, and there is no connection to hear the rest from");
                }
                self.finish(if in_order { 0 } else { 1 });
                return now;
            }
            Link::Down { until, .. } if now >= until => {
                let address = &self.config.address;
                match dial::may_wait(address).then(|| LookUp::begin(address)) {
                    None => dial::dial(dial::look_up(address), now),
                    Some(Ok(look_up)) => {
                        self.link = Link::LookingUp(look_up);
                        return now;
                    }
                    Some(Err(error)) => Progress::Failed(DialError::Failed(error)),
                }
            }
            Link::LookingUp(look_up) => match look_up.check() {
                Ok(found) => dial::dial(found, now),
                Err(look_up) => {
                    self.link = Link::LookingUp(look_up);
                    return now;
                }
            },
            Link::Dialing { dial, look } if look || now >= dial.until() => dial.check(now),
            other => {
                self.link = other;
                return now;
            }
        };
        match progress {
            Progress::Pending(dial) => self.link = Link::Dialing { dial, look: false },
            Progress::Connected(stream) => return self.connected(stream, now),
            Progress::Failed(error) => self.not_connected(&error, now),
        }
        now
    }

    /// There is a connection. Gives the time: where the console opens in the background, that takes until `fg`.
    fn connected(&mut self, stream: Stream, mut now: Instant) -> Instant {
        let address = &self.config.address;
        if self.met {
            self.say(&format!("connected to {address} again"));
        } else if io::stdin().is_terminal() {
            say(&format!("connected to {address}"));
        }
        if !std::mem::replace(&mut self.met, true) {
            self.open_console(now);
            now = Instant::now();
        }
        self.link = Link::Up(Connection::new(stream, now));
        self.introduce(now);
        now
    }

    fn not_connected(&mut self, error: &DialError, now: Instant) {
        let address = &self.config.address;
        let failure = format!("cannot connect to {address}: {}", words::why_not(error));
        if self.met {
            self.try_again(&failure, false, now);
        } else {
            say(&format!(
                "{failure}; {}",
                words::advice(address, self.config.bare, error)
            ));
            self.finish(1);
        }
    }

    /// The connection has ended, by an error or in order.
    fn lost(&mut self, error: Option<&io::Error>, now: Instant) {
        let Link::Up(up) = &self.link else { return };
        let (half_closed, stable) = (up.is_half_closed(), up.age(now) >= STABLE);
        let unheard = words::perhaps_unheard(self.outgoing.lines_in_last(up.unconfirmed()));
        if let Some(output) = &mut self.output {
            let out = above(&mut self.console, output);
            self.printer.end(time(&mut self.clock), out);
        }
        let is_over = self.outgoing.said_quit() || self.is_turned_away();
        if is_over || (half_closed && error.is_none()) {
            // To a script that has a meaning; a person has seen it.
            let why = self.why_unheard().map(str::to_owned).or(unheard);
            let why = why.filter(|_| !self.has_person);
            if let Some(why) = &why {
                self.print();
                self.say(why);
            }
            return self.finish(if why.is_some() { 1 } else { 0 });
        }
        let loss = format!(
            "connection to {} lost: {}",
            self.config.address,
            words::why_lost(error)
        );
        let again = self.config.reconnect && !half_closed;
        if let Some(output) = self.output.as_mut().filter(|_| again) {
            self.printer.separate(above(&mut self.console, output));
        }
        // What it said comes before the news of its end.
        self.print();
        if self.exit.is_some() {
            return;
        }
        if !again {
            self.say(&loss);
            if let Some(unheard) = unheard {
                self.say(&unheard);
            }
            return self.finish(1);
        }
        if stable {
            self.backoff.reset();
        }
        self.try_again(&loss, error.is_none(), now);
        if let Some(unheard) = unheard {
            self.say(&unheard);
        }
        if self.outgoing.start_over() {
            self.say("a line too long to be sent again was cut off by that");
        }
    }

    fn try_again(&mut self, failure: &str, in_order: bool, now: Instant) {
        let pause = self.backoff.pause(random());
        let until = now + pause;
        self.say(&format!(
            "{failure}; trying again in {}",
            words::seconds(pause)
        ));
        self.link = Link::Down { until, in_order };
    }

    /// Nothing more will come: once all is printed, this is the exit code.
    pub(super) fn finish(&mut self, code: u8) {
        self.close_console();
        self.link = Link::Over(if self.failed { 1 } else { code });
    }

    /// Takes what is on standard input, as long as there is room for it.
    fn read_input(&mut self, now: Instant) {
        for _ in 0..READS_PER_TURN {
            if !self.may_read_input() {
                return;
            }
            let Some(input) = &mut self.input else { return };
            match input.read(&mut self.chunk) {
                Ok(Read::Bytes(n)) if self.console.is_some() => self.typed(n, now),
                Ok(Read::Bytes(n)) if self.is_word_to_leave(n) => return self.stop(),
                Ok(Read::Bytes(n)) => self.outgoing.push(&self.chunk[..n]),
                Ok(Read::Nothing) => return,
                Ok(Read::End) => self.end_input(),
                Err(error) => {
                    let why = words::cause(&error);
                    self.say(&format!("cannot read standard input: {why}"));
                    self.failed = true;
                    self.end_input();
                }
            }
        }
    }

    /// Whether the first `n` bytes of the chunk are one line, typed at a terminal that has no row to edit it in, and it
    /// leaves at once.
    fn is_word_to_leave(&self, n: usize) -> bool {
        match &self.chunk[..n] {
            [line @ .., b'\n'] if !line.contains(&b'\n') => {
                self.leaves_at_once(line) && io::stdin().is_terminal()
            }
            _ => false,
        }
    }

    /// Whether the user leaves with `line` without more ado: there is nobody to say it to. On a bus it is a line like
    /// any other.
    pub(super) fn leaves_at_once(&self, line: &[u8]) -> bool {
        !self.is_connected() && !self.config.bare && leaves(line)
    }

    pub(super) fn end_input(&mut self) {
        self.close_console();
        self.input = None;
        self.outgoing.end();
    }

    fn may_read_input(&self) -> bool {
        let worth_it = self.input.as_ref().is_some_and(Input::worth_a_look);
        // Keys are always read: one of them may be Ctrl-C.
        let room = self.console.is_some() || !self.outgoing.is_full();
        let is_here = self.met && !self.is_away();
        worth_it && is_here && room && self.exit.is_none() && !matches!(self.link, Link::Over(_))
    }

    /// Sends what the socket takes.
    pub(super) fn send(&mut self, now: Instant) {
        if let Link::Up(up) = &mut self.link {
            up.send(&mut self.outgoing, self.config.no_newline, now);
        }
    }

    /// Takes what the server sent, as long as there is room for it.
    fn receive(&mut self, now: Instant) {
        for _ in 0..READS_PER_TURN {
            if !self.may_receive() {
                return;
            }
            let Link::Up(up) = &mut self.link else { return };
            match up.receive(&mut self.chunk) {
                Received::Nothing => return,
                Received::End(error) => return self.lost(error.as_ref(), now),
                Received::Bytes(n) => {
                    self.show(n, now);
                    self.hear(n, now);
                }
            }
        }
    }

    /// Prints the first `n` bytes of the chunk.
    fn show(&mut self, n: usize, now: Instant) {
        let Some(output) = &mut self.output else {
            return;
        };
        let bytes = &self.chunk[..n];
        let out = above(&mut self.console, output);
        self.printer.received(bytes, time(&mut self.clock), out);
        let rest = if self.console.is_some() {
            REST_ABOVE
        } else {
            REST
        };
        self.rest_at = self.printer.holds_text().then_some(now + rest);
        self.print();
    }

    fn may_receive(&self) -> bool {
        let room = self.output.as_ref().is_none_or(|output| !output.is_full()) && !self.is_asking();
        room && self.exit.is_none() && matches!(&self.link, Link::Up(up) if up.may_receive())
    }

    /// When the part of a line that is held is printed, unless its end may have come already: while output is full
    /// nothing is received.
    fn rests_until(&self) -> Option<Instant> {
        let may_go_on = matches!(&self.link, Link::Up(up) if up.may_receive());
        self.rest_at.filter(|_| !may_go_on)
    }

    pub(super) fn print_rest(&mut self) {
        self.rest_at = None;
        if let Some(output) = &mut self.output {
            let out = above(&mut self.console, output);
            self.printer.print_rest(time(&mut self.clock), out);
        }
    }

    /// Prints what standard output takes, and shows below it the row in which one types.
    pub(super) fn print(&mut self) {
        if self.output.as_ref().is_some_and(Output::is_full) {
            self.flush();
        }
        self.show_row();
        self.flush();
    }

    pub(super) fn flush(&mut self) {
        let Some(output) = &mut self.output else {
            return;
        };
        match output.flush() {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.output_closed(),
            Err(error) => {
                let why = words::cause(&error);
                say(&format!("cannot write standard output: {why}"));
                self.output = None;
                self.exit = Some(1);
            }
        }
    }

    /// Prints what a terminal takes within a moment: one that Ctrl-S had stopped goes on just now. One that is too slow is
    /// left in order all the same, if it takes anything; what it had no time for is given back.
    pub(super) fn print_last(&mut self) -> Vec<u8> {
        self.print_for_a_moment();
        match &mut self.output {
            Some(output) if !output.is_empty() => {
                let rest = output.take();
                output.back().extend_from_slice(terminal::CUT_SHORT);
                self.print_for_a_moment();
                rest
            }
            _ => Vec::new(),
        }
    }

    fn print_for_a_moment(&mut self) {
        let until = Instant::now() + LAST;
        while let Some(output) = &mut self.output
            && !output.is_empty()
            && output.waits_for_room(until)
        {
            self.flush();
        }
    }

    fn next(&self) -> Next {
        if let Some(code) = self.exit {
            return Next::Exit(code);
        }
        let printed = self.output.as_ref().is_none_or(Output::is_empty);
        let at = match &self.link {
            Link::Over(code) if printed => return Next::Exit(*code),
            Link::Over(_) => None,
            // To be finished in the next turn.
            Link::Down { .. } if self.outgoing.is_done() => return Next::Again,
            Link::Down { until, .. } => Some(*until),
            Link::LookingUp(_) => None,
            Link::Dialing { dial, .. } => Some(dial.until()),
            Link::Up(up) => up.resumes(&self.outgoing),
        };
        if self.may_read_input() || self.may_receive() {
            return Next::Again;
        }
        let keys = self.console.as_ref().and_then(Console::deadline);
        Next::Wait(
            at.into_iter()
                .chain(self.rests_until())
                .chain(keys)
                .chain(self.reminder())
                .min(),
        )
    }
}

/// What is put before lines that begin now.
pub(super) fn time(clock: &mut Option<Clock>) -> &str {
    clock.as_mut().map_or("", Clock::now)
}

fn random() -> u64 {
    // The standard library's only source: the keys of its hash maps.
    RandomState::new().build_hasher().finish()
}
