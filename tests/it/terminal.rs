//! `snug connect` with a person at a terminal: a row to type in, and a terminal that is as it was after
//! every way out.

use crate::client::harness::{
    Client, Server, Terminal, expect_bytes, read, rest_of, snug, wait_for,
};
#[cfg(target_os = "linux")]
use rustix::process::{Pid, kill_process};
use rustix::process::{Signal, WaitOptions, waitpid};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};
use std::fs::File;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{os::unix::process::CommandExt, process::Command};

/// Takes the row away.
const ERASE: &str = "\r\x1b[K";
const MARK_PASTES: &str = "\x1b[?2004h";
const LEAVE_PASTES: &str = "\x1b[?2004l";

/// Somebody at a terminal, talking to a server that the test plays.
struct Seat {
    terminal: Terminal,
    client: Client,
    peer: TcpStream,
    /// Kept so that a lost connection can be taken up again.
    server: Server,
    /// How the terminal was.
    before: String,
}

impl Seat {
    fn new(args: &[&str]) -> Self {
        let server = Server::new();
        let mut terminal = Terminal::new();
        resize(&terminal, 40);
        let before = mode(&terminal.inside);
        let mut command = snug(&server.address(), args);
        command.arg("--color=never");
        command.stdin(terminal.stdio()).stdout(terminal.stdio());
        let client = Client::run(&mut command);
        let peer = server.accept();
        assert_eq!(terminal.shows("> "), format!("{MARK_PASTES}> "));
        assert!(!is_ordinary(&terminal.inside), "it reads whole lines");
        Self {
            terminal,
            client,
            peer,
            server,
            before,
        }
    }

    fn types(&mut self, keys: &str) {
        let keyboard = &mut self.terminal.outside;
        keyboard.write_all(keys.as_bytes()).expect("a keyboard");
    }

    fn comes(&mut self, line: &str) {
        self.peer.write_all(line.as_bytes()).expect("it reads");
    }

    /// Waits until exactly this was written, after whatever was written before.
    fn shows(&mut self, expected: &str) {
        self.terminal.shows(expected);
    }

    fn is_stopped(&self) {
        wait_for("a stop", || {
            let options = WaitOptions::UNTRACED | WaitOptions::NOHANG;
            let changed = waitpid(Some(self.client.pid()), options);
            changed
                .expect("a child")
                .filter(|(_, status)| status.stopped())
        });
    }

    /// Waits for the end, and checks how the terminal is left.
    fn ends(mut self, code: Option<i32>) {
        let seen = self.terminal.shows(LEAVE_PASTES);
        assert!(seen.ends_with(LEAVE_PASTES), "{seen:?}");
        drop(self.peer);
        assert_eq!(self.client.exit_by_itself().0, code);
        assert_eq!(mode(&self.terminal.inside), self.before);
    }
}

fn mode(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).expect("a terminal"))
}

fn is_ordinary(terminal: &File) -> bool {
    let mode = tcgetattr(terminal).expect("a terminal");
    mode.local_modes
        .contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

fn resize(terminal: &Terminal, columns: u16) {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal.outside, size).expect("a terminal");
}

