//! What a person sees meanwhile, on standard error: one line that is rewritten on a terminal, one line
//! for each row elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

pub struct Progress {
    started: Instant,
    terminal: bool,
    /// Rows that have been named where nothing can be rewritten.
    named: Vec<String>,
}

impl Progress {
    pub fn new() -> Progress {
        Progress {
            started: Instant::now(),
            terminal: stderr().is_terminal(),
            named: Vec::new(),
        }
    }

    pub fn passed(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn show(&mut self, scenario: &str, readers: usize, server: &str, repeat: usize) {
        let row = format!("{scenario}, {readers} connections");
        let seconds = self.passed().as_secs();
        // Progress that cannot be written is no reason to stop.
        if self.terminal {
            let _ = write!(
                stderr(),
                "\r\x1b[K[{seconds:>2} s] {row}: {server}, {}",
                repeat + 1
            );
        } else if !self.named.contains(&row) {
            let _ = writeln!(stderr(), "[{seconds:>2} s] {row}");
            self.named.push(row);
        }
    }

    pub fn end(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
