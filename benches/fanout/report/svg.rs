//! Writes SVG: a canvas on which shapes and texts are put, by class, without a colour or a size of
//! letters of its own. Escapes what it is given, and knows nothing of scales.

use std::fmt::Write;

use super::look::{Letters, TICK, TITLE, style};

/// What stays free on all sides.
pub const EDGE: f64 = 12.0;
/// From the base of one line of text to the next.
pub const STEP: f64 = 17.0;
const TITLE_STEP: f64 = 22.0;

pub struct Canvas {
    width: f64,
    body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    pub const fn word(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

impl Canvas {
    pub fn new(width: f64) -> Canvas {
        Canvas {
            width,
            body: String::new(),
        }
    }

    // Writing to a string cannot fail, here and below.

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// `path` is in the language of SVG.
    pub fn path(&mut self, class: &str, path: &str) {
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    pub fn bar(&mut self, class: &str, (x, y): (f64, f64), width: f64, height: f64) {
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    /// `at` is on the line on which the letters stand.
    pub fn text(
        &mut self,
        letters: Letters,
        class: &str,
        anchor: Anchor,
        at: (f64, f64),
        text: &str,
    ) {
        let _ = writeln!(
            self.body,
            "<text class=\"{} {class}\" text-anchor=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            letters.class,
            anchor.word(),
            at.0,
            at.1,
            escaped(text)
        );
    }

    /// Title and note, from the top. Returns where they end.
    pub fn head(&mut self, title: &str, note: &str) -> f64 {
        let mut base = EDGE;
        for line in TITLE.wrap(title, self.width - 2.0 * EDGE) {
            base += TITLE_STEP;
            self.text(TITLE, "ink", Anchor::Start, (EDGE, base - 6.0), &line);
        }
        self.lines(note, base) + 6.0
    }

    /// A few lines of small text. Returns where they end.
    pub fn lines(&mut self, text: &str, top: f64) -> f64 {
        let mut base = top;
        for line in TICK.wrap(text, self.width - 2.0 * EDGE) {
            base += STEP;
            self.text(TICK, "soft", Anchor::Start, (EDGE, base - 4.0), &line);
        }
        base
    }

    /// What stands under places, from left to right, without what would come too near to the one before.
    pub fn places(&mut self, places: impl Iterator<Item = (f64, String)>, base: f64) {
        let mut free_from = f64::NEG_INFINITY;
        for (x, label) in places {
            let half = TICK.width(&label) / 2.0;
            if x - half > free_from {
                self.text(TICK, "soft", Anchor::Middle, (x, base), &label);
                free_from = x + half + 4.0;
            }
        }
    }

    /// The picture; `alone` if it is to carry its own style sheet, which within a page the page does.
    /// `title` and `description` are for whoever does not see it.
    pub fn finish(self, height: f64, title: &str, description: &str, alone: bool) -> String {
        let width = self.width;
        let (title, description) = (escaped(title), escaped(description));
        let style = if alone {
            format!("<style>\n{}</style>\n", style())
        } else {
            String::new()
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" \
            viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
            <title>{title}</title>\n<desc>{description}</desc>\n{style}\
            <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// Text as XML and HTML take it, between tags and in quotes. A control, which XML has no way to write, becomes a
/// space.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            _ if letter.is_control() => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}

pub fn check() {
    assert_eq!(
        escaped("<a & \"b\">\u{1b}'"),
        "&lt;a &amp; &quot;b&quot;&gt; &#39;"
    );
}
