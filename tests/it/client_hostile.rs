//! `snug connect` and a server that means harm, or means nothing: bounded memory, a terminal that is as it was, a message
//! that says what happened. On a bus as in a chat, into a pipe as on a terminal, with and without somebody who types.

use crate::alone;
use crate::client::harness::{
    Client, Server, Terminal, expect_bytes, read, rest_of, snug, wait_for,
};
use crate::kernel;
use rustix::process::Signal;
use rustix::termios::tcgetattr;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What the client may have resident at most, whatever is done to it.
#[cfg(target_os = "linux")]
const MEMORY: usize = 16 << 20;

/// Where the client prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Pipe,
    /// A terminal to look at.
    Screen,
    /// A terminal at which somebody sits.
    Seat,
}

/// Every place, in a chat and on a bus.
const EVERYWHERE: [(Place, &[&str]); 6] = [
    (Place::Pipe, &[]),
    (Place::Pipe, &["--bare"]),
    (Place::Screen, &["-R"]),
    (Place::Screen, &["-R", "--bare"]),
    (Place::Seat, &[]),
    (Place::Seat, &["--bare"]),
];

/// A client somewhere, and the server that the test plays.
struct Scene {
    client: Client,
    peer: TcpStream,
    server: Server,
    terminal: Option<Terminal>,
    /// How the terminal was.
    mode: String,
}

fn mode(terminal: &Terminal) -> String {
    format!("{:?}", tcgetattr(&terminal.inside).expect("a terminal"))
}

impl Scene {
    fn new(place: Place, args: &[&str]) -> Self {
        let server = Server::new();
        let mut command = snug(&server.address(), args);
        command.args(["--color=never", "--no-reconnect"]);
        let terminal = (place != Place::Pipe).then(Terminal::new);
        let mode = terminal.as_ref().map_or_else(String::new, mode);
        match &terminal {
            None => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            Some(terminal) if place == Place::Screen => {
                command.stdin(Stdio::null()).stdout(terminal.stdio())
            }
            Some(terminal) => command.stdin(terminal.stdio()).stdout(terminal.stdio()),
        };
        let client = Client::run(&mut command);
        let peer = server.accept();
        Self {
            client,
            peer,
            server,
            terminal,
            mode,
        }
    }

