//! From addresses to listeners: bound, listening, non-blocking, their options set.
//!
//! Owns everything between `--listen` and the event loop: looking names up, the queue of
//! connections not yet accepted, the options that accepted sockets inherit, the socket file of a
//! Unix listener from its making to its removal, and the words for all that can go wrong. It never
//! accepts, and never reads or writes a connection.

mod error;
mod file;
mod hints;

pub use error::{BindError, Reason};
pub use file::SocketFile;
pub use hints::hints;

use crate::address::Address;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::fmt;
use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

/// How many connections may wait to be accepted. The kernel takes the smaller of this and its own
/// limit (`net.core.somaxconn`, 4096 on Linux).
pub const QUEUE: i32 = 4096;

/// Whether an accepted socket has the options of its listener, so that [`tune`] need not be called.
pub const OPTIONS_ARE_INHERITED: bool = cfg!(target_os = "linux");

/// A peer that has said nothing for so long is asked whether it is still there …
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// … this often …
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// … and is gone if it leaves so many questions unanswered: 60 seconds in all.
const KEEPALIVE_TRIES: u32 = 3;
/// The longest pause between two attempts to send what a peer has not acknowledged. With the
/// kernel's 15 attempts a peer is gone after 61 seconds instead of 15 minutes.
#[cfg(target_os = "linux")]
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// A listener, and what must be kept as long as it listens.
#[derive(Debug)]
pub struct Bound {
    pub listener: Listener,
    /// Where it really listens: a port that was 0 is the one that was found.
    pub local: Local,
    /// Removes the socket file when dropped; `None` for TCP.
    pub file: Option<SocketFile>,
}

/// A non-blocking listening socket.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where a listener listens, or should. Displayed as `--listen` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Local {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Binds all of `addresses`, or none.
///
/// A name is bound at each address it has on this machine (with port 0 at the first only). What is
/// listed twice, or covered by `0.0.0.0` or `[::]` with the same port, is bound once. `[::]` takes
/// IPv4 too unless an IPv4 address of the list has the same port.
pub fn bind(addresses: &[Address]) -> Result<Vec<Bound>, BindError> {
    let lists: Vec<Vec<SocketAddr>> = addresses.iter().map(resolve).collect::<Result<_, _>>()?;
    let wanted: Vec<SocketAddr> = lists.iter().flatten().copied().collect();
    let mut done: Vec<Local> = Vec::new();
    let mut bound = Vec::new();
    for (address, list) in addresses.iter().zip(lists) {
        match address {
            Address::Unix(path) => {
                let local = Local::Unix(path.clone());
                if !done.contains(&local) {
                    bound.push(bind_unix(path.clone())?);
                    done.push(local);
                }
            }
            Address::Tcp { .. } => bind_list(&list, &wanted, &mut done, &mut bound)?,
        }
    }
    Ok(bound)
}

/// Sets what every connection of a chat wants: no delay for small lines, and an end to peers that
/// vanish without a word. Best effort: a system that refuses an option still serves.
pub fn tune(socket: &impl AsFd) {
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    #[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_os = "solaris")))]
    let keepalive = keepalive
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES);
    note("TCP_NODELAY", socket.set_tcp_nodelay(true));
    note("SO_KEEPALIVE", socket.set_tcp_keepalive(&keepalive));
    // Keepalive is silent while data is on its way. TCP_USER_TIMEOUT would end that wait too, but
    // also closes a peer that is there, answers, and has merely stopped reading for as long.
    #[cfg(target_os = "linux")]
    note(
        "TCP_RTO_MAX_MS",
        crate::system::set_tcp_retry_pause(&*socket, RETRY_PAUSE),
    );
}

fn note(option: &str, result: io::Result<()>) {
    if let Err(error) = result {
        log::debug!("{option} is not available: {error}");
    }
}

/// The socket addresses of a TCP address, those of IPv4 in IPv6's clothes as what they are. None
/// for a Unix path.
fn resolve(address: &Address) -> Result<Vec<SocketAddr>, BindError> {
    let found = address.resolve().map_err(|error| BindError {
        address: address.to_string(),
        reason: Reason::NameNotFound(error),
    })?;
    let canonical = |a: SocketAddr| match a.ip().to_canonical() {
        ip if ip == a.ip() => a,
        ip => SocketAddr::new(ip, a.port()),
    };
    Ok(found.into_iter().map(canonical).collect())
}

