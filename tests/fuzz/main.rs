//! The fuzzer's properties without the fuzzer: they hold for the seeds, and for what chance makes of them.

mod properties;

use std::fs;
use std::path::{Path, PathBuf};

/// Inputs of chance for each property.
const INPUTS: usize = 2_000;
/// The longest of them, unless a seed is longer.
const LONGEST: usize = 400;

/// Xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn byte(&mut self) -> u8 {
        match self.below(4) {
            0 => self.below(256) as u8,
            1 => b"\n\r\t /<>[]#*:.-\x1b\x7f"[self.below(16)],
            2 => self.below(32) as u8,
            _ => b'a' + self.below(26) as u8,
        }
    }

    /// Something new, or something made of what there is.
    fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let length = self.below(LONGEST);
        if seeds.is_empty() || self.below(4) == 0 {
            return (0..length).map(|_| self.byte()).collect();
        }
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let behind = input.len() - at;
            match self.below(5) {
                0 => input.insert(at, self.byte()),
                1 if behind > 0 => input[at] = self.byte(),
                2 if behind > 0 => _ = input.drain(at..at + 1 + self.below(behind.min(8))),
                3 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len() + 1);
                    input.splice(at..at, other[from..].iter().copied());
                }
                _ => input.extend_from_within(at..),
            }
        }
        input.truncate(4 * LONGEST);
        input
    }
}

/// Shows the input with which a property failed.
struct Told<'a>(&'a str, &'a [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "{} does not hold for b\"{}\"",
                self.0,
                self.1.escape_ascii()
            );
        }
    }
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds")
}

fn replay(name: &str, property: fn(&[u8])) {
    let folder = fs::read_dir(seeds().join(name)).expect("a folder of seeds");
    let mut paths: Vec<PathBuf> = folder
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).expect("a seed"))
        .collect();
    assert!(!seeds.is_empty());
    let mut chance = Chance(0x2545_F491_4F6C_DD1D);
    let made = (0..INPUTS).map(|_| chance.input(&seeds));
    for input in seeds.iter().cloned().chain([Vec::new()]).chain(made) {
        let told = Told(name, &input);
        property(told.1);
    }
}

macro_rules! properties {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), properties::$name);
        })*

        #[test]
        fn every_folder_of_seeds_has_a_property() {
            let mut folders: Vec<String> = fs::read_dir(seeds())
                .expect("the seeds")
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
                .collect();
            folders.sort();
            assert_eq!(folders, [$(stringify!($name)),*]);
        }
    };
}

properties! {
    address chat cleaner command decoder editor fanout heard keys line names outbox plain record scene stranger
}
