//! `entrepot team`: teams and their members.

use clap::Subcommand;
use serde_json::{Value, json};

use super::call::Act;
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
