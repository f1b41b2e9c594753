//! The fan-out by small scripts: who joins, who says what, who takes how much, and what each has then got.

use super::*;
use std::fmt::Write;

/// A numbered line's length. A chunk of the smallest size holds eight of them.
const LINE: usize = 64;

fn settings(slow: Slow) -> Settings {
    Settings {
        backlog: 16 * LINE,
        slow,
        slow_timeout: 1_000,
        stall: 0,
        gap: Some(|lines| format!("gap {lines}\n").into_bytes()),
    }
}

fn bare(slow: Slow) -> Settings {
    Settings {
        gap: None,
        ..settings(slow)
    }
}

/// A reader of the script: what it may still take, and what it has got.
#[derive(Default)]
struct Peer {
    space: usize,
    got: Vec<u8>,
}

struct World {
    fanout: Fanout,
    feed: FeedId,
    peers: Vec<Peer>,
    now: Millis,
    published: u64,
    notes: Vec<String>,
}

/// Runs a script, and compares what everybody got and what was noted with `expected`.
///
/// The words of a script: `+a` a joins, `-a` parts, `xa` is cut off, `~a` is removed; `#5` five numbered
/// lines of nobody, `a#5` of a's; `a!x` the private line x to a; `a:0` a takes nothing more, `a:9` another
/// 9 bytes, `a:*` everything; `/` sheds the oldest chunk; `.` ends a turn, `@9` at that time; `a?` notes what becomes of a's talk.
///
/// A stream is written as `a 1-8 gap 3 12`, a line that is not whole as `…`. Then come notes.
#[track_caller]
fn check(settings: Settings, script: &str, expected: &str) {
    let mut fanout = Fanout::new(settings);
    let feed = fanout.open();
    let mut world = World {
        fanout,
        feed,
        peers: Vec::new(),
        now: 0,
        published: 0,
        notes: Vec::new(),
    };
    for word in script.split_whitespace() {
        world.run(word);
        world.fanout.check_invariants();
    }
    assert_eq!(world.render(), expected, "{script}");
}

impl World {
    fn run(&mut self, word: &str) {
        let (first, rest) = word.split_at(1);
        match first {
            "+" => self.join(id(rest)),
            "-" => self.fanout.part(id(rest)),
            "x" => self.fanout.cut(id(rest)),
            "~" => self.fanout.remove(id(rest)),
            "#" => self.publish(None, rest),
            "/" => _ = self.fanout.shed(self.feed),
            "." => self.flush(),
            "@" => self.now = rest.parse().expect("a time"),
            _ => {
                let (verb, rest) = rest.split_at(1);
                match verb {
                    "#" => self.publish(Some(id(first)), rest),
                    "!" => self.fanout.send(id(first), format!("{rest}\n").as_bytes()),
                    ":" => self.take(id(first), rest),
                    "?" => {
                        let held = self.fanout.is_held(id(first));
                        self.notes.push(if held { "held" } else { "free" }.into());
                    }
                    _ => panic!("no such word: {word}"),
                }
            }
        }
    }

    fn join(&mut self, id: ReaderId) {
        self.fanout.add(id);
        self.fanout.join(id, self.feed);
        self.peers
            .resize_with((id as usize + 1).max(self.peers.len()), Peer::default);
        self.peers[id as usize].space = usize::MAX;
    }

    fn publish(&mut self, author: Option<ReaderId>, count: &str) {
        for _ in 0..count.parse().expect("a count") {
            self.published += 1;
            let line = format!("{:0width$}\n", self.published, width = LINE - 1);
            self.fanout
                .publish(self.feed, author, 1, line.len(), |out| {
                    out.extend(line.bytes())
                });
        }
    }

    fn take(&mut self, id: ReaderId, space: &str) {
        let peer = &mut self.peers[id as usize];
        peer.space = match space {
            "0" => 0,
            "*" => usize::MAX,
            bytes => peer.space + bytes.parse::<usize>().expect("a number of bytes"),
        };
        if peer.space > 0 {
            self.fanout.unblock(id);
        }
    }

    fn flush(&mut self) {
        let peers = &mut self.peers;
        self.fanout.flush(
            self.now,
            &mut outlets(|id, slices| {
                let peer = &mut peers[id as usize];
                let mut written = 0;
                for slice in slices {
                    let taken = slice.len().min(peer.space);
                    peer.got.extend_from_slice(&slice[..taken]);
                    peer.space -= if peer.space == usize::MAX { 0 } else { taken };
                    written += taken;
                }
                written
            }),
        );
        for id in self.fanout.take_too_slow() {
            self.notes.push(format!("{} too slow", letter(id)));
        }
    }