#[test]
fn lines_arrive_above_what_is_typed() {
    let mut seat = Seat::new(&[]);
    seat.types("hel");
    seat.shows("hel");
    seat.comes("<bob> hi\n");
    seat.shows(&format!("{ERASE}<bob> hi\r\n#lobby> hel"));
    seat.types("lo\r");
    expect_bytes(&mut seat.peer, b"hello\n");
    seat.shows(&format!("{ERASE}> hello\r\n#lobby> "));
    seat.comes("*** you are in #lobby as anna\n");
    seat.shows(&format!(
        "{ERASE}*** you are in #lobby as anna\r\n#lobby anna> "
    ));
    seat.types("bo\t");
    seat.shows("bob: ");
    seat.types("hi\r");
    expect_bytes(&mut seat.peer, b"bob: hi\n");
    seat.shows(&format!("{ERASE}<anna> bob: hi\r\n#lobby anna> "));
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn a_paste_of_many_lines_is_asked_about() {
    let mut seat = Seat::new(&[]);
    seat.types("\x1b[200~1\r2\r3\r4\r5\r6\r7\x1b[201~");
    seat.shows("\rpaste of 7 lines: send them? y/n \x1b[K");
    seat.types("y");
    expect_bytes(&mut seat.peer, b"1\n2\n3\n4\n5\n6\n7\n");
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn the_terminal_is_as_it_was_after_every_key_that_ends() {
    for (keys, sent) in [
        ("\x03", ""),
        ("half a line\x03", ""),
        ("last words\r\x04", "last words\n"),
        ("quit\r", "quit\n"),
        ("\x1b[200~half a paste", ""),
    ] {
        let mut seat = Seat::new(&[]);
        seat.types(keys);
        if keys.ends_with("paste") {
            // The end of the input is no way out of a paste, but a signal is.
            seat.client.signal(Signal::INT);
        }
        expect_bytes(&mut seat.peer, sent.as_bytes());
        if keys.starts_with("quit") {
            seat.peer
                .shutdown(std::net::Shutdown::Both)
                .expect("a connection");
        } else {
            assert_eq!(rest_of(&mut seat.peer), "", "after {keys:?}");
        }
        seat.ends(Some(0));
    }
}

#[test]
fn the_terminal_is_as_it_was_after_every_signal_that_ends() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let mut seat = Seat::new(&[]);
        seat.types("unfinished");
        seat.shows("unfinished");
        seat.client.signal(signal);
        // A second one, however soon it comes, does not keep it from tidying up.
        seat.client.signal(signal);
        seat.ends(Some(0));
    }
}

#[test]
fn the_terminal_is_as_it_was_after_a_lost_connection() {
    let mut seat = Seat::new(&["--no-reconnect"]);
    seat.types("unfinished");
    seat.shows("unfinished");
    seat.peer
        .shutdown(std::net::Shutdown::Both)
        .expect("a connection");
    seat.ends(Some(1));
}

