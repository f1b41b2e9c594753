//! A reader that stops: what becomes of it, and that it costs nobody else anything.

use crate::harness::{Client, Folder, Server, Tally, gap, numbered, numbered_line, until};
use crate::kernel::Growth;
use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The length of most lines here, with the newline.
const LENGTH: usize = 1000;
/// Lines that go out at once: well within the backlog, so that a reader that reads never falls behind,
/// however slow the machine.
const BATCH: usize = 32;
/// The backlog that goes with them.
const BACKLOG: &str = "128K";
/// Waits for readers longer than any test lasts.
const WAITS_LONG: [&str; 6] = [
    "--backlog",
    BACKLOG,
    "--slow",
    "wait",
    "--slow-timeout",
    "3600",
];

/// Sends the lines `from..to`, and waits for `reader` to have each batch before the next: it must get them
/// all, whatever the others do.
fn talk(sender: &mut Client, reader: &mut Client, prefix: &str, lines: std::ops::Range<usize>) {
    for from in lines.clone().step_by(BATCH) {
        let to = lines.end.min(from + BATCH);
        sender.send(numbered(from..to, LENGTH));
        for number in from..to {
            reader.expect_line(&format!("{prefix}{}", numbered_line(number, LENGTH)));
        }
    }
}

/// Somebody who sends lines from a thread of its own, for as long as it takes, and half-closes.
struct Talk {
    thread: JoinHandle<()>,
    /// Lines that have gone out.
    sent: Arc<AtomicUsize>,
}

impl Talk {
    /// Sends the lines `0..count`.
    fn start(sender: &Client, count: usize) -> Self {
        let mut writer = sender.writer();
        let sent = Arc::new(AtomicUsize::new(0));
        let thread = thread::spawn({
            let sent = Arc::clone(&sent);
            move || {
                for from in (0..count).step_by(BATCH) {
                    let to = count.min(from + BATCH);
                    let lines = numbered(from..to, LENGTH);
                    let result = writer.write_all(lines.as_bytes());
                    result.expect("the server reads in the end");
                    sent.store(to, Ordering::Relaxed);
                }
                writer.shutdown(Shutdown::Write).expect("it is connected");
            }
        });
        Self { thread, sent }
    }

    /// Waits until nothing goes out any more, although there is more to send.
    fn wait_held_up(&self) {
        let mut before = 0;
        until("the sender is held up", || {
            thread::sleep(Duration::from_millis(50));
            let now = self.sent.load(Ordering::Relaxed);
            now > 0 && std::mem::replace(&mut before, now) == now
        });
        assert!(!self.thread.is_finished(), "nobody held it up");
    }

    fn end(self) {
        self.thread.join().expect("it could send everything");
    }
}

/// `count` lines past a reader that has stopped, which then goes on, twice.
fn check_skip(server: &Server, count: usize) {
    let [mut reader, mut sender] = server.room();
    let mut slow = server.connect_small();
    slow.expect_line(crate::harness::WELCOME);
    for other in [&mut reader, &mut sender] {
        other.expect_notice(&["entered"]);
    }
    let prefix = format!("<{}> ", sender.name);
    let mut tally = Tally::default();
    for round in 1..=2 {
        talk(
            &mut sender,
            &mut reader,
            &prefix,
            (round - 1) * count..round * count,
        );
        tally.read(&mut slow, &prefix, round * count, LENGTH);
        assert!(tally.gaps >= round, "{tally:?}");
    }
    // It is back: what follows reaches it without a gap.
    talk(
        &mut sender,
        &mut reader,
        &prefix,
        2 * count..2 * count + BATCH,
    );
    let gaps = tally.gaps;
    tally.read(&mut slow, &prefix, 2 * count + BATCH, LENGTH);
    assert_eq!(tally.gaps, gaps);
    assert_eq!(sender.sync(), [""; 0]);
}

#[test]
fn skip_tells_exactly_what_was_missed() {
    let folder = Folder::new();
    check_skip(&Server::start_unix(&folder, &["--backlog", BACKLOG]), 1500);
}

#[test]
fn skip_tells_exactly_what_was_missed_over_tcp() {
    check_skip(&Server::start(&["--backlog", BACKLOG]), 6000);
}

