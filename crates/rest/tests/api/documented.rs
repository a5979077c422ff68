//! `docs/API.md` says what the table of operations says.

use exchange::operation::{Line, TABLE, Who};

const PAGE: &str = include_str!("../../../../docs/API.md");

/// The headings below "Routes", in the table's order.
const SECTIONS: [&str; 9] = [
    "People",
    "Storages",
    "Catalog",
    "Access",
    "Replicas",
    "Flows of the old way",
    "Billing",
    "Audit, work, declaration",
    "Without a route",
];

fn routes() -> &'static str {
    let (_, rest) = PAGE.split_once("\n## Routes\n").unwrap();
    let (routes, _) = rest.split_once("\n## ").unwrap();
    routes
}

/// The rows of all tables below a heading of the third order, without heads and rules.
fn rows(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.starts_with('|'))
        .filter(|line| !line.starts_with("|--") && !line.starts_with("| method and path"))
        .filter(|line| !line.starts_with("| operation |"))
        .collect()
}

const fn words(who: Who) -> &'static str {
    match who {
        Who::Anyone => "everybody",
        Who::SignedIn => "everybody signed in",
        Who::Producer => "producer of the owning team",
        Who::OwnerMember => "member of the owning team",
        Who::Consumer => "member of the consuming team",
        Who::AnyProducer => "producer of any team",
        Who::Oneself => "oneself",
        Who::Admin => "admin",
        Who::Finance => "finance",
        Who::Auditor => "auditor",
        Who::DataProtection => "data protection (personal data)",
        Who::System => "workers",
    }
}

fn row(line: &Line) -> String {
    let Some((method, path)) = line.rest else {
        return format!("| {} | {} |", line.operation.name(), line.why);
    };
    let who: Vec<&str> = line.who.iter().map(|who| words(*who)).collect();
    let in_person = if line.person_only {
        "; in person only"
    } else {
        ""
    };
    let command = line
        .cli
        .map_or_else(|| "–".to_owned(), |cli| format!("`{cli}`"));
    format!(
        "| `{method} {path}` | {command} | {}{in_person} |",
        who.join(", ")
    )
}

/// Without what stands in brackets: the page may say more about a role than the table does.
fn plain(row: &str) -> String {
    let mut parts = row.split(" (");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let after = part.split_once(')').map_or(part, |(_, after)| after);
        plain + after
    })
}

#[test]
fn the_page_lists_the_routes_of_the_table() {
    let (with, without): (Vec<&Line>, Vec<&Line>) =
        TABLE.iter().partition(|line| line.rest.is_some());
    let expected: Vec<String> = with.into_iter().chain(without).map(row).collect();
    let found = rows(routes());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(plain(found), plain(expected), "docs/API.md");
    }
    assert_eq!(found.len(), expected.len(), "docs/API.md");
    let headings: Vec<&str> = routes()
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    assert_eq!(headings, SECTIONS, "docs/API.md");
}
