//! snug: a chat and broadcast server for small machines.
#![deny(unsafe_code)]

#[cfg(not(unix))]
compile_error!("snug runs on Unix only: it is built on readiness polling and Unix signals");

pub mod address;
pub mod chat;
pub mod cli;
pub mod client;
pub mod connection;
pub mod fanout;
pub mod hub;
pub mod limits;
pub mod listen;
pub mod logger;
pub mod server;
pub mod system;
pub mod wire;
