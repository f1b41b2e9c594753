//! What a server is when it does nothing: its size, its threads, how often it asks the kernel for anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// What was asked for while serving takes its time to come to rest.
const REST: Duration = Duration::from_secs(3);

/// How many threads a process has.
pub fn threads(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/task")).ok()?.count())
}

/// The size of a program's file. Libraries that it shares with others do not count.
pub fn size(program: &Path) -> Option<u64> {
    Some(fs::metadata(program).ok()?.len())
}

/// System calls a minute of each process, counted side by side for as long as `time`; `None` where
/// there is no strace, or the system does not let it look.
pub fn idle_calls(pids: &[u32], time: Duration) -> Vec<Option<f64>> {
    sleep(REST.min(time));
    let watchers: Vec<Option<Watcher>> = pids.iter().map(|&pid| Watcher::start(pid)).collect();
    sleep(time);
    let calls = watchers.into_iter().map(|watcher| watcher?.end());
    calls
        .map(|calls| calls.map(|calls| calls as f64 * 60.0 / time.as_secs_f64()))
        .collect()
}

/// A running strace, which writes a line for each call.
struct Watcher {
    child: Child,
    path: PathBuf,
}

impl Watcher {
    fn start(pid: u32) -> Option<Watcher> {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fanout-calls-{pid}"));
        let child = Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(&path)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Watcher { child, path })
    }

    /// How many calls there were, if it could look to the end.
    fn end(mut self) -> Option<usize> {
        let could_look = matches!(self.child.try_wait(), Ok(None));
        if could_look {
            // It lets go of the server, and writes what it has; a kill would lose that.
            let pid = i32::try_from(self.child.id())
                .ok()
                .and_then(Pid::from_raw)?;
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
        let log = fs::read(&self.path);
        let _ = fs::remove_file(&self.path);
        let log = String::from_utf8_lossy(&log.ok()?).into_owned();
        // What returned: what a server waits in from before until after is no call of this time.
        let counts = |line: &&str| line.contains(" = ") && !line.contains(" = ?");
        could_look.then(|| log.lines().filter(counts).count())
    }
}
