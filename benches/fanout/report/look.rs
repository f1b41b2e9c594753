//! The look of the plots: a colour and a marker for each server, the sizes of letters, and the style
//! sheet that makes both legible on light and dark ground and in print. Markers differ as well as
//! colours, and every line has its name at its end: nothing is told by colour alone.

use std::fmt::Write;

/// On light ground and on dark ground, where each has a contrast of 4.5 or more. The first is ours, the
/// second the floor's.
const COLOURS: [(&str, &str); 10] = [
    ("#c2370a", "#ff8a4c"),
    ("#5f6672", "#a3aab5"),
    ("#0067a5", "#63b8f2"),
    ("#00735a", "#37cfa4"),
    ("#94287f", "#ef8fd9"),
    ("#7a5c00", "#e3c341"),
    ("#16181d", "#f0f1f4"),
    ("#5a45c0", "#b3a5ff"),
    ("#7b4220", "#d9a27c"),
    ("#2f6d1c", "#93d46c"),
];

/// The rest of the style sheet's colours, likewise.
const INKS: [(&str, &str, &str); 5] = [
    ("fill", "paper", "#ffffff #14161a"),
    ("fill", "ink", "#16181d #f0f1f4"),
    ("fill", "soft", "#565c66 #aab0ba"),
    ("stroke", "grid", "#e2e4e8 #33373e"),
    ("stroke", "inked", "#16181d #f0f1f4"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Upended,
    Plus,
    Cross,
    Beam,
    Bow,
}

/// The first two likewise. Of the rest there is one less than of colours, so that the same pair of both comes
/// again only after dozens of servers.
const MARKERS: [Marker; 9] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Upended,
    Marker::Plus,
    Marker::Cross,
    Marker::Beam,
    Marker::Bow,
];

/// How a server is drawn, the same in all plots of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(pub usize);

/// Letters: their class and size in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letters {
    pub class: &'static str,
    pub size: f64,
    /// The width of a letter in its height, with something to spare.
    pub breadth: f64,
}

pub const TITLE: Letters = letters("t", 16.0, 0.6);
pub const LABEL: Letters = letters("l", 13.0, 0.58);
pub const TICK: Letters = letters("k", 12.0, 0.58);
pub const ALL_LETTERS: [Letters; 3] = [TITLE, LABEL, TICK];

const fn letters(class: &'static str, size: f64, breadth: f64) -> Letters {
    Letters {
        class,
        size,
        breadth,
    }
}

impl Letters {
    /// What the text takes, at most, whatever the font.
    pub fn width(&self, text: &str) -> f64 {
        text.chars().count() as f64 * self.size * self.breadth
    }

    /// As much of the text as fits, with a sign where something is left out.
    pub fn cut(&self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let room = (width / (self.size * self.breadth)) as usize;
        let kept: String = text.chars().take(room.saturating_sub(1)).collect();
        format!("{}…", kept.trim_end())
    }

