//! The socket file of a Unix listener: making room for it, and removing it in the end.
//!
//! Removes nothing but sockets at which nobody answers.

use super::Reason;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A socket file this process made. Removed when dropped, unless another has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// The file that `bind` has just made at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let made = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_path_buf(),
            device: made.dev(),
            inode: made.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = |there: Metadata| (there.dev(), there.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // Should that fail, the next server removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what a dead server left at `path`. A server that answers, and anything that is not a
/// socket, is an error.
pub(super) fn remove_stale(path: &Path) -> Result<(), Reason> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        // The commonest case, or a missing folder: `bind` tells.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !there.file_type().is_socket() {
        return Err(Reason::NotASocket);
    }
    // Non-blocking, because a server whose queue is full would make a connect wait.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    let answer = probe.connect(&SockAddr::unix(path)?);
    match answer.map_err(|error| Errno::from_io_error(&error)) {
        Err(Some(Errno::CONNREFUSED)) => {}
        Err(Some(Errno::NOENT)) => return Ok(()),
        Err(Some(Errno::ACCESS | Errno::PERM)) => return Err(Reason::Forbidden),
        // Answered, its queue is full, or a socket of another type.
        _ => return Err(Reason::ServerRunning),
    }
    // Another server may have done the same, and have bound since.
    match fs::symlink_metadata(path) {
        Ok(now) if now.ino() == there.ino() => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
