//! The portal's pages, one file each; an area with several pages gets a folder.

pub mod access;
pub mod account;
pub mod activate;
pub mod admin;
pub mod advice;
pub mod approvals;
pub mod catalog;
pub mod costs;
pub mod erasures;
pub mod flows;
pub mod home;
pub mod not_found;
pub mod product;
pub mod register;
pub mod replicas;
pub mod request;
pub mod sign_in;
#[cfg(all(feature = "ssr", debug_assertions))]
pub mod styleguide;