    /// Reads all that is printed, in a thread of its own, until `end` has come. Gives that, and where more may come.
    fn watch(&mut self, end: &'static [u8]) -> JoinHandle<(Vec<u8>, File)> {
        let mut from = match &self.terminal {
            Some(terminal) => terminal.outside.try_clone().expect("a descriptor"),
            None => File::from(std::os::fd::OwnedFd::from(self.client.take_stdout())),
        };
        thread::spawn(move || {
            let (mut seen, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
            loop {
                let n = read(&mut from, &mut buffer);
                assert!(n > 0, "it ended before its time");
                let looked_at = seen.len().saturating_sub(end.len());
                seen.extend_from_slice(&buffer[..n]);
                if seen[looked_at..]
                    .windows(end.len())
                    .any(|piece| piece == end)
                {
                    return (seen, from);
                }
            }
        })
    }

    #[cfg(target_os = "linux")]
    fn check_memory(&self) {
        let peak = self.client.peak_memory();
        assert!(peak < MEMORY, "{} KiB", peak >> 10);
    }

    #[cfg(not(target_os = "linux"))]
    fn check_memory(&self) {}

    /// Waits for the end, with that exit code; the terminal is then as it was. Gives what the client said.
    fn ends(self, code: i32) -> Vec<String> {
        let (ended, said) = self.client.exit_by_itself();
        assert_eq!(ended, Some(code), "{said:?}");
        if let Some(terminal) = &self.terminal {
            assert_eq!(mode(terminal), self.mode);
        }
        said
    }
}

/// Bytes of every kind in no order, from a fixed seed.
fn garbage(count: usize) -> Vec<u8> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// What may act on a terminal.
const ESCAPES: &str = "\x1b]0;title\x07\x1b[2J\x1b[31m\x1bc\u{9b}2J\u{90}q\x1b\\\x1b[?1049h\x1b[6n\u{202e}\u{2066}\x08\x08\r\x0e\x7f\n\
    *** \x1b[31m entered\n<\x1b]52;c;aGk=\x07> \x1b[5n\n[14:03] <a\u{202e}b> \x1b[?2004l\n";

/// An endless line, a burst, names without number, garbage, escapes; so many megabytes of the first two.
fn harm(megabytes: usize) -> Vec<u8> {
    let mut bytes = vec![b'x'; megabytes << 20];
    bytes.extend_from_slice(ESCAPES.as_bytes());
    while bytes.len() < (2 * megabytes) << 20 {
        bytes.extend_from_slice(
            b"<somebody> 0123456789012345678901234567890123456789012345678901234567890123456789\n",
        );
    }
    for n in 0..20_000 {
        bytes.extend_from_slice(
            format!("*** somebody{n} entered #room{n}\n<other{n}> hello\n").as_bytes(),
        );
    }
    bytes.extend_from_slice(&garbage(1 << 20));
    bytes.extend_from_slice(b"\n*** the end of it\n");
    bytes
}

/// Checks that nothing is in it that would act on a terminal, but for what the client itself writes there: the row in which
/// one types.
fn check_clean(seen: &[u8]) {
    let mut seen = String::from_utf8(seen.to_vec()).expect("UTF-8");
    for own in ["\x1b[K", "\x1b[J", "\x1b[1A", "\x1b[?2004h", "\x1b[?2004l"] {
        seen = seen.replace(own, "");
    }
    let bad = |&c: &char| match c {
        '\t' | '\r' | '\n' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    };
    assert_eq!(seen.chars().find(bad), None);
}

fn check_harm(megabytes: usize) {
    let harm = harm(megabytes);
    for (place, args) in EVERYWHERE {
        let mut scene = Scene::new(place, args);
        let printed = scene.watch(b"*** the end of it");
        scene.peer.write_all(&harm).expect("it reads");
        let (printed, _more) = printed.join().expect("all of it");
        scene.check_memory();
        #[cfg(target_os = "linux")]
        eprintln!(
            "{place:?} {args:?}: {} KiB at most",
            scene.client.peak_memory() >> 10
        );
        match place {
            // What another program reads is as it came.
            Place::Pipe => assert!(harm.starts_with(&printed) && printed.len() + 1 >= harm.len()),
            Place::Screen | Place::Seat => check_clean(&printed),
        }
        let lost = format!(
            "snug: connection to {} lost: closed by the server",
            scene.server.address()
        );
        let peer = scene.peer.try_clone().expect("a descriptor");
        peer.shutdown(std::net::Shutdown::Both).expect("connected");
        assert_eq!(scene.ends(1).pop(), Some(lost));
    }
}

#[test]
fn bytes_of_every_kind_in_bulk() {
    check_harm(2);
}

#[test]
#[ignore = "a hundred megabytes of everything, six times"]
fn hundreds_of_megabytes_of_every_kind() {
    check_harm(100);
}

/// A pause after each byte lets what came so far be printed: no sequence is put together on the terminal.
#[test]
fn escapes_byte_by_byte() {
    let terminals = EVERYWHERE
        .into_iter()
        .filter(|(place, _)| *place != Place::Pipe);
    thread::scope(|scope| {
        for (place, args) in terminals {
            scope.spawn(move || check_byte_by_byte(place, args));
        }
    });
}

fn check_byte_by_byte(place: Place, args: &[&str]) {
    let mut scene = Scene::new(place, args);
    let printed = scene.watch(b"the end of it");
    for byte in ESCAPES.bytes() {
        scene.peer.write_all(&[byte]).expect("it reads");
        // Not what is tested: long enough that some of the bytes are printed by themselves.
        thread::sleep(Duration::from_millis(10));
    }
    // Half a character rests, and has the rest of a control behind it.
    scene.peer.write_all(b"\xe2").expect("it reads");
    thread::sleep(Duration::from_millis(300));
    let rest = b"\x80\xae the end of it\n";
    scene.peer.write_all(rest).expect("it reads");
    let (printed, _more) = printed.join().expect("all of it");
    check_clean(&printed);
    scene.client.signal(Signal::TERM);
    scene.ends(0);
}

/// A connection, and then nothing: the client waits without waking, and ends when it is told to.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux's /proc")]
fn a_server_that_never_speaks() {
    for (place, args) in EVERYWHERE {
        let mut scene = Scene::new(place, args);
        match (place, &mut scene.terminal) {
            (Place::Pipe, _) => {
                scene.client.type_in("is anybody there?\n");
                expect_bytes(&mut scene.peer, b"is anybody there?\n");
            }
            (Place::Seat, Some(terminal)) => {
                terminal.shows("> ");
                terminal
                    .outside
                    .write_all(b"is anybody there?\r")
                    .expect("keys");
                expect_bytes(&mut scene.peer, b"is anybody there?\n");
            }
            _ => {}
        }
        // Here time itself is what is tested.
        let pid = scene.client.pid().as_raw_nonzero().get() as u32;
        alone::within([0], || {
            let before = kernel::wakes(pid);
            thread::sleep(Duration::from_millis(300));
            [kernel::wakes(pid) - before]
        });
        match &mut scene.terminal {
            Some(terminal) if place == Place::Seat => {
                terminal.outside.write_all(b"\x03").expect("keys");
            }
            _ => scene.client.signal(Signal::TERM),
        }
        scene.ends(0);
    }
}

/// What is typed or piped in waits where it is once the client has as much as it keeps.
#[test]
fn a_server_that_never_reads() {
    for args in [&[][..], &["--bare"]] {
        let mut scene = Scene::new(Place::Pipe, args);
        let mut stdin = File::from(std::os::fd::OwnedFd::from(scene.client.take_stdin()));
        rustix::io::ioctl_fionbio(&stdin, true).expect("a flag");
        let line = b"nobody reads this, however often it is said\n".repeat(100);
        let (mut taken, mut refused) = (0, 0);
        // Full when it takes nothing for a while; with nothing held back this would never end.
        wait_for("a full client", || {
            match stdin.write(&line[taken % line.len()..]) {
                Ok(n) => (taken, refused) = (taken + n, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
                Err(error) => panic!("{error}"),
            }
            assert!(taken < 200 << 20, "it takes everything");
            (refused > 20).then_some(())
        });
        scene.check_memory();
        // It hears the server all the same, and what it said is all there when the server reads at last.
        scene.peer.write_all(b"*** still here\n").expect("it reads");
        let mut stdout = scene.client.take_stdout();
        expect_bytes(&mut stdout, b"*** still here\n");
        drop(stdin);
        let heard = rest_of(&mut scene.peer);
        assert_eq!(heard.len(), taken);
        assert!(line.repeat(2).starts_with(&heard.as_bytes()[..line.len()]));
        drop(scene.peer);
        let (code, said) = scene.client.exit_by_itself();
        assert_eq!((code, said), (Some(0), vec![]));
    }
}

/// A terminal or a pipe that nobody reads holds back the server, and costs neither memory nor the way out.
#[test]
fn an_output_that_stands_still() {
    for (place, args) in EVERYWHERE {
        let mut scene = Scene::new(place, args);
        scene.peer.set_nonblocking(true).expect("an option");
        let lines = b"<somebody> says something that nobody looks at\n".repeat(1000);
        let (mut sent, mut refused) = (0, 0);
        wait_for("a full connection", || {
            match scene.peer.write(&lines[sent % lines.len()..]) {
                Ok(n) => (sent, refused) = (sent + n, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
                Err(error) => panic!("{error}"),
            }
            assert!(sent < 200 << 20, "it takes everything");
            (refused > 20).then_some(())
        });
        scene.check_memory();
        match &mut scene.terminal {
            Some(terminal) if place == Place::Seat => {
                terminal.outside.write_all(b"\x03").expect("keys");
            }
            _ => scene.client.signal(Signal::TERM),
        }
        scene.ends(0);
    }
}

/// A server that takes each connection and resets it: each time it is said, and the client comes back ever more slowly.
#[test]
fn a_server_that_resets_every_connection() {
    let server = Server::new();
    for args in [&[][..], &["--bare"]] {
        let mut client = Client::run(
            snug(&server.address(), args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let mut stdout = client.take_stdout();
        let start = Instant::now();
        for visit in 0..3 {
            let mut peer = server.accept();
            peer.write_all(b"half a li").expect("it reads");
            let expected: &[u8] = if visit == 0 {
                b"half a li"
            } else {
                b"\nhalf a li"
            };
            expect_bytes(&mut stdout, expected);
            rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO))
                .expect("an option");
            drop(peer);
        }
        // Pauses of half a second and a second, each a quarter shorter at the least.
        assert!(start.elapsed() > Duration::from_millis(375 + 750));
        client.says("lost: reset by peer; trying again in ");
        client.signal(Signal::TERM);
        assert_eq!(client.exit_by_itself().0, Some(0));
    }
}

/// An address that swallows what is sent to it: the listening queue is full, and nobody is let in.
#[test]
#[cfg(target_os = "linux")]
fn a_server_that_never_accepts() {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let listener = listener.expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    listener.bind(&any.into()).expect("a free port");
    listener.listen(0).expect("it is bound");
    let address = listener.local_addr().expect("it is bound");
    let full: Vec<socket2::Socket> = (0..4)
        .map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
            let socket = socket.expect("a socket");
            socket.set_nonblocking(true).expect("an option");
            // Some are let into the queue; the others wait for that.
            _ = socket.connect(&address);
            socket
        })
        .collect();
    let address = address.as_socket().expect("an IP address").to_string();
    let output = snug(&address, &[])
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(
        said,
        format!(
            "snug: cannot connect to {address}: no answer; check the address, the network, and firewalls on the way\n"
        )
    );
    drop(full);
}
