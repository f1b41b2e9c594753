//! The terminal's mode: single keys while lines are edited, and as it was at every other time.
//!
//! Owns how the terminal was, and that it is so again after every way out: an ordinary end, a panic,
//! a stop by the shell. Never sets a flag on a descriptor, and changes nothing of how output is
//! treated: a newline stays one.

use super::ready;
use rustix::process::{self, Signal};
use rustix::termios::{
    Action, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcflow, tcgetattr,
    tcgetpgrp, tcgetwinsize, tcsetattr,
};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, Once, PoisonError};

/// Asks the terminal to mark where a paste begins and ends.
const MARK_PASTES: &[u8] = b"\x1b[?2004h";
const LEAVE_PASTES: &[u8] = b"\x1b[?2004l";

/// Ends what a terminal was given only a part of: a sequence, a row, a colour, the marks of pastes.
pub const CUT_SHORT: &[u8] = b"\x18\r\x1b[K\x1b[0m\x1b[?2004l";

/// How the terminal was, while it is not so. Global for the sake of the panic hook.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal on standard input and output. When this goes, it is as it was.
pub struct Terminal(());

/// Whether there is a terminal on both sides, and one on which a row can be redrawn.
pub fn is_there() -> bool {
    let able = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    able && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// How many columns it has; 0 if it does not tell.
pub fn width() -> usize {
    tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col.into())
}

impl Terminal {
    /// Takes the terminal as it is, to be entered.
    pub fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                report(panic);
            }));
        });
        Self(())
    }

    /// Has keys come one by one; appends to `out` what the terminal must be told.
    pub fn enter(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        let was = match &*before {
            // Stopped and continued by somebody else, with single keys all the time.
            Some(was) => was.clone(),
            None => tcgetattr(io::stdin())?,
        };
        let mut keys = was.clone();
        keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        // Ctrl-C and Ctrl-Z come as keys: within a paste they mean nothing.
        keys.local_modes -= LocalModes::ISIG;
        keys.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &keys)?;
        *before = Some(was);
        out.extend_from_slice(MARK_PASTES);
        Ok(())
    }

    /// Makes it as it was; appends to `out` what it must be told. What was typed ahead is for whoever
    /// reads next, unless `discard`.
    pub fn leave(&mut self, discard: bool, out: &mut Vec<u8>) {
        if restore(discard) {
            out.extend_from_slice(LEAVE_PASTES);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Goes back to the shell as every program does on Ctrl-Z, with all of its pipeline; gives whether there
/// is a shell that could continue it.
pub fn ask_for_stop() -> bool {
    // A shell gives each job a process group of its own. In the session's first there is none above
    // who would continue it: a terminal's window was opened for this alone.
    let is_job = process::getsid(None).is_ok_and(|session| session != process::getpgrp());
    is_job && process::kill_current_process_group(Signal::TSTP).is_ok()
}

/// Whether another job has the terminal just now, as the shell has while this one is in the background. The kernel
/// then stops whoever changes its mode, within the call, and a signal that is caught only begins the call anew.
pub fn is_anothers() -> bool {
    // Where this fails there is no job control, and so nobody else.
    tcgetpgrp(io::stdin()).is_ok_and(|group| group != process::getpgrp())
}

/// Stops, with all of its pipeline, as the kernel does with whoever touches a terminal that is another's. Where no
/// shell could let it go on, it goes on at once.
pub fn stop_in_background() {
    // Nothing stands in its way.
    let _ = process::kill_current_process_group(Signal::TTOU);
}

/// Stops this process, until somebody lets it go on.
pub fn stop() {
    // Nothing stands in its way.
    let _ = process::kill_process(process::getpid(), Signal::STOP);
}

/// Makes it as it was at an end that left no time for more.
fn give_back() {
    if !restore(false) {
        return;
    }
    let stdout = io::stdout();
    if ready::to_write(&stdout) {
        // Any row and colour may be half written. There is nobody to tell of an error.
        let _ = stdout.lock().write_all(b"\r\n\x1b[0m");
        let _ = stdout.lock().write_all(LEAVE_PASTES);
        let _ = stdout.lock().flush();
    }
}

/// Gives whether it was this process that had to make it as it was.
fn restore(discard: bool) -> bool {
    let before = match BEFORE.try_lock() {
        Ok(mut before) => before.take(),
        Err(std::sync::TryLockError::Poisoned(before)) => before.into_inner().take(),
        // Only a panic of `enter` itself, in between two lines, could find it locked.
        Err(std::sync::TryLockError::WouldBlock) => None,
    };
    let Some(before) = before else { return false };
    if is_anothers() {
        // The shell has made it as it wants it.
        return false;
    }
    let when = match discard {
        true => OptionalActions::Flush,
        false => OptionalActions::Now,
    };
    // Whoever pressed Ctrl-S sees the end all the same: elsewhere the key that ends a program lets output go on, but
    // here it came as a key. To let go on undoes a stop of the same kind, so there is one first.
    let _ = tcflow(io::stdin(), Action::OOff);
    let _ = tcflow(io::stdin(), Action::OOn);
    // A terminal that is gone needs no mode.
    let _ = tcsetattr(io::stdin(), when, &before);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::fs::File;
    use std::process::Command;

    /// The test below runs this in a process of its own, whose terminal it watches.
    #[test]
    #[ignore = "panics on purpose"]
    fn panics_with_the_terminal_taken() {
        let mut terminal = Terminal::new();
        terminal.enter(&mut Vec::new()).expect("a terminal");
        let entered = tcgetattr(io::stdin()).expect("a terminal");
        assert!(!entered.local_modes.contains(LocalModes::ICANON));
        // With `panic = "abort"` nothing is dropped.
        std::mem::forget(terminal);
        panic!("on purpose");
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&outside).expect("granted");
        unlockpt(&outside).expect("unlocked");
        let path = ptsname(&outside, Vec::new()).expect("its name");
        let path = path.to_str().expect("a plain path");
        let inside = File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("its inside");
        let before = tcgetattr(&inside).expect("a terminal");
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("client::terminal::tests::panics_with_the_terminal_taken")
            .stdin(inside.try_clone().expect("a descriptor"))
            .stdout(inside.try_clone().expect("a descriptor"))
            .output()
            .expect("it runs");
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(report.contains("on purpose"), "{report}");
        let after = tcgetattr(&inside).expect("a terminal");
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        let mut screen = [0; 4096];
        let n = rustix::io::read(&outside, &mut screen).expect("something was printed");
        let seen = String::from_utf8_lossy(&screen[..n]);
        assert!(seen.contains("\x1b[?2004l"), "{seen:?}");
    }
}
