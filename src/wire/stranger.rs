//! Who speaks something else: the first line of a connection, looked at for other protocols.
//!
//! Owns what they look like. Never sees anything but a connection's first line, and knows nothing of what is done
//! with those who are found out: a browser, a scanner or a client with the wrong port, whose lines are no chat.

use std::fmt;

/// What TLS begins with: the type of a handshake's record, and the version's first byte.
const TLS: &[u8] = b"\x16\x03";
const SSH: &[u8] = b"SSH-2.0-";
/// What ends a request's first line; each `0` stands for a digit.
const HTTP: &[u8] = b"HTTP/0.0";
/// The longest word that can be a request's method.
const METHOD: usize = 20;
/// A word in capitals, and behind it a path of so much without a blank, is the beginning of a request.
const TARGET: usize = 256;
/// No target is longer: to look at it again with each piece that comes would take long.
const LONGEST: usize = 4_096;
/// The most digits that a number of Redis has.
const DIGITS: usize = 20;

/// A protocol that is not spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    Tls,
    Ssh,
    Http,
    Redis,
}

/// What is to be thought of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Stranger(Stranger),
    /// They may still be one.
    Unsure,
    /// They speak in lines.
    Chat,
}

impl Stranger {
    const ALL: [Self; 4] = [Self::Tls, Self::Ssh, Self::Http, Self::Redis];

    /// What they are told, without the stars.
    pub fn sentence(self) -> String {
        format!(
            "{self} is not spoken here: this is a chat of plain lines; join it with nc or snug connect"
        )
    }

    /// Whether this is what speaks; `None` where what follows decides.
    fn speaks(self, line: &[u8]) -> Option<bool> {
        match self {
            Self::Tls => begins(line, TLS),
            Self::Ssh => begins(line, SSH),
            Self::Http => is_request(line),
            Self::Redis => is_array(line),
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::Ssh => "SSH",
            Self::Http => "HTTP",
            Self::Redis => "the protocol of Redis",
        })
    }
}

/// Judges a connection by what has come of its first line, with its `\n` if that has come too: then for good.
pub fn judge(line: &[u8]) -> Verdict {
    let mut verdict = Verdict::Chat;
    for stranger in Stranger::ALL {
        match stranger.speaks(line) {
            Some(true) => return Verdict::Stranger(stranger),
            Some(false) => {}
            None => verdict = Verdict::Unsure,
        }
    }
    verdict
}

fn begins(line: &[u8], with: &[u8]) -> Option<bool> {
    match line.strip_prefix(with) {
        Some(_) => Some(true),
        None if with.starts_with(line) => None,
        None => Some(false),
    }
}

/// `METHOD target HTTP/1.1`
fn is_request(line: &[u8]) -> Option<bool> {
    let method = line.iter().take_while(|b| b.is_ascii_uppercase()).count();
    match line.get(method) {
        _ if method > METHOD => return Some(false),
        None => return None,
        Some(b' ') if method > 0 => {}
        Some(_) => return Some(false),
    }
    let rest = &line[method + 1..];
    let target = rest.iter().take_while(|b| b.is_ascii_graphic()).count();
    match rest.get(target) {
        // Also where more follows: how the line is cut makes no difference. Whoever shows somebody a long address writes
        // its host too.
        _ if target > TARGET && rest[0] == b'/' => return Some(true),
        _ if target > LONGEST => return Some(false),
        None => return None,
        Some(b' ') if target > 0 => {}
        Some(_) => return Some(false),
    }
    let version = &rest[target + 1..];
    let fits = |(&b, &pattern): (&u8, &u8)| b == pattern || pattern == b'0' && b.is_ascii_digit();
    if !version.iter().zip(HTTP).all(fits) {
        return Some(false);
    }
    version.get(HTTP.len()).map(|b| matches!(b, b'\r' | b'\n'))
}