#[test]
fn what_is_being_typed_outlives_a_connection() {
    let mut seat = Seat::new(&[]);
    seat.comes("*** you are now anna\n");
    seat.shows(&format!("{ERASE}*** you are now anna\r\nanna> "));
    seat.types("unfini");
    seat.shows("unfini");
    seat.peer
        .shutdown(std::net::Shutdown::Both)
        .expect("a connection");
    seat.shows(&format!("{ERASE}> unfini"));
    seat.peer = seat.server.accept();
    seat.types("shed\r");
    expect_bytes(&mut seat.peer, b"/nick anna\n");
    seat.comes("*** you are now anna\n");
    expect_bytes(&mut seat.peer, b"unfinished\n");
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn a_terminal_that_stands_still_tears_no_line_and_holds_nothing_up() {
    let mut seat = Seat::new(&[]);
    let count = 6_000;
    let line = |number: usize| format!("<bob> {number:06} {}", "x".repeat(100));
    let mut server = seat.peer.try_clone().expect("a descriptor");
    let flood = thread::spawn(move || {
        for number in 0..count {
            let bytes = line(number) + "\n";
            server.write_all(bytes.as_bytes()).expect("it reads");
        }
    });
    // Nobody looks at the terminal for longer than a part of a line rests.
    thread::sleep(Duration::from_millis(1_500));
    seat.types("hello\rthere\r");
    expect_bytes(&mut seat.peer, b"hello\nthere\n");
    let seen = seat.terminal.shows(&line(count - 1));
    flood.join().expect("all was sent");
    let mut rest = &seen[..];
    for number in 0..count - 1 {
        let line = line(number) + "\r\n";
        let at = rest.find(&line).expect("each line, whole and in its turn");
        rest = &rest[at + line.len()..];
    }
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn a_slow_terminal_is_left_in_order() {
    for stop in [false, true] {
        let mut seat = Seat::new(&[]);
        let mut server = seat.peer.try_clone().expect("a descriptor");
        server.set_nonblocking(true).expect("non-blocking");
        let lines = "<bob> some line\n".repeat(4_000);
        // As much as there is room for while nobody looks at the terminal.
        let mut refused = 0;
        wait_for("a client that takes no more", || {
            match server.write(lines.as_bytes()) {
                Ok(_) => refused = 0,
                Err(_) => refused += 1,
            }
            (refused > 20).then_some(())
        });
        match stop {
            true => seat.client.signal(Signal::TSTP),
            false => seat.types("\x03"),
        }
        let mut seen = String::new();
        while !seen.contains(LEAVE_PASTES) {
            // It takes a hundred KB in a second: less than waits for it in the time that it is given.
            thread::sleep(Duration::from_millis(10));
            let mut buffer = [0; 1024];
            let n = read(&mut seat.terminal.outside, &mut buffer);
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        assert!(seen.ends_with("\x18\r\x1b[K\x1b[0m\x1b[?2004l"));
        if stop {
            seat.is_stopped();
            assert_eq!(mode(&seat.terminal.inside), seat.before);
            // What it had no time for is there afterwards.
            seat.client.signal(Signal::CONT);
            seat.terminal.shows("<bob> some line\r\n");
        } else {
            assert_eq!(seat.client.exit_by_itself().0, Some(0));
            assert_eq!(mode(&seat.terminal.inside), seat.before);
        }
    }
}

#[test]
fn ctrl_c_lets_a_terminal_go_on_that_ctrl_s_has_stopped() {
    let mut seat = Seat::new(&[]);
    seat.types("\x13");
    seat.comes("<bob> hi\n");
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn quit_leaves_where_there_is_no_connection() {
    let mut seat = Seat::new(&[]);
    // Nobody listens where it was any more.
    seat.server = Server::new();
    seat.peer.shutdown(Shutdown::Both).expect("a connection");
    seat.client.says("trying again in");
    seat.types("quit\r");
    seat.ends(Some(0));
}

#[test]
fn quit_leaves_where_there_is_no_connection_and_no_row() {
    let server = Server::new();
    let mut terminal = Terminal::new();
    let mut command = snug(&server.address(), &[]);
    command.env("TERM", "dumb");
    command.stdin(terminal.stdio()).stdout(terminal.stdio());
    let mut client = Client::run(&mut command);
    let peer = server.accept();
    client.says("connected to");
    drop((server, peer));
    client.says("trying again in");
    terminal.outside.write_all(b"quit\n").expect("a keyboard");
    assert_eq!(client.exit_by_itself().0, Some(0));
}

#[test]
fn quit_is_a_line_like_any_other_on_a_bus() {
    let mut seat = Seat::new(&["--bare"]);
    seat.peer.shutdown(Shutdown::Both).expect("a connection");
    seat.client.says("trying again in");
    seat.types("quit\r");
    seat.shows("quit\r\n");
    seat.peer = seat.server.accept();
    expect_bytes(&mut seat.peer, b"quit\n");
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_fg() {
    let mut seat = Seat::new(&[]);
    seat.types("unfinished");
    seat.shows("unfinished");
    for _ in 0..2 {
        seat.client.signal(Signal::TSTP);
        seat.is_stopped();
        assert_eq!(mode(&seat.terminal.inside), seat.before);
        seat.shows(&format!("{ERASE}{LEAVE_PASTES}"));
        // The user changes how it is: that stays.
        let mut changed = tcgetattr(&seat.terminal.inside).expect("a terminal");
        changed.input_modes ^= InputModes::IXANY;
        tcsetattr(&seat.terminal.inside, OptionalActions::Now, &changed).expect("a terminal");
        seat.before = mode(&seat.terminal.inside);
        seat.client.signal(Signal::CONT);
        let seen = seat.terminal.shows("> unfinished");
        assert!(seen.contains(MARK_PASTES), "{seen:?}");
        wait_for("single keys", || {
            (!is_ordinary(&seat.terminal.inside)).then_some(())
        });
    }
    seat.types("\r");
    expect_bytes(&mut seat.peer, b"unfinished\n");
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn the_row_follows_the_window() {
    let mut seat = Seat::new(&[]);
    seat.types("abcdefghijklmnopqrstuvwxyz");
    seat.shows("abcdefghijklmnopqrstuvwxyz");
    // Its answer, of a terminal that breaks long rows, and of one that cuts them off.
    for (answer, taken_away) in [("\x1b[9;9R", "\x1b[1A\r\x1b[J"), ("\x1b[9;20R", "\r\x1b[J")] {
        resize(&seat.terminal, 20);
        seat.client.signal(Signal::WINCH);
        seat.shows("\x1b[6n");
        seat.comes("<bob> hi\n");
        seat.types(answer);
        seat.shows(&format!("{taken_away}<bob> hi\r\n#lobby> <vwxyz"));
        resize(&seat.terminal, 40);
        seat.client.signal(Signal::WINCH);
        seat.shows(&format!("{ERASE}#lobby> abcdefghijklmnopqrstuvwxyz"));
    }
    seat.types("\x03");
    seat.ends(Some(0));
}

#[test]
fn the_end_of_the_input_leaves_the_terminal_while_the_rest_is_heard() {
    let mut seat = Seat::new(&[]);
    seat.types("\x04");
    let seen = seat.terminal.shows(LEAVE_PASTES);
    assert_eq!(seen, format!("{ERASE}{LEAVE_PASTES}"));
    wait_for("an ordinary mode", || {
        (mode(&seat.terminal.inside) == seat.before).then_some(())
    });
    seat.comes("<bob> bye\n");
    assert_eq!(seat.terminal.shows("\n"), "<bob> bye\r\n");
    drop(seat.peer);
    assert_eq!(seat.client.exit_by_itself().0, Some(0));
}

#[test]
fn a_person_goes_on_in_the_lobby_without_what_was_typed_for_a_room() {
    let mut seat = Seat::new(&[]);
    seat.comes("*** you are in #tea as anna\n");
    seat.shows("as anna\r\n");
    seat.peer.shutdown(Shutdown::Both).expect("a connection");
    seat.client.says("lost");
    seat.types("for tea\r");
    seat.shows("for tea");
    seat.peer = seat.server.accept();
    expect_bytes(&mut seat.peer, b"/join #tea\n");
    seat.comes("*** that is not the key\n");
    seat.client.says("the line that you typed was not sent");
    seat.types("hello\r");
    expect_bytes(&mut seat.peer, b"hello\n");
    seat.types("\x03");
    seat.ends(Some(0));
}

/// Somebody at a shell with job control, on a terminal of its own.
#[cfg(target_os = "linux")]
struct Shell {
    terminal: Terminal,
    /// The shell, that is.
    client: Client,
    server: Server,
    before: String,
    /// The process number of the client that runs in it.
    pid: i32,
}

#[cfg(target_os = "linux")]
impl Shell {
    /// With a client in the foreground, whose row is shown, or as `&` has it.
    fn new(ampersand: &str) -> Self {
        let terminal = Terminal::new();
        resize(&terminal, 40);
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--ignored", "--exact", "--nocapture"]);
        command.arg("terminal::turns_into_a_shell");
        command.stdin(terminal.stdio()).stdout(terminal.stdio());
        let mut shell = Self {
            before: mode(&terminal.inside),
            client: Client::run(&mut command),
            terminal,
            server: Server::new(),
            pid: 0,
        };
        let snug = env!("CARGO_BIN_EXE_snug");
        let address = shell.server.address();
        // What is typed is shown too, and must not look like what comes of it.
        shell.types(&format!(
            "sh -c 'echo pid=\"\"$$,; exec {snug} connect --color=never {address}' {ampersand}\r"
        ));
        let is_in_background = !ampersand.is_empty();
        let seen = shell
            .terminal
            .shows(if is_in_background { ",\r\n" } else { "> " });
        let (_, pid) = seen.rsplit_once("pid=").expect("its number");
        let (pid, _) = pid.split_once(',').expect("its end");
        shell.pid = pid.parse().expect("a number");
        shell
    }

    fn types(&mut self, keys: &str) {
        let keyboard = &mut self.terminal.outside;
        keyboard.write_all(keys.as_bytes()).expect("a keyboard");
    }

    fn signals(&self, signals: &[Signal]) {
        let pid = Pid::from_raw(self.pid).expect("a number");
        for &signal in signals {
            kill_process(pid, signal).expect("it is there");
        }
    }

    /// What the kernel says that it does, `T` for stopped, or a blank once it is no more.
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        let stat = stat.unwrap_or_default();
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        state.unwrap_or(' ')
    }

    /// Waits until it is stopped and the shell has the terminal.
    fn is_stopped(&mut self) {
        wait_for("a stop", || (self.state() == 'T').then_some(()));
        self.does("true");
    }

    /// Has the shell do this, and waits until it has.
    fn does(&mut self, command: &str) {
        self.types(&format!("{command}; echo do\"\"ne\r"));
        self.terminal.shows("done\r\n");
    }

    /// Waits for its end, and checks how the terminal is left. It is the shell's, which has no row.
    fn has_ended(mut self) {
        // A shell that has not looked yet has a process that is no more, `Z`.
        wait_for("its end", || {
            matches!(self.state(), ' ' | 'Z').then_some(())
        });
        self.does("true");
        assert_eq!(mode(&self.terminal.inside), self.before);
        self.client.signal(Signal::HUP);
    }
}

/// [`Shell`] runs this in a process of its own.
#[test]
#[ignore = "turns into a shell"]
#[cfg(target_os = "linux")]
fn turns_into_a_shell() {
    rustix::process::setsid().expect("a session");
    rustix::process::ioctl_tiocsctty(std::io::stdin()).expect("a terminal");
    let mut shell = Command::new("sh");
    shell.arg("-i").env_remove("ENV").env("TERM", "xterm");
    panic!("no shell: {}", shell.exec());
}

#[test]
#[cfg(target_os = "linux")]
fn in_the_background_it_stops_until_fg() {
    for ampersand in ["&", ""] {
        let mut shell = Shell::new(ampersand);
        let _peer = shell.server.accept();
        if ampersand.is_empty() {
            shell.types("unfinished");
            shell.terminal.shows("unfinished");
            shell.types("\x1a");
            shell.terminal.shows(LEAVE_PASTES);
            shell.is_stopped();
            shell.does("bg");
        }
        shell.is_stopped();
        assert_eq!(mode(&shell.terminal.inside), shell.before);
        shell.types("fg\r");
        shell.terminal.shows("> ");
        wait_for("single keys", || {
            (!is_ordinary(&shell.terminal.inside)).then_some(())
        });
        shell.types("\x03");
        shell.terminal.shows(LEAVE_PASTES);
        shell.has_ended();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_it_in_the_background_too() {
    for signal in [Signal::TERM, Signal::HUP] {
        // Stopped by Ctrl-Z, by itself after `bg`, by itself from the start.
        for how in ["\x1a", "bg", "&"] {
            let mut shell = Shell::new(if how == "&" { "&" } else { "" });
            let _peer = shell.server.accept();
            if how != "&" {
                shell.types("\x1a");
            }
            shell.is_stopped();
            if how == "bg" {
                shell.does("bg");
                shell.is_stopped();
            }
            shell.signals(&[signal, Signal::CONT]);
            shell.has_ended();
        }
    }
}
