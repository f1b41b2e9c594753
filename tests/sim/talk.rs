//! What clients say: of everything something, most of it small.

use crate::rng::Rng;
use snug::hub::Config;

/// What kind of line comes next, by its index in the weights.
pub fn kind(rng: &mut Rng) -> usize {
    rng.weighted(&[600, 30, 40, 60, 10, 70, 25, 10, 10, 20, 20, 10, 20, 4, 4])
}

/// One line with its end. `tag` is like no other; a bus's lines begin with it, but for those of one who is `free`.
pub fn line(rng: &mut Rng, config: &Config, kind: Option<usize>, tag: &str, free: bool) -> Vec<u8> {
    let kind = kind.unwrap_or_else(|| self::kind(rng));
    let max = config.max_line;
    let mut line: Vec<u8> = if config.bare {
        match kind {
            1 if free => Vec::new(),
            2 if free => garbage(rng, 30),
            2 | 3 => [tag.as_bytes(), &garbage(rng, 20)].concat(),
            4 => padded(rng, tag, max),
            // One such line ends a bus's connection.
            5 if rng.one_in(40) => padded(rng, tag, max + 1),
            _ => words(rng, tag),
        }
    } else {
        match kind {
            0 => words(rng, tag),
            1 => Vec::new(),
            2 => [tag.as_bytes(), &garbage(rng, 30)].concat(),
            3 => words(rng, &format!("/me {tag}")),
            4 => b"/me".to_vec(),
            5 => words(rng, &format!("/ping {tag}")),
            6 => b"/who".to_vec(),
            7 => b"/help".to_vec(),
            8 => [
                b"/help ",
                rng.pick(&["me", "ping", "who", "quit"]).as_bytes(),
            ]
            .concat(),
            9 => {
                let word = rng.pick(&["nock", "WHOM ", "", "pin\u{e9} "]);
                words(rng, &format!("/{word}"))
            }
            10 => words(rng, &format!("//{tag}")),
            11 => padded(rng, tag, max),
            12 => {
                let over = rng.pick(&[1, 2, 100, 5_000]);
                padded(rng, tag, max + over)
            }
            13 => b"quit".to_vec(),
            _ => words(rng, "/quit "),
        }
    };
    let is_long = kind == 12 || (config.bare && kind == 5);
    if !is_long {
        line.truncate(max);
    }
    if rng.one_in(5) && (!config.bare || line.len() < max) {
        line.push(b'\r');
    }
    line.push(b'\n');
    line
}

fn words(rng: &mut Rng, start: &str) -> Vec<u8> {
    let mut line = start.as_bytes().to_vec();
    let length = match rng.below(30) {
        0 => rng.between(0, 1_000),
        _ => rng.between(0, 30),
    };
    line.extend(b"abc def ".iter().cycle().take(length));
    line
}

fn padded(rng: &mut Rng, start: &str, length: usize) -> Vec<u8> {
    let mut line = start.as_bytes().to_vec();
    let letter = b'a' + rng.below(26) as u8;
    line.resize(length.max(line.len()), letter);
    line
}

/// Bytes of every kind but the newline.
fn garbage(rng: &mut Rng, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.between(1, most) {
        match rng.below(6) {
            0 => bytes.push(rng.next() as u8),
            1 => bytes.extend("\u{1b}[31m".bytes()),
            2 => bytes.extend(
                rng.pick(&["é", "\u{85}", "世", "\u{202e}", "\u{feff}", "🍺"])
                    .bytes(),
            ),
            3 => bytes.extend([0xE2, 0x82]),
            4 => bytes.push(b'\r'),
            _ => bytes.push(b'x'),
        }
    }
    bytes.retain(|&byte| byte != b'\n');
    bytes
}