#[test]
fn what_skips_holds_the_newest_lines() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &["--backlog", BACKLOG]);
    let [mut reader, mut sender, mut slow] = server.room();
    let prefix = format!("<{}> ", sender.name);
    talk(&mut sender, &mut reader, &prefix, 0..2000);
    // It goes on from the oldest line still held: that is a backlog of lines, within a sixteenth, the line
    // that it was in, and the prefix.
    let mut last_gap = 0;
    let mut lines = 0;
    while lines + last_gap < 2000 {
        let line = slow.line();
        match gap(&line) {
            Some(skipped) => {
                last_gap = lines + skipped - {
                    lines = 0;
                    0
                }
            }
            None => lines += 1,
        }
    }
    let bytes = lines * (LENGTH + prefix.len());
    assert!(
        bytes > 100 << 10,
        "after the gap come {bytes} bytes of a backlog of 128 KiB"
    );
}

/// A flood of many times the backlog, past readers that have stopped: what is held for all of them together, and
/// that each is told to the line what it missed when it reads again.
fn check_memory(backlog: usize, length: usize) {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &["--backlog", &format!("{backlog}K")]);
    let [mut reader, mut sender, mut slow, mut slow_too] = server.room();
    let prefix = format!("<{}> ", sender.name);
    let (mut tally, mut tallies) = (Tally::default(), [Tally::default(), Tally::default()]);
    let batch = BATCH * LENGTH / length;
    let mut talk = |to: usize| {
        let from = tally.lines;
        sender.send(numbered(from..to, length));
        tally.read(&mut reader, &prefix, to, length);
        assert_eq!(tally.skipped, 0);
    };
    // What is there without them: the room's last lines, what a read fills.
    let before = 300 + 8 * batch;
    for to in (batch..before).step_by(batch).chain([before]) {
        talk(to);
        for (reader, tally) in [&mut slow, &mut slow_too].into_iter().zip(&mut tallies) {
            tally.read(reader, &prefix, to, length);
        }
    }
    let growth = Growth::of_own(&server);
    let mut most = 0;
    let count = before + 8 * (backlog << 10) / length;
    for to in (before + batch..count).step_by(batch).chain([count]) {
        talk(to);
        most = most.max(growth.now());
    }
    eprintln!("{most} KiB are held of a backlog of {backlog} KiB, with lines of {length} bytes");
    // A line, and 64 KiB.
    assert!(most <= backlog as u64 + 4 + 64, "{most} of {backlog}");
    for (reader, tally) in [&mut slow, &mut slow_too].into_iter().zip(&mut tallies) {
        tally.read(reader, &prefix, count, length);
        assert!(tally.skipped > 0, "{tally:?}");
    }
}

#[test]
fn the_memory_held_for_stopped_readers_is_one_backlog() {
    for (backlog, length) in [
        (64, 1000),
        (64, 4096),
        (256, 1000),
        (1024, 100),
        (1024, 3000),
        (1024, 4096),
        (4096, 1000),
    ] {
        check_memory(backlog, length);
    }
}

#[test]
fn replies_stand_where_they_belong_among_skipped_lines() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &["--backlog", BACKLOG]);
    let [mut reader, mut sender, mut slow] = server.room();
    let prefix = format!("<{}> ", sender.name);
    let mut replies = 0;
    for round in 0..40 {
        talk(
            &mut sender,
            &mut reader,
            &prefix,
            round * 50..(round + 1) * 50,
        );
        slow.say(&format!("/ping after {}", (round + 1) * 50));
        // The question has been answered when its asker has been heard.
        slow.say(&format!("heard {round}"));
        let heard = reader.line();
        assert!(heard.ends_with(&format!("> heard {round}")), "{heard:?}");
        let heard = sender.line();
        assert!(heard.ends_with(&format!("> heard {round}")), "{heard:?}");
    }
    let mut seen = 0;
    let mut gaps = 0;
    while seen < 2000 || replies < 40 {
        let line = slow.line();
        if let Some(skipped) = gap(&line) {
            seen += skipped;
            gaps += 1;
        } else if let Some((_, after)) = line.split_once("after ") {
            // A gap may hide on which side of a reply a line was, never one that came.
            let after: usize = after.parse().expect("a number");
            assert!(
                line.starts_with("*** ") && after == (replies + 1) * 50,
                "{line:?}"
            );
            replies += 1;
        } else {
            assert_eq!(line, format!("{prefix}{}", numbered_line(seen, LENGTH)));
            assert!(
                seen < (replies + 1) * 50,
                "line {seen} before reply {replies}"
            );
            seen += 1;
        }
    }
    assert_eq!((seen, replies), (2000, 40));
    assert!(gaps > 0);
}

