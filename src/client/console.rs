//! A person at the terminal: the part of the session that only they meet.
//!
//! Owns the editor and the terminal's mode, and joins them with the session: keys become lines to send,
//! whatever is printed goes above the row in which one types. Without a terminal on both sides
//! nothing here happens.

use super::editor::{Action, Editor, Moment};
use super::output::Output;
use super::session::Session;
use super::terminal::{self, Terminal};
use super::words;
use crate::wire::clean;
use std::io::{self, IsTerminal};
use std::time::Instant;

/// The editor and its terminal.
pub struct Console {
    editor: Editor,
    terminal: Terminal,
    /// The terminal is somebody else's for now.
    is_away: bool,
}

impl Console {
    /// When the editor wants to be told the time.
    pub fn deadline(&self) -> Option<Instant> {
        self.editor.deadline()
    }
}

/// Where to print: what is appended comes above the row in which one types.
pub fn above<'a>(console: &mut Option<Console>, output: &'a mut Output) -> &'a mut Vec<u8> {
    let out = output.back();
    if let Some(console) = console {
        console.editor.hide(out);
    }
    out
}

impl Session<'_> {
    /// Lines are edited from now on, if there is a terminal.
    pub(super) fn open_console(&mut self, now: Instant) {
        let Some(output) = self.output.as_mut().filter(|_| self.has_person) else {
            return;
        };
        let mut terminal = Terminal::new();
        let is_away = terminal::is_anothers();
        // A terminal that refuses is used as it is.
        if is_away || terminal.enter(output.back()).is_ok() {
            let editor = Editor::new(terminal::width(), self.color, self.config.bare, now);
            self.console = Some(Console {
                editor,
                terminal,
                is_away,
            });
        }
        if is_away {
            self.wait_for_terminal();
        }
    }

    /// The terminal is as it was from now on.
    pub(super) fn close_console(&mut self) {
        if let (Some(mut console), Some(output)) = (self.console.take(), &mut self.output) {
            console.editor.hide(output.back());
            // The rest of a paste must not become the shell's, nor an answer of the terminal.
            let discard = console.editor.expects_more();
            console.terminal.leave(discard, output.back());
        }
    }

    fn leave_console(&mut self) {
        if let (Some(console), Some(output)) = (&mut self.console, &mut self.output) {
            console.editor.hide(output.back());
            console.terminal.leave(false, output.back());
            console.is_away = true;
            self.flush();
        }
    }

    /// The user is back from the shell, or the session from something else.
    fn return_to_console(&mut self) {
        if self.console.is_some() && terminal::is_anothers() {
            return self.wait_for_terminal();
        }
        if let (Some(console), Some(output)) = (&mut self.console, &mut self.output) {
            // Where this fails the terminal is gone, and reading from it tells.
            let _ = console.terminal.enter(output.back());
            console.is_away = false;
            console
                .editor
                .resize(terminal::width(), Instant::now(), output.back());
            console.editor.redraw();
            self.print();
        }
    }

    /// Stops in the background. [`Session::resume`] is what follows, unless a signal ends the session there.
    fn wait_for_terminal(&mut self) {
        if let Some(console) = &mut self.console {
            console.is_away = true;
        }
        terminal::stop_in_background();
    }

    /// Whether the terminal is left alone for now: its keys are somebody else's.
    pub(super) fn is_away(&self) -> bool {
        self.console.as_ref().is_some_and(|console| console.is_away)
    }

    /// The window may have another width.
    pub fn resized(&mut self, now: Instant) {
        if let (Some(console), Some(output)) = (&mut self.console, &mut self.output)
            && !console.is_away
        {
            console.editor.resize(terminal::width(), now, output.back());
        }
    }

    /// Whether what others say must wait for a moment, because the terminal was asked where the row is.
    pub(super) fn is_asking(&self) -> bool {
        let console = self.console.as_ref();
        console.is_some_and(|console| console.editor.is_asking())
    }

    /// The shell wants its terminal back (Ctrl-Z).
    pub fn suspend(&mut self) {
        self.leave_console();
        let rest = self.print_last();
        terminal::stop();
        if let Some(output) = &mut self.output {
            // What others said is for afterwards.
            output.back().extend(rest);
        }
    }

    /// Somebody let the client go on that had stopped: the shell, at this terminal or in the background.
    pub fn resume(&mut self) {
        self.return_to_console();
    }

    /// Takes the first `n` bytes of the chunk as keys.
    pub(super) fn typed(&mut self, n: usize, now: Instant) {
        if self.is_asking() {
            // An answer is about the window as it is now, of which there may not have been word.
            self.resized(now);
        }
        self.edit(now, |editor, chunk, moment, actions| {
            editor.feed(&chunk[..n], moment, actions);
        });
    }

    /// Tells the editor the time.
    pub(super) fn tick(&mut self, now: Instant) {
        let deadline = self.console.as_ref().and_then(Console::deadline);
        if deadline.is_some_and(|at| now >= at) {
            self.edit(now, |editor, _, moment, actions| {
                editor.tick(moment, actions)
            });
        }
    }

    fn edit(
        &mut self,
        now: Instant,
        how: impl FnOnce(&mut Editor, &[u8], Moment<'_>, &mut Vec<Action>),
    ) {
        let Some(console) = &mut self.console else {
            return;
        };
        let blocked = self.output.as_ref().is_some_and(Output::is_overfull);
        let moment = Moment {
            now,
            scene: self.printer.scene(),
            can_send: !blocked && !self.outgoing.is_full(),
        };
        let mut actions = Vec::new();
        how(&mut console.editor, &self.chunk, moment, &mut actions);
        for action in actions {
            // After the end of the input nothing counts.
            if self.console.is_none() {
                return;
            }
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send(line) if self.leaves_at_once(line.as_bytes()) => self.stop(),
            Action::Send(line) => {
                self.show_own(&line);
                self.outgoing.push(line.as_bytes());
                self.outgoing.push(b"\n");
            }
            Action::Explain(why) => self.say(&why),
            Action::End => self.end_input(),
            Action::Quit => self.stop(),
            Action::Suspend => {
                if !terminal::ask_for_stop() {
                    self.say("there is no shell to go back to");
                }
            }
        }
    }

    fn show_own(&mut self, line: &str) {
        if let Some(output) = &mut self.output {
            let out = above(&mut self.console, output);
            self.printer
                .own(line, super::session::time(&mut self.clock), out);
        }
    }

    /// Shows the row in which one types below what is printed. Where much waits to be printed, it
    /// waits too.
    pub(super) fn show_row(&mut self) {
        if let (Some(console), Some(output)) = (&mut self.console, &mut self.output)
            && !output.is_full()
            && !console.is_away
        {
            self.printer.break_row(output.back());
            console.editor.show(self.printer.scene(), output.back());
        }
    }

    /// Says `text` to the user: on standard error, and where that is the terminal, above the row.
    pub(super) fn say(&mut self, text: &str) {
        match &mut self.output {
            Some(output) if self.console.is_some() && io::stderr().is_terminal() => {
                let out = above(&mut self.console, output);
                self.printer.break_row(out);
                out.extend_from_slice(b"snug: ");
                clean::append(out, text.as_bytes());
                out.push(b'\n');
            }
            _ => words::say(text),
        }
    }
}
