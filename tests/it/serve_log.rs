//! What the log tells of people.

use crate::harness::{Folder, Server, snug};
use rustix::process::Signal;
use std::fs;

/// The lines of a log from one with `first` in it on, without their times.
fn lines_from(server: &Server, first: &str) -> Vec<String> {
    let lines = server.log_lines();
    let lines = lines.iter().skip_while(|line| !line.contains(first));
    // The date and the time.
    let text = |line: &String| line.splitn(3, ' ').nth(2).expect("two blanks").to_owned();
    lines.map(text).collect()
}

/// A server with passwords, on which an admin called `alice` sees to a `bob`, who said a wrong one. What the log says,
/// where they are `A` and `B`.
fn check_log(level: &str, expected: &[&str]) {
    let folder = Folder::new();
    for (name, password) in [("password", "sesame"), ("admin", "root")] {
        fs::write(folder.path(name), password).expect("written");
    }
    let path = |name| folder.path(name).to_str().expect("UTF-8").to_owned();
    let (password, admin) = (path("password"), path("admin"));
    let server = Server::start(&[
        "--log-level",
        level,
        "--password-file",
        &password,
        "--admin-password-file",
        &admin,
    ]);
    let mut alice = server.connect();
    for line in [
        "/pass sesame",
        "/nick alice",
        "/admin root",
        "/wall hear, hear",
    ] {
        alice.say(line);
    }
    alice.sync();
    let mut bob = server.connect();
    bob.say("/pass semolina\x1b[31m");
    bob.expect_notice(&["password"]);
    bob.expect_notice(&["not the password"]);
    bob.say("quit");
    bob.expect_eof();
    alice.say("a line that is nobody's business");
    alice.say("quit");
    alice.wait_end();
    server.wait_log("(alice) left: quit");
    let names = [(alice.name.clone(), "A"), (bob.name.clone(), "B")];
    let shown = |mut line: String| {
        for (name, letter) in &names {
            line = line.replace(name, letter);
        }
        line
    };
    let lines = lines_from(&server, &format!("{} came", alice.name));
    let lines: Vec<String> = lines.into_iter().map(shown).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_log_tells_who_came_and_went_and_what_admins_did() {
    check_log(
        "info",
        &[
            "INFO  A came",
            "INFO  A (alice) became an admin",
            "INFO  A (alice) said to all: hear, hear",
            "INFO  B came",
            "WARN  B said a wrong password",
            "INFO  B left: quit",
            "INFO  A (alice) left: quit",
        ],
    );
}

#[test]
fn in_detail_the_log_tells_who_is_called_what() {
    check_log(
        "debug",
        &[
            "INFO  A came",
            "DEBUG A is called alice now",
            "INFO  A (alice) became an admin",
            "INFO  A (alice) said to all: hear, hear",
            "INFO  B came",
            "WARN  B said a wrong password",
            "INFO  B left: quit",
            "INFO  A (alice) left: quit",
        ],
    );
}

#[test]
fn guests_are_logged_with_their_address() {
    let server = Server::start(&["--hide-addresses"]);
    let mut guest = server.join();
    let name = guest.name.clone();
    guest.say("quit");
    guest.expect_eof();
    server.wait_log(&format!("{name} (guest1) left: quit"));
    let other = server.join();
    let name = other.name.clone();
    drop(other);
    server.wait_log(&format!("{name} (guest1) left: closed by peer"));
}

#[test]
fn a_hangup_signal_is_logged() {
    let folder = Folder::new();
    let path = folder.path("transcript");
    let path = path.to_str().expect("UTF-8");
    let server = Server::start_as(snug(), &["--transcript", path]);
    server.signal(Signal::HUP);
    server.wait_log("a hangup signal: opening the transcript anew");
    let server = Server::start(&[]);
    server.signal(Signal::HUP);
    server.wait_log("a hangup signal: there is no transcript to open anew");
}

#[test]
fn what_cannot_be_read_of_the_environment_is_logged_and_the_rest_counts() {
    let mut command = snug();
    command.env("RUST_LOG", "snug::hub=debug,loud\x1b[31m");
    let server = Server::start_as(command, &[]);
    server.wait_log("WARN  RUST_LOG: 'loud[31m' is passed over; write a level such as debug");
    let mut client = server.join();
    client.say("/nick alice");
    server.wait_log("DEBUG ");
}
