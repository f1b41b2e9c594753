//! Where a server listens, and what it says when it cannot.

use crate::harness::{Address, Client, Folder, Server, WELCOME, run, snug, unix};
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// Runs `snug serve`, which must fail with `code` and say all of `parts` on standard error.
fn check_failure(options: &[&str], code: i32, parts: &[&str]) {
    let output = run(&[&["serve"], options].concat());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
    assert!(output.stdout.is_empty(), "standard output is for chat");
    for part in parts {
        assert!(
            said.contains(part),
            "{options:?}: {part:?} is missing in: {said}"
        );
    }
}

fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("skipped: this machine has no IPv6");
    }
    has
}

#[test]
fn it_says_where_it_listens_and_how_to_join() {
    let server = Server::start(&[]);
    let Address::Tcp(address) = server.address() else {
        panic!("TCP was asked for");
    };
    assert_ne!(address.port(), 0);
    server.wait_log(&format!("snug connect {address}"));
    server.wait_log(&format!("nc {} {}", address.ip(), address.port()));
    server.wait_log("only this machine");
}

#[test]
fn whoever_listens_for_the_world_does_not_say_that_only_this_machine_can_come() {
    let server = Server::start(&["-l", "0.0.0.0:0"]);
    server.wait_log("join with");
    // Logged with the other hints, before anybody is let in.
    let Address::Tcp(address) = server.address() else {
        panic!("TCP was asked for");
    };
    let mut client = Client::connect(&Address::Tcp(([127, 0, 0, 1], address.port()).into()));
    client.expect_line(WELCOME);
    let log = server.log_lines().join("\n");
    assert!(!log.contains("only this machine"), "{log}");
}

#[test]
fn ipv6_people_are_called_by_their_address() {
    if !has_ipv6() {
        return;
    }
    let server = Server::start(&["-l", "[::1]:0"]);
    let [mut one, mut two] = server.room();
    one.say("hello");
    two.expect_line("<::1> hello");
    assert!(two.name.starts_with("[::1]:"), "{}", two.name);
    two.say("hello");
    one.expect_line(&format!("<{}> hello", two.name));
}

#[test]
fn people_come_by_a_unix_socket() {
    let folder = Folder::new();
    let server = Server::start_unix(&folder, &[]);
    assert_eq!(server.address(), &Address::Unix(folder.path("snug.sock")));
    let [mut one, mut two, mut three] = server.room();
    assert_ne!(two.name, three.name);
    two.say("hello");
    for other in [&mut one, &mut three] {
        other.expect_line(&format!("<{}> hello", two.name));
    }
    two.send("last");
    two.half_close();
    for other in [&mut one, &mut three] {
        other.expect_line(&format!("<{}> last", two.name));
        other.expect_line(&format!("*** {} left", two.name));
    }
    two.expect_eof();
}

#[test]
fn all_listeners_lead_into_one_room() {
    let folder = Folder::new();
    let path = unix(&folder.path("snug.sock"));
    let mut options = vec!["-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "-l", &path];
    if has_ipv6() {
        options.extend(["-l", "[::1]:0"]);
    }
    let server = Server::start(&options);
    assert_eq!(server.addresses().len(), options.len() / 2);
    let mut people: Vec<Client> = Vec::new();
    for address in server.addresses() {
        let mut client = Client::connect(address);
        client.expect_line(WELCOME);
        for other in &mut people {
            other.expect_notice(&["entered"]);
        }
        people.push(client);
    }
    for at in 0..people.len() {
        let text = format!("from {at}");
        people[at].say(&text);
        for (_, other) in people.iter_mut().enumerate().filter(|&(n, _)| n != at) {
            let line = other.line();
            assert!(line.ends_with(&format!("> {text}")), "{line:?}");
        }
    }
}

#[test]
fn a_list_of_addresses_comes_from_the_environment_too() {
    let mut command = snug();
    command.env("SNUG_LISTEN", "nonsense");
    let output = command.arg("serve").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "the variable is read");
}

#[test]
fn a_switch_that_its_variable_says_is_off_is_in_nobodys_way() {
    for value in ["0", "no", "Off", "FALSE"] {
        let mut command = snug();
        command.env("SNUG_BARE", value);
        let server = Server::start_as(command, &["--transcript", "/dev/null"]);
        server.connect().expect_line(WELCOME);
    }
    let mut command = snug();
    command.env("SNUG_BARE", "1");
    let command = command.args(["serve", "--transcript", "/dev/null"]);
    assert_eq!(command.output().expect("it runs").status.code(), Some(2));
}

/// Runs `snug` with every variable empty that the help of its subcommand names. It must get as far as failing to
/// connect or listen, and have the same help.
fn check_empty_variables(arguments: &[&str]) {
    let help = String::from_utf8(run(&[arguments[0], "--help"]).stdout).expect("UTF-8");
    let mut command = snug();
    command.args(arguments);
    let mut count = 0;
    for rest in help.split("[env: ").skip(1) {
        let name = rest.split([']', '=']).next().expect("a name");
        command.env(name, "");
        count += 1;
    }
    assert!(count > 10, "{help}");
    let output = command.output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let output = command.arg("--help").output().expect("it runs");
    let again = String::from_utf8(output.stdout).expect("UTF-8");
    // Some show the value too.
    assert_eq!(again.replace("=]", "]"), help.replace("=]", "]"));
}

#[test]
fn an_empty_variable_counts_as_none() {
    let folder = Folder::new();
    let missing = unix(&folder.path("missing/snug.sock"));
    check_empty_variables(&["serve", "-l", &missing, "--bare"]);
    check_empty_variables(&["connect", &missing, "--bare", "--no-reconnect"]);
}

