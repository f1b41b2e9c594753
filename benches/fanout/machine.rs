//! What the benchmark needs to know of the machine: which cores to use, how many files a process may
//! open, what the kernel says a process has used, and the facts that belong under a table.
//!
//! Where a system lacks one of these (no affinity, no `/proc`), the answer is `None` or a coarser
//! figure from `ps`, and the footer says so. Nothing here fails the run.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The Julian day of the first of January 1970.
const EPOCH_DAY: i32 = 2_440_588;

/// The core of the server under test and the core of the load; `None` where nothing is pinned.
#[derive(Clone, Copy)]
pub struct Cores {
    /// How many this process may use.
    pub count: usize,
    pub server: Option<usize>,
    pub load: Option<usize>,
}

impl Cores {
    /// Two cores of those this process may use, which are not two threads of one core if that can be
    /// had. With one core only, or where affinity is unknown, nothing is pinned.
    pub fn choose() -> Cores {
        let allowed = allowed_cores();
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let Some((&load, others)) = allowed.split_first() else {
            return Cores {
                count,
                server: None,
                load: None,
            };
        };
        let siblings = siblings_of(load);
        let apart = others.iter().find(|core| !siblings.contains(core));
        let server = apart.or(others.first()).copied();
        Cores {
            count,
            server,
            load: server.map(|_| load),
        }
    }

    fn describe(self) -> String {
        match (self.server, self.load) {
            (Some(server), Some(load)) => {
                let shared = siblings_of(load).contains(&server);
                let note = if shared {
                    " (two threads of one core)"
                } else {
                    ""
                };
                format!("server on core {server}, load on core {load}{note}")
            }
            _ => "nothing pinned: one core, or a system without affinity".to_owned(),
        }
    }
}

#[cfg(target_os = "linux")]
fn allowed_cores() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    sched_getaffinity(None)
        .map(|set| {
            (0..CpuSet::MAX_CPU)
                .filter(|&core| set.is_set(core))
                .collect()
        })
        .unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn allowed_cores() -> Vec<usize> {
    Vec::new()
}

/// Keeps the calling thread, and what it starts or becomes, on one core.
#[cfg(target_os = "linux")]
pub fn pin(core: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    set.set(core);
    // A refusal leaves the thread where it was: noisier, not wrong.
    let _ = sched_setaffinity(None, &set);
}

#[cfg(not(target_os = "linux"))]
pub fn pin(_core: usize) {}

/// The hardware threads that share a core with `core`, itself included.
fn siblings_of(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let list = fs::read_to_string(path).unwrap_or_default();
    list.trim().split(',').flat_map(range_of_cores).collect()
}

/// `3` or `0-3`, as the kernel writes lists of cores.
fn range_of_cores(text: &str) -> std::ops::RangeInclusive<usize> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => first..=last,
        _ => std::ops::RangeInclusive::new(1, 0),
    }
}

/// Raises the soft limit of open files to the hard one and says how many that is.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Some systems refuse "unlimited" here; what the limit then is, is asked below.
    let _ = setrlimit(Resource::Nofile, wanted);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The nanoseconds of CPU that a process has used so far, all its threads together.
///
/// The scheduler's own account comes first: it is exact to the nanosecond for a process that sleeps.
/// `stat` counts in ticks of 10 ms, and so does `ps`.
pub fn cpu_of(pid: u32) -> Option<u64> {
    scheduled_ns(pid)
        .or_else(|| ticks_ns(pid))
        .or_else(|| ps_ns(pid))
}

fn scheduled_ns(pid: u32) -> Option<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        total += text.split_ascii_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(total)
}

fn ticks_ns(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may itself hold spaces.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// `ps` writes `[hours:]minutes:seconds[.hundredths]`.
fn ps_ns(pid: u32) -> Option<u64> {
    let text = ps("time=", pid)?;
    let seconds = text.trim().split(':').try_fold(0.0, |sum, part| {
        part.parse::<f64>().ok().map(|value| sum * 60.0 + value)
    })?;
    Some((seconds * 1e9) as u64)
}

/// The bytes of memory that a process has resident.
///
/// `smaps_rollup` counts pages; `status` sums per-core counters that may lag by many pages.
pub fn resident_of(pid: u32) -> Option<u64> {
    kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Rss:")
        .or_else(|| kilobytes(&format!("/proc/{pid}/status"), "VmRSS:"))
        .or_else(|| Some(ps("rss=", pid)?.trim().parse::<u64>().ok()? * 1024))
}

fn kilobytes(path: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn ps(field: &str, pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-o", field, "-p", &pid.to_string()])
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}

/// The server's end of a connection, as the kernel sees it.
pub struct ServerEnd {
    pub is_open: bool,
    /// Unsent or not acknowledged: what a reader that has stopped keeps the server from writing.
    pub unsent_bytes: u64,
}

/// That of the connection from `client`, both by their ports; `None` too once nothing is left of it.
pub fn server_end(server: u16, client: u16) -> Option<ServerEnd> {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let (local, remote) = (format!(":{server:04X}"), format!(":{client:04X}"));
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let matches = fields.next()?.ends_with(&local) && fields.next()?.ends_with(&remote);
        let (state, queues) = (fields.next()?, fields.next()?);
        matches.then_some(())?;
        Some(ServerEnd {
            is_open: state == ESTABLISHED,
            unsent_bytes: u64::from_str_radix(queues.split(':').next()?, 16).ok()?,
        })
    })
}

/// Whether somebody accepts connections there. By the kernel's table where there is one: a connection
/// made to find out would be the server's first.
pub fn listens(address: SocketAddr) -> bool {
    const LISTENING: &str = "0A";
    let Ok(table) = fs::read_to_string("/proc/net/tcp") else {
        return TcpStream::connect(address).is_ok();
    };
    let port = format!(":{:04X}", address.port());
    table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&port))
            && fields.nth(1) == Some(LISTENING)
    })
}

/// How long this process, ready to run, has waited for its core because others had it.
pub fn waited_for_core() -> Option<Duration> {
    let text = fs::read_to_string("/proc/self/schedstat").ok()?;
    let waited = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(waited))
}

/// The date by the machine's clock, in UTC: `2026-11-22`.
pub fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = now.map_or(0, |now| now.as_secs() / 86_400);
    let date = time::Date::from_julian_day(EPOCH_DAY + days as i32);
    date.map_or_else(|_| String::new(), |date| date.to_string())
}

/// One line on the machine: a figure means little without it.
pub fn facts(cores: Cores) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let system = rustix::system::uname();
    format!(
        "{}, {} cores, {} {} {}; {}",
        cpu.unwrap_or_else(|| "unknown processor".to_owned()),
        cores.count,
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy(),
        cores.describe(),
    )
}
