//! The rules by small conversations, as the plain dialect shows them: who says what, and what everybody is told.

use super::*;
use crate::wire::plain;

/// Those who hear: what they have been told since they were last asked.
#[derive(Default)]
struct Audience {
    /// Who gets the lines of which room.
    seats: Vec<(PersonId, RoomId)>,
    told: Vec<String>,
    /// What would stand in a transcript.
    records: Vec<String>,
    /// What the log is told.
    notes: Vec<String>,
    /// Somebody who does not read.
    deaf: Option<PersonId>,
}

impl Audience {
    fn deliver(&mut self, event: Event<'_>) {
        let mut line = Vec::new();
        match event {
            Event::Publish { room, author, said } => {
                plain::said(&mut line, said);
                assert!(line.len() <= plain::said_length(said), "{said:?}");
                for (person, seat) in self.seats.clone() {
                    if seat == room && Some(person) != author {
                        self.tell(person, &line);
                    }
                }
            }
            Event::Record { room, talk } => {
                let lines = talk.lines.iter();
                self.records
                    .extend(lines.map(|text| format!("{room} {}: {text}", talk.name)));
            }
            Event::Tell { to, notice } => self.notice(to, notice),
            Event::Whisper {
                from, to, to_name, ..
            } if self.deaf == Some(to) => {
                self.notice(from, Notice::NotReading(to_name));
            }
            Event::Whisper {
                from,
                to,
                from_name,
                to_name,
                text,
            } => {
                self.notice(
                    to,
                    Notice::Message {
                        from: from_name,
                        text,
                    },
                );
                self.notice(from, Notice::Sent { to: to_name, text });
            }
            Event::Report { to } => self.tell(to, b"figures"),
            Event::Enter { person, room } => {
                assert!(
                    !self.seats.contains(&(person, room)),
                    "{person} enters {room} twice"
                );
                self.seats.push((person, room));
            }
            Event::Leave { person, room } => {
                assert!(
                    self.seats.contains(&(person, room)),
                    "{person} is not in {room}"
                );
                self.seats.retain(|&seat| seat != (person, room));
            }
            Event::Vanish { room } => {
                assert!(
                    self.seats.iter().all(|&(_, seat)| seat != room),
                    "{room} is not empty"
                );
            }
            Event::Note { who, deed } => self.notes.push(format!("{who}: {deed:?}")),
            Event::Dismiss {
                person,
                reason,
                name,
            } => {
                assert!(
                    self.seats.iter().all(|&(seat, _)| seat != person),
                    "{person} is still in a room"
                );
                self.tell(person, format!("({reason:?})").as_bytes());
                self.notes.push(format!("{name}: {reason:?}"));
            }
        }
    }

    fn notice(&mut self, to: PersonId, notice: Notice<'_>) {
        let mut line = Vec::new();
        plain::notice(&mut line, notice);
        self.tell(to, &line);
    }

    fn tell(&mut self, to: PersonId, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("lines are UTF-8");
        self.told
            .extend(text.lines().map(|line| format!("{to}| {line}")));
    }
}

/// A server without sockets.
struct World {
    chat: Chat,
    now: Moment,
    audience: Audience,
}

impl World {
    /// A little after two in the afternoon, an hour ahead of UTC.
    fn new(settings: Settings) -> Self {
        let wall = Wall {
            unix: 1_795_352_587,
            offset: 3_600,
        };
        let now = Moment {
            ticks: 1_000_000,
            wall,
        };
        Self {
            chat: Chat::new(settings),
            now,
            audience: Audience::default(),
        }
    }

    fn with(people: &[&str]) -> Self {
        let mut world = Self::new(settings());
        for (id, name) in (0..).zip(people) {
            world.arrive(id, from("10.0.0.1", 1_000 + id as u16));
            world.say(id, &format!("/nick {name}"));
        }
        world
    }

    fn arrive(&mut self, id: PersonId, origin: Origin) -> Vec<String> {
        let Self {
            chat,
            now,
            audience,
        } = self;
        chat.arrive(id, origin, *now, &mut |event| audience.deliver(event));
        self.told()
    }

    fn depart(&mut self, id: PersonId) -> Vec<String> {
        let Self { chat, audience, .. } = self;
        chat.depart(id, "", &mut |event| audience.deliver(event));
        self.told()
    }

    /// Somebody sends a line. Long answers are made in the smallest pieces there can be.
    fn say(&mut self, id: PersonId, line: &str) -> Vec<String> {
        let mut scratch = Vec::new();
        let command = plain::parse(line.as_bytes(), &mut scratch);
        self.command(id, command)
    }

    fn command(&mut self, id: PersonId, command: Command<'_>) -> Vec<String> {
        let Self {
            chat,
            now,
            audience,
        } = self;
        let mut listing = chat.command(id, command, *now, &mut |event| audience.deliver(event));
        while let Some(rest) = listing {
            listing = chat.list(id, rest, 1, *now, &mut |event| audience.deliver(event));
        }
        self.told()
    }

    fn told(&mut self) -> Vec<String> {
        self.chat.check_invariants();
        std::mem::take(&mut self.audience.told)
    }

