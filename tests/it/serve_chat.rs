//! People, what they say, and the commands.

use crate::harness::{Client, Server, WELCOME, snug};

/// Lets the second of three say each line, and checks what the first and the third get of it; the
/// sender gets nothing.
fn check_said(lines: &[(&str, &str)]) {
    let server = Server::start(&[]);
    let [mut first, mut sender, mut third] = server.room();
    for (line, heard) in lines {
        sender.say(line);
        let heard = heard.replace("NAME", &sender.name);
        first.expect_line(&heard);
        third.expect_line(&heard);
    }
    assert_eq!(sender.sync(), [""; 0], "the sender gets nothing of its own");
}

#[test]
fn a_newcomer_is_greeted_first() {
    let server = Server::start(&[]);
    server.connect().expect_line(WELCOME);
}

#[test]
fn the_greeting_can_be_chosen() {
    let server = Server::start(&["--welcome", "Grüß Gott, 世界"]);
    server.connect().expect_line("Grüß Gott, 世界");
    let server = Server::start_as(
        {
            let mut command = snug();
            command.env("SNUG_WELCOME", "hello from the environment");
            command
        },
        &[],
    );
    server.connect().expect_line("hello from the environment");
}

#[test]
fn a_line_reaches_everybody_but_its_sender() {
    let server = Server::start(&[]);
    let [mut alone, mut second, mut third] = server.room();
    alone.say("hello");
    second.expect_line("<127.0.0.1> hello");
    third.expect_line("<127.0.0.1> hello");
    second.say("hello you");
    let answer = format!("<{}> hello you", second.name);
    alone.expect_line(&answer);
    third.expect_line(&answer);
    for client in [&mut alone, &mut second, &mut third] {
        assert_eq!(client.sync(), [""; 0]);
    }
}

#[test]
fn lines_are_heard_in_the_order_in_which_they_were_said() {
    let server = Server::start(&[]);
    let [mut one, mut two, mut left, mut right] = server.room();
    for n in 0..200 {
        one.say(&format!("one {n}"));
        two.say(&format!("two {n}"));
    }
    let left: Vec<String> = (0..400).map(|_| left.line()).collect();
    let right: Vec<String> = (0..400).map(|_| right.line()).collect();
    assert_eq!(left, right, "one order for everybody");
    for speaker in ["one", "two"] {
        let said = left
            .iter()
            .filter_map(|line| line.split_once("> "))
            .map(|(_, text)| text);
        let said: Vec<&str> = said.filter(|text| text.starts_with(speaker)).collect();
        let expected: Vec<String> = (0..200).map(|n| format!("{speaker} {n}")).collect();
        assert_eq!(said, expected);
    }
}

#[test]
fn an_address_is_a_name_once_and_free_again_afterwards() {
    let server = Server::start(&[]);
    let [mut first, mut second] = server.room();
    assert_eq!(first.name, "127.0.0.1");
    first.say("quit");
    second.expect_line("*** 127.0.0.1 left");
    let mut third = server.join();
    second.expect_line("*** 127.0.0.1 entered");
    third.say("a newcomer");
    second.expect_line("<127.0.0.1> a newcomer");
}

#[test]
fn what_is_said_and_done_has_its_form() {
    check_said(&[
        ("hello", "<NAME> hello"),
        ("", "<NAME> "),
        ("  blanks  stay ", "<NAME>   blanks  stay "),
        ("tabs\tstay", "<NAME> tabs\tstay"),
        ("Grüße, 世界 👋🏽", "<NAME> Grüße, 世界 👋🏽"),
        ("/me waves", "* NAME waves"),
        ("//me waves", "<NAME> /me waves"),
        ("//", "<NAME> /"),
        ("///", "<NAME> //"),
        (" /me is text", "<NAME>  /me is text"),
        ("quit it", "<NAME> quit it"),
        ("Quit", "<NAME> Quit"),
        (" quit", "<NAME>  quit"),
        ("*** no notice", "<NAME> *** no notice"),
    ]);
}

#[test]
fn quit_leaves() {
    let server = Server::start(&[]);
    let [mut stays, mut goes] = server.room();
    goes.say("bye");
    goes.say("quit");
    goes.expect_eof();
    stays.expect_line(&format!("<{}> bye", goes.name));
    stays.expect_line(&format!("*** {} left", goes.name));
    server.wait_log(&format!("{} left: ", goes.name));
}

#[test]
fn quit_with_a_last_word_says_it() {
    let server = Server::start(&[]);
    let [mut stays, mut goes] = server.room();
    goes.say("/quit so long");
    goes.expect_eof();
    stays.expect_notice(&[&format!("*** {} left", goes.name), "so long"]);
}

