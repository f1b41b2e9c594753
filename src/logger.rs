//! Where log lines go: standard error, one line a record, whatever state that stream is in.
//!
//! Owns the form of a line, the time before it, and the count of lines that could not be written.
//! `simple_logger` decides what is logged (the level, and those of parts). A line is cleaned of all that
//! could act on a terminal and is [`MAX_LINE`] bytes long at most.
//!
//! It never panics, blocks or spins, and keeps at most one line: a full pipe, a stopped terminal, a
//! full disk or a reader that is gone cost a counted line each, and the count is the first line
//! that gets through again. It never sets a flag on standard error itself, which the shell and
//! other programs share.

use crate::clock::LocalClock;
use crate::sink::{Descriptor, Sink};
use crate::system::PIPE_BUF;
use crate::wire::clean;
use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::fs::fstat;
use simple_logger::SimpleLogger;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

/// The longest line, newline included. A pipe that says it is ready takes so much without blocking.
pub const MAX_LINE: usize = PIPE_BUF;
/// Stands where the rest of a longer line was cut off.
const CUT: &str = "…";

/// Starts logging at `level`, or as `RUST_LOG` says: `debug`, `snug::hub=debug`, or several of these with commas between
/// them. What of it cannot be read is logged. Only the first call counts.
///
/// At the end of the program, `log::logger().flush()` tries what is still owed to the stream.
pub fn init(level: LevelFilter) {
    // A file that may not grow any more is a fault like any other.
    crate::system::outlive_file_size_limit();
    let text = std::env::var_os("RUST_LOG").unwrap_or_default();
    let text = text.to_string_lossy();
    let (filter, unread) = filter(level, &text);
    let max_level = filter.max_level();
    let stderr = io::stderr();
    let clock = Clock::new(Stamp::fitting(&stderr));
    let logger = Logger {
        filter,
        output: Mutex::new(Output::new(Descriptor::new(stderr), clock)),
    };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(max_level);
    }
    for directive in unread {
        log::warn!(
            "RUST_LOG: '{directive}' is passed over; write a level such as debug, or snug::hub=debug"
        );
    }
}

/// What is logged, by a level and what `RUST_LOG` says instead, and what of that cannot be read.
fn filter(level: LevelFilter, text: &str) -> (SimpleLogger, Vec<&str>) {
    let mut filter = SimpleLogger::new().with_level(level);
    let mut unread = Vec::new();
    let directives = text.split(',').map(str::trim);
    for directive in directives.filter(|directive| !directive.is_empty()) {
        let (module, level) = match directive.split_once('=') {
            None => (None, directive),
            Some((module, level)) => (Some(module.trim()), level.trim()),
        };
        filter = match (module, level.parse()) {
            (None, Ok(level)) => filter.with_level(level),
            (Some(module), Ok(level)) if !module.is_empty() => {
                filter.with_module_level(module, level)
            }
            _ => {
                unread.push(directive);
                filter
            }
        };
    }
    (filter, unread)
}

/// Joins the three: what is logged, how it reads, where it goes.
struct Logger<S> {
    filter: SimpleLogger,
    /// Never contended: one thread logs, and nothing that is done under the lock logs.
    output: Mutex<Output<S>>,
}

impl<S: Sink> Log for Logger<S> {
    fn enabled(&self, metadata: &Metadata) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Before the lock is taken: whatever formats itself here may itself log.
        let text = Text::of(record.args());
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.record(record.level(), &text);
    }

    fn flush(&self) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.settle();
    }
}

/// Lines on their way to a sink, and what the sink still owes them.
struct Output<S> {
    sink: S,
    clock: Clock,
    /// The rest of a line whose beginning the sink has taken. Goes before anything else.
    tail: Vec<u8>,
    /// Lines dropped since the sink last took one.
    lost: u64,
    /// Why the last of them was. `Some` whenever `lost` is not 0.
    why: Option<io::Error>,
}

impl<S: Sink> Output<S> {
    fn new(sink: S, clock: Clock) -> Self {
        Self {
            sink,
            clock,
            tail: Vec::new(),
            lost: 0,
            why: None,
        }
    }

    fn record(&mut self, level: Level, text: &Text) {
        if !self.settle() {
            self.lost += 1;
            return;
        }
        let line = self.line(level, text);
        match self.put(&line) {
            0 => self.lost += 1,
            n => self.tail.extend_from_slice(&line[n..]),
        }
    }

    /// Writes what is owed: the rest of a line, then how many were lost. Whether that is done.
    fn settle(&mut self) -> bool {
        if !self.tail.is_empty() {
            let mut tail = std::mem::take(&mut self.tail);
            tail.drain(..self.put(&tail));
            self.tail = tail;
        }
        if self.lost > 0 && self.tail.is_empty() {
            let notice = self.line(Level::Warn, &self.loss());
            let n = self.put(&notice);
            if n > 0 {
                self.lost = 0;
                self.tail.extend_from_slice(&notice[n..]);
            }
        }
        self.tail.is_empty() && self.lost == 0
    }

