//! `snug connect` as a process, against servers that the tests play themselves.

pub mod harness;

use harness::{Client, Server, Terminal, expect_bytes, read, rest_of, snug, wait_for};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;

/// What one run of the client may have resident at most, whatever is done to it.
#[cfg(target_os = "linux")]
const MEMORY: usize = 16 << 20;

/// What did not move for so many looks stands still.
const STILL: usize = 20;

/// The client says `expected`, half-closes, prints what comes, and
/// ends with `code`.
fn sends_and_ends(command: &mut Command, server: &Server, expected: &str, code: i32) {
    let mut client = Client::run(command.stdout(Stdio::piped()));
    let mut peer = server.accept();
    assert_eq!(rest_of(&mut peer), expected);
    peer.write_all(b"still comes").expect("it reads");
    drop(peer);
    assert_eq!(rest_of(&mut client.take_stdout()), "still comes");
    assert_eq!(client.exit().0, Some(code));
}

fn is_non_blocking(fd: impl AsFd) -> bool {
    fcntl_getfl(fd)
        .expect("a descriptor")
        .contains(OFlags::NONBLOCK)
}

#[test]
fn a_pipe_is_sent_as_it_is_and_what_still_comes_is_printed_as_it_is() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &["--bare"]);
    let mut peer = server.accept();
    client.type_in("one\r\ntwo\n\nunterminated");
    expect_bytes(&mut peer, b"one\r\ntwo\n\nunterminated");
    peer.write_all(b"\x1b[1mreply\xff\r\nno end")
        .expect("it reads");
    let mut stdout = client.take_stdout();
    expect_bytes(&mut stdout, b"\x1b[1mreply\xff\r\nno end");
    client.end_input();
    assert_eq!(rest_of(&mut peer), "");
    drop(peer);
    assert_eq!(rest_of(&mut stdout), "");
    assert_eq!(client.exit(), (Some(0), vec![]));
}

#[test]
fn a_chat_gets_no_half_lines_until_the_end() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &[]);
    let mut peer = server.accept();
    client.type_in("one\nthe quick ");
    expect_bytes(&mut peer, b"one\n");
    peer.write_all(b"*** noted\n").expect("it reads");
    let mut stdout = client.take_stdout();
    expect_bytes(&mut stdout, b"*** noted\n");
    // Behind what closes in order, a half that went out would be a line.
    peer.shutdown(Shutdown::Write).expect("a connection");
    assert_eq!(rest_of(&mut peer), "");
    client.says("lost");
    client.type_in("brown fox\nand");
    let mut peer = server.accept();
    peer.write_all(b"Welcome\n").expect("it reads");
    expect_bytes(&mut peer, b"the quick brown fox\n");
    client.end_input();
    assert_eq!(rest_of(&mut peer), "and");
}

#[test]
fn files_devices_and_a_closed_standard_input_work_like_a_pipe() {
    let server = Server::new();
    let address = server.address();
    let this_file = File::open(file!()).expect("tests run in the package's folder");
    let text = std::fs::read_to_string(file!()).expect("this file");
    sends_and_ends(snug(&address, &[]).stdin(this_file), &server, &text, 0);
    sends_and_ends(snug(&address, &[]).stdin(Stdio::null()), &server, "", 0);
    let mut closed = Command::new("sh");
    closed.args(["-c", "exec \"$0\" connect \"$1\" <&-"]);
    closed.args([env!("CARGO_BIN_EXE_snug"), &address]);
    sends_and_ends(&mut closed, &server, "", 0);
}

#[test]
fn an_input_that_cannot_be_read_is_said_and_ends_with_1() {
    let server = Server::new();
    let folder = File::open(".").expect("the package's folder");
    let mut client = Client::run(snug(&server.address(), &[]).stdin(folder));
    assert_eq!(rest_of(&mut server.accept()), "");
    client.says("snug: cannot read standard input: is a directory");
    assert_eq!(client.exit().0, Some(1));
}

#[test]
fn receive_only_leaves_standard_input_alone() {
    let server = Server::new();
    let (mut unread, mut keys) = std::io::pipe().expect("a pipe");
    keys.write_all(b"not for you").expect("room");
    drop(keys);
    let input = unread.try_clone().expect("a descriptor");
    let mut client = Client::run(
        snug(&server.address(), &["-R", "--no-reconnect"])
            .stdin(input)
            .stdout(Stdio::piped()),
    );
    let mut peer = server.accept();
    peer.write_all(b"hello\n").expect("it reads");
    let mut stdout = client.take_stdout();
    expect_bytes(&mut stdout, b"hello\n");
    peer.shutdown(std::net::Shutdown::Write).expect("connected");
    assert_eq!(rest_of(&mut peer), "");
    client.says("lost: closed by the server");
    assert_eq!(client.exit().0, Some(1));
    assert_eq!(rest_of(&mut unread), "not for you");
}

