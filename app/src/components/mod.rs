//! The portal's building blocks: small, working without JavaScript. Their look lives in `style/`.

pub mod account;
pub mod badge;
pub mod button;
pub mod code;
pub mod dialog;
pub mod field;
pub mod flash;
pub mod form;
pub mod load;
pub mod meanwhile;
pub mod nav;
pub mod pager;
pub mod state;
pub mod steps;
pub mod table;
pub mod tabs;
pub mod text_area;
pub mod tick;
pub mod time;

#[cfg(test)]
mod tests;
