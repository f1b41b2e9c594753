//! A siege of a real server: clients who come, talk, stall and go for a chosen time, each of whose streams is checked
//! against what must be true (contract, section 3).
//!
//! ```sh
//! cargo test --release --test soak -- --seconds 1200 --clients 3000 --seed 7
//! ```
//!
//! Without an option each kind of siege is tried for a moment, as a part of `cargo test`; `--help` tells of the options.
//! Afterwards the server must be back where it was, and a signal must end it in the middle of a flood with nothing lost.

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod crowd;
mod options;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod record;
#[cfg(target_os = "linux")]
#[path = "../sim/rng.rs"]
mod rng;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod siege;
#[cfg(target_os = "linux")]
mod words;
#[cfg(target_os = "linux")]
mod world;

use options::{Asked, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    match options::read(std::env::args().skip(1)) {
        Asked::Nothing => ExitCode::SUCCESS,
        Asked::Help => {
            println!("{}", options::HELP);
            ExitCode::SUCCESS
        }
        Asked::Wrong(word) => {
            eprintln!("soak: what is {word}?\n\n{}", options::HELP);
            ExitCode::from(2)
        }
        Asked::Siege(options) => run(options),
    }
}

#[cfg(target_os = "linux")]
fn run(options: Options) -> ExitCode {
    siege::run(&options)
}

/// Elsewhere not every address of the loopback network is the machine's own, and there is no `/proc`.
#[cfg(not(target_os = "linux"))]
fn run(_: Options) -> ExitCode {
    eprintln!("soak: skipped, it needs Linux");
    ExitCode::SUCCESS
}
