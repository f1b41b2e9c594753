//! What readers get, line by line, and what they must have when all is quiet.

use super::*;

impl Model {
    /// Somebody gets bytes.
    pub(super) fn receive(&mut self, who: Who, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let rest = &mut self.people[who].stream.rest;
            if !piece.ends_with(b"\n") {
                rest.extend_from_slice(piece);
            } else if rest.is_empty() {
                self.receive_line(who, piece);
            } else {
                let mut line = std::mem::take(rest);
                line.extend_from_slice(piece);
                self.receive_line(who, &line);
            }
        }
    }

    fn receive_line(&mut self, who: Who, line: &[u8]) {
        self.met.received += 1;
        let stream = &mut self.people[who].stream;
        if stream.get(line, &self.lines, &mut self.messages) {
            return;
        }
        if let Some(count) = gap(line).filter(|_| !self.config.bare) {
            return self.gap(who, count);
        }
        let next = stream.describe_next(&self.lines);
        panic!("client {who} got {}, but next is {next}", show(line));
    }

    /// It is told that it missed so many lines.
    fn gap(&mut self, who: Who, count: u64) {
        self.met.skipped += count;
        let stream = &mut self.people[who].stream;
        let skipped = match stream.skip(count, &mut self.messages) {
            Ok(skipped) if count > 0 => skipped,
            Ok(_) => panic!("client {who} was told of a gap of nothing"),
            Err(complaint) => panic!("client {who} was told of {count} lines skipped; {complaint}"),
        };
        for (room, line) in skipped {
            if let Err(complaint) = self.may_miss(who, room, line) {
                panic!(
                    "client {who} missed {}: {complaint}",
                    show(self.lines.get(line))
                );
            }
        }
    }

    /// With everything quiet: whoever is there has everything, and all that was said was heard.
    pub fn check_quiet(&mut self, who: Who) {
        let rests = self.config.unterminated.is_some();
        let person = &mut self.people[who];
        person.stream.pass_messages(&mut self.messages);
        match person.standing {
            Standing::AtTheDoor | Standing::In => {}
            _ => panic!("when all was quiet, client {who} was still there"),
        }
        assert!(
            !person.is_lost,
            "client {who} was reset, but is still there"
        );
        assert!(
            person.ear.is_empty(self.config.bare, rests) && !person.ear.has_ended,
            "when all was quiet, client {who} had not been heard: {:?}",
            person.ear
        );
        assert!(person.listing.is_none(), "client {who} was not told all");
        assert!(
            person.stream.is_empty(),
            "when all was quiet, client {who} lacked {}",
            person.stream.describe_next(&self.lines)
        );
    }

    /// With everything quiet, but not for somebody who does not read: they are heard all the same, unless they leave too
    /// many answers unread.
    pub fn check_stuck(&self, who: Who) {
        let person = &self.people[who];
        let has_answers = person.stream.answers().1 > limits::PAGE || person.listing.is_some();
        assert!(
            has_answers
                || person.standing != Standing::In
                || person.ear.is_empty(self.config.bare, false),
            "client {who}, who does not read, was not heard: {:?}",
            person.ear
        );
    }
}

/// The number in the line that tells of a gap.
fn gap(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"*** ")?;
    let number = rest.strip_suffix(b" lines skipped: your connection fell behind\n")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}
