//! The line that is being typed, and the cursor in it.
//!
//! Owns the text and keeps the cursor between clusters: what a reader takes for one character (a
//! letter with its accents, an emoji of several code points) is passed and removed as one. Never
//! holds more than [`LINE_MAX`] bytes, and no controls if none are inserted. Knows nothing of columns.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// The longest line, as the server's default has it.
pub const LINE_MAX: usize = 4096;

/// Text with a cursor.
#[derive(Debug, Default)]
pub struct Line {
    text: String,
    /// A byte position between two clusters, or at either end.
    cursor: usize,
}

impl Line {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces everything; the cursor stands at the end.
    pub fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Empties the line and gives what was in it.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts at the cursor; gives whether there was room.
    pub fn insert(&mut self, text: &str) -> bool {
        self.replace_before(self.cursor, text)
    }

    /// Replaces what stands between `start` and the cursor; gives whether there was room.
    pub fn replace_before(&mut self, start: usize, text: &str) -> bool {
        if self.text.len() - (self.cursor - start) + text.len() > LINE_MAX {
            return false;
        }
        self.text.replace_range(start..self.cursor, text);
        self.cursor = start + text.len();
        self.settle();
        true
    }

    pub fn left(&mut self) {
        self.cursor = self.before(self.cursor);
    }

    pub fn right(&mut self) {
        self.cursor = self.after(self.cursor);
    }

