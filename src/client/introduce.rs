//! The session's introduction of itself: joins the [`Identity`] with the connection.
//!
//! Owns the lines that the identity hears, which it does whether or not anything is printed. A bus hears
//! nothing of all this.

use super::Config;
use super::identity::{Action, Identity};
use super::link::Link;
use super::session::Session;
use crate::wire::lines::{Decoder, Framing, Item};
use std::time::Instant;

/// Longer lines are nothing that the server itself says.
const LINE: Framing = Framing {
    max: 1024,
    strip_cr: true,
};

/// The identity, and the line that it is hearing.
pub struct Introduction {
    identity: Identity,
    decoder: Decoder,
}

impl Introduction {
    pub fn new(config: &Config) -> Self {
        Self {
            identity: Identity::new(config),
            decoder: Decoder::default(),
        }
    }
}

impl Session<'_> {
    /// There is a new connection: says who one is, before anything else is said.
    pub(super) fn introduce(&mut self, now: Instant) {
        self.with_identity(|introduction, _, actions| {
            introduction.decoder = Decoder::default();
            introduction.identity.connected(now, actions);
        });
    }

    /// Why the server has heard nothing of what came on standard input, or not all, if that is so.
    pub(super) fn why_unheard(&self) -> Option<&'static str> {
        self.introduction.as_ref()?.identity.why_unheard()
    }

    /// Whether the server did not let a script in to begin with, which then has nothing to go on with. A person may wait.
    pub(super) fn is_turned_away(&self) -> bool {
        let introduction = self.introduction.as_ref().filter(|_| !self.has_person());
        introduction.is_some_and(|introduction| introduction.identity.is_turned_away())
    }

    /// Takes in the first `n` bytes of the chunk, which the server sent.
    pub(super) fn hear(&mut self, n: usize, now: Instant) {
        let secrets = self.outgoing.take_secrets();
        self.with_identity(|introduction, chunk, actions| {
            introduction.identity.said(secrets);
            let mut bytes = &chunk[..n];
            while let Some(item) = introduction.decoder.next(&mut bytes, LINE) {
                if let Item::Line(line) = item {
                    introduction.identity.line(&line, now, actions);
                }
            }
        });
        // An answer to an answer goes out at once: nothing else may bring the next turn.
        self.send(now);
    }

    /// When [`Session::remind`] has something to do.
    pub(super) fn reminder(&self) -> Option<Instant> {
        let introduction = self.introduction.as_ref().filter(|_| self.may_speak())?;
        introduction.identity.deadline()
    }

    /// Does what the identity has to do at this time.
    pub(super) fn remind(&mut self, now: Instant) {
        if self.reminder().is_some_and(|at| now >= at) {
            self.with_identity(|introduction, _, actions| introduction.identity.tick(now, actions));
        }
    }

    fn with_identity(&mut self, what: impl FnOnce(&mut Introduction, &[u8], &mut Vec<Action>)) {
        let may_speak = self.may_speak();
        let Some(introduction) = &mut self.introduction else {
            return;
        };
        let mut actions = Vec::new();
        what(introduction, &self.chunk, &mut actions);
        self.outgoing
            .hold(may_speak && !introduction.identity.is_settled());
        for action in actions {
            match action {
                Action::Send(_) | Action::Say(_) if !may_speak => {}
                Action::Send(line) => self.outgoing.command(&line),
                Action::Say(text) => self.say(&text),
                Action::GiveUp(text) => {
                    let text = self.give_up(text);
                    // A person reads that and goes on; what else a script says is not for here either.
                    if self.console.is_some() || self.config.receive_only {
                        self.say(&text);
                    } else {
                        return self.fail(&text);
                    }
                }
                Action::Fail(text) => return self.fail(&text),
            }
        }
    }

    /// Gives up what was typed and still waits. Gives the news with how much that was.
    fn give_up(&mut self, news: String) -> String {
        match self.outgoing.give_up() {
            0 => news,
            1 => format!("the line that you typed was not sent: {news}"),
            n => format!("the {n} lines that you typed were not sent: {news}"),
        }
    }

    fn fail(&mut self, why: &str) {
        self.print_rest();
        self.say(why);
        self.finish(1);
    }

    /// Whether the server still listens: after the end of the input it does not.
    fn may_speak(&self) -> bool {
        matches!(&self.link, Link::Up(up) if !up.is_half_closed())
    }
}
