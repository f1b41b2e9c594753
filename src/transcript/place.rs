//! Where the lines go: a file known by its name, or standard output.
//!
//! Owns the open file, and knows whether it is still the one that bears the name. Never waits for
//! another program, never truncates: whoever follows the file sees it grow and do nothing else.

use super::keeper::{Opened, Target};
use crate::sink::Sink;
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What people say in a room is for those in it, not for everybody on the machine.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// Where the lines go.
pub enum Place {
    Named(Named),
    /// Standard output: it cannot be opened anew.
    Shared(Box<dyn Sink>),
}

/// A file, a device or a named pipe.
pub struct Named {
    path: PathBuf,
    file: Option<File>,
    /// Device and number of the file that was open last.
    last: Option<(u64, u64)>,
}

impl Place {
    /// The file of that name, not yet open.
    pub fn named(path: &Path) -> Self {
        Self::Named(Named {
            path: path.into(),
            file: None,
            last: None,
        })
    }
}

impl Target for Place {
    fn ready(&mut self) -> io::Result<Option<Opened>> {
        match self {
            Self::Named(named) => named.ready(),
            Self::Shared(_) => Ok(None),
        }
    }

    fn renew(&mut self) -> io::Result<Option<Opened>> {
        match self {
            Self::Named(named) => named.renew(),
            Self::Shared(_) => Ok(None),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Named(Named { file: None, .. }) => Err(io::ErrorKind::NotFound.into()),
            Self::Named(Named {
                file: Some(file), ..
            }) => Ok(rustix::io::retry_on_intr(|| {
                rustix::io::write(&*file, bytes)
            })?),
            Self::Shared(sink) => sink.write(bytes),
        }
    }

    fn close(&mut self) {
        if let Self::Named(named) = self {
            named.file = None;
        }
    }
}

impl Named {
    fn ready(&mut self) -> io::Result<Option<Opened>> {
        match &self.file {
            // Removed: nobody could ever read what is written to it.
            Some(file) if file.metadata()?.nlink() == 0 => self.open().map(Some),
            Some(_) => Ok(None),
            None => self.open().map(Some),
        }
    }

    /// Unlike `ready`, leaves a file that was renamed. It stays open if there can be no other.
    fn renew(&mut self) -> io::Result<Option<Opened>> {
        if let Some(file) = &self.file {
            let named = std::fs::metadata(&self.path);
            if named.is_ok_and(|named| file.metadata().is_ok_and(|open| id(&open) == id(&named))) {
                return Ok(None);
            }
        }
        self.open().map(Some)
    }

    fn open(&mut self) -> io::Result<Opened> {
        // Not to wait for a pipe's reader, neither here nor later.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
        let flags = flags | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::io::retry_on_intr(|| rustix::fs::open(&self.path, flags, MODE))?;
        let file = File::from(file);
        let metadata = file.metadata()?;
        let opened = Opened {
            same: self.last == Some(id(&metadata)),
            torn: metadata.is_file() && metadata.len() > 0 && is_torn(&self.path),
        };
        self.last = Some(id(&metadata));
        // The former file is closed only now, so that the new one cannot have been given its number.
        self.file = Some(file);
        Ok(opened)
    }
}

/// Opens a file to be read, without waiting for the other end of a pipe.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    Ok(File::from(file))
}

/// Whether `path` is a named pipe, which fails to open while nobody reads it.
pub fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Whether the last line has no end. A file that cannot be read is taken to be whole.
fn is_torn(path: &Path) -> bool {
    let last = || {
        let mut file = open_to_read(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        io::Result::Ok(byte[0])
    };
    last().is_ok_and(|byte| byte != b'\n')
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
