//! Tests that need the machine to themselves, or a tool that not every machine has.
//!
//! A test that cannot run says why on standard error, and passes: `cargo test -- --nocapture` shows it.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set for the copy of this program that runs alone.
const ALONE: &str = "SNUG_TEST_ALONE";

/// Whether the caller, the test `name`, runs in a network of its own, with nothing in it but a loopback interface.
/// If not, it is run once more in one, and here there is nothing left to do.
#[track_caller]
pub fn has_own_network(name: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    // Whoever is not root becomes it in a user namespace of their own, where that is allowed.
    let own = match rustix::process::getuid().is_root() {
        true => "-n",
        false => "-rn",
    };
    let run = |what: &[&str]| {
        let mut command = Command::new("unshare");
        let up = "ip link set lo up && exec \"$0\" \"$@\"";
        command.args([own, "sh", "-c", up]).args(what);
        command.stdin(Stdio::null());
        command
    };
    match run(&["true"]).output() {
        Ok(output) if output.status.success() => {}
        refused => {
            eprintln!("skipped: no network namespace can be made here: {refused:?}");
            return false;
        }
    }
    let program = env::current_exe().expect("this program");
    let program = program.to_str().expect("a plain path");
    let args = [program, name, "--exact", "--include-ignored", "--nocapture"];
    let output = run(&args).env(ALONE, "1").output().expect("it ran before");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    eprint!("{errors}");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    false
}

/// Whether there is a program of that name; says so if not.
pub fn has(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|folder| Path::new(&folder).join(tool).is_file());
    if !found {
        eprintln!("skipped: this machine has no {tool}");
    }
    found
}

/// Runs `attempt` until all that it measures is within `limits`, three times at most. What is measured is what the
/// program takes and what else the machine does meanwhile; only the former is judged, and it is there every time.
#[track_caller]
pub fn within<const N: usize>(limits: [u64; N], mut attempt: impl FnMut() -> [u64; N]) {
    let mut all = Vec::new();
    for _ in 0..3 {
        let measured = attempt();
        if measured.iter().zip(limits).all(|(&is, most)| is <= most) {
            eprintln!("measured {measured:?}, at most {limits:?}");
            return;
        }
        all.push(measured);
    }
    panic!("{all:?}, and never within {limits:?}");
}
