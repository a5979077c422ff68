//! `entrepot recipient`: who reads, the credentials, and what was asked with them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::billing::as_it_came;
use super::call::Act;
use super::columns::{at, bytes, duration, facts, given, list, rows, table, time};
use super::save::Save;
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Recipient {
    /// The recipients that the caller may see
    List,
    /// One recipient and its credentials
    Show { recipient: String },
    /// Make a recipient: the machine identity of a team in one cloud region
    Create {
        name: String,
        #[arg(long)]
        team: String,
        /// aws, azure, gcp or onprem
        #[arg(long)]
        cloud: String,
        #[arg(long)]
        region: String,
    },
    /// Give a recipient to another team or place, before anything is asked for it
    Update {
        recipient: String,
        #[command(flatten)]
        change: Change,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Make a credential, and give its Delta Sharing profile once
    Profile {
        recipient: String,
        /// Save it in this file, readable by its owner only, instead of printing it
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// How many days it lives
        #[arg(long)]
        days: Option<u32>,
    },
    /// Make a credential in the place of the one that counts, and give its profile once; the old one goes on for a while
    Rotate {
        recipient: String,
        /// Save the profile in this file, readable by its owner only, instead of printing it
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// How many days the new one lives
        #[arg(long)]
        days: Option<u32>,
        /// How many hours the old one still counts: 24 if not said, at most 168; 0 ends it at once
        #[arg(long, value_name = "HOURS")]
        overlap_hours: Option<u32>,
    },
    /// End a credential now
    RevokeToken { recipient: String, token: String },
    /// Say anew from which addresses a recipient may be used, and how often; what is left out is lifted
    Limits {
        recipient: String,
        /// An address, or a block of them: 192.0.2.0/24 or 2001:db8::/32; may be given several times
        #[arg(long = "address", value_name = "ADDRESS")]
        addresses: Vec<String>,
        #[arg(long, value_name = "COUNT")]
        requests_per_minute: Option<u32>,
    },
    /// What conditions on rows may say of a recipient beside its name, team, cloud and region
    Properties { recipient: String },
    /// Say anew what conditions on rows may say of a recipient; what is left out is forgotten
    SetProperties {
        recipient: String,
        /// As country=DE; may be given several times
        #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
        properties: Vec<Value>,
    },
    /// Let a machine in by tokens that its own platform makes for it
    Federate {
        recipient: String,
        /// The issuer's URL, to the letter as its tokens write it
        #[arg(long)]
        issuer: String,
        /// For whom the tokens are made
        #[arg(long)]
        audience: String,
        /// What the claim says of the machine
        #[arg(long)]
        subject: String,
        /// The claim that tells machines apart; sub if not said. Of a list, such as groups, one has to be the subject
        #[arg(long)]
        claim: Option<String>,
        /// Beside the tokens that let it in already, not in their place
        #[arg(long)]
        beside: bool,
    },
    /// Let nobody in by tokens of other platforms any more
    EndFederation {
        recipient: String,
        /// Only by these, by the policy's id
        #[arg(long)]
        policy: Option<String>,
    },
    /// Make a link that gives the profile once, to whoever opens it first, without an account
    Activation {
        recipient: String,
        /// How many days the credential lives
        #[arg(long)]
        days: Option<u32>,
        /// How many hours the link is good for: 24 if not said, and at most
        #[arg(long)]
        hours: Option<u32>,
    },
    /// Take back the link that waits
    EndActivation { recipient: String },
    /// Revoke tokens that were found where they should not be, and tell their teams
    Leaked {
        /// The tokens, one on each line; - is standard input
        file: PathBuf,
        /// Where they were found, in a few words
        #[arg(long, value_name = "WORDS")]
        found_at: Option<String>,
    },
    /// The access log: what recipients asked for, newest first
    Queries {
        #[arg(long)]
        product: Option<String>,
        #[arg(long)]
        recipient: Option<String>,
        #[arg(long)]
        grant: Option<String>,
        /// A table, with its schema before it or without
        #[arg(long)]
        table: Option<String>,
        /// given or refused
        #[arg(long)]
        answer: Option<String>,
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
}

/// At least one of them.
#[derive(Debug, Args)]
#[group(id = "recipient_change", required = true, multiple = true)]
pub(super) struct Change {
    #[arg(long)]
    team: Option<String>,
    /// aws, azure, gcp or onprem
    #[arg(long)]
    cloud: Option<String>,
    #[arg(long)]
    region: Option<String>,
}

/// `country=DE`.
fn property(text: &str) -> Result<Value, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write NAME=VALUE, such as country=DE".to_owned())?;
    Ok(json!({ "name": name, "value": value }))
}

fn properties_said(found: &Value) -> String {
    let all = found["properties"].as_array();
    let lines: String = all
        .into_iter()
        .flatten()
        .map(|property| format!("{}={}\n", at(property, "/name"), at(property, "/value")))
        .collect();
    if lines.is_empty() {
        "Nothing is noted of it.\n".to_owned()
    } else {
        lines
    }
}

impl Recipient {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List => Act::list(&["recipients"]).show(Show::Table(&[
                ("NAME", "/name"),
                ("TEAM", "/team"),
                ("LOCATION", "/location"),
            ])),
            Self::Show { recipient } => {
                Act::get(&["recipients", &recipient]).show(Show::words(words))
            }
            Self::Create {
                name,
                team,
                cloud,
                region,
            } => Act::post(&["recipients"])
                .body(json!({ "name": name, "team": team, "cloud": cloud, "region": region }))
                .show(Show::said(format!("The recipient {name} is made."))),
            Self::Update {
                recipient,
                change,
                revision,
            } => Act::patch(&["recipients", &recipient])
                .body(
                    given([
                        ("team", change.team.map(Value::from)),
                        ("cloud", change.cloud.map(Value::from)),
                        ("region", change.region.map(Value::from)),
                        ("revision", revision.map(Value::from)),
                    ])
                    .into(),
                )
                .show(Show::words(words)),
            Self::Profile {
                recipient,
                output,
                days,
            } => Act::post(&["recipients", &recipient, "profile"])
                .body(given([("days", days.map(Value::from))]).into())
                .save(output.map(|path| Save { path, text: file }))
                .show(Show::words(file)),
            Self::Rotate {
                recipient,
                output,
                days,
                overlap_hours,
            } => Act::post(&["recipients", &recipient, "rotate"])
                .body(
                    given([
                        ("days", days.map(Value::from)),
                        ("overlap_hours", overlap_hours.map(Value::from)),
                    ])
                    .into(),
                )
                .save(output.map(|path| Save { path, text: file }))
                .show(Show::words(file)),
            Self::RevokeToken { recipient, token } => {
                Act::delete(&["recipients", &recipient, "tokens", &token])
                    .show(Show::said("The credential is revoked."))
            }
            Self::Limits {
                recipient,
                addresses,
                requests_per_minute,
            } => Act::put(&["recipients", &recipient, "limits"])
                .body(
                    given([
                        ("addresses", Some(json!(addresses))),
                        ("requests_per_minute", requests_per_minute.map(Value::from)),
                    ])
                    .into(),
                )
                .show(Show::words(words)),
            Self::Properties { recipient } => Act::get(&["recipients", &recipient, "properties"])
                .show(Show::words(properties_said)),
            Self::SetProperties {
                recipient,
                properties,
            } => Act::put(&["recipients", &recipient, "properties"])
                .body(json!({ "properties": properties }))
                .show(Show::words(properties_said)),
            Self::Federate {
                recipient,
                issuer,
                audience,
                subject,
                claim,
                beside,
            } => Act::put(&["recipients", &recipient, "federation"])
                .body(
                    given([
                        ("issuer", Some(issuer.into())),
                        ("audience", Some(audience.into())),
                        ("claim", claim.map(Value::from)),
                        ("subject", Some(subject.into())),
                        ("beside", beside.then_some(Value::Bool(true))),
                    ])
                    .into(),
                )
                .show(Show::words(words)),
            Self::EndFederation { recipient, policy } => {
                let said = if policy.is_some() {
                    "These tokens let it in no more."
                } else {
                    "No platform's tokens let it in any more."
                };
                Act::delete(&["recipients", &recipient, "federation"])
                    .query("policy", policy)
                    .show(Show::said(said))
            }
            Self::Activation {
                recipient,
                days,
                hours,
            } => Act::post(&["recipients", &recipient, "activation"])
                .body(
                    given([
                        ("days", days.map(Value::from)),
                        ("hours", hours.map(Value::from)),
                    ])
                    .into(),
                )
                .show(Show::words(link)),
            Self::EndActivation { recipient } => {
                Act::delete(&["recipients", &recipient, "activation"])
                    .show(Show::said("The link gives nothing any more."))
            }
            Self::Leaked { file, found_at } => Act::post(&["leaked-tokens"])
                .body(
                    given([
                        ("tokens", Some(json!(lines_of(&file)?))),
                        ("found_at", found_at.map(Value::from)),
                    ])
                    .into(),
                )
                .show(Show::words(revoked)),
            Self::Queries {
                product,
                recipient,
                grant,
                table: of_table,
                answer,
                since,
                until,
                csv,
            } => {
                let act = if csv {
                    Act::get(&["share-queries"])
                } else {
                    Act::list(&["share-queries"])
                };
                let act = act
                    .query("product", product)
                    .query("recipient", recipient)
                    .query("grant", grant)
                    .query("table", of_table)
                    .query("answer", answer)
                    .query("since", since)
                    .query("until", until);
                if csv {
                    let act = act.query("format", Some("csv".to_owned()));
                    return Ok(act.show(Show::words(as_it_came)));
                }
                act.show(table(&[
                    ("AT", |q| time(q, "/at")),
                    ("RECIPIENT", |q| at(q, "/recipient")),
                    ("SHARE", |q| at(q, "/share")),
                    ("TABLE", |q| {
                        format!("{}.{}", at(q, "/schema"), at(q, "/table"))
                    }),
                    ("CALL", |q| at(q, "/endpoint")),
                    ("STATUS", |q| at(q, "/status")),
                    ("VERSION", |q| at(q, "/version")),
                    ("FILES", |q| at(q, "/files")),
                    ("SIGNED", |q| bytes(q, "/bytes_signed")),
                    ("LEFT OUT", |q| at(q, "/files_dropped")),
                    ("FROM", |q| at(q, "/source")),
                    ("TOOK", |q| duration(q, "/duration_micros")),
                    ("BECAUSE", |q| at(q, "/reason")),
                ]))
            }
        })
    }
}

