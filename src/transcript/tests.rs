//! The transcript on real files, pipes and full disks, and its keeper on a target that does its worst.

use super::keeper::{Opened, Target};
use super::*;
use crate::limits;
use crate::wire::record::{self, Entry};
use rustix::process::{Resource, Rlimit, getuid, setrlimit};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of this test's own, removed with all in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("snug-transcript-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let status = Command::new("mkfifo").arg(&path).status();
        assert!(status.expect("mkfifo").success());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what each thread logs, and so each test, apart.
struct Listener;

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        if record.target().starts_with("snug::transcript") {
            SAID.with_borrow_mut(|said| said.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Listener).expect("no test starts the real one");
        log::set_max_level(log::LevelFilter::Trace);
    });
    SAID.with_borrow_mut(Vec::clear);
}

/// What this test's transcripts logged since it was last asked.
fn said() -> Vec<String> {
    SAID.with_borrow_mut(std::mem::take)
}

/// A transcript in `path`, its log not yet spoken of.
fn open(path: &Path) -> Transcript {
    listen();
    Transcript::open(path).expect("open")
}

/// Keeps `texts`, one turn's.
fn append(transcript: &mut Transcript, texts: &[&str], now: Millis) {
    let lines: String = texts.iter().flat_map(|text| [*text, "\n"]).collect();
    transcript.append(lines.as_bytes(), texts.len() as u64, now);
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("readable")
}

/// Lines of 100 bytes, numbered from `from`.
fn numbered(from: u64, count: u64) -> String {
    (from..from + count).map(|n| format!("{n:099}\n")).collect()
}

/// The numbers of the lines that `numbered` made; fails on a line that is torn.
fn numbers(text: &str) -> Vec<u64> {
    assert!(text.is_empty() || text.ends_with('\n'), "torn at the end");
    let number = |line: &str| {
        assert_eq!(line.len(), 99, "torn: {line}");
        line.parse().expect("a number")
    };
    text.lines().map(number).collect()
}

#[test]
fn lines_are_appended_turn_by_turn() {
    let folder = Folder::new();
    let path = folder.path("t");
    fs::write(&path, "before\n").expect("a file");
    let mut transcript = open(&path);
    append(&mut transcript, &["one", "two"], 0);
    append(&mut transcript, &[], 1);
    append(&mut transcript, &["three"], 1);
    assert_eq!(text(&path), "before\none\ntwo\nthree\n");
    assert_eq!(transcript.next_deadline(), None);
    transcript.close(2);
    assert_eq!(said(), [""; 0]);
}

#[test]
fn history_survives_a_restart() {
    let folder = Folder::new();
    let path = folder.path("t");
    let mut lines = Vec::new();
    let entry = Entry {
        unix: 1_795_352_587,
        utc_offset_seconds: 3600,
        room: "#lobby",
        is_action: false,
        name: "Zoë",
        text: "hi",
    };
    record::format(&mut lines, entry);
    let later = Entry {
        unix: 1_795_352_588,
        room: "#x",
        is_action: true,
        name: "127.0.0.1:40312",
        text: "waves",
        ..entry
    };
    record::format(&mut lines, later);
    open(&path).append(&lines, 2, 0);
    let tail = read_tail(&path, 1 << 16).expect("readable");
    let texts: Vec<_> = tail.entries().map(|e| (e.name, e.text)).collect();
    assert_eq!(texts, [("Zoë", "hi"), ("127.0.0.1:40312", "waves")]);
    assert_eq!(said(), [""; 0]);
}

