//! `entrepot request`: asking for access, and deciding.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Request {
    /// The requests that the caller may see
    List {
        /// submitted, approved, rejected or withdrawn
        #[arg(long)]
        state: Option<String>,
    },
    /// One request and its decisions
    Show { request: String },
    /// Ask for access
    Create {
        product: String,
        #[arg(long)]
        recipient: String,
        /// live or replica
        #[arg(long)]
        mode: String,
        /// A day or an instant: 2027-12-31
        #[arg(long)]
        until: String,
        /// A word of the organisation's: warranty
        #[arg(long)]
        purpose: String,
        /// The purpose in a sentence
        #[arg(long)]
        text: String,
    },
    /// Take a request back
    Withdraw { request: String },
    /// Approve or reject; only a person's token can
    Decide {
        request: String,
        /// approve or reject
        verdict: String,
        /// The revision of the request that was looked at
        #[arg(long)]
        revision: i64,
        #[arg(long, default_value = "")]
        note: String,
        /// owner or data_protection, for somebody who could be both
        #[arg(long)]
        stage: Option<String>,
    },
}

const REQUEST: Show = Show::Fields(&[
    ("Id", "/id"),
    ("Product", "/product"),
    ("Recipient", "/recipient"),
    ("Team", "/team"),
    ("Asked by", "/requester"),
    ("Mode", "/mode"),
    ("Purpose", "/purpose_text"),
    ("Until", "/until"),
    ("State", "/state"),
    ("Waits for", "/open_stages"),
    ("Grant", "/grant"),
    ("Revision", "/revision"),
]);

impl Request {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { state } => {
                Act::list(&["requests"])
                    .query("state", state)
                    .show(Show::Table(&[
                        ("ID", "/id"),
                        ("PRODUCT", "/product"),
                        ("RECIPIENT", "/recipient"),
                        ("MODE", "/mode"),
                        ("STATE", "/state"),
                        ("WAITS FOR", "/open_stages"),
                        ("UNTIL", "/until"),
                    ]))
            }
            Self::Show { request } => Act::get(&["requests", &request]).show(REQUEST),
            Self::Create {
                product,
                recipient,
                mode,
                until,
                purpose,
                text,
            } => Act::post(&["requests"])
                .body(json!({
                    "product": product,
                    "recipient": recipient,
                    "mode": mode,
                    "until": until,
                    "purpose": { "code": purpose, "text": text },
                }))
                .show(REQUEST),
            Self::Withdraw { request } => {
                Act::post(&["requests", &request, "withdraw"]).show(REQUEST)
            }
            Self::Decide {
                request,
                verdict,
                revision,
                note,
                stage,
            } => Act::post(&["requests", &request, "decisions"])
                .body(json!({
                    "verdict": verdict,
                    "revision": revision,
                    "note": note,
                    "stage": stage,
                }))
                .show(REQUEST),
        })
    }
}
