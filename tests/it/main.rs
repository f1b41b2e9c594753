//! The program as its users meet it: a process, its sockets, its exit code and what it says.
//!
//! What is expected comes from the contract, never from the code.

mod alone;
mod client;
mod client_hostile;
mod client_identity;
mod harness;
mod kernel;
mod serve_accept;
mod serve_chat;
mod serve_clock;
mod serve_faults;
mod serve_limits;
mod serve_lines;
mod serve_listen;
mod serve_log;
mod serve_memory;
mod serve_pace;
mod serve_peers;
mod serve_sinks;
mod serve_slow;
#[cfg(target_os = "linux")]
mod serve_small;
mod serve_stop;
mod serve_strangers;
mod serve_transcript;
mod terminal;
