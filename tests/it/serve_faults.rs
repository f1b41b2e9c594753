//! What machines, networks and people do to a server, and that it serves on.

use crate::harness::{Client, Folder, Server, WELCOME, numbered, snug, snug_after, until};
use crate::kernel::Growth;
use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;

/// Enough of the server's life for a few log lines, and for a proof that it serves.
fn check_serves(server: &Server) {
    let [mut one, mut two] = server.room();
    one.say("hello");
    let line = two.line();
    assert!(line.ends_with("> hello"), "{line:?}");
    for client in [&mut one, &mut two] {
        client.say("quit");
        client.wait_end();
    }
}

#[test]
fn a_leave_is_one_line_of_the_log_whatever_was_left_to_write() {
    let server = Server::start(&[]);
    // Each has others' entering and leaving unread, and more to come, when it goes.
    let crowd: Vec<Client> = (0..30).map(|_| server.join()).collect();
    let names: Vec<String> = crowd.iter().map(|client| client.name.clone()).collect();
    server.while_paused(|| crowd.into_iter().for_each(Client::reset));
    for name in &names {
        server.wait_log(&format!("{name} left: "));
    }
    // Whoever comes now is told of after all that was to be said of them.
    let last = server.join();
    server.wait_log(&format!("{} came", last.name));
    for name in &names {
        let lines = server.log_lines();
        let about: Vec<&String> = lines
            .iter()
            .filter(|line| line.contains(&format!("{name} ")))
            .collect();
        assert_eq!(about.len(), 2, "{about:#?}");
    }
}

#[test]
fn a_reset_in_the_middle_of_a_line_is_a_leave() {
    let server = Server::start(&[]);
    let [mut stays] = server.room();
    for text in [
        "half a line",
        "a line\nhalf a line",
        "",
        "/ping",
        "/who\n/he",
    ] {
        let mut client = server.join();
        let name = client.name.clone();
        stays.expect_line(&format!("*** {name} entered"));
        client.send(text);
        client.reset();
        // What was whole may have been heard before; half a line that a reset ends never is.
        let mut line = stays.line();
        if let Some((whole, _)) = text.split_once('\n')
            && line == format!("<{name}> {whole}")
        {
            line = stays.line();
        }
        assert_eq!(line, format!("*** {name} left"));
        server.wait_log(&format!("{name} left: reset by peer"));
    }
    check_serves_beside(&server, &mut stays);
}

/// A write that fails takes the reset for itself, and a read then finds the end of the stream.
#[test]
fn half_a_line_is_none_where_a_write_meets_the_reset() {
    let server = Server::start(&["--bare"]);
    let [mut stays, mut speaks, mut goes] = [(); 3].map(|()| server.connect());
    speaks.say("all are here");
    for other in [&mut stays, &mut goes] {
        other.expect_line("all are here");
    }
    server.while_paused(|| {
        goes.send("half a line");
        speaks.say("whole");
        goes.reset();
    });
    stays.expect_line("whole");
    server.wait_log("left: reset by peer");
    speaks.say("next");
    stays.expect_line("next");
}

/// [`check_serves`] for a server that has somebody already.
fn check_serves_beside(server: &Server, stays: &mut Client) {
    let mut client = server.join();
    stays.expect_line(&format!("*** {} entered", client.name));
    client.say("hello");
    stays.expect_line(&format!("<{}> hello", client.name));
}

#[test]
fn resets_in_the_middle_of_a_broadcast_cost_nobody_a_line() {
    let server = Server::start(&["--bare"]);
    let mut reader = server.connect();
    let leavers: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    let mut sender = server.connect();
    let batch = numbered(0..100, 100);
    let mut heard = vec![0; batch.len()];
    for (n, leaver) in leavers.into_iter().enumerate() {
        sender.send(&batch);
        match n % 2 {
            0 => leaver.reset(),
            _ => drop(leaver),
        }
        reader.read_exact(&mut heard);
        assert!(heard == batch.as_bytes(), "{}", heard.escape_ascii());
    }
    server.wait_log_lines(" left: ", 200);
}

#[test]
fn a_crowd_leaves_its_memory_behind_it() {
    let server = Server::start(&[]);
    let crowd = || {
        let mut people: Vec<Client> = (0..1000).map(|_| server.connect()).collect();
        for person in &mut people {
            person.send("/ping half a line of somebody who then goes");
        }
        people[999].sync();
        drop(people);
    };
    crowd();
    server.wait_log_lines(" left: ", 1000);
    let growth = Growth::of_resident(&server);
    for round in 2..=4 {
        crowd();
        server.wait_log_lines(" left: ", round * 1000);
    }
    growth.expect_below(512);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux's /proc")]
fn with_the_default_limit_the_descriptors_never_run_out() {
    let server = Server::start_as(snug_after("ulimit -n 64"), &[]);
    let [mut stays] = server.room();
    let mut served = 0;
    let mut crowd: Vec<Client> = (0..199).map(|_| server.connect()).collect();
    for client in &mut crowd {
        let line = client.line();
        match line == WELCOME {
            true => served += 1,
            false => {
                assert!(line.starts_with("*** "), "{line:?}");
                client.expect_eof();
            }
        }
    }
    assert_eq!(served, 64 - 32 - 1);
    drop(crowd);
    stays.sync();
    server.wait_log_lines(" left: ", served);
    stays.sync();
    check_serves_beside(&server, &mut stays);
}

/// Starts a server whose standard error is `stderr`, and checks that it serves.
fn check_sink(preparation: &str, stderr: Stdio) {
    let folder = Folder::new();
    let path = folder.path("snug.sock");
    let mut server = Server::start_mute(snug_after(preparation), &[], &path, stderr);
    for _ in 0..20 {
        check_serves(&server);
    }
    assert!(server.is_running());
    server.signal(rustix::process::Signal::TERM);
    let status = server.expect_exit(crate::harness::PATIENCE);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_full_disk_under_the_log_is_no_reason_to_stop() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: this system has no /dev/full");
        return;
    };
    check_sink(":", full.into());
}