#[test]
fn nothing_is_heard_after_quit() {
    let server = Server::start(&[]);
    let [mut stays, mut goes] = server.room();
    goes.send("before\nquit\nafter\n");
    goes.expect_eof();
    stays.expect_line(&format!("<{}> before", goes.name));
    stays.expect_line(&format!("*** {} left", goes.name));
    assert_eq!(stays.sync(), [""; 0]);
}

#[test]
fn coming_and_going_is_announced() {
    let server = Server::start(&[]);
    let [mut stays] = server.room();
    let goes = server.join();
    let name = goes.name.clone();
    stays.expect_line(&format!("*** {name} entered"));
    server.wait_log(&format!("{name} came"));
    drop(goes);
    stays.expect_line(&format!("*** {name} left"));
    server.wait_log(&format!("{name} left: closed by peer"));
}

#[test]
fn rooms_over_a_hundred_are_spared_the_announcements() {
    let server = Server::start(&[]);
    let [mut first] = server.room();
    let mut people: Vec<Client> = Vec::new();
    for _ in 2..=100 {
        people.push(server.join());
        let name = &people[people.len() - 1].name;
        first.expect_line(&format!("*** {name} entered"));
    }
    let mut over = [server.join(), server.join()];
    // The last is in, or it would not be greeted; so a notice would stand before this.
    assert_eq!(
        first.sync(),
        [""; 0],
        "the 101st and the 102nd enter unannounced"
    );
    over[1].say("quit");
    over[1].wait_end();
    assert_eq!(first.sync(), [""; 0], "one of 102 leaves unannounced");
    over[0].say("quit");
    over[0].wait_end();
    // Of 101 people one left; whether that is told is between the two rules.
    first.sync();
    let mut last = people.remove(50);
    last.say("quit");
    last.wait_end();
    first.expect_line(&format!("*** {} left", last.name));
}

#[test]
fn ping_is_answered_to_who_asks() {
    let server = Server::start(&[]);
    let [mut other, mut asks] = server.room();
    asks.say("/ping");
    asks.expect_notice(&[]);
    asks.say("/ping are you there");
    asks.expect_notice(&["are you there"]);
    assert_eq!(other.sync(), [""; 0]);
}

#[test]
fn who_names_everybody_once() {
    let server = Server::start(&[]);
    let [mut first, second, third] = server.room();
    first.say("/who");
    let answer = first.sync().join("\n");
    for line in answer.lines() {
        assert!(line.starts_with("*** "), "{line:?}");
    }
    assert!(answer.contains("#lobby"), "{answer}");
    for name in [&second.name, &third.name] {
        assert_eq!(answer.matches(name.as_str()).count(), 1, "{answer}");
    }
    assert_eq!(answer.matches("127.0.0.1").count(), 3, "{answer}");
}

#[test]
fn who_names_a_thousand_people() {
    let server = Server::start(&[]);
    let people: Vec<Client> = (0..1000).map(|_| server.join()).collect();
    let mut asks = server.join();
    asks.say("/who");
    let answer = asks.sync();
    for person in &people[1..] {
        let named = answer
            .iter()
            .filter(|line| line.contains(&person.name))
            .count();
        assert_eq!(named, 1, "{}", person.name);
    }
}

#[test]
fn help_lists_the_commands_and_explains_one() {
    let server = Server::start(&[]);
    let [mut asks] = server.room();
    asks.say("/help");
    let all = asks.sync();
    for command in ["/help", "/me", "/ping", "/quit", "/who"] {
        assert!(
            all.iter().any(|line| line.contains(command)),
            "{command} in {all:?}"
        );
    }
    for question in ["/help me", "/help /me"] {
        asks.say(question);
        let one = asks.sync();
        assert!(!one.is_empty() && one.len() < all.len(), "{one:?}");
        assert!(one.iter().all(|line| line.starts_with("*** ")), "{one:?}");
        assert!(one[0].contains("/me"), "{one:?}");
    }
}

#[test]
fn what_is_wrong_with_a_command_is_said_and_the_connection_stays() {
    let server = Server::start(&[]);
    let [mut other, mut client] = server.room();
    for (line, parts) in [
        ("/nosuch thing", &["/nosuch", "/help"][..]),
        ("/", &["/help"]),
        ("/me", &["/me"]),
        ("/me   ", &["/me"]),
        ("/help nosuch", &["nosuch"]),
    ] {
        client.say(line);
        client.expect_notice(parts);
        assert_eq!(client.sync(), [""; 0], "one line for {line:?}");
    }
    client.say("still here");
    other.expect_line(&format!("<{}> still here", client.name));
}

