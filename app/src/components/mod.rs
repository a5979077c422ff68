//! The portal's building blocks: small, without state of their own, working without JavaScript. Their look lives
//! in `style/`.

pub mod account;
pub mod badge;
pub mod button;
pub mod dialog;
pub mod field;
pub mod flash;
pub mod icon;
pub mod nav;
pub mod pager;
pub mod table;
pub mod text_area;
pub mod time;

#[cfg(all(test, feature = "ssr"))]
mod tests;
