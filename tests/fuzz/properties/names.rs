//! What somebody can be called, and where one can listen.

use super::{Draw, check_clean, one_line};
use snug::address::Address;
use snug::chat::names::{self, ALSO, Fault};
use snug::chat::{Notice, Origin};
use snug::wire::plain;
use std::net::{IpAddr, SocketAddr};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What is accepted as a name is one short word that can be seen, and none that the server gives.
pub fn names(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let verdict = names::check(&name);
    assert_eq!(
        verdict.is_ok(),
        names::check(&name.to_ascii_uppercase()).is_ok(),
        "{name:?}"
    );
    match verdict {
        Ok(()) => check_name(&name),
        Err(fault) => {
            let mut out = Vec::new();
            plain::notice(&mut out, Notice::BadName(fault));
            plain::notice(&mut out, Notice::BadRoom(fault));
            for line in out.split_inclusive(|&byte| byte == b'\n') {
                one_line(line);
            }
            let length = name.chars().count();
            assert!(fault != Fault::Empty || length == 0);
            assert!(!matches!(fault, Fault::TooLong(told) if told != length));
        }
    }
    // Nobody takes what another, who has no name, is called by.
    let mut draw = Draw(data);
    let origin = match draw.below(3) {
        0 => Origin::Unix {
            number: draw.byte().into(),
            own: false,
        },
        kind => {
            let bytes: [u8; 16] = std::array::from_fn(|_| draw.byte());
            let ip = match kind {
                1 => IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]),
                _ => IpAddr::from(bytes),
            };
            SocketAddr::new(ip, draw.byte().into()).into()
        }
    };
    let given = [
        origin.to_string(),
        format!("GUEST{}", draw.byte()),
        format!("{origin}-{}", draw.byte()),
    ];
    for given in given
        .into_iter()
        .chain(origin.ip().map(|ip| ip.to_string()))
    {
        assert_ne!(names::check(&given), Ok(()), "{given:?}");
    }
}

fn check_name(name: &str) {
    check_clean(name);
    let length = name.chars().count();
    assert!((1..=30).contains(&length), "{length} characters: {name:?}");
    let is_mark = |c: char| c.width() == Some(0);
    let can_be = |c: char| c.is_alphanumeric() || is_mark(c) || ALSO.contains(c);
    assert!(name.chars().all(can_be), "{name:?}");
    assert!(!name.starts_with(is_mark), "{name:?} begins with a mark");
    assert!(name.width() > 0, "{name:?} cannot be seen");
    assert!(name.parse::<IpAddr>().is_err() && name.parse::<SocketAddr>().is_err());
    // More of what cannot be seen makes no other name of it.
    for c in [
        '\u{200B}', '\u{2060}', '\u{AD}', '\u{FE0F}', ' ', '\n', '\u{202E}', '<', '*', '#', ':',
    ] {
        let other = format!("{name}{c}");
        assert!(
            matches!(names::check(&other), Err(Fault::Character(found)) if found == c),
            "{other:?}"
        );
    }
}

/// An address that is understood is understood again as it is shown; one that is none is told of in one line.
pub fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (listen, connect) = (Address::listen(&text), Address::connect(&text));
    if let Ok(address) = &listen {
        assert_eq!(connect.as_ref(), Ok(address), "{text:?}");
        assert_eq!(
            Address::listen(&address.to_string()).as_ref(),
            Ok(address),
            "{text:?}"
        );
    }
    match &connect {
        // A host of that name is shown as what a path would be.
        Ok(Address::Tcp { host, .. }) if host == "unix" => {}
        Ok(address) => {
            assert_eq!(
                Address::connect(&address.to_string()).as_ref(),
                Ok(address),
                "{text:?}"
            );
            assert_eq!(
                Address::listen(&address.to_string()).as_ref(),
                Ok(address),
                "{text:?}"
            );
        }
        Err(_) => assert!(listen.is_err(), "{text:?}"),
    }
    for error in [listen.err(), connect.err()].into_iter().flatten() {
        let words = error.to_string();
        assert!(
            !words.is_empty() && (text.contains('\n') || !words.contains('\n')),
            "{words:?}"
        );
    }
}
