//! The declaration made of an assessment: what can be known is written, what a person has to choose says `choose`, and no
//! declaration with that in it is deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::Location;
use model::dto::{AssessedTable, PRODUCT_TABLES_MAX};
use model::names::slug;

use super::report::{Surveyed, hours};

const TEAM: &str = "assessed";
const SOURCE: &str = "source";
/// Characters of a product's title that are a folder's: a title has at most 200.
const TITLE_MAX: usize = 180;
/// Bytes that are taken at once, written as a text in JSON, less what stands around it there.
const REQUEST_MAX: usize = (1 << 20) - 1_024;

/// `places` are where clones go, each with the paths of its tables; none means all. `uncloned` are tables that can have no clone.
pub(super) fn declaration(
    surveyed: &Surveyed,
    tables: &[AssessedTable],
    places: &[(Location, BTreeSet<String>)],
    uncloned: &BTreeSet<String>,
) -> String {
    let mut text = String::from(
        "# Made by an assessment. Read it through: where it says `choose` somebody has to choose, and it is refused until then.\n",
    );
    let is_table = tables.iter().any(|table| table.path.is_empty());
    let (url, own) = apart(&surveyed.url, is_table);
    let (products, left_out) = products(tables, own, uncloned);
    for (path, why) in &left_out {
        let path = match path.as_str() {
            "" => "the table at the prefix",
            path => path,
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "# left out: {}: {}", comment(path), comment(why));
    }
    let _ = write!(
        text,
        "exchange: {{ name: {TEAM} }}\n\
         domains:\n  {TEAM}: {{ title: \"Assessed\" }}\n\
         teams:\n  {TEAM}: {{ domain: {TEAM}, title: \"Assessed\" }}\n\
         storages:\n"
    );
    let _ = writeln!(text, "  {SOURCE}:");
    place(&mut text, &surveyed.location);
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
    if products.is_empty() {
        text.push_str("products: {}\n");
        return said_of_its_size(text);
    }
    text.push_str("products:\n");
    for Product {
        name,
        title,
        tables,
    } in &products
    {
        let _ = write!(
            text,
            "  {name}:\n    title: {}\n    team: {TEAM}\n    storage: {SOURCE}\n    classification: choose  # public, internal or personal\n    access: {{ policy: owner }}\n    tables:\n",
            quoted(title)
        );
        for table in tables {
            let _ = writeln!(
                text,
                "      - {{ name: {}, schema: \"default\", path: {}, format: delta }}",
                table.name,
                quoted(&table.path)
            );
        }
    }
    let (mut grants, mut jobs, mut number) = (String::new(), String::new(), 0);
    for (to, paths) in places {
        for Product { name, tables, .. } in &products {
            // A sync of tables that can have no clone would fail each time.
            let is_wanted = |table: &Declared| {
                table.is_cloned && (paths.is_empty() || paths.contains(&table.assessed))
            };
            if tables.iter().any(is_wanted) {
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
    said_of_its_size(text)
}

/// What is too long for a request says so itself, before somebody finds out.
fn said_of_its_size(text: String) -> String {
    let escaped = text
        .bytes()
        .filter(|byte| matches!(byte, b'"' | b'\\' | b'\n'));
    if text.len() + escaped.count() <= REQUEST_MAX {
        return text;
    }
    format!(
        "# It is too long to be deployed at once, which is up to 1 MiB: make files of it that have some of the products each, with their \
         grants and sync jobs,\n# and what stands before the products in all of them, and deploy one after the other.\n{text}"
    )
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

#[derive(Debug, PartialEq, Eq)]
struct Product {
    name: String,
    title: String,
    tables: Vec<Declared>,
}

#[derive(Debug, PartialEq, Eq)]
struct Declared {
    name: String,
    /// In the storage.
    path: String,
    /// As it was assessed, below the prefix.
    assessed: String,
    is_cloned: bool,
}

/// Names that are given once each.
#[derive(Default)]
struct Names {
    given: BTreeSet<String>,
    /// The last number that a stem had.
    numbers: BTreeMap<String, usize>,
}

impl Names {
    /// `base`, or with the next number behind it where that is given; where there is none, `nameless` with a number.
    fn give(&mut self, base: Option<String>, nameless: &str) -> String {
        let (stem, before) = match base {
            Some(base) if self.given.insert(base.clone()) => return base,
            Some(base) => (base, 1),
            None => (nameless.to_owned(), 0),
        };
        let number = self.numbers.entry(stem.clone()).or_insert(before);
        loop {
            *number += 1;
            let name = format!("{stem}_{number}");
            if self.given.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// For each folder that holds tables a product, or several where it holds more than a product may have; and the tables that are in
/// none (path, why).
fn products(
    tables: &[AssessedTable],
    own: Option<&str>,
    uncloned: &BTreeSet<String>,
) -> (Vec<Product>, Vec<(String, String)>) {
    let mut left_out = Vec::new();
    let mut folders: BTreeMap<String, (Names, Vec<Declared>)> = BTreeMap::new();
    for table in tables {
        let path = match table.path.as_str() {
            "" => own.unwrap_or_default(),
            path => path,
        };
        if let Some(why) = undeclared(table, path) {
            left_out.push((table.path.clone(), why));
            continue;
        }
        let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
        let (names, there) = folders.entry(folder.to_owned()).or_default();
        there.push(Declared {
            name: names.give(slug(last, 50), "table"),
            path: path.to_owned(),
            assessed: table.path.clone(),
            is_cloned: !uncloned.contains(&table.path),
        });
    }
    let mut names = Names::default();
    let mut products = Vec::new();
    for (folder, (_, tables)) in folders {
        let folder = match folder.as_str() {
            "" => "tables",
            folder => folder,
        };
        // Without an underscore, so that what has a number behind one is nobody else's.
        let base = slug(&folder.replace('/', "-"), 60)
            .map(|base| format!("{TEAM}-{}", base.replace('_', "-")));
        let title: String = folder.chars().take(TITLE_MAX).collect();
        let mut rest = tables.into_iter();
        for part in 1_u32.. {
            let tables: Vec<Declared> = rest.by_ref().take(PRODUCT_TABLES_MAX).collect();
            if tables.is_empty() {
                break;
            }
            products.push(Product {
                name: names.give(base.clone(), &format!("{TEAM}-folder")),
                title: match part {
                    1 => title.clone(),
                    part => format!("{title} ({part})"),
                },
                tables,
            });
        }
    }
    (products, left_out)
}

/// Why a declaration would be refused with the table in it.
fn undeclared(table: &AssessedTable, path: &str) -> Option<String> {
    if let Some(problem) = &table.problem {
        return Some(problem.clone());
    }
    if path.is_empty() {
        let why =
            "it lies where its storage begins, and a table is declared by its folder in a storage";
        return Some(why.to_owned());
    }
    storage::check_relative(path)
        .err()
        .map(|error| error.to_string())
}

/// One line, whatever the text holds.
fn comment(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(delta::shown).collect();
    words.join(" ")
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
        let none = BTreeSet::new();
        let (found, left_out) = products(std::slice::from_ref(&table), Some("visits"), &none);
        assert_eq!((found.len(), left_out.len()), (1, 0));
        assert_eq!(found[0].name, "assessed-tables");
        let table_of = &found[0].tables[0];
        assert_eq!(
            (table_of.name.as_str(), table_of.path.as_str()),
            ("visits", "visits")
        );
        let (found, left_out) = products(&[table], None, &none);
        assert_eq!((found.len(), left_out.len()), (0, 1));
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Names::default();
        let mut give = |base: Option<&str>| names.give(base.map(str::to_owned), "table");
        let given = [
            Some("a"),
            Some("a_2"),
            Some("a"),
            None,
            Some("table_2"),
            None,
        ]
        .map(&mut give);
        assert_eq!(given, ["a", "a_2", "a_3", "table_1", "table_2", "table_3"]);
    }

    #[test]
    fn what_is_too_long_to_be_sent_says_so() {
        let line = "x: \"y\"\n";
        let most = REQUEST_MAX / (line.len() + 3);
        let short = line.repeat(most);
        assert_eq!(said_of_its_size(short.clone()), short);
        let long = line.repeat(most + 1);
        let said = said_of_its_size(long.clone());
        let (comments, rest) = said.split_at(said.len() - long.len());
        assert_eq!(rest, long);
        assert!(
            comments.lines().all(|line| line.starts_with("# ")),
            "{comments}"
        );
    }

    #[test]
    fn a_comment_is_one_line() {
        assert_eq!(comment("a\n\u{2028}b: \u{7}c"), "a b: \u{fffd}c");
    }
}
