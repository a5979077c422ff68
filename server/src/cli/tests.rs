//! The command tree, compared with the exchange's table.

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

#[test]
fn commands_are_calls() {
    const ID: &str = "00000000-0000-7000-8000-000000000000";
    let none = || Value::Null;
    let cases: Vec<(&str, &str, &str, Value)> = vec![
        ("storage list", "GET", "storages", none()),
        ("storage show aws_eu", "GET", "storages/aws_eu", none()),
        (
            "storage create az --cloud azure --region westeurope --url file:///srv --credential env:E --replicas",
            "POST",
            "storages",
            json!({ "name": "az", "cloud": "azure", "region": "westeurope", "url": "file:///srv", "endpoint": null,
                    "credential": "env:E", "replicas": true }),
        ),
        (
            "storage update az --replicas false --revision 3",
            "PATCH",
            "storages/az",
            json!({ "replicas": false, "revision": 3 }),
        ),
        (
            "user identities ines",
            "GET",
            "people/ines/identities",
            none(),
        ),
        (
            "user link ines --issuer https://id.example --subject abc",
            "POST",
            "people/ines/identities",
            json!({ "issuer": "https://id.example", "subject": "abc" }),
        ),
        (
            "user unlink ines 1",
            "DELETE",
            "people/ines/identities/1",
            none(),
        ),
        ("work retry 7", "POST", "work/7/retry", none()),
        (
            "work retry --kind mail",
            "POST",
            "work/retry",
            json!({ "kind": "mail" }),
        ),
        ("product history v-a", "GET", "products/v-a/history", none()),
        ("doctor az", "POST", "storages/az/doctor", json!({})),
        (
            "doctor az --write",
            "POST",
            "storages/az/doctor",
            json!({ "write": true }),
        ),
        (
            "scan az",
            "POST",
            "storages/az/scan",
            json!({ "prefix": "" }),
        ),
        (
            "scan az workshop --team rnd",
            "POST",
            "storages/az/scan",
            json!({ "prefix": "workshop", "team": "rnd" }),
        ),
        (
            "product list workshop visits --cloud aws --access active --sort name",
            "GET",
            "products?q=workshop visits&cloud=aws&access=active&sort=name",
            none(),
        ),
        ("product list", "GET", "products", none()),
        (
            "product show vehicle-visits",
            "GET",
            "products/vehicle-visits",
            none(),
        ),
        (
            "product register v-a --team t --title A --storage s --classification internal --tag x --tag y \
             --table visits=w/visits --table raw.parts=w/parts --history",
            "POST",
            "products",
            json!({ "name": "v-a", "team": "t", "title": "A", "storage": "s", "classification": "internal",
                    "tags": ["x", "y"], "tables": [
                { "schema": "default", "name": "visits", "path": "w/visits", "history": true, "change_data_feed": false },
                { "schema": "raw", "name": "parts", "path": "w/parts", "history": true, "change_data_feed": false },
            ] }),
        ),
        (
            "product update v-a --payer consumer --baseline-days 1",
            "PATCH",
            "products/v-a",
            json!({ "payer": "consumer", "baseline_days": 1 }),
        ),
        (
            "product publish v-a",
            "POST",
            "products/v-a/publish",
            json!({}),
        ),
        (
            "product retire v-a --reason old --revision 4",
            "POST",
            "products/v-a/retire",
            json!({ "reason": "old", "revision": 4 }),
        ),
        (
            "product refresh v-a",
            "POST",
            "products/v-a/refresh",
            none(),
        ),
        (
            "product inspect s w/visits",
            "POST",
            "inspections",
            json!({ "storage": "s", "path": "w/visits" }),
        ),
        (
            "product offer v-a --recipient rnd_weu",
            "GET",
            "products/v-a/offer?recipient=rnd_weu",
            none(),
        ),
        ("recipient list", "GET", "recipients", none()),
        (
            "recipient show rnd_weu",
            "GET",
            "recipients/rnd_weu",
            none(),
        ),
        (
            "recipient create rnd_weu --team rnd --cloud azure --region westeurope",
            "POST",
            "recipients",
            json!({ "name": "rnd_weu", "team": "rnd", "cloud": "azure", "region": "westeurope" }),
        ),
        (
            "recipient update rnd_weu --region northeurope --revision 2",
            "PATCH",
            "recipients/rnd_weu",
            json!({ "region": "northeurope", "revision": 2 }),
        ),
        (
            "domain update vehicle --title Cars",
            "PATCH",
            "domains/vehicle",
            json!({ "title": "Cars" }),
        ),
        (
            "team update rnd --cost-center 7 --contact rnd@example.org",
            "PATCH",
            "teams/rnd",
            json!({ "cost_center": "7", "contact": "rnd@example.org" }),
        ),
        (
            "recipient profile rnd_weu --days 7 -o a.share",
            "POST",
            "recipients/rnd_weu/profile",
            json!({ "days": 7 }),
        ),
        (
            "user notifications zoe",
            "GET",
            "people/zoe/notifications",
            none(),
        ),
        (
            "user notify zoe --only request_decided access_ending",
            "PUT",
            "people/zoe/notifications",
            json!({ "kinds": ["request_decided", "access_ending"] }),
        ),
        (
            "user notify zoe --none",
            "PUT",
            "people/zoe/notifications",
            json!({ "kinds": [] }),
        ),
        (
            "recipient rotate rnd_weu",
            "POST",
            "recipients/rnd_weu/rotate",
            json!({}),
        ),
        (
            "recipient rotate rnd_weu --days 30 --overlap-hours 0 -o b.share",
            "POST",
            "recipients/rnd_weu/rotate",
            json!({ "days": 30, "overlap_hours": 0 }),
        ),
        (
            "recipient revoke-token rnd_weu ID",
            "DELETE",
            "recipients/rnd_weu/tokens/ID",
            none(),
        ),
        (
            "recipient limits rnd_weu --address 192.0.2.0/24 --address ::1 --requests-per-minute 60",
            "PUT",
            "recipients/rnd_weu/limits",
            json!({ "addresses": ["192.0.2.0/24", "::1"], "requests_per_minute": 60 }),
        ),
        (
            "recipient limits rnd_weu",
            "PUT",
            "recipients/rnd_weu/limits",
            json!({ "addresses": [] }),
        ),
        (
            "recipient federate rnd_weu --issuer https://id.example --audience entrepot --subject machine --claim azp",
            "PUT",
            "recipients/rnd_weu/federation",
            json!({ "issuer": "https://id.example", "audience": "entrepot", "claim": "azp", "subject": "machine" }),
        ),
        (
            "recipient end-federation rnd_weu",
            "DELETE",
            "recipients/rnd_weu/federation",
            none(),
        ),
        (
            "recipient activation rnd_weu --days 30 --hours 2",
            "POST",
            "recipients/rnd_weu/activation",
            json!({ "days": 30, "hours": 2 }),
        ),
        (
            "recipient end-activation rnd_weu",
            "DELETE",
            "recipients/rnd_weu/activation",
            none(),
        ),
        ("recipient queries", "GET", "share-queries", none()),
        (
            "recipient queries --recipient rnd_weu --grant ID --product v-a",
            "GET",
            "share-queries?product=v-a&recipient=rnd_weu&grant=ID",
            none(),
        ),
        (
            "recipient queries --table t --answer refused --since 2026-06-01 --until 2026-06-30 --csv",
            "GET",
            "share-queries?table=t&answer=refused&since=2026-06-01&until=2026-06-30&format=csv",
            none(),
        ),
        (
            "request list --state submitted",
            "GET",
            "requests?state=submitted",
            none(),
        ),
        (
            "request list --waiting-for-me",
            "GET",
            "requests?waiting_for_me=true",
            none(),
        ),
        ("request show ID", "GET", "requests/ID", none()),
        (
            "request create v-a --recipient rnd_weu --mode replica --until 2027-12-31 --purpose warranty --text why",
            "POST",
            "requests",
            json!({ "product": "v-a", "recipient": "rnd_weu", "mode": "replica", "until": "2027-12-31",
                    "purpose": { "code": "warranty", "text": "why" } }),
        ),
        (
            "request withdraw ID",
            "POST",
            "requests/ID/withdraw",
            none(),
        ),
        (
            "request decide ID approve --revision 2 --stage owner",
            "POST",
            "requests/ID/decisions",
            json!({ "verdict": "approve", "revision": 2, "note": "", "stage": "owner" }),
        ),
        (
            "grant list --product v-a",
            "GET",
            "grants?product=v-a",
            none(),
        ),
        ("grant show ID", "GET", "grants/ID", none()),
        (
            "grant revoke ID --reason over",
            "POST",
            "grants/ID/revoke",
            json!({ "reason": "over" }),
        ),
        (
            "grant limit ID --live-bytes-per-day 50GB --revision 2",
            "PUT",
            "grants/ID/limit",
            json!({ "live_bytes_per_day": 50_000_000_000_u64, "revision": 2 }),
        ),
        (
            "grant narrow ID --rows country='DE' --revision 2",
            "PUT",
            "grants/ID/scope",
            json!({ "rows": "country='DE'", "directory": false, "revision": 2 }),
        ),
        (
            "grant narrow ID --all-rows --directory",
            "PUT",
            "grants/ID/scope",
            json!({ "rows": null, "directory": true }),
        ),
        (
            "recipient properties rnd_weu",
            "GET",
            "recipients/rnd_weu/properties",
            none(),
        ),
        (
            "recipient set-properties rnd_weu --property country=DE",
            "PUT",
            "recipients/rnd_weu/properties",
            json!({ "properties": [{ "name": "country", "value": "DE" }] }),
        ),
        (
            "grant limit ID --none",
            "PUT",
            "grants/ID/limit",
            json!({ "live_bytes_per_day": null }),
        ),
        ("replica list", "GET", "replicas", none()),
        ("replica show v-a@az", "GET", "replicas/v-a@az", none()),
        (
            "replica schedule v-a@az --every 2d --at 03:00 --timezone Europe/Berlin --retention-hours 24 --resume",
            "PATCH",
            "replicas/v-a@az/job",
            json!({ "every": "2d", "at": "03:00", "timezone": "Europe/Berlin", "retention_hours": 24, "paused": false }),
        ),
        (
            "replica schedule v-a@az --fresh-within 6h --verify-objects 1d --verify-rows 1w",
            "PATCH",
            "replicas/v-a@az/job",
            json!({ "fresh_within": "6h", "verify_objects": "1d", "verify_rows": "1w" }),
        ),
        (
            "replica schedule v-a@az --on-new-version 1h",
            "PATCH",
            "replicas/v-a@az/job",
            json!({ "on_new_version": "1h" }),
        ),
        (
            "replica runs --product v-a",
            "GET",
            "sync-runs?product=v-a",
            none(),
        ),
        ("replica run ID", "GET", "sync-runs/ID", none()),
        ("sync v-a --to az", "POST", "replicas/v-a@az/sync", none()),
        (
            "verify v-a --to az",
            "POST",
            "replicas/v-a@az/verify",
            none(),
        ),
        (
            "verify v-a@az --level 3",
            "POST",
            "replicas/v-a@az/verify?level=3",
            none(),
        ),
        (
            "replica release v-a@az",
            "POST",
            "replicas/v-a@az/release",
            none(),
        ),
        (
            "vacuum v-a --to az",
            "POST",
            "replicas/v-a@az/vacuum",
            none(),
        ),
        ("billing rates", "GET", "rates", none()),
        (
            "billing rate --from aws:* --to *:* --price 0.09 --unit GB --currency USD --valid-from 2026-01-01 --source list",
            "POST",
            "rates",
            json!({ "from": "aws:*", "to": "*:*", "price": "0.09", "unit": "GB", "currency": "USD",
                    "valid_from": "2026-01-01", "source": "list" }),
        ),
        (
            "billing rate --kind compute --price 2 --currency EUR --valid-from 2026-01-01 --source list",
            "POST",
            "rates",
            json!({ "kind": "compute", "price": "2", "currency": "EUR", "valid_from": "2026-01-01", "source": "list" }),
        ),
        ("billing events", "GET", "meter-events", none()),
        ("billing report", "POST", "billing/report", none()),
        (
            "billing charges --product v-a",
            "GET",
            "charges?product=v-a",
            none(),
        ),
        (
            "billing import-access-log s3_eu --lies-in logs --prefix s3/lake",
            "POST",
            "billing/access-log",
            json!({ "storage": "s3_eu", "lies_in": "logs", "prefix": "s3/lake" }),
        ),
        ("billing charges --csv", "GET", "charges?format=csv", none()),
        (
            "billing charges --since 2026-06-01 --until 2026-06-30",
            "GET",
            "charges?since=2026-06-01&until=2026-06-30",
            none(),
        ),
        (
            "work list --state parked --kind sync",
            "GET",
            "work?state=parked&kind=sync",
            none(),
        ),
        (
            "audit list --actor system --since 2026-06-01",
            "GET",
            "audit?actor=system&since=2026-06-01",
            none(),
        ),
        ("billing statements", "GET", "statements", none()),
        (
            "billing statement rnd 2026-06",
            "GET",
            "statements/rnd/2026-06",
            none(),
        ),
        (
            "billing statement rnd 2026-06 --csv",
            "GET",
            "statements/rnd/2026-06?format=csv",
            none(),
        ),
        (
            "billing line rnd 2026-06 --product v-a --from aws:x --to azure:y --currency USD",
            "GET",
            "statements/rnd/2026-06/line?kind=transfer&product=v-a&from=aws:x&to=azure:y&method=measured&currency=USD",
            none(),
        ),
        (
            "erasure request v-a --table default.visits --since-version 7 --reason asked",
            "POST",
            "erasures",
            json!({ "product": "v-a", "table": "default.visits", "since_version": 7, "since": null, "at_once": false,
                    "reason": "asked" }),
        ),
        ("erasure list", "GET", "erasures", none()),
        ("erasure show 7", "GET", "erasures/7", none()),
        (
            "erasure certificate 7",
            "GET",
            "erasures/7/certificate",
            none(),
        ),
        ("erasure key", "GET", "erasure-key", none()),
        (
            "billing issue rnd 2026-06",
            "POST",
            "statements/rnd/2026-06/issue",
            none(),
        ),
        ("billing savings", "GET", "savings", none()),
    ];
    let mut parsed = BTreeSet::new();
    for (line, method, path, body) in cases {
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
