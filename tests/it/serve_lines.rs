//! Lines of every kind: their ends, their length, their bytes.

use crate::harness::{Client, Folder, Server, WELCOME, until};
use crate::kernel::{self, Growth};
use std::fmt::Write as _;

const TOO_LONG: &str = "*** line too long: 4096 bytes at most";

/// Sends `pieces`, each in a packet of its own, and checks what another hears of them, in order.
fn check(server: &Server, pieces: &[&[u8]], expected: &[&str]) {
    let [mut other, mut client] = server.room();
    for piece in pieces {
        client.send(piece);
        // The piece has been read once the server has no more of it to read: others' lines come after it.
        settle(server, &client);
    }
    let name = client.name.clone();
    for text in expected {
        other.expect_line(&format!("<{name}> {text}"));
    }
    assert_eq!(other.sync(), [""; 0], "after {expected:?}");
    client.say("quit");
    client.wait_end();
    other.expect_line(&format!("*** {name} left"));
    other.say("quit");
    other.expect_eof();
}

/// Waits until the server has read what `client` has sent, as far as that can be seen from outside.
fn settle(server: &Server, client: &Client) {
    until("the server reads", || {
        kernel::unread(server.address(), client) == 0
    });
}

#[test]
fn lines_end_as_the_contract_says() {
    let server = Server::start(&[]);
    for (pieces, expected) in [
        (&[&b"a\nb\n"[..]][..], &["a", "b"][..]),
        (&[b"a\r\nb\r\n"], &["a", "b"]),
        (&[b"a\r", b"\nb\n"], &["a", "b"]),
        (&[b"a\r", b"b\n"], &["ab"]),
        (&[b"a\rb\n"], &["ab"]),
        (&[b"a\r\r\n"], &["a"]),
        (&[b"he", b"ll", b"o\nyou", b"\n"], &["hello", "you"]),
        (&[b"\n\r\n\n"], &["", "", ""]),
    ] {
        check(&server, pieces, expected);
    }
}

#[test]
fn what_would_act_on_a_terminal_is_taken_out() {
    let server = Server::start(&[]);
    for (line, expected) in [
        (&b"nul \0 in between"[..], "nul  in between"),
        (
            b"bell \x07 backspace \x08 delete \x7f.",
            "bell  backspace  delete .",
        ),
        (b"\x1b[31mred\x1b[0m", "[31mred[0m"),
        (b"\x1b]0;title\x07text", "]0;titletext"),
        (b"C1 in UTF-8 \xc2\x9b31m", "C1 in UTF-8 31m"),
        (b"C1 alone \x9b31m \x80\x85\x90", "C1 alone 31m "),
        ("override \u{202e}txt\u{202c}".as_bytes(), "override txt"),
        (
            "embedding \u{202a}a\u{202b}b\u{202d}".as_bytes(),
            "embedding ab",
        ),
        (
            "isolates \u{2066}a\u{2067}b\u{2068}c\u{2069}".as_bytes(),
            "isolates abc",
        ),
        (b"invalid \xff\xfe", "invalid \u{fffd}\u{fffd}"),
        (b"cut short \xe2\x82", "cut short \u{fffd}"),
        (
            b"Latin-1 gr\xfc\xdf dich",
            "Latin-1 gr\u{fffd}\u{fffd} dich",
        ),
        (b"a tab\tstays", "a tab\tstays"),
        (
            "so do marks \u{200e} and joiners \u{200d}".as_bytes(),
            "so do marks \u{200e} and joiners \u{200d}",
        ),
    ] {
        check(&server, &[&[line, b"\n"].concat()], &[expected]);
    }
}

#[test]
fn no_byte_of_a_client_acts_on_anothers_terminal() {
    let server = Server::start(&[]);
    let [mut other, mut client] = server.room();
    // All pairs of bytes but for the newline, in ordinary lines and in a few commands.
    for first in 0..=255u8 {
        let mut line = Vec::new();
        for second in (0..=255u8).filter(|&byte| byte != b'\n') {
            line.extend([b'.', if first == b'\n' { b' ' } else { first }, second]);
        }
        for start in [&b""[..], b"/me ", b"//"] {
            client.send([start, &line, b"\n"].concat());
            check_clean(&other.line());
        }
        for start in [&b"/ping "[..], b"/help ", b"/x"] {
            client.send([start, &line, b"\n"].concat());
            check_clean(&client.line());
        }
    }
    client.send(b"/quit \x1b[2J\xc2\x9b2J\x9b2J\n");
    client.expect_eof();
    check_clean(&other.line());
    for line in server.log_lines() {
        check_clean(&line);
    }
}

fn check_clean(line: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!line.contains(acts), "{line:?}");
}

#[test]
fn the_longest_line_is_exactly_the_limit() {
    let server = Server::start(&[]);
    let [mut other, mut client] = server.room();
    for end in ["\n", "\r\n"] {
        for length in [4095, 4096, 4097, 4098, 100_000] {
            client.send("x".repeat(length) + end);
            match length <= 4096 {
                true => other.expect_line(&format!("<{}> {}", client.name, "x".repeat(length))),
                false => client.expect_line(TOO_LONG),
            }
            client.say("still here");
            other.expect_line(&format!("<{}> still here", client.name));
        }
    }
    assert_eq!(client.sync(), [""; 0], "one answer for each");
}

