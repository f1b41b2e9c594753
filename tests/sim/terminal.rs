//! That nothing of what people send reaches anybody's terminal as a control (contract, promise 6): every byte that is
//! written to anybody, every line of the log, every line for the transcript.

use crate::journal::{self, Entry, Who};
use crate::model::ear::acts;
use crate::net::{FakeStream, Pipe};
use crate::rng::Rng;
use crate::stage;
use snug::chat::Origin;
use snug::hub::{Config, Hub, Id};
use std::cell::RefCell;
use std::rc::Rc;

const LINES: usize = 1_000_000;
/// Lines that one client says at once.
const BATCH: usize = 500;

/// What acts on a terminal, or becomes something that does where it is taken apart or put together wrongly.
const PIECES: [&[u8]; 32] = [
    b"\x1b[31m",
    b"\x1b]0;title\x07",
    b"\x1bP$q\x1b\\",
    b"\x1b",
    b"\0",
    b"\x07\x08\x0b\x0c",
    b"\r",
    b"\t",
    b"\x7f",
    b"\x9b31m",
    b"\x80\x85\x9d\x9f",
    "\u{80}\u{85}\u{9b}31m\u{9f}".as_bytes(),
    b"\xc2",
    b"\xc2\x9b\xc2",
    "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}".as_bytes(),
    "\u{2066}\u{2067}\u{2068}\u{2069}".as_bytes(),
    b"\xe2\x80",
    b"\xe2",
    b"\xae",
    b"\xe2\x80\x1b\xae",
    b"\xf0\x9f\x8d",
    b"\xed\xa0\x80",
    b"\xc0\x9b",
    b"\xff\xfb\x1f",
    b"\xff\xfa\x1b[2J",
    b"\xff\xff",
    b"\xff",
    "é世🍺\u{feff}\u{200d}".as_bytes(),
    b" ",
    b"-",
    b"#",
    b"word",
];

/// What may stand before such a text.
const STARTS: [&str; 33] = [
    "",
    "",
    "",
    "",
    "/me ",
    "/me ",
    "//",
    "/",
    "/\u{1b}me ",
    "/nick ",
    "/nick n",
    "/msg ",
    "/msg me ",
    "/msg ann ",
    "/join ",
    "/join #r",
    "/join a ",
    "/part ",
    "/topic ",
    "/topic ",
    "/key ",
    "/who ",
    "/help ",
    "/ping ",
    "/history ",
    "/pass ",
    "/admin ",
    "/kick nobody ",
    "/kick ann ",
    "/ban ",
    "/ban x ",
    "/unban ",
    "/wall ",
];

fn line(rng: &mut Rng) -> Vec<u8> {
    let start = match rng.one_in(2_000) {
        true => "/quit ",
        false => rng.pick(&STARTS),
    };
    let mut line = start.as_bytes().to_vec();
    for _ in 0..rng.between(1, 6) {
        match rng.one_in(5) {
            true => line.push(rng.next() as u8),
            false => line.extend(rng.pick(&PIECES)),
        }
    }
    line.retain(|&byte| byte != b'\n');
    line.push(b'\n');
    line
}

/// Panics if there is anything in a text that is not to be shown, but for line ends.
fn check(text: &[u8], what: &str) {
    let is_plain = |&byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    if text.iter().all(is_plain) {
        return;
    }
    let is_clean = |text: &str| !text.chars().any(|c| c != '\n' && acts(c));
    let is_fine = std::str::from_utf8(text).is_ok_and(is_clean);
    assert!(is_fine, "{what}: {}", text.escape_ascii());
}

/// Some who talk, and one of them an admin.
struct Room {
    hub: Hub<FakeStream>,
    rng: Rng,
    pipes: Vec<Rc<RefCell<Pipe>>>,
    /// Each with its number in the hub.
    here: Vec<(Who, Id)>,
    heard: usize,
    written: usize,
    logged: usize,
    records: usize,
}

impl Room {
    fn new(seed: u64) -> Self {
        let config = Config {
            max_line: 512,
            history: 3,
            admin_password: Some("root".into()),
            records: true,
            ..stage::config()
        };
        journal::listen();
        journal::take();
        Self {
            hub: Hub::new(config),
            rng: Rng::new(seed),
            pipes: Vec::new(),
            here: Vec::new(),
            heard: 0,
            written: 0,
            logged: 0,
            records: 0,
        }
    }

    /// Lets people in until there are four; the next to come is an admin whenever none is there.
    fn fill(&mut self) {
        self.here.retain(|&(who, _)| !self.pipes[who].borrow().shut);
        while self.here.len() < 4 {
            let who = self.pipes.len();
            let (pipe, stream) = Pipe::new(who, Rng::new(who as u64), usize::MAX, 0);
            let origin = Origin::Unix {
                number: who as u32,
                own: who.is_multiple_of(2),
            };
            let id = self.hub.accept(stream, origin, 0);
            if self.rng.one_in(2) {
                pipe.borrow_mut().arrive(b"/nick ann\n");
            }
            self.pipes.push(pipe);
            self.here.push((who, id));
        }
    }

    fn talk(&mut self) {
        self.fill();
        let (who, id) = self.here[self.rng.below(self.here.len())];
        for _ in 0..BATCH {
            let line = line(&mut self.rng);
            self.pipes[who].borrow_mut().arrive(&line);
        }
        self.hub.readable(id, false);
        self.settle();
    }

    /// Has the hub deal with all there is, and looks at whatever comes of it.
    fn settle(&mut self) {
        loop {
            self.hub.turn(0);
            for entry in journal::take() {
                match entry {
                    Entry::Log(text) => {
                        check(text.as_bytes(), "logged");
                        assert!(!text.contains('\n'), "logged: {text:?}");
                        match text.ends_with(" said a line") {
                            true => self.heard += 1,
                            false => self.logged += 1,
                        }
                    }
                    Entry::Wrote { bytes, .. } => {
                        check(&bytes, "written");
                        self.written += bytes.len();
                    }
                    Entry::Shut { who } => self.pipes[who].borrow_mut().end(),
                    _ => {}
                }
            }
            let (records, count) = self.hub.take_records(Vec::new());
            check(&records, "recorded");
            let lines = records.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(lines as u64, count, "recorded lines that are several");
            self.records += lines;
            let unread: Vec<Id> = self
                .here
                .iter()
                .filter(|&&(who, _)| std::mem::take(&mut self.pipes[who].borrow_mut().read_edge))
                .map(|&(_, id)| id)
                .collect();
            for &id in &unread {
                self.hub.readable(id, false);
            }
            if unread.is_empty() && !self.hub.is_busy() {
                return;
            }
        }
    }
}

#[test]
fn no_control_reaches_anybody_the_log_or_the_transcript() {
    let mut room = Room::new(15);
    while room.heard < LINES {
        room.talk();
    }
    println!(
        "{} bytes written, {} lines logged, {} recorded",
        room.written, room.logged, room.records
    );
    assert!(room.written > 10 * LINES && room.logged > 1_000 && room.records > LINES / 100);
}
