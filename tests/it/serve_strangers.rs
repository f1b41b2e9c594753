//! Those who come to the wrong port: other protocols, and telnet clients, which are not quite wrong.

use crate::harness::{PATIENCE, Server, WELCOME};
use std::io::Write as _;
use std::time::Instant;

/// What real programs begin with, and what the log calls it.
const STRANGERS: [(&[u8], &str); 7] = [
    (
        b"\x16\x03\x01\0\xc4\x01\0\0\xc0\x03\x03\x0a\n\r\nquit\n",
        "TLS",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: localhost:9999\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        "HTTP",
    ),
    (
        b"POST /a/b?c HTTP/1.0\r\nContent-Length: 6\r\n\r\nhello\n",
        "HTTP",
    ),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH"),
    (b"*1\r\n$4\r\nPING\r\n", "the protocol of Redis"),
    (b"*\0AAAA\nAAAA", "the protocol of Redis"),
];

/// Sends each stranger's words in pieces of so many bytes. It is told that this is a chat, and the others hear
/// nothing but that somebody came and went.
fn check_strangers(piece: usize) {
    let server = Server::start(&[]);
    let [mut stays] = server.room();
    for (words, protocol) in STRANGERS {
        let mut stranger = server.join();
        stays.expect_line(&format!("*** {} entered", stranger.name));
        let mut writer = stranger.writer();
        for piece in words.chunks(piece) {
            // It may be gone before the end.
            _ = writer.write_all(piece);
        }
        stranger.expect_line(&format!(
            "*** {protocol} is not spoken here: this is a chat of plain lines; join it with nc or snug connect"
        ));
        stranger.expect_eof();
        stays.expect_line(&format!("*** {} left", stranger.name));
        assert_eq!(stays.sync(), [""; 0]);
        server.wait_log(&format!("{} left: it spoke {protocol}", stranger.name));
    }
}

#[test]
fn strangers_are_told_so_and_nobody_hears_them() {
    check_strangers(usize::MAX);
}

#[test]
fn strangers_are_known_however_their_words_come() {
    check_strangers(1);
    check_strangers(7);
}

#[test]
fn a_stranger_without_end_is_closed_and_costs_nobody_anything() {
    let server = Server::start(&[]);
    let [mut stays] = server.room();
    let mut stranger = server.connect();
    stays.expect_notice(&["entered"]);
    let mut writer = stranger.writer();
    writer.write_all(b"*\0").expect("it is there");
    let start = Instant::now();
    while writer.write_all(&[b'A'; 64 << 10]).is_ok() {
        assert!(start.elapsed() < PATIENCE, "it is read for ever");
    }
    stays.expect_notice(&["left"]);
    assert_eq!(stays.sync(), [""; 0]);
    stranger.wait_end();
}

#[test]
fn what_looks_like_another_protocol_later_is_talk() {
    let server = Server::start(&[]);
    let [mut stays, mut talks] = server.room();
    talks.say("HELLO EVERYBODY");
    stays.expect_line(&format!("<{}> HELLO EVERYBODY", talks.name));
    for line in ["GET / HTTP/1.1", "SSH-2.0-OpenSSH_9.2", "*1\r", "\x16\x03"] {
        talks.say(line);
        let text: String = line.chars().filter(|c| !c.is_control()).collect();
        stays.expect_line(&format!("<{}> {text}", talks.name));
    }
}

#[test]
fn at_the_door_strangers_are_known_too() {
    let folder = crate::harness::Folder::new();
    let file = folder.path("password");
    std::fs::write(&file, "sesame\n").expect("written");
    let server = Server::start(&["--password-file", file.to_str().expect("UTF-8")]);
    let mut stranger = server.connect();
    stranger.send("GET / HTTP/1.1\r\n\r\n");
    stranger.expect_notice(&["password"]);
    stranger.expect_notice(&["HTTP is not spoken here"]);
    stranger.expect_eof();
}

#[test]
fn a_bus_relays_whatever_it_is() {
    let server = Server::start(&["--bare"]);
    for (words, _) in STRANGERS {
        let mut reader = server.connect();
        let mut sender = server.connect();
        sender.send("before\n");
        reader.expect_line("before");
        sender.send(words);
        sender.send("\n");
        let mut heard = vec![0; words.len() + 1];
        reader.read_exact(&mut heard);
        assert!(heard.starts_with(words));
    }
    let mut telnet = server.connect();
    telnet.send(b"\xff\xf4\xff\xfd\x06");
    telnet.half_close();
    telnet.expect_eof();
}

#[test]
fn a_telnet_client_can_talk() {
    let server = Server::start(&[]);
    let [mut stays] = server.room();
    let mut telnet = server.connect();
    stays.expect_notice(&["entered"]);
    telnet.send(b"\xff\xfb\x1f\xff\xfd\x03\xff\xfa\x1f\0\x50\0\x18\xff\xf0/nick alice\r\n");
    telnet.expect_line(WELCOME);
    telnet.expect_line("*** you are now alice");
    stays.expect_notice(&["is now alice"]);
    // Ctrl-C, after which it shows nothing before it is answered, and then a line.
    telnet.send(b"\xff\xf4\xff\xfd\x06");
    let answer = telnet.next_line();
    assert_eq!(
        answer.as_deref(),
        Some(&b"\xff\xfc\x06*** to leave, type quit"[..])
    );
    telnet.send("hello\r\n");
    stays.expect_line("<alice> hello");
    telnet.send(b"\xff is a letter, \xff\xff too\r\n");
    stays.expect_line("<alice> \u{fffd} is a letter, \u{fffd} too");
    telnet.send(b"\xff\xf1quit\r\n");
    stays.expect_line("*** alice left");
    telnet.expect_eof();
}

#[test]
fn what_says_nothing_is_no_line_because_it_ends() {
    let server = Server::start(&[]);
    let [mut listens] = server.room();
    for bytes in [
        &b"\xFF\xFD\x01\xFF\xFB\x1F"[..],
        b"\r",
        b"\x1B",
        b"\xFF\xFA\x18",
    ] {
        let mut client = server.join();
        listens.expect_line(&format!("*** {} entered", client.name));
        client.send(bytes);
        client.half_close();
        client.expect_eof();
        listens.expect_line(&format!("*** {} left", client.name));
    }
}