#[test]
fn a_line_torn_by_a_crash_is_none_ever_after() {
    let folder = Folder::new();
    let path = folder.path("t");
    let whole = "2026-11-22T14:03:07+01:00 #lobby <Zoë> first\n";
    let next = "2026-11-22T14:03:08+01:00 #lobby <Zoë> next";
    let texts = || {
        let tail = read_tail(&path, 1 << 16).expect("readable");
        let texts: Vec<_> = tail.entries().map(|entry| entry.text.to_owned()).collect();
        texts
    };
    // Wherever it was torn, also where what is left would make a line.
    for end in 1..=next.len() {
        let torn = [whole.as_bytes(), &next.as_bytes()[..end]].concat();
        fs::write(&path, &torn).expect("a file");
        for _ in 0..3 {
            assert_eq!(texts(), ["first"], "{end}");
            open(&path).append(b"", 0, 0);
        }
        assert!(fs::read(&path).expect("readable") == torn, "nothing to say");
        let mut transcript = open(&path);
        append(&mut transcript, &[next, next], 0);
        let marked = "its last line was cut short; it stays, but counts as none";
        let expected = format!("transcript {}: {marked}", path.display());
        assert_eq!(said(), [expected]);
        assert_eq!(texts(), ["first", "next", "next"], "{end}");
        append(&mut open(&path), &[next], 0);
        assert_eq!(texts(), ["first", "next", "next", "next"], "{end}");
        assert_eq!(said(), [""; 0], "it is marked once");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_a_sentence() {
    let folder = Folder::new();
    let check = |path: &Path, expected: &str| {
        let error = Transcript::open(path).map(drop).expect_err("an error");
        assert_eq!(error.to_string(), expected);
    };
    let missing = folder.path("missing");
    let file = missing.join("t");
    check(
        &file,
        &format!(
            "the transcript {} cannot be written: there is no folder {}; make it first",
            file.display(),
            missing.display()
        ),
    );
    check(
        &folder.0,
        &format!(
            "the transcript {} cannot be written: it is a folder; name a file in it",
            folder.0.display()
        ),
    );
    fs::write(&missing, "").expect("a file");
    check(
        &file,
        &format!(
            "the transcript {} cannot be written: Not a directory",
            file.display()
        ),
    );
    check(
        Path::new(""),
        "the transcript needs the name of a file, or - for standard output",
    );
}

#[test]
fn a_removed_file_is_made_again() {
    let folder = Folder::new();
    let path = folder.path("t");
    let mut transcript = open(&path);
    append(&mut transcript, &["one"], 0);
    fs::remove_file(&path).expect("removed");
    append(&mut transcript, &["two"], 0);
    assert_eq!(text(&path), "two\n");
    assert_eq!(said(), [""; 0]);
}

#[test]
fn a_folder_that_is_gone_is_said_once_and_tried_once_a_second() {
    let folder = Folder::new();
    let inner = folder.path("inner");
    let path = inner.join("t");
    fs::create_dir(&inner).expect("a folder");
    let mut transcript = open(&path);
    fs::remove_dir_all(&inner).expect("removed");
    append(&mut transcript, &["one", "two"], 5_000);
    append(&mut transcript, &["three"], 5_999);
    append(&mut transcript, &["four"], 6_000);
    let name = path.display();
    assert_eq!(
        said(),
        [format!(
            "transcript {name}: No such file or directory; lines are not kept until it works again"
        )]
    );
    assert_eq!(transcript.next_deadline(), None);
    fs::create_dir(&inner).expect("a folder");
    append(&mut transcript, &["five"], 6_999);
    assert!(!path.exists(), "not yet tried again");
    append(&mut transcript, &["six"], 7_000);
    append(&mut transcript, &["seven"], 7_001);
    assert_eq!(text(&path), "six\nseven\n");
    let works = format!("transcript {name}: works again; 5 lines were not kept");
    assert_eq!(said(), [works]);
}

#[test]
fn rotation_goes_on_in_the_file_that_bears_the_name() {
    let folder = Folder::new();
    let (path, old) = (folder.path("t"), folder.path("t.1"));
    let mut transcript = open(&path);
    append(&mut transcript, &["one"], 0);
    transcript.reopen(0);
    append(&mut transcript, &["two"], 0);
    fs::rename(&path, &old).expect("renamed");
    append(&mut transcript, &["three"], 0);
    transcript.reopen(0);
    assert!(path.exists(), "made at once");
    append(&mut transcript, &["four"], 0);
    assert_eq!(text(&old), "one\ntwo\nthree\n");
    assert_eq!(text(&path), "four\n");
    // As `copytruncate` does.
    File::create(&path).expect("truncated");
    append(&mut transcript, &["five"], 0);
    assert_eq!(text(&path), "five\n");
    assert_eq!(said(), [""; 0]);
}

#[test]
fn a_rotation_that_fails_stays_with_the_old_file_and_is_tried_again() {
    let folder = Folder::new();
    let inner = folder.path("inner");
    let path = inner.join("t");
    fs::create_dir(&inner).expect("a folder");
    let mut transcript = open(&path);
    let away = folder.path("away");
    fs::rename(&inner, &away).expect("renamed");
    transcript.reopen(0);
    append(&mut transcript, &["one"], 5_000);
    fs::create_dir(&inner).expect("a folder");
    append(&mut transcript, &["two"], 5_999);
    append(&mut transcript, &["three"], 6_000);
    assert_eq!(text(&away.join("t")), "one\ntwo\n");
    assert_eq!(text(&path), "three\n");
    let name = path.display();
    assert_eq!(
        said(),
        [format!(
            "transcript {name}: cannot be opened anew: No such file or directory"
        )]
    );
}

#[test]
fn a_hangup_ends_the_pause_after_a_fault() {
    let folder = Folder::new();
    let path = folder.path("t");
    let mut transcript = open(&path);
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("in its place");
    append(&mut transcript, &["one"], 0);
    assert_eq!(said().len(), 1);
    transcript.reopen(0);
    fs::remove_dir(&path).expect("removed");
    transcript.reopen(0);
    assert!(path.exists());
    assert_eq!(said(), [""; 0], "works only once a line is in it");
    append(&mut transcript, &["two"], 1);
    assert_eq!(text(&path), "two\n");
    assert_eq!(said().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_is_always_full_costs_lines_only() {
    let mut transcript = open(Path::new("/dev/full"));
    for now in 0..5_000 {
        append(&mut transcript, &["x"], now);
    }
    let begun =
        "transcript /dev/full: No space left on device; lines are not kept until it works again";
    assert_eq!(said(), [begun]);
    transcript.close(5_000);
    assert_eq!(said(), ["transcript /dev/full: 5000 lines were not kept"]);
}

/// Runs one test of this module, named `name`, in a process of its own, where `ROLE` is `role`.
fn child(name: &str, role: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([
        &format!("transcript::tests::{name}"),
        "--exact",
        "--nocapture",
    ]);
    command.env(ROLE, role);
    command
}

const ROLE: &str = "SNUG_TEST_TRANSCRIPT";

fn assert_passes(mut child: Command) {
    let output = child.output().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{:?}\n{text}\n{errors}",
        output.status
    );
    assert!(text.contains("1 passed"), "{text}");
}

/// Fills the disk under `path` turn by turn, lets `relieve` make room, and checks that what is there is
/// whole, in order, and as much as was said.
fn fill(path: &Path, why: &str, relieve: impl FnOnce()) {
    let mut transcript = open(path);
    // A length that ends no page with a line.
    let mut next = 0;
    let mut now = 0;
    while said_nothing() {
        transcript.append(numbered(next, 7).as_bytes(), 7, now);
        next += 7;
        now += 10;
        assert!(next < 1_000_000, "the disk does not fill");
    }
    let name = path.display();
    let begun = format!("transcript {name}: {why}; lines are not kept until it works again");
    for _ in 0..500 {
        transcript.append(numbered(next, 1).as_bytes(), 1, now);
        next += 1;
        now += 10;
    }
    assert_eq!(said(), [begun]);
    let before = numbers_whole(&text(path));
    relieve();
    now += limits::TRANSCRIPT_REST;
    transcript.append(numbered(next, 3).as_bytes(), 3, now);
    let kept = numbers(&text(path));
    assert!(kept.starts_with(&before) && kept.ends_with(&[next, next + 1, next + 2]));
    let lost = next + 3 - kept.len() as u64;
    let works = format!("transcript {name}: works again; {lost} lines were not kept");
    assert_eq!(said(), [works]);
    assert!(kept.is_sorted() && lost >= 499);
}

fn said_nothing() -> bool {
    SAID.with_borrow(Vec::is_empty)
}

/// As `numbers`, but for a last line that is not whole yet.
fn numbers_whole(text: &str) -> Vec<u64> {
    numbers(&text[..text.rfind('\n').map_or(0, |at| at + 1)])
}

/// On a file system of 64 KiB, mounted where only the child sees it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_survived() {
    if let Some(folder) = std::env::var_os(ROLE) {
        let folder = Path::new(&folder);
        let ballast = folder.join("ballast");
        // Leaves a piece of a page, so that a write is cut.
        fs::write(&ballast, [0; 20_000]).expect("there is room");
        fill(&folder.join("t"), "No space left on device", || {
            fs::remove_file(&ballast).expect("removed");
        });
        return;
    }
    let folder = Folder::new();
    let alone = if getuid().is_root() { "-m" } else { "-rm" };
    let mount = "mount -t tmpfs -o size=64k tmpfs \"$0\" && exec \"$@\"";
    let run = |command: &Command| {
        let mut alone_run = Command::new("unshare");
        alone_run.args([alone, "sh", "-c", mount]).arg(&folder.0);
        alone_run
            .arg(command.get_program())
            .args(command.get_args());
        alone_run.env(ROLE, &folder.0);
        alone_run
    };
    match run(&Command::new("true")).output() {
        Ok(output) if output.status.success() => {
            assert_passes(run(&child("a_full_disk_is_survived", &folder.0)));
        }
        refused => eprintln!("skipped: no file system can be mounted here: {refused:?}"),
    }
}

#[test]
fn a_limit_of_the_file_size_does_not_kill() {
    if let Some(folder) = std::env::var_os(ROLE) {
        let limit = |bytes| Rlimit {
            current: Some(bytes),
            maximum: None,
        };
        setrlimit(Resource::Fsize, limit(10_050)).expect("a limit");
        fill(&Path::new(&folder).join("t"), "File too large", || {
            setrlimit(Resource::Fsize, limit(1 << 20)).expect("a limit");
        });
        return;
    }
    let folder = Folder::new();
    assert_passes(child("a_limit_of_the_file_size_does_not_kill", &folder.0));
}

#[test]
fn a_line_torn_by_a_full_disk_does_not_reach_into_the_next_file() {
    if let Some(folder) = std::env::var_os(ROLE) {
        let limit = |bytes| Rlimit {
            current: Some(bytes),
            maximum: None,
        };
        setrlimit(Resource::Fsize, limit(250)).expect("a limit");
        for is_renamed in [true, false] {
            let path = Path::new(&folder).join(if is_renamed { "renamed" } else { "truncated" });
            let mut transcript = open(&path);
            transcript.append(numbered(0, 4).as_bytes(), 4, 0);
            assert_eq!(text(&path).len(), 250);
            if is_renamed {
                fs::rename(&path, path.with_extension("1")).expect("renamed");
                transcript.reopen(0);
            } else {
                File::create(&path).expect("truncated");
            }
            transcript.append(numbered(4, 1).as_bytes(), 1, limits::TRANSCRIPT_REST);
            assert_eq!(numbers(&text(&path)), [4]);
            let [_, works] = &said()[..] else {
                panic!("two sentences")
            };
            assert!(works.ends_with("; 2 lines were not kept"), "{works}");
        }
        return;
    }
    let folder = Folder::new();
    let name = "a_line_torn_by_a_full_disk_does_not_reach_into_the_next_file";
    assert_passes(child(name, &folder.0));
}

/// Opens the reading end of the pipe `path`.
fn reader(path: &Path) -> File {
    place::open_to_read(path).expect("a pipe")
}

/// Reads what is there, without waiting.
fn drain(reader: &mut File) -> String {
    let mut bytes = Vec::new();
    // Ends at the end, or where it would have to wait.
    let _ = reader.read_to_end(&mut bytes);
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_pipe_nobody_has_opened_yet_is_waited_for() {
    let folder = Folder::new();
    let path = folder.fifo("t");
    let name = path.display();
    let mut transcript = open(&path);
    append(&mut transcript, &["one"], 100);
    let begun =
        format!("transcript {name}: nobody reads it; lines are not kept until it works again");
    assert_eq!(said(), [begun]);
    let mut reading = reader(&path);
    append(&mut transcript, &["two"], 1_100);
    assert_eq!(drain(&mut reading), "two\n");
    let works = format!("transcript {name}: works again; 1 line was not kept");
    assert_eq!(said(), [works]);
    drop(reading);
    append(&mut transcript, &["three"], 2_000);
    let gone =
        format!("transcript {name}: its reader is gone; lines are not kept until it works again");
    assert_eq!(said(), [gone]);
}

#[test]
fn a_pipe_nobody_reads_costs_lines_not_time() {
    let folder = Folder::new();
    let path = folder.fifo("t");
    let mut reading = reader(&path);
    let mut transcript = open(&path);
    check_stuck(&mut transcript, || drain(&mut reading));
}

/// Standard output, too, may be a pipe that others share: no flag may be set on it.
#[test]
fn a_shared_pipe_nobody_reads_costs_lines_not_time() {
    for reopen in [true, false] {
        listen();
        let (reading, writing) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&reading, true).expect("a flag");
        let sink = match reopen {
            true => Descriptor::new(File::from(writing)),
            false => Descriptor::shared(File::from(writing)),
        };
        let keeper = Keeper::new("p".into(), Place::Shared(Box::new(sink))).expect("open");
        let mut reading = File::from(reading);
        check_stuck(&mut Transcript { keeper }, || drain(&mut reading));
    }
}

/// Writes more into a pipe than it holds, then reads it, again and again.
fn check_stuck(transcript: &mut Transcript, mut drain: impl FnMut() -> String) {
    let (mut next, mut now) = (0, 0);
    let mut kept = Vec::new();
    let mut torn = String::new();
    for _ in 0..3 {
        for _ in 0..1_000 {
            transcript.append(numbered(next, 10).as_bytes(), 10, now);
            next += 10;
            now += 1;
            transcript.retry(now);
        }
        let said_now = said();
        assert_eq!(said_now.len(), 1, "{said_now:?}");
        assert!(
            said_now[0].contains(": its reader does not keep up; "),
            "{said_now:?}"
        );
        assert_eq!(transcript.next_deadline(), None, "nothing more to wait for");
        torn.push_str(&drain());
        now += limits::TRANSCRIPT_REST;
        transcript.append(numbered(next, 1).as_bytes(), 1, now);
        next += 1;
        torn.push_str(&drain());
        kept.extend(numbers(&std::mem::take(&mut torn)));
        let said_now = said();
        assert!(said_now[0].contains(": works again; "), "{said_now:?}");
        assert_eq!(kept.last(), Some(&(next - 1)));
    }
    assert!(kept.is_sorted() && kept.len() > 1_000 && kept.len() as u64 <= next);
}

#[test]
fn a_burst_reaches_a_reader_that_keeps_up() {
    let folder = Folder::new();
    let path = folder.fifo("t");
    let mut reading = reader(&path);
    let mut transcript = open(&path);
    let (mut kept, mut now) = (String::new(), 0);
    for turn in 0..20 {
        // More than the pipe holds.
        transcript.append(numbered(turn * 5_000, 5_000).as_bytes(), 5_000, now);
        while let Some(deadline) = transcript.next_deadline() {
            assert!(deadline > now, "no spin");
            kept.push_str(&drain(&mut reading));
            now = deadline;
            transcript.retry(now);
        }
        kept.push_str(&drain(&mut reading));
    }
    assert_eq!(numbers(&kept), Vec::from_iter(0..100_000));
    assert_eq!(said(), [""; 0]);
}

#[test]
fn a_reader_that_stops_is_given_up_after_a_while() {
    let folder = Folder::new();
    let path = folder.fifo("t");
    let _reading = reader(&path);
    let mut transcript = open(&path);
    transcript.append(numbered(0, 1_000).as_bytes(), 1_000, 0);
    let mut tries = 0;
    let mut last = 0;
    while let Some(deadline) = transcript.next_deadline() {
        assert_eq!(said(), [""; 0]);
        transcript.retry(deadline - 1);
        transcript.retry(deadline);
        last = deadline;
        tries += 1;
    }
    assert_eq!(last, limits::TRANSCRIPT_PATIENCE);
    assert_eq!(
        tries,
        limits::TRANSCRIPT_PATIENCE / limits::TRANSCRIPT_PAUSE
    );
    assert_eq!(said().len(), 1);
}

/// A file that does its worst, and the files that bore its name before.
struct Worst {
    random: u64,
    files: Vec<Vec<u8>>,
    is_open: bool,
    /// The file that was open last.
    last: Option<usize>,
}

impl Worst {
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % n
    }

    fn open(&mut self) -> io::Result<Option<Opened>> {
        if self.one_in(4) {
            return Err(Errno::NOENT.into());
        }
        if self.one_in(4) {
            let torn: &[u8] = if self.one_in(2) {
                b""
            } else {
                b"foreign and torn"
            };
            self.files.push(torn.to_vec());
        }
        let newest = self.files.len() - 1;
        let same = self.last == Some(newest);
        self.last = Some(newest);
        self.is_open = true;
        let torn = self.files[newest].last().is_some_and(|&b| b != b'\n');
        Ok(Some(Opened { same, torn }))
    }
}

impl Target for Worst {
    fn ready(&mut self) -> io::Result<Option<Opened>> {
        if self.is_open && !self.one_in(20) {
            Ok(None)
        } else {
            self.open()
        }
    }

    fn renew(&mut self) -> io::Result<Option<Opened>> {
        self.open()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(self.is_open && !bytes.is_empty());
        let n = match self.below(8) {
            0 => return Err(Errno::NOSPC.into()),
            1 => return Err(Errno::AGAIN.into()),
            2 => 0,
            3..6 => self.below(bytes.len() as u64 + 1) as usize,
            _ => bytes.len(),
        };
        // Which file this is does not change while it is open.
        let file = self.last.expect("open");
        self.files[file].extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn close(&mut self) {
        self.is_open = false;
    }
}

/// How many lines the log says were not kept.
fn said_lost() -> u64 {
    let number = |said: &String| {
        let words: Vec<_> = said.split(' ').collect();
        let at = words
            .iter()
            .position(|w| w.starts_with("line"))
            .expect("lines");
        words[at - 1].parse().unwrap_or(0)
    };
    said()
        .iter()
        .filter(|s| s.contains(" not kept"))
        .filter(|s| !s.contains("are not"))
        .map(number)
        .sum()
}

#[test]
fn whatever_fails_lines_are_whole_in_order_and_counted() {
    listen();
    for seed in 1..=2_000_u64 {
        let target = Worst {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            files: vec![Vec::new()],
            is_open: false,
            last: None,
        };
        let Ok(mut keeper) = Keeper::new("w".into(), target) else {
            continue;
        };
        let (mut next, mut now) = (0, 0);
        for _ in 0..100 {
            let count = keeper.target().below(9);
            keeper.append(numbered(next, count).as_bytes(), count, now);
            next += count;
            now += keeper.target().below(700);
            if keeper.target().one_in(10) {
                keeper.reopen(0);
            }
            keeper.retry(now);
        }
        keeper.close(now);
        let lost = said_lost();
        let mut kept = BTreeSet::new();
        for file in &keeper.target().files {
            let file = str::from_utf8(file).expect("ASCII");
            let mut ours = file;
            if let Some(behind) = file.strip_prefix("foreign and torn") {
                // The mark is begun anew where its end did not find room.
                ours = behind.trim_start_matches('\x18');
                assert!(behind.is_empty() || ours.len() < behind.len());
                assert!(ours.is_empty() || ours.starts_with('\n'));
                ours = ours.strip_prefix('\n').unwrap_or(ours);
            }
            for number in numbers_whole(ours) {
                assert!(
                    kept.last().is_none_or(|&last| number > last),
                    "seed {seed}: order"
                );
                kept.insert(number);
            }
        }
        assert_eq!(kept.len() as u64 + lost, next, "seed {seed}");
    }
}

/// Takes so many bytes, and then nothing more.
struct Tight(usize);

impl Target for Tight {
    fn ready(&mut self) -> io::Result<Option<Opened>> {
        Ok(None)
    }

    fn renew(&mut self) -> io::Result<Option<Opened>> {
        Ok(None)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.0);
        self.0 -= n;
        match n {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    fn close(&mut self) {}
}

#[test]
fn a_reader_that_took_something_just_now_has_not_stopped() {
    listen();
    let mut keeper = Keeper::new("t".into(), Tight(0)).expect("open");
    keeper.append(b"one\n", 1, 0);
    *keeper.target() = Tight(4);
    // The rest of the first, and nothing of the second.
    let at = limits::TRANSCRIPT_PATIENCE - 1;
    keeper.append(b"two\n", 1, at);
    keeper.retry(at + limits::TRANSCRIPT_PAUSE);
    assert_eq!(said(), [""; 0]);
    keeper.retry(at + limits::TRANSCRIPT_PATIENCE);
    assert_eq!(said().len(), 1, "now it has");
}
