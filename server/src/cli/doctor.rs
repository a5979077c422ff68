//! `entrepot doctor`: tries what Entrepôt needs of a storage, or of every storage there is, and looks for the provider of
//! identities that the configuration names.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::call::{Act, Call, Client};
use super::columns::{at, given, list};
use super::fail::described;
use super::show::{self, Show, grid};
use super::{Globals, columns};
use crate::config::Settings;
use crate::oidc::CALLBACK;
use crate::{node, oidc};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// When absent: all storages, whether mail and webhook are configured, and whether the provider of identities answers
    storage: Option<String>,
    /// Also write a probe and delete it again; without this only where replicas may be made
    #[arg(long)]
    write: bool,
    /// Also send a test mail to this person's address
    #[arg(long, value_name = "PERSON", conflicts_with = "storage")]
    test_mail: Option<String>,
    /// Also send the webhook an event of the kind `test`
    #[arg(long, conflicts_with = "storage")]
    test_webhook: bool,
}

impl Doctor {
    pub(super) const fn is_of_all(&self) -> bool {
        self.storage.is_none()
    }

    pub(super) fn act(self) -> Act {
        let storage = self.storage.as_deref().unwrap_or_default();
        self.look(storage)
            .show(Show::words(report))
            .status(|report| u8::from(has_failed(report)))
    }

    fn look(&self, storage: &str) -> Act {
        let body = given([("write", self.write.then_some(Value::Bool(true)))]);
        Act::post(&["storages", storage, "doctor"]).body(body.into())
    }

    /// What came of the tests that were asked for, each by itself.
    async fn tests(&self, client: &Client) -> Option<Value> {
        let mail = self.test_mail.as_ref();
        let mail = mail.map(|person| ("mail", json!({ "person": person })));
        let webhook = self
            .test_webhook
            .then(|| ("webhook", json!({ "webhook": true })));
        let mut tests = Vec::new();
        for (of, body) in mail.into_iter().chain(webhook) {
            let call = Act::post(&["delivery", "test"]).body(body).call;
            tests.push(match client.perform(&call).await {
                Ok(_) => json!({ "of": of }),
                Err(error) => json!({ "of": of, "problem": described(&error) }),
            });
        }
        (!tests.is_empty()).then_some(Value::Array(tests))
    }

    /// One storage after the other. One that cannot be looked at does not keep the others from it.
    pub(super) async fn all(self, globals: &Globals) -> anyhow::Result<ExitCode> {
        let provider = provider(globals).await?;
        let client = globals.client().await?;
        let listed: Call = Act::list(&["storages"]).call;
        let storages = client.perform(&listed).await?;
        let mut items = Vec::new();
        for storage in columns::items(&storages) {
            let name = at(storage, "/name");
            let item = match client.perform(&self.look(&name).call).await {
                Ok(report) => json!({ "storage": name, "report": report }),
                Err(error) => {
                    json!({ "storage": name, "problem": described(&error), "text": format!("{error:#}") })
                }
            };
            items.push(item);
        }
        let mut delivery = client.perform(&Act::get(&["delivery"]).call).await?;
        if let Some(tests) = self.tests(&client).await {
            delivery["tests"] = tests;
        }
        let failed = items
            .iter()
            .chain([&provider])
            .any(|item| !item["problem"].is_null() || has_failed(&item["report"]))
            || list(&delivery, "tests")
                .iter()
                .any(|test| !test["problem"].is_null());
        let text = if globals.json {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.remove("text");
            }
            let mut found = json!({ "items": items, "delivery": delivery });
            if !provider.is_null() {
                found["oidc"] = provider;
            }
            show::json(&found)
        } else {
            let mut text = if items.is_empty() {
                "There is no storage yet.\n\n".to_owned()
            } else {
                items.iter().map(one_of_many).collect()
            };
            text.push_str(&delivered(&delivery));
            if !provider.is_null() {
                text.push_str(&format!("\noidc\n{}", report(&provider["report"])));
            }
            text
        };
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
        Ok(ExitCode::from(u8::from(failed)))
    }
}

fn delivered(delivery: &Value) -> String {
    let said = |what: &str| match delivery[what].as_bool() {
        Some(true) => "configured".to_owned(),
        _ => format!("not configured; see [{what}] in docs/OPERATING.md"),
    };
    let mut text = format!("mail: {}\nwebhook: {}\n", said("mail"), said("webhook"));
    for test in list(delivery, "tests") {
        let came = match test["problem"]["detail"].as_str() {
            Some(problem) => format!("failed: {problem}"),
            None => "taken".to_owned(),
        };
        text.push_str(&format!("test of {}: {came}\n", at(test, "/of")));
    }
    text
}

/// A report on the provider that this configuration names; null where it names none, or where another server is called: that
/// one's configuration is its own.
async fn provider(globals: &Globals) -> anyhow::Result<Value> {
    if globals.server.is_some() {
        return Ok(Value::Null);
    }
    let settings = Settings::load(&globals.flags())?;
    let public_url = node::public_url(&settings);
    let Some(oidc) = settings.oidc else {
        return Ok(Value::Null);
    };
    let issuer = oidc.issuer.clone();
    let callback = format!("{}{CALLBACK}", public_url.as_str());
    let (outcome, sentence) = match oidc::look(oidc, &public_url).await {
        Ok(way) => (
            "ok",
            format!(
                "{issuer} answers and sends people to {way}; {callback} has to be registered there"
            ),
        ),
        Err(error) => (
            "failed",
            format!("{error}; nobody can sign in by {issuer} until it answers"),
        ),
    };
    let check = json!({ "name": "discovery", "outcome": outcome, "sentence": sentence });
    Ok(json!({ "issuer": issuer, "report": { "checks": [check] } }))
}

fn one_of_many(item: &Value) -> String {
    let found = match item["text"].as_str() {
        Some(problem) => format!("{problem}\n"),
        None => report(&item["report"]),
    };
    format!("{}\n{found}\n", at(item, "/storage"))
}

fn has_failed(report: &Value) -> bool {
    list(report, "checks")
        .iter()
        .any(|check| check["outcome"] == "failed")
}

fn report(report: &Value) -> String {
    let rows: Vec<Vec<String>> = list(report, "checks")
        .iter()
        .map(|check| {
            ["/outcome", "/name", "/sentence"]
                .map(|pointer| at(check, pointer))
                .to_vec()
        })
        .collect();
    let mut text = grid(&rows);
    if let Some(policy) = report["least_policy"]
        .as_str()
        .filter(|text| !text.is_empty())
    {
        text.push_str(&format!("\nThe least policy that would do:\n\n{policy}\n"));
    }
    text
}
