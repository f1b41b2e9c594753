//! The rules by small scripts: who comes from where, who says what, and what everybody is told.

use super::*;

fn settings(hide_addresses: bool) -> Settings {
    Settings {
        welcome: "hi".into(),
        hide_addresses,
    }
}

fn from(ip: &str, port: u16) -> Origin {
    let ip = ip.parse().expect("an address");
    Origin::Ip { ip, port }
}

/// An event in short: `#1: <a> text` to the room but for person 1, `1: text` to person 1 alone.
fn render(event: Event<'_>) -> String {
    match event {
        Event::Publish { author, said, .. } => {
            let author = author.map_or(String::new(), |id| id.to_string());
            match said {
                Said::Text { name, text } => format!("#{author}: <{name}> {text}"),
                Said::Action { name, text } => format!("#{author}: * {name} {text}"),
                Said::Entered { name } => format!("#{author}: {name} entered"),
                Said::Left { name, text } => {
                    format!("#{author}: {name} left {text}").trim_end().into()
                }
            }
        }
        Event::Tell { to, notice } => match notice {
            Notice::Welcome(text) => format!("{to}: {text}"),
            Notice::Pong(text) => format!("{to}: pong {text}").trim_end().into(),
            Notice::Present { room, people } => format!("{to}: {people} in {room}"),
            Notice::Person { name, is_you, idle } => {
                format!("{to}: {name}{} {idle}", if is_you { " you" } else { "" })
            }
            Notice::Help { usage, .. } => format!("{to}: {usage}"),
            Notice::UnknownCommand(word) => format!("{to}: no /{word}"),
            Notice::Usage(usage) => format!("{to}: usage {usage}"),
            Notice::LineTooLong(max) => format!("{to}: over {max}"),
            Notice::Closing => format!("{to}: closing"),
        },
        Event::Enter { person, room } => format!("{person} in {room}"),
        Event::Leave { person, room } => format!("{person} out of {room}"),
        Event::Dismiss { person } => format!("{person} dismissed"),
    }
}