    fn render(&self) -> String {
        let mut out = String::new();
        for (id, peer) in self.peers.iter().enumerate() {
            let separator = if id > 0 { "; " } else { "" };
            _ = write!(
                out,
                "{separator}{}{}",
                letter(id as ReaderId),
                stream(&peer.got)
            );
        }
        for note in &self.notes {
            _ = write!(out, "; {note}");
        }
        out
    }
}

fn id(letter: &str) -> ReaderId {
    ReaderId::from(letter.as_bytes()[0] - b'a')
}

fn letter(id: ReaderId) -> char {
    char::from(b'a' + id as u8)
}

/// A stream in short: runs of numbered lines as `1-8`.
fn stream(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut run: Option<(u64, u64)> = None;
    let end_run = |run: Option<(u64, u64)>, out: &mut String| match run {
        Some((first, last)) if first == last => out.push_str(&format!(" {first}")),
        Some((first, last)) => out.push_str(&format!(" {first}-{last}")),
        None => {}
    };
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let number = Some(text.trim_end()).filter(|_| line.len() == LINE && line.ends_with(b"\n"));
        match (number.and_then(|text| text.parse().ok()), run) {
            (Some(number), Some((first, last))) if number == last + 1 => {
                run = Some((first, number))
            }
            (Some(number), _) => {
                end_run(run, &mut out);
                run = Some((number, number));
            }
            (None, _) => {
                end_run(run.take(), &mut out);
                let whole = if line.ends_with(b"\n") {
                    text.trim_end()
                } else {
                    "…"
                };
                out.push_str(&format!(" {whole}"));
            }
        }
    }
    end_run(run, &mut out);
    out
}

#[test]
fn everybody_but_the_author_gets_a_line() {
    let skip = settings(Slow::Skip);
    check(skip, "+a +b #1 . a#1 b#1 .", "a 1 3; b 1-2");
    check(skip, "+a #1 +b #1 . +c .", "a 1-2; b 2; c");
    check(skip, "+a a#3 . +b a#1 .", "a; b 4");
    // An author that is no member yet, as one who enters.
    check(skip, "+a +b #1 -b b#1 .", "a 1-2; b 1");
}

#[test]
fn replies_stand_where_they_arose() {
    let skip = settings(Slow::Skip);
    check(skip, "+a +b #1 a!x #1 a!y a!z #1 .", "a 1 x 2 y z 3; b 1-3");
    check(skip, "+a +b #1 a#1 a!x b#1 a#1 b#1 .", "a 1 x 3 5; b 1-2 4");
    check(skip, "+a a!x . a!y . #1 .", "a x y 1");
}

#[test]
fn a_short_write_goes_on_where_it_stopped() {
    let skip = settings(Slow::Skip);
    check(skip, "+a a:0 #2 . a:70 .", "a 1 …");
    check(skip, "+a a:0 #2 . a:70 . a:70 . a:1 .", "a 1-2");
    // Nothing is tried before there is space.
    check(skip, "+a a:0 #1 . #1 . . a:* .", "a 1-2");
    // Into a reply, out of it, over the chunk's end into the next.
    let script = "+a a:0 #9 a!hello #9 . a:578 . a:1 . a:5 . a:* .";
    check(skip, script, "a 1-9 hello 10-18");
    let every_byte: String = (0..20 * LINE).map(|_| "a:1 . ").collect();
    check(
        skip,
        &format!("+a a:0 #9 a!hello a#1 #7 . {every_byte}"),
        "a 1-9 hello 11-17",
    );
}

#[test]
fn whoever_is_too_far_behind_is_told_the_number() {
    let skip = settings(Slow::Skip);
    // A backlog of 16 lines and chunks of 8.
    check(skip, "+a a:0 #16 . #7 . a:* .", "a 1-23");
    check(skip, "+a a:0 #24 . a:* .", "a gap 8 9-24");
    check(skip, "+a a:0 #24 . a:1 . a:* .", "a gap 8 9-24");
    check(skip, "+a +b a:0 #40 . a:* . #1 .", "a gap 24 25-41; b 1-41");
    check(skip, "+a a:0 #40 . a:0 #40 . a:* .", "a gap 64 65-80");
}

