//! The transcript across crashes, restarts and rotations.

use crate::harness::{Client, Folder, Server, until};
use rustix::process::Signal;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Starts a server that keeps a transcript and says again what stands in it.
fn start(transcript: &Path) -> Server {
    let path = transcript.to_str().expect("UTF-8");
    Server::start(&["--history", "20", "--transcript", path])
}

/// What a newcomer is told was said before, without the times.
fn earlier(server: &Server) -> Vec<String> {
    let mut client = server.join();
    let lines = client.sync();
    leave(client);
    history(lines)
}

/// What a replay says, without the times.
fn history(mut lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    assert_eq!(lines.remove(0), "*** earlier:");
    assert_eq!(lines.pop().as_deref(), Some("*** now:"));
    let text = |line: String| line.split_once("] ").expect("a time").1.to_owned();
    lines.into_iter().map(text).collect()
}

/// Somebody says a line unlike the last, which then stands in the transcript, and goes.
fn talk(mut client: Client, transcript: &Path, text: &str) {
    client.say(text);
    let line = format!("> {text}\n");
    until("the line is kept", || {
        let kept = fs::read(transcript).expect("readable");
        kept.ends_with(line.as_bytes())
    });
    leave(client);
}

/// Goes, so that the name is free again.
fn leave(mut client: Client) {
    client.say("quit");
    client.wait_end();
}

#[test]
fn a_line_torn_by_a_crash_never_comes_back() {
    let folder = Folder::new();
    let path = folder.path("transcript");
    let server = start(&path);
    talk(server.join(), &path, "before the crash");
    server.signal(Signal::KILL);
    drop(server);
    let mut file = fs::OpenOptions::new().append(true).open(&path);
    let file = file.as_mut().expect("it is there");
    file.write_all(b"2026-11-22T14:03:07+01:00 #lobby <alice> I will n")
        .expect("written");
    let name = "<127.0.0.1>";
    let mut said = vec![format!("{name} before the crash")];
    for text in ["after it", "and later", "and at last"] {
        let server = start(&path);
        assert_eq!(earlier(&server), said);
        talk(server.join(), &path, text);
        said.push(format!("{name} {text}"));
        assert_eq!(earlier(&server), said);
    }
}

#[test]
fn a_room_that_vanished_is_remembered_as_after_a_restart() {
    let folder = Folder::new();
    let path = folder.path("transcript");
    let mut said = Vec::new();
    for texts in [["bees", "flowers"], ["seeds", "weeds"]] {
        let server = start(&path);
        for text in texts {
            let mut client = server.join();
            client.say("/join garden");
            let mut lines = client.sync();
            assert_eq!(lines.remove(0), "*** you are in #garden as 127.0.0.1");
            assert_eq!(history(lines), said);
            talk(client, &path, text);
            said.push(format!("<127.0.0.1> {text}"));
        }
    }
}
