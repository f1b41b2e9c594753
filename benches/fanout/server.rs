//! A server under test: how it is started, what the kernel says it has used, and that it always ends.
//!
//! `Server` is a running process of a `Peer`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::LAUNCH_FLAG;
use crate::guard;
use crate::machine::{self, Cores};
use crate::peers::{CONFIGURATION, DIRECTORY, PORT, Peer};

/// How long a server may take until it says where it listens.
const START_LIMIT: Duration = Duration::from_secs(5);
/// Below what systems take for outgoing connections.
const PORTS: Range<u16> = 20_000..30_000;
/// How long a server is left alone before its account is read: the kernel adds up a process's time
/// when that goes to sleep, and its turn ends a little later than the last reader has its line.
const SETTLE: Duration = Duration::from_millis(2);

/// A running server. Its process ends with this value, and with the benchmark however that ends.
pub struct Server {
    child: Child,
    /// What it writes to standard error goes to a file: a pipe would need a reader, whose time would
    /// be the load's, and would hold the server up when full.
    /// The file has no name any more, so nothing of it stays behind.
    log: File,
    /// Where it runs, with its configuration.
    directory: PathBuf,
    pub address: SocketAddr,
    /// Resident memory before the first connection.
    pub resident_at_start: Option<u64>,
}

impl Server {
    pub fn start(peer: &dyn Peer, cores: Cores) -> Result<Server, String> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("fanout-{}-{number}", std::process::id()));
        let say = |error| format!("cannot start {}: {error}", peer.name());
        fs::create_dir_all(&directory).map_err(say)?;
        let port = if peer.announces_port() {
            0
        } else {
            free_port().map_err(say)?
        };
        let path = directory.join("log");
        let stderr = File::create(&path).map_err(say)?;
        let log = File::open(&path).map_err(say)?;
        fs::remove_file(&path).map_err(say)?;
        let core = cores
            .server
            .map_or_else(|| "-".to_owned(), |core| core.to_string());
        let child = Command::new(std::env::current_exe().map_err(say)?)
            .args([LAUNCH_FLAG, &std::process::id().to_string(), &core])
            .args(command_of(peer, port, &directory).map_err(say)?)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(say)?;
        guard::watch(child.id());
        let mut server = Server {
            child,
            log,
            directory,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            resident_at_start: None,
        };
        server.address = server.wait_for_address(peer)?;
        server.settle();
        server.resident_at_start = machine::resident_of(server.child.id());
        Ok(server)
    }

    fn wait_for_address(&mut self, peer: &dyn Peer) -> Result<SocketAddr, String> {
        let (name, started) = (peer.name(), Instant::now());
        while started.elapsed() < START_LIMIT {
            let said = self.said();
            let announced = said.lines().find_map(address_in);
            match announced.filter(|_| peer.announces_port()) {
                Some(address) => return Ok(address),
                None if !peer.announces_port() && machine::listens(self.address) => {
                    return Ok(self.address);
                }
                None => {}
            }
            if self.has_ended() {
                return Err(format!("{name} did not start: {}", last_line(&said)));
            }
            sleep(Duration::from_millis(2));
        }
        Err(format!("{name} did not listen within {START_LIMIT:?}"))
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

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it, connections and all, so that it takes nothing of its core while others are measured.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
        self.settle();
    }

    fn signal(&self, signal: Signal) {
        // One that has ended shows that by what it no longer does.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
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
        guard::forget(self.child.id());
        // What cannot be removed lies among other things that are built, and is in nobody's way.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The peer's command with everything filled in, and its configuration written.
fn command_of(peer: &dyn Peer, port: u16, directory: &Path) -> io::Result<Vec<OsString>> {
    let path = directory.join("configuration");
    let fill_in = |text: &str| {
        text.replace(PORT, &port.to_string())
            .replace(DIRECTORY, &directory.to_string_lossy())
            .replace(CONFIGURATION, &path.to_string_lossy())
    };
    if let Some(text) = peer.configuration() {
        fs::write(&path, fill_in(text))?;
    }
    let words = peer.command().into_iter();
    Ok(words
        .map(|word| {
            word.to_str()
                .map_or(word.clone(), |word| fill_in(word).into())
        })
        .collect())
}

/// A port that nobody uses, outside of the range from which the load's own connections take theirs.
fn free_port() -> io::Result<u16> {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    // Two benchmarks at once begin in different places.
    let first = std::process::id() as usize * 64;
    for _ in 0..PORTS.len() {
        let next = first + TRIED.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (next % PORTS.len()) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no port is free"))
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
        use rustix::process::{getppid, set_parent_process_death_signal};
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
