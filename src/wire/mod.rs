//! Bytes to commands and events to bytes: what stands on the wire.
//!
//! Owns the line decoder, the dialects and what may reach a terminal. Never names a socket, nor decides who hears what.

pub mod clean;
pub mod heard;
pub mod lines;
pub mod plain;
pub mod record;
pub mod stranger;
pub mod telnet;
