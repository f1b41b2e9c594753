//! The forms of received lines (contract, section 2), taken apart.
//!
//! Owns what a line of the plain dialect looks like to the client. Never keeps text, and never trusts
//! it: parts are bytes as they came.

/// A line that somebody said, in its parts.
pub struct Said<'a> {
    pub private: bool,
    pub open: &'a [u8],
    pub name: &'a [u8],
    pub close: &'a [u8],
    pub text: &'a [u8],
}

impl<'a> Said<'a> {
    /// Splits `<NAME> text`, `[NAME] text`, `[-> NAME] text` and `* NAME text`.
    pub fn split(line: &'a [u8]) -> Option<Self> {
        let forms: [(&[u8], &[u8], bool); 4] = [
            (b"<", b"> ", false),
            (b"[-> ", b"] ", true),
            (b"[", b"] ", true),
            (b"* ", b" ", false),
        ];
        let (open, close, private) = forms
            .into_iter()
            .find(|(open, _, _)| line.starts_with(open))?;
        let (open, rest) = line.split_at(open.len());
        let end = rest.windows(close.len()).position(|part| part == close)?;
        let (name, rest) = rest.split_at(end);
        let (close, text) = rest.split_at(close.len());
        // Names have no blanks; what has one is text of another kind.
        (!name.is_empty() && !name.contains(&b' ')).then_some(Self {
            private,
            open,
            name,
            close,
            text,
        })
    }

    /// Whether it confirms what the user has said in private.
    pub fn is_own(&self) -> bool {
        self.open == b"[-> "
    }
}

/// Splits the time off a line of history: `[14:03] `, `[2026-11-22 14:03] ` or `[3 min ago] `.
pub fn split_time(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().take(24).position(|&b| b == b']');
    let is_time = match end.map(|end| &line[..end]) {
        Some([b'[', .., b' ', h1, h2, b':', m1, m2] | [b'[', h1, h2, b':', m1, m2]) => {
            [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit())
        }
        Some([b'[', age @ ..]) => age.ends_with(b" ago"),
        _ => false,
    };
    match end {
        Some(end) if is_time && line.get(end + 1) == Some(&b' ') => line.split_at(end + 2),
        _ => (&[], line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_history_are_split_off() {
        for (time, rest) in [
            ("[14:03] ", "<anna> hi"),
            ("[2026-11-22 14:03] ", "<anna> hi"),
            ("[3 min ago] ", "* anna waves"),
            ("", "[anna] 14:03"),
            ("", "[14x03] psst"),
            ("", "[192.168.1.7:4711] psst"),
            ("", "[::1] psst"),
            ("", "[14:03]"),
            ("", ""),
        ] {
            let line = format!("{time}{rest}");
            let expected = (time.as_bytes(), rest.as_bytes());
            assert_eq!(split_time(line.as_bytes()), expected, "{line:?}");
        }
    }
}
