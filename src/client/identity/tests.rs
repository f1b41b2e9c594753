//! Scripts: what happens, and what comes of it. `connect`, `+SECONDS`, `/COMMAND` by the user and `< LINE` from the server; then
//! `> COMMAND`, `! NEWS`, `? NEWS` with what was typed given up, and `x END` from the identity, and `-` where what was typed must wait from then on, `=`
//! where it may go.

use super::*;
use crate::address::Address;
use crate::client::Color;

fn config(nick: &str, room: &str, password: &str) -> Config {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Config {
        address: Address::connect("9999").expect("an address"),
        bare: false,
        receive_only: false,
        send_only: false,
        no_newline: false,
        timestamps: false,
        color: Color::Never,
        reconnect: true,
        bell: false,
        nick: given(nick),
        room: given(room),
        password: given(password).map(|text| Password {
            text,
            file: "FILE".into(),
        }),
    }
}

/// Plays what happens in `script`, and compares the rest of it with what comes of that.
#[track_caller]
fn check(config: Config, script: &str) {
    let mut identity = Identity::new(&config);
    let mut now = Instant::now();
    let mut played = Vec::new();
    let mut was_settled = true;
    for event in script.lines().map(str::trim) {
        let mut actions = Vec::new();
        match event.split_at_checked(1) {
            Some(("c", _)) => identity.connected(now, &mut actions),
            Some(("/", _)) => {
                let mut secrets = Secrets::default();
                secrets.note(&heard::meant(event.as_bytes(), &mut Vec::new()).expect("a secret"));
                identity.said(secrets);
            }
            Some(("<", line)) => identity.line(line.trim_start().as_bytes(), now, &mut actions),
            Some(("+", seconds)) => {
                let until = now + Duration::from_secs(seconds.parse().expect("a number"));
                while let Some(at) = identity.deadline().filter(|at| *at <= until) {
                    identity.tick(at, &mut actions);
                    assert!(identity.deadline().is_none_or(|next| next > at), "it spins");
                }
                now = until;
            }
            _ => continue,
        }
        played.push(event.to_owned());
        played.extend(actions.into_iter().map(|action| match action {
            Action::Send(line) => format!("> {line}"),
            Action::Say(text) => format!("! {text}"),
            Action::GiveUp(text) => format!("? {text}"),
            Action::Fail(text) => format!("x {text}"),
        }));
        if identity.is_settled() != was_settled {
            was_settled = !was_settled;
            played.push(if was_settled { "=" } else { "-" }.to_owned());
        }
    }
    let expected: Vec<&str> = script
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    assert_eq!(played, expected);
    assert_eq!(identity.deadline(), None, "idle costs nothing");
}

const TAKEN: &str = "is taken; choose another with: /nick NAME";

#[test]
fn with_nothing_to_say_nothing_is_said() {
    check(
        config("", "", ""),
        "connect
         < Welcome to this chatroom!
         < *** alice left
         < *** a name cannot be empty
         < *** that is not the password
         +100000
         connect
         -
         < Welcome to this chatroom!
         =",
    );
}

#[test]
fn what_was_typed_meanwhile_is_not_for_a_server_that_is_full() {
    check(
        config("", "", ""),
        "connect
         < Welcome to this chatroom!
         connect
         -
         < *** the server is full: 1 person at most; try again later
         connect
         < *** too many connections from your address: 1 at most; close one first
         connect
         +4
         +1
         =
         connect
         -
         < Welcome to this chatroom!
         =",
    );
}

#[test]
fn all_is_said_in_its_order_and_again_after_a_reconnect() {
    check(
        config("alice", "garden", "secret"),
        "connect
         > /pass secret
         > /nick alice
         > /join garden
         -
         < *** this server has a password; say it with: /pass PASSWORD
         < Welcome!
         < <bob> hi
         < *** you are now alice
         < *** you are in #garden as alice
         =
         +1000
         connect
         > /pass secret
         > /nick alice
         > /join garden
         -
         < *** you are in already; no password is needed
         < *** you are now alice
         < *** you are in #garden already
         =",
    );
}

