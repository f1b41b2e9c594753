//! What all clients of a siege have in common: the rooms, the messages under way, the counts.

use crate::record::Room;
use std::collections::HashMap;

/// What all clients have in common.
#[derive(Debug, Default)]
pub struct World {
    pub rooms: Vec<Room>,
    /// Private messages that were not both confirmed and received, by their words.
    pub whispers: HashMap<(u32, u32), Whisper>,
    pub counts: Counts,
    pub gaps: Gaps,
}

/// Who may miss lines, if it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    #[default]
    Anybody,
    /// Who has stopped reading.
    Stopped,
    Nobody,
}

/// A private message.
#[derive(Clone, Copy, Debug)]
pub struct Whisper {
    pub to: u32,
    pub is_confirmed: bool,
    pub has_come: bool,
}

/// What a siege came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub came: u64,
    /// Lines said, and lines that stood in the record.
    pub said: u64,
    pub recorded: u64,
    /// Lines that were compared with the record, and bytes read.
    pub compared: u64,
    pub bytes: u64,
    /// Gaps, and the lines in them.
    pub gaps: u64,
    pub missed: u64,
    /// Of those, lines that are not in the record, because its scribe missed them.
    pub unrecorded: u64,
    pub whispered: u64,
    pub moved: u64,
    pub renamed: u64,
    pub quit: u64,
    pub half_closed: u64,
    pub cut_off: u64,
    pub closed: u64,
}