    pub fn home(&mut self) {
        self.cursor = 0;
    }

    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_before(char::is_alphanumeric);
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_after();
    }

    pub fn backspace(&mut self) {
        self.remove(self.before(self.cursor), self.cursor);
    }

    pub fn delete(&mut self) {
        self.remove(self.cursor, self.after(self.cursor));
    }

    /// Removes what stands before the cursor and gives it; so do the following.
    pub fn kill_to_start(&mut self) -> String {
        self.remove(0, self.cursor)
    }

    pub fn kill_to_end(&mut self) -> String {
        self.remove(self.cursor, self.text.len())
    }

    /// A word here is what stands between blanks.
    pub fn kill_blank_word_before(&mut self) -> String {
        self.remove(self.word_before(|c| !c.is_whitespace()), self.cursor)
    }

    /// A word here is letters and digits; so it is in the next.
    pub fn kill_word_before(&mut self) -> String {
        self.remove(self.word_before(char::is_alphanumeric), self.cursor)
    }

    pub fn kill_word_after(&mut self) -> String {
        self.remove(self.cursor, self.word_after())
    }

    /// Exchanges the clusters on both sides of the cursor, or the last two at the end.
    pub fn transpose(&mut self) {
        let middle = match self.cursor == self.text.len() {
            true => self.before(self.cursor),
            false => self.cursor,
        };
        let (start, end) = (self.before(middle), self.after(middle));
        if start < middle && middle < end {
            let swapped = [&self.text[middle..end], &self.text[start..middle]].concat();
            self.text.replace_range(start..end, &swapped);
            self.cursor = end;
            self.settle();
        }
    }

    fn remove(&mut self, start: usize, end: usize) -> String {
        let removed = self.text.drain(start..end).collect();
        self.cursor = start;
        self.settle();
        removed
    }

    /// After a change two clusters may have become one around the cursor: it then goes behind it.
    fn settle(&mut self) {
        let mut at = GraphemeCursor::new(self.cursor, self.text.len(), true);
        // The text is in one piece: nothing can be missing.
        if !at.is_boundary(&self.text, 0).unwrap_or(true) {
            self.cursor = self.after(self.cursor);
        }
    }

    fn before(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor
            .prev_boundary(&self.text, 0)
            .ok()
            .flatten()
            .unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        let next = cursor.next_boundary(&self.text, 0).ok().flatten();
        next.unwrap_or(self.text.len())
    }

    /// Where the word before the cursor begins.
    fn word_before(&self, in_word: impl Fn(char) -> bool) -> usize {
        // What a cluster begins with decides: a mark may count as a letter, or not, but is part of its cluster's word.
        let is_word = |cluster: &str| cluster.starts_with(&in_word);
        let clusters = self.text[..self.cursor].grapheme_indices(true).rev();
        clusters
            .skip_while(|(_, cluster)| !is_word(cluster))
            .take_while(|(_, cluster)| is_word(cluster))
            .last()
            .map_or(0, |(at, _)| at)
    }

    /// Where the word after the cursor ends.
    fn word_after(&self) -> usize {
        let is_word = |cluster: &str| cluster.starts_with(char::is_alphanumeric);
        let mut clusters = self.text[self.cursor..].grapheme_indices(true);
        let mut rest = clusters
            .by_ref()
            .skip_while(|(_, cluster)| !is_word(cluster));
        let end = rest.find(|(_, cluster)| !is_word(cluster));
        end.map_or(self.text.len(), |(at, _)| self.cursor + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line written with `|` for its cursor.
    fn line(picture: &str) -> Line {
        let cursor = picture.find('|').expect("a cursor");
        Line {
            text: picture.replace('|', ""),
            cursor,
        }
    }

    fn check(before: &str, edit: impl Fn(&mut Line), after: &str) {
        let mut line = line(before);
        edit(&mut line);
        let mut picture = line.text.clone();
        picture.insert(line.cursor, '|');
        assert_eq!(picture, after, "from {before}");
    }

    const FAMILY: &str = "👨‍👩‍👧";
    const WAVE: &str = "👋🏽";
    const FLAG: &str = "🇩🇪";

    #[test]
    fn the_cursor_passes_what_is_seen_as_one() {
        for cluster in [
            "a",
            "é",
            "e\u{301}",
            "世",
            FAMILY,
            WAVE,
            FLAG,
            "❤\u{fe0f}",
            "각",
            "กำ",
            "नि",
            "1\u{fe0f}\u{20e3}",
        ] {
            let (at_start, at_end) = (format!("x|{cluster}y"), format!("x{cluster}|y"));
            check(&at_start, Line::right, &at_end);
            check(&at_end, Line::left, &at_start);
            check(&at_end, Line::backspace, "x|y");
            check(&at_start, Line::delete, "x|y");
            let whole = format!("x{cluster}y|");
            check(
                &whole,
                |line| {
                    line.home();
                    (0..9).for_each(|_| line.right());
                },
                &whole,
            );
        }
        check(
            &format!("{FLAG}{FLAG}|{FLAG}"),
            Line::left,
            &format!("{FLAG}|{FLAG}{FLAG}"),
        );
        check("|", Line::left, "|");
        check("|", Line::backspace, "|");
        check("ab|", Line::right, "ab|");
        check("ab|", Line::delete, "ab|");
    }

    #[test]
    fn what_joins_by_an_edit_is_never_split_by_the_cursor() {
        check(
            "|\u{301}x",
            |line| {
                line.insert("e");
            },
            "e\u{301}|x",
        );
        check(
            "e|x\u{301}",
            |line| {
                line.delete();
            },
            "e|",
        );
        check(
            "👩|👧",
            |line| {
                line.insert("\u{200d}");
            },
            "👩\u{200d}👧|",
        );
        check(
            "e|x",
            |line| {
                line.insert("\u{301}");
            },
            "e\u{301}|x",
        );
    }

    #[test]
    fn words_are_passed_and_removed() {
        check("one two|", Line::word_left, "one |two");
        check("one, two-three  |", Line::word_left, "one, two-|three  ");
        check("|", Line::word_left, "|");
        check("  |", Line::word_left, "|  ");
        check("|one two", Line::word_right, "one| two");
        check("one|, two", Line::word_right, "one, two|");
        check("one|...", Line::word_right, "one...|");
        check("Grüße u\u{308}ber|", Line::word_left, "Grüße |u\u{308}ber");
        // A vowel sign counts as a letter, but not by itself, and the mark behind it does not.
        let mark = "x .\u{119DF}\u{487}";
        check(&format!("{mark}|"), Line::word_left, &format!("|{mark}"));
        check("|u\u{308}ber das", Line::word_right, "u\u{308}ber| das");
        check(
            "say a-b/c  |d",
            |line| {
                line.kill_blank_word_before();
            },
            "say |d",
        );
        check(
            "say a-b|d",
            |line| {
                line.kill_word_before();
            },
            "say a-|d",
        );
        check(
            "say| a-b",
            |line| {
                line.kill_word_after();
            },
            "say|-b",
        );
        check(
            "ab|cd",
            |line| assert_eq!(line.kill_to_start(), "ab"),
            "|cd",
        );
        check("ab|cd", |line| assert_eq!(line.kill_to_end(), "cd"), "ab|");
    }

    #[test]
    fn neighbours_change_places() {
        check("ab|c", Line::transpose, "acb|");
        check("abc|", Line::transpose, "acb|");
        check("|abc", Line::transpose, "|abc");
        check("a|", Line::transpose, "a|");
        check(
            &format!("x{WAVE}|世"),
            Line::transpose,
            &format!("x世{WAVE}|"),
        );
    }

    #[test]
    fn a_line_takes_no_more_than_its_limit() {
        let mut line = Line::default();
        assert!(line.insert(&"x".repeat(LINE_MAX - 1)));
        assert!(!line.insert("é"));
        assert!(line.insert("y"));
        assert!(!line.insert("z"));
        assert!(line.replace_before(LINE_MAX - 1, "z"));
        assert_eq!((line.text().len(), line.cursor()), (LINE_MAX, LINE_MAX));
        assert_eq!(line.take().len(), LINE_MAX);
        assert!(line.is_empty() && line.cursor() == 0);
    }
}
