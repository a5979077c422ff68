//! The command tree, compared with the exchange's table.

mod access;
mod billing;
mod catalog;
mod organisation;
mod replicas;

use std::collections::BTreeSet;

use clap::{CommandFactory as _, Parser as _};
use exchange::Operation;
use exchange::operation::TABLE;
use serde_json::{Value, json};

use super::{Cli, Command};

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_line_of_the_table_has_its_command() {
    let command = Cli::command();
    let mut missing: BTreeSet<(&str, Operation)> = BTreeSet::new();
    for line in TABLE {
        let Some(path) = line.cli else { continue };
        let found = path
            .split(' ')
            .try_fold(&command, |command, word| command.find_subcommand(word));
        if found.is_none_or(|found| found.has_subcommands()) {
            missing.insert((path, line.operation));
        }
    }
    assert_eq!(missing, BTreeSet::new());
}

/// What a command line asks for: method, path with query, and body.
fn asked(line: &[&str]) -> (String, String, Value) {
    let arguments = std::iter::once("entrepot").chain(line.iter().copied());
    let cli = Cli::try_parse_from(arguments).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let Command::Call(command) = cli.command else {
        panic!("{line:?} is no call");
    };
    let call = command.act().unwrap().call;
    let query: Vec<String> = call
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut path = call.path.join("/");
    if !query.is_empty() {
        path.push_str(&format!("?{}", query.join("&")));
    }
    (
        call.method.to_string(),
        path,
        call.body.unwrap_or(Value::Null),
    )
}

/// A command line, and the call that it is: method, path with query, and body. ID stands for one.
type Case = (&'static str, &'static str, &'static str, Value);

fn none() -> Value {
    Value::Null
}

#[test]
fn commands_are_calls() {
    const ID: &str = "00000000-0000-7000-8000-000000000000";
    let areas = [
        organisation::cases(),
        catalog::cases(),
        access::cases(),
        replicas::cases(),
        billing::cases(),
    ];
    let mut parsed = BTreeSet::new();
    for (line, method, path, body) in areas.into_iter().flatten() {
        let line = line.replace("ID", ID);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            asked(&words),
            (method.to_owned(), path.replace("ID", ID), body),
            "{line}"
        );
        parsed.insert(line);
    }
    // Each command of these areas is among them. (The declaration's read a file; they have a test of their own.)
    let others = [
        "people",
        "me",
        "tokens",
        "domains",
        "teams",
        "declaration",
        "audit",
        "work",
        "leaked-tokens",
        // One of them reads a file.
        "flows",
        // Without a server it reads the logs itself; `it::assess` runs it.
        "assessment",
        "assessments",
    ];
    for line in TABLE {
        let (Some(command), Some((_, path))) = (line.cli, line.rest) else {
            continue;
        };
        let area = path.split('/').nth(1).unwrap();
        if others.contains(&area) {
            continue;
        }
        let is_there = parsed
            .iter()
            .any(|line| line == command || line.starts_with(&format!("{command} ")));
        assert!(is_there, "`{command}` is parsed nowhere");
    }
}

#[test]
fn leaked_tokens_are_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("found.txt");
    std::fs::write(&file, "one\n\n two \n").unwrap();
    let expected = (
        "POST".to_owned(),
        "leaked-tokens".to_owned(),
        json!({ "tokens": ["one", "two"], "found_at": "a wiki" }),
    );
    let line = [
        "recipient",
        "leaked",
        file.to_str().unwrap(),
        "--found-at",
        "a wiki",
    ];
    assert_eq!(asked(&line), expected);
}

#[test]
fn flows_are_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flows.csv");
    let list = "table,kind,consumers,from,to\nvisits,FTP,1,,azure:westeurope\n";
    std::fs::write(&file, list).unwrap();
    let expected = (
        "POST".to_owned(),
        "flows/import".to_owned(),
        json!({ "list": list }),
    );
    assert_eq!(asked(&["flow", "import", file.to_str().unwrap()]), expected);
}

#[test]
fn declarations_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entrepot.yml");
    std::fs::write(&file, "domains: {}\n").unwrap();
    let file = file.to_str().unwrap();
    let yaml = "domains: {}\n";
    let cases = [
        (
            vec!["validate", file],
            "declaration/validate",
            json!({ "yaml": yaml }),
        ),
        (
            vec!["plan", file],
            "declaration/plan",
            json!({ "yaml": yaml }),
        ),
        (
            vec!["deploy", file],
            "declaration/deploy",
            json!({ "yaml": yaml, "file": "entrepot.yml", "commit": "uncommitted" }),
        ),
        (
            vec!["deploy", file, "--commit", "c0ffee", "--plan", "00"],
            "declaration/deploy",
            json!({ "yaml": yaml, "file": "entrepot.yml", "commit": "c0ffee", "expect_plan_hash": "00" }),
        ),
    ];
    for (line, path, body) in cases {
        let expected = ("POST".to_owned(), path.to_owned(), body);
        assert_eq!(asked(&line), expected, "{line:?}");
    }
    let expected = ("GET".to_owned(), "declaration".to_owned(), Value::Null);
    assert_eq!(asked(&["export", "-o", "out.yml"]), expected);
}

#[test]
fn wrong_commands_are_refused() {
    for line in [
        "storage create az --cloud azure --region westeurope --url x --credential env:A --credential-file b",
        "request decide x maybe --revision 1",
        "request decide x approve",
        "product register v-a --team t --title A --storage s --classification internal --history",
        "replica schedule v-a@az --pause --resume",
        "billing rate --price 1 --currency EUR --valid-from 2026-01-01 --source x",
        "billing rate --from aws:* --price 1 --unit GB --currency EUR --valid-from 2026-01-01 --source x",
        "billing rate --kind compute --unit GB --price 1 --currency EUR --valid-from 2026-01-01 --source x",
        "billing charges --csv --json",
        "billing import-access-log s3_eu",
        "billing import-access-log s3_eu a.log --lies-in logs",
        "grant revoke x",
        "grant limit x",
        "grant narrow x",
        "grant narrow x --rows a=1 --directory",
        "recipient set-properties x --property country",
        "grant limit x --live-bytes-per-day many",
        "grant limit x --live-bytes-per-day 5 --none",
        "user notify zoe",
        "user notify zoe --all --none",
        "user notify zoe --only",
        "doctor az --test-webhook",
        "doctor az --test-mail zoe",
        "domain update vehicle",
        "team update rnd --revision 2",
        "recipient update rnd_weu",
    ] {
        let words = std::iter::once("entrepot").chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
    for line in [
        "storage create az --cloud azure --region westeurope --url x --credential {}",
        "storage update az",
        "sync v-a",
        "product update v-a",
        "product register v-a --team t --title A --storage s --classification internal --table visits",
        "replica schedule v-a@az --revision 1",
        "validate /nowhere/entrepot.yml",
        "recipient leaked /nowhere/found.txt",
    ] {
        let words = std::iter::once("entrepot").chain(line.split_whitespace());
        let Command::Call(command) = Cli::try_parse_from(words).unwrap().command else {
            panic!("{line}");
        };
        assert!(command.act().is_err(), "{line}");
    }
}
