//! What is kept and queued, and what may be lost when there is no memory for more.
//!
//! How much there is the hub counts, and its invariants count it again. Here is what each who loses something is told.

use super::*;

/// What a turn may add behind the place where it sees to the ceiling: farewells, and long answers.
const SLACK: usize = 64 << 10;

impl Model {
    /// Whether a reason of the log is that the memory is used up; and that it is.
    pub(super) fn is_for_memory(&self, why: &str) -> bool {
        self.is_short && why.ends_with(", the memory is used up")
    }

    /// Somebody is gone because too much of what they sent waits: they are told before.
    pub(super) fn forget_lines(&mut self, who: Who) {
        if !self.config.bare {
            self.tell(
                who,
                "*** the server is short of memory: what you said last was not heard",
            );
        }
    }

    /// Somebody has to say again what they have begun to say.
    pub(super) fn lose_line(&mut self, who: Who) {
        assert!(
            self.is_short,
            "client {who} lost a line, but there is memory"
        );
        self.people[who].ear.lose_line();
        self.tell(
            who,
            "*** the server is short of memory: the line you have begun is dropped, say it again later",
        );
    }

    /// That no more is held than may be.
    pub fn check_memory(&self, held: usize) {
        let most = self.config.max_memory;
        assert!(held <= most + SLACK, "{held} bytes are held, of {most}");
    }
}
