//! The cases, by area: one function each.

mod asynchronous;
mod calls;
mod changes;
mod credentials;
mod endpoints;
mod errors;
mod formats;
mod lines;
mod lists;
mod pages;
mod predicates;
mod query;
mod traps;

use crate::case::Case;

pub(crate) const AREAS: [&[Case]; 13] = [
    calls::CASES,
    endpoints::CASES,
    lists::CASES,
    query::CASES,
    lines::CASES,
    formats::CASES,
    pages::CASES,
    changes::CASES,
    asynchronous::CASES,
    credentials::CASES,
    predicates::CASES,
    errors::CASES,
    traps::CASES,
];
