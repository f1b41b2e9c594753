//! The server's own lines, as its users see them.

use snug::limits::{self, Millis};

/// A time of day: seconds since 1970, UTC, and by how many the local time is ahead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    pub unix: i64,
    pub offset: i32,
}

impl Clock {
    /// Whether anybody has set it: before 2020, nobody has.
    fn is_set(self) -> bool {
        self.unix >= (50 * 365 + 12) * 86_400
    }

    /// The local date, and the time as hours, minutes and seconds.
    fn local(self) -> (String, i64, i64, i64) {
        let seconds = self.unix + i64::from(self.offset);
        let mut day = seconds.div_euclid(86_400);
        let time = seconds.rem_euclid(86_400);
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut year = 1970;
        while day < 0 {
            year -= 1;
            day += 365 + i64::from(is_leap(year));
        }
        while day >= 365 + i64::from(is_leap(year)) {
            day -= 365 + i64::from(is_leap(year));
            year += 1;
        }
        let february = 28 + i64::from(is_leap(year));
        let mut month = 1;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if day < length {
                break;
            }
            day -= length;
            month += 1;
        }
        let date = format!("{year:04}-{month:02}-{:02}", day + 1);
        (date, time / 3_600, time / 60 % 60, time % 60)
    }
}

/// A line that was said in public.
#[derive(Clone, Debug)]
pub struct Said {
    /// Grows with each line of a room.
    pub number: u64,
    pub at: Millis,
    pub clock: Clock,
    pub is_action: bool,
    pub name: String,
    pub text: String,
    /// Said behind a key.
    pub is_private: bool,
}

impl Said {
    /// As its room gets it.
    pub fn line(&self) -> String {
        let Self { name, text, .. } = self;
        match self.is_action {
            true => format!("* {name} {text}"),
            false => format!("<{name}> {text}"),
        }
    }

    /// As those get it who come later.
    pub fn earlier(&self, now: Millis, clock: Clock) -> String {
        let when = if self.clock.is_set() && clock.is_set() {
            let ((date, hour, minute, _), (today, ..)) = (self.clock.local(), clock.local());
            match date == today {
                true => format!("{hour:02}:{minute:02}"),
                false => format!("{date} {hour:02}:{minute:02}"),
            }
        } else {
            format!("{} ago", age(now - self.at))
        };
        format!("[{when}] {}", self.line())
    }

    /// As the transcript has it.
    pub fn record(&self, room: &str) -> String {
        let (date, hour, minute, second) = self.clock.local();
        let ahead = self.clock.offset.abs() / 60;
        let sign = if self.clock.offset < 0 { '-' } else { '+' };
        let zone = format!("{sign}{:02}:{:02}", ahead / 60, ahead % 60);
        let line = self.line();
        format!("{date}T{hour:02}:{minute:02}:{second:02}{zone} {room} {line}\n")
    }
}

/// A span of time, in its largest unit.
pub fn age(span: Millis) -> String {
    match span / 1_000 {
        s @ ..60 => format!("{s} s"),
        s @ ..3_600 => format!("{} min", s / 60),
        s @ ..86_400 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// How many people there are.
pub fn people(count: usize) -> String {
    match count {
        1 => "1 person".into(),
        n => format!("{n} people"),
    }
}

/// What somebody left with, or was thrown out with, if with any word.
pub fn with(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// One room in the answer to `/rooms`.
pub fn room(name: &str, count: usize, is_closed: bool, topic: &str) -> String {
    let about = match (is_closed, topic) {
        (true, _) => ", closed".into(),
        (false, topic) => with(topic),
    };
    format!("*** {name}, {}{about}", people(count))
}

/// What a room is about.
pub fn topic(room: &str, topic: &str) -> String {
    match (room, topic) {
        ("#lobby", "") => "*** #lobby has no topic; an admin can set one".into(),
        (_, "") => format!(
            "*** {room} has no topic; whoever has been here longest can set one with: /topic TEXT"
        ),
        _ => format!("*** {room} is about: {topic}"),
    }
}

/// What closes a room.
pub fn key(room: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => {
            format!("*** {room} is closed with the key {key}; /key - opens it to all")
        }
        None => format!("*** {room} is open to all; /key KEY closes it"),
    }
}

/// That a room's topic and key are not somebody's to set.
pub fn not_yours(room: &str) -> String {
    match room {
        "#lobby" => "*** only an admin can set the topic of #lobby".into(),
        _ => format!(
            "*** only whoever has been in {room} longest, or an admin, can set its topic and key"
        ),
    }
}

/// That somebody must wait before another secret is looked at.
pub fn try_later(pause: Millis) -> String {
    format!(
        "*** too many wrong tries from your address; wait {} s, then try again",
        pause.div_ceil(1_000)
    )
}

/// How a command is written.
pub fn usage(how: &str) -> String {
    format!("*** write it like this: {how}")
}

/// What cannot be a key.
pub fn bad_key() -> String {
    format!("*** a key is one word of at most {} bytes", limits::KEY)
}

/// What keeps a text from being a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Empty,
    Bad,
    /// Only the server calls people so.
    Reserved,
}

/// Letters, digits and some signs, thirty at most, and nothing that looks like an address or a guest's number.
pub fn fault(name: &str) -> Option<Fault> {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(char::is_numeric);
    let is_good = |c: char| c.is_alphanumeric() || "_-.|^`{}".contains(c);
    if name.is_empty() {
        return Some(Fault::Empty);
    }
    if !name.chars().all(is_good) || name.chars().count() > limits::NAME {
        return Some(Fault::Bad);
    }
    let lower = name.to_ascii_lowercase();
    let is_guest = lower.strip_prefix("guest").is_some_and(is_number);
    let mut parts = name.split('.');
    let is_address = name.contains('.') && parts.all(|part| part.is_empty() || is_number(part));
    (is_guest || is_address).then_some(Fault::Reserved)
}
