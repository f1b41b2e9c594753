//! A server under test: how it is started, what its bytes look like, what the kernel says it has used,
//! and that it always ends.
//!
//! `Peer` is all that the load needs to know of a server's protocol; a further server is one more
//! `Peer`. `Server` is a running process of one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::machine::{self, Cores};
use crate::{FLOOR_FLAG, LAUNCH_FLAG, floor};

/// How long a server may take until it says where it listens.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How long a server is left alone before its account is read: the kernel adds up a process's time
/// when that goes to sleep, and its turn ends a little later than the last reader has its line.
const SETTLE: Duration = Duration::from_millis(2);

/// A kind of server: how to start it and how lines look on its wire.
pub trait Peer {
    fn name(&self) -> &str;

    /// The program and its arguments. It must listen on 127.0.0.1, on a port of its own choice, and
    /// write `listening on 127.0.0.1:PORT` to standard error.
    fn command(&self) -> Vec<OsString>;

    /// The first line that every client gets, if any.
    fn greeting(&self) -> Option<&str>;

    /// What a client writes to say `text`, appended to `out`.
    fn encode(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    /// What the others then read. `sender` is what stood before the text in that client's first line:
    /// servers differ in the names they give, but may not change them during a run.
    fn deliver(&self, sender: &[u8], text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(sender);
        out.extend_from_slice(text);
        out.push(b'\n');
    }
}

pub struct Snug {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
}

impl Snug {
    /// With no limit on the rate, where this build knows one: the load is one client that says much.
    pub fn new(binary: PathBuf, mut arguments: Vec<String>) -> Snug {
        let help = Command::new(&binary).args(["serve", "--help"]).output();
        let knows_rate =
            help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--rate "));
        let bare = arguments.iter().any(|argument| argument == "--bare");
        if knows_rate && !bare && !arguments.iter().any(|argument| argument == "--rate") {
            arguments.extend(["--rate".to_owned(), "off".to_owned()]);
        }
        Snug { binary, arguments }
    }
}

impl Peer for Snug {
    fn name(&self) -> &str {
        "snug"
    }

    fn command(&self) -> Vec<OsString> {
        let mut command = vec![self.binary.clone().into_os_string()];
        command.extend(["serve", "--listen", "127.0.0.1:0"].map(OsString::from));
        command.extend(self.arguments.iter().map(OsString::from));
        command
    }

    fn greeting(&self) -> Option<&str> {
        let bare = self.arguments.iter().any(|argument| argument == "--bare");
        (!bare).then_some("Welcome to this chatroom!")
    }
}

/// The floor, as it is or with lines made as long as snug's become by their names.
pub struct Floor {
    pub same_bytes: bool,
}

impl Peer for Floor {
    fn name(&self) -> &str {
        if self.same_bytes {
            "floor, same bytes"
        } else {
            "floor"
        }
    }

    fn command(&self) -> Vec<OsString> {
        vec![
            std::env::current_exe().unwrap_or_default().into_os_string(),
            FLOOR_FLAG.into(),
        ]
    }

    fn greeting(&self) -> Option<&str> {
        Some(floor::GREETING)
    }

    fn encode(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.same_bytes {
            out.extend_from_slice(b"<127.0.0.1:40000> ");
        }
        out.extend_from_slice(text);
        out.push(b'\n');
    }
}

/// A running server. Its process ends with this value, and with the benchmark however that ends.
pub struct Server {
    child: Child,
    /// What it writes to standard error goes to a file: a pipe would need a reader, whose time would
    /// be the load's, and would hold the server up when full.
    /// The file has no name any more, so nothing of it stays behind.
    log: File,
    pub address: SocketAddr,
    /// Resident memory before the first connection.
    pub resident_at_start: Option<u64>,
}

impl Server {
    pub fn start(peer: &dyn Peer, cores: Cores) -> Result<Server, String> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("fanout-{}-{number}.log", std::process::id()));
        let say = |error| format!("cannot start {}: {error}", peer.name());
        let stderr = File::create(&path).map_err(say)?;
        let log = File::open(&path).map_err(say)?;
        fs::remove_file(&path).map_err(say)?;
        let core = cores
            .server
            .map_or_else(|| "-".to_owned(), |core| core.to_string());
        let child = Command::new(std::env::current_exe().map_err(say)?)
            .args([LAUNCH_FLAG, &std::process::id().to_string(), &core])
            .args(peer.command())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(say)?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server {
            child,
            log,
            address,
            resident_at_start: None,
        };
        server.address = server.wait_for_address(peer.name())?;
        server.settle();
        server.resident_at_start = machine::resident_of(server.child.id());
        Ok(server)
    }

    fn wait_for_address(&mut self, name: &str) -> Result<SocketAddr, String> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            let said = self.said();
            if let Some(address) = said.lines().find_map(address_in) {
                return Ok(address);
            }
            if self.has_ended() {
                return Err(format!("{name} did not start: {}", last_line(&said)));
            }
            sleep(Duration::from_millis(2));
        }
        Err(format!(
            "{name} did not say where it listens within {START_LIMIT:?}"
        ))
    }

    /// CPU used so far, in nanoseconds, once the server has come to rest.
    pub fn cpu(&self) -> Result<u64, String> {
        self.settle();
        machine::cpu_of(self.child.id()).ok_or_else(|| "no account of the server's time".to_owned())
    }

    pub fn resident(&self) -> Option<u64> {
        self.settle();
        machine::resident_of(self.child.id())
    }

    fn settle(&self) {
        sleep(SETTLE);
    }

    /// All that it has written to standard error.
    fn said(&self) -> String {
        let mut bytes = Vec::new();
        // What cannot be read is not there.
        let _ = (&self.log)
            .rewind()
            .and_then(|()| (&self.log).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What the server has to say to an error: its last line, if it has died of it.
    pub fn last_words(&mut self) -> Option<String> {
        // A server that is about to end closes its sockets a little before.
        sleep(Duration::from_millis(20));
        self.has_ended().then(|| last_line(&self.said()).to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either may fail only because the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address after `listening on` in a line of a server's log.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once("listening on ")?.1;
    rest.split_ascii_whitespace()
        .next()?
        .trim_end_matches([',', '.', ';'])
        .parse()
        .ok()
}

/// A panic's message ends with a note on backtraces, which says nothing.
fn last_line(log: &str) -> &str {
    let telling = |line: &&str| !line.starts_with("note: ") && !line.trim().is_empty();
    log.lines().rfind(telling).unwrap_or("it said nothing")
}

/// The few lines that run in the server's process before it becomes the server: they pin it and tie
/// its life to the benchmark's. Both last through `exec`. This asks for no `unsafe`, as code
/// between `fork` and `exec` would.
pub fn launch(arguments: &[OsString]) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let [parent, core, program, rest @ ..] = arguments else {
        return ExitCode::from(2);
    };
    if let Some(core) = core.to_str().and_then(|core| core.parse().ok()) {
        machine::pin(core);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        // The parent may have gone before the kernel was asked to tell of it.
        let alive = getppid().map(|pid| pid.as_raw_nonzero().to_string());
        if alive.as_deref() != parent.to_str() {
            return ExitCode::FAILURE;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    let error = Command::new(program).args(rest).exec();
    eprintln!("cannot run {}: {error}", program.to_string_lossy());
    ExitCode::FAILURE
}