#[test]
fn send_only_takes_what_comes_and_prints_nothing() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &["-S"]);
    let mut peer = server.accept();
    // Far more than sockets hold: it ends only if the client reads.
    for _ in 0..500 {
        peer.write_all(&[b'x'; 100_000]).expect("it reads");
    }
    client.type_in("heard\n");
    expect_bytes(&mut peer, b"heard\n");
    drop(peer);
    client.says("lost: closed by the server");
    client.end_input();
    let mut stdout = client.take_stdout();
    assert_eq!(client.exit().0, Some(0));
    assert_eq!(rest_of(&mut stdout), "");
}

#[test]
fn no_newline_sends_each_line_by_itself() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &["--no-newline"]);
    let mut peer = server.accept();
    for line in ["one", "two, longer", "three"] {
        client.type_in(&format!("{line}\n"));
        let mut buffer = [0; 100];
        let n = read(&mut peer, &mut buffer);
        assert_eq!(String::from_utf8_lossy(&buffer[..n]), line);
    }
    client.type_in("a\r\n\n\nb\nc");
    client.end_input();
    assert_eq!(rest_of(&mut peer), "abc");
    drop(peer);
    assert_eq!(client.exit(), (Some(0), vec![]));
}

#[test]
fn after_a_loss_it_comes_back_with_what_was_typed_meanwhile() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &[]);
    let mut peer = server.accept();
    client.type_in("first\n");
    expect_bytes(&mut peer, b"first\n");
    peer.write_all(b"<anna> hel").expect("it reads");
    drop(peer);
    client.says("lost: closed by the server; trying again in 0.");
    client.type_in("meanwhile\n");
    let mut peer = server.accept();
    client.says(&format!("snug: connected to {} again", server.address()));
    expect_bytes(&mut peer, b"meanwhile\n");
    peer.write_all(b"Welcome\n").expect("it reads");
    drop(peer);
    // What broke off is a line of its own, not the beginning of the next.
    let mut stdout = client.take_stdout();
    expect_bytes(&mut stdout, b"<anna> hel\nWelcome\n");
    client.says("lost: closed by the server; trying again in");
    client.end_input();
    assert_eq!(client.exit_by_itself().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_sent_and_not_confirmed_is_told_of() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &["--bare"]);
    let peer = server.accept();
    let mut stdin = client.take_stdin();
    // Until the one does not read any more and the other has no room.
    let writer = thread::spawn(move || while stdin.write_all(&[b'\n'; 4096]).is_ok() {});
    let mut before = 0;
    wait_for("what stands still", || {
        thread::sleep(std::time::Duration::from_millis(100));
        let now = peek(&peer);
        (std::mem::replace(&mut before, now) == now && now > 0).then_some(())
    });
    peer.shutdown(Shutdown::Write).expect("a connection");
    client.says("the last 1024 lines that you sent, or more, may not have arrived");
    drop(client);
    writer.join().expect("it ends with its reader");
}

