//! What the kernel says of a process, where there is a `/proc`.

use crate::harness::{Address, Client, Server};
use std::fs;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

/// How much memory a process has taken since a moment.
pub struct Growth {
    pid: u32,
    measure: fn(u32) -> Option<u64>,
    before: Option<u64>,
}

impl Growth {
    /// Of the memory in use.
    pub fn of_resident(server: &Server) -> Self {
        Self::of(server, |pid| kib(pid, "VmRSS:"))
    }

    /// Of the most that ever was in use.
    pub fn of_peak(server: &Server) -> Self {
        Self::of(server, |pid| kib(pid, "VmHWM:"))
    }

    /// Of the memory in use that is its own: what it allocated, not what of its program was read from the disk.
    pub fn of_own(server: &Server) -> Self {
        Self::of(server, |pid| kib(pid, "RssAnon:"))
    }

    fn of(server: &Server, measure: fn(u32) -> Option<u64>) -> Self {
        let pid = server.pid();
        Self {
            pid,
            measure,
            before: measure(pid),
        }
    }

    /// How much it is by now, in KiB; 0 where the system does not tell.
    pub fn now(&self) -> u64 {
        let now = (self.measure)(self.pid);
        now.zip(self.before)
            .map_or(0, |(now, before)| now.saturating_sub(before))
    }

    /// Checks that it is less than so many KiB.
    #[track_caller]
    pub fn expect_below(&self, limit: u64) {
        let Some(before) = self.before else {
            eprintln!("skipped: this system does not tell how much memory a process has");
            return;
        };
        let growth = self.now();
        assert!(growth < limit, "from {before} KiB by {growth} KiB");
    }
}

/// How many descriptors are open; 0 where the system does not tell.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How often it has waited or been interrupted, and the time it has computed, in hundredths of a second: all of
/// them stand still if and only if it does nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Activity {
    pub switches: u64,
    pub ticks: u64,
}

pub fn activity(pid: u32) -> Activity {
    let status = status(pid);
    Activity {
        switches: field(&status, "voluntary_ctxt_switches:")
            + field(&status, "nonvoluntary_ctxt_switches:"),
        ticks: ticks(pid),
    }
}

/// How often it has waited for something to happen, and so been woken.
pub fn wakes(pid: u32) -> u64 {
    field(&status(pid), "voluntary_ctxt_switches:")
}

/// The time it has computed.
pub fn computed(pid: u32) -> Duration {
    // To the nanosecond, where the system counts so; else to a hundredth of a second.
    let schedstat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    match schedstat.split_whitespace().next().map(str::parse) {
        Some(Ok(nanoseconds)) => Duration::from_nanos(nanoseconds),
        _ => Duration::from_millis(10 * ticks(pid)),
    }
}

/// The time it has computed, in hundredths of a second.
pub fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name in parentheses may hold blanks. utime and stime are fields 14 and 15 of proc(5).
    let (_, after_name) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum()
}

fn status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs")
}

fn kib(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(field(&status, name))
}

fn field(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_whitespace().next());
    number
        .expect("the field is there")
        .parse()
        .expect("a number")
}

/// Bytes from `client` that a server at an IPv4 address has not read yet; 0 where the system does not tell.
pub fn unread(server: &Address, client: &Client) -> u64 {
    let Address::Tcp(SocketAddr::V4(server)) = server else {
        return 0;
    };
    let end = |address: &SocketAddrV4| {
        let ip = u32::from_ne_bytes(address.ip().octets());
        format!("{ip:08X}:{:04X}", address.port())
    };
    let client = client.local().expect("a TCP client");
    let SocketAddr::V4(client) = client else {
        return 0;
    };
    let ends = format!(" {} {} ", end(server), end(&client));
    let Ok(table) = fs::read_to_string("/proc/net/tcp") else {
        return 0;
    };
    let line = table.lines().find(|line| line.contains(&ends));
    // Behind the two ends: the state, then what is queued to be sent and to be read.
    let queues = line.and_then(|line| line.split_whitespace().nth(4)?.split_once(':'));
    queues.map_or(0, |(_, unread)| {
        u64::from_str_radix(unread, 16).expect("a number")
    })
}

/// One of the counters of this network's TCP that proc_net_netstat(5) lists under `TcpExt`.
pub fn tcp_counter(name: &str) -> u64 {
    let table = fs::read_to_string("/proc/net/netstat").expect("Linux");
    let mut lines = table.lines().filter(|line| line.starts_with("TcpExt:"));
    let mut row = || lines.next().expect("a row").split_whitespace();
    let (names, values) = (row(), row());
    let (_, value) = names.zip(values).find(|(n, _)| *n == name).expect("it");
    value.parse().expect("a number")
}
