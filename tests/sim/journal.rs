//! What the hub does, in the order in which it does it: what it reads and writes, and what it says in its log.
//!
//! The log tells whose line came next, who came and who left, and why: so the order of all that many people do at once is
//! known, and the rest follows.

use std::cell::RefCell;
use std::sync::Once;

/// A client's number: never given twice.
pub type Who = usize;

#[derive(Debug)]
pub enum Entry {
    /// A line of the log.
    Log(String),
    Read {
        who: Who,
        bytes: Vec<u8>,
    },
    /// The end of a stream was read.
    End {
        who: Who,
    },
    /// A read or a write failed.
    Failed {
        who: Who,
    },
    /// Fewer bytes than were offered block a stream.
    Wrote {
        who: Who,
        bytes: Vec<u8>,
        is_blocked: bool,
    },
    /// The server has ended its side.
    Shut {
        who: Who,
    },
    /// The server has let go of a stream.
    Dropped {
        who: Who,
    },
}

thread_local! {
    static JOURNAL: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Notes what happened.
pub fn note(entry: Entry) {
    JOURNAL.with_borrow_mut(|journal| journal.push(entry));
}

/// Whatever happened since the last call.
pub fn take() -> Vec<Entry> {
    JOURNAL.take()
}

/// Keeps the log of each thread in its journal, from the first call on.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Scribe).expect("there is no other logger");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

struct Scribe;

impl log::Log for Scribe {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        note(Entry::Log(record.args().to_string()));
    }

    fn flush(&self) {}
}
