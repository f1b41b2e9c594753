//! What is asked for.

pub const HELP: &str = "\
cargo test --release --test soak -- [OPTIONS]

  --siege KIND     crowd: people of every kind, who come and go (the default, if there is an option)
                   swizzle: half of many readers stop and go on in random order
                   flood: one talks as fast as the machine can to readers in good health
  --seconds N      how long [60]
  --clients N      how many [1000, swizzle 200, flood 4]
  --slow POLICY    the server's: skip, close or wait [skip]
  --seed N         what chance makes of it [1]

Without an option, each kind of siege is tried for a moment.";

/// What the command line asks for.
pub enum Asked {
    Siege(Options),
    Help,
    /// Other tests were asked for, or a list of them.
    Nothing,
    /// This is not understood.
    Wrong(String),
}

#[derive(Clone, Debug)]
pub struct Options {
    /// `None` is all of them, for a moment each.
    pub siege: Option<String>,
    pub seconds: Option<f64>,
    pub clients: Option<usize>,
    pub slow: String,
    pub seed: u64,
}

/// Reads the arguments. Those of the usual harness are known too: `cargo test` gives them to all alike.
pub fn read(arguments: impl Iterator<Item = String>) -> Asked {
    let mut arguments = arguments;
    let mut options = Options {
        siege: None,
        seconds: None,
        clients: None,
        slow: "skip".into(),
        seed: 1,
    };
    while let Some(word) = arguments.next() {
        match &*word {
            "--help" | "-h" => return Asked::Help,
            "--list" | "--ignored" => return Asked::Nothing,
            "-q" | "--quiet" | "--nocapture" | "--no-capture" | "--show-output"
            | "--include-ignored" | "--exact" => continue,
            "--skip" if arguments.next().is_some_and(|word| "soak".contains(&word)) => {
                return Asked::Nothing;
            }
            "--skip" => continue,
            "--test-threads" | "--color" | "--format" => {
                arguments.next();
                continue;
            }
            filter if !filter.starts_with('-') => {
                if "soak".contains(filter) {
                    continue;
                }
                return Asked::Nothing;
            }
            _ => {}
        }
        let Some(value) = arguments.next() else {
            return Asked::Wrong(word);
        };
        let is_understood = match &*word {
            "--siege" if ["crowd", "swizzle", "flood"].contains(&&*value) => {
                options.siege = Some(value.clone());
                true
            }
            "--slow" if ["skip", "close", "wait"].contains(&&*value) => {
                options.slow.clone_from(&value);
                true
            }
            "--seconds" => set(&mut options.seconds, &value),
            "--clients" => set(&mut options.clients, &value),
            "--seed" => value.parse().map(|seed| options.seed = seed).is_ok(),
            _ => false,
        };
        if !is_understood {
            return Asked::Wrong(format!("{word} {value}"));
        }
        options.siege.get_or_insert_with(|| "crowd".into());
    }
    Asked::Siege(options)
}

fn set<T: std::str::FromStr>(option: &mut Option<T>, value: &str) -> bool {
    *option = value.parse().ok();
    option.is_some()
}
