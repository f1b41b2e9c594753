//! What Tab makes of a word that was begun.
//!
//! Owns the commands' names, which words can stand where, and the round of choices while Tab is
//! repeated. Never changes the line itself.

use crate::client::scene::Scene;

/// What a command's first argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    Name,
    Room,
    Command,
    Other,
}

/// The commands of contract, section 2. Of those that begin alike, the one of more use comes first.
const COMMANDS: [(&str, Argument); 21] = [
    ("admin", Argument::Other),
    ("ban", Argument::Name),
    ("bans", Argument::Other),
    ("help", Argument::Command),
    ("history", Argument::Other),
    ("join", Argument::Room),
    ("key", Argument::Other),
    ("kick", Argument::Name),
    ("me", Argument::Other),
    ("msg", Argument::Name),
    ("nick", Argument::Other),
    ("part", Argument::Other),
    ("pass", Argument::Other),
    ("ping", Argument::Other),
    ("quit", Argument::Other),
    ("rooms", Argument::Other),
    ("stats", Argument::Other),
    ("topic", Argument::Other),
    ("unban", Argument::Name),
    ("who", Argument::Room),
    ("wall", Argument::Other),
];

/// The choices for a word, gone through one by one.
#[derive(Debug)]
pub struct Round {
    /// Where in the line the word begins.
    start: usize,
    /// Never empty.
    choices: Vec<String>,
    /// Which of them stands in the line.
    at: usize,
}

impl Round {
    /// The choices for the word at the end of `before`, which is the line up to the cursor; `None` if
    /// there are none.
    pub fn begin(before: &str, scene: &Scene) -> Option<Self> {
        let start = before.rfind(char::is_whitespace).map_or(0, |at| {
            at + before[at..].chars().next().map_or(0, char::len_utf8)
        });
        let (ahead, word) = before.split_at(start);
        let choices = choices(ahead, word, scene);
        (!choices.is_empty()).then_some(Self {
            start,
            choices,
            at: 0,
        })
    }

    /// Where the word begins, and what is to stand there now.
    pub fn choice(&self) -> (usize, &str) {
        (self.start, &self.choices[self.at])
    }

    pub fn forward(&mut self) {
        self.at = (self.at + 1) % self.choices.len();
    }

    pub fn back(&mut self) {
        self.at = self.at.checked_sub(1).unwrap_or(self.choices.len() - 1);
    }
}

fn choices(ahead: &str, word: &str, scene: &Scene) -> Vec<String> {
    let command = ahead.strip_prefix('/').map(str::trim_end);
    let argument = command.and_then(|word| {
        let known = COMMANDS
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name));
        known.map(|&(_, argument)| argument)
    });
    let commands = || COMMANDS.iter().map(|&(name, _)| name);
    match argument {
        Some(Argument::Command) => matching(commands(), word, "", " "),
        // With its `#` or without, as the server takes it.
        Some(Argument::Room) if word.starts_with('#') => matching(scene.rooms(), word, "", " "),
        Some(Argument::Room) => matching(scene.rooms(), &format!("#{word}"), "", " "),
        Some(Argument::Name) => matching(scene.names(), word, "", " "),
        Some(Argument::Other) | None => match word.strip_prefix('/') {
            Some(word) if ahead.is_empty() => matching(commands(), word, "/", " "),
            _ if word.is_empty() => Vec::new(),
            _ if word.starts_with('#') => matching(scene.rooms(), word, "", " "),
            _ if ahead.is_empty() => matching(scene.names(), word, "", ": "),
            _ => matching(scene.names(), word, "", " "),
        },
    }
}

/// The `words` that begin with `begun`. As everywhere with names, ASCII case counts for nothing.
fn matching<'a>(
    words: impl Iterator<Item = &'a str>,
    begun: &str,
    before: &str,
    after: &str,
) -> Vec<String> {
    let begins = |word: &&str| {
        let start = word.as_bytes().get(..begun.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(begun.as_bytes()))
    };
    words
        .filter(begins)
        .map(|word| format!("{before}{word}{after}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, expected: &[&str]) {
        let mut scene = Scene::default();
        for line in [
            "*** you are in #lobby as me",
            "*** #library is new",
            "<Zoë> hi",
            "<bob> hi",
            "<bill> hi",
            "<me> hi",
        ] {
            scene.line(line.as_bytes());
        }
        let lines: Vec<String> = Round::begin(before, &scene).map_or(Vec::new(), |mut round| {
            (0..round.choices.len())
                .map(|_| {
                    let (start, choice) = round.choice();
                    let line = format!("{}{choice}", &before[..start]);
                    round.forward();
                    line
                })
                .collect()
        });
        assert_eq!(lines, expected, "{before:?}");
    }

    #[test]
    fn words_are_completed_by_where_they_stand() {
        check("/he", &["/help "]);
        check("/HE", &["/help "]);
        check("/w", &["/who ", "/wall "]);
        check("/k", &["/key ", "/kick "]);
        check("/x", &[]);
        check("//he", &[]);
        check("say /he", &[]);
        check("/help to", &["/help topic "]);
        check("b", &["bill: ", "bob: "]);
        check("BO", &["bob: "]);
        check("z", &["Zoë: "]);
        check("m", &[]);
        check("hi b", &["hi bill ", "hi bob "]);
        check("/me greets bo", &["/me greets bob "]);
        check("/msg ", &["/msg bill ", "/msg bob ", "/msg Zoë "]);
        check("/msg bob b", &["/msg bob bill ", "/msg bob bob "]);
        check("/join ", &["/join #library ", "/join #lobby "]);
        check("/who #lo", &["/who #lobby "]);
        check("see #l", &["see #library ", "see #lobby "]);
        check("", &[]);
        check("hi ", &[]);
        check("世\u{3000}b", &["世\u{3000}bill ", "世\u{3000}bob "]);
    }

    #[test]
    fn the_round_goes_both_ways() {
        let mut scene = Scene::default();
        scene.line(b"<bob> hi");
        scene.line(b"<bill> hi");
        let mut round = Round::begin("b", &scene).expect("two choices");
        round.back();
        assert_eq!(round.choice(), (0, "bob: "));
        round.forward();
        assert_eq!(round.choice(), (0, "bill: "));
    }
}
