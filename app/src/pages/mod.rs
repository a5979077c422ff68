//! The portal's pages, one file each; an area with several pages gets a folder.

pub mod access;
pub mod admin;
pub mod approvals;
pub mod catalog;
pub mod costs;
pub mod home;
pub mod not_found;
pub mod notifications;
pub mod product;
pub mod register;
pub mod replicas;
pub mod request;
pub mod sign_in;
#[cfg(all(feature = "ssr", debug_assertions))]
pub mod styleguide;
