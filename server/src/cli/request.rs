//! `entrepot request`: asking for access, and deciding.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{at, facts, given, list, rows, table, time};
use super::grant::some_bytes;
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Request {
    /// The requests that the caller may see, newest first
    List {
        /// submitted, approved, rejected or withdrawn
        #[arg(long)]
        state: Option<String>,
        /// Only those that wait for the caller's decision, the oldest first
        #[arg(long)]
        waiting_for_me: bool,
    },
    /// One request and the decisions on it
    Show { request: String },
    /// Ask for access
    Create {
        product: String,
        /// Who will read
        #[arg(long)]
        recipient: String,
        /// live or replica; `entrepot product offer` prices both
        #[arg(long)]
        mode: String,
        /// A cut of the product, read from a replica; `entrepot cut list` says which there are
        #[arg(long)]
        cut: Option<String>,
        /// An instant, or a day, which counts to its end in UTC: 2027-12-31
        #[arg(long)]
        until: String,
        /// A word of the organisation's vocabulary: warranty
        #[arg(long, value_name = "CODE")]
        purpose: String,
        /// What for, in words
        #[arg(long)]
        text: String,
    },
    /// Take a request back
    Withdraw { request: String },
    /// Say yes or no; a person's token is needed
    Decide {
        request: String,
        verdict: Verdict,
        /// The revision that was looked at, as `entrepot request show` prints it
        #[arg(long)]
        revision: i64,
        #[arg(long, default_value = "")]
        note: String,
        /// owner or data_protection, for somebody who could be both
        #[arg(long)]
        stage: Option<String>,
        /// With a yes: how many bytes of the producer's own files the grant hands out in a day, such as "50 GB"
        #[arg(long, value_name = "BYTES", value_parser = some_bytes)]
        live_bytes_per_day: Option<u64>,
        /// With a yes: which rows the grant opens, by conditions on partition columns, such as "country = 'DE'"
        #[arg(long, value_name = "CONDITIONS")]
        rows: Option<String>,
        /// With a yes: give credentials for the folders of the tables
        #[arg(long, conflicts_with = "rows")]
        directory: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Verdict {
    Approve,
    Reject,
}

impl Request {
    pub(super) fn act(self) -> Act {
        match self {
            Self::List {
                state,
                waiting_for_me,
            } => Act::list(&["requests"])
                .query("state", state)
                .query("waiting_for_me", waiting_for_me.then(|| "true".to_owned()))
                .show(table(&[
                    ("ID", |r| at(r, "/id")),
                    ("STATE", |r| at(r, "/state")),
                    ("PRODUCT", |r| at(r, "/product")),
                    ("CUT", |r| at(r, "/cut")),
                    ("RECIPIENT", |r| at(r, "/recipient")),
                    ("MODE", |r| at(r, "/mode")),
                    ("UNTIL", |r| time(r, "/until")),
                    ("WAITS FOR", |r| at(r, "/open_stages")),
                ])),
            Self::Show { request } => Act::get(&["requests", &request]).show(Show::words(words)),
            Self::Create {
                product,
                recipient,
                mode,
                cut,
                until,
                purpose,
                text,
            } => {
                let offer = Act::get(&["products", &product, "offer"])
                    .query("recipient", Some(recipient.clone()))
                    .query("cut", cut.clone());
                let mut body = given([("cut", cut.map(Value::from))]);
                for (field, value) in [
                    ("product", Value::from(product)),
                    ("recipient", recipient.into()),
                    ("mode", mode.into()),
                    ("until", until.into()),
                    ("purpose", json!({ "code": purpose, "text": text })),
                ] {
                    body.insert(field.to_owned(), value);
                }
                Act::post(&["requests"])
                    .body(body.into())
                    .before(offer, "already")
                    .show(Show::words(words))
            }
            Self::Withdraw { request } => Act::post(&["requests", &request, "withdraw"])
                .show(Show::said("The request is withdrawn.")),
            Self::Decide {
                request,
                verdict,
                revision,
                note,
                stage,
                live_bytes_per_day,
                rows,
                directory,
            } => {
                let scope = (rows.is_some() || directory)
                    .then(|| json!({ "rows": rows, "directory": directory }));
                let verdict = match verdict {
                    Verdict::Approve => "approve",
                    Verdict::Reject => "reject",
                };
                let mut body = given([
                    ("stage", stage.map(Value::from)),
                    ("live_bytes_per_day", live_bytes_per_day.map(Value::from)),
                    ("scope", scope),
                ]);
                body.insert("verdict".to_owned(), Value::from(verdict));
                body.insert("note".to_owned(), Value::from(note));
                body.insert("revision".to_owned(), Value::from(revision));
                Act::post(&["requests", &request, "decisions"])
                    .body(body.into())
                    .show(Show::words(words))
            }
        }
    }
}

fn words(request: &Value) -> String {
    let mut text = facts(
        &[
            ("Request", |r| at(r, "/id")),
            ("State", |r| at(r, "/state")),
            ("Waits for", |r| at(r, "/open_stages")),
            ("Product", |r| at(r, "/product")),
            ("Cut", |r| at(r, "/cut")),
            ("Recipient", |r| at(r, "/recipient")),
            ("Team", |r| at(r, "/team")),
            ("Location", |r| at(r, "/location")),
            ("Mode", |r| at(r, "/mode")),
            ("Until", |r| time(r, "/until")),
            ("Renews access until", |r| time(r, "/renews_until")),
            ("Purpose", |r| {
                format!("{}: {}", at(r, "/purpose_code"), at(r, "/purpose_text"))
            }),
            ("Asked by", |r| at(r, "/requester")),
            ("Asked", |r| time(r, "/created_at")),
            ("Declared in", |r| at(r, "/declared")),
            ("Grant", |r| at(r, "/grant")),
            ("Revision", |r| at(r, "/revision")),
        ],
        request,
    );
    for table in list(request, "gives") {
        text.push('\n');
        text.push_str(&super::cut::table_words(table));
    }
    let decisions = list(request, "decisions");
    if !decisions.is_empty() {
        text.push('\n');
        text.push_str(&rows(
            &[
                ("DECIDED", |d| time(d, "/decided_at")),
                ("STAGE", |d| at(d, "/stage")),
                ("VERDICT", |d| at(d, "/verdict")),
                ("BY", |d| at(d, "/decider")),
                ("NOTE", |d| at(d, "/note")),
            ],
            decisions,
        ));
    }
    for already in list(request, "already") {
        text.push_str(&format!("\nNote: {}\n", at(already, "/sentence")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_told_what_is_there_already() {
        let act = Request::Create {
            product: "vehicle-visits".to_owned(),
            recipient: "rnd_weu".to_owned(),
            mode: "replica".to_owned(),
            cut: Some("plain".to_owned()),
            until: "2027-12-31".to_owned(),
            purpose: "warranty".to_owned(),
            text: "warranty analysis".to_owned(),
        }
        .act();
        let (asked, field) = act.before.as_ref().unwrap();
        assert_eq!(asked.path, ["products", "vehicle-visits", "offer"]);
        assert_eq!(
            asked.query,
            [
                ("recipient", "rnd_weu".to_owned()),
                ("cut", "plain".to_owned())
            ]
        );
        assert_eq!(*field, "already");
        let answer = json!({ "id": "1", "already": [{ "sentence": "It is there." }] });
        let text = act.show.text(&answer);
        assert!(text.ends_with("\nNote: It is there.\n"), "{text}");
    }
}