#[test]
fn a_closed_standard_error_is_no_reason_to_stop() {
    check_sink("exec 2>&-", Stdio::null());
    check_sink("exec 0<&- 1>&- 2>&-", Stdio::null());
}

#[test]
fn a_log_whose_reader_is_gone_is_no_reason_to_stop() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    check_sink(":", writer.into());
}

#[test]
fn a_log_that_nobody_reads_is_no_reason_to_stop_and_says_what_was_lost() {
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let path = folder.path("snug.sock");
    let server = Server::start_mute(snug(), &[], &path, writer.into());
    let [mut stays] = server.room();
    // Two lines for each of them: far more than a pipe holds.
    let mut visit = || {
        let visitor = server.join();
        stays.expect_notice(&["entered"]);
        drop(visitor);
        stays.expect_notice(&["left"]);
    };
    for _ in 0..3000 {
        visit();
    }
    // Somebody reads it at last: with the next lines comes how many are missing.
    server.read_log(reader);
    let mut visits = 3000;
    until("the loss is told", || {
        visit();
        visits += 1;
        count_lost(&server.log_lines()) > 0
    });
    // All are accounted for: the one who stays came; and so did whoever tried whether the socket answers.
    until("no line is lost in silence", || {
        let lines = server.log_lines();
        let about_people = |line: &&String| line.contains(" came") || line.contains(" left: ");
        let logged = lines.iter().filter(about_people).count();
        logged + count_lost(&lines) == 2 * visits + 1 + 2
    });
}

/// How many lines the log says were lost.
fn count_lost(lines: &[String]) -> usize {
    let told = lines
        .iter()
        .filter_map(|line| line.split_once(" log lines lost"));
    told.filter_map(|(before, _)| before.rsplit(' ').next()?.parse::<usize>().ok())
        .sum()
}

#[test]
fn a_log_on_a_file_is_all_there() {
    let folder = Folder::new();
    let log = folder.path("log");
    let file = File::create(&log).expect("a file");
    let mut server = Server::start_mute(snug(), &[], &folder.path("snug.sock"), file.into());
    check_serves(&server);
    server.signal(rustix::process::Signal::TERM);
    server.expect_exit(crate::harness::PATIENCE);
    let log = fs::read_to_string(&log).expect("the file");
    assert!(log.matches(" came").count() >= 2, "{log}");
    assert_eq!(
        log.matches(" came").count(),
        log.matches(" left: ").count(),
        "{log}"
    );
    assert!(log.ends_with('\n'), "{log}");
}

#[test]
fn standard_output_is_not_for_the_log() {
    let folder = Folder::new();
    let path = folder.path("snug.sock");
    let out = folder.path("out");
    let command = snug_after(&format!("exec >'{}'", out.display()));
    let server = Server::start_mute(command, &[], &path, Stdio::null());
    check_serves(&server);
    assert_eq!(fs::read(&out).expect("the file"), b"");
}

#[test]
fn whoever_comes_and_says_nothing_costs_nobody_anything() {
    let server = Server::start(&[]);
    let _silent: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    let mut halves: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for half in &mut halves {
        half.send("half a li");
    }
    let [mut one, mut two] = [server.join(), server.join()];
    for n in 0..100 {
        two.say(&format!("line {n}"));
        one.expect_line(&format!("<{}> line {n}", two.name));
    }
    // The end of the first half comes last.
    halves[0].say("ne");
    let name = halves[0].name.clone();
    one.expect_line(&format!("<{name}> half a line"));
}

#[test]
fn a_flood_does_not_keep_others_from_being_heard() {
    // Nobody is given up, however slow this reader is.
    let server = Server::start(&["--bare", "--slow", "wait", "--slow-timeout", "3600"]);
    let mut reader = server.connect();
    let flooder = server.connect();
    let mut speaker = server.connect();
    let mut writer = flooder.writer();
    let flood = std::thread::spawn(move || {
        let lines = numbered(0..100, 1000);
        while std::io::Write::write_all(&mut writer, lines.as_bytes()).is_ok() {}
    });
    let mut buffer = [0; 1 << 16];
    let mut others = speaker.writer();
    // The speaker reads too, or it would hold the room up.
    let drain = std::thread::spawn(move || while others.read(&mut buffer).is_ok_and(|n| n > 0) {});
    for n in 0..20 {
        speaker.say(&format!("word {n}"));
        let word = format!("word {n}");
        while reader.line() != word {}
    }
    drop(server);
    flood.join().expect("its connection ended");
    drain.join().expect("its connection ended");
}