#[test]
fn a_line_begun_is_ended_before_the_gap() {
    let skip = settings(Slow::Skip);
    check(skip, "+a a:0 #1 . a:10 . #40 . a:* .", "a 1 gap 23 25-41");
    check(
        skip,
        "+a a:0 #1 a!x . a:10 . #40 . a:* .",
        "a 1 x gap 23 25-41",
    );
    check(
        skip,
        "+a a:0 a!hello . a:3 . #40 . a:* .",
        "a hello gap 24 25-40",
    );
    // The gap's own line too.
    check(
        skip,
        "+a a:0 #40 . a:3 . #40 . a:* .",
        "a gap 24 gap 40 65-80",
    );
}

#[test]
fn replies_survive_a_gap() {
    let skip = settings(Slow::Skip);
    check(
        skip,
        "+a a:0 #4 a!x #4 a!y #32 . a:* .",
        "a gap 4 x gap 4 y gap 16 25-40",
    );
    check(skip, "+a a:0 #30 a!x #10 . a:* .", "a gap 24 25-30 x 31-40");
    // One's own lines are missed by nobody.
    check(
        skip,
        "+a +b a:0 #4 a#20 #16 . a:* .",
        "a gap 4 25-40; b 1-40",
    );
}

#[test]
fn close_gives_up_whoever_is_too_far_behind() {
    let close = settings(Slow::Close);
    check(close, "+a +b a:0 #23 . a:* .", "a 1-23; b 1-23");
    check(close, "+a +b a:0 #24 .", "a; b 1-24; a too slow");
    check(
        close,
        "+a a:0 #1 . a:70 #40 . xa . a:* .",
        "a 1-2; a too slow",
    );
    check(
        close,
        "+a a:0 a!hello #1 . a:3 . #40 . xa a:* .",
        "a hello; a too slow",
    );
    // A bus has no line for a gap, so it closes where others are told.
    check(bare(Slow::Skip), "+a a:0 #24 . xa .", "a; a too slow");
    // Cut off once more, where nothing of the line's rest was taken in between.
    check(close, "+a #1 . a:0 a:70 #2 . xa . xa . a:* .", "a 1-3");
    // Gone before anybody asks who is too slow: its number may be another's by then.
    check(close, "+a a:0 #1 . #24 ~a +a .", "a");
}

#[test]
fn a_stop_of_one_holds_its_room_up() {
    let wait = settings(Slow::Wait);
    check(
        wait,
        "+a +b a:0 #16 . b? #1 . b? a?",
        "a; b 1-17; free; held; held",
    );
    // Back within half the backlog: nine lines are too many, eight are not.
    check(wait, "+a +b a:0 #17 . a:512 . b?", "a 1-8; b 1-17; held");
    check(
        wait,
        "+a +b a:0 #17 . a:576 . b? a:* .",
        "a 1-17; b 1-17; free",
    );
    // Nothing is lost meanwhile, whatever is said.
    check(wait, "+a +b a:0 #99 . a:* .", "a 1-99; b 1-99");
    // Whoever goes holds nobody up.
    check(wait, "+a +b a:0 #17 . b? ~a . b?", "a; b 1-17; held; free");
}

#[test]
fn who_has_used_up_its_time_holds_nobody_up() {
    let wait = settings(Slow::Wait);
    check(wait, "+a +b a:0 #17 . @999 . b?", "a; b 1-17; held");
    check(wait, "+a +b a:0 #17 . @1000 . b?", "a; b 1-17; free");
    check(
        wait,
        "+a +b a:0 #17 . @1000 . #23 . b? a:* .",
        "a gap 24 25-40; b 1-40; free",
    );
    // Once it has caught up, the room waits for it again.
    let script = "+a +b a:0 #17 . @1000 . a:* . a:0 #17 . b?";
    check(wait, script, "a 1-17; b 1-34; held");
    check(
        bare(Slow::Wait),
        "+a +b a:0 #17 . @1000 . b?",
        "a; b 1-17; a too slow; free",
    );
}

#[test]
fn the_room_says_when_it_goes_on() {
    let mut fanout = Fanout::new(settings(Slow::Wait));
    let feed = fanout.open();
    fanout.add(0);
    fanout.join(0, feed);
    fanout.publish(feed, None, 1, 2000, |out| {
        out.extend([[b'x'; 1999].as_slice(), b"\n"].concat())
    });
    assert_eq!(fanout.next_deadline(), None);
    fanout.flush(70, &mut outlets(|_, _| 0));
    assert_eq!(fanout.next_deadline(), Some(1_070));
    assert!(!fanout.has_news());
    fanout.flush(1_070, &mut outlets(|_, _| 0));
    assert_eq!(fanout.next_deadline(), None);
}

