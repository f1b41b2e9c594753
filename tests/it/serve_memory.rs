//! What people cost the server: those who never end a line, those who come and go, those who hardly say anything.

use crate::harness::{Address, Client, Server, WELCOME, numbered, until};
use crate::kernel::{self, Growth};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

/// A hundred people at once, of whom each sends so many megabytes without a newline: no more than a longest line is
/// kept of any.
fn check_endless_lines(megabytes: usize) {
    const PEOPLE: usize = 100;
    let server = Server::start(&[]);
    let mut other = server.join();
    let people: Vec<Client> = (0..PEOPLE).map(|_| server.join()).collect();
    other.sync();
    let growth = Growth::of_peak(&server);
    let mut senders: Vec<Vec<Client>> = (0..4).map(|_| Vec::new()).collect();
    for (n, person) in people.into_iter().enumerate() {
        senders[n % 4].push(person);
    }
    let senders: Vec<_> = senders
        .into_iter()
        .map(|mut people| {
            let chunk = vec![b'x'; 1_000_000];
            thread::spawn(move || {
                for _ in 0..megabytes {
                    people.iter_mut().for_each(|person| person.send(&chunk));
                }
                people
            })
        })
        .collect();
    let people = senders
        .into_iter()
        .flat_map(|sender| sender.join().expect("it could send"));
    for mut person in people {
        person.say("the end of it");
        let told = person.sync();
        let told: Vec<&String> = told
            .iter()
            .filter(|line| line.contains("too long"))
            .collect();
        assert_eq!(told, ["*** line too long: 4096 bytes at most"], "said once");
        person.say("the next");
        let next = format!("<{}> the next", person.name);
        while other.line() != next {}
    }
    let most = PEOPLE as u64 * 4 + 1024;
    eprintln!(
        "{PEOPLE} × {megabytes} MB: {} KiB of {most} KiB",
        growth.now()
    );
    growth.expect_below(most);
}

#[test]
fn a_hundred_endless_lines_cost_a_hundred_longest_lines() {
    check_endless_lines(2);
}

#[test]
#[ignore = "ten gigabytes: a minute"]
fn ten_gigabytes_of_endless_lines() {
    check_endless_lines(100);
}

