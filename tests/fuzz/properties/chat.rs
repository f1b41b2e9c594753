//! The rules as a whole: several people, who come, ask for anything, and go.

use super::{Draw, one_line};
use snug::chat::{
    Chat, Command, Event, LOBBY_ID, Listing, Moment, Notice, Origin, PersonId, RoomId, Settings,
    Wall,
};
use snug::wire::{clean, plain};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// So many people may be here at once.
const PEOPLE: usize = 5;
const NAMES: [&str; 12] = [
    "a",
    "A",
    "bob",
    "Bob",
    "Zoë",
    "guest2",
    "10.0.0.1",
    "10.0.0.1:7",
    "unix:3",
    "2001:db8::1",
    "2001:db8::/64",
    "",
];
const ROOMS: [&str; 8] = ["lobby", "#Lobby", "r", "#R", "s", "#", "", "no room"];
const WORDS: [&str; 6] = ["", "pw", "k", "-", "two words", "\tx"];

/// Whatever people ask for in whatever order: the rules agree with themselves, nobody is told anything who is not
/// here, and who hears which room is what they say it is.
pub fn chat(data: &[u8]) {
    let mut draw = Draw(data);
    let kind = draw.byte();
    let secret = |bit: u8| (kind >> bit & 1 == 1).then(|| "pw".to_owned());
    let mut world = World {
        chat: Chat::new(Settings {
            welcome: "hello".into(),
            hide_addresses: kind & 1 == 1,
            history: draw.below(4),
            password: secret(1),
            admin_password: secret(2),
            keeps: secret(3).is_some(),
        }),
        now: Moment {
            ticks: 5,
            wall: Wall {
                unix: 1_795_352_587,
                offset: 3_600,
            },
        },
        seen: Seen::default(),
    };
    while !draw.is_empty() {
        let id = draw.below(PEOPLE) as PersonId;
        world.now.ticks += 1 << draw.below(20);
        match world.seen.here.contains(&id) {
            false => world.arrive(id, origin(&mut draw)),
            true if draw.below(16) == 0 => world.depart(id, &draw.text()),
            true if draw.below(4) == 0 => {
                let length = draw.below(40);
                let mut scratch = Vec::new();
                world.command(id, plain::parse(draw.take(length), &mut scratch), 3);
            }
            true => {
                let somebody = world.chat.name(draw.below(PEOPLE) as PersonId);
                let name = somebody.unwrap_or(draw.pick(&NAMES)).to_owned();
                let text = clean::cleaned(draw.take(5));
                world.command(id, command(&mut draw, &name, &text), 1);
            }
        }
        world.check();
    }
    for id in 0..PEOPLE as PersonId {
        world.depart(id, "");
        world.check();
    }
    assert_eq!(
        (
            world.chat.people(),
            world.chat.visitors(),
            world.chat.rooms()
        ),
        (0, 0, 1)
    );
}

fn origin(draw: &mut Draw<'_>) -> Origin {
    let port = draw.byte().into();
    match draw.below(4) {
        0 => Origin::Unix {
            number: u32::from(port),
            own: port % 3 == 0,
        },
        1 => Origin::Ip {
            ip: IpAddr::from([0x2001, 0xDB8, 0, 0, 0, 0, 0, 1 + port % 2]),
            port,
        },
        last => Origin::Ip {
            ip: IpAddr::from([10, 0, 0, last as u8]),
            port,
        },
    }
}

/// One of the commands, whose arguments are often what others use too.
fn command<'a>(draw: &mut Draw<'_>, name: &'a str, text: &'a str) -> Command<'a> {
    let kind = draw.below(24);
    let (room, word) = (draw.pick(&ROOMS), draw.pick(&WORDS));
    match kind {
        0 => Command::Say(text.into()),
        1 => Command::Act(text),
        2 => Command::Msg { name, text },
        3 | 4 => Command::Nick(draw.pick(&NAMES)),
        5..=7 => Command::Join {
            room,
            key: word,
            keep: draw.flag(),
        },
        8 => Command::Part,
        9 => Command::Rooms,
        10 => Command::Topic(word),
        11 => Command::Key(word),
        12 => Command::Who(room),
        13 => Command::History(draw.pick(&["", "1", "0", "-1", "99999999999999999999999"])),
        14 => Command::Stats,
        15 => Command::Quit(text),
        16 | 17 => Command::Pass(word),
        18 => Command::Admin(word),
        19 => Command::Kick { name, text },
        20 => Command::Ban { whom: name, text },
        21 => Command::Unban(name),
        22 => Command::Bans,
        _ => Command::Wall(text),
    }
}

/// What is known of the chat by its events alone.
#[derive(Default)]
struct Seen {
    /// Those who came and are not dismissed yet.
    here: BTreeSet<PersonId>,
    /// Who hears which room.
    seats: BTreeSet<(PersonId, RoomId)>,
    /// The people whom the last `/who` named, and how many it was to name.
    named: Vec<String>,
    present: usize,
}

