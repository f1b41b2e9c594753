//! What was typed and opens doors: said again on the next connection.
//!
//! Owns the last of each kind, as it was sent. Whether it opened anything is for the
//! [`Identity`](super::identity::Identity) to find out.

use crate::wire::heard::Meant;
use std::fmt;

/// Longer ones are not kept: names have 30 characters, keys 64 bytes.
const LONGEST: usize = 512;

/// What was sent since somebody asked last.
#[derive(Default)]
pub struct Secrets {
    /// A room and its key, with a blank between.
    pub join: Option<String>,
    /// The new key of a room.
    pub key: Option<String>,
    /// The server's password.
    pub password: Option<String>,
}

impl Secrets {
    /// Takes what `line` tells, if that is a secret.
    pub fn note(&mut self, line: &Meant<'_>) {
        let (place, text) = match line {
            Meant::Join { room, key } => (&mut self.join, format!("{room} {key}")),
            Meant::Key(key) => (&mut self.key, (*key).to_owned()),
            Meant::Password(password) => (&mut self.password, (*password).to_owned()),
            Meant::Quit => return,
        };
        if text.len() <= LONGEST {
            *place = Some(text);
        }
    }

    /// Takes those that were said since.
    pub fn add(&mut self, newer: Secrets) {
        self.join = newer.join.or(self.join.take());
        self.key = newer.key.or(self.key.take());
        self.password = newer.password.or(self.password.take());
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