#[test]
fn close_ends_a_reader_that_stops_and_nobody_else() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &["--backlog", BACKLOG, "--slow", "close"]);
    let [mut reader, mut sender, mut slow] = server.room();
    let prefix = format!("<{}> ", sender.name);
    let mut number = 0;
    // Until it is announced, every line reaches the reader.
    let left = format!("*** {} left", slow.name);
    'talk: loop {
        assert!(number < 100_000, "never closed");
        sender.send(numbered(number..number + BATCH, LENGTH));
        let mut got = 0;
        while got < BATCH {
            let line = reader.line();
            if line == left {
                break 'talk;
            }
            assert_eq!(
                line,
                format!("{prefix}{}", numbered_line(number + got, LENGTH))
            );
            got += 1;
        }
        number += BATCH;
    }
    server.wait_log("left: too slow");
    // What it had is whole, without a gap, and then ends.
    let mut lines = 0;
    while let Some(line) = slow.next_line() {
        let line = String::from_utf8(line).expect("UTF-8");
        assert_eq!(line, format!("{prefix}{}", numbered_line(lines, LENGTH)));
        lines += 1;
    }
    assert!(lines < number + BATCH);
}

#[test]
fn a_bus_closes_a_reader_that_stops() {
    for policy in ["skip", "close"] {
        let folder = Folder::new();
        let server =
            Server::start_unix(&folder, &["--bare", "--backlog", BACKLOG, "--slow", policy]);
        let mut reader = server.connect();
        let mut slow = server.connect();
        let mut sender = server.connect();
        talk(&mut sender, &mut reader, "", 0..2000);
        server.wait_log("left: too slow");
        talk(&mut sender, &mut reader, "", 2000..2500);
        let mut lines = 0;
        while let Some(line) = slow.next_line() {
            let expected = numbered_line(lines, LENGTH);
            assert!(line == expected.as_bytes(), "{}", line.escape_ascii());
            lines += 1;
        }
        assert!(lines < 2000, "{policy}: it was given up");
    }
}

/// A reader that stops until the others have had more than its backlog, and then reads: nothing is lost.
fn check_wait(server: &Server, count: usize) {
    let [mut reader, sender] = server.room();
    let mut slow = server.connect_small();
    slow.expect_line(crate::harness::WELCOME);
    reader.expect_notice(&["entered"]);
    let prefix = format!("<{}> ", sender.name);
    let growth = Growth::of_peak(server);
    let talk = Talk::start(&sender, count);
    let reading = thread::spawn({
        let prefix = prefix.clone();
        move || {
            let mut tally = Tally::default();
            tally.read(&mut reader, &prefix, count, LENGTH);
            tally
        }
    });
    talk.wait_held_up();
    let mut tally = Tally::default();
    tally.read(&mut slow, &prefix, count, LENGTH);
    assert_eq!(tally.gaps, 0, "the slow one: {tally:?}");
    let tally = reading.join().expect("it heard enough");
    assert_eq!(tally.gaps, 0, "the reader: {tally:?}");
    talk.end();
    growth.expect_below(2 << 10);
}

#[test]
fn wait_loses_nothing() {
    let folder = Folder::new();
    check_wait(
        &Server::start_unix(&folder, &["--backlog", BACKLOG, "--slow", "wait"]),
        6000,
    );
}

#[test]
fn wait_loses_nothing_over_tcp() {
    check_wait(
        &Server::start(&["--backlog", BACKLOG, "--slow", "wait"]),
        20_000,
    );
}