struct World {
    chat: Chat,
    now: Moment,
    seen: Seen,
}

impl World {
    fn arrive(&mut self, id: PersonId, origin: Origin) {
        self.seen.here.insert(id);
        self.chat
            .arrive(id, origin, self.now, &mut |event| self.seen.take(event));
    }

    fn depart(&mut self, id: PersonId, text: &str) {
        self.chat
            .depart(id, text, &mut |event| self.seen.take(event));
        self.seen.here.remove(&id);
        assert!(self.seen.rooms_of(id).next().is_none());
        self.chat
            .depart(id, text, &mut |event| panic!("{id} goes twice: {event:?}"));
    }

    /// A command, with its answer to the end, so many lines at a time.
    fn command(&mut self, id: PersonId, command: Command<'_>, lines: usize) {
        let Self { chat, now, seen } = self;
        let begun = chat.command(id, command, *now, &mut |event| seen.take(event));
        let is_who = matches!(begun, Some(Listing::Who { .. }));
        let mut next = begun;
        while let Some(listing) = next {
            next = chat.list(id, listing, lines, *now, &mut |event| {
                assert!(
                    matches!(event, Event::Tell { to, .. } if to == id),
                    "{event:?}"
                );
                seen.take(event);
            });
        }
        if is_who {
            seen.named.sort_unstable();
            let all = seen.named.len();
            seen.named.dedup();
            assert_eq!(
                (all, seen.named.len()),
                (seen.present, seen.present),
                "{:?}",
                seen.named
            );
            seen.named.clear();
        }
        // The hub says so of everybody who goes, whether the rules dismissed them or not.
        if !seen.here.contains(&id) {
            chat.depart(id, "", &mut |event| panic!("{id} goes twice: {event:?}"));
        }
    }

    fn check(&self) {
        let Self { chat, seen, .. } = self;
        chat.check_invariants();
        let is_in = |id: &&PersonId| !chat.is_visitor(**id);
        assert_eq!(chat.people(), seen.here.iter().filter(is_in).count());
        assert_eq!(chat.people() + chat.visitors(), seen.here.len());
        let mut names = BTreeSet::new();
        for &id in &seen.here {
            let rooms = seen.rooms_of(id).count();
            match chat.name(id) {
                Some(name) => {
                    assert!(
                        names.insert(name.to_ascii_lowercase()),
                        "two are called {name}"
                    );
                    assert!(
                        !name.is_empty() && !name.contains(char::is_whitespace) && rooms > 0,
                        "{name:?}"
                    );
                }
                None => assert!(chat.is_visitor(id) && rooms == 0),
            }
        }
        let rooms: BTreeSet<_> = seen
            .seats
            .iter()
            .map(|&(_, room)| room)
            .chain([LOBBY_ID])
            .collect();
        assert_eq!(chat.rooms(), rooms.len());
    }
}

impl Seen {
    fn rooms_of(&self, id: PersonId) -> impl Iterator<Item = RoomId> {
        let seats = self.seats.iter();
        seats
            .filter(move |&&(person, _)| person == id)
            .map(|&(_, room)| room)
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Publish { author, said, .. } => {
                let mut out = Vec::new();
                plain::said(&mut out, said);
                one_line(&out);
                assert!(out.len() <= plain::said_length(said), "{said:?}");
                assert!(
                    author.is_none_or(|author| self.here.contains(&author)),
                    "{event:?}"
                );
            }
            Event::Record { room, talk } => {
                assert!(
                    room.starts_with('#') && talk.at != Moment::default(),
                    "{event:?}"
                );
            }
            Event::Tell { to, notice } => {
                assert!(self.here.contains(&to), "{event:?}");
                let mut out = Vec::new();
                plain::notice(&mut out, notice);
                one_line(&out);
                match notice {
                    Notice::Present { people, .. } => self.present = people,
                    Notice::Person { name, .. } => self.named.push(name.to_owned()),
                    _ => {}
                }
            }
            Event::Whisper {
                from,
                to,
                from_name,
                to_name,
                ..
            } => {
                assert!(
                    self.here.contains(&from) && self.here.contains(&to) && from != to,
                    "{event:?}"
                );
                assert_ne!(from_name, to_name);
            }
            Event::Report { to } => assert!(self.here.contains(&to)),
            Event::Enter { person, room } => {
                assert!(
                    self.here.contains(&person) && self.seats.insert((person, room)),
                    "{event:?}"
                );
            }
            Event::Leave { person, room } => {
                assert!(self.seats.remove(&(person, room)), "{event:?}")
            }
            Event::Vanish { room } => {
                assert!(
                    room != LOBBY_ID && self.seats.iter().all(|&(_, seat)| seat != room),
                    "{event:?}"
                );
            }
            Event::Note { .. } => {}
            Event::Dismiss { person, .. } => {
                assert!(self.here.remove(&person), "{event:?}");
                assert!(
                    self.rooms_of(person).next().is_none(),
                    "{person} is still in a room"
                );
            }
        }
    }
}
