//! What kinds of people there are, and what a siege is made of.

use crate::world::Gaps;
use snug::fanout::Slow;

/// A number from the first to the second, both included.
pub type Span = (usize, usize);

/// How somebody behaves. Weights say how often each is done, times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    pub name: &'static str,
    /// Between one thing done and the next.
    pub every: Span,
    pub talk: usize,
    /// Lines at once, and their length in bytes.
    pub burst: Span,
    pub length: Span,
    pub moves: usize,
    pub renames: usize,
    pub whispers: usize,
    pub asks: usize,
    /// Stops reading, for so long.
    pub stops: usize,
    pub stop_for: Span,
    /// Bytes read at once, with a pause behind each; 0 is all there is.
    pub sip: usize,
    /// What it sends comes in small pieces.
    pub chops: bool,
    /// Goes without a word, in the middle of a line.
    pub is_rude: bool,
    /// Has at all times something more to say.
    pub floods: bool,
}

/// Only reads.
pub const LISTENER: Temper = Temper {
    name: "listener",
    every: (1_000, 4_000),
    talk: 0,
    burst: (1, 1),
    length: (20, 100),
    moves: 0,
    renames: 0,
    whispers: 0,
    asks: 0,
    stops: 0,
    stop_for: (0, 0),
    sip: 0,
    chops: false,
    is_rude: false,
    floods: false,
};

/// Talks, moves about, whispers.
pub const CHATTER: Temper = Temper {
    name: "chatter",
    talk: 60,
    burst: (1, 4),
    length: (15, 200),
    moves: 6,
    renames: 3,
    whispers: 8,
    asks: 6,
    ..LISTENER
};

/// Sends its lines in pieces.
pub const CHOPPER: Temper = Temper {
    name: "chopper",
    chops: true,
    length: (15, 60),
    ..CHATTER
};

/// Listens, says little, and stops reading at times.
pub const STOPPER: Temper = Temper {
    name: "stopper",
    talk: 4,
    burst: (1, 1),
    moves: 2,
    stops: 30,
    stop_for: (200, 9_000),
    ..LISTENER
};

/// Reads a little at a time.
pub const SIPPER: Temper = Temper {
    name: "sipper",
    talk: 1,
    sip: 300,
    ..LISTENER
};

/// Talks, and is cut off.
pub const RUDE: Temper = Temper {
    name: "rude",
    is_rude: true,
    ..CHATTER
};

/// Says a few lines or none, and goes.
pub const VISITOR: Temper = Temper {
    name: "visitor",
    every: (1, 50),
    talk: 1,
    ..LISTENER
};

/// Says all that it can.
pub const FLOODER: Temper = Temper {
    name: "flooder",
    length: (40, 120),
    floods: true,
    ..LISTENER
};

/// What is done to a server.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub slow: Slow,
    pub seconds: f64,
    /// Kinds of people, and how many of each there are at any time.
    pub people: Vec<(Temper, usize)>,
    /// Rooms where comings and goings are announced, and such that have too many people for it.
    pub small_rooms: usize,
    pub big_rooms: usize,
    /// How long somebody stays, in milliseconds; `None` is to the end.
    pub life: Option<Span>,
    pub backlog: usize,
    /// Lines that may be on their way while there is a flood; `None` is as many as the machine takes.
    pub window: Option<u64>,
    /// Whether somebody must have been skipped, or a room must have waited, or the siege was none.
    pub expects_slow: bool,
    /// How many are stuck when it ends: then it takes the server the five seconds that it has.
    pub stuck: usize,
}

