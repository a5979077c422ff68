//! The administration: one file for each of its pages, and here the names of all.

pub(crate) mod assess;
pub(crate) mod audit;
pub(crate) mod domains;
pub(crate) mod jobs;
pub(crate) mod people;
pub(crate) mod rates;
pub(crate) mod recipients;
pub(crate) mod storages;
pub(crate) mod teams;

// The way around in the administration.
pub(crate) const PEOPLE: &str = "People";
pub(crate) const DOMAINS: &str = "Domains";
pub(crate) const TEAMS: &str = "Teams";
pub(crate) const STORAGES: &str = "Storages";
pub(crate) const RECIPIENTS: &str = "Recipients";
pub(crate) const PRICES: &str = "Prices";
pub(crate) const ASSESS: &str = "Assessment";
pub(crate) const JOBS: &str = "Jobs";
pub(crate) const AUDIT: &str = "Audit";
pub(crate) const ADMINISTRATION: &str = "Administration";