#[test]
fn a_signal_tells_what_was_not_sent() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &[]);
    drop(server.accept());
    client.says("lost");
    drop(server);
    client.type_in("one\ntwo\n");
    client.says("connection refused; trying again in");
    client.says("connection refused; trying again in");
    client.signal(Signal::TERM);
    client.says("the last 2 lines were not sent");
    assert_eq!(client.exit().0, Some(1));
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupt_that_was_to_be_ignored_is_ignored() {
    let server = Server::new();
    // As a shell starts what a script has in the background.
    let mut client = Command::new("sh")
        .args(["-c", "trap '' INT; exec \"$0\" connect -R \"$1\""])
        .args([env!("CARGO_BIN_EXE_snug"), &server.address()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut peer = server.accept();
    let pid = Pid::from_child(&client);
    kill_process(pid, Signal::INT).expect("it runs");
    peer.write_all(b"still there\n").expect("it reads");
    let mut line = [0; 12];
    let stdout = client.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut line).expect("it prints");
    assert_eq!(line, *b"still there\n");
    kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(client.wait().expect("a child").code(), Some(0));
}

#[test]
fn it_keeps_trying_while_nobody_is_there() {
    let folder = std::env::temp_dir().join(format!("snug-client-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut client = Client::piped(&format!("unix:{}", path.display()), &[]);
    let (peer, _) = listener.accept().expect("a connection");
    drop((peer, listener));
    std::fs::remove_file(&path).expect("the socket's file");
    client.says("lost: closed by the server; trying again in");
    client.says("no such file or directory; trying again in");
    let listener = UnixListener::bind(&path).expect("a socket");
    client.type_in("hello again\n");
    let (mut peer, _) = listener.accept().expect("a connection");
    expect_bytes(&mut peer, b"hello again\n");
    client.end_input();
    assert_eq!(rest_of(&mut peer), "");
    drop(peer);
    assert_eq!(client.exit().0, Some(0));
    std::fs::remove_dir_all(&folder).expect("the folder");
}

#[test]
fn a_line_that_was_half_sent_is_sent_again_whole() {
    const LINES: usize = 300;
    let line = |i: usize| format!("{i:06} {}\n", "x".repeat(99_992));
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &["--bare"]);
    let mut keys = client.take_stdin();
    let typist = thread::spawn(move || {
        for i in 0..LINES {
            keys.write_all(line(i).as_bytes()).expect("it reads");
        }
    });
    // Far more was typed than sockets hold, so the client is stuck somewhere within a line.
    let mut peer = server.accept();
    expect_bytes(&mut peer, &line(0).as_bytes()[..50_000]);
    let (mut before, mut looks) = (0, 0);
    wait_for("a full socket", || {
        let waiting = rustix::io::ioctl_fionread(&peer).expect("a socket");
        looks = if waiting == before { looks + 1 } else { 0 };
        before = waiting;
        (looks > STILL).then_some(())
    });
    drop(peer);
    let mut peer = server.accept();
    client.says("lost: reset by peer; trying again in");
    let received = rest_of(&mut peer);
    typist.join().expect("all is typed");
    let first: usize = received[..6].parse().expect("a line's beginning");
    assert!(first > 0, "what the kernel had is not sent twice");
    let expected: String = (first..LINES).map(line).collect();
    assert!(received == expected, "not whole lines from {first} on");
    drop(peer);
    assert_eq!(client.exit().0, Some(0));
}

#[test]
fn a_refused_connection_ends_it_at_once_with_advice() {
    let address = Server::new().address();
    let (code, said) = Client::piped(&address, &[]).exit();
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        [format!(
            "snug: cannot connect to {address}: connection refused; is a server running there? \
             start one with: snug serve --listen {address}"
        )]
    );
}

#[test]
fn each_address_of_a_name_is_tried() {
    let server = Server::new();
    let port = server
        .address()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    // Mostly that is [::1], where nobody listens, and then 127.0.0.1.
    let mut client = Client::piped(&format!("localhost:{port}"), &[]);
    client.type_in("here\n");
    let mut peer = server.accept();
    expect_bytes(&mut peer, b"here\n");
    client.end_input();
    drop(peer);
    assert_eq!(client.exit().0, Some(0));
}

#[test]
fn without_reconnect_a_loss_ends_it_with_1() {
    let server = Server::new();
    let client = Client::piped(&server.address(), &["--no-reconnect"]);
    drop(server.accept());
    let (code, said) = client.exit_by_itself();
    assert_eq!(code, Some(1));
    let address = server.address();
    assert_eq!(
        said,
        [format!(
            "snug: connection to {address} lost: closed by the server"
        )]
    );
}

#[test]
fn a_reset_after_the_end_of_input_ends_it_with_1() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &[]);
    let peer = server.accept();
    client.type_in("never read\n");
    client.end_input();
    wait_for("the line", || (peek(&peer) == 11).then_some(()));
    // Closing with something unread is a reset.
    drop(peer);
    let (code, said) = client.exit_by_itself();
    assert_eq!(code, Some(1));
    assert!(said[0].ends_with("lost: reset by peer"), "{said:?}");
}

fn peek(peer: &std::net::TcpStream) -> usize {
    peer.peek(&mut [0; 100]).expect("a connection")
}

