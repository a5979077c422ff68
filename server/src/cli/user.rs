//! `entrepot user`: accounts, roles, passwords, identities.

use std::io::BufRead as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use model::NoticeKind;
use serde_json::{Map, Value, json};

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Who the token, or the operator, is
    Whoami,
    /// All accounts
    List,
    /// Make an account; the first one is made here
    Create {
        /// What the person signs in with
        name: String,
        /// The person's name for others to read; the name when absent
        #[arg(long)]
        title: Option<String>,
        #[arg(long, default_value = "")]
        email: String,
        /// data_protection, finance, auditor or admin; may be repeated
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Change an account, or disable it
    Update {
        name: String,
        #[arg(long)]
        title: Option<String>,
        #[arg(long)]
        email: Option<String>,
        /// End all sessions and let nobody sign in
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        #[arg(long)]
        enable: bool,
    },
    /// Set exactly these roles; none takes all away
    Roles {
        name: String,
        #[arg(value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// What a person is told by mail
    Notifications { name: String },
    /// Choose what a person is told by mail
    #[command(group(clap::ArgGroup::new("choice").required(true)))]
    Notify {
        name: String,
        /// Exactly these: request_waiting, request_decided, access_verified, access_ending, sync_failing, freshness, live_quota
        #[arg(long, value_name = "KIND", num_args = 1.., group = "choice")]
        only: Vec<String>,
        /// Everything that concerns their work, as at first
        #[arg(long, group = "choice")]
        all: bool,
        /// Nothing
        #[arg(long, group = "choice")]
        none: bool,
    },
    /// Set a password; ends the person's sessions
    Password {
        name: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// By which identities of a provider a person signs in
    Identities { name: String },
    /// Let whoever a provider calls so sign in as this person
    Link {
        name: String,
        /// The provider, as it writes itself
        #[arg(long)]
        issuer: String,
        /// What the provider calls the person; shown to them when they are refused
        #[arg(long)]
        subject: String,
    },
    /// Take an identity away; ends the person's sessions
    Unlink {
        name: String,
        /// As `user identities` shows it
        identity: String,
    },
}

/// Where the password comes from. It is never an argument: other people of the machine can read those.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct PasswordFrom {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Make a password and print it once
    #[arg(long)]
    generate: bool,
}

impl PasswordFrom {
    fn read(&self) -> anyhow::Result<Option<String>> {
        if self.generate {
            return Ok(Some(exchange::secret::random_text(20)?));
        }
        if !self.password_stdin {
            return Ok(None);
        }
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .context("standard input cannot be read")?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            bail!("standard input holds no password");
        }
        Ok(Some(password.to_owned()))
    }
}

const PERSON: Show = Show::Fields(&[
    ("Name", "/name"),
    ("Title", "/title"),
    ("E-mail", "/email"),
    ("Roles", "/roles"),
    ("Disabled", "/disabled"),
]);

