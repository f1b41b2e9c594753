//! How a server ends, and that it rests until then.

use crate::alone;
use crate::harness::{Client, Folder, Server, numbered, numbered_line, unix, until};
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The grace of a stop, and what a busy machine may add.
const GRACE: Duration = Duration::from_millis(5000 + 1500);

#[test]
fn a_stop_is_announced_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        let [mut one, mut two] = server.room();
        two.say("last words");
        two.sync();
        let start = Instant::now();
        server.signal(signal);
        one.expect_line(&format!("<{}> last words", two.name));
        for client in [&mut one, &mut two] {
            client.expect_line("*** the server is closing");
            client.expect_eof();
        }
        drop((one, two));
        assert_eq!(server.expect_exit(GRACE).code(), Some(0), "{signal:?}");
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "it need not wait for anybody"
        );
    }
}

#[test]
fn clients_that_do_not_go_by_themselves_do_not_keep_it() {
    let mut server = Server::start(&[]);
    let mut people: [Client; 3] = server.room();
    people[0].send("half a line");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(GRACE).code(), Some(0));
    for person in &mut people[1..] {
        person.expect_line("*** the server is closing");
        person.expect_eof();
    }
}

#[test]
fn a_server_without_clients_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        server.signal(signal);
        assert_eq!(server.expect_exit(GRACE).code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_bus_ends_without_a_word() {
    let mut server = Server::start(&["--bare"]);
    let mut one = server.connect();
    let mut two = server.connect();
    two.say("hello");
    one.expect_line("hello");
    server.signal(Signal::TERM);
    one.expect_eof();
    two.expect_eof();
    drop((one, two));
    assert_eq!(server.expect_exit(GRACE).code(), Some(0));
}

#[test]
fn a_stop_removes_the_socket_file() {
    let folder = Folder::new();
    let mut server = Server::start_unix(&folder, &[]);
    server.join();
    assert!(folder.path("snug.sock").exists());
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(GRACE).code(), Some(0));
    assert!(!folder.path("snug.sock").exists());
}

#[test]
fn nobody_is_let_in_any_more() {
    let mut server = Server::start(&[]);
    let [mut one] = server.room();
    server.signal(Signal::TERM);
    one.expect_line("*** the server is closing");
    let address = server.address().clone();
    let refused = thread::spawn(move || Client::connect(&address)).join();
    assert!(refused.is_err(), "the port is closed");
    drop(one);
    assert_eq!(server.expect_exit(GRACE).code(), Some(0));
}

#[test]
fn what_is_queued_is_written_before_the_end() {
    let folder = Folder::new();
    let mut server = Server::start_unix(&folder, &["--backlog", "16M"]);
    let [mut reader, mut sender] = server.room();
    sender.send(numbered(0..4000, 1000));
    // All is published, and more than the sockets hold is queued.
    sender.sync();
    server.signal(Signal::TERM);
    for number in 0..4000 {
        let line = reader.line();
        assert!(
            line.contains(&format!("> {number:07} ")),
            "{line:?} instead of {number}"
        );
    }
    reader.expect_line("*** the server is closing");
    reader.expect_eof();
    sender.expect_line("*** the server is closing");
    sender.expect_eof();
    drop((reader, sender));
    assert_eq!(server.expect_exit(GRACE).code(), Some(0));
}

/// A stop in the middle of a flood, beside readers that are stuck. Gives how long it took, in milliseconds.
fn stop_in_a_flood() -> u64 {
    let folder = Folder::new();
    let transcript = folder.path("transcript");
    let keeps = transcript.to_str().expect("a plain path");
    let mut server = Server::start_unix(&folder, &["--transcript", keeps]);
    let [_stuck, flooder, _stuck_too, one, two, three] = server.room();
    let prefix = format!("<{}> ", flooder.name);
    // How many lines each of the healthy readers has had: the flood is never further ahead of the slowest than is
    // well within the backlog, however slow this machine is.
    let heard: Arc<[AtomicUsize; 3]> = Arc::default();
    let slowest = |heard: &[AtomicUsize; 3]| {
        let counts = heard.iter().map(|count| count.load(Ordering::Relaxed));
        counts.min().unwrap_or_default()
    };
    let flood = thread::spawn({
        let (heard, mut writer) = (Arc::clone(&heard), flooder.writer());
        move || {
            for batch in 0.. {
                let lines = numbered(batch * 50..batch * 50 + 50, 1000);
                if writer.write_all(lines.as_bytes()).is_err() {
                    return;
                }
                while (batch + 1) * 50 > slowest(&heard).saturating_add(300) {
                    thread::yield_now();
                    if heard[0].load(Ordering::Relaxed) == usize::MAX {
                        return;
                    }
                }
            }
        }
    });
    let readers: Vec<_> = [one, two, three]
        .into_iter()
        .enumerate()
        .map(|(n, mut reader)| {
            let (heard, prefix) = (Arc::clone(&heard), prefix.clone());
            thread::spawn(move || {
                let mut lines = 0;
                loop {
                    let line = reader.line();
                    if line == "*** the server is closing" {
                        reader.expect_eof();
                        heard[n].store(usize::MAX, Ordering::Relaxed);
                        return lines;
                    }
                    assert_eq!(line, format!("{prefix}{}", numbered_line(lines, 1000)));
                    lines += 1;
                    heard[n].store(lines, Ordering::Relaxed);
                }
            })
        })
        .collect();
    // Past the backlog of those who are stuck.
    until("the flood is under way", || slowest(&heard) > 2000);
    let start = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(GRACE).code(), Some(0));
    let took = start.elapsed().as_millis() as u64;
    server.wait_log_lines("did not get all that was left for it: it took too long", 2);
    flood.join().expect("its connection ended");
    // Each line that was published is in the transcript.
    let published = fs::read_to_string(&transcript).expect("a transcript");
    let published = published.lines().count();
    for reader in readers {
        assert_eq!(reader.join().expect("in order"), published);
    }
    eprintln!("{published} lines were published, and heard by all; {took} ms to the end");
    took
}