#[test]
fn a_server_that_does_not_answer_is_spoken_to_in_the_end() {
    check(
        config("alice", "", ""),
        "connect
         > /nick alice
         -
         +4
         +1
         =
         < *** you are now alice",
    );
}

#[test]
fn a_server_that_answers_late_has_answered() {
    check(
        config("alice", "tea", ""),
        "connect
         > /nick alice
         > /join tea
         -
         +5
         =
         < *** you are now alice
         < *** you are in #tea as alice
         connect
         > /nick alice
         > /join tea
         -
         < *** you are now alice
         < *** that is not the key
         ? the server does not let you into tea any more: that is not the key; you are in #lobby
         =",
    );
}

#[test]
fn a_taken_name_is_taken_back_when_it_is_free() {
    for gone in [
        "Alice left",
        "alice left: bye",
        "alice is now eve",
        "alice was thrown out by bob: enough",
    ] {
        check(
            config("alice", "", ""),
            &format!(
                "connect
                 > /nick alice
                 -
                 < *** the name alice {TAKEN}
                 > /nick alice_
                 < *** the name alice_ {TAKEN}
                 > /nick alice__
                 < *** you are now alice__
                 ! the name alice is taken; you are alice__ until it is free
                 =
                 < *** alice_ left
                 < *** {gone}
                 > /nick alice
                 < *** you are now alice
                 < *** alice left
                 +100000"
            ),
        );
    }
}

#[test]
fn it_is_asked_for_at_growing_intervals_until_the_user_wants_another() {
    check(
        config("alice", "", ""),
        &format!(
            "connect
             > /nick alice
             -
             < *** the name alice {TAKEN}
             > /nick alice_
             < *** you are now alice_
             ! the name alice is taken; you are alice_ until it is free
             =
             +29
             +1
             > /nick alice
             +1000
             < *** the name alice {TAKEN}
             +59
             +1
             > /nick alice
             < *** the name alice {TAKEN}
             < *** the name alice {TAKEN}
             +119
             < *** alice left
             > /nick alice
             < *** the name alice {TAKEN}
             +1
             > /nick alice
             < *** you are now bob
             < *** the name alice {TAKEN}
             +100000
             < *** alice left
             connect
             > /nick bob
             -
             < *** you are now bob
             ="
        ),
    );
}

#[test]
fn a_name_that_becomes_free_before_the_other_is_borne_is_asked_for_at_once() {
    check(
        config("alice", "", ""),
        &format!(
            "connect
             > /nick alice
             -
             < *** the name alice {TAKEN}
             > /nick alice_
             < *** alice left
             < *** you are now alice_
             ! the name alice is taken; you are alice_ until it is free
             =
             +0
             > /nick alice
             < *** you are now alice"
        ),
    );
}

#[test]
fn other_names_are_no_longer_than_names_may_be() {
    let long = "x".repeat(30);
    assert_eq!(other_name("alice", 2).as_deref(), Some("alice__"));
    assert_eq!(other_name(&long, 1), Some("x".repeat(29) + "_"));
    assert_eq!(other_name(&"é".repeat(29), 1), Some("é".repeat(29) + "_"));
    assert_eq!(
        other_name("alice", 29),
        Some("a".to_owned() + &"_".repeat(29))
    );
    assert_eq!(other_name("alice", 30), None);
}

#[test]
fn where_all_are_taken_that_is_said_and_tried_later() {
    let mut script = format!("connect\n> /nick a\n-\n< *** the name a {TAKEN}\n");
    for n in 1..30 {
        let name = other_name("a", n).expect("one more");
        script += &format!("> /nick {name}\n< *** the name {name} {TAKEN}\n");
    }
    script += "! the name a is taken, and so are those like it; you get it when it is free\n=\n";
    script += &format!("+30\n> /nick a\n< *** the name a {TAKEN}\n");
    script += "+60\n> /nick a\n< *** you are now a";
    check(config("a", "", ""), &script);
}

