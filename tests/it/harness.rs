//! A server as a process of its own, and clients that are nothing but sockets.
//!
//! Nothing here sleeps for a fixed time: everything waits for what must come, and gives up after
//! [`PATIENCE`]. A test that fails prints the log of its servers.

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long something that must happen may take on a slow and busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What everybody is greeted with.
pub const WELCOME: &str = "Welcome to this chatroom!";

/// `snug` with nothing from the environment that would change what it does.
pub fn snug() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snug"));
    clean_environment(&mut command);
    command
}

/// `snug` as a shell starts it after `preparation`, such as `ulimit -n 64`. It has the shell's pid.
pub fn snug_after(preparation: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    clean_environment(&mut command);
    command
        .args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_snug"));
    command
}

fn clean_environment(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("SNUG_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    // Newcomers are told what was said before only where a test asks for it.
    command.env("SNUG_HISTORY", "0");
    // Nor is anybody made to speak slowly elsewhere.
    command.env("SNUG_RATE", "off");
}

/// Runs `snug` with `arguments`, which must make it end by itself.
pub fn run(arguments: &[&str]) -> Output {
    let mut child = snug()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("snug starts");
    if let Err(late) = wait_exit(&mut child, PATIENCE) {
        _ = child.kill();
        panic!("snug {arguments:?}: {late}");
    }
    child.wait_with_output().expect("it has ended")
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until `child` has ended.
fn wait_exit(child: &mut Child, within: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return Ok(status);
        }
        if start.elapsed() > within {
            return Err(format!("still running after {within:?}"));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A folder of its own, for sockets and files; removed in the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("snug-it-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    fn parse(text: &str) -> Self {
        match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.into()),
            None => Self::Tcp(text.parse().expect("an address in figures")),
        }
    }

    fn domain(&self) -> Domain {
        match self {
            Self::Tcp(address) => Domain::for_address(*address),
            Self::Unix(_) => Domain::UNIX,
        }
    }

    fn sock_addr(&self) -> SockAddr {
        match self {
            Self::Tcp(address) => (*address).into(),
            Self::Unix(path) => SockAddr::unix(path).expect("a path short enough"),
        }
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    addresses: Vec<Address>,
    log: Arc<Log>,
}

/// What a server has written to standard error.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Server {
    /// Starts `snug serve` with `options`; on a free port of this machine, unless they say where.
    pub fn start(options: &[&str]) -> Self {
        Self::start_as(snug(), options)
    }

    /// [`Self::start`] at a Unix socket: its buffers hold little, so that few lines make a reader slow.
    pub fn start_unix(folder: &Folder, options: &[&str]) -> Self {
        let address = unix(&folder.path("snug.sock"));
        Self::start(&[&["-l", &address], options].concat())
    }

    /// [`Self::start`] by a `command` of [`snug`] or [`snug_after`].
    pub fn start_as(command: Command, options: &[&str]) -> Self {
        Self::start_into(command, options, Stdio::null())
    }

    /// [`Self::start_as`] with that standard output.
    pub fn start_into(mut command: Command, options: &[&str], stdout: impl Into<Stdio>) -> Self {
        let listeners = options.iter().filter(|option| **option == "-l").count();
        command.arg("serve").args(options);
        if listeners == 0 {
            command.args(["-l", "127.0.0.1:0"]);
        }
        raise_own_file_limit();
        let mut child = command
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("snug starts");
        let stderr = child.stderr.take().expect("it is piped");
        let mut server = Self {
            child,
            addresses: Vec::new(),
            log: Arc::default(),
        };
        server.read_log(stderr);
        server.wait_log_lines("listening on ", listeners.max(1));
        server.addresses = server
            .log_lines()
            .iter()
            .filter_map(|line| line.split_once("listening on "))
            .map(|(_, address)| Address::parse(address))
            .collect();
        server
    }

    /// Starts a server whose log nobody can read, at the socket `path`; it is there as soon as that answers.
    pub fn start_mute(mut command: Command, options: &[&str], path: &Path, stderr: Stdio) -> Self {
        let child = command
            .args(["serve", "-l", &unix(path)])
            .args(options)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("snug starts");
        let server = Self {
            child,
            addresses: vec![Address::Unix(path.into())],
            log: Arc::default(),
        };
        let mut probe = None;
        until("the socket answers", || {
            probe = try_connect(server.address(), None).ok();
            probe.is_some()
        });
        // Whoever comes next shall find nobody.
        let mut probe = Client::new(probe.expect("it answered"));
        probe.say("quit");
        probe.half_close();
        probe.wait_end();
        server
    }

    /// Begins to collect the log of a server that was started mute.
    pub fn read_log(&self, stderr: impl Read + Send + 'static) {
        let log = Arc::clone(&self.log);
        thread::spawn(move || log.collect(stderr));
    }

    /// Where it listens; the first place, if there are several.
    pub fn address(&self) -> &Address {
        &self.addresses[0]
    }

    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Connects, and no more than that: the server may not have noticed yet.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Connects with a receive buffer as small as the system allows.
    pub fn connect_small(&self) -> Client {
        Client::new(try_connect(self.address(), Some(1)).expect("a connection"))
    }

    /// Connects and is greeted, so that it is in the room from here on.
    pub fn join(&self) -> Client {
        let mut client = self.connect();
        client.expect_line(WELCOME);
        client
    }

    /// Fills an empty room: everybody has been told of everybody who came after. The first is called by
    /// its address, the others by address and port. (At a Unix socket the first does not learn its name.)
    pub fn room<const N: usize>(&self) -> [Client; N] {
        let mut people: Vec<Client> = Vec::new();
        for _ in 0..N {
            let mut client = self.join();
            if people.is_empty() {
                client.name = client.ip();
            }
            for other in &mut people {
                let notice = other.line();
                if client.name.is_empty() {
                    // What those are called who come by a Unix socket is the server's to say.
                    let name = notice
                        .strip_prefix("*** ")
                        .and_then(|rest| rest.strip_suffix(" entered"));
                    client.name = name.expect("somebody entered").to_owned();
                }
                assert_eq!(notice, format!("*** {} entered", client.name));
            }
            people.push(client);
        }
        people
            .try_into()
            .unwrap_or_else(|_| unreachable!("it has {N}"))
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// Does `meanwhile` while the server stands still, so that it finds all of it in one turn.
    pub fn while_paused(&self, meanwhile: impl FnOnce()) {
        self.signal(Signal::STOP);
        meanwhile();
        self.signal(Signal::CONT);
    }

    /// Waits for its end.
    pub fn expect_exit(&mut self, within: Duration) -> ExitStatus {
        wait_exit(&mut self.child, within).unwrap_or_else(|late| panic!("{late}"))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    pub fn log_lines(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    /// Waits for a log line with `text` in it, and gives the first.
    pub fn wait_log(&self, text: &str) -> String {
        self.wait_log_lines(text, 1).remove(0)
    }

    /// Waits for so many log lines with `text` in them.
    pub fn wait_log_lines(&self, text: &str, count: usize) -> Vec<String> {
        let start = Instant::now();
        let mut lines = self.log.lock();
        let (mut found, mut seen) = (Vec::new(), 0);
        loop {
            found.extend(
                lines[seen..]
                    .iter()
                    .filter(|line| line.contains(text))
                    .cloned(),
            );
            seen = lines.len();
            if found.len() >= count {
                return found;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(
                !left.is_zero(),
                "{} of {count} log lines with {text:?} in:\n{}",
                found.len(),
                lines.join("\n")
            );
            lines = self
                .log
                .grown
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if thread::panicking() {
            let lines = self.log_lines();
            let from = lines.len().saturating_sub(20);
            eprintln!("the server's last log lines:\n{}", lines[from..].join("\n"));
        }
    }
}

impl Log {
    /// The lines so far. A test that panicked meanwhile has harmed nothing: its lines are still wanted.
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, stderr: impl Read) {
        for line in BufReader::new(stderr).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lock().push(line);
            self.grown.notify_all();
        }
    }
}

/// `unix:PATH`, as `--listen` takes it.
pub fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// Some tests hold more sockets than many systems allow at first.
fn raise_own_file_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| _ = snug::system::raise_file_limit());
}

fn try_connect(address: &Address, receive_buffer: Option<usize>) -> std::io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    if let Some(size) = receive_buffer {
        // Before connecting: the window is agreed on there.
        socket.set_recv_buffer_size(size)?;
    }
    socket.connect(&address.sock_addr())?;
    Ok(socket)
}

