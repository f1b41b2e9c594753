//! What must hold whatever the input: one function for each thing that reads what others wrote, and for each set of
//! rules that random orders of events may drive.
//!
//! Each takes bytes, makes of them what it needs, and panics where something does not hold. The fuzzer calls them with
//! inputs of its own (`libfuzzer`), `cargo test` with the seeds and what chance makes of them.

mod chat;
mod client;
mod decoder;
mod editor;
mod fanout;
mod names;
mod outbox;
mod text;

pub use chat::chat;
pub use client::{heard, scene};
pub use decoder::decoder;
pub use editor::{editor, keys, line};
pub use fanout::fanout;
pub use names::{address, names};
pub use outbox::outbox;
pub use text::{cleaner, command, plain, record, stranger};

use snug::wire::clean;

/// Decisions, taken from the input one after the other. Behind its end all are the first choice.
struct Draw<'a>(&'a [u8]);

impl<'a> Draw<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `n`, which is at most 256.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The next `n` bytes, or those that are left.
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Up to 40 bytes, cleaned as everything is that gets past a dialect.
    fn text(&mut self) -> String {
        let length = self.below(41);
        clean::cleaned(self.take(length))
    }
}

/// Whether a terminal would act on `c` (contract, promise 6): written anew, not to share an oversight.
fn is_control(c: char) -> bool {
    let code = u32::from(c);
    let c0 = code < 0x20 && c != '\t';
    c0 || (0x7F..0xA0).contains(&code)
        || (0x202A..=0x202E).contains(&code)
        || (0x2066..=0x2069).contains(&code)
}

#[track_caller]
fn check_clean(text: &str) {
    assert!(!text.contains(is_control), "a control in {text:?}");
}

/// Checks that `bytes` are one line that a terminal can be shown, and gives it without its newline.
#[track_caller]
fn one_line(bytes: &[u8]) -> &str {
    let line = str::from_utf8(bytes).expect("a line is UTF-8");
    let line = line.strip_suffix('\n').expect("a line has an end");
    check_clean(line);
    line
}
