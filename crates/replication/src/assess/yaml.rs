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
    let _ = writeln!(text, "    url: {}", quoted(&surveyed.url));
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
    let products = products(tables);
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

/// Product -> its title and its tables (name, path): one product per folder that holds tables.
type Products = BTreeMap<String, (String, Vec<(String, String)>)>;

fn products(tables: &[AssessedTable]) -> Products {
    let mut products = Products::new();
    for table in tables.iter().filter(|table| table.problem.is_none()) {
        let (folder, last) = table
            .path
            .rsplit_once('/')
            .unwrap_or(("tables", table.path.as_str()));
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
        there.push((name, table.path.clone()));
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