    /// Plays a conversation, a line each: `0: text` is what person 0 sends, and the lines `1| text` after it are
    /// what that has everybody told; `+0 ADDRESS` comes, `-0` goes.
    #[track_caller]
    fn play(&mut self, script: &str) {
        let mut expected: Vec<String> = Vec::new();
        let mut actual: Vec<String> = Vec::new();
        for line in script
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty())
        {
            expected.push(line.into());
            let id = |text: &str| text.parse::<PersonId>().expect("a person");
            if let Some(rest) = line.strip_prefix('+') {
                let (who, ip) = rest.split_once(' ').expect("an address");
                actual.push(line.into());
                actual.extend(self.arrive(id(who), from(ip, 1_000 + id(who) as u16)));
            } else if let Some(rest) = line.strip_prefix('-') {
                actual.push(line.into());
                actual.extend(self.depart(id(rest)));
            } else if let Some((who, text)) =
                line.split_once(": ").filter(|(who, _)| who.len() == 1)
            {
                actual.push(line.into());
                actual.extend(self.say(id(who), text));
            }
        }
        assert_eq!(actual, expected, "{actual:#?}");
    }
}

fn line<'a>(at: Moment, is_action: bool, name: &'a str, text: &'a str) -> Line<'a> {
    Line {
        at,
        is_action,
        name,
        text,
    }
}

fn settings() -> Settings {
    Settings {
        welcome: "hi".into(),
        history: 20,
        ..Settings::default()
    }
}

fn from(ip: &str, port: u16) -> Origin {
    Origin::Ip {
        ip: ip.parse().expect("an address"),
        port,
    }
}

/// The names that people from such places get, one after the other.
#[track_caller]
fn check_names(hide_addresses: bool, origins: &[Origin], expected: &[&str]) {
    let mut world = World::new(Settings {
        hide_addresses,
        ..settings()
    });
    for (id, &origin) in (0..).zip(origins) {
        world.arrive(id, origin);
    }
    let names: Vec<_> = (0..origins.len() as PersonId)
        .filter_map(|id| world.chat.name(id))
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn people_are_called_by_their_address() {
    let four = from("192.168.1.7", 40_000);
    let unix = Origin::Unix {
        number: 3,
        own: false,
    };
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
        &[from("fe80::1", 7), from("fe80::1", 8), unix],
        &["fe80::1", "[fe80::1]:8", "unix:3"],
    );
    check_names(true, &[four, four, unix], &["guest1", "guest2", "guest3"]);
}

#[test]
fn a_name_is_free_again_when_its_bearer_has_left() {
    World::new(settings()).play(
        "+0 10.0.0.1
         0| hi
         +1 10.0.0.1
         1| hi
         0| *** 10.0.0.1:1001 entered
         -0
         1| *** 10.0.0.1 left
         -0
         +2 10.0.0.1
         2| hi
         1| *** 10.0.0.1 entered
         2: /nick bob
         2| *** you are now bob
         1| *** 10.0.0.1 is now bob
         1: /nick BOB
         1| *** the name BOB is taken; choose another with: /nick NAME
         -2
         1| *** bob left
         1: /nick BOB
         1| *** you are now BOB
         1: /nick Bob
         1| *** you are now Bob",
    );
}

#[test]
fn guests_are_numbered_anew_when_all_have_left() {
    let mut world = World::new(Settings {
        hide_addresses: true,
        ..settings()
    });
    let anywhere = from("10.0.0.1", 7);
    world.arrive(0, anywhere);
    world.arrive(1, anywhere);
    world.depart(0);
    world.arrive(0, anywhere);
    assert_eq!(
        world.chat.name(0),
        Some("guest3"),
        "guest1 is not given to another while people remember"
    );
    world.depart(0);
    world.depart(1);
    world.arrive(0, anywhere);
    assert_eq!(world.chat.name(0), Some("guest1"));
}

#[test]
fn bad_names_are_told_what_is_wrong() {
    World::with(&["alice"]).play(
        "0: /nick
         0| *** write it like this: /nick NAME
         0: /nick abcdefghijklmnopqrstuvwxyz1234
         0| *** you are now abcdefghijklmnopqrstuvwxyz1234
         0: /nick abcdefghijklmnopqrstuvwxyz12345
         0| *** a name has 30 characters at most; that one has 31
         0: /nick a b
         0| *** a name is one word of letters, digits and _-.|^`{}
         0: /nick <a>
         0| *** a name cannot have '<' in it, only letters, digits and _-.|^`{}
         0: /nick ***
         0| *** a name cannot have '*' in it, only letters, digits and _-.|^`{}
         0: /nick a\u{200b}b
         0| *** a name cannot have U+200B in it, only letters, digits and _-.|^`{}
         0: /nick a\u{200d}b
         0| *** a name cannot have U+200D in it, only letters, digits and _-.|^`{}
         0: /nick 10.0.0.1
         0| *** a name cannot look like an address or a guest's number
         0: /nick Guest12
         0| *** a name cannot look like an address or a guest's number
         0: /nick guesthouse
         0| *** you are now guesthouse
         0: /nick Zoë_世界-ñ.|^`{}
         0| *** you are now Zoë_世界-ñ.|^`{}
         0: /nick a\u{202e}b\u{1b}[31m
         0| *** a name cannot have U+202E in it, only letters, digits and _-.|^`{}
         0: /nick a\u{7}
         0| *** a name cannot have U+0007 in it, only letters, digits and _-.|^`{}
         0: /join #a\u{1b}[31mb k
         0| *** the name of a room cannot have U+001B in it, only letters, digits and _-.|^`{}",
    );
}