#[test]
fn replies_and_lines_come_in_the_order_in_which_they_arose() {
    let server = Server::start(&[]);
    let [mut one, mut two] = server.room();
    for n in 0..100 {
        two.say(&format!("line {n}"));
        two.sync();
        one.say(&format!("/ping reply {n}"));
        one.expect_line(&format!("<{}> line {n}", two.name));
        one.expect_notice(&[&format!("reply {n}")]);
    }
}

#[test]
fn whoever_half_closes_is_heard_to_the_end() {
    let server = Server::start(&[]);
    let [mut other, mut client] = server.room();
    client.send("one\ntwo\nunterminated");
    client.half_close();
    for text in ["one", "two", "unterminated"] {
        other.expect_line(&format!("<{}> {text}", client.name));
    }
    other.expect_line(&format!("*** {} left", client.name));
    client.expect_eof();
    server.wait_log(&format!("{} left: closed by peer", client.name));
}

#[test]
fn a_client_that_connects_speaks_and_closes_is_heard() {
    let server = Server::start(&[]);
    let [mut other] = server.room();
    for n in 0..50 {
        let mut client = server.connect();
        client.send(format!("number {n}"));
        client.half_close();
        let name = client.name.clone();
        client.expect_line(WELCOME);
        client.expect_eof();
        other.expect_line(&format!("*** {name} entered"));
        other.expect_line(&format!("<{name}> number {n}"));
        other.expect_line(&format!("*** {name} left"));
    }
}

#[test]
fn what_was_queued_is_written_before_the_close() {
    let server = Server::start(&[]);
    let [mut client] = server.room();
    // More than the sockets' buffers take, so that it must wait for its reader; and more than 64 KiB of
    // replies, so that the server stops reading in between.
    let text = "x".repeat(4000);
    let mut writer = client.writer();
    let sender = std::thread::spawn({
        let text = text.clone();
        move || {
            use std::io::Write;
            for n in 0..3000 {
                writer
                    .write_all(format!("/ping {n:05} {text}\n").as_bytes())
                    .expect("it reads");
            }
            writer
                .shutdown(std::net::Shutdown::Write)
                .expect("connected");
        }
    });
    for n in 0..3000 {
        client.expect_notice(&[&format!("{n:05} {text}")]);
    }
    client.expect_eof();
    sender.join().expect("it could send everything");
}

#[test]
fn whoever_leaves_gets_what_was_said_before() {
    let server = Server::start(&[]);
    for last_word in ["quit\n", "/quit so long\n"] {
        let [mut stays, mut speaks, mut goes] = server.room();
        server.while_paused(|| {
            speaks.say("before");
            goes.send(last_word);
            speaks.say("after");
        });
        // Whichever was read first: all that the room heard before the leave, the leaver heard too.
        let left = format!("*** {} left", goes.name);
        loop {
            let line = stays.line();
            if line.starts_with(&left) {
                break;
            }
            goes.expect_line(&line);
        }
        goes.expect_eof();
        for client in [&mut speaks, &mut stays] {
            client.say("quit");
            client.wait_end();
        }
    }
}

#[test]
fn all_that_happens_in_one_turn_happens_in_order() {
    let server = Server::start(&[]);
    let [mut stays] = server.room();
    for round in 0..20 {
        let mut people: Vec<Client> = (0..10).map(|_| server.join()).collect();
        server.while_paused(|| {
            for (n, mut person) in people.drain(..).enumerate() {
                person.say(&format!("word {n}"));
                match (n + round) % 4 {
                    0 => drop(person),
                    1 => person.reset(),
                    2 => person.say("quit"),
                    _ => person.half_close(),
                }
                server.connect().say("a visitor");
            }
        });
        // All of them have gone when those who came last have: nobody comes in between.
        let (mut entered, mut left) = (Vec::new(), Vec::new());
        while left.len() < 20 {
            let line = stays.line();
            if let Some(name) = line.strip_suffix(" entered") {
                entered.push(name.to_owned());
            } else if let Some(name) = line.strip_suffix(" left") {
                assert!(
                    entered.contains(&name.to_owned()),
                    "{name} left without entering"
                );
                left.push(name.to_owned());
            } else {
                // Nobody speaks before they enter or after they leave.
                let (name, text) = line.split_once("> ").expect("somebody's words");
                let name = name.replacen('<', "*** ", 1);
                assert!(entered.contains(&name) && !left.contains(&name), "{line:?}");
                assert!(text.starts_with("word") || text == "a visitor", "{line:?}");
            }
        }
        assert_eq!(entered.len(), 20);
        assert_eq!(stays.sync(), [""; 0]);
    }
}
