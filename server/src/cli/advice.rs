//! `entrepot advice`: what the advisor recommends, and what is done with it.

use clap::Subcommand;
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{Column, at, bytes, facts, list, money, rows, table, time};
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Advice {
    /// What is recommended, the newest first
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// One recommendation with the weeks it is reckoned from
    Show { advice: String },
    /// Act on it, with your own rights: asks for the other mode, or changes the sync job
    Accept { advice: String },
    /// Put it off
    Snooze {
        advice: String,
        /// An instant, or a day, which counts to its end in UTC: 2027-12-31
        #[arg(long)]
        until: String,
    },
    /// Decline it; it comes back only when it would save twice as much
    Decline {
        advice: String,
        #[arg(long)]
        reason: String,
    },
    /// Reckon a product now instead of once a day, and say how it stands in each place
    Reckon { product: String },
}

const LIST: &[Column] = &[
    ("PRODUCT", |a| at(a, "/product")),
    ("TO", |a| at(a, "/to")),
    ("KIND", |a| at(a, "/kind")),
    ("CHANGE TO", |a| at(a, "/change")),
    ("STATE", |a| at(a, "/state")),
    ("SAVES A MONTH", saving),
    ("FROM READERS", break_even),
    ("MEASURED", |a| money(a, "/measured")),
    ("ID", |a| at(a, "/id")),
];

const WEEKS: &[Column] = &[
    ("WEEK OF", |w| at(w, "/first_day")),
    ("READS", |w| at(w, "/reads")),
    ("READERS", |w| at(w, "/readers")),
    ("LIVE", |w| bytes(w, "/live_bytes")),
    ("OF REPLICA", |w| bytes(w, "/replica_bytes")),
    ("RUNS", |w| at(w, "/runs")),
    ("SYNCED", |w| bytes(w, "/synced_bytes")),
    ("COST", |w| money(w, "/cost_now")),
    ("AT LEAST", |w| money(w, "/cost_then_low")),
    ("AT MOST", |w| money(w, "/cost_then_high")),
];

const STANDINGS: &[Column] = &[
    ("TO", |s| at(s, "/to")),
    ("REPLICA", |s| at(s, "/has_replica")),
    ("SINCE", |s| at(s, "/since")),
    ("WEEKS", |s| at(s, "/weeks")),
    ("READERS", |s| at(s, "/readers")),
    ("REPLICA FROM READERS", break_even),
    ("COST A MONTH", |s| money(s, "/cost")),
    ("NOT KNOWN", |s| at(s, "/unknown")),
];

/// `0.10 to 0.30 USD`.
fn saving(advice: &Value) -> String {
    format!(
        "{} to {}",
        at(advice, "/saving/low/amount"),
        money(advice, "/saving/high")
    )
}

fn break_even(thing: &Value) -> String {
    let (from, to) = (at(thing, "/break_even/from"), at(thing, "/break_even/to"));
    if from == to {
        return from;
    }
    format!("{from} to {to}")
}

/// Of one to read live that was accepted: whose accesses keep the replica.
fn still(thing: &Value) -> String {
    let Some(still) = thing.get("still").filter(|still| still.is_object()) else {
        return String::new();
    };
    let accesses = list(still, "accesses").iter();
    let mut who: Vec<String> = accesses.map(|access| at(access, "/recipient")).collect();
    match still.get("others").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(others) => who.push(format!("{others} of others")),
    }
    match who.is_empty() {
        true => "nobody any more: it is on its way out".to_owned(),
        false => who.join(", "),
    }
}

impl Advice {
    pub(super) fn act(self) -> Act {
        match self {
            Self::List { product } => Act::list(&["advice"])
                .query("product", product)
                .show(table(LIST)),
            Self::Show { advice } => Act::get(&["advice", &advice]).show(Show::words(words)),
            Self::Accept { advice } => Act::post(&["advice", &advice, "accept"])
                .body(json!({}))
                .show(Show::words(words)),
            Self::Snooze { advice, until } => Act::post(&["advice", &advice, "snooze"])
                .body(json!({ "until": until }))
                .show(Show::words(words)),
            Self::Decline { advice, reason } => Act::post(&["advice", &advice, "decline"])
                .body(json!({ "reason": reason }))
                .show(Show::words(words)),
            Self::Reckon { product } => {
                Act::post(&["products", &product, "advice"]).show(table(STANDINGS))
            }
        }
    }
}

fn words(advice: &Value) -> String {
    let mut text = facts(
        &[
            ("Recommendation", |a| at(a, "/id")),
            ("Product", |a| at(a, "/product")),
            ("To", |a| at(a, "/to")),
            ("Kind", |a| at(a, "/kind")),
            ("Change to", |a| at(a, "/change")),
            ("Because", |a| at(a, "/because")),
            ("Costs a month", |a| money(a, "/cost")),
            ("Saves a month", saving),
            ("On the mean", |a| money(a, "/saving/mean")),
            ("Readers", |a| at(a, "/readers")),
            ("A replica pays from readers", break_even),
            ("State", |a| at(a, "/state")),
            ("Why", |a| at(a, "/reason")),
            ("Put off until", |a| time(a, "/snoozed_until")),
            ("Accepted", |a| time(a, "/accepted_at")),
            ("Requests", |a| at(a, "/outcome/requests")),
            ("Changed the job of", |a| at(a, "/outcome/replica")),
            ("Replica still held by", still),
            ("Saved a month since", |a| money(a, "/measured")),
            ("Over weeks", |a| at(a, "/measured_weeks")),
            ("Reckoned", |a| time(a, "/reckoned_at")),
            ("Assumed", |a| at(a, "/assumptions")),
        ],
        advice,
    );
    text.push('\n');
    text.push_str(&rows(WEEKS, list(advice, "weeks")));
    text
}
