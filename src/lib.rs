//! snug: a chat and broadcast server for small machines. One thread, one process, a readiness loop.
//!
//! # A turn
//!
//! The oldest chat servers ask `select` who is ready, read, and write to everybody. So does snug:
//!
//! ```text
//!            ┌──────────────────────────── one turn ─────────────────────────────┐
//!   poll ──> │ read ──> lines ──> commands ──> rules ──> events ──> room logs    │
//!            │                                                 │                 │
//!            │                     one write for each reader <─┘  flush          │
//!            └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What differs is where a message waits. A room has one log of encoded lines, and a member is a
//! cursor into it. To publish is to append once, whoever is in the room. At the end of the turn each
//! member gets one `write` of what lies between its cursor and the log's end. Who lags is whoever's cursor
//! is behind, and a thousand people who lag cost one log, not a thousand queues.
//!
//! # Where things are
//!
//! A module imports only what stands above it in this list.
//!
//! | module | owns | never |
//! | --- | --- | --- |
//! | [`limits`] | the limits that no option sets | |
//! | [`memory`] | how much memory is held | by whom |
//! | [`system`] | what the operating system is asked for: limits, socket options | lines, chat |
//! | [`faults`] | mistakes to be found by the tests, in a build of their own | |
//! | [`chat`] | the rules: people, names, rooms; commands in, events out | bytes, sockets, clocks |
//! | [`wire`] | lines out of bytes, dialects, what may reach a terminal | sockets, who hears what |
//! | [`fanout`] | room logs, cursors, queues: what is still to be written to whom | sockets |
//! | [`pace`] | how fast somebody may speak | who |
//! | [`connection`] | one stream: fill, write, how it ends | who else there is |
//! | [`hub`] | all connections, and the turn that joins the parts above | mio |
//! | [`sink`], [`clock`] | writing without waiting to what others share, the local time | |
//! | [`address`], [`listen`], [`logger`] | where to listen, the sockets for it, the log | the chat |
//! | [`transcript`] | the file that keeps what was said in public | rooms, people |
//! | [`server`] | the server's event loop: poll, listeners, signals, clock | rules |
//! | [`client`] | the client's own small loop over standard input and a socket | the server's parts but for [`wire`] |
//! | [`cli`] | the command line, exit codes | |
//!
//! `build.rs`, beside them, is the build script: what it tells the linker, and why.
//!
//! # What holds everywhere
//!
//! - The rules do no I/O: they are told who asks for what and when, and say what happens.
//! - No handler writes to a socket. [`hub::Hub::turn`] does, once, when all that came in has been dealt with.
//! - No line reaches a reader in part: not at a gap, not on leaving, not with another in between. None is copied for a
//!   reader that keeps up.
//! - No number of a connection is given anew within the turn in which its bearer went.
//! - No more is read than can be dealt with: what must wait stays in the kernel, and its sender is told so by TCP.
//! - Nothing grows without a limit; the limits stand in [`limits`] or have an option.
//! - Nobody but the two event loops knows of mio, and nobody but they looks at a clock, but to say the time to people,
//!   or where the client has to wait in between for a terminal.
#![deny(unsafe_code)]
// The map of a module names its private parts, too: it is for those who read the source.
#![allow(rustdoc::private_intra_doc_links)]

#[cfg(not(unix))]
compile_error!("snug runs on Unix only: it is built on readiness polling and Unix signals");

pub mod address;
pub mod chat;
pub mod cli;
pub mod client;
pub mod clock;
pub mod connection;
pub mod fanout;
pub mod faults;
pub mod hub;
pub mod limits;
pub mod listen;
pub mod logger;
pub mod memory;
pub mod pace;
pub mod server;
pub mod sink;
pub mod system;
pub mod transcript;
pub mod wire;