#[test]
fn who_leaves_gets_what_was_said_before() {
    let skip = settings(Slow::Skip);
    check(skip, "+a +b a:0 #2 -a #2 . a:* .", "a 1-2; b 1-4");
    check(
        skip,
        "+a +b a:0 #2 . a:70 . -a a!bye #2 . a:* .",
        "a 1-2 bye; b 1-4",
    );
    check(skip, "+a +b a:0 #2 -a . #40 . a:* .", "a gap 2; b 1-42");
    check(
        skip,
        "+a +b a:0 #2 . a:70 . -a #40 . a:* .",
        "a 1-2; b 1-42",
    );
    // Cut off, it gets no more than the line it is in.
    check(skip, "+a a:0 #9 a!x . a:70 . xa . a:* .", "a 1-2");
    check(skip, "+a a:0 #9 a!x . a:64 . xa . a:* .", "a 1");
}

#[test]
fn what_is_shed_is_told_to_the_line() {
    let skip = settings(Slow::Skip);
    // Eight lines are a chunk.
    for (script, expected) in [
        ("+a +b a:0 #9 . / . a:* .", "a gap 8 9; b 1-9"),
        ("+a +b a:0 #9 . / / . a:* #1 .", "a gap 9 10; b 1-10"),
        ("+a +b a:0 #9 . / / / #9 . a:* .", "a gap 9 10-18; b 1-18"),
        (
            "+a +b #9 . a:0 a:70 #9 . / . a:* .",
            "a 1-11 gap 6 18; b 1-18",
        ),
        (
            "+a +b a:0 #9 a!x #1 . / / . a:* .",
            "a gap 9 x gap 1; b 1-10",
        ),
        ("+a #9 . / . #1 .", "a 1-10"),
    ] {
        check(skip, script, expected);
    }
    let script = "+a +b a:0 #9 . / .";
    check(settings(Slow::Close), script, "a; b 1-9; a too slow");
    check(bare(Slow::Wait), script, "a; b 1-9; a too slow");
    check(
        settings(Slow::Wait),
        "+a +b a:0 #9 . / a:* .",
        "a gap 8 9; b 1-9",
    );
}

#[test]
fn those_who_stop_in_the_same_line_share_it() {
    let mut fanout = Fanout::new(settings(Slow::Skip));
    let feed = fanout.open();
    for id in 0..100 {
        fanout.add(id);
        fanout.join(id, feed);
    }
    fanout.publish(feed, None, 1, 10_000, |out| {
        out.resize(9_999, b'x');
        out.push(b'\n');
    });
    fanout.flush(1, &mut outlets(|id, _| 1 + id as usize));
    fanout.shed(feed);
    fanout.check_invariants();
    assert!(fanout.memory() < 50_000, "{} bytes", fanout.memory());
    for id in 0..100 {
        fanout.unblock(id);
    }
    let mut rest = [0; 100];
    fanout.flush(
        2,
        &mut outlets(|id, slices| {
            let length = slices.iter().map(|slice| slice.len()).sum();
            rest[id as usize] += length;
            length
        }),
    );
    for (id, rest) in rest.into_iter().enumerate() {
        assert_eq!(rest, 10_000 - 1 - id);
    }
    fanout.check_invariants();
}