#[test]
fn the_limit_counts_bytes_and_holds_across_packets() {
    let server = Server::start(&["--max-line", "10"]);
    let [mut other, mut client] = server.room();
    for (pieces, fits) in [
        (&["äöüäö\n"][..], true),
        (&["äöüäöx\n"], false),
        (&["12345", "67890", "\n"], true),
        (&["12345", "67890", "\r", "\n"], true),
        (&["12345", "678901", "\n"], false),
        (&["1234567890\r", "x\n"], false),
    ] {
        for piece in pieces {
            client.send(piece);
            settle(&server, &client);
        }
        match fits {
            true => {
                let line = pieces.concat();
                other.expect_line(&format!("<{}> {}", client.name, line.trim_end()));
            }
            false => client.expect_line("*** line too long: 10 bytes at most"),
        }
    }
}

#[test]
fn half_a_line_is_none() {
    let server = Server::start(&[]);
    let [mut other, mut client, mut third] = server.room();
    client.send("par");
    settle(&server, &client);
    third.say("in between");
    other.expect_line(&format!("<{}> in between", third.name));
    client.say("tial");
    other.expect_line(&format!("<{}> partial", client.name));
}

#[test]
fn a_million_empty_lines_are_a_million_lines() {
    let server = Server::start(&["--slow", "wait"]);
    let [mut other, mut client] = server.room();
    let growth = Growth::of_peak(&server);
    let chunk = [b'\n'; 10_000];
    let mut writer = client.writer();
    let sender = std::thread::spawn(move || {
        for _ in 0..100 {
            std::io::Write::write_all(&mut writer, &chunk).expect("it reads");
        }
    });
    let line = format!("<{}> \n", client.name);
    let expected = line.repeat(10_000);
    let mut buffer = vec![0; expected.len()];
    for _ in 0..100 {
        other.read_exact(&mut buffer);
        assert!(buffer == expected.as_bytes(), "{}", buffer.escape_ascii());
    }
    sender.join().expect("it could send everything");
    assert_eq!(client.sync(), [""; 0]);
    assert_eq!(other.sync(), [""; 0]);
    growth.expect_below(8 << 10);
}

#[test]
fn a_bus_passes_every_byte() {
    let server = Server::start(&["--bare"]);
    // Who connected before is in before: the queue is in order.
    let mut other = server.connect();
    let mut client = server.connect();
    let mut text: Vec<u8> = Vec::new();
    for first in 0..=255u8 {
        text.extend(
            (0..=255u8)
                .filter(|&byte| byte != b'\n')
                .flat_map(|byte| [first, byte]),
        );
        text.push(b'\n');
    }
    text.extend(b"\n\r\n\r\r\nquit\n/me waves\n//\n/quit\n*** notice\n");
    client.send(&text);
    client.send("unterminated");
    client.half_close();
    let mut heard = vec![0; text.len()];
    other.read_exact(&mut heard);
    assert!(heard == text, "{}", heard.escape_ascii());
    assert_eq!(other.next_line().as_deref(), Some(&b"unterminated"[..]));
    client.expect_eof();
    // Nothing was announced: the next is a line again.
    server.connect().say("next");
    other.expect_line("next");
}

#[test]
fn a_bus_closes_whoever_sends_too_long_a_line() {
    for end in ["", "\n"] {
        let server = Server::start(&["--bare", "--max-line", "100"]);
        let mut other = server.connect();
        let mut client = server.connect();
        client.say(&"x".repeat(100));
        other.expect_line(&"x".repeat(100));
        client.say("before");
        client.send("x".repeat(101) + end);
        client.wait_end();
        other.expect_line("before");
        server.wait_log(&format!("{} left: line too long", client.name));
        server.connect().say("after");
        other.expect_line("after");
    }
}

#[test]
fn a_partial_line_that_rests_becomes_one_if_asked_to() {
    let server = Server::start(&["--unterminated", "50"]);
    let [mut other, mut client] = server.room();
    for text in ["hello", "how are you"] {
        client.send(text);
        other.expect_line(&format!("<{}> {text}", client.name));
    }
    client.send("whole\nrests");
    other.expect_line(&format!("<{}> whole", client.name));
    other.expect_line(&format!("<{}> rests", client.name));
    client.send("/ping command");
    client.expect_notice(&["command"]);
    client.send("quit");
    client.expect_eof();
}

#[test]
fn a_bus_takes_partial_lines_too() {
    let server = Server::start(&["--bare", "--unterminated", "50"]);
    let mut other = server.connect();
    let mut client = server.connect();
    client.send("no newline");
    other.expect_line("no newline");
}

#[test]
fn lines_cut_anywhere_are_the_same_lines() {
    let server = Server::start(&["--bare"]);
    let mut other = server.connect();
    let mut client = server.connect();
    let mut text = String::new();
    for n in 0..20 {
        _ = writeln!(text, "{}", "y".repeat(n));
    }
    for step in 1..40 {
        for piece in text.as_bytes().chunks(step) {
            client.send(piece);
        }
        let mut heard = vec![0; text.len()];
        other.read_exact(&mut heard);
        assert_eq!(String::from_utf8_lossy(&heard), text, "in pieces of {step}");
    }
}

#[test]
fn a_rest_ends_a_line_at_the_door_too() {
    let folder = Folder::new();
    let password = folder.path("password");
    std::fs::write(&password, "sesame\n").expect("a file");
    let password = password.to_str().expect("UTF-8");
    let server = Server::start(&["--unterminated", "20", "--password-file", password]);
    let mut client = server.connect();
    client.expect_notice(&["password"]);
    client.send("/pass sesame");
    client.expect_line(WELCOME);
}