/// The events of one call.
fn events(call: impl FnOnce(&mut dyn FnMut(Event<'_>))) -> Vec<String> {
    let mut out = Vec::new();
    call(&mut |event| out.push(render(event)));
    out
}

fn arrive(chat: &mut Chat, id: PersonId, origin: Origin) -> Vec<String> {
    let out = events(|mut emit| chat.arrive(id, origin, 0, &mut emit));
    chat.check_invariants();
    out
}

fn depart(chat: &mut Chat, id: PersonId) -> Vec<String> {
    let out = events(|mut emit| chat.depart(id, "", &mut emit));
    chat.check_invariants();
    out
}

/// A room of people from `10.0.0.0` on; what each command in turn brings about.
#[track_caller]
fn check(people: u8, commands: &[(PersonId, Command<'_>)], expected: &[&str]) {
    let mut chat = Chat::new(settings(false));
    for id in 0..people {
        arrive(&mut chat, id.into(), from(&format!("10.0.0.{id}"), 7));
    }
    let out = events(|mut emit| {
        for (id, command) in commands {
            let listing = chat.command(*id, *command, 5_000, &mut emit);
            let rest =
                listing.and_then(|listing| chat.list(*id, listing, 9_000, || true, &mut emit));
            assert_eq!(rest, None);
        }
    });
    chat.check_invariants();
    assert_eq!(out, expected);
}

/// The names that people from such places get, one after the other.
#[track_caller]
fn check_names(hide_addresses: bool, origins: &[Origin], expected: &[&str]) {
    let mut chat = Chat::new(settings(hide_addresses));
    for (id, &origin) in origins.iter().enumerate() {
        arrive(&mut chat, id as PersonId, origin);
    }
    let names: Vec<_> = (0..origins.len())
        .filter_map(|id| chat.name(id as PersonId))
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn people_are_called_by_their_address() {
    let four = from("192.168.1.7", 40_000);
    check_names(false, &[four], &["192.168.1.7"]);
    check_names(
        false,
        &[
            four,
            from("192.168.1.7", 40_001),
            from("192.168.1.7", 40_002),
        ],
        &["192.168.1.7", "192.168.1.7:40001", "192.168.1.7:40002"],
    );
    check_names(
        false,
        &[
            from("fe80::1", 7),
            from("fe80::1", 8),
            Origin::Unix { number: 3 },
        ],
        &["fe80::1", "[fe80::1]:8", "unix:3"],
    );
    check_names(
        true,
        &[four, four, Origin::Unix { number: 3 }],
        &["guest1", "guest2", "guest3"],
    );
}

#[test]
fn a_name_is_free_again_when_its_bearer_has_left() {
    let (first, second) = (from("10.0.0.1", 7), from("10.0.0.1", 8));
    let mut chat = Chat::new(settings(false));
    arrive(&mut chat, 0, first);
    arrive(&mut chat, 1, second);
    depart(&mut chat, 0);
    arrive(&mut chat, 0, first);
    assert_eq!(chat.name(0), Some("10.0.0.1"));
    assert_eq!(chat.name(1), Some("10.0.0.1:8"));
    depart(&mut chat, 0);
    assert_eq!(depart(&mut chat, 0), [""; 0], "nobody leaves twice");
    assert_eq!(chat.people(), 1);
}

#[test]
fn guests_are_numbered_anew_when_all_have_left() {
    let mut chat = Chat::new(settings(true));
    let anywhere = from("10.0.0.1", 7);
    arrive(&mut chat, 0, anywhere);
    arrive(&mut chat, 1, anywhere);
    depart(&mut chat, 0);
    arrive(&mut chat, 0, anywhere);
    assert_eq!(
        chat.name(0),
        Some("guest3"),
        "guest1 is not given to another while people remember"
    );
    depart(&mut chat, 0);
    depart(&mut chat, 1);
    arrive(&mut chat, 0, anywhere);
    assert_eq!(chat.name(0), Some("guest1"));
}

#[test]
fn coming_and_going() {
    let mut chat = Chat::new(settings(false));
    assert_eq!(
        arrive(&mut chat, 4, from("10.0.0.1", 7)),
        ["4: hi", "#4: 10.0.0.1 entered", "4 in 0"]
    );
    assert_eq!(depart(&mut chat, 4), ["4 out of 0", "#: 10.0.0.1 left"]);
    assert_eq!(chat.people(), 0);
}

#[test]
fn comings_and_goings_of_up_to_a_hundred_are_announced() {
    let is_announced = |events: Vec<String>| events.iter().any(|event| event.starts_with('#'));
    let mut chat = Chat::new(settings(true));
    for id in 0..100 {
        assert!(
            is_announced(arrive(&mut chat, id, from("10.0.0.1", 7))),
            "{id}"
        );
    }
    for id in 100..103 {
        assert!(
            !is_announced(arrive(&mut chat, id, from("10.0.0.1", 7))),
            "{id}"
        );
    }
    for id in 100..103 {
        assert!(!is_announced(depart(&mut chat, id)), "{id}");
    }
    assert!(is_announced(depart(&mut chat, 7)), "of a hundred, one more");
}

#[test]
fn talk_and_commands() {
    check(
        2,
        &[
            (0, Command::Say("hello")),
            (1, Command::Say("")),
            (0, Command::Act("waves")),
            (0, Command::Act("")),
            (1, Command::Ping("")),
            (1, Command::Ping("a b")),
            (1, Command::Unknown("nock")),
        ],
        &[
            "#0: <10.0.0.0> hello",
            "#1: <10.0.0.1> ",
            "#0: * 10.0.0.0 waves",
            "0: usage /me TEXT",
            "1: pong",
            "1: pong a b",
            "1: no /nock",
        ],
    );
}

#[test]
fn help_lists_all_or_explains_one() {
    let all = [
        "0: /help [COMMAND]",
        "0: /me TEXT",
        "0: /ping [TEXT]",
        "0: /quit [TEXT]",
        "0: /who",
        "0: //TEXT",
    ];
    check(1, &[(0, Command::Help(""))], &all);
    check(1, &[(0, Command::Help("Me"))], &["0: /me TEXT"]);
    check(1, &[(0, Command::Help("/me"))], &["0: /me TEXT"]);
    check(1, &[(0, Command::Help("nock"))], &["0: no /nock"]);
}

#[test]
fn quitting_is_leaving_with_a_last_word() {
    let last_word = [(0, Command::Quit("bye")), (0, Command::Say("too late"))];
    check(
        2,
        &last_word,
        &["0 out of 0", "#: 10.0.0.0 left bye", "0 dismissed"],
    );
}

#[test]
fn who_says_who_is_here_and_since_when_silent() {
    check(
        3,
        &[(1, Command::Say("x")), (2, Command::Who)],
        &[
            "#1: <10.0.0.1> x",
            "2: 3 in #lobby",
            "2: 10.0.0.0 9000",
            "2: 10.0.0.1 4000",
            "2: 10.0.0.2 you 4000",
        ],
    );
}

#[test]
fn a_listing_in_pieces_names_everybody_who_stays_exactly_once() {
    let mut chat = Chat::new(settings(true));
    for id in 0..9 {
        arrive(&mut chat, id, from("10.0.0.1", 7));
    }
    let mut listing = chat.command(8, Command::Who, 0, &mut |_| {});
    let mut named = Vec::new();
    let mut pieces = 0;
    while let Some(rest) = listing {
        let mut room = 2;
        let more = || {
            room -= 1;
            room >= 0
        };
        listing = chat.list(8, rest, 0, more, &mut |event| named.push(render(event)));
        pieces += 1;
        match pieces {
            // One who was named goes and another comes in its place; one who was not yet named goes.
            1 => {
                depart(&mut chat, 1);
                arrive(&mut chat, 1, from("10.0.0.1", 7));
                depart(&mut chat, 5);
            }
            2 => _ = arrive(&mut chat, 5, from("10.0.0.1", 7)),
            _ => {}
        }
    }
    let expected: Vec<String> = [1, 2, 3, 4, 5, 11, 7, 8, 9]
        .map(|guest| format!("8: guest{guest}{} 0", if guest == 9 { " you" } else { "" }))
        .to_vec();
    assert_eq!(named, expected);
    assert_eq!(pieces, 5);
}
