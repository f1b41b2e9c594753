//! Who is called what.
//!
//! Owns what can be a name, and that no two are the same. A name stands in its person only; here are numbers, found by the hash
//! of the name they stand for.

use super::PersonId;
use crate::limits;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use unicode_width::UnicodeWidthChar as _;

/// Characters of a name besides letters and digits (contract, section 2).
pub const ALSO: &str = "_-.|^`{}";

/// What keeps a text from being a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Empty,
    /// So many characters.
    TooLong(usize),
    /// Neither a letter, nor a digit, nor one of [`ALSO`].
    Character(char),
    /// Only the server calls people so: an address, or a guest's number.
    Reserved,
}

/// Whether somebody may call themselves so, or a room (there without its `#`).
///
/// Letters and digits of any script may bear marks (accents, vowel signs, a virama), which are invisible without them.
/// What is drawn as nothing would let two names look the same.
pub fn check(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::Empty);
    }
    let mut marks = MARKS;
    for c in name.chars() {
        let is_mark = c.width() == Some(0) && !is_blank(c);
        let is_letter = is_visible(c) && (c.is_alphanumeric() || ALSO.contains(c));
        marks = match (is_mark, is_letter) {
            (true, _) => marks + 1,
            (_, true) => 0,
            _ => return Err(Fault::Character(c)),
        };
        if marks > MARKS {
            return Err(Fault::Character(c));
        }
    }
    let length = name.chars().count();
    if length > limits::NAME {
        return Err(Fault::TooLong(length));
    }
    match looks_given(name) {
        true => Err(Fault::Reserved),
        false => Ok(()),
    }
}

/// Marks that one letter may bear; the first character is none.
const MARKS: usize = 3;

/// Whether a name is one that the server might have given: an address, or a guest's number.
fn looks_given(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(char::is_numeric);
    let guest = name
        .get(..5)
        .filter(|word| word.eq_ignore_ascii_case("guest"));
    let is_guest = guest.is_some_and(|_| is_number(&name[5..]));
    let is_address = name.contains('.')
        && name
            .split('.')
            .all(|part| part.is_empty() || is_number(part));
    is_guest || is_address || name.parse::<IpAddr>().is_ok()
}

/// Whether a character shows by itself, and something.
pub fn is_visible(c: char) -> bool {
    c.width().is_some_and(|width| width > 0) && !is_blank(c) && !c.is_whitespace()
}

/// Letters and marks that show nothing: what Unicode has ignored by default (DerivedCoreProperties), and blank signs.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{13430}'..='\u{1345F}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// The names in use. Case counts for nothing in ASCII (contract, section 2).
#[derive(Debug, Default)]
pub struct Names {
    table: HashTable<PersonId>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// Who bears `name`. `name_of` knows everybody in the table.
    pub fn find<'a>(&self, name: &str, name_of: impl Fn(PersonId) -> &'a str) -> Option<PersonId> {
        let same = |&id: &PersonId| name_of(id).eq_ignore_ascii_case(name);
        self.table.find(hash(&self.hasher, name), same).copied()
    }

    /// Enters somebody, who bears a name that nobody else does.
    pub fn insert<'a>(&mut self, id: PersonId, name_of: impl Fn(PersonId) -> &'a str) {
        let Self { table, hasher } = self;
        table.insert_unique(hash(hasher, name_of(id)), id, |&id| {
            hash(hasher, name_of(id))
        });
    }

    /// Strikes somebody off, who still bears `name`.
    pub fn remove(&mut self, id: PersonId, name: &str) {
        if let Ok(entry) = self
            .table
            .find_entry(hash(&self.hasher, name), |&other| other == id)
        {
            entry.remove();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

fn hash(hasher: &impl BuildHasher, name: &str) -> u64 {
    let mut state = hasher.build_hasher();
    for byte in name.bytes() {
        byte.to_ascii_lowercase().hash(&mut state);
    }
    state.finish()
}