/// More than a report may hold.
const REPORT_LIMIT: u64 = 1 << 20;

/// Tokens are never arguments: other people of the machine can read those.
fn lines_of(file: &Path) -> anyhow::Result<Vec<String>> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin()
            .take(REPORT_LIMIT)
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(REPORT_LIMIT).read_to_string(&mut text))
            .with_context(|| format!("{} cannot be read", file.display()))?;
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn revoked(report: &Value) -> String {
    let mut text = format!(
        "{} could be tokens. Of people and services {} were revoked; of recipients:\n",
        at(report, "/well_formed"),
        at(report, "/service_tokens")
    );
    text.push_str(&rows(
        &[
            ("RECIPIENT", |t| at(t, "/recipient")),
            ("CREDENTIAL", |t| at(t, "/token")),
            ("ENDS IN", |t| at(t, "/hint")),
        ],
        list(report, "revoked"),
    ));
    text
}

fn link(made: &Value) -> String {
    format!(
        "{}\nIt gives the profile of {} once, to whoever opens it first, until {}. Keep it like a password.\n",
        at(made, "/url"),
        at(made, "/recipient"),
        time(made, "/expires_at"),
    )
}

/// The profile file, as clients read it.
fn file(profile: &Value) -> String {
    format!("{profile:#}\n")
}

