//! Figures that are made up, of the kind that a run gives: ten servers, gaps, faults, text that needs to be
//! escaped. Only [`super::check`] looks at them.

use super::Facts;
use crate::record::Record;

/// What a line costs each server, in ns: one at a time, and what is left of that for each of many.
const SERVERS: [(&str, &str, f64, f64); 10] = [
    ("snug", "0.1.0", 3_300.0, 60.0),
    ("floor", "", 3_250.0, 52.0),
    ("redis", "7.0.15", 4_900.0, 190.0),
    ("nats", "2.9.10", 5_400.0, 310.0),
    ("mosquitto", "2.0.11", 6_100.0, 1_450.0),
    ("ngircd", "26.1", 7_700.0, 1_500.0),
    ("inspircd", "3.15.0", 9_200.0, 1_900.0),
    ("ncat", "7.93", 3_900.0, 57.0),
    ("threads.py", "3.11.2", 16_800.0, 9_900.0),
    ("floor, same bytes", "", 3_260.0, 56.0),
];
const MEMORY: [f64; 10] = [
    192.0, 40.0, 9_900.0, 19_800.0, 845.0, 3_200.0, 7_400.0, 320.0, 21_500.0, 40.0,
];
/// The most readers that ncat and Python are asked for.
const SLOW_LIMIT: usize = 1_000;

/// The load of a record: scenario, readers, burst, bytes a line.
type Load<'a> = (&'a str, usize, usize, usize);

pub fn facts() -> Facts {
    Facts {
        date: "2026-11-22".to_owned(),
        machine: "Intel(R) Xeon(R) Processor @ 2.50GHz, 2 cores, Linux 6.18 x86_64; server on core 1, load on core 0"
            .to_owned(),
        command: "cargo bench -- --peers all".to_owned(),
        skipped: vec![("ergo <IRC>".to_owned(), "ergo".to_owned())],
    }
}

pub fn records() -> Vec<Record> {
    let mut all = Vec::new();
    for readers in [10, 100, 1_000, 10_000] {
        for (burst, scenario) in [1, 8, 64, 512].map(|burst| (burst, scenario(burst))) {
            costs(&mut all, (&scenario, readers, burst, 64));
        }
    }
    for bytes in [16, 400, 4_000] {
        costs(&mut all, (&scenario(64), 1_000, 64, bytes));
    }
    for index in 0..SERVERS.len() {
        steady(&mut all, index);
        footprint(&mut all, index);
    }
    all.push(fault(
        3,
        ("one reader stuck", 100, 1, 64),
        "stuck_cost_ratio",
        "stalled",
    ));
    all.push(figure(
        0,
        ("one reader stuck", 100, 1, 64),
        "stuck_cost_ratio",
        1.01,
    ));
    all
}

fn scenario(burst: usize) -> String {
    match burst {
        1 => "one line at a time".to_owned(),
        _ => format!("bursts of {burst}"),
    }
}

fn costs(all: &mut Vec<Record>, load: Load) {
    let (_, readers, burst, bytes) = load;
    for (index, &(peer, _, alone, each)) in SERVERS.iter().enumerate() {
        let slow = peer == "threads.py" || peer == "ncat";
        if slow && readers > SLOW_LIMIT {
            let words = match peer {
                "threads.py" => "closed 8,977 readers & <stopped>: \"can't start\nnew thread\"",
                _ => "lost 12 lines",
            };
            all.push(fault(index, load, "cpu_ns_per_line", words));
            continue;
        }
        // Nothing of this row: a gap in the line.
        if peer == "mosquitto" && readers == 1_000 && burst == 1 {
            continue;
        }
        let crowd = 1.0 + ((readers as f64).log10() - 2.2).abs() * 0.25;
        let length = 0.8 + 0.2 * bytes as f64 / 64.0;
        let cost = (alone / burst as f64 + each) * crowd * length;
        all.push(figure(index, load, "cpu_ns_per_line", cost));
        all.push(figure(index, load, "lines_per_second", 0.9e9 / cost));
    }
}

fn steady(all: &mut Vec<Record>, index: usize) {
    let load = ("50 lines a second", 1_000, 1, 64);
    if SERVERS[index].0 == "ncat" {
        all.push(fault(index, load, "latency_p50_us", "stalled"));
        return;
    }
    let middle = SERVERS[index].2 * 1.1;
    for (metric, factor) in [
        ("latency_p50_us", 1.0),
        ("latency_p90_us", 1.08),
        ("latency_p99_us", 1.3),
        ("latency_p999_us", 2.2),
    ] {
        all.push(figure(index, load, metric, middle * factor));
    }
}

fn footprint(all: &mut Vec<Record>, index: usize) {
    let idle = ("idle", 10_000, 0, 0);
    if SERVERS[index].0 == "threads.py" {
        all.push(fault(
            index,
            idle,
            "bytes_per_connection",
            "closed 8,977 readers",
        ));
    } else {
        all.push(figure(index, idle, "bytes_per_connection", MEMORY[index]));
        let rate = 2e8 / SERVERS[index].2;
        all.push(figure(index, idle, "connections_per_second", rate));
    }
    let load = ("footprint", 0, 0, 0);
    for (metric, value) in [
        ("resident_start_bytes", 2.4e6 + 9e3 * MEMORY[index]),
        ("binary_bytes", 1.0e6 * (1.0 + index as f64)),
        ("idle_syscalls_per_minute", 12.0 * index as f64),
        ("threads", 1.0 + (index / 3) as f64),
    ] {
        all.push(figure(index, load, metric, value));
    }
}

fn figure(index: usize, load: Load, metric: &'static str, median: f64) -> Record {
    let (scenario, readers, burst, line_bytes) = load;
    Record {
        scenario: scenario.to_owned(),
        peer: SERVERS[index].0.to_owned(),
        version: SERVERS[index].1.to_owned(),
        readers,
        burst,
        line_bytes,
        metric,
        figures: [0.99, 1.0, 1.07, 0.96, 1.01]
            .map(|part| part * median)
            .to_vec(),
        fault: None,
    }
}

fn fault(index: usize, load: Load, metric: &'static str, words: &str) -> Record {
    Record {
        figures: Vec::new(),
        fault: Some(words.to_owned()),
        ..figure(index, load, metric, f64::NAN)
    }
}
