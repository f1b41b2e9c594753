//! Who is called what.
//!
//! Owns what can be a name, and that no two are the same. A name stands in its person only; here are numbers, found by the hash
//! of the name they stand for.

use super::PersonId;
use crate::limits;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

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
pub fn check(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::Empty);
    }
    if let Some(c) = name
        .chars()
        .find(|&c| !c.is_alphanumeric() && !ALSO.contains(c))
    {
        return Err(Fault::Character(c));
    }
    let length = name.chars().count();
    if length > limits::NAME {
        return Err(Fault::TooLong(length));
    }
    let number = name
        .get(..5)
        .filter(|word| word.eq_ignore_ascii_case("guest"))
        .map(|_| &name[5..]);
    let is_guest = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    match is_guest || name.parse::<IpAddr>().is_ok() {
        true => Err(Fault::Reserved),
        false => Ok(()),
    }
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