#[test]
fn names_look_like_what_they_are() {
    use names::{Fault, check};
    for name in [
        "हिन्दी",
        "e\u{301}te\u{301}",
        "Ελλάς",
        "한국어",
        "42",
        "a.b",
        "guesthouse",
        "ᄀ",
    ] {
        assert_eq!(check(name), Ok(()), "{name}");
    }
    // Blank letters, marks on nothing, too many marks, blanks, controls.
    for name in [
        "\u{3164}",
        "a\u{3164}",
        "\u{115F}",
        "\u{FFA0}",
        "\u{13441}",
        "\u{301}a",
        "\u{363}\u{364}\u{345}",
        "a\u{FE0F}",
        "a\u{301}\u{301}\u{301}\u{301}",
        "a\u{200B}",
        "a\u{AD}",
        "a\u{202E}",
        "a b",
        "a\u{A0}b",
        "a\u{0}",
        "a\u{7f}",
        "a\u{2800}",
    ] {
        assert!(matches!(check(name), Err(Fault::Character(_))), "{name:?}");
    }
    for name in [
        "127.0.0.01",
        "1.2.3.4.",
        "１２７.0.0.1",
        "guest１",
        "GUEST7",
        "1.5",
    ] {
        assert_eq!(check(name), Err(Fault::Reserved), "{name}");
    }
}

#[test]
fn a_key_may_be_given_with_a_new_room() {
    let mut world = World::with(&["alice", "bob"]);
    world.play(
        "0: /join den s
         1| *** alice left
         0| *** you are in #den as alice
         0| *** #den is closed with the key s; /key - opens it to all
         1: /join den
         1| *** #den is closed; who knows its key enters with: /join #den KEY
         0: my secret is 42
         0: /key -
         0| *** alice opened the room to all
         0: hello
         1: /join den
         1| *** you are in #den as bob
         0| *** bob entered
         1| *** earlier:
         1| [14:03] <alice> hello
         1| *** now:
         1: /join attic two words
         1| *** a key is one word of at most 64 bytes",
    );
    assert_eq!(world.audience.records, ["#den alice: hello"]);
}

#[test]
fn a_long_answer_ends_where_its_room_does() {
    let mut world = World::with(&["alice", "bob", "cy"]);
    world.say(1, "/join open");
    let listing = world
        .chat
        .command(0, Command::Who("open"), world.now, &mut |_| {});
    world.say(1, "/part");
    world.say(2, "/join den s");
    let rest = listing.and_then(|listing| {
        world
            .chat
            .list(0, listing, 9, world.now, &mut |event| panic!("{event:?}"))
    });
    assert_eq!(rest, None);
}

#[test]
fn a_ban_reaches_those_at_the_door() {
    let mut world = World::new(Settings {
        password: Some("sesame".into()),
        ..settings()
    });
    let own = Origin::Unix {
        number: 1,
        own: true,
    };
    world.arrive(0, own);
    world.play(
        "+1 10.0.0.1
         1| *** this server has a password; say it with: /pass PASSWORD
         0: /ban 10.0.0.1:4000
         0| *** 10.0.0.1 is banned; lift it with: /unban 10.0.0.1
         1| *** you are banned here
         1| (Banned)
         0: /unban 10.0.0.1:4000
         0| *** 10.0.0.1:4000 is banned no more",
    );
}

#[test]
fn comings_and_goings_of_up_to_a_hundred_are_announced() {
    let mut world = World::new(settings());
    for id in 0..101 {
        let told = world.arrive(id, from("10.0.0.1", 1_000 + id as u16));
        let announced = told
            .iter()
            .filter(|line| line.ends_with(" entered"))
            .count();
        assert_eq!(announced, if id < 100 { id as usize } else { 0 });
    }
    assert_eq!(world.say(7, "/nick bob"), ["7| *** you are now bob"]);
    assert_eq!(world.depart(100), [""; 0]);
    assert_eq!(
        world.say(7, "/nick alice").len(),
        100,
        "of a hundred, each hears it"
    );
    assert_eq!(world.depart(7).len(), 99);
}

#[test]
fn talk() {
    World::with(&["alice", "bob", "cy"]).play(
        "0: hello
         1| <alice> hello
         2| <alice> hello
         1: /me waves
         0| * bob waves
         2| * bob waves
         1: /me
         1| *** write it like this: /me TEXT
         1: //me waves
         0| <bob> /me waves
         2| <bob> /me waves
         0: /msg BOB psst  you
         1| [alice] psst  you
         0| [-> bob] psst  you
         0: /msg bob
         0| *** write it like this: /msg NAME TEXT
         0: /msg
         0| *** write it like this: /msg NAME TEXT
         0: /msg alice me
         0| *** that is you
         0: /msg nobody x
         0| *** nobody here is called nobody; /who lists who is here
         0: /ping
         0| *** pong
         0: /ping a b
         0| *** pong a b
         0: /nock on wood
         0| *** there is no command /nock; /help lists them, and //nock says /nock
         0: /stats
         0| figures
         0: /pass x
         0| *** you are in already; no password is needed
         0: /quit so long
         1| *** alice left: so long
         2| *** alice left: so long
         0| (Quit)
         0: too late
         1: quit
         2| *** bob left
         1| (Quit)",
    );
}

#[test]
fn who_does_not_read_gets_no_private_message() {
    let mut world = World::with(&["alice", "bob"]);
    world.audience.deaf = Some(1);
    world.play(
        "0: /msg bob psst
         0| *** bob is not reading; your message was not sent",
    );
}

