//! What only the program in the browser says.

use std::fmt::Display;

// Keys on a list.
pub(crate) const TURN_THE_KEYS_ON: &str = "Turn the keys on";
pub(crate) const TURN_THE_KEYS_OFF: &str = "Turn the keys off";

pub(crate) fn how_to_send_or_leave(what: &dyn Display) -> String {
    format!("{what}: Ctrl and Enter send it, Escape leaves it.")
}

// Pictures.

pub(crate) fn arrow_keys_lead_on(said: &dyn Display) -> String {
    format!("{said}. Arrow keys lead to what is beside it.")
}
