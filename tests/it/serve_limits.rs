//! How many may come, and what they are called.

use crate::harness::{Client, Folder, Server, WELCOME, snug_after};
use crate::kernel::Growth;
use std::io::{Read, Write};

/// Somebody who is told why they cannot come in.
fn expect_refusal(mut client: Client) {
    let line = client.line();
    assert!(line.starts_with("*** "), "{line:?}");
    client.expect_eof();
}

#[test]
fn whoever_is_one_too_many_is_told_so_and_a_place_is_free_again() {
    let server = Server::start(&["--max-clients", "2"]);
    let [mut stays, mut goes] = server.room();
    for _ in 0..3 {
        let refused = server.connect();
        let address = refused.name.clone();
        expect_refusal(refused);
        server.wait_log(&format!("{address} refused"));
    }
    goes.say("quit");
    goes.expect_eof();
    stays.expect_line(&format!("*** {} left", goes.name));
    let again = server.join();
    stays.expect_line(&format!("*** {} entered", again.name));
    expect_refusal(server.connect());
    assert_eq!(
        stays.sync(),
        [""; 0],
        "nobody hears of those who could not enter"
    );
}

#[test]
fn whoever_has_left_makes_room_for_whoever_comes_after() {
    let folder = Folder::new();
    for server in [
        Server::start(&["--max-clients", "1"]),
        Server::start_unix(&folder, &["--max-clients", "1"]),
    ] {
        let mut goes = server.join();
        for _ in 0..10 {
            let mut comes = None;
            // Both are news to the server at the same time. To close it would not do: a process that another test is about
            // to start may have it too.
            server.while_paused(|| {
                goes.half_close();
                comes = Some(server.connect());
            });
            let mut comes = comes.expect("connected");
            comes.expect_line(WELCOME);
            goes = comes;
        }
    }
}

#[test]
fn whoever_speaks_before_being_refused_still_reads_why() {
    let folder = Folder::new();
    for server in [
        Server::start(&["--max-clients", "1"]),
        Server::start_unix(&folder, &["--max-clients", "1"]),
    ] {
        let _stays = server.join();
        for lines in [1, 10_000] {
            let mut refused = Vec::new();
            server.while_paused(|| {
                let client = server.connect();
                let mut writer = client.writer();
                writer.set_nonblocking(true).expect("the option");
                // As much as goes in: the rest must not matter.
                _ = writer.write(&b"hello\n".repeat(lines));
                writer.set_nonblocking(false).expect("the option");
                refused.push(client);
            });
            refused[0].expect_notice(&[]);
            refused[0].wait_end();
        }
    }
}

#[test]
fn a_full_server_keeps_whoever_is_there_undisturbed() {
    let server = Server::start(&["--max-clients", "2"]);
    let [mut one, mut two] = server.room();
    for n in 0..200 {
        let refused = server.connect();
        two.say(&format!("line {n}"));
        one.expect_line(&format!("<{}> line {n}", two.name));
        expect_refusal(refused);
    }
}

#[test]
fn a_full_bus_closes_newcomers() {
    let server = Server::start(&["--bare", "--max-clients", "2"]);
    let mut one = server.connect();
    let mut two = server.connect();
    let mut refused = server.connect();
    refused.wait_end();
    two.say("hello");
    one.expect_line("hello");
}

#[test]
fn without_a_number_the_file_limit_decides() {
    let server = Server::start_as(snug_after("ulimit -n 52"), &[]);
    let people: Vec<Client> = (0..20).map(|_| server.join()).collect();
    expect_refusal(server.connect());
    drop(people);
    server.wait_log_lines(" left: ", 20);
    server.join();
}

#[test]
fn local_people_are_not_counted_by_address() {
    let folder = Folder::new();
    for server in [
        Server::start(&["--max-per-ip", "1"]),
        Server::start_unix(&folder, &["--max-per-ip", "1"]),
    ] {
        let _people: [Client; 3] = server.room();
    }
}

#[test]
fn people_from_one_address_are_limited() {
    // Any address of this machine that is not loopback will do; a machine without a network has none.
    let server = Server::start(&["-l", "0.0.0.0:0", "--max-per-ip", "2"]);
    let Some(address) = own_address(&server) else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let join = || {
        let mut client = Client::connect(&address);
        client.expect_line(WELCOME);
        client
    };
    let (mut one, mut two) = (join(), join());
    one.expect_notice(&["entered"]);
    expect_refusal(Client::connect(&address));
    let local = server.join();
    one.expect_line("*** 127.0.0.1 entered");
    drop(local);
    one.expect_line("*** 127.0.0.1 left");
    two.say("quit");
    two.wait_end();
    one.expect_notice(&["left"]);
    join();
}

/// Where others would reach `server`: the address from which this machine speaks to the world. Nothing is sent.
fn own_address(server: &Server) -> Option<crate::harness::Address> {
    use crate::harness::Address;
    let Address::Tcp(listening) = server.address() else {
        return None;
    };
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then(|| Address::Tcp((ip, listening.port()).into()))
}

#[test]
fn addresses_can_be_hidden() {
    let server = Server::start(&["--hide-addresses"]);
    let mut one = server.join();
    let mut two = server.join();
    one.expect_line("*** guest2 entered");
    one.say("hello");
    two.expect_line("<guest1> hello");
    two.say("/me waves");
    one.expect_line("* guest2 waves");
    one.say("/who");
    let answer = one.sync().join("\n");
    assert!(
        answer.contains("guest1") && answer.contains("guest2"),
        "{answer}"
    );
    assert!(!answer.contains("127.0.0.1"), "{answer}");
}

#[test]
fn whoever_sends_commands_and_never_reads_is_not_read_for_ever() {
    let server = Server::start(&[]);
    let [mut other, client] = server.room();
    // Far more than the sockets between the two can hold.
    let question = format!("/ping {}\n", "x".repeat(4000)).repeat(100);
    let mut writer = client.writer();
    writer.set_nonblocking(true).expect("the option");
    let growth = Growth::of_peak(&server);
    // The server reads until replies are 64 KiB behind; then the sockets fill, and it has stopped when
    // a while of others' talk has not made room.
    let mut sent = 0;
    let mut full = 0;
    while full < 20 {
        match writer.write(&question.as_bytes()[sent % question.len()..]) {
            Ok(n) => (sent, full) = (sent + n, 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                full += 1;
                assert_eq!(other.sync(), [""; 0]);
            }
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 100 << 20, "the server swallows everything");
    }
    growth.expect_below(1024);
    // Nothing of it is lost when it reads at last. The last question may have gone out in part.
    let mut reader = writer.try_clone().expect("a descriptor");
    writer
        .shutdown(std::net::Shutdown::Write)
        .expect("connected");
    reader.set_nonblocking(false).expect("the option");
    let mut answers = Vec::new();
    reader
        .read_to_end(&mut answers)
        .expect("the server closes in order");
    let whole = sent / (question.len() / 100);
    let answered = answers
        .split(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(&[b'x'; 4000]));
    assert!(
        (whole..=whole + 1).contains(&answered.count()),
        "of {whole} questions"
    );
}

#[test]
fn whoever_only_sends_is_heard() {
    let server = Server::start(&["--backlog", "64K"]);
    let [mut one, mut deaf, mut two] = server.room();
    // What one says to two fills the way to the deaf one.
    let text = "x".repeat(4000);
    for _ in 0..2000 {
        one.say(&text);
        two.expect_line(&format!("<127.0.0.1> {text}"));
    }
    for n in 0..2000 {
        deaf.say(&format!("word {n}"));
        one.expect_line(&format!("<{}> word {n}", deaf.name));
    }
}
