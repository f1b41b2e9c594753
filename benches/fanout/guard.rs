//! Ends the servers that outlive the benchmark.
//!
//! The kernel is asked to end a server with this process (see `server::launch`), but forgets that when a
//! server changes its user, and some systems know no such thing. So a second process of this program reads
//! from a pipe who was started and who has ended; when the pipe ends, so has the benchmark, in whatever
//! way, and it ends those that are left.

use std::io::{BufRead, Write, stdin};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};

use crate::GUARD_FLAG;

static GUARD: Mutex<Option<Child>> = Mutex::new(None);

/// From here on the process ends with the benchmark.
pub fn watch(pid: u32) {
    tell("+", pid);
}

/// The process has ended.
pub fn forget(pid: u32) {
    tell("-", pid);
}

/// Without a guard the kernel's promise is all there is.
fn tell(word: &str, pid: u32) {
    let Ok(mut guard) = GUARD.lock() else { return };
    if guard.is_none() {
        *guard = start().ok();
    }
    if let Some(pipe) = guard.as_mut().and_then(|guard| guard.stdin.as_mut()) {
        let _ = writeln!(pipe, "{word}{pid}");
    }
}

fn start() -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    Command::new(std::env::current_exe()?)
        .arg(GUARD_FLAG)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What a terminal sends to the benchmark is not for its guard.
        .process_group(0)
        .spawn()
}

/// The guard itself.
pub fn serve() -> ExitCode {
    let mut alive: Vec<i32> = Vec::new();
    for line in stdin().lock().lines().map_while(Result::ok) {
        match line.split_at_checked(1) {
            Some(("+", pid)) => alive.extend(pid.parse::<i32>().ok()),
            Some((_, pid)) => alive.retain(|known| known.to_string() != pid),
            None => {}
        }
    }
    for pid in alive.into_iter().filter_map(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
    ExitCode::SUCCESS
}