#[test]
fn what_the_user_chose_is_said_after_a_reconnect() {
    check(
        config("", "", ""),
        "connect
         < *** you are now eve
         < *** you are in #tea as eve
         connect
         > /nick eve
         > /join #tea
         -
         < *** you are now eve
         < *** you are in #tea as eve
         =
         < *** you are in #lobby as eve
         connect
         > /nick eve
         -
         < *** you are now eve
         =",
    );
}

#[test]
fn a_key_that_opened_a_room_opens_it_again_and_is_never_shown() {
    check(
        config("", "", ""),
        "connect
         /join tea kettle
         < *** you are in #pub as alice
         /join Tea kettle
         < *** you are in #tea as alice
         < *** that is not the key
         connect
         > /join Tea kettle
         -
         < *** you are in #tea as 127.0.0.1
         =
         connect
         > /join Tea kettle
         -
         < *** that is not the key
         ? the server does not let you into Tea any more: that is not the key; you are in #lobby
         =
         connect
         -
         < Welcome!
         =",
    );
}

#[test]
fn the_key_of_the_room_asked_for_last_waits_for_its_turn() {
    check(
        config("", "", ""),
        "connect
         /join tea kettle
         < *** you are in #pub as alice
         < *** you are in #tea as alice
         connect
         > /join tea kettle
         -
         < *** you are in #tea as alice
         =",
    );
}

#[test]
fn a_new_key_opens_the_room_again_once_the_server_has_taken_it() {
    check(
        config("", "", ""),
        "connect
         < *** you are in #tea as alice
         /key leaf
         < *** bob closed the room with a key
         < *** you are now carol
         < *** carol closed the room with a key
         connect
         > /nick carol
         > /join #tea leaf
         -
         < *** you are now carol
         < *** you are in #tea as carol
         =
         /key kettle
         < *** only whoever has been in #tea longest, or an admin, can set its topic and key
         < *** carol closed the room with a key, people say
         connect
         > /nick carol
         > /join #tea leaf
         -
         < *** you are now carol
         < *** you are in #tea as carol
         =
         < *** bob opened the room to all
         connect
         > /nick carol
         > /join #tea
         -
         < *** you are now carol
         < *** you are in #tea as carol
         =",
    );
}

#[test]
fn a_key_that_is_not_looked_at_is_said_again_and_all_waits_for_that() {
    check(
        config("", "tea kettle", ""),
        "connect
         > /join tea kettle
         -
         < *** too many wrong tries from your address; wait 7 s, then try again
         ! somebody at this address said wrong keys; trying tea again in 7 s
         +6
         +1
         > /join tea kettle
         < *** too many wrong tries from your address; wait 100000 s, then try again
         ! somebody at this address said wrong keys; trying tea again in 600 s
         +599
         +1
         > /join tea kettle
         < *** you are in #tea as alice
         =
         < *** too many wrong tries from your address; wait 7 s, then try again
         +100000",
    );
}

#[test]
fn a_server_that_took_all_before_is_asked_again_until_it_answers() {
    check(
        config("", "tea", ""),
        "connect
         > /join tea
         -
         < *** you are in #tea as alice
         =
         connect
         > /join tea
         -
         < Welcome!
         +5
         > /join tea
         +5
         > /join tea
         < *** you are in #tea as alice
         =
         < *** you are in #tea already",
    );
}

#[test]
fn a_wrong_password_is_the_end_and_too_many_are_waited_for() {
    check(
        config("alice", "", "secret"),
        "connect
         > /pass secret
         > /nick alice
         -
         < *** too many wrong tries from your address; wait 7 s, then try again
         ! somebody at this address said wrong passwords; trying again in 7 s
         < *** this server has a password; say it with: /pass PASSWORD
         +6
         +1
         > /pass secret
         > /nick alice
         < *** that is not the password
         x the password in FILE is wrong
         < *** this server has a password; say it with: /pass PASSWORD
         < Welcome!
         < *** you are now alice
         =
         < *** that is not the password",
    );
}

