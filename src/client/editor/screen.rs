//! A small terminal for the tests: it shows what a user would see.
//!
//! Owns a grid that grows downwards, so that nothing ever scrolls away. Understands what the editor and
//! the printer emit and no more: anything else is a failed test. It wraps long rows as terminals
//! do, and when its width changes it breaks them anew, or cuts them off.

use unicode_width::UnicodeWidthChar;

/// The terminal.
pub struct Screen {
    width: usize,
    /// Whether an emoji of several joined by ZWJ, or with a skin tone, is drawn as one. Terminals differ.
    joins: bool,
    rows: Vec<Row>,
    row: usize,
    column: usize,
    /// The last column is written, and the next character goes to the next row.
    full: bool,
    /// Whether a narrower window cuts rows off.
    pub cuts: bool,
    pub bells: usize,
    /// What it has to say to who asked where its cursor is.
    pub answers: Vec<String>,
}

#[derive(Clone, Default)]
struct Row {
    /// The text of each column; empty for the second half of a wide character.
    cells: Vec<String>,
    /// It goes on in the next row.
    goes_on: bool,
}

impl Screen {
    pub fn new(width: usize, joins: bool) -> Self {
        Self {
            width,
            joins,
            rows: vec![Row::default()],
            row: 0,
            column: 0,
            full: false,
            cuts: false,
            bells: 0,
            answers: Vec::new(),
        }
    }

    /// The row of the cursor.
    pub fn row(&self) -> usize {
        self.row
    }

    /// What can be seen, with `|` for the cursor and without blanks at the ends of rows.
    pub fn picture(&self) -> String {
        let rows = self.rows.iter().enumerate().map(|(at, row)| {
            let mut text: Vec<String> = row.cells.clone();
            if at == self.row {
                while text.len() <= self.column {
                    text.push(" ".into());
                }
                text[self.column].insert(0, '|');
            }
            text.concat().trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("only UTF-8 is written");
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.go_to(0),
                '\n' => self.line_feed(),
                '\x07' => self.bells += 1,
                '\x1b' => self.escape(&mut chars),
                c => self.put(c),
            }
        }
    }

    /// Changes the width, and breaks all rows anew or cuts them off.
    pub fn resize(&mut self, width: usize) {
        if self.cuts {
            self.rows
                .iter_mut()
                .for_each(|row| row.cells.truncate(width));
            self.column = self.column.min(width - 1);
            (self.width, self.full) = (width, false);
            return;
        }
        let old = std::mem::take(&mut self.rows);
        let (old_row, old_column) = (self.row, self.column);
        self.width = width;
        self.rows.push(Row::default());
        (self.row, self.column, self.full) = (0, 0, false);
        let mut cursor = (0, 0);
        for (at, row) in old.iter().enumerate() {
            for (column, cell) in row.cells.iter().enumerate() {
                if (at, column) == (old_row, old_column) {
                    // The cursor stays on its character.
                    let wide = cell
                        .chars()
                        .next()
                        .and_then(UnicodeWidthChar::width)
                        .unwrap_or(0);
                    self.wrap_for(wide);
                    cursor = (self.row, self.column);
                }
                cell.chars().for_each(|c| self.put(c));
            }
            if at == old_row && old_column >= row.cells.len() {
                cursor = (
                    self.row,
                    (self.column + old_column - row.cells.len()).min(width - 1),
                );
                if self.full {
                    cursor.1 = width - 1;
                }
            }
            if !row.goes_on && at + 1 < old.len() {
                self.go_to(0);
                self.line_feed();
            }
        }
        (self.row, self.column) = cursor;
        self.full = false;
    }

    fn escape(&mut self, chars: &mut std::str::Chars<'_>) {
        assert_eq!(chars.next(), Some('['), "only CSI sequences");
        let mut number = String::new();
        let last = loop {
            match chars.next().expect("a whole sequence") {
                c @ ('0'..='9' | ';') => number.push(c),
                c => break c,
            }
        };
        match (number.as_str(), last) {
            (_, 'm') => {}
            ("6", 'n') => {
                let (row, column) = (self.row + 1, self.column + 1);
                self.answers.push(format!("\x1b[{row};{column}R"));
            }
            ("", 'K') => self.rows[self.row].cells.truncate(self.column),
            ("", 'J') => {
                self.rows.truncate(self.row + 1);
                self.rows[self.row].cells.truncate(self.column);
                self.rows[self.row].goes_on = false;
            }
            (n, 'A') => {
                let n: usize = n.parse().expect("a number of rows");
                self.row = self.row.checked_sub(n).expect("rows above");
                self.full = false;
            }
            other => panic!("unknown sequence {other:?}"),
        }
    }

    fn go_to(&mut self, column: usize) {
        self.column = column;
        self.full = false;
    }

    fn line_feed(&mut self) {
        // The terminal driver's newline: a carriage return belongs to it.
        self.go_to(0);
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Row::default());
        }
    }

    /// Goes to the next row if this one has no room for so many columns.
    fn wrap_for(&mut self, wide: usize) {
        if self.full || self.column + wide > self.width {
            self.rows[self.row].goes_on = true;
            self.line_feed();
        }
    }

    fn put(&mut self, c: char) {
        assert!(!c.is_control(), "{c:?} reached the terminal");
        let wide = c.width().expect("no control");
        let modifier = matches!(c, '\u{1F3FB}'..='\u{1F3FF}');
        let joined = self.joins
            && self.before().is_some_and(|cell| {
                cell.ends_with('\u{200D}') || modifier && cell.chars().all(|c| c.width() == Some(2))
            });
        if wide == 0 || joined {
            if let Some(cell) = self.before() {
                cell.push(c);
            }
            return;
        }
        self.wrap_for(wide);
        let cells = &mut self.rows[self.row].cells;
        while cells.len() < self.column + wide {
            cells.push(" ".into());
        }
        cells[self.column] = c.to_string();
        if wide == 2 {
            cells[self.column + 1] = String::new();
        }
        self.full = self.column + wide == self.width;
        self.column = (self.column + wide).min(self.width - 1);
    }

    /// The character that was written last.
    fn before(&mut self) -> Option<&mut String> {
        let end = if self.full {
            self.column + 1
        } else {
            self.column
        };
        let cells = &mut self.rows[self.row].cells;
        let end = end.min(cells.len());
        cells[..end].iter_mut().rev().find(|cell| !cell.is_empty())
    }
}
