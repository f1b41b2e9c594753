//! What a run against other servers comes to, in one form for whoever shows it: tables, CSV, plots.

/// One figure of one server in one scenario.
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
    pub median: f64,
    /// The spread of the repeats.
    pub low: f64,
    pub high: f64,
    pub repeats: usize,
    /// In words, in place of a figure: "lost 12 lines", "closed 3 readers", "stalled".
    pub fault: Option<String>,
}
