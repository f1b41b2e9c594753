//! What a server says when it starts: where it listens, how to join, who can.

use super::{Bound, Local};
use crate::address::{DEFAULT_HOST, DEFAULT_PORT};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

/// Stands for the call of the client.
const CLIENT: &str = "snug connect";
/// Stands for the address of this machine where it cannot be told.
const SOME_ADDRESS: &str = "<this machine's address>";

/// The lines for the log, in order. `client` is how `snug connect` is called for such a server.
pub fn hints(bound: &[Bound], client: &str) -> Vec<String> {
    let locals: Vec<Local> = bound.iter().map(|b| b.local.clone()).collect();
    let lines = lines(&locals, outside);
    lines
        .into_iter()
        .map(|line| line.replace(CLIENT, client))
        .collect()
}

/// `outside` tells the address by which others reach a wildcard of this machine.
fn lines(locals: &[Local], outside: impl Fn(IpAddr) -> Option<IpAddr>) -> Vec<String> {
    let mut lines = Vec::new();
    for local in locals {
        lines.push(format!("listening on {local}"));
        lines.push(match local {
            Local::Tcp(address) if address.ip().is_unspecified() => {
                join_wildcard(*address, locals, &outside)
            }
            Local::Tcp(address) => join_tcp(*address),
            Local::Unix(path) => join_unix(path),
        });
    }
    if locals.iter().all(is_private) {
        let first = locals.iter().find_map(|local| match local {
            Local::Tcp(address) => Some(*address),
            Local::Unix(_) => None,
        });
        let all = match first {
            Some(SocketAddr::V6(address)) => format!("[::]:{}", address.port()),
            first => format!(
                "0.0.0.0:{}",
                first.map_or(DEFAULT_PORT, |first| first.port())
            ),
        };
        lines.push(format!(
            "only this machine can reach it; to let others in: --listen {all}"
        ));
    }
    lines
}

fn join_tcp(local: SocketAddr) -> String {
    let port = local.port();
    // With its scope, but without the brackets that `nc` does not know.
    let shown = local.to_string();
    let host = shown
        .rsplit_once(':')
        .map_or(DEFAULT_HOST, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    format!("join with: snug connect {local}, or: nc {host} {port}")
}

fn join_wildcard(
    local: SocketAddr,
    locals: &[Local],
    outside: impl Fn(IpAddr) -> Option<IpAddr>,
) -> String {
    let port = local.port();
    // `[::]` takes IPv4 too, which more people have, unless there is a listener for that.
    let is_v4 = |l: &Local| matches!(l, Local::Tcp(a) if a.is_ipv4() && a.port() == port);
    let by_v4 = match locals.iter().any(is_v4) {
        true => None,
        false => outside(Ipv4Addr::UNSPECIFIED.into()),
    };
    match by_v4.or_else(|| outside(local.ip())) {
        Some(ip) => join_tcp(SocketAddr::new(ip, port)),
        None => format!("join with: nc {SOME_ADDRESS} {port}"),
    }
}

fn join_unix(path: &Path) -> String {
    let path = path.display().to_string();
    let address = quoted(&format!("unix:{path}"));
    format!(
        "join with: snug connect {address}, or: nc -U {}",
        quoted(&path)
    )
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    match word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn is_private(local: &Local) -> bool {
    match local {
        Local::Tcp(address) => address.ip().is_loopback(),
        Local::Unix(_) => true,
    }
}

/// The address from which this machine would speak to the rest of the world, of the family of
/// `any`. Connecting a UDP socket only looks up the route; nothing is sent.
fn outside(any: IpAddr) -> Option<IpAddr> {
    // Set aside for documentation: never somebody's.
    let world: IpAddr = match any {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((world, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `outside`: how this machine is known, at most once in each family.
    fn check(locals: &[&str], outside: &[&str], expected: &[&str]) {
        let locals: Vec<Local> = locals
            .iter()
            .map(|text| match text.strip_prefix("unix:") {
                Some(path) => Local::Unix(path.into()),
                None => Local::Tcp(text.parse().expect("an address")),
            })
            .collect();
        let outside: Vec<IpAddr> = outside
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect();
        let of_family = |any: IpAddr| {
            let same = |ip: &&IpAddr| ip.is_ipv4() == any.is_ipv4();
            outside.iter().find(same).copied()
        };
        assert_eq!(lines(&locals, of_family), expected);
    }

    #[test]
    fn it_says_where_how_and_who() {
        check(
            &["127.0.0.1:9999"],
            &[],
            &[
                "listening on 127.0.0.1:9999",
                "join with: snug connect 127.0.0.1:9999, or: nc 127.0.0.1 9999",
                "only this machine can reach it; to let others in: --listen 0.0.0.0:9999",
            ],
        );
        check(
            &["unix:/run/snug.sock", "[::1]:7"],
            &[],
            &[
                "listening on unix:/run/snug.sock",
                "join with: snug connect unix:/run/snug.sock, or: nc -U /run/snug.sock",
                "listening on [::1]:7",
                "join with: snug connect [::1]:7, or: nc ::1 7",
                "only this machine can reach it; to let others in: --listen [::]:7",
            ],
        );
        check(
            &["0.0.0.0:9999", "127.0.0.1:1"],
            &["192.168.1.7"],
            &[
                "listening on 0.0.0.0:9999",
                "join with: snug connect 192.168.1.7:9999, or: nc 192.168.1.7 9999",
                "listening on 127.0.0.1:1",
                "join with: snug connect 127.0.0.1:1, or: nc 127.0.0.1 1",
            ],
        );
        check(
            &["[::]:9999"],
            &["2001:db8::7"],
            &[
                "listening on [::]:9999",
                "join with: snug connect [2001:db8::7]:9999, or: nc 2001:db8::7 9999",
            ],
        );
        check(
            &["[::]:9999"],
            &["2001:db8::7", "192.168.1.7"],
            &[
                "listening on [::]:9999",
                "join with: snug connect 192.168.1.7:9999, or: nc 192.168.1.7 9999",
            ],
        );
        check(
            &["[::]:1", "127.0.0.1:1"],
            &["2001:db8::7", "192.168.1.7"],
            &[
                "listening on [::]:1",
                "join with: snug connect [2001:db8::7]:1, or: nc 2001:db8::7 1",
                "listening on 127.0.0.1:1",
                "join with: snug connect 127.0.0.1:1, or: nc 127.0.0.1 1",
            ],
        );
        check(
            &["0.0.0.0:9999"],
            &[],
            &[
                "listening on 0.0.0.0:9999",
                "join with: nc <this machine's address> 9999",
            ],
        );
        check(
            &["unix:it's here"],
            &[],
            &[
                "listening on unix:it's here",
                r"join with: snug connect 'unix:it'\''s here', or: nc -U 'it'\''s here'",
                "only this machine can reach it; to let others in: --listen 0.0.0.0:9999",
            ],
        );
    }

    #[test]
    fn the_address_it_names_for_others_is_its_own() {
        for any in [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Ipv6Addr::UNSPECIFIED.into(),
        ] {
            // A machine without a network has none.
            if let Some(ip) = outside(any) {
                assert!(!ip.is_loopback() && !ip.is_unspecified());
                UdpSocket::bind((ip, 0)).expect("an address of this machine");
            }
        }
    }
}
