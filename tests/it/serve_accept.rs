//! Coming in where the system is short of something, or many come at once.

use crate::alone;
use crate::harness::{Client, Folder, Server, WELCOME, snug_after};
use crate::kernel;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// More clients than descriptors: those who cannot be let in wait, and come in as others leave.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux's /proc")]
fn whoever_finds_no_descriptor_waits_its_turn() {
    let options = ["--max-clients", "1000"];
    let server = Server::start_as(snug_after("ulimit -n 64"), &options);
    let people: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    server.wait_log("newcomers must wait: Too many open files");
    let came = |line: &&String| line.contains(" came");
    let inside = server.log_lines().iter().filter(came).count();
    assert!((30..64).contains(&inside), "{inside}");
    // Here time itself is what is tested. Each attempt takes a wake-up, each second ten of them at most, and one
    // hundredth of it.
    alone::within([10, 10_000], || {
        let (wakes, computed) = (kernel::wakes(server.pid()), kernel::computed(server.pid()));
        thread::sleep(Duration::from_secs(1));
        let computed = kernel::computed(server.pid()) - computed;
        let wakes = kernel::wakes(server.pid()) - wakes;
        [wakes, computed.as_micros() as u64]
    });
    // They come in in order, each as soon as another has left.
    let mut people = people.into_iter();
    let mut greeted: VecDeque<Client> = people.by_ref().take(inside).collect();
    for client in &mut greeted {
        client.expect_line(WELCOME);
    }
    let mut waits = Vec::new();
    for mut next in people {
        let start = Instant::now();
        drop(greeted.pop_front());
        next.expect_line(WELCOME);
        waits.push(start.elapsed());
        greeted.push_back(next);
    }
    waits.sort();
    let (median, most) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    eprintln!("a place was taken after {median:?}, {most:?} at most");
    assert!(median < Duration::from_millis(100), "{median:?}");
}

/// The listening queue holds them all, and the server takes them all in one turn after the other.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux's /proc")]
fn a_thousand_come_at_once() {
    if !alone::has_own_network("serve_accept::a_thousand_come_at_once") {
        return;
    }
    alone::within([1000], || {
        let server = Server::start(&[]);
        let mut people: Vec<Client> = Vec::new();
        let start = Instant::now();
        // It finds them all at once.
        server.while_paused(|| people.extend((0..1000).map(|_| server.connect())));
        for person in &mut people {
            person.expect_line(WELCOME);
        }
        [start.elapsed().as_millis() as u64]
    });
    assert_eq!(kernel::tcp_counter("ListenOverflows"), 0);
    assert_eq!(kernel::tcp_counter("ListenDrops"), 0);
}

/// What goes wrong at every attempt, and how many attempts may be made before a pause.
const ERRORS: [(&str, usize); 8] = [
    ("EINTR", 256),
    ("ECONNABORTED", 256),
    ("EPROTO", 256),
    ("EPERM", 256),
    ("EMFILE", 1),
    ("ENFILE", 1),
    ("ENOBUFS", 1),
    ("ENOMEM", 1),
];

/// Every error that accept(2) knows, at every attempt, for a second.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs strace")]
fn no_error_of_accept_ends_the_server_or_makes_it_spin() {
    if !alone::has("strace") {
        return;
    }
    let folder = Folder::new();
    let mut failing: Vec<Failing> = Vec::new();
    for (error, _) in ERRORS {
        let Some(one) = Failing::new(error, &folder) else {
            return;
        };
        failing.push(one);
    }
    // Here time itself is what is tested: nobody is let in, and hardly an attempt is made.
    let start = Instant::now();
    thread::sleep(Duration::from_secs(1));
    for (one, (error, most)) in failing.into_iter().zip(ERRORS) {
        let seconds = start.elapsed().as_secs_f64();
        let (attempts, pauses) = one.relieve();
        let per_second = attempts as f64 / seconds;
        eprintln!("{error}: {per_second:.0} attempts a second, {pauses} pauses");
        assert!(attempts > 1, "{error}");
        assert!(
            attempts <= most * (pauses + 1),
            "{error}: {attempts} attempts, {pauses} pauses"
        );
        assert!(
            pauses as f64 <= 10.0 * seconds + 1.0,
            "{error}: {pauses} pauses"
        );
    }
}

/// A server whose every attempt to accept fails, and somebody who waits there.
struct Failing {
    server: Server,
    strace: Child,
    trace: PathBuf,
    waits: Client,
}

impl Failing {
    /// Writes what the server does into `folder`. `None` where nothing may be traced.
    fn new(error: &str, folder: &Folder) -> Option<Self> {
        let server = Server::start(&[]);
        let trace = folder.path(error);
        let mut strace = Command::new("strace")
            .args(["-e", "trace=accept4,?epoll_wait,epoll_pwait"])
            .args(["-e", &format!("inject=accept4:error={error}")])
            .args(["-p", &server.pid().to_string(), "-o"])
            .arg(&trace)
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is there");
        let mut said = String::new();
        let stderr = strace.stderr.take().expect("it is piped");
        _ = BufReader::new(stderr).read_line(&mut said);
        if !said.contains("attached") {
            _ = strace.wait();
            eprintln!("skipped: nothing may be traced here: {said}");
            return None;
        }
        let waits = server.connect();
        Some(Self {
            server,
            strace,
            trace,
            waits,
        })
    }

    /// Ends the failing. How many attempts there were, and how many pauses among them; and whoever waits is let in.
    fn relieve(mut self) -> (usize, usize) {
        // It lets go of the server.
        kill_process(Pid::from_child(&self.strace), Signal::TERM).expect("it runs");
        _ = self.strace.wait();
        let trace = fs::read_to_string(&self.trace).expect("a trace");
        let injected = trace.lines().filter(|line| line.contains("INJECTED"));
        let pauses = trace
            .lines()
            .filter(|line| line.starts_with("epoll_"))
            // A wait of no time is none.
            .filter(|line| !line.contains(", 0) "));
        self.waits.expect_line(WELCOME);
        self.server.join();
        (injected.count(), pauses.count())
    }
}
