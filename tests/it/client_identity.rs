//! `snug connect` as somebody, somewhere: names, rooms and passwords that are said on each new connection.

use crate::client::harness::{self as seat, Client, expect_bytes, rest_of};
use crate::harness::{self, Address, Folder, Server, run, unix};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::ChildStdout;

/// Where a server is, as `snug connect` takes it.
fn place(server: &Server) -> String {
    match server.address() {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => unix(path),
    }
}

/// Somebody with `nc` in a room, under a name.
fn listener(server: &Server, name: &str, room: &str) -> harness::Client {
    let mut listener = server.join();
    listener.say(&format!("/nick {name}"));
    listener.say(&format!("/join {room}"));
    listener.sync();
    listener
}

/// The next line that somebody gets which is not the server's own.
#[track_caller]
fn hears(listener: &mut harness::Client, expected: &str) {
    let mut line = listener.line();
    while line.starts_with("*** ") {
        line = listener.line();
    }
    assert_eq!(line, expected);
}

/// Reads what the client prints until a line is `expected`.
fn shows(stdout: &mut BufReader<ChildStdout>, expected: &str) {
    let mut line = String::new();
    while line.trim_end_matches('\n') != expected {
        line.clear();
        let n = stdout.read_line(&mut line).expect("UTF-8");
        assert!(n > 0, "the end instead of {expected:?}");
    }
}

/// A file with a password in it, for its owner alone.
fn password_file(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path(name);
    fs::write(&path, text).expect("a new file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file of ours");
    path.to_str().expect("a plain path").to_owned()
}

/// Runs `echo TEXT | snug connect ARGS`, and gives its exit code, what it printed and what it said.
fn pipe(server: &Server, args: &[&str], text: &str) -> (Option<i32>, String, Vec<String>) {
    let mut client = Client::piped(&place(server), args);
    client.type_in(text);
    client.end_input();
    let printed = rest_of(&mut client.take_stdout());
    let (code, said) = client.exit_by_itself();
    (code, printed, said)
}

#[test]
fn a_pipe_is_said_under_its_name_in_its_room() {
    let server = Server::start(&[]);
    let mut alice = listener(&server, "alice", "alerts");
    let (code, printed, said) = pipe(&server, &["-n", "bot", "-r", "alerts"], "hello\n");
    assert_eq!((code, said), (Some(0), vec![]));
    assert_eq!(
        printed,
        "Welcome to this chatroom!\n*** you are now bot\n*** you are in #alerts as bot\n"
    );
    alice.expect_line("*** bot entered");
    alice.expect_line("<bot> hello");
    alice.expect_line("*** bot left");
    let (code, printed, said) = pipe(&server, &["-Sn", "bot", "--room=#alerts"], "unterminated");
    assert_eq!((code, printed.as_str(), said), (Some(0), "", vec![]));
    hears(&mut alice, "<bot> unterminated");
}

#[test]
fn a_pipe_that_was_not_heard_ends_with_1() {
    let folder = Folder::new();
    let file = password_file(&folder, "password", "open sesame\n");
    let closed = Server::start(&["--password-file", &file]);
    let full = Server::start(&["--max-clients", "1"]);
    let _guest = full.join();
    for (server, why) in [
        (
            &closed,
            "the server has a password; say it with: --password-file FILE",
        ),
        (&full, "the server had no place for one more"),
    ] {
        for text in ["hello\n", "hello\nquit\n"] {
            let (code, printed, said) = pipe(server, &[], text);
            assert_eq!(
                (code, said),
                (Some(1), vec![format!("snug: nothing was heard: {why}")])
            );
            assert!(printed.starts_with("*** "), "{printed}");
        }
    }
    let (code, _, said) = pipe(&closed, &[], "/pass open sesame\nhello\n");
    assert_eq!((code, said), (Some(0), vec![]));
    // Whether the input has ended by then is no matter.
    let mut waits = Client::piped(&place(&full), &[]);
    waits.says("nothing was heard: the server had no place for one more");
    assert_eq!(waits.exit_by_itself().0, Some(1));
}

#[test]
fn a_pipe_that_was_not_heard_to_the_end_ends_with_1() {
    let server = Server::start(&["--rate", "1", "--burst", "1"]);
    let mut alice = server.join();
    let mut client = Client::piped(&place(&server), &[]);
    client.type_in("one\ntwo\nthree\n");
    client.end_input();
    // The others wait in the kernel until they may be said.
    alice.line();
    let line = alice.line();
    assert!(line.ends_with("> one"), "{line}");
    server.signal(Signal::TERM);
    let (code, said) = client.exit_by_itself();
    assert_eq!(code, Some(1));
    let why = "snug: the last lines may not have been heard: the server was closing";
    assert_eq!(said, [why]);
}

