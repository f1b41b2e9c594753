//! What a run against other servers comes to, in one form for whoever shows it: tables, CSV, plots.

use crate::table::median;

/// One metric of one server in one scenario.
#[derive(Clone, Debug)]
pub struct Record {
    /// As `plan::Kind::label` writes it: "one line at a time", "bursts of 64", "all talk, 64 under way",
    /// "50 lines a second", "rooms, bursts of 8", "one reader stuck", "idle", "footprint".
    pub scenario: String,
    pub peer: String,
    /// As the peer itself says it; empty if unknown.
    pub version: String,
    pub readers: usize,
    /// Lines at a time or under way; 0 where it has no meaning.
    pub burst: usize,
    /// 0 where it has no meaning.
    pub line_bytes: usize,
    /// "cpu_ns_per_line", "lines_per_second", "latency_p50_us", "latency_p90_us", "latency_p99_us",
    /// "latency_p999_us", "bytes_per_connection", "connections_per_second", "resident_start_bytes",
    /// "binary_bytes", "idle_syscalls_per_minute", "threads" or "stuck_cost_ratio".
    pub metric: &'static str,
    /// Of each repeat, in their order.
    pub figures: Vec<f64>,
    /// In words, in place of a figure: "lost 12 lines", "closed 3 readers", "stalled".
    pub fault: Option<String>,
}

impl Record {
    /// NaN where there is no figure, as are the two below.
    pub fn median(&self) -> f64 {
        median(&self.figures).unwrap_or(f64::NAN)
    }

    /// The least of the repeats.
    pub fn low(&self) -> f64 {
        self.figures.iter().copied().fold(f64::NAN, f64::min)
    }

    pub fn high(&self) -> f64 {
        self.figures.iter().copied().fold(f64::NAN, f64::max)
    }

    /// This one's figure, unless there is a fault or nothing in its place.
    pub fn figure(&self) -> Option<f64> {
        let median = self.median();
        (self.fault.is_none() && median.is_finite()).then_some(median)
    }

    /// The median of the ratios, repeat by repeat: in a repeat all servers take turns, so a mood of the machine
    /// that lasts is in both figures, and the ratio is free of it. Where one has repeats that the other
    /// has not, the ratio of the medians.
    pub fn ratio_to(&self, other: &Record) -> Option<f64> {
        let (own, others) = (self.figure()?, other.figure()?);
        let pairs = self.figures.iter().zip(&other.figures);
        let ratios: Vec<f64> = pairs.map(|(own, other)| own / other).collect();
        let ratio = if self.figures.len() == other.figures.len() {
            median(&ratios)?
        } else {
            own / others
        };
        ratio.is_finite().then_some(ratio)
    }
}

/// Looks at the figures of records that are made up; `--check` calls this.
pub fn check() {
    let record = |figures: &[f64]| Record {
        scenario: String::new(),
        peer: String::new(),
        version: String::new(),
        readers: 1,
        burst: 1,
        line_bytes: 64,
        metric: "cpu_ns_per_line",
        figures: figures.to_vec(),
        fault: None,
    };
    // The machine was half as fast in other repeats of one than of the other.
    let (own, other) = (record(&[2.0, 4.0, 4.0]), record(&[4.0, 8.0, 2.0]));
    assert_eq!((own.low(), own.median(), own.high()), (2.0, 4.0, 4.0));
    assert_eq!(own.ratio_to(&other), Some(0.5));
    assert_eq!(own.ratio_to(&record(&[4.0, 8.0])), Some(4.0 / 6.0));
    assert_eq!(own.ratio_to(&record(&[0.0, 0.0, 0.0])), None);
    assert_eq!(own.ratio_to(&record(&[])), None);
    let fault = Some("stalled".to_owned());
    assert_eq!(own.ratio_to(&Record { fault, ..other }), None);
}