#[test]
fn too_many_segments_become_one_gap() {
    let roomy = |slow| Settings {
        backlog: 1 << 20,
        ..settings(slow)
    };
    let talk = "#1 a!x ".repeat(limits::SEGMENTS / 2 - 1);
    let replies = " x".repeat(limits::SEGMENTS / 2 - 1);
    let within: String = (3..=limits::SEGMENTS / 2)
        .map(|n| format!(" {n} x"))
        .collect();
    let whole = format!("a 1-2 x{within}");
    check(
        roomy(Slow::Skip),
        &format!("+a a:0 #1 . {talk} . a:* ."),
        &whole,
    );
    let over = "#1 a!x #1 a!x #1 a#1 #1";
    let most = limits::SEGMENTS / 2;
    // Who has not stopped gets everything, however much comes in one turn.
    for slow in [Slow::Skip, Slow::Close, Slow::Wait] {
        check(
            roomy(slow),
            &format!("+a #1 . {talk} {over} ."),
            &format!(
                "{whole} {} x {} x {} {}",
                most + 1,
                most + 2,
                most + 3,
                most + 5
            ),
        );
    }
    let expected = format!("a gap {}{replies} x x {} {}", most + 2, most + 3, most + 5);
    check(
        roomy(Slow::Skip),
        &format!("+a a:0 #1 . {talk} {over} . a:* ."),
        &expected,
    );
    let script = format!("+a a:0 #1 . {talk} {over} .");
    check(roomy(Slow::Close), &script, "a; a too slow");
    // A bus says nothing of a gap, so nothing may come behind it.
    let bus = Settings {
        gap: None,
        ..roomy(Slow::Skip)
    };
    let script = format!("+a a:0 #1 . {talk} {over} . xa .");
    check(bus, &script, "a; a too slow");
}

#[test]
fn what_others_say_to_somebody_is_no_answer() {
    let mut fanout = Fanout::new(Settings {
        stall: 100,
        ..settings(Slow::Skip)
    });
    fanout.add(0);
    let word = vec![b'x'; limits::REPLIES / 2 + 1];
    for _ in 0..2 {
        // Much of it at once is no sign that nobody reads it.
        assert!(fanout.is_reading(0));
        fanout.whisper(0, &word);
    }
    assert!(fanout.is_reading(0));
    fanout.flush(0, &mut outlets(|_, _| 1));
    assert!(!fanout.is_reading(0), "too much is left");
    assert_eq!(
        fanout.replies(0),
        0,
        "and nobody has to read it to be heard"
    );
    fanout.unblock(0);
    fanout.flush(0, &mut outlets(|_, slices| slices[0].len()));
    fanout.send(0, b"answer");
    fanout.flush(0, &mut outlets(|_, _| 1));
    assert_eq!(fanout.replies(0), 5);
    assert!(fanout.is_reading(0));
    fanout.begin(101);
    assert!(
        !fanout.is_reading(0),
        "it has stopped, whatever time the last turn had"
    );
}

#[test]
fn a_bus_closes_only_who_is_too_far_behind() {
    let patient = Settings {
        stall: 100,
        ..bare(Slow::Skip)
    };
    // Both keep taking, and the room loses patience: a is past the backlog, b is within it.
    let taking: String = (1..=12)
        .map(|n| format!("@{} a:1 b:1 . ", n * 90))
        .collect();
    let script = format!("+a a:0 #12 . +b b:0 #12 . {taking} b:* .");
    check(patient, &script, "a …; b 13-24; a too slow");
}

#[test]
fn a_room_waits_a_moment_for_whoever_keeps_taking() {
    let patient = |slow| Settings {
        stall: 100,
        ..settings(slow)
    };
    for slow in [Slow::Skip, Slow::Close] {
        // Within the moment nothing is lost, but nobody may speak until it is back within half.
        check(
            patient(slow),
            "+a a:0 #24 . a? a:* . a?",
            "a 1-24; held; free",
        );
        check(
            patient(slow),
            "+a a:0 #24 . a? a:900 @90 . a? a:200 @180 . a? a:* .",
            "a 1-24; held; held; free",
        );
    }
    // Who takes nothing for so long has stopped, and is not waited for again before it has caught up.
    check(
        patient(Slow::Skip),
        "+a a:0 #24 . a? @100 . a? #24 . a? a:1 . a? #1 . a? a:* . #24 a:0 . a?",
        "a gap 32 33-49; held; free; free; free; free; held",
    );
    check(
        patient(Slow::Close),
        "+a a:0 #24 . a? @100 . a?",
        "a; held; a too slow; free",
    );
    // Who had stopped before it fell behind is not waited for at all.
    check(
        patient(Slow::Skip),
        "+a a:0 #1 . @100 #23 . a? a:* .",
        "a gap 8 9-24; free",
    );
    // Nor is who takes a little all the time, for long.
    check(
        patient(Slow::Skip),
        "+a a:0 #24 . @90 a:1 . @180 a:1 . @270 a:1 . @360 a:1 . @450 a:1 . a? @540 a:1 . @630 a:1 . \
         @720 a:1 . @810 a:1 . @900 a:1 . @990 a:1 . a? @1000 a:1 . a?",
        "a …; held; held; free",
    );
}
