//! `entrepot domain`.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Domain {
    /// All domains
    List,
    /// Make a domain
    Create {
        name: String,
        #[arg(long)]
        title: String,
        #[arg(long, default_value = "")]
        description: String,
    },
}

impl Domain {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List => {
                Act::list(&["domains"]).show(Show::Table(&[("NAME", "/name"), ("TITLE", "/title")]))
            }
            Self::Create {
                name,
                title,
                description,
            } => Act::post(&["domains"])
                .body(json!({ "name": name, "title": title, "description": description }))
                .show(Show::said(format!("The domain {name} is made."))),
        })
    }
}
