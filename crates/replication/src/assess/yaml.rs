//! The declaration made of an assessment: what can be known is written, what a person has to choose says `choose`, and no
//! declaration with that in it is deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::Location;
use model::dto::AssessedTable;
use model::names::slug;

use super::report::{Surveyed, hours};

const TEAM: &str = "assessed";
const SOURCE: &str = "source";

/// `places` are where clones go, each with the paths of its tables; none means all.
pub(super) fn declaration(
    surveyed: &Surveyed,
    tables: &[AssessedTable],
    places: &[(Location, BTreeSet<String>)],
) -> String {
    let mut text = String::from(
        "# Made by an assessment. Read it through: where it says `choose` somebody has to choose, and it is refused until then.\n",
    );
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "exchange: {{ name: {TEAM} }}\n\
         domains:\n  {TEAM}: {{ title: \"Assessed\" }}\n\
         teams:\n  {TEAM}: {{ domain: {TEAM}, title: \"Assessed\" }}\n\
         storages:\n"
    );
    let _ = writeln!(text, "  {SOURCE}:");
    place(&mut text, &surveyed.location);
    let is_table = tables.iter().any(|table| table.path.is_empty());
    let (url, own) = apart(&surveyed.url, is_table);
    let _ = writeln!(text, "    url: {}", quoted(url));
    if let Some(endpoint) = &surveyed.endpoint {
        let _ = writeln!(text, "    endpoint: {}", quoted(endpoint));
    }
    if !surveyed.url.starts_with("file:") {
        let _ = writeln!(text, "    credential: env:ENTREPOT_CREDENTIAL_SOURCE");
    }
    for (to, _) in places {
        let _ = writeln!(text, "  {}:", target(to));
        place(&mut text, to);
        let _ = writeln!(
            text,
            "    url: choose  # where clones shall lie, and a credential"
        );
        let _ = writeln!(text, "    replicas: true");
    }
    let products = products(tables, own);
    if products.is_empty() {
        text.push_str("products: {}\n");
        return text;
    }
    text.push_str("products:\n");
    for (name, (title, tables)) in &products {
        let _ = write!(
            text,
            "  {name}:\n    title: {}\n    team: {TEAM}\n    storage: {SOURCE}\n    classification: choose  # public, internal or personal\n    access: {{ policy: owner }}\n    tables:\n",
            quoted(title)
        );
        for (table, path) in tables {
            let _ = writeln!(
                text,
                "      - {{ name: {table}, schema: \"default\", path: {}, format: delta }}",
                quoted(path)
            );
        }
    }
    let (mut grants, mut jobs, mut number) = (String::new(), String::new(), 0);
    for (to, paths) in places {
        for (name, (_, tables)) in &products {
            let wanted = paths.is_empty() || tables.iter().any(|(_, path)| paths.contains(path));
            if wanted {
                number += 1;
                // A clone is there for somebody: without an access there is none to sync.
                let _ = writeln!(
                    grants,
                    "  grant_{number}:\n    product: {name}\n    recipient: {}\n    mode: replica\n    \
                     until: choose  # a day, as 2027-12-31\n    \
                     purpose: {{ code: assessed, text: \"one clone for all consumers of this place\" }}",
                    target(to)
                );
                let _ = writeln!(
                    jobs,
                    "  sync_{number}: {{ product: {name}, to: {}, every: {} }}",
                    target(to),
                    every(surveyed.every)
                );
            }
        }
    }
    if !jobs.is_empty() {
        text.push_str("recipients:\n");
        for (to, _) in places {
            let _ = writeln!(
                text,
                "  {}: {{ team: {TEAM}, cloud: {}, region: {} }}",
                target(to),
                to.cloud,
                quoted(to.region())
            );
        }
        text.push_str("grants:\n");
        text.push_str(&grants);
        text.push_str("sync_jobs:\n");
        text.push_str(&jobs);
    }
    text
}

fn every(micros: i64) -> String {
    let hours = hours(micros);
    if hours.is_multiple_of(24) {
        format!("{}d", hours / 24)
    } else {
        format!("{hours}h")
    }
}

fn place(text: &mut String, place: &Location) {
    let _ = writeln!(text, "    cloud: {}", place.cloud);
    let _ = writeln!(text, "    region: {}", quoted(place.region()));
}

fn target(place: &Location) -> String {
    format!("{}_{}", place.cloud, place.region().replace('-', "_"))
}

/// The storage's URL, and the folder in it of a table that lies at the prefix itself: a storage holds tables and is none.
fn apart(url: &str, is_table: bool) -> (&str, Option<&str>) {
    match url.trim_end_matches('/').rsplit_once('/') {
        // Nothing is above a bucket.
        Some((above, last)) if is_table && !above.ends_with('/') && !last.contains('%') => {
            (above, Some(last))
        }
        _ => (url, None),
    }
}

/// Product -> its title and its tables (name, path): one product per folder that holds tables.
type Products = BTreeMap<String, (String, Vec<(String, String)>)>;

fn products(tables: &[AssessedTable], own: Option<&str>) -> Products {
    let mut products = Products::new();
    for table in tables.iter().filter(|table| table.problem.is_none()) {
        let path = match table.path.as_str() {
            "" => own.unwrap_or_default(),
            path => path,
        };
        let (folder, last) = path.rsplit_once('/').unwrap_or(("tables", path));
        let (Some(own), Some(base)) = (slug(&folder.replace('/', "-"), 60), slug(last, 50)) else {
            continue;
        };
        let name = format!("{TEAM}-{}", own.replace('_', "-"));
        let (_, there) = products
            .entry(name)
            .or_insert_with(|| (folder.to_owned(), Vec::new()));
        let mut name = base.clone();
        let mut number = 1;
        while there.iter().any(|(taken, _)| *taken == name) {
            number += 1;
            name = format!("{base}_{number}");
        }
        there.push((name, path.to_owned()));
    }
    products
}

/// A JSON string with ASCII only, which YAML reads as the same text.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            ' '..='~' => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_at_the_prefix_lies_in_the_folder_above() {
        for (url, above, own) in [
            (
                "s3://lake/workshop/visits",
                "s3://lake/workshop",
                Some("visits"),
            ),
            ("s3://lake/visits/", "s3://lake", Some("visits")),
            ("file:///srv/visits", "file:///srv", Some("visits")),
            ("s3://lake", "s3://lake", None),
            ("file:///visits", "file:///visits", None),
        ] {
            assert_eq!(apart(url, true), (above, own), "{url}");
            assert_eq!(apart(url, false), (url, None), "{url}");
        }
        let table = AssessedTable {
            path: String::new(),
            version: Some(1),
            since: None,
            short: None,
            bytes: None,
            files: None,
            commits: 1,
            syncs: 0,
            change_feed: false,
            ways: Vec::new(),
            problem: None,
        };
        let found = products(std::slice::from_ref(&table), Some("visits"));
        let (_, tables) = &found["assessed-tables"];
        assert_eq!(tables, &[("visits".to_owned(), "visits".to_owned())]);
        assert!(products(&[table], None).is_empty());
    }
}