impl User {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::Whoami => Act::get(&["me"]).show(Show::words(whoami)),
            Self::List => Act::list(&["people"]).show(Show::Table(&[
                ("NAME", "/name"),
                ("TITLE", "/title"),
                ("ROLES", "/roles"),
                ("DISABLED", "/disabled"),
            ])),
            Self::Create {
                name,
                title,
                email,
                roles,
                password,
            } => {
                let generated = password.generate;
                let password = password.read()?;
                let beside = shown_once(password.as_deref(), generated);
                let body = json!({
                    "name": name,
                    "title": title.unwrap_or_else(|| name.clone()),
                    "email": email,
                    "roles": roles,
                    "password": password,
                });
                Act::post(&["people"])
                    .body(body)
                    .show(created(&name, password, generated))
                    .beside(beside)
            }
            Self::Update {
                name,
                title,
                email,
                disable,
                enable,
            } => {
                let mut body = Map::new();
                let mut set = |key: &str, value: Option<Value>| {
                    body.extend(value.map(|value| (key.to_owned(), value)));
                };
                set("title", title.map(Value::from));
                set("email", email.map(Value::from));
                set(
                    "disabled",
                    (disable || enable).then_some(Value::Bool(disable)),
                );
                if body.is_empty() {
                    bail!("say what to change: --title, --email, --disable or --enable");
                }
                Act::patch(&["people", &name])
                    .body(body.into())
                    .show(PERSON)
            }
            Self::Roles { name, roles } => Act::put(&["people", &name, "roles"])
                .body(json!({ "roles": roles }))
                .show(PERSON),
            Self::Notifications { name } => {
                Act::get(&["people", &name, "notifications"]).show(Show::words(notifications))
            }
            Self::Notify {
                name,
                only,
                all,
                none: _,
            } => {
                let kinds = if all {
                    NoticeKind::ALL.iter().map(ToString::to_string).collect()
                } else {
                    only
                };
                Act::put(&["people", &name, "notifications"])
                    .body(json!({ "kinds": kinds }))
                    .show(Show::words(notifications))
            }
            Self::Password { name, password } => {
                let generated = password.generate;
                let Some(password) = password.read()? else {
                    bail!("say where the password comes from: --password-stdin or --generate");
                };
                let said = said(
                    &format!("The password of {name} is set."),
                    &password,
                    generated,
                );
                let beside = shown_once(Some(&password), generated);
                Act::put(&["people", &name, "password"])
                    .body(json!({ "password": password }))
                    .show(Show::said(said))
                    .beside(beside)
            }
            Self::Identities { name } => {
                Act::list(&["people", &name, "identities"]).show(Show::Table(&[
                    ("IDENTITY", "/id"),
                    ("ISSUER", "/issuer"),
                    ("SUBJECT", "/subject"),
                    ("LINKED", "/linked_at"),
                    ("USED", "/used_at"),
                ]))
            }
            Self::Link {
                name,
                issuer,
                subject,
            } => Act::post(&["people", &name, "identities"])
                .body(json!({ "issuer": issuer, "subject": subject }))
                .show(Show::said(format!(
                    "{subject} of {issuer} signs in as {name}."
                ))),
            Self::Unlink { name, identity } => {
                Act::delete(&["people", &name, "identities", &identity]).show(Show::said(format!(
                    "{name} does not sign in by that identity any more."
                )))
            }
        })
    }
}

fn created(name: &str, password: Option<String>, generated: bool) -> Show {
    Show::said(match password {
        Some(password) => said(&format!("{name} can sign in."), &password, generated),
        None => format!(
            "{name} has an account without a password; set one with: entrepot user password {name} --generate"
        ),
    })
}

/// The same for programs; a password that was given is not repeated.
fn shown_once(password: Option<&str>, generated: bool) -> Option<(&'static str, String)> {
    let password = password.filter(|_| generated);
    password.map(|password| ("password", password.to_owned()))
}

/// A generated password is said once, and kept nowhere.
fn said(sentence: &str, password: &str, generated: bool) -> String {
    if generated {
        format!("{sentence}\nPassword, shown only now: {password}")
    } else {
        sentence.to_owned()
    }
}

fn notifications(found: &Value) -> String {
    let mut text = match (found["mail"].as_bool(), found["email"].as_str()) {
        (Some(false), _) => "This installation sends no mail.\n".to_owned(),
        (_, None | Some("")) => "There is no address to write to.\n".to_owned(),
        (_, Some(email)) => format!("Mail goes to {email}.\n"),
    };
    for choice in found["kinds"].as_array().into_iter().flatten() {
        let wanted = if choice["wanted"] == true {
            "yes"
        } else {
            "no"
        };
        text.push_str(&format!("{:18}{wanted}\n", cell(choice.get("kind"))));
    }
    text
}

fn whoami(me: &Value) -> String {
    let mut text = cell(me.get("title"));
    if let Some(name) = me["name"].as_str() {
        text.push_str(&format!(" ({name})"));
    }
    if me["roles"]
        .as_array()
        .is_some_and(|roles| !roles.is_empty())
    {
        text.push_str(&format!("\nRoles: {}", cell(me.get("roles"))));
    }
    for team in me["teams"].as_array().into_iter().flatten() {
        let role = cell(team.get("role"));
        text.push_str(&format!("\n{role} in {}", cell(team.get("team"))));
    }
    text
}
