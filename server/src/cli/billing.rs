//! `entrepot billing`: prices, counted bytes, charges, statements, savings.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::access_log::ImportAccessLog;
use super::call::Act;
use super::columns::{
    amount, at, bytes, duration, facts, given, items, list, money, rows, table, time,
};
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Billing {
    /// The prices of routes, and of compute and storage
    Rates,
    /// Set a price from a day on: of a route with --from and --to, else of a --kind
    Rate(Box<Rate>),
    /// Counted bytes, newest first
    Events {
        #[arg(long)]
        product: Option<String>,
    },
    /// Price the finished days
    Report,
    /// Take what a store's access log says was read in place of what was handed out
    ImportAccessLog(ImportAccessLog),
    /// Charges, newest first
    Charges {
        #[arg(long)]
        product: Option<String>,
        /// From this day on
        #[arg(long)]
        since: Option<String>,
        /// Up to the end of this day
        #[arg(long)]
        until: Option<String>,
        /// As CSV
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// The months of each team
    Statements,
    /// One team's month
    Statement {
        team: String,
        /// 2026-06
        month: String,
        /// As CSV
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// What a line of a statement was made of: its runs, and days where nothing ran
    Line(Box<Line>),
    /// Close a team's month: it never changes afterwards
    Issue { team: String, month: String },
    /// What replicas saved against loading in full
    Savings {
        #[arg(long)]
        product: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Rate {
    /// aws:eu-central-1, aws:* or *:*
    #[arg(long, required_unless_present = "kind", requires = "to")]
    from: Option<String>,
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// compute (per hour of sync runs) or storage (per GB and month; told in offers, never billed)
    #[arg(long, conflicts_with_all = ["from", "to", "unit"])]
    kind: Option<String>,
    /// Decimal: 0.09
    #[arg(long)]
    price: String,
    /// GB or GiB, of a route's price
    #[arg(long, required_unless_present = "kind")]
    unit: Option<String>,
    #[arg(long)]
    currency: String,
    /// A day or an instant: 2026-01-01
    #[arg(long)]
    valid_from: String,
    /// Exclusive; until further notice when absent. Afterwards the price that it interrupted holds again
    #[arg(long)]
    valid_until: Option<String>,
    /// Where the price comes from, in words
    #[arg(long)]
    source: String,
}

#[derive(Debug, Args)]
pub(super) struct Line {
    team: String,
    /// 2026-06
    month: String,
    /// transfer or compute
    #[arg(long, default_value = "transfer")]
    kind: String,
    #[arg(long)]
    product: String,
    /// aws:eu-central-1
    #[arg(long)]
    from: String,
    #[arg(long)]
    to: String,
    #[arg(long, default_value = "measured")]
    method: String,
    #[arg(long)]
    currency: String,
}

impl Line {
    fn act(self) -> Act {
        Act::get(&["statements", &self.team, &self.month, "line"])
            .query("kind", Some(self.kind))
            .query("product", Some(self.product))
            .query("from", Some(self.from))
            .query("to", Some(self.to))
            .query("method", Some(self.method))
            .query("currency", Some(self.currency))
            .show(Show::words(trace))
    }
}

impl Rate {
    fn act(self) -> Act {
        let body = given([
            ("from", self.from.map(Value::from)),
            ("to", self.to.map(Value::from)),
            ("kind", self.kind.map(Value::from)),
            ("price", Some(Value::from(self.price))),
            ("unit", self.unit.map(Value::from)),
            ("currency", Some(Value::from(self.currency))),
            ("valid_from", Some(Value::from(self.valid_from))),
            ("valid_until", self.valid_until.map(Value::from)),
            ("source", Some(Value::from(self.source))),
        ]);
        Act::post(&["rates"])
            .body(body.into())
            .show(Show::said("The price is set."))
    }
}

impl Billing {
    pub(super) fn act(self) -> Act {
        match self {
            Self::Rates => Act::list(&["rates"]).show(Show::words(rates)),
            Self::Rate(rate) => rate.act(),
            Self::Events { product } => Act::list(&["meter-events"])
                .query("product", product)
                .show(table(&[
                    ("AT", |e| time(e, "/at")),
                    ("PRODUCT", |e| at(e, "/product")),
                    ("FROM", |e| at(e, "/from")),
                    ("TO", |e| at(e, "/to")),
                    ("BYTES", |e| bytes(e, "/bytes")),
                    ("METHOD", |e| at(e, "/method")),
                    ("FOR", |e| at(e, "/purpose")),
                    ("CHARGED", |e| at(e, "/charged")),
                ])),
            Self::Report => Act::post(&["billing", "report"]).show(Show::words(|done| {
                format!(
                    "{} charges of {} events. Waiting for a price: {} events; {} of compute time.",
                    at(done, "/charges"),
                    at(done, "/events"),
                    at(done, "/unrated"),
                    duration(done, "/unrated_busy_micros")
                )
            })),
            Self::ImportAccessLog(import) => import.act(),
            Self::Charges {
                product,
                since,
                until,
                csv: true,
            } => Act::get(&["charges"])
                .query("product", product)
                .query("since", since)
                .query("until", until)
                .query("format", Some("csv".to_owned()))
                .show(Show::words(as_it_came)),
            Self::Charges {
                product,
                since,
                until,
                csv: false,
            } => Act::list(&["charges"])
                .query("product", product)
                .query("since", since)
                .query("until", until)
                .show(table(&[
                    ("DAY", |c| at(c, "/day")),
                    ("KIND", |c| at(c, "/kind")),
                    ("PRODUCT", |c| at(c, "/product")),
                    ("PAID BY", |c| at(c, "/team")),
                    ("CONSUMER", |c| at(c, "/consumer")),
                    ("FROM", |c| at(c, "/from")),
                    ("TO", |c| at(c, "/to")),
                    ("BYTES", |c| bytes(c, "/bytes")),
                    ("METHOD", |c| at(c, "/method")),
                    ("AMOUNT", |c| amount(c, "/amount")),
                ])),
            Self::Statements => Act::list(&["statements"]).show(table(&[
                ("TEAM", |s| at(s, "/team")),
                ("MONTH", |s| at(s, "/month")),
                ("TOTAL", |s| amount(s, "/total")),
                ("STATE", |s| at(s, "/state")),
                ("ISSUED", |s| time(s, "/issued_at")),
            ])),
            Self::Statement {
                team,
                month,
                csv: true,
            } => Act::get(&["statements", &team, &month])
                .query("format", Some("csv".to_owned()))
                .show(Show::words(as_it_came)),
            Self::Statement {
                team,
                month,
                csv: false,
            } => Act::get(&["statements", &team, &month]).show(Show::words(statements)),
            Self::Line(line) => line.act(),
            Self::Issue { team, month } => {
                Act::post(&["statements", &team, &month, "issue"]).show(Show::words(statements))
            }
            Self::Savings { product } => {
                Act::get(&["savings"])
                    .query("product", product)
                    .show(table(&[
                        ("PRODUCT", |s| at(s, "/product")),
                        ("CUT", |s| at(s, "/cut")),
                        ("ROUTE", |s| at(s, "/route")),
                        ("DAYS", |s| at(s, "/days")),
                        ("BASELINE", |s| bytes(s, "/baseline_bytes")),
                        ("MOVED", |s| bytes(s, "/actual_bytes")),
                        ("SAVED", |s| bytes(s, "/saved_bytes")),
                        ("AMOUNT", |s| money(s, "/saved")),
                        ("AGAINST", |s| at(s, "/baseline")),
                    ]))
            }
        }
    }
}

pub(super) fn as_it_came(answer: &Value) -> String {
    answer.as_str().unwrap_or("").to_owned()
}

fn rates(found: &Value) -> String {
    let mut text = rows(
        &[
            ("FROM", |r| at(r, "/from")),
            ("TO", |r| at(r, "/to")),
            ("PRICE", |r| {
                format!("{} per {}", amount(r, "/price"), at(r, "/unit"))
            }),
            ("VALID FROM", |r| time(r, "/valid_from")),
            ("UNTIL", |r| time(r, "/valid_until")),
            ("SOURCE", |r| at(r, "/source")),
        ],
        items(found),
    );
    text.push('\n');
    text.push_str(&rows(
        &[
            ("KIND", |r| at(r, "/kind")),
            ("PRICE", |r| amount(r, "/price")),
            ("VALID FROM", |r| time(r, "/valid_from")),
            ("UNTIL", |r| time(r, "/valid_until")),
            ("SOURCE", |r| at(r, "/source")),
        ],
        list(found, "service_rates"),
    ));
    text
}

fn statements(found: &Value) -> String {
    if items(found).is_empty() {
        return "Nothing was counted in this month, and there is nothing to pay.".to_owned();
    }
    let parts: Vec<String> = items(found).iter().map(statement).collect();
    parts.join("\n")
}

fn trace(found: &Value) -> String {
    let mut text = facts(
        &[
            ("Bytes", |t| bytes(t, "/line/bytes")),
            ("Time", |t| duration(t, "/line/busy_micros")),
            ("Amount", |t| at(t, "/line/amount")),
            ("Older events, not listed", |t| {
                format!(
                    "{}, {}, {}",
                    at(t, "/left_out_events"),
                    bytes(t, "/left_out_bytes"),
                    duration(t, "/left_out_busy_micros")
                )
            }),
        ],
        found,
    );
    text.push('\n');
    text.push_str(&rows(
        &[
            ("RUN OR DAY", |p| match p["run"].as_str() {
                Some(run) => run.to_owned(),
                None => at(p, "/day"),
            }),
            ("FOR", |p| at(p, "/purpose")),
            ("EVENTS", |p| at(p, "/events")),
            ("BYTES", |p| bytes(p, "/bytes")),
            ("TIME", |p| duration(p, "/busy_micros")),
            ("LAST", |p| time(p, "/last_at")),
        ],
        list(found, "parts"),
    ));
    text
}

/// `1.5 GB, priced after 2026-06-16 00:00:00 UTC`.
fn waiting(statement: &Value) -> String {
    if statement["waiting_until"].is_null() {
        return bytes(statement, "/waiting_bytes");
    }
    format!(
        "{}, priced after {}",
        bytes(statement, "/waiting_bytes"),
        time(statement, "/waiting_until")
    )
}

fn priceless(statement: &Value) -> String {
    format!(
        "{} events, {} of compute time",
        at(statement, "/unrated"),
        duration(statement, "/unrated_busy_micros")
    )
}

fn statement(statement: &Value) -> String {
    let mut text = facts(
        &[
            ("Team", |s| at(s, "/team")),
            ("Cost centre", |s| at(s, "/cost_center")),
            ("Month", |s| at(s, "/month")),
            ("State", |s| at(s, "/state")),
            ("Issued", |s| time(s, "/issued_at")),
            ("Total", |s| amount(s, "/total")),
            ("Waiting for the daily report", waiting),
            ("Handed out as signed URLs", |s| bytes(s, "/signed_bytes")),
            ("Without a price, of finished days", priceless),
        ],
        statement,
    );
    text.push('\n');
    text.push_str(&rows(
        &[
            ("KIND", |l| at(l, "/kind")),
            ("PRODUCT", |l| at(l, "/product")),
            ("ROUTE", |l| at(l, "/route")),
            ("METHOD", |l| at(l, "/method")),
            ("BYTES", |l| bytes(l, "/bytes")),
            ("TIME", |l| duration(l, "/busy_micros")),
            ("AMOUNT", |l| at(l, "/amount")),
        ],
        list(statement, "lines"),
    ));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_without_lines_says_what_waits() {
        let waits = json!({
            "team": "aftersales", "month": "2026-06", "state": "open", "total": "0", "currency": "USD", "lines": [],
            "signed_bytes": 0, "waiting_bytes": 1_500_000_000, "waiting_until": "2026-06-16T00:00:00Z", "unrated": 0,
            "unrated_busy_micros": 0,
        });
        let text = statements(&json!({ "items": [waits] }));
        let line = "1.5 GB, priced after 2026-06-16 00:00:00 UTC";
        assert!(text.contains(line), "{text}");
        let mut priced = waits.clone();
        priced["waiting_bytes"] = json!(0);
        priced["waiting_until"] = Value::Null;
        let text = statements(&json!({ "items": [priced] }));
        assert!(text.contains("0 B") && !text.contains("priced"), "{text}");
        assert!(statements(&json!({ "items": [] })).contains("nothing to pay"));
    }
}