#[test]
fn whoever_types_the_password_is_introduced_then() {
    check(
        config("alice", "", ""),
        "connect
         > /nick alice
         -
         < *** this server has a password; say it with: /pass PASSWORD
         =
         < *** this server has a password; say it with: /pass PASSWORD
         < *** that is not the password
         < Welcome!
         > /nick alice
         -
         < *** you are now alice
         =",
    );
}

#[test]
fn a_password_that_was_typed_is_said_again_until_it_is_wrong() {
    check(
        config("alice", "", ""),
        "connect
         > /nick alice
         -
         < *** this server has a password; say it with: /pass PASSWORD
         =
         /pass barley
         < *** that is not the password
         /pass  open sesame
         < Welcome!
         > /nick alice
         -
         < *** you are now alice
         =
         connect
         > /pass  open sesame
         > /nick alice
         -
         < *** this server has a password; say it with: /pass PASSWORD
         < Welcome!
         < *** you are now alice
         =
         connect
         > /pass  open sesame
         > /nick alice
         -
         < *** this server has a password; say it with: /pass PASSWORD
         < *** that is not the password
         ? the password that you said before is wrong now; say it with: /pass PASSWORD
         =
         < *** this server has a password; say it with: /pass PASSWORD
         connect
         > /nick alice
         -
         < *** this server has a password; say it with: /pass PASSWORD
         ? the server has a password; say it with: /pass PASSWORD
         =",
    );
}

#[test]
fn a_password_that_opened_nothing_is_not_said_again() {
    check(
        config("", "", ""),
        "connect
         /pass barley
         < Welcome!
         < *** you are in already; no password is needed
         connect
         -
         < *** this server has a password; say it with: /pass PASSWORD
         ? the server has a password; say it with: /pass PASSWORD
         =",
    );
}

#[test]
fn what_is_refused_at_the_start_is_the_end() {
    for (answer, expected) in [
        (
            "a name has 30 characters at most; that one has 31",
            "the server does not let you be alice: a name has 30 characters at most; that one has 31",
        ),
        (
            "the name alice is banned; choose another with: /nick NAME",
            "the server does not let you be alice: it is banned here",
        ),
        (
            "#tea is closed; who knows its key enters with: /join #tea KEY",
            "the server does not let you into #tea: #tea is closed; who knows its key enters with: \
             /join #tea KEY",
        ),
    ] {
        let mut identity = Identity::new(&config("alice", "#tea", ""));
        let (now, mut actions) = (Instant::now(), Vec::new());
        identity.connected(now, &mut actions);
        actions.clear();
        identity.line(format!("*** {answer}").as_bytes(), now, &mut actions);
        assert_eq!(actions, [Action::Fail(expected.to_owned())]);
    }
}

#[test]
fn what_is_refused_later_is_said() {
    check(
        config("alice", "tea", ""),
        "connect
         > /nick alice
         > /join tea
         -
         < *** you are now alice
         < *** you are in #tea as alice
         =
         < *** a name cannot be empty
         < *** that is not the key
         connect
         > /nick alice
         > /join tea
         -
         < *** the name alice is banned; choose another with: /nick NAME
         ! the server does not let you be alice: it is banned here
         < *** that is not the key
         ? the server does not let you into tea any more: that is not the key; you are in #lobby
         =
         +100000",
    );
}

#[test]
fn what_the_server_says_is_clean_before_it_is_said_again() {
    let mut identity = Identity::new(&config("alice", "", ""));
    let (now, mut actions) = (Instant::now(), Vec::new());
    identity.connected(now, &mut actions);
    actions.clear();
    identity.line(b"*** a name \x1b[2J\xff", now, &mut actions);
    let expected = "the server does not let you be alice: a name [2J\u{FFFD}";
    assert_eq!(actions, [Action::Fail(expected.into())]);
}
