//! The portal's pages, rendered by the server. Every page reads and works without JavaScript; what the browser runs adds to
//! a page that is whole already.
//!
//! Compiled twice. For the server (`ssr`): the shell, the layout, pages, components, and the server functions through which pages
//! reach the exchange. For the browser (`hydrate`): `browser`, and `islands`, the only components that live on there.
//! Does not live here: rules, SQL, sessions. Signing in and out are plain routes of the server, because they change the
//! session cookie; so is the download of a profile, because it answers with a file.

pub mod islands;
pub mod words;

#[cfg(feature = "hydrate")]
pub mod browser;

#[cfg(feature = "ssr")]
pub mod api;
#[cfg(feature = "ssr")]
pub mod charts;
#[cfg(feature = "ssr")]
pub mod components;
#[cfg(feature = "ssr")]
pub mod ctx;
#[cfg(feature = "ssr")]
pub mod error;
#[cfg(feature = "ssr")]
pub mod layout;
#[cfg(feature = "ssr")]
pub mod next;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod portal;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
pub mod url;
#[cfg(feature = "ssr")]
pub mod wire;

#[cfg(feature = "ssr")]
pub use error::AppError;
#[cfg(feature = "ssr")]
pub use portal::App;
#[cfg(feature = "ssr")]
pub use shell::Bundle;
#[cfg(feature = "ssr")]
pub use shell::shell;
#[cfg(all(feature = "ssr", debug_assertions))]
pub use shell::styleguide_shell;
