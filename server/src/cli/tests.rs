//! The command tree, compared with the exchange's table.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use exchange::Operation;
use exchange::operation::TABLE;

use super::Cli;

/// Operations of the table whose commands are not written yet. It only ever shrinks.
const NOT_YET: &[&str] = &[
    "storage",
    "doctor",
    "product",
    "scan",
    "recipient",
    "request",
    "grant",
    "replica",
    "sync",
    "vacuum",
    "verify",
    "billing",
    "validate",
    "plan",
    "deploy",
    "export",
];

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_line_of_the_table_has_its_command() {
    let command = Cli::command();
    let mut missing = BTreeSet::new();
    for line in TABLE {
        let Some(path) = line.cli else { continue };
        let found = path
            .split(' ')
            .try_fold(&command, |command, word| command.find_subcommand(word));
        if found.is_none_or(|found| found.has_subcommands()) {
            missing.insert((path, line.operation));
        }
    }
    let missing: BTreeSet<&str> = missing
        .into_iter()
        .map(|(path, _): (&str, Operation)| path.split(' ').next().unwrap())
        .collect();
    assert_eq!(missing, NOT_YET.iter().copied().collect());
}
