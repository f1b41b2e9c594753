//! What a person sees meanwhile, on standard error: one line that is rewritten on a terminal, one line
//! for each row elsewhere, and now and then.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Where nothing can be rewritten, something is to be seen so often.
const SILENCE: Duration = Duration::from_secs(30);

pub struct Progress {
    started: Instant,
    /// How long the whole will take, about.
    expected: Duration,
    terminal: bool,
    /// Rows that have been named where nothing can be rewritten, and when the last was.
    named: Vec<String>,
    last_said: Instant,
}

impl Progress {
    pub fn new(expected: Duration) -> Progress {
        Progress {
            started: Instant::now(),
            expected,
            terminal: stderr().is_terminal(),
            named: Vec::new(),
            last_said: Instant::now(),
        }
    }

    pub fn passed(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn show(&mut self, scenario: &str, readers: usize, server: &str, repeat: usize) {
        let row = format!("{scenario}, {readers} connections");
        let time = self.time();
        // Progress that cannot be written is no reason to stop.
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K[{time}] {row}: {server}, {}", repeat + 1);
        } else if !self.named.contains(&row) || self.last_said.elapsed() > SILENCE {
            let _ = writeln!(stderr(), "[{time}] {row}");
            self.last_said = Instant::now();
            self.named.push(row);
        }
    }

    /// What has passed and what is left, about.
    fn time(&self) -> String {
        let passed = self.passed();
        let clock = |time: Duration| format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60);
        match self.expected.checked_sub(passed) {
            Some(left) => format!("{}, {} left", clock(passed), clock(left)),
            None => format!("{}, soon done", clock(passed)),
        }
    }

    pub fn end(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
