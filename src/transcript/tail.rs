//! The end of the file, read back at start.
//!
//! Owns what it read, cleaned. Never reads more than it was told to, however long the file, and
//! never waits for a pipe.

use super::{STANDARD_OUTPUT, place};
use crate::wire::clean;
use crate::wire::record::{self, Entry};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The last lines of a transcript.
#[derive(Debug, Default)]
pub struct Tail {
    /// Whole lines, clean, each with its newline.
    lines: Vec<u8>,
}

impl Tail {
    /// What was said, oldest first. Lines that are none of ours are passed over.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> {
        self.lines.split(|&b| b == b'\n').filter_map(record::parse)
    }
}

/// Reads the whole lines among the last `most_bytes` of the file, or nothing where there is nothing to read
/// back: no file or none that may be read, standard output, a pipe, a device.
pub fn read_tail(path: &Path, most_bytes: u64) -> io::Result<Tail> {
    if path == Path::new(STANDARD_OUTPUT) {
        return Ok(Tail::default());
    }
    let file = match place::open_to_read(path) {
        Ok(file) => file,
        // What cannot be opened at all, whoever opens it to write complains of.
        Err(error) => {
            if error.kind() == io::ErrorKind::PermissionDenied {
                log::warn!(
                    "{} cannot be read: there is no history of it",
                    path.display()
                );
            }
            return Ok(Tail::default());
        }
    };
    match file.metadata()?.is_file() {
        true => read(file, most_bytes),
        false => Ok(Tail::default()),
    }
}

fn read(mut file: File, most_bytes: u64) -> io::Result<Tail> {
    let start = file.metadata()?.len().saturating_sub(most_bytes);
    // One byte more: it tells whether a line begins at `start`.
    file.seek(SeekFrom::Start(start.saturating_sub(1)))?;
    let mut bytes = Vec::new();
    let most = most_bytes.saturating_add(u64::from(start > 0));
    file.take(most).read_to_end(&mut bytes)?;
    let begin = match start {
        0 => 0,
        _ => memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1),
    };
    // A last line without a newline may have been torn by a crash: nobody knows what it would have said. Whoever
    // wrote it by hand ends it, and it counts.
    let end = memchr::memrchr(b'\n', &bytes).map_or(begin, |at| at + 1);
    let mut lines = Vec::with_capacity(end.saturating_sub(begin));
    for line in bytes
        .get(begin..end)
        .unwrap_or_default()
        .split_inclusive(|&b| b == b'\n')
        .filter(|line| !line.ends_with(record::TORN_END))
    {
        clean::append(&mut lines, &line[..line.len() - 1]);
        lines.push(b'\n');
    }
    Ok(Tail { lines })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Folder;
    use super::*;
    use std::fs;

    const LINE: &str = "2026-11-22T14:03:07+01:00 #lobby <NAME> ";

    /// What is read back of a file of `bytes`, of which the last `most` are looked at.
    fn texts(bytes: &[u8], most: u64) -> Vec<String> {
        let folder = Folder::new();
        let path = folder.path("transcript");
        fs::write(&path, bytes).expect("a file");
        let tail = read_tail(&path, most).expect("readable");
        tail.entries().map(|entry| entry.text.to_owned()).collect()
    }

    #[test]
    fn whole_lines_at_the_end_are_read_back() {
        let file = format!("{LINE}one\n{LINE}two\n{LINE}six\n");
        let length = (LINE.len() + 4) as u64;
        for most in 0..=4 * length {
            let all = ["one", "two", "six"];
            let whole = (most / length).min(3) as usize;
            assert_eq!(texts(file.as_bytes(), most), all[3 - whole..], "{most}");
        }
        assert_eq!(texts(file.as_bytes(), u64::MAX).len(), 3);
    }

    #[test]
    fn torn_and_foreign_lines_are_passed_over() {
        let torn = format!("{LINE}one\n\n{LINE}two\r\nfoo\n{LINE}torn");
        assert_eq!(texts(torn.as_bytes(), 1 << 20), ["one", "two"]);
        assert_eq!(texts(torn.as_bytes(), 20), [""; 0]);
        let marked = format!("{LINE}one\n{LINE}torn\x18\n{LINE}two\n\x18\n{LINE}thr\x18ee\n");
        assert_eq!(texts(marked.as_bytes(), 1 << 20), ["one", "two", "three"]);
        assert_eq!(texts(b"", 100), [""; 0]);
        assert_eq!(texts(b"no newline at all", 100), [""; 0]);
        assert_eq!(texts(b"no newline at all", 5), [""; 0]);
        let mut hostile = format!("{LINE}\x1b[2Jred\n{LINE}\u{202e}evil\n{LINE}").into_bytes();
        hostile.extend_from_slice(b"\xff\x9b31m\n\0\0\0\n");
        assert_eq!(texts(&hostile, 1 << 20), ["[2Jred", "evil", "\u{FFFD}31m"]);
    }

    #[test]
    fn only_the_tail_of_a_long_file_is_read() {
        let folder = Folder::new();
        let path = folder.path("transcript");
        let file = File::create(&path).expect("a file");
        // Without a block on the disk.
        file.set_len(1 << 40).expect("a sparse file");
        drop(file);
        let mut file = File::options().append(true).open(&path).expect("open");
        io::Write::write_all(&mut file, format!("\n{LINE}last\n").as_bytes()).expect("written");
        let tail = read_tail(&path, 64 << 10).expect("readable");
        assert!(tail.lines.len() <= 64 << 10);
        assert_eq!(tail.entries().map(|e| e.text).collect::<Vec<_>>(), ["last"]);
    }

    #[test]
    fn nothing_is_read_back_where_nothing_is() {
        let folder = Folder::new();
        let fifo = folder.fifo("fifo");
        for path in [
            Path::new("-"),
            &folder.path("missing"),
            &fifo,
            Path::new("/dev/zero"),
        ] {
            let tail = read_tail(path, 1 << 20).expect("nothing");
            assert_eq!(tail.entries().count(), 0);
        }
        assert!(read_tail(&folder.path("missing/x"), 1).is_ok());
    }
}
