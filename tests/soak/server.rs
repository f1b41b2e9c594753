//! The server under siege: a process of its own, what it says, and what the kernel says of it.

use crate::plan::{Plan, word};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::{AddrParseError, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How many of its last words are kept.
const LAST_WORDS: usize = 20;
/// How long it may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of a server's log.
#[derive(Default)]
struct Log {
    last: VecDeque<String>,
    /// How often a room waited for a reader.
    waits: u64,
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

/// What it has in use: memory in KiB, descriptors, and the time it has computed, in hundredths of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub resident: u64,
    pub descriptors: usize,
    pub ticks: u64,
}

impl Server {
    pub fn start(plan: &Plan) -> Result<Self, String> {
        let child = command(plan).spawn();
        let mut child = child.map_err(|error| format!("snug does not start: {error}"))?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let log = Arc::default();
        let (tell, told) = mpsc::channel();
        let kept = Arc::clone(&log);
        // Somebody must read its log while the sockets are looked after.
        thread::spawn(move || keep(stderr, &kept, &tell));
        let address = told.recv_timeout(PATIENCE);
        let mut server = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            log,
        };
        server.address = match address {
            Ok(Ok(address)) => address,
            _ => {
                return Err(format!(
                    "it does not say where it listens\n{}",
                    server.last_words()
                ));
            }
        };
        Ok(server)
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.last.iter().map(|line| format!("  {line}\n")).collect()
    }

    /// How often it has said that a room waits for a reader.
    pub fn waits(&self) -> u64 {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.waits
    }

    pub fn stop(&self) {
        _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Its exit code, once it has one.
    pub fn exit_code(&mut self) -> Option<i32> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(status.code().unwrap_or(-1))
    }

    pub fn usage(&self) -> Usage {
        let folder = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let stat = fs::read_to_string(format!("{folder}/stat")).unwrap_or_default();
        // The name in parentheses may hold blanks. utime and stime are fields 14 and 15 of proc(5).
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let times = after_name.split_whitespace().skip(11).take(2);
        Usage {
            resident: resident.unwrap_or(0),
            descriptors: fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count),
            ticks: times.filter_map(|time| time.parse::<u64>().ok()).sum(),
        }
    }

    /// Waits until it does nothing any more; whether it ever did so.
    pub fn comes_to_rest(&self) -> bool {
        let start = Instant::now();
        let mut before = self.usage();
        while start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(60));
            let now = self.usage();
            if now == before {
                return true;
            }
            before = now;
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn command(plan: &Plan) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snug"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("SNUG_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    let (slow, backlog) = (word(plan.slow), plan.backlog.to_string());
    command.args(["serve", "-l", "127.0.0.1:0", "--history", "0"]);
    command.args(["--rate", "off", "--slow-timeout", "3600"]);
    command.args(["--slow", slow, "--backlog", &backlog]);
    command.stdin(Stdio::null());
    command.stdout(Stdio::null());
    command.stderr(Stdio::piped());
    command
}

/// Keeps what is to be known of a log, and tells where the server listens.
fn keep(stderr: impl Read, log: &Mutex<Log>, tell: &Sender<Result<SocketAddr, AddrParseError>>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("listening on ") {
            // Nobody waits for another.
            _ = tell.send(address.parse());
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.waits += u64::from(line.contains("its room waits"));
        if log.last.len() == LAST_WORDS {
            log.last.pop_front();
        }
        log.last.push_back(line);
    }
}