/// The value, or what it means that there is none.
fn or(value: String, nothing: &str) -> String {
    if value == "-" {
        nothing.to_owned()
    } else {
        value
    }
}

fn words(recipient: &Value) -> String {
    let mut text = facts(
        &[
            ("Name", |r| at(r, "/name")),
            ("Team", |r| at(r, "/team")),
            ("Location", |r| at(r, "/location")),
            ("From", |r| or(at(r, "/limits/addresses"), "everywhere")),
            ("Requests per minute", |r| {
                or(at(r, "/limits/requests_per_minute"), "no limit of its own")
            }),
            ("Let in by tokens", |r| match list(r, "federation").len() {
                0 => "of nobody else".to_owned(),
                1 => "of one platform".to_owned(),
                several => format!("of {several} platforms"),
            }),
            ("Link waits until", |r| time(r, "/activation/expires_at")),
        ],
        recipient,
    );
    text.push('\n');
    text.push_str(&rows(
        &[
            ("CREDENTIAL", |t| at(t, "/id")),
            ("ENDS IN", |t| at(t, "/hint")),
            ("MADE", |t| time(t, "/created_at")),
            ("UNTIL", |t| time(t, "/expires_at")),
            ("REVOKED", |t| time(t, "/revoked_at")),
        ],
        list(recipient, "tokens"),
    ));
    let federation = list(recipient, "federation");
    if !federation.is_empty() {
        text.push('\n');
        text.push_str(&rows(
            &[
                ("POLICY", |f| at(f, "/id")),
                ("TOKENS OF", |f| at(f, "/issuer")),
                ("MADE FOR", |f| at(f, "/audience")),
                ("WHOSE", |f| at(f, "/claim")),
                ("IS", |f| at(f, "/subject")),
                ("SINCE", |f| time(f, "/created_at")),
            ],
            federation,
        ));
    }
    text
}
