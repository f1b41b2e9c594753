//! `snug connect`: one loop over standard input and the socket.
//!
//! ```text
//! standard input ─ input ─▶ outbox ─▶ link ─▶ socket
//! standard output ◀─ output ◀─ printer ◀─ link ◀─ socket
//! ```
//!
//! Each arrow holds back the one before it when it is full, and neither direction holds up the
//! other. Every buffer has a limit, which stands with it.
//!
//! - [`event_loop`]: the only part that knows mio; tells the session what became ready
//! - [`session`]: one turn, top to bottom; what follows when something ends
//! - [`link`], [`dial`]: the socket, connected and on its way there
//! - [`input`], [`output`], [`ready`]: the standard streams, which are shared with the shell and so never
//!   made non-blocking
//! - [`outbox`], [`outgoing`], [`printer`], [`paint`], [`said`], [`scene`], [`backoff`], [`fifo`], [`handed`]: pure, no I/O and no
//!   clock
//! - [`identity`], [`secrets`]: who one is and where, pure too; [`introduce`] joins it with the session
//! - [`clock`], [`words`]: the time before a line, the lines on standard error
//!
//! With a person at a terminal, a line editor stands between `input` and `outgoing`, and shares `output`:
//!
//! - [`console`]: joins it with the session
//! - [`editor`]: the editor itself, pure
//! - [`terminal`]: the terminal's mode, which is as it was after every way out

mod backoff;
mod clock;
mod console;
mod dial;
pub mod editor;
mod event_loop;
mod fifo;
mod handed;
mod identity;
mod input;
mod introduce;
mod link;
pub mod outbox;
pub mod outgoing;
mod output;
mod paint;
mod printer;
mod ready;
mod said;
pub mod scene;
mod secrets;
mod session;
mod terminal;
mod words;

pub use identity::Password;

use crate::address::Address;
use std::process::ExitCode;

/// When received lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether lines are to be coloured; see <https://no-color.org>.
    fn is_wanted(self, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        }
    }
}

/// What `snug connect` is asked to do (contract, section 1).
#[derive(Clone, Debug)]
pub struct Config {
    pub address: Address,
    /// The other end is a line server of any kind: lines go both ways as they are.
    pub bare: bool,
    /// Standard input is not read.
    pub receive_only: bool,
    /// Nothing received is printed.
    pub send_only: bool,
    /// Lines are sent without their newline, one write each.
    pub no_newline: bool,
    /// Received lines get the local time before them.
    pub timestamps: bool,
    pub color: Color,
    /// Whether a lost connection is taken up again.
    pub reconnect: bool,
    /// What to be called, where to go, and what to say to be let in: on each new connection. Nothing of it with
    /// `bare`.
    pub nick: Option<String>,
    pub room: Option<String>,
    pub password: Option<Password>,
    /// The terminal's bell rings when the user's name is said.
    pub bell: bool,
}

/// Runs the client until its end and gives its exit code: 0 done, 1 failed (contract, section 1).
///
/// A stop by signal is an end like any other. So is a closed standard output: whoever read it had
/// enough, which is how `| head -1` ends a pipeline.
pub fn run(config: &Config) -> ExitCode {
    event_loop::run(config).into()
}
