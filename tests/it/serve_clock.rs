//! The machine's clock is set while the server runs.

use crate::harness::{Client, Folder, Server, WELCOME, snug};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Stands before the system's own answer to what time of day it is, and adds as many seconds as are in a file. The
/// clock that only goes forward is left alone, as by whoever sets a machine's clock.
const SHIFT: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*ask)(clockid_t, struct timespec *);
    if (!ask) ask = dlsym(RTLD_NEXT, "clock_gettime");
    int result = ask(clock, at);
    if (clock == CLOCK_REALTIME) {
        long seconds = 0;
        FILE *file = fopen(getenv("SHIFT_BY"), "r");
        if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
        at->tv_sec += seconds;
    }
    return result;
}
"#;

/// Builds the above; `None` where that is not possible. Whoever has built this program has a compiler that links, and
/// that is mostly one for C.
fn shift(folder: &Folder) -> Option<PathBuf> {
    let (source, library) = (folder.path("shift.c"), folder.path("shift.so"));
    fs::write(&source, SHIFT).expect("a new folder");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output();
    match built {
        Ok(output) if output.status.success() => Some(library),
        failed => {
            eprintln!("skipped: no clock can be put before the system's: {failed:?}");
            None
        }
    }
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn no_timer_minds_a_clock_that_is_set() {
    let folder = Folder::new();
    let Some(library) = shift(&folder) else {
        return;
    };
    let by = folder.path("by");
    let set = |path: &Path, hours: i64| {
        // In one step: it is read at any time.
        let new = folder.path("new");
        fs::write(&new, (hours * 3600).to_string()).expect("a new folder");
        fs::rename(&new, path).expect("the same folder");
    };
    set(&by, 0);
    let password = folder.path("password");
    fs::write(&password, "sesame\n").expect("a new folder");
    let mut command = snug();
    command
        .env("LD_PRELOAD", &library)
        .env("SHIFT_BY", &by)
        .env("TZ", "UTC");
    let password = password.to_str().expect("a plain path");
    let rest = ["--unterminated", "300", "--password-file", password];
    let server = Server::start_as(command, &rest);
    let enter = |client: &mut Client| {
        client.say("/pass sesame");
        client.expect_line(WELCOME);
    };
    let knock = || {
        let mut client = server.connect();
        client.expect_notice(&["/pass"]);
        client
    };
    let (mut one, mut two) = (knock(), knock());
    enter(&mut one);
    enter(&mut two);
    one.expect_notice(&["entered"]);
    // Somebody stands at the door, where there is a minute to say the password.
    let mut stands = knock();
    let mut hours = Vec::new();
    for jump in [0, 1, -1, 24, -24 * 365, 0] {
        set(&by, jump);
        // It has been told of the new time: it is asked for each turn.
        one.sync();
        let visitor = server.connect();
        let came = server.wait_log(&format!("{} came", visitor.name));
        hours.push(came.split(':').next().unwrap_or_default().to_owned());
        // What rests for a while counts as a line, after that while and not before.
        let start = Instant::now();
        one.send(format!("at {jump}"));
        let line = two.line();
        let took = start.elapsed();
        assert!(line.ends_with(&format!("> at {jump}")), "{line:?}");
        assert!(took > Duration::from_millis(290), "after {took:?}");
        assert!(took < Duration::from_secs(2), "after {took:?}");
    }
    let distinct = hours.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(distinct, 5, "the server's clock did jump: {hours:?}");
    // Nobody was sent away.
    enter(&mut stands);
    one.say("/stats");
    one.expect_notice(&["entered"]);
    let up = one.expect_notice(&["up for "]);
    assert!(up.ends_with(" s"), "{up:?}");
}
