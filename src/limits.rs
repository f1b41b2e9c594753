//! Every buffer and every loop has a limit; those that no option sets stand here together.
//!
//! Sizes are bytes, times are milliseconds.

/// A point in time, or a span of it: milliseconds on a clock that only goes forward. The event loop
/// reads that clock once a turn; everything below it is told.
pub type Millis = u64;

/// One read from a socket, and so one connection's share of a turn. Large enough that a burst
/// comes in with one system call.
pub const READ: usize = 64 << 10;
/// The same where a pace is set, unless the lines of a burst ask for more.
pub const PACED_READ: usize = 4 << 10;
/// What a burst asks for: so many bytes for each of its lines.
pub const PACED_LINE: usize = 64;
/// Lines of talk that one sends together are taken together, so many of them at most.
pub const RUN_LINES: usize = 64;
/// Lines of talk are taken together until they have become so many bytes for those who hear them.
pub const RUN: usize = 4 << 10;
/// What one turn publishes into the rooms before it writes, unless the backlog asks for less:
/// a turn must stay well below the backlog, or it would outrun readers that keep up.
pub const TURN: usize = 128 << 10;
/// The backlog divided by this is what one turn may publish at most.
pub const TURNS_IN_BACKLOG: usize = 4;
/// The memory's ceiling divided by this is what one turn may add, be it by publishing or by what it keeps of its reads.
pub const TURNS_IN_MEMORY: usize = 64;
/// When the ceiling is passed, what can be given back divided by this is freed, so that there is room for more than the
/// next line.
pub const RELIEF: usize = 8;
/// The ceiling divided by this is left for what is queued and kept, however many connections and rooms there are.
pub const LEFT: usize = 4;
/// What is held divided by this comes on top of it, for the gaps between: measured with glibc, a thousand rooms, half
/// lines and readers that have stopped.
pub const GAPS: usize = 4;
/// The smallest ceiling.
pub const MIN_MEMORY: usize = 1 << 20;
/// Freed memory goes back to the system if it is so many bytes at least.
pub const RELEASE: usize = 256 << 10;
/// Freed memory goes back if it is no less than what was held divided by this, too.
pub const RELEASE_PART: usize = 8;
/// Freed memory goes back no more often than this, unless tables have moved.
pub const RELEASE_PAUSE: Millis = 100;
/// Rooms are lively when in one turn so many speak for each room that hears something.
pub const LIVELY: usize = 8;
/// Where rooms are lively the event loop waits so long for more to speak, in microseconds, if the turn took no less
/// itself.
pub const GATHER: u64 = 100;
/// A wait that took so many times longer than it should is one too long.
pub const GATHER_OVERRUN: u32 = 8;
/// After a wait that was too long there is none for a while.
pub const GATHER_REST: Millis = 1_000;
/// Connections accepted from one listener before the others get their turn.
pub const ACCEPTS: usize = 256;
/// How long accepting rests after the system refused a descriptor or memory for one more. Another
/// connection's end tries again at once.
pub const ACCEPT_PAUSE: Millis = 150;

/// A log's chunk: the unit in which memory is taken, dropped and given back. With the smallest
/// backlogs it shrinks, so that a reader is never held to much more than its backlog.
pub const CHUNK: usize = 16 << 10;
/// The smallest chunk.
pub const MIN_CHUNK: usize = 512;
/// Slices that one `writev` takes.
pub const SLICES: usize = 16;
/// Segments that the queue of a reader may hold that takes nothing just now: a client that talks but never reads adds
/// one with each line. Past that all its lines count as missed; what is for it alone stays.
pub const SEGMENTS: usize = 1000;
/// A reader that took nothing for so long has stopped: nobody waits for it, unless by `--slow wait`.
pub const STALL: Millis = 100;
/// How long a room waits for readers that are behind but take what they can, unless by `--slow wait`.
pub const PATIENCE: Millis = 1_000;
/// Unread replies past which nothing more is read from a client (contract, section 4).
pub const REPLIES: usize = 64 << 10;
/// Long answers are made in pieces of so many lines at most.
pub const PAGE_LINES: usize = 200;
/// The next piece of a long answer is made when less than this is left of the one before.
pub const PAGE: usize = 8 << 10;

/// A connection that ends and takes nothing of what is queued for it for so long is given up.
pub const DRAIN: Millis = 30_000;
/// How long the server waits for the peer's own end after its last word, discarding what still comes:
/// closing a socket with unread input would reset it, and the reset overtakes the last word.
pub const LINGER: Millis = 2_000;
/// How long a stop waits for readers: a little less than the 5 seconds of contract, promise 7, by whose end the
/// process is gone.
pub const STOP: Millis = 4_800;

/// How much of a transcript's end is read back at the start.
pub const TRANSCRIPT_TAIL: u64 = 1 << 20;
/// Lines that wait for the transcript's reader to make room, where the transcript is a pipe or a terminal;
/// one turn's lines in any case.
pub const TRANSCRIPT: usize = 256 << 10;
/// The pause before they are tried again, if no further lines come.
pub const TRANSCRIPT_PAUSE: Millis = 10;
/// A transcript's reader that took nothing for so long has stopped.
pub const TRANSCRIPT_PATIENCE: Millis = 1_000;
/// The pause before a transcript that failed is tried again.
pub const TRANSCRIPT_REST: Millis = 1_000;

/// Rooms of up to so many people hear who enters and leaves (contract, section 2).
pub const ANNOUNCED: usize = 100;

/// The longest name, and the longest name of a room without its `#`, in characters (contract, section 2).
pub const NAME: usize = 30;
/// The longest topic, in bytes.
pub const TOPIC: usize = 400;
/// The longest key of a room, in bytes.
pub const KEY: usize = 64;
/// Lines kept of each room.
pub const HISTORY: usize = 100;
/// Rooms that are not there, but of which a transcript has public lines: so many histories are kept.
pub const PAST_ROOMS: usize = 200;
/// Histories of rooms that are not there are kept of so many bytes together.
pub const PAST: usize = 1 << 20;
/// Bans.
pub const BANS: usize = 1_000;
/// Places remembered for a wrong password.
pub const TRIES: usize = 1_000;
/// The pause after the first wrong password. Each further one doubles it.
pub const TRY_PAUSE: Millis = 1_000;
/// The longest pause after a wrong password.
pub const TRY_PAUSE_MOST: Millis = 60_000;
/// The longest pause for those on the same machine, who are all alike.
pub const TRY_PAUSE_LOCAL: Millis = 5_000;
/// How long somebody may stand at the door without the password: longer than the longest pause.
pub const DOOR: Millis = 2 * TRY_PAUSE_MOST;
/// A wrong password is forgotten so long after its pause.
pub const TRY_MEMORY: Millis = 600_000;
/// Wrong passwords on one connection before it is closed.
pub const TRY_COUNT: u8 = 5;
