//! Disks that are full, files and folders that are gone, pipes that nobody reads, under the transcript and the log: the
//! server serves on, and each line is kept, or counted where it is said that they are not.

use crate::harness::{Client, Folder, PATIENCE, Server, snug, until};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{PipeReader, Read, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Two who talk, and how many lines were said.
struct Talk {
    server: Server,
    people: [Client; 2],
    said: usize,
}

impl Talk {
    fn new(transcript: &str, stdout: impl Into<Stdio>) -> Self {
        let server = Server::start_into(snug(), &["--transcript", transcript], stdout);
        let people = server.room();
        let mut talk = Self {
            server,
            people,
            said: 0,
        };
        talk.says(3);
        talk
    }

    /// Says so many lines, each heard before the next, and waits until the server has done with them. Their numbers begin
    /// with 1.
    fn says(&mut self, lines: usize) {
        let [one, two] = &mut self.people;
        for _ in 0..lines {
            self.said += 1;
            let line = format!("{:0100}", self.said);
            one.say(&line);
            two.expect_line(&format!("<{}> {line}", one.name));
        }
        // They are kept after they were heard.
        assert_eq!(two.sync(), [""; 0]);
    }

    /// Talks on until the log says `what`.
    fn until_said(&mut self, what: &str) {
        until(what, || {
            self.says(1);
            self.logged(what) > 0
        });
    }

    /// How many lines of the log say `what`.
    fn logged(&self, what: &str) -> usize {
        let lines = self.server.log_lines();
        lines.iter().filter(|line| line.contains(what)).count()
    }

    /// Something has just gone wrong: talks until that is said, and on. It is said once.
    fn suffers(&mut self, why: &str) {
        let begun = format!("{why}; lines are not kept until it works again");
        self.until_said(&begun);
        self.says(300);
        assert_eq!(self.logged(&begun), 1);
    }

    /// What was wrong is so no longer: talks until that is said, and stops the server. What is `kept` and what was counted
    /// as lost is then all that was said.
    fn recovers(mut self, kept: impl FnOnce() -> String) {
        self.until_said("works again; ");
        self.says(3);
        self.ends();
        let lost: usize = self
            .server
            .log_lines()
            .iter()
            .filter_map(|line| lost(line))
            .sum();
        let numbers: Vec<usize> = numbers(&kept());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(numbers.len() + lost, self.said, "{lost} were lost");
        assert!(lost >= 300, "{lost}");
    }

    fn ends(&mut self) {
        self.server.signal(Signal::TERM);
        self.people.iter_mut().for_each(Client::wait_end);
        assert_eq!(self.server.expect_exit(PATIENCE).code(), Some(0));
        self.server.wait_log("closing");
    }
}

/// How many lines a line of the log says were not kept.
fn lost(line: &str) -> Option<usize> {
    let (before, _) = line
        .split_once(" lines were not kept")
        .or_else(|| line.split_once(" line was not kept"))?;
    before.rsplit(' ').next()?.parse().ok()
}

/// The numbers of the lines in a transcript.
fn numbers(text: &str) -> Vec<usize> {
    assert!(text.is_empty() || text.ends_with('\n'), "half a line");
    let number = |line: &str| line.rsplit(' ').next().and_then(|n| n.parse().ok());
    text.lines()
        .map(|line| number(line).unwrap_or_else(|| panic!("no line of ours: {line:?}")))
        .collect()
}

/// Lets no file of that process grow beyond so many bytes: its disk is full. `None`: there is room again.
#[cfg(target_os = "linux")]
fn limit_files(pid: u32, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).expect("a limit of our own process");
}

fn path_of(folder: &Folder, name: &str) -> String {
    folder.path(name).to_str().expect("a plain path").to_owned()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("it is there")
}

#[test]
#[cfg(target_os = "linux")]
fn a_transcript_on_a_full_disk() {
    let folder = Folder::new();
    let mut talk = Talk::new(&path_of(&folder, "t"), Stdio::null());
    // In the middle of a line.
    limit_files(talk.server.pid(), Some(1_777));
    talk.suffers("File too large");
    limit_files(talk.server.pid(), None);
    talk.recovers(|| text(&folder.path("t")));
}

#[test]
#[cfg(target_os = "linux")]
fn a_transcript_on_standard_output_on_a_full_disk() {
    let folder = Folder::new();
    let file = File::create(folder.path("t")).expect("a file");
    let mut talk = Talk::new("-", file);
    limit_files(talk.server.pid(), Some(1_777));
    talk.suffers("File too large");
    limit_files(talk.server.pid(), None);
    talk.recovers(|| text(&folder.path("t")));
}

/// What is full and stays so.
#[test]
#[cfg(target_os = "linux")]
fn a_transcript_on_a_device_that_is_full() {
    for (transcript, stdout) in [("/dev/full", "/dev/null"), ("-", "/dev/full")] {
        let stdout = File::options().write(true).open(stdout).expect("Linux");
        let mut talk = Talk::new(transcript, stdout);
        talk.suffers("No space left on device");
        talk.ends();
        let log = talk.server.wait_log("were not kept");
        assert_eq!(lost(&log), Some(talk.said), "{log}");
    }
}