/// People who come and go in every way, a few hundred at a time: afterwards the server holds what it held before.
#[cfg(target_os = "linux")]
fn check_coming_and_going(times: usize) {
    const CROWD: usize = 500;
    let server = Server::start(&["-l", "0.0.0.0:0", "--log-level", "info"]);
    let &Address::Tcp(listening) = server.address() else {
        unreachable!("it listens there");
    };
    // Each address of this machine has ports of its own, and a port that was used rests for a minute.
    let connect = |n: usize| {
        let ip = Ipv4Addr::new(127, 0, 0, 1 + (n / 10_000) as u8);
        Client::connect(&Address::Tcp(SocketAddr::from((ip, listening.port()))))
    };
    let join = |n| {
        let mut client = connect(n);
        client.expect_line(WELCOME);
        client
    };
    let (mut stays, mut talks) = (join(0), join(0));
    let descriptors = kernel::descriptors(server.pid());
    let mut come_and_go = |from: usize| {
        let crowd = (from..from + CROWD).map(|n| {
            let mut client = connect(n);
            match n % 6 {
                0 => {}
                1 => client.send("half a line"),
                2 => client.say("a line"),
                3 => client.send("a line\nand half a line"),
                // What is being said to everybody comes to a socket that is gone.
                4 => talks.say(&"x".repeat(1000)),
                _ => client.expect_line(WELCOME),
            }
            (n, client)
        });
        for (n, client) in crowd {
            match n % 4 {
                0 | 1 => client.reset(),
                _ => drop(client),
            }
        }
        // People are let in in order, so after this one nobody is still to come.
        drop(join(from));
        until("all of them have left", || {
            kernel::descriptors(server.pid()) <= descriptors
        });
        stays.sync();
        talks.sync();
    };
    for from in (0..2 * CROWD).step_by(CROWD) {
        come_and_go(from);
    }
    let growth = Growth::of_resident(&server);
    for from in (2 * CROWD..times).step_by(CROWD) {
        come_and_go(from);
    }
    eprintln!("{times} came and went: {} KiB more", growth.now());
    growth.expect_below(128);
    let mut last = join(times);
    last.say("hello");
    let hello = format!("<{}> hello", last.name);
    until("it serves", || stays.line().ends_with(&hello[1..]));
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_comes_and_goes_leaves_nothing_behind() {
    check_coming_and_going(5_000);
}

#[test]
#[ignore = "a hundred thousand connections: half a minute"]
#[cfg(target_os = "linux")]
fn a_hundred_thousand_come_and_go() {
    check_coming_and_going(100_000);
}

/// Somebody who sends a byte now and then, beside others who never send any.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux's /proc")]
fn whoever_sends_a_byte_now_and_then_costs_those_bytes_and_nothing_else() {
    let server = Server::start(&[]);
    let _silent: Vec<Client> = (0..50).map(|_| server.join()).collect();
    let mut drips = server.join();
    drips.sync();
    let growth = Growth::of_own(&server);
    let wakes = kernel::wakes(server.pid());
    // The pauses are not what is tested: without them several bytes might be read at once.
    for byte in b"one byte after the other" {
        drips.send([*byte]);
        thread::sleep(Duration::from_millis(40));
    }
    let wakes = kernel::wakes(server.pid()) - wakes;
    eprintln!("{wakes} wake-ups for 24 bytes, {} KiB", growth.now());
    assert!((1..=24).contains(&wakes), "{wakes} wake-ups for 24 bytes");
    growth.expect_below(16);
    let mut other = server.join();
    drips.say("");
    other.expect_line(&format!("<{}> one byte after the other", drips.name));
}

/// A thousand readers that have stopped, a thousand half lines and a thousand rooms that are talked in, each of which
/// alone would be more than the ceiling.
/// Gives the most that the process grew by, and the most that it said it holds, in KiB.
fn fill_the_ceiling() -> [u64; 2] {
    let server = Server::start(&["--max-memory", "4M"]);
    // What is there without them: what a read fills, and a room's last lines.
    let [mut talks, mut listens] = server.room();
    let talk = |talks: &mut Client, listens: &mut Client, lines: usize| {
        for from in (0..lines).step_by(50) {
            talks.send(numbered(from..from + 50, 1000));
            talks.sync();
            listens.sync();
        }
    };
    talk(&mut talks, &mut listens, 200);
    let growth = Growth::of_own(&server);
    // The most that the kernel and that the server say.
    let (mut most, mut told) = (0, 0);
    let mut look = |asks: &mut Client| {
        asks.say("/stats");
        let lines = asks.sync();
        let line = lines
            .iter()
            .find_map(|line| line.strip_prefix("*** memory queued or kept: "));
        let number = line.and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
        told = told.max(number.expect("a number") >> 10);
        most = most.max(growth.now());
    };
    let _stuck: Vec<Client> = (0..1000).map(|_| server.connect_small()).collect();
    let mut halves: Vec<Client> = Vec::new();
    let mut hosts: Vec<Client> = Vec::new();
    for n in 0..1000 {
        let mut half = server.connect();
        half.send("x".repeat(4000));
        halves.push(half);
        let mut host = server.connect();
        host.say(&format!("/join room{n}"));
        host.send(numbered(0..20, 1000));
        // Lines that wait count as well, and whoever has the most of them may be seen out.
        host.sync();
        hosts.push(host);
        if n % 50 == 49 {
            talk(&mut talks, &mut listens, 500);
            look(&mut listens);
        }
    }
    for _ in 0..10 {
        talk(&mut talks, &mut listens, 500);
        look(&mut listens);
    }
    server.wait_log("the memory is used up (4194304 bytes): whoever holds the most gives first");
    [most, told]
}

#[test]
fn the_ceiling_holds_whatever_comes_together() {
    const CEILING: u64 = 4 << 10;
    let [most, told] = fill_the_ceiling();
    eprintln!("{most} KiB at most; /stats says {told} KiB at most");
    assert!(
        (CEILING * 9 / 10..=CEILING).contains(&told),
        "/stats: {told}"
    );
    assert!(most <= CEILING * 11 / 10, "{most}; /stats: {told}");
}
