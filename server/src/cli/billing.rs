//! `entrepot billing`: prices, what was counted, charges, statements, savings.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Act;
use super::product::money;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Billing {
    /// The prices of routes
    Rates,
    /// Set a price: of a route, or of a service
    Rate(Rate),
    /// What was counted
    Events {
        #[arg(long)]
        product: Option<String>,
    },
    /// Price what was counted on finished days; also done by a worker every day
    Report,
    /// Priced days
    Charges {
        #[arg(long)]
        product: Option<String>,
        /// As CSV
        #[arg(long)]
        csv: bool,
    },
    /// Months and their bills
    Statements,
    /// One month of one team
    Statement {
        team: String,
        /// 2026-06
        month: String,
        /// As CSV
        #[arg(long)]
        csv: bool,
    },
    /// Issue a month's bill; it never changes afterwards
    Issue { team: String, month: String },
    /// What replicas have saved against full loads
    Savings {
        #[arg(long)]
        product: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Rate {
    /// aws:eu-central-1, aws:* or *:*
    #[arg(long, requires = "to", conflicts_with = "kind")]
    from: Option<String>,
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// compute (per hour) or storage (per GB and month), instead of a route
    #[arg(long)]
    kind: Option<String>,
    /// 0.09
    #[arg(long)]
    price: String,
    /// GB or GiB, of a route
    #[arg(long, default_value = "GB", conflicts_with = "kind")]
    unit: String,
    #[arg(long)]
    currency: String,
    #[arg(long)]
    valid_from: String,
    #[arg(long)]
    valid_until: Option<String>,
    /// Where the price is from
    #[arg(long)]
    source: String,
}

impl Rate {
    fn body(self) -> anyhow::Result<Value> {
        let mut body = json!({
            "price": self.price,
            "currency": self.currency,
            "valid_from": self.valid_from,
            "valid_until": self.valid_until,
            "source": self.source,
        });
        match (self.kind, self.from, self.to) {
            (Some(kind), None, None) => body["kind"] = Value::String(kind),
            (None, Some(from), Some(to)) => {
                body["from"] = Value::String(from);
                body["to"] = Value::String(to);
                body["unit"] = Value::String(self.unit);
            }
            _ => bail!("say what the price is of: --from and --to, or --kind"),
        }
        Ok(body)
    }
}

impl Billing {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::Rates => Act::get(&["rates"])
                .query("limit", Some("200".to_owned()))
                .show(Show::words(rates)),
            Self::Rate(rate) => Act::post(&["rates"])
                .body(rate.body()?)
                .show(Show::said("The price is set.")),
            Self::Events { product } => Act::list(&["meter-events"])
                .query("product", product)
                .show(Show::Table(&[
                    ("AT", "/at"),
                    ("PRODUCT", "/product"),
                    ("FROM", "/from"),
                    ("TO", "/to"),
                    ("BYTES", "/bytes"),
                    ("METHOD", "/method"),
                    ("PURPOSE", "/purpose"),
                    ("CHARGED", "/charged"),
                ])),
            Self::Report => Act::post(&["billing", "report"]).show(Show::words(|done| {
                format!(
                    "{} charges of {} events; {} events have no rate yet.",
                    cell(done.get("charges")),
                    cell(done.get("events")),
                    cell(done.get("unrated"))
                )
            })),
            Self::Charges { product, csv: true } => Act::get(&["charges"])
                .query("product", product)
                .query("format", Some("csv".to_owned()))
                .show(text()),
            Self::Charges { product, .. } => Act::list(&["charges"])
                .query("product", product)
                .show(Show::Table(&[
                    ("DAY", "/day"),
                    ("KIND", "/kind"),
                    ("PRODUCT", "/product"),
                    ("TEAM", "/team"),
                    ("FROM", "/from"),
                    ("TO", "/to"),
                    ("METHOD", "/method"),
                    ("BYTES", "/bytes"),
                    ("AMOUNT", "/amount"),
                    ("CURRENCY", "/currency"),
                ])),
            Self::Statements => Act::get(&["statements"]).show(Show::Table(&[
                ("TEAM", "/team"),
                ("MONTH", "/month"),
                ("TOTAL", "/total"),
                ("CURRENCY", "/currency"),
                ("STATE", "/state"),
                ("ISSUED", "/issued_at"),
            ])),
            Self::Statement {
                team,
                month,
                csv: true,
            } => Act::get(&["statements", &team, &month])
                .query("format", Some("csv".to_owned()))
                .show(text()),
            Self::Statement { team, month, .. } => {
                Act::get(&["statements", &team, &month]).show(Show::words(statements))
            }
            Self::Issue { team, month } => {
                Act::post(&["statements", &team, &month, "issue"]).show(Show::words(statements))
            }
            Self::Savings { product } => Act::get(&["savings"])
                .query("product", product)
                .show(Show::words(savings)),
        })
    }
}

/// CSV comes as it is.
fn text() -> Show {
    Show::words(|answer| answer.as_str().unwrap_or("").to_owned())
}

fn rates(found: &Value) -> String {
    let mut text = Show::Table(&[
        ("FROM", "/from"),
        ("TO", "/to"),
        ("PRICE", "/price"),
        ("UNIT", "/unit"),
        ("CURRENCY", "/currency"),
        ("VALID FROM", "/valid_from"),
        ("UNTIL", "/valid_until"),
        ("SOURCE", "/source"),
    ])
    .text(found);
    for rate in found["service_rates"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{}: {} {} from {}\n",
            cell(rate.get("kind")),
            cell(rate.get("price")),
            cell(rate.get("currency")),
            cell(rate.get("valid_from"))
        ));
    }
    text
}

fn statements(found: &Value) -> String {
    let mut all = String::new();
    for statement in found["items"].as_array().into_iter().flatten() {
        all.push_str(
            &Show::Fields(&[
                ("Team", "/team"),
                ("Cost centre", "/cost_center"),
                ("Month", "/month"),
                ("State", "/state"),
                ("Total", "/total"),
                ("Currency", "/currency"),
                ("Handed out, not billed", "/signed_bytes"),
                ("Without a rate", "/unrated"),
            ])
            .text(statement),
        );
        let lines = json!({ "items": statement["lines"] });
        all.push_str(
            &Show::Table(&[
                ("KIND", "/kind"),
                ("PRODUCT", "/product"),
                ("ROUTE", "/route"),
                ("METHOD", "/method"),
                ("BYTES", "/bytes"),
                ("AMOUNT", "/amount"),
            ])
            .text(&lines),
        );
    }
    all
}

fn savings(found: &Value) -> String {
    let mut text = String::new();
    for saving in found["items"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{} {}: {} bytes instead of {} in {} days, saved {} ({})\n",
            cell(saving.get("product")),
            cell(saving.get("route")),
            cell(saving.get("actual_bytes")),
            cell(saving.get("baseline_bytes")),
            cell(saving.get("days")),
            money(&saving["saved"]),
            cell(saving.get("baseline"))
        ));
    }
    if text.is_empty() {
        text.push_str("none");
    }
    text
}