#[test]
fn a_stop_in_a_flood_costs_healthy_readers_nothing_and_stuck_ones_five_seconds() {
    alone::within([5000], || [stop_in_a_flood()]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::TERM)] {
        let folder = Folder::new();
        let mut server = Server::start_unix(&folder, &[]);
        let [mut reader, mut sender, _stuck] = server.room();
        for from in (0..1000).step_by(100) {
            sender.send(numbered(from..from + 100, 1000));
            for _ in 0..100 {
                reader.line();
            }
        }
        server.signal(first);
        reader.expect_line("*** the server is closing");
        assert!(server.is_running(), "a reader is stuck");
        server.signal(second);
        server.expect_exit(Duration::from_secs(2));
    }
}

#[test]
fn sighup_ends_nothing() {
    let server = Server::start(&[]);
    let [mut client] = server.room();
    server.signal(Signal::HUP);
    client.sync();
    server.join();
}

/// Lets servers of several kinds rest side by side, for as long as it takes to be sure.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux's /proc")]
fn nothing_happens_while_nobody_speaks() {
    use crate::kernel::activity;

    let folder = Folder::new();
    let servers = [
        Server::start(&[]),
        Server::start(&["--bare", "--slow", "wait"]),
        Server::start(&["--unterminated", "100", "--max-clients", "30"]),
        Server::start_unix(&folder, &["--slow", "close"]),
    ];
    let mut clients: Vec<Client> = Vec::new();
    for server in &servers[..] {
        for _ in 0..30 {
            clients.push(server.connect());
        }
        server.wait_log_lines(" came", 30);
    }
    // Some have left, in both ways; some have begun a line.
    for client in clients.drain(20..30) {
        client.reset();
    }
    clients.truncate(100);
    for client in clients
        .iter_mut()
        .step_by(7)
        .filter(|client| !client.name.is_empty())
    {
        client.send("/ping");
    }
    let stuck = [
        Stuck::new(&folder, "skip", &[], "never read\n"),
        Stuck::new(
            &folder,
            "wait",
            &["--slow", "wait", "--slow-timeout", "3600"],
            "never read\n",
        ),
        Stuck::new(&folder, "replies", &[], "/help\n"),
    ];
    let activities = || {
        let stuck = stuck.iter().map(|stuck| &stuck.server);
        servers
            .iter()
            .chain(stuck)
            .map(|server| activity(server.pid()))
            .collect::<Vec<_>>()
    };
    let mut before = activities();
    until("they come to rest", || {
        thread::sleep(Duration::from_millis(500));
        let now = activities();
        std::mem::replace(&mut before, now) == before
    });
    // Here time itself is what is tested.
    thread::sleep(Duration::from_secs(2));
    assert_eq!(activities(), before);
}

/// A server that has something to write which nobody takes, and perhaps something to read that it must not.
struct Stuck {
    server: Server,
    _people: [Client; 2],
}

impl Stuck {
    /// Starts one at a socket called `name`, and sends it `line` until it takes no more, or has had plenty.
    fn new(folder: &Folder, name: &str, options: &[&str], line: &str) -> Self {
        let address = unix(&folder.path(name));
        let server = Server::start(&[&["-l", &address], options].concat());
        let people = [server.connect(), server.connect()];
        let mut writer = people[1].writer();
        writer.set_nonblocking(true).expect("the option");
        let lines = line.repeat(10_000);
        let (mut sent, mut refused) = (0, 0);
        while refused < 10 && sent < 4 << 20 {
            match writer.write(&lines.as_bytes()[sent % lines.len()..]) {
                Ok(n) => (sent, refused) = (sent + n, 0),
                Err(_) => {
                    refused += 1;
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
        Self {
            server,
            _people: people,
        }
    }
}
