//! A small machine: little memory, few descriptors, more people than there is room for, and readers that stop.
//!
//! `cargo test --profile small --test it serve_small` shows it for the program as such a machine has it.

use crate::harness::{Client, Folder, Server, Tally, WELCOME, numbered, snug_after, unix};

/// All the memory that the process may map, and all its descriptors.
const LIMITS: &str = "ulimit -v 24576; ulimit -n 64";
/// How many it lets in with so few: the descriptors less 32.
const PLACES: usize = 32;
/// People in each room: one talks, the others stop reading.
const ROOM: usize = 4;

/// Starts a server under [`LIMITS`] at a Unix socket, whose buffers hold little, with backlogs that would be more
/// than all of its memory.
fn start(folder: &Folder) -> Server {
    let address = unix(&folder.path("snug.sock"));
    let options = ["-l", &address, "--backlog", "8M", "--log-level", "info"];
    Server::start_as(snug_after(LIMITS), &options)
}

/// Takes every place; each fourth person is a talker, in a room with the three who come next.
fn fill(server: &Server) -> Vec<Client> {
    let mut people: Vec<Client> = Vec::new();
    for number in 0..PLACES {
        let mut person = server.join();
        person.name = format!("p{number}");
        person.say(&format!("/nick p{number}"));
        person.say(&format!("/join r{}", number / ROOM));
        person.sync();
        people.push(person);
    }
    people.iter_mut().for_each(|person| _ = person.sync());
    people
}

/// There is no place: somebody new is told so, and let go.
fn expect_full(server: &Server) {
    let mut late = server.connect();
    late.expect_notice(&["the server is full: 32 people at most"]);
    late.expect_eof();
}

#[test]
fn it_serves_in_24_mib_with_64_descriptors() {
    const LINES: usize = 6_000;
    const LENGTH: usize = 1_000;
    const SHARE: usize = 100;
    let folder = Folder::new();
    let mut server = start(&folder);
    // A quarter of the address space.
    server.wait_log("6291456 are for what is queued or kept");
    let mut people = fill(&server);
    for _ in 0..10 {
        expect_full(&server);
    }
    // Six megabytes in each of eight rooms, and nobody reads any of it.
    for from in (0..LINES).step_by(SHARE) {
        let lines = numbered(from..from + SHARE, LENGTH);
        let talkers = people.iter_mut().step_by(ROOM);
        talkers.for_each(|talker| talker.send(&lines));
    }
    for talker in people.iter_mut().step_by(ROOM) {
        assert_eq!(talker.sync(), [""; 0], "who talks does not hear it");
    }
    server.wait_log("the memory is used up (6291456 bytes)");
    assert!(server.is_running());
    expect_full(&server);
    // They read again: whole lines in their order, and what is missing is counted.
    for room in people.chunks_mut(ROOM) {
        let (talker, readers) = room.split_first_mut().expect("somebody talks");
        let prefix = format!("<{}> ", talker.name);
        for reader in &mut *readers {
            let mut tally = Tally::default();
            tally.read(reader, &prefix, LINES, LENGTH);
            assert!(tally.lines > 0 && tally.gaps > 0, "{tally:?}");
        }
        readers[0].say("thanks");
        let thanks = format!("<{}> thanks", readers[0].name);
        talker.expect_line(&thanks);
    }
    // Whoever leaves makes room.
    drop(people.pop());
    server.wait_log("left: ");
    let mut late = server.connect();
    late.expect_line(WELCOME);
    late.sync();
    assert!(server.is_running());
}
