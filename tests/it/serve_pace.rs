//! How fast somebody may speak: whoever says more is read from later, and nothing of it is lost.

use crate::alone::within;
use crate::harness::{Client, Server, run, snug};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// Lines from `numbers`, each with its end.
fn counted(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|n| format!("{n}\n")).collect()
}

#[test]
fn a_paste_passes_whole_and_a_flood_is_read_at_its_rate() {
    let mut as_it_comes = snug();
    as_it_comes.env_remove("SNUG_RATE");
    let server = Server::start_as(as_it_comes, &[]);
    let [mut pastes, mut floods, mut listens] = server.room();
    let start = Instant::now();
    pastes.send(counted(0..150));
    for n in 0..150 {
        listens.expect_line(&format!("<{}> {n}", pastes.name));
    }
    let paste = start.elapsed();
    assert!(paste < Duration::from_secs(1), "{paste:?} for a paste");

    // 200 at once, the others at 50 a second.
    let start = Instant::now();
    floods.send(counted(0..300));
    for n in 0..300 {
        listens.expect_line(&format!("<{}> {n}", floods.name));
        if n == 210 {
            // Nobody else is any slower for it.
            let asked = Instant::now();
            pastes.sync();
            assert!(asked.elapsed() < Duration::from_millis(500));
        }
    }
    let flood = start.elapsed();
    assert!(
        flood > Duration::from_millis(1_900),
        "{flood:?} for a flood"
    );
    assert!(flood < Duration::from_secs(6), "{flood:?} for a flood");
}

/// How long a line takes from somebody to somebody else: the 99th percentile, in microseconds. Nobody says more than
/// at one go they may.
fn delay(server: &Server) -> u64 {
    let mut talkers: Vec<Client> = (0..25).map(|_| server.join()).collect();
    let mut listens = server.join();
    let mut delays: Vec<u64> = (0..5000)
        .map(|n| {
            let word = format!("word {n}");
            let start = Instant::now();
            talkers[n % 25].say(&word);
            while !listens.line().ends_with(&word) {}
            start.elapsed().as_micros() as u64
        })
        .collect();
    delays.sort_unstable();
    delays[delays.len() * 99 / 100]
}

#[test]
#[ignore = "wants a machine that does nothing else"]
fn nobody_is_slower_beside_a_flood() {
    let start = || {
        let mut as_it_comes = snug();
        as_it_comes.env_remove("SNUG_RATE");
        Server::start_as(as_it_comes, &[])
    };
    within([150], || {
        let alone = delay(&start());
        let server = start();
        let mut writer = server.join().writer();
        let flood = thread::spawn(move || {
            let lines = counted(0..1000);
            while writer.write_all(lines.as_bytes()).is_ok() {}
        });
        let beside = delay(&server);
        drop(server);
        flood.join().expect("its connection ended");
        eprintln!("p99 {alone} µs, beside a flood {beside} µs");
        [100 * beside / alone]
    });
}

#[test]
fn what_was_sent_before_the_end_is_heard_at_the_same_rate() {
    let server = Server::start(&["--rate", "100", "--burst", "5"]);
    let [mut talks, mut listens] = server.room();
    let start = Instant::now();
    talks.send(counted(0..55));
    talks.send("the end");
    talks.half_close();
    for n in 0..55 {
        listens.expect_line(&format!("<{}> {n}", talks.name));
    }
    listens.expect_line(&format!("<{}> the end", talks.name));
    listens.expect_line(&format!("*** {} left", talks.name));
    assert!(start.elapsed() > Duration::from_millis(490));
}

#[test]
fn commands_and_lines_too_long_count_as_well() {
    let server = Server::start(&["--rate", "20", "--burst", "4", "--max-line", "100"]);
    let [mut talks] = server.room();
    let start = Instant::now();
    for _ in 0..6 {
        talks.say("/ping");
        talks.say(&"x".repeat(120));
    }
    for _ in 0..6 {
        talks.expect_line("*** pong");
        talks.expect_line("*** line too long: 100 bytes at most");
    }
    assert!(start.elapsed() > Duration::from_millis(390));
}

#[test]
fn a_bus_knows_no_limit() {
    let mut as_it_comes = snug();
    as_it_comes.env_remove("SNUG_RATE");
    let server = Server::start_as(as_it_comes, &["--bare"]);
    let (mut talks, mut listens) = (server.connect(), server.connect());
    server.wait_log_lines(" came", 2);
    let start = Instant::now();
    talks.send(counted(0..20_000));
    for n in 0..20_000 {
        listens.expect_line(&n.to_string());
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for (option, value) in [
        ("--rate", "0"),
        ("--rate", "-1"),
        ("--rate", "fast"),
        ("--rate", "1000001"),
        ("--burst", "0"),
        ("--burst", "off"),
    ] {
        let output = run(&["serve", option, value]);
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
        assert!(!output.stderr.is_empty());
    }
}