#[test]
fn help_lists_all_or_explains_one() {
    let mut world = World::with(&["alice"]);
    let all = world.say(0, "/help");
    assert_eq!(all.len(), 22);
    assert!(
        all.iter().all(|line| line.starts_with("0| *** /")),
        "{all:#?}"
    );
    for (topic, command) in [("Me", "/me TEXT"), ("/me", "/me TEXT"), ("//", "//TEXT")] {
        let told = world.say(0, &format!("/help {topic}"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("0| *** {command} ")),
            "{told:?}"
        );
    }
    world.play(
        "0: /help nock
         0| *** there is no command /nock; /help lists them, and //nock says /nock",
    );
}

#[test]
fn rooms_come_and_go() {
    World::with(&["alice", "bob", "cy"]).play(
        "0: /join garden
         1| *** alice left
         2| *** alice left
         0| *** you are in #garden as alice
         0: is anybody there?
         1: /join #Garden
         2| *** bob left
         1| *** you are in #garden as bob
         0| *** bob entered
         1| *** earlier:
         1| [14:03] <alice> is anybody there?
         1| *** now:
         1: yes
         0| <bob> yes
         2: nobody here
         1: /join garden
         1| *** you are in #garden already
         2: /rooms
         2| *** #lobby, 1 person
         2| *** #garden, 2 people
         2: /who garden
         2| *** in #garden: 2 people
         2| *** alice, idle 0 s
         2| *** bob, idle 0 s
         2: /who
         2| *** in #lobby: 1 person
         2| *** cy (you), idle 0 s
         2: /who nowhere
         2| *** there is no room nowhere; /rooms lists them, /join ROOM makes one
         0: /part
         1| *** alice left
         0| *** you are in #lobby as alice
         2| *** alice entered
         0| *** earlier:
         0| [14:03] <cy> nobody here
         0| *** now:
         0: /part
         0| *** you are in #lobby, where everybody is who is nowhere else; /quit leaves
         -1
         0: /join garden
         2| *** alice left
         0| *** you are in #garden as alice
         0: /history
         0| *** nothing was said in #garden yet
         0: /join
         0| *** write it like this: /join ROOM [KEY]
         0: /join #
         0| *** write it like this: /join ROOM [KEY]
         0: /join a/b
         0| *** the name of a room cannot have '/' in it, only letters, digits and _-.|^`{}",
    );
}

#[test]
fn the_first_in_a_room_keeps_its_topic_and_key() {
    let mut world = World::with(&["alice", "bob", "cy"]);
    world.say(0, "/join garden");
    world.say(1, "/join garden");
    world.play(
        "0: /topic
         0| *** #garden has no topic; whoever has been here longest can set one with: /topic TEXT
         0: /topic bees & flowers
         0| *** alice set the topic: bees & flowers
         1| *** alice set the topic: bees & flowers
         1: /topic
         1| *** #garden is about: bees & flowers
         1: /topic mine
         1| *** only whoever has been in #garden longest, or an admin, can set its topic and key
         1: /key mine
         1| *** only whoever has been in #garden longest, or an admin, can set its topic and key
         0: /key two words
         0| *** a key is one word of at most 64 bytes
         0: /key sesame
         0| *** alice closed the room with a key
         1| *** alice closed the room with a key
         0: behind closed doors
         1| <alice> behind closed doors
         2: /join garden
         2| *** #garden is closed; who knows its key enters with: /join #garden KEY
         2: /join garden wrong
         2| *** that is not the key
         2: /who garden
         2| *** #garden is closed; who knows its key enters with: /join #garden KEY
         2: /rooms
         2| *** #lobby, 1 person
         2| *** #garden, 2 people, closed
         2: /join garden sesame
         2| *** too many wrong tries from your address; wait 1 s, then try again",
    );
    world.now.ticks += 1_000;
    world.play(
        "2: /join garden sesame
         2| *** you are in #garden as cy
         2| *** #garden is about: bees & flowers
         0| *** cy entered
         1| *** cy entered
         2| *** earlier:
         2| [14:03] <alice> behind closed doors
         2| *** now:
         -0
         1| *** alice left
         2| *** alice left
         1: /key
         1| *** #garden is closed with the key sesame; /key - opens it to all
         1: /key -
         1| *** bob opened the room to all
         2| *** bob opened the room to all
         1: /key -
         1| *** #garden is open to all; /key KEY closes it
         1: /history
         1| *** nothing was said in #garden yet
         1: /topic -
         1| *** bob took the topic away
         2| *** bob took the topic away
         1: /part
         2| *** bob left
         1| *** you are in #lobby as bob
         1: /topic mine
         1| *** only an admin can set the topic of #lobby
         1: /key mine
         1| *** #lobby is open to all; make a room of your own with: /join ROOM",
    );
    assert_eq!(
        world.audience.records, [""; 0],
        "what is said behind a key is not public"
    );
    assert_eq!(
        world.say(2, &format!("/topic {}", "x".repeat(401))),
        ["2| *** topic too long: 400 bytes at most"]
    );
    assert_eq!(
        world.say(2, &format!("/key {}", "x".repeat(65))),
        ["2| *** a key is one word of at most 64 bytes"]
    );
}

#[test]
fn somebody_may_be_in_several_rooms() {
    let mut world = World::with(&["alice", "bob"]);
    let keep = |room| Command::Join {
        room,
        key: "",
        keep: true,
    };
    assert_eq!(
        world.command(0, keep("garden")),
        ["0| *** you are in #garden as alice"]
    );
    assert_eq!(
        world.command(0, keep("attic")),
        ["0| *** you are in #attic as alice"]
    );
    world.play(
        "1: hello lobby
         0| <bob> hello lobby
         1: /join garden
         0| *** bob left
         1| *** you are in #garden as bob
         0| *** bob entered
         0: from the attic",
    );
    // Back in one of them: nothing is announced, nor replayed.
    assert_eq!(
        world.command(0, keep("garden")),
        ["0| *** you are in #garden as alice"]
    );
    world.play(
        "0: from the garden
         1| <alice> from the garden
         0: /nick al
         0| *** you are now al
         1| *** alice is now al
         0: /part
         1| *** al left
         1: gone?
         0: /rooms
         0| *** #lobby, 1 person
         0| *** #garden, 1 person
         0| *** #attic, 1 person
         -0
         1: /rooms
         1| *** #lobby, 0 people
         1| *** #garden, 1 person",
    );
}

#[test]
fn what_was_said_is_said_again() {
    let mut world = World::with(&["alice"]);
    for n in 1..=110 {
        world.say(0, &format!("line {n}"));
    }
    world.now.wall.unix += 3_600;
    world.say(0, "/me waves");
    let told = world.arrive(1, from("10.0.0.2", 7));
    assert_eq!(told.len(), 20 + 4);
    assert_eq!(
        told[2..5],
        [
            "1| *** earlier:",
            "1| [14:03] <alice> line 92",
            "1| [14:03] <alice> line 93"
        ]
    );
    assert_eq!(told[22..], ["1| [15:03] * alice waves", "1| *** now:"]);
    world.play(
        "1: /history 2
         1| *** earlier:
         1| [14:03] <alice> line 110
         1| [15:03] * alice waves
         1| *** now:
         1: /history 0
         1| *** write it like this: /history [N]
         1: /history x
         1| *** write it like this: /history [N]",
    );
    assert_eq!(world.say(1, "/history").len(), limits::HISTORY + 2);
    assert_eq!(world.say(1, "/history 1000").len(), limits::HISTORY + 2);
    assert_eq!(world.audience.records.len(), 111);
    assert_eq!(world.audience.records[110], "#lobby alice: waves");
    // On another day.
    world.now.wall.unix += 86_400;
    assert_eq!(
        world.say(1, "/history 1")[1],
        "1| [2026-11-22 15:03] * alice waves"
    );
    // By a clock that nobody has set.
    world.now.wall.unix = 86_400;
    world.now.ticks += 180_000;
    assert_eq!(
        world.say(1, "/history 1")[1],
        "1| [3 min ago] * alice waves"
    );
}

#[test]
fn history_of_an_earlier_run() {
    let mut world = World::new(settings());
    let at = Moment {
        ticks: 0,
        ..world.now
    };
    world
        .chat
        .remember("#lobby", line(at, false, "bob", "hello"));
    world
        .chat
        .remember("#Garden", line(at, true, "bob", "digs"));
    world.play(
        "+0 10.0.0.1
         0| hi
         0| *** earlier:
         0| [14:03] <bob> hello
         0| *** now:
         0: /join garden
         0| *** you are in #garden as 10.0.0.1
         0| *** earlier:
         0| [14:03] * bob digs
         0| *** now:",
    );
    let mut world = World::new(Settings {
        history: 0,
        ..settings()
    });
    world
        .chat
        .remember("#lobby", line(at, false, "bob", "hello"));
    assert_eq!(world.arrive(0, from("10.0.0.1", 1)), ["0| hi"]);
}

/// What the next to enter a room is told of it, when all who were there have gone.
fn play_vanishing(keeps: bool, expected: &str) {
    let mut world = World::new(Settings {
        keeps,
        ..settings()
    });
    world.arrive(0, from("10.0.0.1", 1));
    world.say(0, "/nick alice");
    for line in ["/join open", "in the open", "/join closed", "before"] {
        world.say(0, line);
    }
    for line in ["/key sesame", "behind the key", "/part"] {
        world.say(0, line);
    }
    assert_eq!(
        world.audience.records,
        ["#open alice: in the open", "#closed alice: before"]
    );
    world.play(&expected.replace("YOU", "*** you are in"));
}

#[test]
fn a_room_takes_its_history_along_unless_a_transcript_has_it() {
    play_vanishing(
        false,
        "0: /join open
         0| YOU #open as alice
         0: /join closed
         0| YOU #closed as alice",
    );
    play_vanishing(
        true,
        "0: /join OPEN
         0| YOU #OPEN as alice
         0| *** earlier:
         0| [14:03] <alice> in the open
         0| *** now:
         0: more
         0: /join closed
         0| YOU #closed as alice
         0| *** earlier:
         0| [14:03] <alice> before
         0| *** now:
         0: /join open
         0| YOU #open as alice
         0| *** earlier:
         0| [14:03] <alice> in the open
         0| [14:03] <alice> more
         0| *** now:",
    );
}

#[test]
fn a_password_opens_the_door() {
    let mut world = World::new(Settings {
        password: Some("sesame".into()),
        ..settings()
    });
    world.play(
        "+0 10.0.0.1
         0| *** this server has a password; say it with: /pass PASSWORD
         0: hello
         0| *** this server has a password; say it with: /pass PASSWORD
         0: /who
         0| *** this server has a password; say it with: /pass PASSWORD
         0: /pass
         0| *** this server has a password; say it with: /pass PASSWORD
         0: /pass wrong
         0| *** that is not the password
         0: /pass sesame
         0| *** too many wrong tries from your address; wait 1 s, then try again
         +1 10.0.0.1
         1| *** this server has a password; say it with: /pass PASSWORD
         1: /pass sesame
         1| *** too many wrong tries from your address; wait 1 s, then try again
         1: quit
         1| (Quit)
         +2 10.0.0.2
         2| *** this server has a password; say it with: /pass PASSWORD
         2: /pass sesame
         2| hi",
    );
    world.now.ticks += 1_000;
    world.play(
        "0: /pass wrong
         0| *** that is not the password
         0: /pass wrong
         0| *** too many wrong tries from your address; wait 2 s, then try again",
    );
    world.now.ticks += 2_000;
    world.play(
        "0: /pass sesame
         0| hi
         2| *** 10.0.0.1 entered
         0: hello
         2| <10.0.0.1> hello",
    );
    let own = Origin::Unix {
        number: 1,
        own: true,
    };
    assert_eq!(
        world.arrive(3, own)[0],
        "3| hi",
        "whoever runs the server needs none"
    );
    assert_eq!(world.chat.people(), 3);
}

#[test]
fn who_guesses_on_is_dismissed() {
    let mut world = World::new(Settings {
        password: Some("sesame".into()),
        ..settings()
    });
    world.arrive(0, from("10.0.0.1", 1));
    for _ in 1..5 {
        world.now.ticks += 60_000;
        assert_eq!(
            world.say(0, "/pass wrong"),
            ["0| *** that is not the password"]
        );
    }
    // What is not looked at is not wrong: somebody else may have guessed there.
    for _ in 0..5 {
        let told = world.say(0, "/pass sesame");
        assert!(told[0].contains("too many wrong tries"), "{told:?}");
        assert_eq!(told.len(), 1);
    }
    world.now.ticks += 60_000;
    assert_eq!(
        world.say(0, "/pass wrong"),
        ["0| *** that is not the password", "0| (WrongPassword)"]
    );
    assert_eq!(world.chat.visitors(), 0);
}

#[test]
fn admins() {
    let mut world = World::with(&["alice", "bob"]);
    world.play(
        "0: /admin x
         0| *** this server has no password for admins",
    );
    world.chat.settings.admin_password = Some("root".into());
    for command in ["/kick bob", "/ban bob", "/unban bob", "/bans", "/wall x"] {
        assert_eq!(world.say(0, command), ["0| *** only an admin can do that"]);
    }
    world.play(
        "0: /admin
         0| *** write it like this: /admin PASSWORD
         0: /admin toor
         0| *** that is not the password",
    );
    world.now.ticks += 1_000;
    world.play(
        "0: /admin root
         0| *** you are an admin now; /help lists what admins can do
         +2 10.0.0.2
         2| hi
         0| *** 10.0.0.2 entered
         1| *** 10.0.0.2 entered
         0: /wall dinner
         0| *** alice to all: dinner
         1| *** alice to all: dinner
         2| *** alice to all: dinner
         0: /kick
         0| *** write it like this: /kick NAME [TEXT]
         0: /kick nobody
         0| *** nobody here is called nobody; /who lists who is here
         0: /kick bob too loud
         1| *** you were thrown out by alice: too loud
         0| *** bob was thrown out by alice: too loud
         2| *** bob was thrown out by alice: too loud
         1| (Kicked)
         0: /topic welcome all
         0| *** alice set the topic: welcome all
         2| *** alice set the topic: welcome all",
    );
}

#[test]
fn bans() {
    let mut world = World::with(&["alice"]);
    world.chat.settings.admin_password = Some("root".into());
    world.say(0, "/admin root");
    for (id, ip) in [
        (1, "10.0.0.2"),
        (2, "10.0.0.2"),
        (3, "2001:db8::1"),
        (4, "10.0.0.3"),
    ] {
        world.arrive(id, from(ip, 1_000 + id as u16));
    }
    world.say(4, "/nick mallory");
    world.told();
    world.play(
        "0: /bans
         0| *** nobody is banned
         0: /ban
         0| *** write it like this: /ban NAME|ADDRESS [TEXT]
         0: /ban alice
         0| *** that would ban you too; /kick NAME throws out somebody else
         0: /ban 10.0.0.1
         0| *** that would ban you too; /kick NAME throws out somebody else
         0: /ban #!
         0| *** #! is neither a name nor an address that can be banned
         0: /ban Mallory spam
         0| *** the name Mallory is banned; the address too with: /ban 10.0.0.3
         4| *** you were thrown out by alice: spam
         0| *** mallory was thrown out by alice: spam
         1| *** mallory was thrown out by alice: spam
         2| *** mallory was thrown out by alice: spam
         3| *** mallory was thrown out by alice: spam
         4| (Banned)
         1: /nick MALLORY
         1| *** the name MALLORY is banned; choose another with: /nick NAME
         0: /ban 10.0.0.2:1002
         0| *** 10.0.0.2 is banned; lift it with: /unban 10.0.0.2
         1| *** you were thrown out by alice
         0| *** 10.0.0.2 was thrown out by alice
         2| *** 10.0.0.2 was thrown out by alice
         3| *** 10.0.0.2 was thrown out by alice
         1| (Banned)
         2| *** you were thrown out by alice
         0| *** 10.0.0.2:1002 was thrown out by alice
         3| *** 10.0.0.2:1002 was thrown out by alice
         2| (Banned)
         0: /ban 2001:db8::ffff
         0| *** 2001:db8::/64 is banned; lift it with: /unban 2001:db8::/64
         3| *** you were thrown out by alice
         0| *** 2001:db8::1 was thrown out by alice
         3| (Banned)
         +3 2001:db8::2
         3| *** you are banned here
         3| (Banned)
         0: /ban 10.0.0.2
         0| *** 10.0.0.2 is banned; lift it with: /unban 10.0.0.2
         0: /bans
         0| *** Mallory, by alice
         0| *** 10.0.0.2, by alice
         0| *** 2001:db8::/64, by alice
         0: /unban
         0| *** write it like this: /unban NAME|ADDRESS
         0: /unban 2001:db8::/64
         0| *** 2001:db8::/64 is banned no more
         0: /unban mallory
         0| *** mallory is banned no more
         0: /unban mallory
         0| *** mallory is not banned; /bans lists who is
         +3 2001:db8::2
         3| hi
         0| *** 2001:db8::2 entered",
    );
}

#[test]
fn rooms_with_long_topics_come_a_few_at_a_time() {
    let mut world = World::new(settings());
    let topic = "x".repeat(limits::TOPIC);
    for id in 0..100 {
        world.arrive(id, from("10.0.0.1", id as u16));
        world.say(id, &format!("/join r{id}"));
        world.say(id, &format!("/topic {topic}"));
    }
    let World { chat, now, .. } = &mut world;
    let mut rooms = Vec::new();
    let mut hear = |event: Event<'_>| match event {
        Event::Tell {
            notice: Notice::Room { topic, .. },
            ..
        } => rooms.push(topic.len()),
        _ => panic!("{event:?}"),
    };
    let mut listing = chat.command(0, Command::Rooms, *now, &mut hear);
    let mut pieces = 1;
    while let Some(rest) = listing {
        listing = chat.list(0, rest, limits::PAGE_LINES, *now, &mut hear);
        pieces += 1;
    }
    assert_eq!(rooms.len(), 101);
    assert_eq!(pieces, 2 + 100 * limits::TOPIC / limits::PAGE);
}

#[test]
fn a_listing_in_pieces_names_everybody_who_stays_exactly_once() {
    let mut world = World::new(Settings {
        hide_addresses: true,
        ..settings()
    });
    let anywhere = from("10.0.0.1", 7);
    for id in 0..9 {
        world.arrive(id, anywhere);
    }
    let mut listing = world
        .chat
        .command(8, Command::Who(""), world.now, &mut |_| {});
    let mut named = Vec::new();
    for piece in 1.. {
        let Some(rest) = listing else { break };
        listing = world
            .chat
            .list(8, rest, 2, world.now, &mut |event| match event {
                Event::Tell {
                    notice: Notice::Person { name, .. },
                    ..
                } => named.push(name.to_owned()),
                _ => panic!("{event:?}"),
            });
        match piece {
            // One who was named goes and another comes in its place; one who was not yet named goes.
            1 => {
                world.depart(1);
                world.arrive(1, anywhere);
                world.depart(5);
            }
            2 => _ = world.arrive(5, anywhere),
            _ => {}
        }
    }
    assert_eq!(
        named,
        [1, 2, 3, 4, 5, 11, 7, 8, 9].map(|guest| format!("guest{guest}"))
    );
}

/// Asks for history piece by piece, each of so many lines at most, with something said and done between two. What
/// came: a piece a string, its lines without names and times.
fn history_in_pieces(
    world: &mut World,
    lines: usize,
    mut between: impl FnMut(&mut World, usize),
) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let World { chat, now, .. } = world;
    let mut listing = chat.command(1, Command::History(""), *now, &mut |event| {
        piece.push(heard(event));
    });
    for at in 0.. {
        pieces.push(piece.join(" "));
        let Some(rest) = listing else { break };
        between(world, at);
        piece = Vec::new();
        let World { chat, now, .. } = world;
        listing = chat.list(1, rest, lines, *now, &mut |event| piece.push(heard(event)));
    }
    pieces
}

fn heard(event: Event<'_>) -> String {
    let Event::Tell { to: 1, notice } = event else {
        panic!("{event:?}");
    };
    let mut line = Vec::new();
    plain::notice(&mut line, notice);
    let line = String::from_utf8(line).expect("UTF-8");
    let text = line.split_once("> ").map_or(&*line, |(_, text)| text);
    text.trim_end().to_owned()
}

#[test]
fn history_in_pieces_has_every_line_once_and_says_which_are_gone() {
    let said = |count: usize| {
        let mut world = World::with(&["alice", "bob"]);
        for n in 0..count {
            world.say(0, &n.to_string());
        }
        world
    };
    // What is said meanwhile is no part of it.
    let pieces = history_in_pieces(&mut said(5), 2, |world, _| {
        world.say(0, "meanwhile");
    });
    assert_eq!(pieces, ["*** earlier:", "0 1", "2 3", "4 *** now:"]);
    let pieces = history_in_pieces(&mut said(4), 2, |_, _| {});
    assert_eq!(pieces, ["*** earlier:", "0 1", "2 3 *** now:"]);
    // Others push out what is still to come: some of it, and then all.
    let pieces = history_in_pieces(&mut said(100), 40, |world, at| {
        for _ in 0..[0, 50, 40][at] {
            world.say(0, "meanwhile");
        }
    });
    assert!(pieces[1].starts_with("0 1 2 ") && pieces[1].ends_with(" 38 39"));
    assert!(pieces[2].starts_with("*** some lines are no longer kept 50 51 "));
    assert!(pieces[2].ends_with(" 89"));
    assert_eq!(pieces[3], "90 91 92 93 94 95 96 97 98 99 *** now:");
    let pieces = history_in_pieces(&mut said(7), 3, |world, at| {
        for _ in 0..[0, 100, 0][at] {
            world.say(0, "meanwhile");
        }
    });
    assert_eq!(pieces[2], "*** some lines are no longer kept *** now:");
}

#[test]
fn history_of_a_room_that_is_opened_meanwhile_goes_on_at_the_right_line() {
    let mut world = World::with(&["alice", "bob"]);
    for line in [
        "/join den",
        "0",
        "/key sesame",
        "1",
        "2",
        "/key -",
        "3",
        "/key x",
        "4",
        "5",
    ] {
        world.say(0, line);
    }
    world.say(1, "/join den x");
    let pieces = history_in_pieces(&mut world, 2, |world, at| {
        if at == 1 {
            world.say(0, "/key -");
        }
    });
    assert_eq!(
        pieces,
        [
            "*** earlier:",
            "0 3",
            "*** some lines are no longer kept *** now:"
        ]
    );
}

#[test]
fn long_lines_come_a_few_at_a_time_and_newcomers_get_no_more_than_replies_may_be() {
    let mut world = World::new(Settings {
        history: limits::HISTORY,
        ..settings()
    });
    world.arrive(0, from("10.0.0.1", 1));
    let line = "x".repeat(4_096);
    for _ in 0..limits::HISTORY {
        world.say(0, &line);
    }
    let told = world.arrive(1, from("10.0.0.2", 2));
    let bytes: usize = told.iter().map(String::len).sum();
    assert!(
        (limits::REPLIES - 5_000..limits::REPLIES).contains(&bytes),
        "{bytes}"
    );
    assert_eq!(told.last().map(String::as_str), Some("1| *** now:"));
    let pieces = history_in_pieces(&mut world, limits::PAGE_LINES, |_, _| {});
    let longest = pieces.iter().map(String::len).max();
    assert!(longest <= Some(limits::PAGE + 5_000), "{longest:?}");
    let all: usize = pieces
        .iter()
        .map(|piece| piece.matches(&line).count())
        .sum();
    assert_eq!(all, limits::HISTORY);
}

#[test]
fn the_log_is_told_who_decides_about_others_and_who_goes_where() {
    let mut world = World::new(Settings {
        password: Some("sesame".into()),
        admin_password: Some("root".into()),
        ..settings()
    });
    let mut check = |id: PersonId, line: &str, expected: &[&str]| {
        if line.is_empty() {
            world.arrive(id, from("10.0.0.1", 1_000 + id as u16));
        } else {
            world.say(id, line);
        }
        world.now.ticks += limits::TRY_MEMORY * 2;
        assert_eq!(
            std::mem::take(&mut world.audience.notes),
            expected,
            "{line}"
        );
    };
    for id in 0..3 {
        check(id, "", &[]);
        let wrong = format!("10.0.0.1:{}: Wrong(Server)", 1_000 + id);
        check(id, "/pass semolina", &[&wrong]);
        check(id, "/pass sesame", &[]);
    }
    check(0, "/nick alice", &["10.0.0.1:1000: Renamed(\"alice\")"]);
    check(0, "/nick alice", &[]);
    check(
        0,
        "/nick Alice",
        &["10.0.0.1:1000 (alice): Renamed(\"Alice\")"],
    );
    check(1, "/nick bob", &["10.0.0.1:1001: Renamed(\"bob\")"]);
    check(0, "hello", &[]);
    check(0, "/msg bob hello", &[]);
    check(1, "/kick alice", &[]);
    check(0, "/admin toor", &["10.0.0.1:1000 (Alice): Wrong(Admin)"]);
    check(0, "/admin root", &["10.0.0.1:1000 (Alice): BecameAdmin"]);
    check(
        0,
        "/join den x",
        &["10.0.0.1:1000 (Alice): Entered(\"#den\")"],
    );
    check(1, "/join den y", &["10.0.0.1:1001 (bob): Wrong(Room)"]);
    check(
        1,
        "/join den x",
        &["10.0.0.1:1001 (bob): Entered(\"#den\")"],
    );
    check(0, "/part", &["10.0.0.1:1000 (Alice): Entered(\"#lobby\")"]);
    check(
        0,
        "/wall ho",
        &["10.0.0.1:1000 (Alice): SpokeToAll(\"ho\")"],
    );
    let banned = "10.0.0.1:1000 (Alice): Banned { whom: \"10.9.0.1\", text: \"spam\" }";
    check(0, "/ban 10.9.0.1 spam", &[banned]);
    check(
        0,
        "/unban 10.9.0.1",
        &["10.0.0.1:1000 (Alice): Unbanned(\"10.9.0.1\")"],
    );
    check(0, "/unban 10.9.0.1", &[]);
    let thrown = "10.0.0.1:1000 (Alice): ThrewOut { name: \"bob\", text: \"\" }";
    check(0, "/kick bob", &[thrown, "bob: Kicked"]);
    check(0, "/quit", &["Alice: Quit"]);
    check(2, "/quit", &[": Quit"]);
}

#[test]
fn a_room_that_is_gone_has_nothing_to_forget() {
    let mut world = World::with(&["alice"]);
    world.say(0, "/join den");
    world.say(0, "hello");
    let (den, held) = world.chat.histories().max().expect("there are rooms");
    assert!(held > 0);
    assert!(world.chat.forget_some(den) < held);
    world.depart(0);
    assert_eq!(world.chat.forget_some(den), 0);
    assert_eq!(world.chat.memory(), 0);
}
