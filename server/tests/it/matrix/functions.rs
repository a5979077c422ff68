//! The portal's server functions as everybody: each answers as the route of its operation does, because both ask the exchange.

use std::collections::BTreeMap;

use exchange::Operation;
use exchange::operation::TABLE;
use serde_json::{Value, json};

use super::{COLUMNS, Sample, World, fill};

/// What a function is sent: JSON for what shows, a form for what changes.
enum Sent {
    Json(Value),
    Form(Vec<(String, String)>),
}

const PRODUCT: &str = "vehicle-visits";

/// The operation's sample as the function takes it, and what the route needs beside it to be asked the same.
fn sent(function: &str, sample: &Sample) -> (Sent, &'static str) {
    let name = |at: usize| sample.names[at].clone();
    let form = |fields: Vec<(&str, String)>| {
        let fields = fields
            .into_iter()
            .map(|(field, value)| (format!("form[{}]", field.replace('.', "][")), value));
        Sent::Form(fields.collect())
    };
    let text = |pointer: &str| {
        let body = sample.body.as_ref().unwrap();
        match body.pointer(pointer).unwrap() {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    };
    let sent = match function {
        "catalog/products" => Sent::Json(json!({ "query": {} })),
        "catalog/product" => Sent::Json(json!({ "name": name(0) })),
        "access/recipients" => Sent::Json(json!({})),
        "access/show_terms" => Sent::Json(json!({ "product": name(0), "recipient": "rnd_read" })),
        "access/show_opened" => Sent::Json(json!({ "grant": name(0) })),
        "access/requests" => Sent::Json(json!({ "open": false, "after": null })),
        "access/show_request" => Sent::Json(json!({ "id": name(0) })),
        "access/grants" => Sent::Json(json!({ "product": null, "after": null })),
        "audit/happenings" => {
            Sent::Json(json!({ "kind": "product", "id": PRODUCT, "after": null }))
        }
        "billing/charges" | "replicas/sync_runs" => {
            Sent::Json(json!({ "product": PRODUCT, "after": null }))
        }
        "billing/savings" | "replicas/replicas" => Sent::Json(json!({ "product": PRODUCT })),
        "declaration/product_yaml" => {
            return (
                Sent::Json(json!({ "product": PRODUCT })),
                "?product=vehicle-visits",
            );
        }
        "access/create_recipient" => form(vec![
            ("product", PRODUCT.to_owned()),
            ("name", text("/name")),
            ("team", text("/team")),
            ("cloud", text("/cloud")),
            ("region", text("/region")),
        ]),
        "access/create_request" => form(vec![
            ("product", text("/product")),
            ("recipient", text("/recipient")),
            ("mode", text("/mode")),
            ("until", text("/until")),
            ("purpose.code", text("/purpose/code")),
            ("purpose.text", text("/purpose/text")),
        ]),
        "access/withdraw_request" => form(vec![("request", name(0))]),
        "access/decide_request" => form(vec![
            ("request", name(0)),
            ("revision", text("/revision")),
            ("note", text("/note")),
            ("verdict", text("/verdict")),
        ]),
        "access/revoke_grant" => form(vec![("grant", name(0)), ("reason", text("/reason"))]),
        "access/revoke_recipient_token" => form(vec![("recipient", name(0)), ("token", name(1))]),
        other => panic!("{other} has no sample"),
    };
    (sent, "")
}

/// What a route's status is as a function's.
fn as_function(status: u16) -> u16 {
    match status {
        200..=299 => 200,
        400 => 422,
        other => other,
    }
}

impl World {
    async fn cookies(&self) -> Vec<Option<String>> {
        let mut cookies = Vec::new();
        for column in COLUMNS {
            cookies.push(match column {
                "nobody" => None,
                name => Some(self.app.sign_in(&name.replace('_', "-")).await),
            });
        }
        cookies
    }

    async fn call(&self, cookie: Option<&String>, function: &str, sent: Sent) -> (u16, String) {
        let mut ask = self
            .app
            .post(&format!("/_fn/app/api/{function}"))
            .own_origin()
            .header("accept", "application/json");
        if let Some(cookie) = cookie {
            ask = ask.cookie(cookie);
        }
        let answer = match sent {
            Sent::Json(body) => ask.json(&body).await,
            Sent::Form(fields) => {
                let fields: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                ask.form(&fields).await
            }
        };
        (answer.status.as_u16(), answer.text)
    }
}

#[tokio::test]
async fn every_server_function_answers_as_its_route() {
    let mut world = World::start().await;
    let cookies = world.cookies().await;
    let mut functions: BTreeMap<&str, (Operation, &str, &str)> = BTreeMap::new();
    for line in TABLE {
        if let (Some(page), Some((method, route))) = (line.page, line.rest)
            && !page.starts_with('/')
        {
            functions
                .entry(page)
                .or_insert((line.operation, method, route));
        }
    }
    assert!(functions.len() >= 20, "{functions:?}");
    for (function, (operation, method, route)) in functions {
        for (column, who) in COLUMNS.into_iter().enumerate() {
            let sample = world.sample(operation).await.unwrap();
            let (_, query) = sent(function, &sample);
            let query = if query.is_empty() {
                sample.query
            } else {
                query
            };
            let path = format!("{}{query}", fill(route, &sample.names));
            let (by_route, text) = world
                .status(column, method, &path, sample.body.as_ref())
                .await;

            let sample = world.sample(operation).await.unwrap();
            let before = world.app.changes().await;
            let (sent, _) = sent(function, &sample);
            let (by_function, answer) = world.call(cookies[column].as_ref(), function, sent).await;
            // A page prices for the recipients of one's own teams; for another's it has none, and shows none.
            let has_no_offer = function == "access/show_terms" && answer.contains("\"offer\":null");
            assert!(
                by_function == as_function(by_route) || (has_no_offer && who != "consumer"),
                "{function} as {who}: {answer} and {operation:?}: {text}"
            );
            if by_function >= 400 {
                assert_eq!(
                    world.app.changes().await,
                    before,
                    "{function} was refused and done"
                );
            }
        }
    }
}