#[test]
fn a_transcript_that_is_removed_is_made_again() {
    let folder = Folder::new();
    let mut talk = Talk::new(&path_of(&folder, "t"), Stdio::null());
    fs::remove_file(folder.path("t")).expect("it was there");
    talk.says(300);
    talk.ends();
    assert_eq!(numbers(&text(&folder.path("t"))), Vec::from_iter(4..=303));
}

#[test]
fn a_transcript_whose_folder_is_gone() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("a folder");
    let mut talk = Talk::new(&path_of(&folder, "in/t"), Stdio::null());
    let before = text(&folder.path("in/t"));
    fs::remove_dir_all(folder.path("in")).expect("it was there");
    talk.suffers("No such file or directory");
    fs::create_dir(folder.path("in")).expect("a folder");
    talk.recovers(|| before + &text(&folder.path("in/t")));
}

/// Collects what comes through a pipe, in a thread of its own.
fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("UTF-8");
        text
    })
}

#[test]
fn a_transcript_into_a_pipe_that_nobody_reads() {
    let folder = Folder::new();
    let fifo = path_of(&folder, "fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("Unix");
    assert!(made.success());
    // Whoever opens it both ways need not wait for the other end.
    let keep = File::options().read(true).write(true).open(&fifo);
    let keep = keep.expect("it was made");
    let mut talk = Talk::new(&fifo, Stdio::null());
    talk.suffers("its reader does not keep up");
    let collected = collect(File::open(&fifo).expect("it was made"));
    // The reader shall hear the end.
    drop(keep);
    talk.recovers(|| collected.join().expect("UTF-8"));
}

#[test]
fn a_transcript_on_standard_output_that_nobody_reads() {
    let (reader, writer) = pipe().expect("a pipe");
    let mut talk = Talk::new("-", writer);
    talk.suffers("its reader does not keep up");
    let collected = collect(reader);
    talk.recovers(|| collected.join().expect("UTF-8"));
}

#[test]
fn a_transcript_on_standard_output_whose_reader_goes() {
    let (mut reader, writer): (PipeReader, _) = pipe().expect("a pipe");
    let mut talk = Talk::new("-", writer);
    let mut before = [0; 100];
    reader.read_exact(&mut before).expect("three lines");
    drop(reader);
    talk.suffers("its reader is gone");
    talk.ends();
    let log = talk.server.wait_log("were not kept");
    assert_eq!(lost(&log), Some(talk.said - 3), "{log}");
}

#[test]
fn a_stop_waits_a_moment_for_the_reader_of_a_transcript() {
    let (mut reader, writer): (PipeReader, _) = pipe().expect("a pipe");
    let mut talk = Talk::new("-", writer);
    // More than the pipe holds, and no more than waits for its reader.
    talk.says(600);
    talk.server.signal(Signal::TERM);
    talk.people[0].expect_line("*** the server is closing");
    let mut transcript = String::new();
    reader.read_to_string(&mut transcript).expect("UTF-8");
    assert_eq!(transcript.lines().count(), talk.said);
    assert_eq!(talk.logged("not kept"), 0);
}

/// The log itself: what is lost of it is counted, and said when there is room again.
#[test]
#[cfg(target_os = "linux")]
fn a_log_on_a_full_disk_says_what_was_lost_when_there_is_room() {
    let folder = Folder::new();
    let log = folder.path("log");
    let file = File::create(&log).expect("a file");
    let path = folder.path("snug.sock");
    let mut server = Server::start_mute(snug(), &[], &path, file.into());
    let [mut stays] = server.room();
    let mut visit = |visits: usize| {
        for _ in 0..visits {
            let visitor = server.join();
            stays.expect_notice(&["entered"]);
            drop(visitor);
            stays.expect_notice(&["left"]);
        }
    };
    visit(3);
    let size = fs::metadata(&log).expect("the file").len();
    limit_files(server.pid(), Some(size + 77));
    visit(100);
    assert_eq!(fs::metadata(&log).expect("the file").len(), size + 77);
    limit_files(server.pid(), None);
    visit(2);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(PATIENCE).code(), Some(0));
    let log = text(&log);
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    let lost = log.lines().find_map(|line| {
        let (before, _) =
            line.split_once(" log lines lost: standard error failed: File too large")?;
        before.rsplit(' ').next()?.parse::<usize>().ok()
    });
    // Besides the visitors, there are the one who stays and who tried whether the socket answers.
    assert_eq!(
        count(" came") + count(" left: ") + lost.unwrap_or(0),
        2 * (105 + 2),
        "{log}"
    );
    assert!(lost.is_some_and(|lost| lost > 190), "{log}");
}
