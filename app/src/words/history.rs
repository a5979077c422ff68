//! What a product's history says, and how the audit page is asked about one thing.

use model::dto::ProductEvent;
use model::{Mode, ProductEventKind};

use super::{count, plural};

pub(crate) const HEADING: &str = "What happened";
pub(crate) const LEAD: &str = "What was done to the product, the versions of its tables that were seen, by day, and the accesses that you may see.";
pub(crate) const CAPTION: &str = "History";
pub(crate) const WHEN: &str = "When";
pub(crate) const WHAT: &str = "What";
pub(crate) const DETAIL: &str = "In detail";
pub(crate) const NOTHING: &str = "Nothing happened yet";
pub(crate) const WHEN_NOTHING: &str = "Every change of the product is noted here.";
pub(crate) const IN_THE_LOG: &str = "All of it in the audit log, with who did it";

// On the audit page.
pub(crate) const ABOUT: &str = "About";
pub(crate) const ABOUT_HINT: &str = "Kind and name, for example product:vehicle-visits.";

/// What it is called, and what else is known of it.
pub(crate) fn event(event: &ProductEvent) -> (&'static str, String) {
    let tables = |before: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{before}{}", names.join(", ")))
    };
    let told = match event.kind {
        ProductEventKind::Registered => {
            let with = tables("With ", &event.tables_added);
            return ("Registered as a draft", sentences([with, None, None]));
        }
        ProductEventKind::Published => {
            return (
                "Published",
                "Everybody finds it, and may ask for access.".to_owned(),
            );
        }
        ProductEventKind::Retired => {
            return ("Retired", sentences([event.reason.clone(), None, None]));
        }
        ProductEventKind::Changed => {
            let fields: Vec<&str> = event.changed.iter().map(|name| field(name)).collect();
            let fields = (!fields.is_empty()).then(|| format!("Another {}", fields.join(", ")));
            sentences([
                fields,
                tables("New tables: ", &event.tables_added),
                tables("Tables taken out: ", &event.tables_removed),
            ])
        }
        ProductEventKind::Version => return ("New data", version(event)),
        ProductEventKind::AccessGiven => return ("Access given", access(event)),
        ProductEventKind::AccessEnded => return ("Access ended", access(event)),
    };
    ("Changed", told)
}

/// What people call a field of the form.
fn field(name: &str) -> &str {
    match name {
        "access_policy" => "rule of who decides",
        "payer" => "rule of who pays",
        "baseline_days" => "baseline",
        "tables" => "setting of its tables",
        "tags" => "set of tags",
        other => other,
    }
}

fn version(event: &ProductEvent) -> String {
    let table = event.table.as_deref().unwrap_or_default();
    let version = count(event.version.unwrap_or_default());
    match event.commits {
        Some(commits) if commits > 1 => {
            let seen = plural(commits, "commit", "commits");
            format!("{table} came to version {version}; {seen} were seen that day.")
        }
        _ => format!("{table} came to version {version}."),
    }
}

fn access(event: &ProductEvent) -> String {
    let recipient = event.recipient.as_ref().map(ToString::to_string);
    let mode = event.mode.map(|mode| match mode {
        Mode::Live => "live",
        Mode::Replica => "replica",
    });
    format!(
        "{}, {}.",
        recipient.unwrap_or_default(),
        mode.unwrap_or_default()
    )
}

/// Each with its stop.
fn sentences(parts: [Option<String>; 3]) -> String {
    let parts = parts.into_iter().flatten().map(|mut part| {
        if !part.ends_with(['.', '!', '?']) {
            part.push('.');
        }
        part
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_what_of_it() {
        let mut told = ProductEvent {
            at: "2026-06-15T12:00:00Z".parse().unwrap(),
            kind: ProductEventKind::Changed,
            changed: vec!["title".to_owned(), "payer".to_owned()],
            tables_added: vec!["raw.parts".to_owned()],
            tables_removed: Vec::new(),
            reason: None,
            table: None,
            version: None,
            commits: None,
            recipient: None,
            mode: None,
        };
        let expected = "Another title, rule of who pays. New tables: raw.parts.";
        assert_eq!(event(&told), ("Changed", expected.to_owned()));
        told.kind = ProductEventKind::Version;
        told.table = Some("raw.parts".to_owned());
        (told.version, told.commits) = (Some(1_200), Some(3));
        let expected = "raw.parts came to version 1\u{202f}200; 3 commits were seen that day.";
        assert_eq!(event(&told), ("New data", expected.to_owned()));
        told.kind = ProductEventKind::AccessEnded;
        told.recipient = Some("rnd_weu".parse().unwrap());
        told.mode = Some(Mode::Live);
        assert_eq!(event(&told), ("Access ended", "rnd_weu, live.".to_owned()));
    }
}