    /// The text in lines of at most that width, broken between words; a longer word stays whole.
    pub fn wrap(&self, text: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(line) + self.width(word) + self.size <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

impl Look {
    /// The class of what is filled with this server's colour.
    pub fn fill(self) -> String {
        format!("f{}", self.among(COLOURS.len()))
    }

    /// The class of lines in this server's colour.
    pub fn stroke(self) -> String {
        format!("s{}", self.among(COLOURS.len()))
    }

    /// The first two belong to ours and the floor; the others go round among the rest.
    fn among(self, count: usize) -> usize {
        match self.0 {
            own @ 0..2 => own,
            other => 2 + (other - 2) % (count - 2),
        }
    }

    /// The path of this server's marker around a point.
    pub fn marker(self, x: f64, y: f64) -> String {
        let outline: &[(f64, f64)] = match MARKERS[self.among(MARKERS.len())] {
            Marker::Circle => {
                return format!("M{:.1} {y:.1}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", x - 5.0);
            }
            Marker::Square => &[(-4., -4.), (4., -4.), (4., 4.), (-4., 4.)],
            Marker::Triangle => &[(0., -5.5), (5.2, 4.), (-5.2, 4.)],
            Marker::Diamond => &[(0., -6.), (5., 0.), (0., 6.), (-5., 0.)],
            Marker::Upended => &[(0., 5.5), (5.2, -4.), (-5.2, -4.)],
            Marker::Plus => &[
                (-1.8, -5.5),
                (1.8, -5.5),
                (1.8, -1.8),
                (5.5, -1.8),
                (5.5, 1.8),
                (1.8, 1.8),
                (1.8, 5.5),
                (-1.8, 5.5),
                (-1.8, 1.8),
                (-5.5, 1.8),
                (-5.5, -1.8),
                (-1.8, -1.8),
            ],
            Marker::Cross => &[
                (-5., -2.5),
                (-2.5, -5.),
                (0., -2.5),
                (2.5, -5.),
                (5., -2.5),
                (2.5, 0.),
                (5., 2.5),
                (2.5, 5.),
                (0., 2.5),
                (-2.5, 5.),
                (-5., 2.5),
                (-2.5, 0.),
            ],
            Marker::Beam => &[(-6., -2.6), (6., -2.6), (6., 2.6), (-6., 2.6)],
            Marker::Bow => &[
                (-5.5, -5.),
                (0., -1.5),
                (5.5, -5.),
                (5.5, 5.),
                (0., 1.5),
                (-5.5, 5.),
            ],
        };
        let mut path = String::new();
        for (index, (dx, dy)) in outline.iter().enumerate() {
            let step = if index == 0 { 'M' } else { 'L' };
            // Writing to a string cannot fail.
            let _ = write!(path, "{step}{:.1} {:.1}", x + dx, y + dy);
        }
        path + "z"
    }
}

/// The style sheet of every plot. Print is on light ground, whatever the screen is.
pub fn style() -> String {
    let mut out =
        ".plot text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}\n"
            .to_owned();
    for Letters { class, size, .. } in ALL_LETTERS {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, ".plot .{class}{{font-size:{size}px}}");
    }
    out.push_str(
        ".plot .t{font-weight:600}\n\
        .plot path,.plot line{fill:none;stroke-width:1.5;stroke-linejoin:round}\n\
        .plot .grid{stroke-width:1}\n\
        .plot .ours{stroke-width:3}\n.plot .dash{stroke-dasharray:6 4}\n\
        .plot .lead{stroke-width:1;opacity:.55}\n.plot .dots{stroke-dasharray:1 3}\n\
        .plot .span{opacity:.45}\n.plot .bold{font-weight:700}\n",
    );
    out.push_str(&colours(|light, _| light));
    let _ = write!(
        out,
        "@media screen and (prefers-color-scheme:dark){{\n{}}}\n",
        colours(|_, dark| dark)
    );
    out
}

fn colours(pick: fn(&'static str, &'static str) -> &'static str) -> String {
    let mut out = String::new();
    for (index, (light, dark)) in COLOURS.into_iter().enumerate() {
        let colour = pick(light, dark);
        let _ = writeln!(
            out,
            ".plot .f{index}{{fill:{colour}}}.plot .s{index}{{stroke:{colour}}}"
        );
    }
    for (property, class, both) in INKS {
        let (light, dark) = both.split_once(' ').unwrap_or((both, both));
        let colour = pick(light, dark);
        let _ = writeln!(out, ".plot .{class}{{{property}:{colour}}}");
        if class == "paper" {
            let _ = writeln!(out, ".plot .halo{{stroke:{colour}}}");
        }
    }
    out
}

/// How much lighter the lighter of two colours is, as the web's guidelines for accessible content reckon.
fn contrast(left: &str, right: &str) -> f64 {
    let channel = |hex: &str| {
        let value = f64::from(u8::from_str_radix(hex, 16).expect("two digits")) / 255.0;
        match value {
            ..=0.04045 => value / 12.92,
            _ => ((value + 0.055) / 1.055).powf(2.4),
        }
    };
    let light = |colour: &str| {
        0.2126 * channel(&colour[1..3])
            + 0.7152 * channel(&colour[3..5])
            + 0.0722 * channel(&colour[5..7])
            + 0.05
    };
    let ratio = light(left) / light(right);
    ratio.max(1.0 / ratio)
}

pub fn check() {
    let (_, _, papers) = INKS[0];
    let (light_paper, dark_paper) = papers.split_once(' ').expect("two");
    for (light, dark) in COLOURS {
        assert!(contrast(light, light_paper) >= 4.5, "{light}");
        assert!(contrast(dark, dark_paper) >= 4.5, "{dark}");
    }
    assert_eq!(LABEL.cut("short", 100.0), "short");
    let cut = LABEL.cut("a very long fault that does not end", 100.0);
    assert!(cut.ends_with('…') && LABEL.width(&cut) <= 100.0);
    assert_eq!(TICK.wrap("one two three", 60.0), ["one two", "three"]);
    let mut seen = Vec::new();
    for look in (0..2 + (COLOURS.len() - 2) * (MARKERS.len() - 2)).map(Look) {
        let drawn = (look.fill(), look.marker(0.0, 0.0));
        assert!(!seen.contains(&drawn), "two servers look the same");
        seen.push(drawn);
    }
}