#[test]
fn whoever_has_used_up_its_time_is_skipped() {
    let folder = Folder::new();
    let options = [
        "--backlog",
        BACKLOG,
        "--slow",
        "wait",
        "--slow-timeout",
        "2",
    ];
    let server = Server::start_unix(&folder, &options);
    let [mut reader, sender, mut slow] = server.room();
    let prefix = format!("<{}> ", sender.name);
    let count = 5000;
    let talk = Talk::start(&sender, count);
    // Two seconds are all that it costs the reader; it could otherwise not end.
    let mut tally = Tally::default();
    tally.read(&mut reader, &prefix, count, LENGTH);
    assert_eq!(tally.gaps, 0, "{tally:?}");
    talk.end();
    reader.expect_line(&format!("*** {} left", sender.name));
    let mut tally = Tally::default();
    tally.read(&mut slow, &prefix, count, LENGTH);
    assert_eq!(tally.gaps, 1, "{tally:?}");
    slow.expect_line(&format!("*** {} left", sender.name));

    // It has caught up, so the room waits for it again, and nothing is lost if it reads in time.
    let sender = server.join();
    for other in [&mut reader, &mut slow] {
        other.expect_notice(&["entered"]);
    }
    let talk = Talk::start(&sender, 1000);
    for number in 0..1000 {
        let line = slow.line();
        assert!(
            line.ends_with(&numbered_line(number, LENGTH)),
            "{line:?} for {number}"
        );
        let line = reader.line();
        assert!(
            line.ends_with(&numbered_line(number, LENGTH)),
            "{line:?} for {number}"
        );
    }
    talk.end();
}

#[test]
fn whoever_is_thrown_out_holds_nobody_up() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &WAITS_LONG);
    // Who comes by a socket file of the server's own user is an admin.
    let [mut reader, sender, slow] = server.room();
    let prefix = format!("<{}> ", sender.name);
    let mut admin = server.join();
    admin.say("/join elsewhere");
    admin.sync();
    let count = 5000;
    let talk = Talk::start(&sender, count);
    server.wait_log("its room waits for it");
    admin.say(&format!("/kick {}", slow.name));
    let mut heard = 0;
    while heard < count {
        let line = reader.line();
        assert!(!line.contains("skipped"), "{line}");
        heard += usize::from(line.starts_with(&prefix));
    }
    talk.end();
}

#[test]
fn a_bus_closes_whoever_has_used_up_its_time() {
    let folder = Folder::new();
    let options = [
        "--bare",
        "--backlog",
        BACKLOG,
        "--slow",
        "wait",
        "--slow-timeout",
        "2",
    ];
    let server = Server::start_unix(&folder, &options);
    let mut reader = server.connect();
    let mut slow = server.connect();
    let sender = server.connect();
    let count = 5000;
    let talk = Talk::start(&sender, count);
    let mut tally = Tally::default();
    tally.read(&mut reader, "", count, LENGTH);
    assert_eq!(tally.gaps, 0);
    talk.end();
    server.wait_log("left: too slow");
    let heard = slow.rest();
    assert!(heard.ends_with(b"\n"), "no half line");
    assert!(
        numbered(0..count, LENGTH).as_bytes().starts_with(&heard),
        "no gap"
    );
    assert!(heard.len() < count * LENGTH);
}

#[test]
fn a_room_waits_no_longer_for_whoever_is_gone() {
    let folder = Folder::new();
    let options = [
        "--backlog",
        BACKLOG,
        "--slow",
        "wait",
        "--slow-timeout",
        "3600",
    ];
    for server in [
        Server::start(&options),
        Server::start_unix(&folder, &options),
    ] {
        let [mut reader, sender] = server.room();
        let mut slow = server.connect_small();
        slow.expect_line(crate::harness::WELCOME);
        let left = reader
            .expect_notice(&["entered"])
            .replace("entered", "left");
        let prefix = format!("<{}> ", sender.name);
        let count = 8000;
        let talk = Talk::start(&sender, count);
        talk.wait_held_up();
        drop(slow);
        // With nobody but the reader left, all of it comes, and the leave somewhere in between.
        let mut tally = Tally::default();
        let mut is_told = false;
        while tally.lines < count {
            let line = reader.line();
            match line == left {
                true => is_told = true,
                false => {
                    assert_eq!(
                        line,
                        format!("{prefix}{}", numbered_line(tally.lines, LENGTH))
                    );
                    tally.lines += 1;
                }
            }
        }
        talk.end();
        assert!(is_told, "{left:?}");
    }
}

