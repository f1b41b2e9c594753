//! What people cost the server: those who never end a line, those who come and go, those who hardly say anything.

use crate::harness::{Address, Client, Server, WELCOME, until};
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