#[test]
fn quit_and_the_close_that_follows_are_an_ordinary_end() {
    for line in ["quit\n", "/quit see you\n"] {
        let server = Server::new();
        let mut client = Client::piped(&server.address(), &[]);
        let mut peer = server.accept();
        client.type_in(line);
        expect_bytes(&mut peer, line.as_bytes());
        peer.write_all(b"*** bye\n").expect("it reads");
        drop(peer);
        assert_eq!(rest_of(&mut client.take_stdout()), "*** bye\n");
        assert_eq!(client.exit_by_itself(), (Some(0), vec![]));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_nobody_reads_holds_back_the_socket_but_not_the_sending() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &[]);
    let mut peer = server.accept();
    peer.set_nonblocking(true).expect("non-blocking");
    let line = b"0123456789012345678901234567890123456789012345678901234567890\n";
    let lines = line.repeat(2000);
    let (mut sent, mut refused) = (0, 0);
    // Full when it takes nothing for a while; with nothing held back this would never end.
    wait_for("a full connection", || {
        match peer.write(&lines[sent % line.len()..]) {
            Ok(n) => (sent, refused) = (sent + n, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 200 << 20, "200 MiB fit into a pipe nobody reads");
        (refused > STILL).then_some(())
    });
    client.type_in("can you hear me?\n");
    peer.set_nonblocking(false).expect("blocking");
    expect_bytes(&mut peer, b"can you hear me?\n");
    assert!(client.peak_memory() < MEMORY, "{}", client.peak_memory());
    client.end_input();
    assert_eq!(rest_of(&mut peer), "");
    drop(peer);
    let printed = rest_of(&mut client.take_stdout());
    assert_eq!(printed.len(), sent);
    let whole = sent - sent % line.len();
    assert!(
        printed.as_bytes()[..whole]
            .chunks(line.len())
            .all(|l| l == line)
    );
    assert_eq!(client.exit(), (Some(0), vec![]));
}

#[test]
fn it_ends_quietly_when_its_reader_has_had_enough() {
    let server = Server::new();
    let mut client = Client::piped(&server.address(), &[]);
    let mut peer = server.accept();
    peer.write_all(b"one\n").expect("it reads");
    let mut head = client.take_stdout();
    expect_bytes(&mut head, b"one\n");
    drop(head);
    assert_eq!(client.exit_by_itself(), (Some(0), vec![]));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_and_ends_with_1() {
    let server = Server::new();
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux");
    let client = Client::run(snug(&server.address(), &["-R"]).stdout(full));
    server.accept().write_all(b"one\n").expect("it reads");
    let (code, said) = client.exit_by_itself();
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        ["snug: cannot write standard output: no space left on device"]
    );
}

#[test]
fn a_signal_ends_it_with_0_connected_or_not() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::new();
        let mut client = Client::piped(&server.address(), &[]);
        let mut peer = server.accept();
        peer.write_all(b"no end").expect("it reads");
        let mut stdout = client.take_stdout();
        expect_bytes(&mut stdout, b"no end");
        client.signal(signal);
        assert_eq!(client.exit_by_itself(), (Some(0), vec![]));

        let mut client = Client::piped(&server.address(), &[]);
        drop(server.accept());
        client.says("trying again in");
        client.signal(signal);
        assert_eq!(client.exit_by_itself().0, Some(0));
    }
}

#[test]
fn timestamps_and_colours_are_added_where_asked_for() {
    let lines = "*** anna entered\n<anna> hi\x1b[5m\n[anna] psst\n";
    for (args, no_color, expected) in [
        (&["-R"][..], false, lines),
        (
            &["-R", "--color", "always"],
            true,
            "\x1b[2m*** anna entered\x1b[0m\n<\x1b[38;5;71manna\x1b[39m> hi[5m\n\
             \x1b[1m[\x1b[38;5;71manna\x1b[39m] \x1b[0mpsst\n",
        ),
        (
            &["-R", "--timestamps"],
            false,
            "[NN:NN:NN] *** anna entered\n[NN:NN:NN] <anna> hi\x1b[5m\n[NN:NN:NN] [anna] psst\n",
        ),
        (&["-R", "--bare", "--color", "always"], false, lines),
    ] {
        let server = Server::new();
        let mut command = snug(&server.address(), args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut client = Client::run(command.stdout(Stdio::piped()));
        server
            .accept()
            .write_all(lines.as_bytes())
            .expect("it reads");
        client.says("lost: closed by the server");
        client.signal(Signal::TERM);
        let printed = rest_of(&mut client.take_stdout());
        assert_eq!(without_time(&printed), expected, "{args:?}");
    }
}

/// `text` with an `N` for each digit of a time, `[14:03:07]`.
fn without_time(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match line.get(..10) {
        Some(time) if time.starts_with('[') && time.ends_with(']') => {
            time.replace(|c: char| c.is_ascii_digit(), "N") + &line[10..]
        }
        _ => line.to_owned(),
    });
    lines.collect()
}

