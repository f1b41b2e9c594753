//! Peers that vanish without a word: their machine loses its power, or somebody cuts the line.

use crate::alone;
use crate::client::harness as far;
use crate::harness::{Address, Server, numbered};
use rustix::process::{Signal, kill_process};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// By when whoever has vanished must be gone.
const GONE: Duration = Duration::from_secs(90);

/// Another machine: a network namespace with a line to this one.
struct FarAway {
    /// Keeps it.
    keeper: Child,
}

/// The addresses of this machine and that one.
const HERE: &str = "10.77.0.1";
const THERE: &str = "10.77.0.2";

fn ip(arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    run(command);
}

fn run(mut command: Command) {
    let output = command.output().expect("a network namespace could be made");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

impl FarAway {
    fn new() -> Self {
        let mut keeper = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo; read -r end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it worked before");
        let mut ready = [0];
        let stdout = keeper.stdout.as_mut().expect("it is piped");
        std::io::Read::read_exact(stdout, &mut ready).expect("it runs");
        let far = Self { keeper };
        ip(&format!(
            "link add here type veth peer name there netns {}",
            far.keeper.id()
        ));
        ip(&format!("addr add {HERE}/24 dev here"));
        ip("link set here up");
        far.ip(&format!("addr add {THERE}/24 dev there"));
        far.ip("link set there address 02:00:00:00:00:02 up");
        // A router would go on taking what is sent to a machine that is not there any more.
        ip(&format!(
            "neigh replace {THERE} lladdr 02:00:00:00:00:02 dev here nud permanent"
        ));
        far
    }

    /// `program`, to be run there.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.keeper.id().to_string(), "-n", program]);
        command
    }

    fn ip(&self, arguments: &str) {
        let mut command = self.command("ip");
        command.args(arguments.split(' '));
        run(command);
    }

    /// Somebody there who reads what `server` has to say.
    fn reader(&self, server: &Server) -> far::Client {
        let Address::Tcp(address) = server.address() else {
            unreachable!("it listens to machines");
        };
        let address = address.to_string();
        let mut command = self.command(env!("CARGO_BIN_EXE_snug"));
        command.args(["connect", "-R", "--color=never", &address]);
        let reader = far::Client::run(command.stdin(Stdio::null()).stdout(Stdio::null()));
        server.wait_log(&format!("{THERE}:"));
        reader
    }

    /// Nothing comes from there any more, and nothing that is sent there is answered.
    fn cut(&self) {
        self.ip("addr flush dev there");
    }
}

impl Drop for FarAway {
    fn drop(&mut self) {
        _ = self.keeper.kill();
        _ = self.keeper.wait();
    }
}

/// One that was idle, one to whom something was said since, and one that had stopped reading long before.
#[test]
#[ignore = "peers are given more than a minute"]
#[cfg(target_os = "linux")]
fn whoever_vanishes_is_gone_within_90_seconds() {
    if !alone::has_own_network("serve_peers::whoever_vanishes_is_gone_within_90_seconds") {
        return;
    }
    if !alone::has("nsenter") {
        return;
    }
    let far = FarAway::new();
    let here = format!("{HERE}:0");
    let [idle, spoken_to, stopped] = [(); 3].map(|()| Server::start(&["-l", &here]));
    let _idle = far.reader(&idle);
    let _reads = far.reader(&spoken_to);
    let stops = far.reader(&stopped);

    let mut talks = spoken_to.join();
    talks.sync();
    let mut floods = stopped.join();
    floods.sync();
    let process = stops.pid();
    kill_process(process, Signal::STOP).expect("it runs");
    for _ in 0..10 {
        // Past all that two machines hold on the way.
        floods.send(numbered(0..1000, 1000));
        floods.sync();
    }
    far.cut();
    let start = Instant::now();
    talks.say("is anybody there?");
    for (who, server) in [
        ("idle", &idle),
        ("spoken to", &spoken_to),
        ("stopped", &stopped),
    ] {
        let mut left = None;
        while left.is_none() && start.elapsed() < GONE {
            std::thread::sleep(Duration::from_millis(100));
            left = server
                .log_lines()
                .into_iter()
                .find(|line| line.contains(THERE) && line.contains(" left: "));
        }
        eprintln!("{who}: {:?} after {:.1?}", left, start.elapsed());
        assert!(left.is_some(), "{who}: still there after {GONE:?}");
    }
    kill_process(process, Signal::CONT).expect("it runs");
}
