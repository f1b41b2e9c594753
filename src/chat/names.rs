//! Who is called what.
//!
//! Owns the uniqueness of names. A name stands in its person only; here are numbers, found by the hash
//! of the name they stand for.

use super::PersonId;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash, Hasher};

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