/// `*3\r`, the head of a command. A person's line in a telnet client ends so too, but hardly anybody begins with
/// that. With a NUL it is an attack on whoever reads such numbers without end.
fn is_array(line: &[u8]) -> Option<bool> {
    if line.first()? != &b'*' {
        return Some(false);
    }
    let digits = line[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > DIGITS {
        return Some(false);
    }
    line.get(1 + digits)
        .map(|&b| b == b'\r' && digits > 0 || b == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_known_by_their_first_line() {
        let chat = |line: &'static [u8]| (line, Verdict::Chat);
        let unsure = |line: &'static [u8]| (line, Verdict::Unsure);
        fn is(line: &[u8], stranger: Stranger) -> (&[u8], Verdict) {
            (line, Verdict::Stranger(stranger))
        }
        let long = format!("GET /{}", "x".repeat(TARGET));
        let longer = format!("{long} and more\n");
        let shown = format!("FYI https://example.org{}", &long[4..]);
        let asked = format!("{shown} HTTP/1.1\r\n");
        let endless = format!("A {}", "x".repeat(LONGEST + 1));
        let number = format!("*{}", "7".repeat(DIGITS));
        let numbers = format!("{number}7");
        for (line, expected) in [
            is(&b"\x16\x03\x01\x02\0\x01\0\x01"[..], Stranger::Tls),
            is(b"\x16\x03", Stranger::Tls),
            unsure(b"\x16"),
            chat(b"\x16\n"),
            chat(b"\x16\x04"),
            is(b"SSH-2.0-OpenSSH_9.2\r\n", Stranger::Ssh),
            is(b"SSH-2.0-", Stranger::Ssh),
            unsure(b"SSH-2"),
            chat(b"SSH-2 is what?\n"),
            chat(b"SSH-2\n"),
            is(b"GET / HTTP/1.1\r\n", Stranger::Http),
            is(b"GET / HTTP/1.1\r", Stranger::Http),
            is(b"HEAD /a%20b?c HTTP/1.0\n", Stranger::Http),
            is(b"PRI * HTTP/2.0\r\n\r\nSM\r\n", Stranger::Http),
            is(b"CONNECT example.org:443 HTTP/1.1\r\n", Stranger::Http),
            is(long.as_bytes(), Stranger::Http),
            is(longer.as_bytes(), Stranger::Http),
            (shown.as_bytes(), Verdict::Unsure),
            (&[shown.as_bytes(), b"\n"].concat(), Verdict::Chat),
            is(asked.as_bytes(), Stranger::Http),
            (endless.as_bytes(), Verdict::Chat),
            (number.as_bytes(), Verdict::Unsure),
            (numbers.as_bytes(), Verdict::Chat),
            unsure(b"G"),
            unsure(b"GET "),
            unsure(b"GET /"),
            unsure(b"GET / "),
            unsure(b"GET / HTTP/1"),
            unsure(b"GET / HTTP/1.1"),
            chat(b"GET / HTTP/1.1 is what it says\n"),
            chat(b"GET / HTTP/1.12\r\n"),
            chat(b"GET  HTTP/1.1\r\n"),
            chat(b"GET /\r\n"),
            chat(b"GET /\n"),
            chat(b"get / HTTP/1.1\r\n"),
            chat(b"GET / AND RUN HTTP/1.1\n"),
            chat(b"GET / HTTPS"),
            chat(b" / HTTP/1.1\r\n"),
            chat(b"HELLO THERE\n"),
            chat(b"HELLO\n"),
            chat(b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            is(b"*1\r\n$4\r\nPING\r\n", Stranger::Redis),
            is(b"*12\r", Stranger::Redis),
            is(b"*\0AAAAAAAA", Stranger::Redis),
            unsure(b"*"),
            unsure(b"*12"),
            chat(b"*\r\n"),
            chat(b"*\n"),
            chat(b"*1\n"),
            chat(b"* waves\n"),
            chat(b"*** \n"),
            unsure(b""),
            chat(b"\n"),
            chat(b"h"),
            chat(b"/nick alice\n"),
            chat("Grüße\n".as_bytes()),
            chat(b"\xff\xfb\x1f"),
        ] {
            assert_eq!(
                judge(line),
                expected,
                "{:?}",
                line.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn a_verdict_is_never_taken_back_nor_open_at_the_end_of_the_line() {
        let bytes = [&b"GETSH-2.0 /*HTTP1\x16\x03\0\r\n"[..], b"a"].concat();
        // A generator of its own, so that a failure comes again.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        let starts: [&[u8]; 6] = [
            b"",
            b"GET / HTTP/1.1\r",
            b"SSH-2.0-",
            b"*1\r",
            b"\x16\x03",
            b"A B ",
        ];
        for _ in 0..20_000 {
            let start = starts[below(starts.len())];
            let mut line = start[..below(start.len() + 1)].to_vec();
            for _ in 0..below(6) {
                line.push(bytes[below(bytes.len())]);
            }
            line.push(b'\n');
            let ends = 0..=memchr::memchr(b'\n', &line).unwrap_or_default() + 1;
            let mut verdict = Verdict::Unsure;
            for end in ends {
                let next = judge(&line[..end]);
                assert!(
                    verdict == Verdict::Unsure || next == verdict,
                    "{:?}",
                    line.escape_ascii().to_string()
                );
                verdict = next;
            }
            assert_ne!(
                verdict,
                Verdict::Unsure,
                "{:?}",
                line.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn the_sentence_says_what_would_be_right() {
        assert_eq!(
            Stranger::Http.sentence(),
            "HTTP is not spoken here: this is a chat of plain lines; join it with nc or snug connect"
        );
    }
}
