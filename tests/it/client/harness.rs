//! What the client's tests stand on: the client as a process, a server that does as it is told, a
//! terminal, and waits that end at a deadline.

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. No passing test waits for it.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// The pause between two looks at something that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Looks again and again until `found` gives something.
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// A server that the test plays itself.
pub struct Server {
    listener: TcpListener,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        Self { listener }
    }

    pub fn address(&self) -> String {
        let address = self.listener.local_addr().expect("a bound listener");
        address.to_string()
    }

    /// The next client. Reads and writes on it end at the deadline.
    pub fn accept(&self) -> TcpStream {
        let stream = wait_for("a connection", || self.listener.accept().ok()).0;
        stream.set_nonblocking(false).expect("blocking");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream
    }
}

/// Reads until exactly `expected` has come.
pub fn expect_bytes(from: &mut (impl Read + AsFd), expected: &[u8]) {
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let mut buffer = vec![0; expected.len() - got.len()];
        let n = read(from, &mut buffer);
        assert!(n > 0, "it ended after {:?}", got.escape_ascii().to_string());
        got.extend_from_slice(&buffer[..n]);
    }
    assert_eq!(
        got.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

/// Reads to the end.
pub fn rest_of(from: &mut (impl Read + AsFd)) -> String {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match read(from, &mut buffer) {
            0 => return String::from_utf8(bytes).expect("UTF-8"),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

/// One read that ends at the deadline.
pub fn read(from: &mut (impl Read + AsFd), buffer: &mut [u8]) -> usize {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec {
        tv_sec: DEADLINE.as_secs() as i64,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(&*from, PollFlags::IN)];
    let ready = poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0);
    assert!(ready, "nothing to read came, and no end");
    from.read(buffer).expect("bytes or an end")
}

/// `snug connect ARGS ADDRESS`, to be given its streams and run.
pub fn snug(address: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snug"));
    for name in ["NO_COLOR", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("TZ", "UTC");
    command.arg("connect").args(args).arg(address);
    command
}

/// A running client. Standard error is always collected.
pub struct Client {
    child: Child,
    errors: Receiver<String>,
    said: Vec<String>,
}

impl Client {
    /// Runs `command` with its standard error caught.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the client");
        let stderr = child.stderr.take().expect("its standard error is piped");
        let (lines, errors) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let said = Vec::new();
        Self {
            child,
            errors,
            said,
        }
    }

    /// Runs the client with pipes on all its streams.
    pub fn piped(address: &str, args: &[&str]) -> Self {
        let piped = Stdio::piped;
        Self::run(snug(address, args).stdin(piped()).stdout(piped()))
    }

    pub fn stdin(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().expect("standard input is piped")
    }

    pub fn take_stdin(&mut self) -> ChildStdin {
        self.child
            .stdin
            .take()
            .expect("standard input is piped, and not taken yet")
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.child.stdin = None;
    }

    pub fn type_in(&mut self, text: &str) {
        self.stdin().write_all(text.as_bytes()).expect("it reads");
    }

    pub fn take_stdout(&mut self) -> ChildStdout {
        self.child
            .stdout
            .take()
            .expect("standard output is piped, and not taken yet")
    }

    /// Waits until it has said a line on standard error that contains `text`.
    pub fn says(&mut self, text: &str) {
        while !self.said.iter().any(|line| line.contains(text)) {
            match self.errors.recv_timeout(DEADLINE) {
                Ok(line) => self.said.push(line),
                Err(_) => panic!("it never said {text:?}, but {:?}", self.said),
            }
        }
    }

    /// Waits for its end: the exit code, and all it said on standard error.
    pub fn exit(mut self) -> (Option<i32>, Vec<String>) {
        self.end_input();
        self.exit_by_itself()
    }

    /// The same for a client whose input stays open until then.
    pub fn exit_by_itself(mut self) -> (Option<i32>, Vec<String>) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if start.elapsed() > DEADLINE {
                self.said.extend(self.errors.try_iter());
                panic!("it does not end; it said {:?}", self.said);
            }
            thread::sleep(LOOK_AGAIN);
        };
        loop {
            match self.errors.recv_timeout(DEADLINE) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("standard error stays open"),
            }
        }
        (status.code(), std::mem::take(&mut self.said))
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// The most memory it ever had resident, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("VmHWM");
        let kib = line.trim().trim_end_matches(" kB");
        kib.parse::<usize>().expect("a number") << 10
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; one that has ended is not there any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Or the children of other tests would have the terminals of this one.
#[cfg(target_os = "linux")]
const CLOSE_ON_EXEC: OpenptFlags = OpenptFlags::CLOEXEC;
#[cfg(not(target_os = "linux"))]
const CLOSE_ON_EXEC: OpenptFlags = OpenptFlags::empty();

/// A terminal: what the test sees of it, and what the client gets.
pub struct Terminal {
    /// The keys and the screen.
    pub outside: File,
    /// What a program has as its standard streams.
    pub inside: File,
}

impl Terminal {
    /// Opens one.
    pub fn new() -> Self {
        let outside =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | CLOSE_ON_EXEC).expect("a terminal");
        grantpt(&outside).expect("granted");
        unlockpt(&outside).expect("unlocked");
        let path = ptsname(&outside, Vec::new()).expect("its name");
        let inside = File::options()
            .read(true)
            .write(true)
            .open(path.to_str().expect("a plain path"))
            .expect("its inside");
        Self {
            outside: outside.into(),
            inside,
        }
    }

    pub fn stdio(&self) -> Stdio {
        self.inside.try_clone().expect("a descriptor").into()
    }

    /// Reads the screen until `text` has appeared, and gives all that was read.
    pub fn shows(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let start = Instant::now();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let mut buffer = [0; 4096];
            assert!(
                start.elapsed() < DEADLINE,
                "{text:?} never appeared, but {:?}",
                String::from_utf8_lossy(&seen)
            );
            let n = read(&mut self.outside, &mut buffer);
            seen.extend_from_slice(&buffer[..n]);
        }
        String::from_utf8(seen).expect("UTF-8")
    }
}