#[test]
fn a_terminal_gets_clean_lines_and_stays_as_it_was() {
    let server = Server::new();
    let mut terminal = Terminal::new();
    let before = rustix::termios::tcgetattr(&terminal.inside).expect("a terminal");
    let mut client = Client::run(
        snug(&server.address(), &["--bare"])
            // On which no row can be edited.
            .env("TERM", "dumb")
            .stdin(terminal.stdio())
            .stdout(terminal.stdio()),
    );
    let mut peer = server.accept();
    client.says(&format!("snug: connected to {}", server.address()));
    peer.write_all("a\x1b]0;title\x07b \u{202e}c\u{9b}2J\rd Grü".as_bytes())
        .expect("it reads");
    // Half a character, and no newline: a prompt is shown all the same.
    peer.write_all(b"\xc3").expect("it reads");
    assert_eq!(terminal.shows("Grü"), "a]0;titleb c2Jd Grü");
    peer.write_all(b"\x9f login:").expect("it reads");
    assert_eq!(terminal.shows("login:"), "ß login:");
    terminal.outside.write_all(b"typed\n").expect("a keyboard");
    expect_bytes(&mut peer, b"typed\n");
    terminal.outside.write_all(b"\x04").expect("a keyboard");
    assert_eq!(rest_of(&mut peer), "");
    drop(peer);
    assert_eq!(client.exit_by_itself().0, Some(0));
    assert!(!is_non_blocking(&terminal.inside));
    let after = rustix::termios::tcgetattr(&terminal.inside).expect("a terminal");
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

#[test]
fn a_terminal_that_stands_still_does_not_stop_the_sending() {
    let server = Server::new();
    let terminal = Terminal::new();
    let mut client = Client::run(
        snug(&server.address(), &[])
            .stdin(Stdio::piped())
            .stdout(terminal.stdio()),
    );
    let mut peer = server.accept();
    // More than a terminal holds, less than the client may keep.
    peer.write_all(&b"some line\n".repeat(6000))
        .expect("it reads");
    for i in 0..20 {
        client.type_in(&format!("{i}\n"));
        expect_bytes(&mut peer, format!("{i}\n").as_bytes());
    }
    client.signal(Signal::TERM);
    assert_eq!(client.exit_by_itself().0, Some(0));
    assert!(!is_non_blocking(&terminal.inside));
}

#[test]
fn shared_pipes_are_left_blocking_even_while_it_runs() {
    let server = Server::new();
    let (input, mut keys) = std::io::pipe().expect("a pipe");
    let (mut screen, output) = std::io::pipe().expect("a pipe");
    let (input_too, output_too) = (input.try_clone(), output.try_clone());
    let client = Client::run(snug(&server.address(), &[]).stdin(input).stdout(output));
    let mut peer = server.accept();
    peer.write_all(b"from there").expect("it reads");
    keys.write_all(b"from here\n").expect("it reads");
    expect_bytes(&mut screen, b"from there");
    expect_bytes(&mut peer, b"from here\n");
    assert!(!is_non_blocking(input_too.expect("a descriptor")));
    assert!(!is_non_blocking(output_too.expect("a descriptor")));
    drop((keys, peer));
    assert_eq!(client.exit().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn an_endless_line_is_printed_in_pieces_and_not_kept() {
    let server = Server::new();
    let null = File::options().write(true).open("/dev/null").expect("Unix");
    let client = Client::run(snug(&server.address(), &["-R", "--color", "always"]).stdout(null));
    let mut peer = server.accept();
    for _ in 0..100 {
        peer.write_all(&[b'x'; 1_000_000]).expect("it reads");
    }
    assert!(client.peak_memory() < MEMORY, "{}", client.peak_memory());
    client.signal(Signal::TERM);
    assert_eq!(client.exit().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn hostile_bytes_in_bulk_do_nothing_to_a_terminal() {
    let server = Server::new();
    let mut terminal = Terminal::new();
    let client = Client::run(snug(&server.address(), &["-R"]).stdout(terminal.stdio()));
    let mut peer = server.accept();
    // Every byte after every other, with hardly a newline, from a fixed seed.
    let mut state = 7u32;
    let garbage: Vec<u8> = (0..1_000_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let typist = thread::spawn(move || {
        peer.write_all(&garbage).expect("it reads");
        peer.write_all(b"\n*** end\n").expect("it reads");
        peer
    });
    let shown = terminal.shows("*** end");
    drop(typist.join().expect("all is sent"));
    let bad = shown
        .replace("\x1b[2m*** end\x1b[0m", "")
        .replace(['\r', '\n'], "")
        .chars()
        .find(|&c| snug::wire::clean::is_control(c));
    assert_eq!(bad, None);
    assert!(shown.len() > 1_000_000);
    assert!(client.peak_memory() < MEMORY, "{}", client.peak_memory());
    client.signal(Signal::TERM);
    assert_eq!(client.exit().0, Some(0));
}
