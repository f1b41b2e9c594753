//! What the log tells of what people do: at `info` who decides about others, and who tries to; at `debug` who goes where
//! under which name. Never what is said in a room.

use crate::chat::{Deed, Door, Who};

/// Logs a deed.
pub fn note(who: &Who<'_>, deed: Deed<'_>) {
    match deed {
        Deed::Renamed(name) => log::debug!("{who} is called {name} now"),
        Deed::Entered(room) => log::debug!("{who} entered {room}"),
        Deed::BecameAdmin => log::info!("{who} became an admin"),
        Deed::Wrong(Door::Server) => log::warn!("{who} said a wrong password"),
        Deed::Wrong(Door::Admin) => log::warn!("{who} said a wrong password for admins"),
        Deed::Wrong(Door::Room) => log::info!("{who} said a wrong key of a room"),
        Deed::ThrewOut { name, text: "" } => log::info!("{who} threw out {name}"),
        Deed::ThrewOut { name, text } => log::info!("{who} threw out {name}: {text}"),
        Deed::Banned { whom, text: "" } => log::info!("{who} banned {whom}"),
        Deed::Banned { whom, text } => log::info!("{who} banned {whom}: {text}"),
        Deed::Unbanned(whom) => log::info!("{who} lifted the ban of {whom}"),
        Deed::SpokeToAll(text) => log::info!("{who} said to all: {text}"),
    }
}