#[test]
fn a_waiting_room_lets_people_come_and_go() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &WAITS_LONG);
    let [reader, sender, slow] = server.room();
    let talk = Talk::start(&sender, 3000);
    talk.wait_held_up();
    for _ in 0..50 {
        // Greeted although the room is held up.
        drop(server.join());
    }
    talk.wait_held_up();
    drop((slow, reader));
    talk.end();
}

#[test]
fn whoever_comes_into_a_waiting_room_waits_too() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &WAITS_LONG);
    let [mut lobby, mut sender, mut slow] = server.room();
    for person in [&mut sender, &mut slow] {
        person.say("/join r");
        person.sync();
        lobby.expect_notice(&["left"]);
    }
    let count = 1000;
    let talk = Talk::start(&sender, count);
    talk.wait_held_up();
    let mut readers = vec![thread::spawn(move || sender.rest())];
    // Each says more than a turn takes, all of them together more than the backlog, with what brings them in.
    let (others, each) = (12, 60);
    for _ in 0..others {
        let mut person = server.join();
        person.send(format!("/join r\n{}", numbered(0..each, LENGTH)));
        person.half_close();
        lobby.expect_notice(&["entered"]);
        lobby.expect_notice(&["left"]);
        readers.push(thread::spawn(move || person.rest()));
    }
    let mut lines = 0;
    while lines < count + others * each {
        let line = slow.line();
        assert_eq!(gap(&line), None, "after {lines} lines");
        lines += usize::from(line.starts_with('<'));
    }
    talk.end();
    drop(slow);
    for reader in readers {
        reader.join().expect("the end of its stream");
    }
}

#[test]
fn a_hundred_thousand_lines_reach_twenty_readers_whole() {
    let server = Server::start(&["--bare", "--slow", "wait"]);
    let expected: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    let readers: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    let mut sender = server.connect();
    let heard: Vec<JoinHandle<bool>> = readers
        .into_iter()
        .map(|mut reader| {
            let expected = expected.clone();
            thread::spawn(move || {
                let mut heard = vec![0; expected.len()];
                reader.read_exact(&mut heard);
                heard == expected.as_bytes()
            })
        })
        .collect();
    sender.send(&expected);
    sender.half_close();
    sender.expect_eof();
    for reader in heard {
        assert!(
            reader.join().expect("it heard enough"),
            "complete and in order"
        );
    }
}

#[test]
fn whoever_talks_and_never_reads_misses_others_lines_only() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &["--backlog", BACKLOG]);
    let [mut reader, mut sender, mut slow] = server.room();
    let prefix = format!("<{}> ", sender.name);
    let own = format!("<{}> mine", slow.name);
    let count = 3000;
    // It speaks after each line, so that its own stand among those it has not had, more than are kept apart.
    for number in 0..count {
        talk(&mut sender, &mut reader, &prefix, number..number + 1);
        slow.say("mine");
        reader.expect_line(&own);
        sender.expect_line(&own);
    }
    let mut tally = Tally::default();
    tally.read(&mut slow, &prefix, count, LENGTH);
    assert!(tally.gaps > 0, "{tally:?}");
    assert_eq!(slow.sync(), [""; 0]);
}

#[test]
fn a_line_longer_than_the_backlog_reaches_whoever_reads() {
    let server = Server::start(&["--max-line", "4M", "--backlog", "64K"]);
    let [mut reader, mut sender] = server.room();
    let text = "x".repeat(4 << 20);
    let line = format!("<{}> {text}", sender.name);
    let mut writer = sender.writer();
    let sending = thread::spawn(move || writer.write_all(format!("{text}\n").as_bytes()));
    reader.expect_line(&line);
    sending.join().expect("no panic").expect("the server reads");
    sender.say("short");
    reader.expect_line(&format!("<{}> short", sender.name));
}
