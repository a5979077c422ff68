//! The server as a whole, in one binary: real router, real database (SQLite always, PostgreSQL where `TEST_POSTGRES_URL` names
//! a server), a clock that stands still.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adapters;
mod administration;
mod api;
mod assess;
mod bad_input;
mod broken_wires;
mod by_hand;
mod cli;
mod command_line;
mod conformance;
mod controls;
mod crash;
mod cross_site;
mod editing;
mod flows;
mod health;
mod idempotency;
mod journey;
mod lake;
mod logs;
mod machine_limits;
mod matrix;
mod oidc;
mod people;
mod pictures;
mod portal;
mod post;
mod registering;
mod reseal;
mod sessions;
mod sprawl;
mod stopping;
mod support;
mod two_tabs;
mod ways;