#[test]
fn what_is_typed_waits_for_the_answers() {
    let server = seat::Server::new();
    let folder = Folder::new();
    let file = password_file(&folder, "password", "open sesame\nnot this\n");
    let args = ["-n", "alice", "-r", "tea", "--password-file", &file];
    let mut client = Client::piped(&server.address(), &args);
    client.type_in("hello\n");
    client.end_input();
    for _ in 0..2 {
        let mut peer = server.accept();
        let all = b"/pass open sesame\n/nick alice\n/join tea\n";
        expect_bytes(&mut peer, all);
        peer.write_all(b"Welcome!\n*** the name alice is taken; choose another with: /nick NAME\n")
            .expect("it reads");
        expect_bytes(&mut peer, b"/nick alice_\n");
    }
    // The connection that was lost took nothing with it.
    let mut peer = server.accept();
    expect_bytes(&mut peer, b"/pass open sesame\n/nick alice\n/join tea\n");
    peer.write_all(b"Welcome!\n*** you are now alice\n*** you are in #tea as alice\n")
        .expect("it reads");
    assert_eq!(rest_of(&mut peer), "hello\n");
    drop(peer);
    assert_eq!(client.exit_by_itself().0, Some(0));
}

#[test]
fn without_newlines_each_command_goes_out_by_itself() {
    let server = Server::start(&["--unterminated", "1"]);
    let mut alice = listener(&server, "alice", "alerts");
    let args = ["--no-newline", "-n", "bot", "-r", "alerts"];
    let mut client = Client::piped(&place(&server), &args);
    client.type_in("hello\n");
    hears(&mut alice, "<bot> hello");
    assert_eq!(client.exit().0, Some(0));
}

#[test]
fn a_taken_name_gets_a_mark_and_is_taken_back() {
    let server = Server::start(&[]);
    let mut alice = listener(&server, "alice", "lobby");
    let mut bob = listener(&server, "bob", "lobby");
    let (code, _, said) = pipe(&server, &["-n", "Alice"], "hello\n");
    assert_eq!(code, Some(0));
    let notice = "snug: the name Alice is taken; you are Alice_ until it is free";
    assert_eq!(said, [notice]);
    hears(&mut bob, "<Alice_> hello");

    let mut client = Client::piped(&place(&server), &["-n", "alice"]);
    let mut stdout = BufReader::new(client.take_stdout());
    client.says("snug: the name alice is taken; you are alice_ until it is free");
    alice.say("quit");
    shows(&mut stdout, "*** alice left");
    shows(&mut stdout, "*** you are now alice");
    client.type_in("it is me\n");
    while bob.line() != "*** alice_ is now alice" {}
    bob.expect_line("<alice> it is me");
    let (code, said) = client.exit();
    assert_eq!((code, said.len()), (Some(0), 1), "{said:?}");
}

#[test]
fn after_a_reconnect_one_is_where_one_was() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &[]);
    let mut client = Client::piped(&place(&server), &["-n", "alice", "-r", "garden"]);
    let mut stdout = BufReader::new(client.take_stdout());
    shows(&mut stdout, "*** you are in #garden as alice");
    drop(server);
    let server = Server::start_unix(&folder, &[]);
    shows(&mut stdout, "*** you are in #garden as alice");
    client.type_in("/nick eve\n/join tea\n");
    shows(&mut stdout, "*** you are in #tea as eve");
    // This time in order.
    server.signal(Signal::TERM);
    shows(&mut stdout, "*** the server is closing");
    drop(server);
    let server = Server::start_unix(&folder, &[]);
    let mut bob = listener(&server, "bob", "tea");
    client.type_in("here again\n");
    hears(&mut bob, "<eve> here again");
    assert_eq!(client.exit().0, Some(0));
}

#[test]
fn the_password_opens_the_door() {
    let folder = Folder::new();
    let file = password_file(&folder, "password", "open sesame\r\n");
    let server = Server::start(&["--password-file", &file]);
    let mut alice = server.connect();
    alice.expect_notice(&["/pass"]);
    alice.say("/pass open sesame");
    alice.expect_line(harness::WELCOME);
    let args = ["--password-file", &file, "-n", "bot"];
    let (code, _, said) = pipe(&server, &args, "hello\n");
    assert_eq!((code, said), (Some(0), vec![]));
    hears(&mut alice, "<bot> hello");
}

#[test]
fn a_wrong_password_is_said_once_and_ends_it() {
    let folder = Folder::new();
    let right = password_file(&folder, "right", "open sesame\n");
    let wrong = password_file(&folder, "wrong", "open barley\n");
    let server = Server::start(&["--password-file", &right]);
    let args = ["--password-file", &wrong, "-n", "bot"];
    let mut client = Client::piped(&place(&server), &args);
    // It may have ended already.
    let _ = client.stdin().write_all(b"hello\n");
    let (code, said) = client.exit_by_itself();
    assert_eq!(code, Some(1));
    assert_eq!(said, [format!("snug: the password in {wrong} is wrong")]);
}

