//! `entrepot sync`: asks for a sync, or with `--plan` says what it would move.

use clap::Args;
use exchange::jobs::WorkKind;
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{Column, amount, at, bytes, list, money, rows};
use super::replica::Target;
use super::show::Show;

/// A sync now, or the plan of it.
#[derive(Debug, Args)]
pub(super) struct SyncNow {
    #[command(flatten)]
    target: Target,
    /// Only say what it would move, by which way and at what cost, and why; nothing is written
    #[arg(long, conflicts_with_all = ["wait", "budget"])]
    plan: bool,
    /// The most bytes of files that it may move, of all tables together; refused before it begins where it would be more. Reading
    /// logs comes on top
    #[arg(long, value_name = "BYTES")]
    budget: Option<u64>,
}

impl SyncNow {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        if self.plan {
            let (product, to) = self.target.names()?;
            let replica = format!("{product}@{to}");
            return Ok(Act::get(&["replicas", &replica, "plan"]).show(Show::words(words)));
        }
        let budget = self.budget.map(|bytes| bytes.to_string());
        Ok(self.target.start(WorkKind::Sync)?.query("budget", budget))
    }
}

/// A way of one table.
const WAYS: &[Column] = &[
    ("WAY", |w| at(w, "/way").replace('_', " ")),
    ("OBJECTS", |w| at(w, "/objects")),
    ("BYTES", |w| at(w, "/bytes")),
    ("", |w| bytes(w, "/bytes")),
    ("REQUESTS", |w| at(w, "/requests")),
    ("COST", |w| cost(w)),
    ("CHOSEN", |w| at(w, "/chosen")),
    ("NOTE", |w| at(w, "/note")),
];

fn cost(way: &Value) -> String {
    match way["money"].is_null() {
        true => at(way, "/money"),
        false => money(way, "/money"),
    }
}

fn words(plan: &Value) -> String {
    let mut text = String::new();
    for table in list(plan, "tables") {
        let from = match table["from_version"].is_null() {
            true => "nothing".to_owned(),
            false => at(table, "/from_version"),
        };
        text.push_str(&format!(
            "{}.{}, source version {from} to {}\n{}\n",
            at(table, "/schema"),
            at(table, "/table"),
            at(table, "/to_version"),
            at(table, "/because")
        ));
        let chosen = &table["chosen"];
        let ways: Vec<Value> = list(table, "ways")
            .iter()
            .map(|way| {
                let mut way = way.clone();
                way["chosen"] = match way["way"] == *chosen {
                    true => json!("chosen"),
                    false => Value::Null,
                };
                way
            })
            .collect();
        if !ways.is_empty() {
            text.push_str(&rows(WAYS, &ways));
            text.push_str(&format!("{}\n", at(table, "/price")));
        }
        if let Some(crossing) = table["crossing"].as_str() {
            text.push_str(&format!("{crossing}\n"));
        }
        text.push('\n');
    }
    let sums = list(plan, "money").iter();
    let sums: Vec<String> = sums.map(|money| amount(money, "/amount")).collect();
    let sums = match sums.is_empty() {
        true => String::new(),
        false => format!(", {}", sums.join(" and ")),
    };
    text.push_str(&format!(
        "The next sync would move {} bytes in {} requests{sums}. Nothing was written; reading logs comes on top.\n",
        at(plan, "/bytes"),
        at(plan, "/requests")
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_was_chosen_and_why() {
        let way = |name: &str, bytes: u64| json!({ "way": name, "objects": 2, "bytes": bytes, "requests": 3, "money": { "amount": "0.09", "currency": "USD" }, "note": null });
        let plan = json!({
            "bytes": 7, "requests": 3, "money": [{ "amount": "0.09", "currency": "USD" }],
            "tables": [{
                "schema": "default", "table": "visits", "from_version": null, "to_version": 4, "chosen": "file_copy",
                "because": "It is the first sync.", "price": "Reckoned.", "failed": false,
                "ways": [way("full_copy", 9), way("file_copy", 7), { "way": "change_feed", "note": "Not possible." }],
            }],
        });
        let text = words(&plan);
        assert!(
            text.starts_with(
                "default.visits, source version nothing to 4\nIt is the first sync.\nWAY"
            ),
            "{text}"
        );
        let line = |way: &str| text.lines().find(|line| line.starts_with(way)).unwrap();
        assert!(line("file copy").contains("0.09 USD"), "{text}");
        assert!(line("file copy").contains("chosen"), "{text}");
        assert!(!line("full copy").contains("chosen"), "{text}");
        assert!(line("change feed").ends_with("Not possible."), "{text}");
        assert!(
            text.contains("would move 7 bytes in 3 requests, 0.09 USD."),
            "{text}"
        );
    }
}
