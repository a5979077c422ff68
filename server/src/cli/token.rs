//! `entrepot token`: what machines carry.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token; it is printed once
    Create {
        /// What it is for
        name: String,
        /// Whom it acts for; the operator must say it
        #[arg(long)]
        person: Option<String>,
        /// Act as this team's service instead of as the person
        #[arg(long)]
        team: Option<String>,
        /// consumer or producer, with --team
        #[arg(long, requires = "team")]
        role: Option<String>,
        /// How many days it lives, at most 365
        #[arg(long)]
        days: Option<u32>,
    },
    /// The caller's tokens; all of them for an admin
    List,
    /// End a token now
    Revoke { token: String },
}

impl Token {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::Create {
                name,
                person,
                team,
                role,
                days,
            } => Act::post(&["tokens"])
                .query("person", person)
                .body(json!({ "name": name, "team": team, "role": role, "days": days }))
                .show(Show::words(|token| {
                    format!(
                        "{}\nKeep it: it is shown only now. It lives until {}.",
                        cell(token.get("token")),
                        cell(token.get("expires_at"))
                    )
                })),
            Self::List => Act::list(&["tokens"]).show(Show::Table(&[
                ("ID", "/id"),
                ("NAME", "/name"),
                ("TEAM", "/team"),
                ("ROLE", "/role"),
                ("ENDS IN", "/hint"),
                ("UNTIL", "/expires_at"),
                ("REVOKED", "/revoked_at"),
            ])),
            Self::Revoke { token } => {
                Act::delete(&["tokens", &token]).show(Show::said("The token is revoked."))
            }
        })
    }
}
