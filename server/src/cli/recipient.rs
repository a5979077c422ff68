//! `entrepot recipient`: machine identities of consuming teams.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::show::{Show, json as as_json};

#[derive(Debug, Subcommand)]
pub(super) enum Recipient {
    /// The recipients that the caller may see
    List,
    /// One recipient and its credentials
    Show { recipient: String },
    /// Make a recipient
    Create {
        name: String,
        #[arg(long)]
        team: String,
        #[arg(long)]
        cloud: String,
        #[arg(long)]
        region: String,
    },
    /// Make a credential and print its profile, once
    Profile {
        recipient: String,
        /// How many days the credential lives
        #[arg(long)]
        days: Option<u32>,
    },
    /// End a credential now
    RevokeToken { recipient: String, token: String },
}

const RECIPIENT: Show = Show::Fields(&[
    ("Name", "/name"),
    ("Team", "/team"),
    ("Location", "/location"),
    ("Credentials", "/tokens"),
]);

impl Recipient {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List => Act::list(&["recipients"]).show(Show::Table(&[
                ("NAME", "/name"),
                ("TEAM", "/team"),
                ("LOCATION", "/location"),
            ])),
            Self::Show { recipient } => Act::get(&["recipients", &recipient]).show(RECIPIENT),
            Self::Create {
                name,
                team,
                cloud,
                region,
            } => Act::post(&["recipients"])
                .body(json!({ "name": name, "team": team, "cloud": cloud, "region": region }))
                .show(RECIPIENT),
            // A profile is a file for machines: what is printed can be redirected into one.
            Self::Profile { recipient, days } => Act::post(&["recipients", &recipient, "profile"])
                .body(json!({ "days": days }))
                .show(Show::words(as_json)),
            Self::RevokeToken { recipient, token } => {
                Act::delete(&["recipients", &recipient, "tokens", &token])
                    .show(Show::said("The credential is revoked."))
            }
        })
    }
}
