//! What the figures mean: their names for people, their units, which way is better; and how a number is
//! written. It knows nothing of tables or plots.

/// One kind of figure. Records name it by `name`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    /// Over a column, with the unit.
    pub head: &'static str,
    /// In a sentence.
    pub words: &'static str,
    /// Behind a number in a sentence; empty if there is none.
    pub unit: &'static str,
    /// What a record's figure is divided by to be in that unit.
    divisor: f64,
    /// No figure is better than this one: what is below is chance.
    least: f64,
    pub better: Better,
    /// Whether a ratio to another server's figure says something.
    pub compared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Better {
    Less,
    More,
    /// A fact, not a merit.
    Neither,
}

pub const CPU: &str = "cpu_ns_per_line";
pub const MEMORY: &str = "bytes_per_connection";
/// The percentiles, with how a plot calls them.
pub const LATENCIES: [(&str, &str); 4] = [
    ("latency_p50_us", "p50"),
    ("latency_p90_us", "p90"),
    ("latency_p99_us", "p99"),
    ("latency_p999_us", "p99.9"),
];

/// In the order of the columns: the first that a scenario has is what its rows are ranked by.
const METRICS: [Metric; 13] = {
    use Better::{Less, More, Neither};
    [
        new(CPU, "CPU ns/line", "CPU per line", "ns", Less).compared(),
        new(
            "stuck_cost_ratio",
            "stuck/none",
            "cost with one stuck against none",
            "",
            Less,
        )
        .at_least(1.0),
        new("latency_p50_us", "p50 µs", "p50", "µs", Less).compared(),
        new("latency_p90_us", "p90 µs", "p90", "µs", Less).compared(),
        new("latency_p99_us", "p99 µs", "p99", "µs", Less).compared(),
        new("latency_p999_us", "p99.9 µs", "p99.9", "µs", Less).compared(),
        new(
            "lines_per_second",
            "lines/s",
            "delivered lines a second",
            "",
            More,
        )
        .compared(),
        new(MEMORY, "B/connection", "bytes per connection", "", Less).compared(),
        new(
            "connections_per_second",
            "connections/s",
            "connections a second",
            "",
            More,
        )
        .compared(),
        new(
            "resident_start_bytes",
            "at start KiB",
            "resident at start",
            "KiB",
            Less,
        )
        .kibibytes(),
        new("binary_bytes", "binary KiB", "binary", "KiB", Less).kibibytes(),
        new(
            "idle_syscalls_per_minute",
            "idle syscalls/min",
            "system calls per idle minute",
            "",
            Less,
        ),
        new("threads", "threads", "threads", "", Neither),
    ]
};

const fn new(
    name: &'static str,
    head: &'static str,
    words: &'static str,
    unit: &'static str,
    better: Better,
) -> Metric {
    Metric {
        name,
        head,
        words,
        unit,
        divisor: 1.0,
        least: 0.0,
        better,
        compared: false,
    }
}

impl Metric {
    const fn compared(mut self) -> Metric {
        self.compared = true;
        self
    }

    const fn at_least(mut self, least: f64) -> Metric {
        self.least = least;
        self
    }

    const fn kibibytes(mut self) -> Metric {
        self.divisor = 1024.0;
        self
    }

    /// The metric of that name. One that is not known is shown by its name, rather than not at all.
    pub fn named(name: &'static str) -> Metric {
        let known = METRICS.iter().find(|metric| metric.name == name);
        known
            .copied()
            .unwrap_or(new(name, name, name, "", Better::Neither))
    }

    /// Where its column stands among the others.
    pub fn place(&self) -> usize {
        let known = METRICS.iter().position(|metric| metric.name == self.name);
        known.unwrap_or(METRICS.len())
    }

    /// A record's figure in this metric's unit, without naming it.
    pub fn show(&self, value: f64) -> String {
        figure(value / self.divisor)
    }

    /// The same with the unit.
    pub fn say(&self, value: f64) -> String {
        let gap = if self.unit.is_empty() { "" } else { " " };
        format!("{}{gap}{}", self.show(value), self.unit)
    }

    /// Whether `left` is better than `right`, by more than rounding shows.
    pub fn beats(&self, left: f64, right: f64) -> bool {
        let (left, right) = (left.max(self.least), right.max(self.least));
        let better = match self.better {
            Better::Less => left < right,
            Better::More => left > right,
            Better::Neither => false,
        };
        better && self.show(left) != self.show(right)
    }
}

/// A number with three significant digits and its thousands set apart; a small whole one as it is.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1_000.0 {
        return format!("{value:.0}");
    }
    // Rounding may carry into another digit (999.6), so the digits are counted afterwards.
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    let digits = rounded.abs().log10().floor() as i32;
    match digits {
        2.. => grouped(rounded),
        _ => format!("{rounded:.*}", (2 - digits) as usize),
    }
}

/// A whole number with its thousands set apart.
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = if value < 0.0 { "-" } else { "" }.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ratio: two places after the point, more where it is small, fewer where it is great.
pub fn ratio(value: f64) -> String {
    match value {
        ..0.1 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => figure(value),
    }
}

pub fn check() {
    for (value, expected) in [
        (4_613.4, "4,610"),
        (999.6, "1,000"),
        (133.4, "133"),
        (32.14, "32.1"),
        (4.5678, "4.57"),
        (0.032_14, "0.0321"),
        (1.0, "1"),
        (0.0, "0"),
        (17_755_005.0, "17,800,000"),
        (f64::NAN, "-"),
    ] {
        assert_eq!(figure(value), expected);
    }
    assert_eq!(grouped(65_000.0), "65,000");
    assert_eq!(ratio(0.041_2), "0.041");
    assert_eq!(ratio(1.0), "1.00");
    assert_eq!(ratio(80.0), "80.0");
    let cpu = Metric::named(CPU);
    assert!(cpu.beats(100.0, 101.0) && !cpu.beats(101.0, 100.0));
    assert!(!cpu.beats(100.1, 100.2), "the same by what is shown");
    let stuck = Metric::named("stuck_cost_ratio");
    assert!(!stuck.beats(0.9, 0.99) && stuck.beats(0.99, 1.1));
    assert_eq!(Metric::named("binary_bytes").say(921_600.0), "900 KiB");
    assert_eq!(Metric::named("something_new").head, "something_new");
}
