//! Lines out of bytes, against a split of all the bytes at once.

use super::Draw;
use snug::wire::lines::{Decoder, Framing, Item};
use std::borrow::Cow;

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Line(Vec<u8>),
    TooLong,
    /// What the stream ended with, or rested with.
    Rest(Vec<u8>),
}

/// However the input is cut, the lines are those of a split; and no more than the longest line is kept.
///
/// The first byte says what a line is, the next four how the input is cut, over and over: into so many bytes, and
/// from 224 on with a rest after them that ends the line begun.
pub fn decoder(data: &[u8]) {
    let mut draw = Draw(data);
    let kind = draw.byte();
    let framing = Framing {
        max: usize::from(kind >> 1) % 48,
        strip_cr: kind & 1 == 1,
    };
    let cuts = draw.take(4);
    let input = draw.rest();
    let (mut pieces, mut rest) = (Vec::new(), input);
    for &cut in cuts.iter().cycle() {
        let length = (usize::from(cut % 32) + 1).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        pieces.push((piece, cut >= 224 || rest.is_empty()));
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(
        decode(&pieces, framing),
        split(&pieces, framing),
        "{framing:?} {pieces:?}"
    );
}

fn decode(pieces: &[(&[u8], bool)], framing: Framing) -> Vec<Found> {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for &(piece, rests) in pieces {
        let mut input = piece;
        loop {
            let was_partial = decoder.is_partial();
            match decoder.next(&mut input, framing) {
                Some(Item::Line(line)) => {
                    let in_place = matches!(line, Cow::Borrowed(_));
                    assert!(was_partial || in_place, "a whole line is copied");
                    found.push(Found::Line(line.into_owned()));
                }
                Some(Item::TooLong) => found.push(Found::TooLong),
                None => break,
            }
        }
        assert!(input.is_empty());
        let held = decoder.held();
        assert!(held <= framing.max + 1, "{held} bytes held");
        if rests {
            found.extend(decoder.finish(framing).map(Found::Rest));
            assert!(!decoder.is_partial());
        }
    }
    found
}

/// The same by a split of everything between two rests.
fn split(pieces: &[(&[u8], bool)], framing: Framing) -> Vec<Found> {
    let mut found = Vec::new();
    // The line under way is too long, which was said.
    let mut is_said = false;
    for run in pieces.split_inclusive(|&(_, rests)| rests) {
        let bytes: Vec<u8> = run.iter().flat_map(|&(piece, _)| piece).copied().collect();
        let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
        let last = lines.pop().unwrap_or_default();
        for line in lines {
            let line = without_end(line, framing);
            if !std::mem::take(&mut is_said) {
                let is_long = line.len() > framing.max;
                found.push(if is_long {
                    Found::TooLong
                } else {
                    Found::Line(line.into())
                });
            }
        }
        // A rest ends that line too.
        let rests = run.last().is_some_and(|&(_, rests)| rests);
        if is_said || last.is_empty() {
            is_said &= !rests;
            continue;
        }
        let is_long = without_end(last, framing).len() > framing.max;
        is_said = is_long && !rests;
        found.push(match is_long {
            true => Found::TooLong,
            false => Found::Rest(without_end(last, framing).into()),
        });
    }
    found
}

fn without_end(line: &[u8], framing: Framing) -> &[u8] {
    let stripped = line.strip_suffix(b"\r").filter(|_| framing.strip_cr);
    stripped.unwrap_or(line)
}
