//! The records for programs: a row each, as RFC 4180 quotes it.

use super::metric::{CPU, Metric};
use crate::record::Record;

const HEADER: &str =
    "scenario,peer,version,readers,burst,line_bytes,metric,median,low,high,repeats,fault";

/// Figures are in the units that their metric's name says; empty where a fault stands in their place.
pub fn render(records: &[Record]) -> String {
    let mut out = format!("{HEADER}\n");
    for record in records {
        let figure = |value: f64| match &record.fault {
            None if value.is_finite() => format!("{value}"),
            _ => String::new(),
        };
        let fields = [
            quoted(&record.scenario),
            quoted(&record.peer),
            quoted(&record.version),
            record.readers.to_string(),
            record.burst.to_string(),
            record.line_bytes.to_string(),
            quoted(record.metric),
            figure(record.median()),
            figure(record.low()),
            figure(record.high()),
            record.figures.len().to_string(),
            quoted(record.fault.as_deref().unwrap_or_default()),
        ];
        out.push_str(&fields.join(","));
        out.push('\n');
    }
    out
}

/// Only where it has to be.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

pub fn check(records: &[Record]) {
    assert_eq!(quoted("all talk, 64"), "\"all talk, 64\"");
    assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
    let record = |fault: Option<&str>| Record {
        scenario: "bursts, two".to_owned(),
        peer: "redis".to_owned(),
        version: "7.0".to_owned(),
        readers: 10,
        burst: 2,
        line_bytes: 64,
        metric: Metric::named(CPU).name,
        figures: vec![1.5, 2.0, 1.0],
        fault: fault.map(str::to_owned),
    };
    assert_eq!(
        render(&[record(None), record(Some("lost 1, closed 2"))]),
        format!(
            "{HEADER}\n\
            \"bursts, two\",redis,7.0,10,2,64,cpu_ns_per_line,1.5,1,2,3,\n\
            \"bursts, two\",redis,7.0,10,2,64,cpu_ns_per_line,,,,3,\"lost 1, closed 2\"\n"
        )
    );
    // A field in quotes may go over several lines.
    let faults = records.iter().filter_map(|record| record.fault.as_ref());
    let within: usize = faults.map(|fault| fault.matches('\n').count()).sum();
    let lines = render(records).lines().count();
    assert_eq!(lines, 1 + records.len() + within);
}
