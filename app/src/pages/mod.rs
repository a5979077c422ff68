//! The portal's pages, one file each; an area with several pages gets a folder.

pub mod home;
pub mod not_found;
pub mod sign_in;
#[cfg(all(feature = "ssr", debug_assertions))]
pub mod styleguide;