#[test]
fn a_port_in_use_is_said_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    check_failure(&["-l", &address], 1, &[&address, "in use", "--listen"]);
    // All or none: the other address does not make up for it.
    check_failure(&["-l", "127.0.0.1:0", "-l", &address], 1, &["in use"]);
}

#[test]
fn two_servers_do_not_share_a_port() {
    let server = Server::start(&[]);
    let Address::Tcp(address) = server.address() else {
        panic!("TCP was asked for");
    };
    check_failure(&["-l", &address.to_string()], 1, &["in use"]);
    server.join();
}

#[test]
fn a_port_is_free_as_soon_as_its_server_is_gone() {
    let server = Server::start(&[]);
    let Address::Tcp(address) = *server.address() else {
        panic!("TCP was asked for");
    };
    // The server is first to close: its side of the connection lingers in the kernel.
    let mut client = server.join();
    client.say("quit");
    client.expect_eof();
    drop(server);
    let again = Server::start(&["-l", &address.to_string()]);
    again.join();
}

#[test]
fn an_address_of_another_machine_is_refused_in_a_sentence() {
    // Set aside for documentation: never this machine's.
    check_failure(&["-l", "192.0.2.1:0"], 1, &["192.0.2.1", "--listen"]);
}

#[test]
fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    for (options, part) in [
        (&["-l", "nonsense"][..], "nonsense"),
        (&["-l", "127.0.0.1:70000"], "70000"),
        (&["-l", "127.0.0.1:"], "--listen"),
        (&["-l", "::1:9999"], "write [::1]:9999"),
        (&["-l", "unix:"], "--listen"),
        (&["-l", ""], "--listen"),
        (&["--slow", "fast"], "fast"),
        (&["--slow-timeout", "soon"], "soon"),
        (&["--max-clients", "0"], "--max-clients"),
        (&["--max-clients=-1"], "--max-clients"),
        (&["--max-per-ip", "many"], "many"),
        (&["--max-line", "0"], "--max-line"),
        (&["--max-line", "4KB"], "4KB"),
        (&["--backlog", "1.5M"], "1.5M"),
        (&["--backlog", "99999999999999999999"], "--backlog"),
        (&["--unterminated", "0"], "--unterminated"),
        (&["--log-level", "loud"], "loud"),
        (&["--welcome", "two\nlines"], "--welcome"),
        (&["--nonsense"], "--nonsense"),
        (&["extra"], "extra"),
    ] {
        check_failure(options, 2, &[part]);
    }
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["nonsense"]).status.code(), Some(2));
}

#[test]
fn help_and_version_end_with_0() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    let help = String::from_utf8(run(&["serve", "--help"]).stdout).expect("UTF-8");
    for option in [
        "--listen",
        "--welcome",
        "--bare",
        "--max-clients",
        "--max-per-ip",
        "--max-line",
        "--backlog",
        "--slow",
        "--slow-timeout",
        "--unterminated",
        "--hide-addresses",
        "--log-level",
    ] {
        assert!(help.contains(option), "{option} in {help}");
        let variable = option.to_uppercase().replace('-', "_");
        let variable = variable.replacen("__", "SNUG_", 1);
        assert!(help.contains(&variable), "{variable} in {help}");
    }
}

#[test]
fn sizes_take_units() {
    let server = Server::start(&["--max-line", "1K", "--backlog", "1M"]);
    let [mut other, mut client] = server.room();
    client.say(&"x".repeat(1025));
    client.expect_line("*** line too long: 1024 bytes at most");
    client.say(&"x".repeat(1024));
    other.expect_line(&format!("<{}> {}", client.name, "x".repeat(1024)));
}

#[test]
fn the_log_can_be_quiet() {
    let folder = Folder::new();
    let path = folder.path("snug.sock");
    let log = folder.path("log");
    for option in ["--log-level=off", "--log-level=error"] {
        let stderr = fs::File::create(&log).expect("a file");
        let server = Server::start_mute(snug(), &[option], &path, stderr.into());
        server.join().sync();
        assert_eq!(fs::read_to_string(&log).expect("the file"), "");
    }
}

#[test]
fn what_a_dead_server_left_is_no_obstacle() {
    let folder = Folder::new();
    let path = folder.path("snug.sock");
    let dead = Server::start_unix(&folder, &[]);
    drop(dead); // By SIGKILL: it cannot clean up.
    assert!(path.exists());
    let server = Server::start_unix(&folder, &[]);
    server.join();
}

#[test]
fn the_socket_of_a_live_server_is_left_to_it() {
    let folder = Folder::new();
    let path = unix(&folder.path("snug.sock"));
    let server = Server::start_unix(&folder, &[]);
    check_failure(&["-l", &path], 1, &[&path, "in use", "--listen"]);
    server.join();

    // Any program's, not only snug's.
    let other = UnixListener::bind(folder.path("other.sock")).expect("a socket");
    let path = unix(&folder.path("other.sock"));
    check_failure(&["-l", &path], 1, &["in use"]);
    assert!(folder.path("other.sock").exists());
    drop(other);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    let path = folder.path("precious");
    fs::write(&path, "text").expect("a file");
    check_failure(&["-l", &unix(&path)], 1, &["precious"]);
    assert_eq!(fs::read_to_string(&path).expect("still there"), "text");
    let missing = folder.path("missing/snug.sock");
    check_failure(&["-l", &unix(&missing)], 1, &["missing", "--listen"]);
}

#[test]
fn the_path_of_a_socket_does_not_act_on_the_terminal() {
    let folder = Folder::new();
    let path = unix(&folder.path("evil\x1b[31m.sock"));
    let server = Server::start(&["-l", &path]);
    server.wait_log("only this machine");
    for line in server.log_lines() {
        assert!(!line.contains('\x1b'), "{line:?}");
    }
}