    fn loss(&self) -> Text {
        let lines = if self.lost == 1 { "line" } else { "lines" };
        let lost = self.lost;
        match &self.why {
            Some(error) if error.kind() != io::ErrorKind::WouldBlock => Text::of(&format_args!(
                "{lost} log {lines} lost: standard error failed: {error}"
            )),
            _ => Text::of(&format_args!(
                "{lost} log {lines} lost: standard error was full"
            )),
        }
    }

    /// Writes as much of `line` as the sink takes now, and says how many bytes that is.
    fn put(&mut self, line: &[u8]) -> usize {
        let mut written = 0;
        while written < line.len() {
            match self.sink.write(&line[written..]) {
                Ok(0) => {
                    self.why = Some(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(n) => written += n,
                Err(error) => {
                    self.why = Some(error);
                    break;
                }
            }
        }
        written
    }

    fn line(&mut self, level: Level, text: &Text) -> Vec<u8> {
        let mut line = String::with_capacity(32 + text.text.len());
        self.clock.append(&mut line);
        // `Level` does not pad when it is displayed.
        let _ = write!(line, "{:<5} ", level.as_str());
        line.push_str(&text.text);
        if text.cut || line.len() >= MAX_LINE {
            let mut end = line.len().min(MAX_LINE - 1 - CUT.len());
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
            line.push_str(CUT);
        }
        line.push('\n');
        line.into_bytes()
    }
}

/// What a record says, cleaned, and never much longer than a line can be.
struct Text {
    text: String,
    /// There was more of it.
    cut: bool,
}

impl Text {
    fn of(args: &fmt::Arguments) -> Self {
        let mut raw = Bounded(String::new());
        // An error is either `Bounded` saying that it is full, or a `Display` that gave up: what it
        // wrote before is still worth logging.
        let cut = raw.write_fmt(*args).is_err();
        let text = clean::cleaned(raw.0.as_bytes());
        Self { text, cut }
    }
}

/// A string that refuses to grow far beyond [`MAX_LINE`], so that no record can cost more memory.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut end = text.len().min(MAX_LINE - self.0.len().min(MAX_LINE));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push_str(&text[..end]);
        if end == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// Which time stands before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    /// The journal stamps its lines itself.
    None,
    /// For somebody who watches.
    Time,
    /// For a file or a pipe, which may be read days later.
    DateAndTime,
}

impl Stamp {
    fn fitting(fd: &(impl AsFd + IsTerminal)) -> Self {
        // A shell started from a service inherits the variable, so it counts only if it names this
        // very stream (systemd.exec(5)).
        let journal = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let stream = fstat(fd).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
        match stream {
            Ok(stream) if stream == journal => Self::None,
            _ if fd.is_terminal() => Self::Time,
            _ => Self::DateAndTime,
        }
    }
}

/// The time before each line.
struct Clock {
    stamp: Stamp,
    local: LocalClock,
}

impl Clock {
    fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            local: LocalClock::default(),
        }
    }

    fn append(&mut self, line: &mut String) {
        if self.stamp == Stamp::None {
            return;
        }
        let (now, mark) = (self.local.now(), self.local.mark());
        if self.stamp == Stamp::DateAndTime {
            let (year, month, day) = now.to_calendar_date();
            let _ = write!(line, "{year:04}-{:02}-{day:02} ", u8::from(month));
        }
        let (hour, minute, second) = now.to_hms();
        let _ = write!(line, "{hour:02}:{minute:02}:{second:02}{mark} ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::pipe::pipe;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::collections::VecDeque;
    use std::fs::File;
    use std::io::Read;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn the_environment_sets_levels_of_all_and_of_parts() {
        // What is heard of the hub, and of others, for a level of `info`.
        for (text, hub, others, wrong) in [
            ("", "INFO", "INFO", &[][..]),
            ("debug", "DEBUG", "DEBUG", &[]),
            ("OFF", "OFF", "OFF", &[]),
            ("snug::hub=trace", "TRACE", "INFO", &[]),
            ("snug=debug,warn", "DEBUG", "WARN", &[]),
            (" warn , snug::hub = off ,", "OFF", "WARN", &[]),
            ("mio=trace", "INFO", "INFO", &[]),
            ("inof", "INFO", "INFO", &["inof"]),
            (
                "debug,snug=much,=warn,snug",
                "DEBUG",
                "DEBUG",
                &["snug=much", "=warn", "snug"],
            ),
            (
                "snug::hub=debug/regex",
                "INFO",
                "INFO",
                &["snug::hub=debug/regex"],
            ),
        ] {
            let (filter, unread) = filter(LevelFilter::Info, text);
            assert_eq!(unread, wrong, "{text}");
            let heard = |target: &str| {
                let hears = |level: &Level| {
                    let metadata = Metadata::builder().level(*level).target(target).build();
                    filter.enabled(&metadata)
                };
                let most = Level::iter().filter(hears).last();
                most.map_or("OFF", |level| level.as_str())
            };
            let target = if text.starts_with("snug=") {
                "other"
            } else {
                "snug::server"
            };
            assert_eq!(
                (heard("snug::hub::ending"), heard(target)),
                (hub, others),
                "{text}"
            );
        }
    }

    /// Takes as many bytes as each step says, or fails as it says; everything once they are used up.
    #[derive(Default)]
    struct Script {
        steps: VecDeque<io::Result<usize>>,
        out: Vec<u8>,
        calls: usize,
    }

    impl Sink for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            let n = match self.steps.pop_front() {
                None => bytes.len(),
                Some(step) => step?.min(bytes.len()),
            };
            self.out.extend_from_slice(&bytes[..n]);
            Ok(n)
        }
    }

    fn full() -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn disk_full() -> io::Result<usize> {
        Err(rustix::io::Errno::NOSPC.into())
    }

    fn output<S: Sink>(sink: S) -> Output<S> {
        Output::new(sink, Clock::new(Stamp::None))
    }

    fn info<S: Sink>(output: &mut Output<S>, text: &str) {
        output.record(Level::Info, &Text::of(&format_args!("{text}")));
    }

    /// Logs `a`, `b`, `c`, `d` into a sink that behaves as `steps` say; what came out.
    fn after(steps: Vec<io::Result<usize>>) -> String {
        let mut output = output(Script {
            steps: steps.into(),
            ..Script::default()
        });
        for text in ["a", "b", "c", "d"] {
            info(&mut output, text);
        }
        String::from_utf8(output.sink.out).expect("lines are UTF-8")
    }

    #[test]
    fn lines_that_are_lost_are_counted_and_said() {
        let all = "INFO  a\nINFO  b\nINFO  c\nINFO  d\n";
        assert_eq!(after(vec![]), all);
        assert_eq!(
            after(vec![full()]),
            "WARN  1 log line lost: standard error was full\nINFO  b\nINFO  c\nINFO  d\n"
        );
        assert_eq!(
            after(vec![full(), full(), disk_full()]),
            "WARN  3 log lines lost: standard error failed: No space left on device (os error 28)\n\
             INFO  d\n"
        );
        assert_eq!(
            after(vec![full(), full(), full(), full()]),
            "",
            "nothing is tried twice"
        );
    }

    #[test]
    fn a_line_cut_by_a_short_write_is_finished_first() {
        // Cut, and finished before the next line.
        assert_eq!(
            after(vec![Ok(3), full()]),
            "INFO  a\nINFO  b\nINFO  c\nINFO  d\n"
        );
        // Not yet finished when `b` and `c` come: they are lost, `a` is not.
        assert_eq!(
            after(vec![Ok(3), full(), full(), Ok(1), full()]),
            "INFO  a\nWARN  2 log lines lost: standard error was full\nINFO  d\n"
        );
        // The count itself is cut.
        assert_eq!(
            after(vec![full(), Ok(9), full()]),
            "WARN  1 log line lost: standard error was full\n\
             WARN  1 log line lost: standard error was full\nINFO  c\nINFO  d\n"
        );
        // One that takes nothing and says nothing.
        assert_eq!(
            after(vec![Ok(0)]),
            "WARN  1 log line lost: standard error failed: write zero\nINFO  b\nINFO  c\nINFO  d\n"
        );
    }

    #[test]
    fn flushing_says_what_is_owed_and_costs_nothing_otherwise() {
        let mut output = output(Script {
            steps: [Ok(2), full(), full()].into(),
            ..Script::default()
        });
        info(&mut output, "a");
        info(&mut output, "b");
        assert!(output.settle());
        assert_eq!(
            String::from_utf8_lossy(&output.sink.out),
            "INFO  a\nWARN  1 log line lost: standard error was full\n"
        );
        let calls = output.sink.calls;
        assert!(output.settle());
        assert_eq!(output.sink.calls, calls);
        info(&mut output, "one line is one write");
        assert_eq!(output.sink.calls, calls + 1);
    }

    #[test]
    fn what_would_act_on_a_terminal_is_taken_out() {
        let mut output = output(Script::default());
        info(
            &mut output,
            "\x1b]0;owned\x07 \u{202e}two\r\nlines\u{9b}31m",
        );
        assert_eq!(
            String::from_utf8_lossy(&output.sink.out),
            "INFO  ]0;owned twolines31m\n"
        );
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        for len in MAX_LINE - 20..MAX_LINE + 20 {
            for unit in ["x", "é", "世", "👋"] {
                let text = unit.repeat(len / unit.len());
                let mut output = output(Script::default());
                info(&mut output, &text);
                let line = String::from_utf8(output.sink.out).expect("cut between characters");
                assert!(line.len() <= MAX_LINE, "{len} {unit}: {}", line.len());
                let whole = "INFO  ".len() + text.len() < MAX_LINE;
                assert_eq!(line == format!("INFO  {text}\n"), whole, "{len} {unit}");
                assert_eq!(line.ends_with("…\n"), !whole, "{len} {unit}");
                assert!(line.len() > MAX_LINE - 30, "{len} {unit}");
            }
        }
        // A text of many pieces, the first of which fills it.
        let text = Text::of(&format_args!(
            "{}{}",
            "x".repeat(MAX_LINE),
            "y".repeat(1 << 20)
        ));
        assert!(text.cut && text.text.len() == MAX_LINE);
    }

    #[test]
    fn the_time_has_the_form_that_fits_the_stream() {
        let digits_as_9 = |stamp| {
            let mut line = String::new();
            Clock::new(stamp).append(&mut line);
            line.replace(|c: char| c.is_ascii_digit(), "9")
                .replace('Z', "")
        };
        assert_eq!(digits_as_9(Stamp::None), "");
        assert_eq!(digits_as_9(Stamp::Time), "99:99:99 ");
        assert_eq!(digits_as_9(Stamp::DateAndTime), "9999-99-99 99:99:99 ");
    }

    const LINES: u64 = 5000;

    /// Runs `work` and fails if it blocks.
    fn without_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        thread::spawn(move || done.send(work()));
        result
            .recv_timeout(Duration::from_secs(60))
            .expect("the logger must not block")
    }

    /// Logs lines of 500 bytes to `fd`, more than any pipe or terminal holds. Its flags must stay as
    /// they are.
    fn flood<F: AsFd + IsTerminal + Send + 'static>(fd: F, reopen: bool) -> Output<Descriptor<F>> {
        without_blocking(move || {
            let flags = fcntl_getfl(&fd).expect("an open file");
            let descriptor = match reopen {
                true => Descriptor::new(fd),
                false => Descriptor::shared(fd),
            };
            let mut output = output(descriptor);
            for _ in 0..LINES {
                info(&mut output, &"x".repeat(500));
            }
            let now = fcntl_getfl(output.sink.as_shared()).expect("still open");
            assert_eq!(now, flags);
            output
        })
    }

    #[test]
    fn a_pipe_nobody_reads_costs_lines_not_time() {
        for reopen in [true, false] {
            let (reader, writer) = pipe().expect("pipe");
            let mut output = flood(writer, reopen);
            assert!(output.lost > 500, "{}", output.lost);

            let lost = output.lost;
            let mut reader = File::from(reader);
            let mut buffer = vec![0; 1 << 20];
            let held = reader.read(&mut buffer).expect("read");
            info(&mut output, "again");
            let n = reader.read(&mut buffer[held..]).expect("read");
            let text = String::from_utf8_lossy(&buffer[..held + n]);
            let notice =
                format!("\nWARN  {lost} log lines lost: standard error was full\nINFO  again\n");
            assert!(text.ends_with(&notice));
            assert!(text.lines().all(|l| l.len() == 506 || !l.contains('x')));
        }
    }

    #[test]
    fn a_pipe_that_somebody_made_non_blocking_is_taken_as_it_is() {
        let (reader, writer) = pipe().expect("pipe");
        let flags = fcntl_getfl(&writer).expect("an open file");
        fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("a flag");
        assert!(flood(writer, false).lost > 500);
        drop(reader);
    }

    #[test]
    fn a_reader_that_is_gone_and_a_full_disk_lose_every_line() {
        for reopen in [true, false] {
            let (reader, writer) = pipe().expect("pipe");
            drop(reader);
            let output = flood(writer, reopen);
            assert_eq!(output.lost, LINES);
            assert!(output.loss().text.contains("Broken pipe"));
        }
        if cfg!(target_os = "linux") {
            let full = File::options()
                .write(true)
                .open("/dev/full")
                .expect("/dev/full");
            let output = flood(full, true);
            assert_eq!(output.lost, LINES);
            assert!(output.loss().text.contains("No space left"));
        }
    }

    /// Neither stops nor reads: a terminal emulator that hangs, or Ctrl-S.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_terminal_nobody_reads_costs_lines_not_time() {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&controller).expect("ours");
        unlockpt(&controller).expect("ours");
        let name = ptsname(&controller, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = rustix::fs::open(&*name, flags, Mode::empty()).expect("its other end");
        let output = flood(terminal, true);
        assert!(output.lost > 500, "{}", output.lost);
    }
}
