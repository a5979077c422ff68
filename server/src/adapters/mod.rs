//! The ports of the other crates, implemented over what this process has.

pub mod access;
pub mod assess;
pub mod clock;
pub mod connect;
pub mod foresee;
pub mod front;
pub mod gate;
pub mod inspector;
pub mod keyring;
pub mod later;
pub mod limited;
pub mod mailer;
pub mod probe;
pub mod reads;
pub mod stores;
pub mod webhook;