#[test]
fn a_password_file_others_can_read_is_warned_of_and_one_without_any_is_an_error() {
    let folder = Folder::new();
    let file = password_file(&folder, "password", "open sesame\n");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("a file of ours");
    let server = Server::start(&[]);
    let (code, _, said) = pipe(&server, &["--password-file", &file], "hello\n");
    assert_eq!(code, Some(0));
    assert_eq!(
        said,
        [format!(
            "snug: others can read the password in {file}; keep it yours with: chmod 600 {file}"
        )]
    );
    let empty = password_file(&folder, "empty", "\nopen sesame\n");
    let missing = folder.path("missing");
    for (file, expected) in [
        (empty.as_str(), "snug: there is no password in "),
        (
            missing.to_str().expect("a plain path"),
            "snug: cannot read the password in ",
        ),
    ] {
        let (code, printed, said) = pipe(&server, &["--password-file", file], "");
        assert_eq!((code, printed.as_str()), (Some(1), ""));
        assert!(said.len() == 1 && said[0].starts_with(expected), "{said:?}");
    }
}

#[test]
fn what_the_server_refuses_ends_it_before_anything_is_said() {
    let server = Server::start(&[]);
    let mut alice = listener(&server, "alice", "tea");
    alice.say("/key kettle");
    alice.sync();
    let mut bob = listener(&server, "bob", "lobby");
    for (args, expected) in [
        (
            ["-n", "a<b"],
            "snug: the server does not let you be a<b: a name cannot have",
        ),
        (
            ["-r", "tea"],
            "snug: the server does not let you into tea: #tea is closed; who knows its key",
        ),
        (
            ["-r", "a<b"],
            "snug: the server does not let you into a<b: the name of a room cannot have",
        ),
    ] {
        // Its input stays open: it ends by itself.
        let mut client = Client::piped(&place(&server), &args);
        // It may have ended already.
        let _ = client.stdin().write_all(b"not for the lobby\n");
        let (code, said) = client.exit_by_itself();
        assert_eq!(code, Some(1));
        assert!(said.len() == 1 && said[0].starts_with(expected), "{said:?}");
    }
    let heard = bob.sync();
    assert!(
        heard.iter().all(|line| line.starts_with("*** ")),
        "{heard:?}"
    );
}

#[test]
fn a_bus_takes_no_name() {
    for args in [["-n", "a"], ["-r", "a"], ["--password-file", "a"]] {
        let output = run(&["connect", "--bare", args[0], args[1]]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("cannot be used with --bare"), "{said}");
        assert!(said.contains("snug connect"), "{said}");
    }
    // What waits in the environment for a chat is no error.
    let server = seat::Server::new();
    let mut command = seat::snug(&server.address(), &["--bare"]);
    command.env("SNUG_NICK", "alice").env("SNUG_ROOM", "tea");
    command.stdin(std::process::Stdio::null());
    let client = Client::run(&mut command);
    assert_eq!(rest_of(&mut server.accept()), "");
    assert_eq!(client.exit().0, Some(0));
}

#[test]
fn the_environment_names_one_too() {
    let server = seat::Server::new();
    let mut command = seat::snug(&server.address(), &["-R"]);
    command.env("SNUG_NICK", "alice").env("SNUG_ROOM", "tea");
    let _client = Client::run(&mut command);
    expect_bytes(&mut server.accept(), b"/nick alice\n/join tea\n");
}

#[test]
fn what_was_typed_for_a_room_is_not_said_elsewhere_once_it_is_closed() {
    let server = seat::Server::new();
    let mut client = Client::piped(&server.address(), &["-r", "tea"]);
    let mut peer = server.accept();
    expect_bytes(&mut peer, b"/join tea\n");
    peer.write_all(b"Welcome!\n*** you are in #tea as alice\n")
        .expect("it reads");
    client.type_in("before\n");
    expect_bytes(&mut peer, b"before\n");
    drop(peer);
    client.says("lost");
    client.type_in("for tea only\nand this\n");
    let mut peer = server.accept();
    expect_bytes(&mut peer, b"/join tea\n");
    peer.write_all(b"Welcome!\n*** that is not the key\n")
        .expect("it reads");
    assert_eq!(rest_of(&mut peer), "");
    let (code, said) = client.exit_by_itself();
    assert_eq!(code, Some(1));
    let last = "snug: the 2 lines that you typed were not sent: the server does not let you into tea any \
                more: that is not the key; you are in #lobby";
    assert_eq!(said.last().map(String::as_str), Some(last));
}

#[test]
fn a_password_that_was_typed_opens_the_door_again() {
    let folder = Folder::new();
    let file = password_file(&folder, "password", "open sesame\n");
    let server = Server::start_unix(&folder, &["--password-file", &file]);
    let mut client = Client::piped(&place(&server), &["-n", "alice"]);
    let mut stdout = BufReader::new(client.take_stdout());
    client.type_in("/pass open sesame\n");
    shows(&mut stdout, "*** you are now alice");
    drop(server);
    client.says("lost");
    client.type_in("hello\n");
    let server = Server::start_unix(&folder, &["--password-file", &file]);
    shows(&mut stdout, "*** you are now alice");
    let mut bob = server.connect();
    bob.say("/pass open sesame");
    bob.say("/history");
    while !bob.line().ends_with("<alice> hello") {}
    let (code, said) = client.exit();
    assert_eq!(code, Some(0));
    assert!(!said.iter().any(|line| line.contains("sesame")), "{said:?}");
}