/// Binds what one entry of the list stands for. `wanted` is what all entries stand for, `done` what
/// is bound already.
fn bind_list(
    list: &[SocketAddr],
    wanted: &[SocketAddr],
    done: &mut Vec<Local>,
    bound: &mut Vec<Bound>,
) -> Result<(), BindError> {
    let mut any = false;
    let mut missing = None;
    for &address in list {
        let local = Local::Tcp(address);
        if address.port() != 0 && (done.contains(&local) || is_covered(address, wanted)) {
            any = true;
            continue;
        }
        match bind_tcp(address, wanted) {
            Ok(new) => {
                any = true;
                bound.push(new);
                done.push(local);
                if address.port() == 0 {
                    break;
                }
            }
            // `localhost` names an IPv6 address even where IPv6 is switched off.
            Err(error) if matches!(error.reason, Reason::NotHere(_)) => {
                missing.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if !any => Err(error),
        _ => Ok(()),
    }
}

/// Whether a wildcard of the list takes the connections to `address` already.
fn is_covered(address: SocketAddr, wanted: &[SocketAddr]) -> bool {
    !address.ip().is_unspecified()
        && wanted.iter().any(|other| {
            other.ip().is_unspecified()
                && other.port() == address.port()
                && other.is_ipv4() == address.is_ipv4()
        })
}

fn bind_tcp(address: SocketAddr, wanted: &[SocketAddr]) -> Result<Bound, BindError> {
    let shared = |a: &SocketAddr| a.is_ipv4() && a.port() == address.port() && a.port() != 0;
    let only_v6 = !address.ip().is_unspecified() || wanted.iter().any(shared);
    let open = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(only_v6)?;
        }
        socket.bind(&address.into())?;
        tune(&socket);
        socket.listen(QUEUE)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    let (listener, local) = open().map_err(|error| BindError::tcp(address, error))?;
    Ok(Bound {
        listener: Listener::Tcp(listener),
        local: Local::Tcp(local),
        file: None,
    })
}

fn bind_unix(path: PathBuf) -> Result<Bound, BindError> {
    let open = || {
        file::remove_stale(&path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(&path)?)?;
        // From here on the file is ours to remove, whatever fails.
        let file = SocketFile::of(&path)?;
        // Like a port, it is for everybody on the machine; its folder may keep them out.
        std::fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        socket.listen(QUEUE)?;
        socket.set_nonblocking(true)?;
        Ok((UnixListener::from(socket), file))
    };
    let (listener, file) = open().map_err(|reason: Reason| BindError::unix(&path, reason))?;
    Ok(Bound {
        listener: Listener::Unix(listener),
        local: Local::Unix(path),
        file: Some(file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind;
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn bind_texts(texts: &[&str]) -> Result<Vec<Bound>, BindError> {
        let parse = |text: &&str| Address::listen(text).expect("an address to listen on");
        bind(&texts.iter().map(parse).collect::<Vec<_>>())
    }

    fn bound(texts: &[&str]) -> Vec<Bound> {
        bind_texts(texts).unwrap_or_else(|error| panic!("{texts:?}: {error}"))
    }

    fn refused(texts: &[&str]) -> String {
        bind_texts(texts).expect_err("not to be bound").to_string()
    }

    fn tcp(bound: &Bound) -> (&TcpListener, SocketAddr) {
        match (&bound.listener, &bound.local) {
            (Listener::Tcp(listener), Local::Tcp(local)) => (listener, *local),
            other => panic!("not TCP: {other:?}"),
        }
    }

    fn locals(bound: &[Bound]) -> Vec<String> {
        bound.iter().map(|b| b.local.to_string()).collect()
    }

    /// Binds texts in which `PORT` is one port that is free. Other tests take ports too, so that
    /// the one found may be gone again when it is asked for.
    fn bound_at_one_port(texts: &[&str]) -> (Vec<Bound>, u16) {
        let end = Instant::now() + PATIENCE;
        loop {
            let port = tcp(&bound(&["127.0.0.1:0"])[0]).1.port();
            let texts: Vec<String> = texts
                .iter()
                .map(|text| text.replace("PORT", &port.to_string()))
                .collect();
            match bind_texts(&texts.iter().map(String::as_str).collect::<Vec<_>>()) {
                Ok(bound) => return (bound, port),
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
        }
    }

    fn accept(listener: &TcpListener) -> TcpStream {
        let end = Instant::now() + PATIENCE;
        loop {
            match listener.accept() {
                Ok((stream, _)) => return stream,
                Err(error) => assert!(
                    error.kind() == ErrorKind::WouldBlock && Instant::now() < end,
                    "{error}"
                ),
            }
        }
    }

    fn has_ipv6() -> bool {
        TcpListener::bind("[::1]:0").is_ok()
    }

    /// A folder of this test's own, removed with all in it.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("snug-listen-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn unix(path: &Path) -> String {
        format!("unix:{}", path.display())
    }

    #[test]
    fn port_0_becomes_the_port_that_was_found() {
        let bound = bound(&["127.0.0.1:0", "127.0.0.1:0"]);
        let ports: Vec<u16> = bound.iter().map(|b| tcp(b).1.port()).collect();
        assert!(ports[0] != 0 && ports[1] != 0 && ports[0] != ports[1]);
        for bound in &bound {
            let (listener, local) = tcp(bound);
            let error = listener
                .accept()
                .expect_err("nobody is there, and it does not wait");
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            TcpStream::connect(local).expect("it listens");
        }
    }

    #[test]
    fn accepted_sockets_are_tuned() {
        let bound = bound(&["127.0.0.1:0"]);
        let (listener, local) = tcp(&bound[0]);
        let client = TcpStream::connect(local).expect("it listens");
        let server = accept(listener);
        if !OPTIONS_ARE_INHERITED {
            tune(&server);
        }
        let socket = SockRef::from(&server);
        assert!(socket.tcp_nodelay().expect("an option"));
        assert!(socket.keepalive().expect("an option"));
        #[cfg(target_os = "linux")]
        {
            assert_eq!(
                socket.tcp_keepalive_time().expect("an option"),
                KEEPALIVE_AFTER
            );
            assert_eq!(
                socket.tcp_keepalive_interval().expect("an option"),
                KEEPALIVE_EVERY
            );
            assert_eq!(
                socket.tcp_keepalive_retries().expect("an option"),
                KEEPALIVE_TRIES
            );
            // It would close readers that have stopped, but are there.
            assert_eq!(socket.tcp_user_timeout().expect("an option"), None);
            let untouched = crate::system::tcp_retry_pause(&client);
            if let Ok(untouched) = untouched {
                assert_ne!(untouched, RETRY_PAUSE);
                assert_eq!(
                    crate::system::tcp_retry_pause(&server).ok(),
                    Some(RETRY_PAUSE)
                );
            }
        }
        drop(client);
    }

    /// With mio's queue of 128 the 130th connection would wait a second to be asked again.
    #[test]
    fn a_burst_of_connections_waits_in_the_queue() {
        crate::system::raise_file_limit();
        let somaxconn = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
        let most = somaxconn.trim().parse().unwrap_or(100);
        let bound = bound(&["127.0.0.1:0"]);
        let (listener, local) = tcp(&bound[0]);
        let clients: Vec<TcpStream> = (0..most.min(400))
            .map(|i| {
                TcpStream::connect_timeout(&local, Duration::from_millis(900))
                    .unwrap_or_else(|error| panic!("connection {i}: {error}"))
            })
            .collect();
        for _ in &clients {
            accept(listener);
        }
    }

    #[test]
    fn a_port_in_use_is_a_sentence_and_nothing_stays_bound() {
        let first = bound(&["127.0.0.1:0"]);
        let taken = first[0].local.to_string();
        let folder = Folder::new();
        let socket = folder.path("s");
        assert_eq!(
            refused(&[&unix(&socket), &taken]),
            format!(
                "{taken} is in use by another program; \
                 stop it or choose another port with --listen HOST:PORT"
            )
        );
        assert!(!socket.exists());
    }

    /// Binds, is connected to, closes first (which keeps the port in TIME_WAIT), and binds again.
    fn restart() -> Result<Vec<Bound>, BindError> {
        let first = bound(&["127.0.0.1:0"]);
        let (listener, local) = tcp(&first[0]);
        let client = TcpStream::connect(local).expect("it listens");
        drop(accept(listener));
        drop(first);
        drop(client);
        bind_texts(&[&local.to_string()])
    }

    #[test]
    fn a_port_is_free_at_once_after_a_restart() {
        // More than once, because another test may be given the port in between.
        assert!((0..10).any(|_| restart().is_ok()));
    }

    #[test]
    fn other_failures_are_sentences() {
        assert_eq!(
            refused(&["192.0.2.1:9999"]),
            "192.0.2.1:9999 is no address of this machine; \
             choose one it has, or all of them with --listen 0.0.0.0:9999"
        );
        let unknown = refused(&["no such host:9999"]);
        assert!(
            unknown.starts_with("no such host:9999: the host is not known ("),
            "{unknown}"
        );
    }

    #[test]
    fn what_is_listed_twice_or_covered_is_bound_once() {
        let (bound, port) = bound_at_one_port(&[
            "127.0.0.1:PORT",
            "0.0.0.0:PORT",
            "0.0.0.0:PORT",
            "127.0.0.2:PORT",
        ]);
        assert_eq!(locals(&bound), [format!("0.0.0.0:{port}")]);

        let (bound, port) = bound_at_one_port(&["127.0.0.1:PORT", "[::ffff:127.0.0.1]:PORT"]);
        assert_eq!(locals(&bound), [format!("127.0.0.1:{port}")]);
    }

    #[test]
    fn a_name_is_bound_wherever_it_is_of_this_machine() {
        let zero = bound(&["localhost:0"]);
        assert_eq!(zero.len(), 1);
        assert!(tcp(&zero[0]).1.ip().is_loopback());

        let (named, port) = bound_at_one_port(&["localhost:PORT"]);
        assert!(!named.is_empty());
        for bound in &named {
            let (listener, local) = tcp(bound);
            assert_eq!(local.port(), port);
            TcpStream::connect(local).expect("it listens");
            accept(listener);
        }
    }

    #[test]
    fn the_ipv6_wildcard_takes_ipv4_unless_another_does() {
        if !has_ipv6() {
            return;
        }
        let both = bound(&["[::]:0"]);
        let (listener, local) = tcp(&both[0]);
        TcpStream::connect(("127.0.0.1", local.port())).expect("IPv4 too");
        assert!(accept(listener).peer_addr().is_ok());

        let (bound, port) = bound_at_one_port(&["[::]:PORT", "127.0.0.1:PORT"]);
        assert_eq!(
            locals(&bound),
            [format!("[::]:{port}"), format!("127.0.0.1:{port}")]
        );
        TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        accept(tcp(&bound[1]).0);
        TcpStream::connect(("::1", port)).expect("it listens");
        accept(tcp(&bound[0]).0);
    }

    #[test]
    fn a_socket_file_lives_as_long_as_its_listener() {
        let folder = Folder::new();
        let path = folder.path("snug.sock");
        let listening = bound(&[&unix(&path), &unix(&path)]);
        assert_eq!(locals(&listening), [unix(&path)]);
        UnixStream::connect(&path).expect("it listens");

        let running = format!(
            "{} is in use by a running server; \
             stop it or choose another path with --listen unix:PATH",
            unix(&path)
        );
        assert_eq!(refused(&[&unix(&path)]), running);
        UnixStream::connect(&path).expect("it still listens");
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_server_left_is_replaced() {
        let folder = Folder::new();
        let path = folder.path("snug.sock");
        drop(UnixListener::bind(&path).expect("a dead server's file"));
        assert!(path.exists());
        let listening = bound(&[&unix(&path)]);
        UnixStream::connect(&path).expect("it listens");
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn the_file_of_another_server_is_not_removed() {
        let folder = Folder::new();
        let path = folder.path("snug.sock");
        let listening = bound(&[&unix(&path)]);
        // Made while the first still exists, so that it cannot get its number.
        let other = UnixListener::bind(folder.path("other")).expect("a socket");
        fs::rename(folder.path("other"), &path).expect("a rename");
        drop(listening);
        UnixStream::connect(&path).expect("the other's file is still there");
        drop(other);
    }

    #[test]
    fn a_full_queue_is_a_running_server() {
        let folder = Folder::new();
        let path = folder.path("snug.sock");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        socket
            .bind(&SockAddr::unix(&path).expect("a path"))
            .expect("bound");
        socket.listen(0).expect("listening");
        // A queue of 0 holds one.
        let _waits = UnixStream::connect(&path).expect("it listens");
        assert!(refused(&[&unix(&path)]).contains("is in use by a running server"));
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = Folder::new();
        let file = folder.path("precious");
        fs::write(&file, "text").expect("a file");
        let link = folder.path("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        for path in [&file, &link, &folder.0] {
            assert_eq!(
                refused(&[&unix(path)]),
                format!(
                    "{} exists and is not a socket, so it is left alone; \
                     move it away or choose another path with --listen unix:PATH",
                    unix(path)
                )
            );
        }
        assert_eq!(fs::read_to_string(&file).expect("still there"), "text");
        assert!(link.is_symlink());
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = Folder::new();
        let missing = folder.path("missing");
        assert_eq!(
            refused(&[&unix(&missing.join("s"))]),
            format!(
                "unix:{0}/s cannot be made: there is no folder {0}; \
                 make it, or choose another path with --listen unix:PATH",
                missing.display()
            )
        );
        let long = Address::Unix(folder.path(&"x".repeat(200)));
        let error = bind(&[long]).expect_err("longer than a socket address");
        assert!(matches!(error.reason, Reason::LongPath), "{error:?}");
    }
}
