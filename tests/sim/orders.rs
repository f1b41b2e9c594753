//! What can happen at once, in every order in which it can: nothing here is left to chance.

use crate::journal::Who;
use crate::rng::Rng;
use crate::stage::{self, Stage};
use snug::chat::Origin;
use snug::fanout::Slow;
use snug::hub::Config;
use snug::limits;

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(last) {
        for at in 0..count {
            let mut longer = order.clone();
            longer.insert(at, last);
            all.push(longer);
        }
    }
    all
}

/// Somebody who takes everything, and may do so as the server's own user.
fn connect(stage: &mut Stage, own: bool) -> Who {
    let number = stage.model.people.len() as u32;
    let origin = Origin::Unix { number, own };
    stage.connect(origin, Rng::new(number.into()), usize::MAX, 0)
}

/// Some who are there; each is called by a letter, unless on a bus or still at the door. The first is an admin.
fn gather(config: Config, count: usize) -> Stage {
    let has_names = !config.bare && config.password.is_none();
    let mut stage = Stage::new(config);
    for who in 0..count {
        connect(&mut stage, who == 0);
        if has_names {
            let name = char::from(b'a' + who as u8);
            stage.arrive(who, format!("/nick {name}\n").as_bytes());
        }
    }
    match has_names {
        true => stage.settle(),
        // At the door one has a minute, and settling takes all the time there is.
        false => stage.turn(),
    }
    assert_eq!(stage.live.len(), count);
    stage
}

/// What somebody does within the turn: bytes, and whether their stream ends or is reset behind them.
#[derive(Clone, Copy)]
struct Deed(&'static str, End);

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    None,
    Close,
    Reset,
}

/// Has everybody do something within one turn, read in that order, while somebody new comes in.
fn check(config: &Config, deeds: &[Deed], order: &[usize]) {
    let mut stage = gather(config.clone(), deeds.len() + 1);
    for &index in order {
        let Deed(text, end) = deeds[index];
        stage.arrive(index, text.as_bytes());
        match end {
            End::None => {}
            End::Close => stage.end(index),
            End::Reset => stage.reset(index, true),
        }
        stage.tell(index, true);
    }
    connect(&mut stage, false);
    stage.turn();
    stage.settle();
}

#[test]
fn whatever_happens_in_one_turn_happens_in_any_order() {
    use End::*;
    let deeds = [
        Deed("/kick e out\n/msg e gone?\n", None),
        Deed("/join den\nhello den\n", None),
        Deed("quit\nnobody hears this\n", None),
        Deed("/nick e\n/nick h\nI am h\n", None),
        Deed("hello\n/msg d hello\n/join den\n", None),
        Deed("no end to this line", Close),
        Deed("so far\nnot so far", Reset),
    ];
    for order in orders(deeds.len()) {
        check(&stage::config(), &deeds, &order);
    }
}

#[test]
fn whoever_leaves_by_their_own_line_is_gone_for_what_follows() {
    let plain = stage::config();
    let with_password = Config {
        password: Some("sesame".into()),
        ..stage::config()
    };
    let bus = Config {
        bare: true,
        max_line: 8,
        ..stage::config()
    };
    let ways = [
        (&plain, "hello\nquit\nhello\n"),
        (&plain, "hello\n/quit so long\n/nick x\nhello\n"),
        (&plain, "/join den\n/topic x\nquit\n/part\n"),
        (&plain, "/kick a me\nhello\n/kick b\n"),
        (&plain, "/who\nquit\nhello\n"),
        (&with_password, "/pass sesame\nquit\nhello\n"),
        (&bus, "hello\nfar too long\nhello\n"),
        (&bus, "hello\nfar too long for a bus"),
    ];
    for (config, words) in ways {
        for end in [End::None, End::Close, End::Reset] {
            for order in orders(4) {
                let deeds = [
                    Deed(words, end),
                    Deed("one\ntwo\n", End::None),
                    Deed(words, End::None),
                    Deed("three", End::Close),
                ];
                check(config, &deeds, &order);
            }
        }
    }
}

/// How a reader stands when a line comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Takes everything.
    Eager,
    /// Takes nothing, and is behind.
    Stuck,
    /// Has an answer to come before the line.
    Asks,
    /// Its connection is no more, which the write finds out.
    Gone,
    /// The same, and it has said something before.
    GoneSpeaking,
}

#[test]
fn a_close_in_the_middle_of_the_fan_out_is_anybodys() {
    use Standing::*;
    const ALL: [Standing; 5] = [Eager, Stuck, Asks, Gone, GoneSpeaking];
    const READERS: usize = 4;
    for bare in [false, true] {
        for slow in [Slow::Skip, Slow::Close, Slow::Wait] {
            let config = Config {
                bare,
                slow,
                backlog: 4 << 10,
                ..stage::config()
            };
            for number in 0..ALL.len().pow(READERS as u32) {
                let mut stage = gather(config.clone(), READERS + 1);
                let standing =
                    |reader: usize| ALL[number / ALL.len().pow(reader as u32) % ALL.len()];
                for reader in 0..READERS {
                    let who = reader + 1;
                    match standing(reader) {
                        Eager => {}
                        Stuck => stage.pipe(who).space = 7,
                        Asks => {
                            stage.arrive(who, b"/ping\n");
                            stage.tell(who, false);
                        }
                        Gone => stage.reset(who, false),
                        GoneSpeaking => {
                            stage.arrive(who, b"goodbye\n");
                            stage.reset(who, true);
                        }
                    }
                }
                // Nobody is told of the resets: the first write meets them.
                stage.arrive(0, b"hello\nhello again\n");
                stage.tell(0, false);
                stage.turn();
                for who in 1..=READERS {
                    if standing(who - 1) == Stuck {
                        stage.pipe(who).take(usize::MAX);
                    }
                }
                stage.settle();
            }
        }
    }
}

#[test]
fn a_room_is_lively_while_many_speak_in_it() {
    let mut stage = gather(stage::config(), 2 * limits::LIVELY);
    // A line of one byte comes whole.
    let mut say = |speakers: std::ops::Range<Who>, text: &str| {
        for who in speakers {
            stage.arrive(who, text.as_bytes());
            stage.tell(who, false);
        }
        stage.turn();
        let is_lively = stage.is_lively();
        stage.settle();
        is_lively
    };
    let enough = limits::LIVELY;
    assert!(say(0..enough, "\n"));
    assert!(!say(0..enough - 1, "\n"), "too few");
    assert!(!say(0..1, &"hello\n".repeat(enough)), "one alone");
    assert!(!say(0..enough, "/ping\n"), "an answer is nobody else's");
    // Each in a room of their own: nobody hears them.
    for who in 0..enough {
        say(who..who + 1, &format!("/join {who}\n"));
    }
    assert!(!say(0..enough, "\n"), "nobody is there");
    // Now there is a second room to be heard in, of which each has as many.
    say(0..enough, "/join den\n");
    assert!(say(0..2 * enough, "\n"));
    assert!(!say(1..2 * enough, "\n"), "too few for two rooms");
}

#[test]
fn whoever_is_in_has_no_deadline_at_the_door() {
    let mut stage = Stage::new(Config {
        password: Some("sesame".into()),
        ..stage::config()
    });
    connect(&mut stage, false);
    stage.turn();
    assert!(stage.next_deadline().is_some());
    stage.arrive(0, b"/pass sesame\n");
    stage.tell(0, false);
    stage.turn();
    assert_eq!(stage.next_deadline(), None);
}
