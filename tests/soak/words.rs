//! What stands on a client's wire, both ways.
//!
//! Everybody comes from an address of its own and is called by its number, so that whoever is named in a line is
//! known, and no announcement means two people.

use std::net::Ipv4Addr;

/// What a line tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// For all in a room.
    Room(News<'a>),
    /// So many lines of the room are not to come.
    Gap(u64),
    /// The first line.
    Welcome,
    /// Now in that room, under that name.
    YouAreIn(&'a str, &'a str),
    YouAreNow(&'a str),
    Pong(&'a str),
    /// Of whom, in their words: see [`whisper`].
    Private(&'a str),
    /// The sender's copy of it.
    Sent(&'a str),
    Closing,
    Other,
}

/// A line of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// By its number, on its visit, so many lines after its first there.
    Said {
        by: u32,
        visit: u32,
        at: u32,
    },
    Entered(u32),
    Left(u32),
    Renamed(u32, &'a str),
}

impl News<'_> {
    /// Who does not get the line, because it is theirs.
    pub fn author(&self) -> Option<u32> {
        match *self {
            Self::Said { by, .. } | Self::Renamed(by, _) => Some(by),
            Self::Entered(_) | Self::Left(_) => None,
        }
    }
}

/// Reads a line without its end; `None` if it is nothing that a server may say.
pub fn read(line: &[u8]) -> Option<Word<'_>> {
    let line = str::from_utf8(line).ok()?;
    if let Some(notice) = line.strip_prefix("*** ") {
        return read_notice(notice);
    }
    if let Some(said) = line.strip_prefix('<') {
        return read_said(said.split_once("> ")?);
    }
    if let Some(done) = line.strip_prefix("* ") {
        return read_said(done.split_once(' ')?);
    }
    if let Some(sent) = line.strip_prefix("[-> ") {
        return Some(Word::Sent(sent.split_once("] ")?.1));
    }
    if let Some(private) = line.strip_prefix('[') {
        return Some(Word::Private(private.split_once("] ")?.1));
    }
    (line == "Welcome to this chatroom!").then_some(Word::Welcome)
}

fn read_said<'a>((name, text): (&'a str, &'a str)) -> Option<Word<'a>> {
    let tag = text.strip_prefix('~')?.split(' ').next()?;
    let mut numbers = tag.splitn(3, '.').map(|number| number.parse().ok());
    let (by, visit, at) = (numbers.next()??, numbers.next()??, numbers.next()??);
    (number_of(name) == Some(by)).then_some(Word::Room(News::Said { by, visit, at }))
}

fn read_notice(notice: &str) -> Option<Word<'_>> {
    if let Some(rest) = notice.strip_prefix("you are in ") {
        return Some(
            rest.split_once(" as ")
                .map_or(Word::Other, |(room, name)| Word::YouAreIn(room, name)),
        );
    }
    if let Some(name) = notice.strip_prefix("you are now ") {
        return Some(Word::YouAreNow(name));
    }
    if let Some(text) = notice.strip_prefix("pong ") {
        return Some(Word::Pong(text));
    }
    if notice == "the server is closing" {
        return Some(Word::Closing);
    }
    let (first, rest) = notice.split_once(' ').unwrap_or((notice, ""));
    if let Ok(count) = first.parse() {
        let is_gap = ["line skipped: ", "lines skipped: "]
            .iter()
            .any(|words| rest.starts_with(words));
        return Some(if is_gap {
            Word::Gap(count)
        } else {
            Word::Other
        });
    }
    let news = match (number_of(first), rest) {
        (Some(number), "entered") => News::Entered(number),
        (Some(number), "left") => News::Left(number),
        (Some(number), _) if rest.starts_with("left: ") => News::Left(number),
        (Some(number), _) if rest.starts_with("is now ") => {
            News::Renamed(number, &rest["is now ".len()..])
        }
        _ => return Some(Word::Other),
    };
    Some(Word::Room(news))
}

/// The address that somebody comes from.
pub fn address_of(number: u32) -> Ipv4Addr {
    let [high, middle, low] = [number >> 16, number >> 8, number].map(|bits| bits as u8);
    Ipv4Addr::new(127, 1 + high % 250, middle, low)
}

/// What somebody calls itself the n-th time.
pub fn name_of(number: u32, count: u32) -> String {
    format!("c{number}-{count}")
}

/// Who is called so.
pub fn number_of(name: &str) -> Option<u32> {
    if let Some(rest) = name.strip_prefix('c') {
        return rest.split_once('-')?.0.parse().ok();
    }
    let ip: Ipv4Addr = name.parse().ok()?;
    let [_, high, middle, low] = ip.octets().map(u32::from);
    Some(high.checked_sub(1)? << 16 | middle << 8 | low)
}

/// A line of talk, padded to about so many bytes.
pub fn say(out: &mut Vec<u8>, number: u32, visit: u32, at: u32, length: usize, is_action: bool) {
    let start = out.len();
    if is_action {
        out.extend_from_slice(b"/me ");
    }
    out.extend_from_slice(format!("~{number}.{visit}.{at} ").as_bytes());
    let padding = b"the quick brown fox jumps over the lazy dog and on it goes ";
    let left = length.saturating_sub(out.len() - start);
    out.extend(padding.iter().cycle().take(left));
    // A blank at the end would be one all the same, but a reader of failures would not see it.
    out.extend_from_slice(b".\n");
}

/// The words of a private message: of whom, and the how many-th of theirs.
pub fn whisper(text: &str) -> Option<(u32, u32)> {
    let (number, count) = text.strip_prefix("~w")?.split_once('.')?;
    Some((number.parse().ok()?, count.parse().ok()?))
}