/// A connection to a server. Reading gives up when nothing comes for [`PATIENCE`].
pub struct Client {
    socket: BufReader<Socket>,
    /// What the server calls it, if it is not the only one from its address.
    pub name: String,
}

impl Client {
    pub fn connect(address: &Address) -> Self {
        Self::new(try_connect(address, None).unwrap_or_else(|error| panic!("{address:?}: {error}")))
    }

    fn new(socket: Socket) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
            .set_write_timeout(Some(3 * PATIENCE))
            .expect("a timeout");
        let name = match socket.local_addr().expect("it is connected").as_socket() {
            Some(address) => {
                // Each line goes out at once, as the pieces that a test sends.
                socket.set_tcp_nodelay(true).expect("the option");
                address.to_string()
            }
            None => String::new(),
        };
        Self {
            socket: BufReader::new(socket),
            name,
        }
    }

    /// Where it connects from; `None` by a Unix socket.
    pub fn local(&self) -> Option<SocketAddr> {
        self.socket
            .get_ref()
            .local_addr()
            .expect("it is connected")
            .as_socket()
    }

    /// Its IP address, without the port; nothing by a Unix socket.
    pub fn ip(&self) -> String {
        self.local()
            .map_or_else(String::new, |address| address.ip().to_string())
    }

    /// Another handle of the same connection, for a thread of its own: one writes, the other reads.
    pub fn writer(&self) -> Socket {
        self.socket.get_ref().try_clone().expect("a descriptor")
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) {
        self.send(format!("{line}\n"));
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// The next line without its newline; `None` at the end.
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        match self.socket.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if is_timeout(&error) => {
                panic!(
                    "{} waits for a line in vain, has {:?}",
                    self.name,
                    line.escape_ascii().to_string()
                )
            }
            Err(error) => panic!(
                "{}: {error}, after {:?}",
                self.name,
                line.escape_ascii().to_string()
            ),
        }
        assert_eq!(
            line.pop(),
            Some(b'\n'),
            "half a line: {:?}",
            line.escape_ascii().to_string()
        );
        Some(line)
    }

    /// The next line, which must be UTF-8.
    pub fn line(&mut self) -> String {
        let line = self.next_line().expect("a line rather than the end");
        String::from_utf8(line).expect("UTF-8")
    }

    #[track_caller]
    pub fn expect_line(&mut self, expected: &str) {
        assert_eq!(self.line(), expected, "what {} gets", self.name);
    }

    /// The next line is the server's own, and says all of `parts`.
    #[track_caller]
    pub fn expect_notice(&mut self, parts: &[&str]) -> String {
        let line = self.line();
        assert!(line.starts_with("*** "), "no notice: {line:?}");
        for part in parts {
            assert!(line.contains(part), "{part:?} is missing in {line:?}");
        }
        line
    }

    /// The connection ends here, in order.
    #[track_caller]
    pub fn expect_eof(&mut self) {
        let line = self.next_line().map(|line| line.escape_ascii().to_string());
        assert_eq!(line, None, "{} gets a line instead of the end", self.name);
    }

    /// Waits until the server has dealt with everything this client sent. Gives the lines that came before.
    pub fn sync(&mut self) -> Vec<String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let token = format!("sync-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.say(&format!("/ping {token}"));
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with("*** ") && line.contains(&token) {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Reads as many bytes.
    pub fn read_exact(&mut self, buffer: &mut [u8]) {
        self.socket.read_exact(buffer).expect("the server writes");
    }

    /// Everything until the end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.socket
            .read_to_end(&mut bytes)
            .expect("the server closes in order");
        bytes
    }

    /// Waits for the end, in order or not, whatever comes before.
    pub fn wait_end(&mut self) {
        let mut bytes = Vec::new();
        if let Err(error) = self.socket.read_to_end(&mut bytes) {
            assert!(
                !is_timeout(&error),
                "{} waits for the end in vain",
                self.name
            );
        }
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&mut self) {
        self.socket
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("it is connected");
    }

    /// Ends the connection by a reset.
    pub fn reset(self) {
        let socket = self.socket.get_ref();
        socket.set_linger(Some(Duration::ZERO)).expect("the option");
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Lines `from..to`, numbered, each of `length` bytes with its newline.
pub fn numbered(range: std::ops::Range<usize>, length: usize) -> String {
    let mut text = String::new();
    for number in range {
        _ = writeln!(text, "{}", numbered_line(number, length));
    }
    text
}

/// One of [`numbered`], without its newline.
pub fn numbered_line(number: usize, length: usize) -> String {
    let mut line = format!("{number:07} ");
    line.extend(std::iter::repeat_n('x', length - 1 - line.len()));
    line
}

/// What a reader of numbered lines has had.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub lines: usize,
    pub gaps: usize,
    pub skipped: usize,
}

impl Tally {
    /// Reads up to line `to` of the numbered lines that `prefix` begins: each must come whole and in its
    /// turn, or be counted by the gap in whose place it was.
    #[track_caller]
    pub fn read(&mut self, reader: &mut Client, prefix: &str, to: usize, length: usize) {
        while self.lines + self.skipped < to {
            let line = reader.line();
            if let Some(skipped) = gap(&line) {
                self.gaps += 1;
                self.skipped += skipped;
                continue;
            }
            let expected = format!(
                "{prefix}{}",
                numbered_line(self.lines + self.skipped, length)
            );
            assert_eq!(line, expected, "after {self:?}");
            self.lines += 1;
        }
        assert_eq!(
            self.lines + self.skipped,
            to,
            "a gap counts lines that came"
        );
    }
}

/// How many lines a line says were skipped, if it says so.
pub fn gap(line: &str) -> Option<usize> {
    let count = line
        .strip_prefix("*** ")?
        .strip_suffix(" lines skipped: your connection fell behind")?;
    Some(count.parse().expect("a number"))
}