impl Plan {
    /// Thousands of people of every kind, who come and go.
    pub fn crowd(clients: usize, seconds: f64, slow: Slow) -> Self {
        let share = |percent: usize| (clients * percent / 100).max(1);
        // As many lines a second whether they are many or few, up to what so many can hear.
        let pace = (clients / 25).max(1);
        let paced = |temper: Temper| {
            let every = (temper.every.0 * pace / 100, temper.every.1 * pace / 100);
            let every = if temper.talk > 1 { every } else { temper.every };
            let stop_for = (200, (seconds * 300.0) as usize);
            Temper {
                every: (every.0.max(5), every.1.clamp(40, 8_000)),
                stop_for: (200, stop_for.1.clamp(800, 20_000)),
                ..temper
            }
        };
        Self {
            name: format!("a crowd of {clients}, {}", word(slow)),
            slow,
            seconds,
            people: vec![
                (paced(CHATTER), share(40)),
                (LISTENER, share(20)),
                (paced(STOPPER), share(20)),
                (SIPPER, share(5)),
                (paced(CHOPPER), share(6)),
                (paced(RUDE), share(7)),
                (VISITOR, share(2)),
            ],
            small_rooms: clients / 60 + 2,
            big_rooms: clients / 800 + 1,
            life: Some((1_000, ((seconds * 700.0) as usize).clamp(2_000, 60_000))),
            backlog: 16 << 10,
            window: None,
            // A room fills what the system buffers for a reader only in some time.
            expects_slow: slow != Slow::Close && seconds >= 30.0,
            stuck: 3,
        }
    }

    /// Half of many readers stop and go on in random order while a few talk much.
    pub fn swizzle(readers: usize, seconds: f64, slow: Slow) -> Self {
        let talker = Temper {
            name: "talker",
            talk: 40,
            every: (10, 30),
            burst: (5, 15),
            ..CHATTER
        };
        let talker = Temper {
            moves: 0,
            renames: 0,
            whispers: 0,
            asks: 0,
            ..talker
        };
        // The system may hold a megabyte and more for a reader before the server learns that it has stopped.
        let longest = ((seconds * 250.0) as usize).clamp(6_000, 16_000);
        let stopper = Temper {
            every: (50, 1_500),
            stop_for: (50, longest),
            talk: 0,
            moves: 0,
            ..STOPPER
        };
        Self {
            name: format!("half of {readers} readers stop and go on, {}", word(slow)),
            slow,
            seconds,
            people: vec![
                (talker, 4),
                (LISTENER, readers / 2),
                (stopper, readers - readers / 2),
            ],
            small_rooms: 0,
            big_rooms: 1,
            life: None,
            backlog: 16 << 10,
            window: None,
            expects_slow: slow != Slow::Close,
            stuck: 3,
        }
    }

    /// Two talk as fast as the machine can, to a few readers in good health and to one another: who hears nobody never
    /// gets on in the record, which would grow as long as it lasts.
    pub fn flood(readers: usize, seconds: f64, window: Option<u64>) -> Self {
        Self {
            name: format!("{readers} readers in good health, at full rate"),
            slow: Slow::Skip,
            seconds,
            people: vec![(FLOODER, 2), (LISTENER, readers)],
            small_rooms: 0,
            big_rooms: 1,
            life: None,
            backlog: 1 << 20,
            window,
            expects_slow: false,
            stuck: 3,
        }
    }

    /// The end: a flood, in which some are stuck. It is ended by a signal.
    pub fn end(&self) -> Self {
        let stuck = Temper {
            name: "stuck",
            every: (1, 10),
            stops: 1,
            stop_for: (3_600_000, 3_600_000),
            ..LISTENER
        };
        Self {
            people: vec![(FLOODER, 3), (LISTENER, 20), (stuck, self.stuck)],
            small_rooms: 0,
            big_rooms: 1,
            life: None,
            window: Some(self.backlog as u64 / 2 / 150),
            ..self.clone()
        }
    }

    /// How many there are at any time, scribes apart.
    pub fn clients(&self) -> usize {
        self.people.iter().map(|&(_, count)| count).sum()
    }

    /// The same, with nobody stuck at its end.
    pub fn brief(self) -> Self {
        Self { stuck: 0, ..self }
    }

    /// Who may miss lines.
    pub fn gaps(&self) -> Gaps {
        let floods = self.people.iter().any(|(temper, _)| temper.floods);
        match self.slow {
            Slow::Wait => Gaps::Nobody,
            _ if floods => Gaps::Stopped,
            _ => Gaps::Anybody,
        }
    }
}

pub fn word(slow: Slow) -> &'static str {
    match slow {
        Slow::Skip => "skip",
        Slow::Close => "close",
        Slow::Wait => "wait",
    }
}
