//! `entrepot team`: teams and their members.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Act;
use super::columns::given;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Team {
    /// All teams
    List,
    /// One team and its members
    Show { team: String },
    /// Make a team
    Create {
        name: String,
        #[arg(long)]
        domain: String,
        #[arg(long)]
        title: String,
        #[arg(long)]
        cost_center: String,
        /// How to reach the team
        #[arg(long, default_value = "")]
        contact: String,
    },
    /// Change what a team is called, who pays for it, how it is reached
    Update {
        name: String,
        #[command(flatten)]
        change: Change,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Add a member, or change the member's role
    Member {
        team: String,
        person: String,
        /// consumer or producer
        #[arg(long, default_value = "consumer")]
        role: String,
    },
    /// Take a member out
    RemoveMember { team: String, person: String },
}

/// At least one of them.
#[derive(Debug, Args)]
#[group(id = "team_change", required = true, multiple = true)]
pub(super) struct Change {
    #[arg(long)]
    title: Option<String>,
    #[arg(long)]
    cost_center: Option<String>,
    #[arg(long)]
    contact: Option<String>,
}

impl Team {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List => Act::list(&["teams"]).show(Show::Table(&[
                ("NAME", "/name"),
                ("DOMAIN", "/domain"),
                ("TITLE", "/title"),
                ("COST CENTRE", "/cost_center"),
            ])),
            Self::Show { team } => Act::get(&["teams", &team]).show(Show::words(words)),
            Self::Create {
                name,
                domain,
                title,
                cost_center,
                contact,
            } => Act::post(&["teams"])
                .body(json!({
                    "name": name,
                    "domain": domain,
                    "title": title,
                    "cost_center": cost_center,
                    "contact": contact,
                }))
                .show(Show::said(format!("The team {name} is made."))),
            Self::Update {
                name,
                change,
                revision,
            } => Act::patch(&["teams", &name])
                .body(
                    given([
                        ("title", change.title.map(Value::from)),
                        ("cost_center", change.cost_center.map(Value::from)),
                        ("contact", change.contact.map(Value::from)),
                        ("revision", revision.map(Value::from)),
                    ])
                    .into(),
                )
                .show(Show::said(format!("The team {name} is changed."))),
            Self::Member { team, person, role } => Act::put(&["teams", &team, "members", &person])
                .body(json!({ "role": role }))
                .show(Show::said(format!("{person} is {role} in {team}."))),
            Self::RemoveMember { team, person } => {
                Act::delete(&["teams", &team, "members", &person]).show(Show::said(format!(
                    "{person} is no member of {team} any more."
                )))
            }
        })
    }
}

fn words(team: &Value) -> String {
    let mut text = Show::Fields(&[
        ("Name", "/name"),
        ("Title", "/title"),
        ("Domain", "/domain"),
        ("Cost centre", "/cost_center"),
        ("Contact", "/contact"),
    ])
    .text(team);
    for member in team["members"].as_array().into_iter().flatten() {
        let role = cell(member.get("role"));
        text.push_str(&format!("{role:11}  {}\n", cell(member.get("person"))));
    }
    text
}
