//! `entrepot domain`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Act;
use super::columns::given;
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
    /// Change what a domain is called
    Update {
        name: String,
        #[command(flatten)]
        change: Change,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
}

/// At least one of them.
#[derive(Debug, Args)]
#[group(id = "domain_change", required = true, multiple = true)]
pub(super) struct Change {
    #[arg(long)]
    title: Option<String>,
    #[arg(long)]
    description: Option<String>,
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
            Self::Update {
                name,
                change,
                revision,
            } => Act::patch(&["domains", &name])
                .body(
                    given([
                        ("title", change.title.map(Value::from)),
                        ("description", change.description.map(Value::from)),
                        ("revision", revision.map(Value::from)),
                    ])
                    .into(),
                )
                .show(Show::said(format!("The domain {name} is changed."))),
        })
    }
}
