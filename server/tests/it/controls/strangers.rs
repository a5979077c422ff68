//! C-06: every request that names something of one tenant, sent again by strangers: refused as if it were not there (or, for
//! what the catalog shows to everybody, as not theirs), nothing written, and nothing of it in any answer. C-07 with it: their
//! lists hold nothing of it either.

use exchange::Operation;
use exchange::operation::{TABLE, Who};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rows::{Rows, Writes};
use super::world::{As, DRAFT, Tenants, pages, send};
use crate::matrix::fill;
use crate::support::Answer;

/// What everybody who is signed in may read of others: the catalog.
const CATALOG: &[Operation] = &[
    Operation::TeamRead,
    Operation::StorageRead,
    Operation::ProductRead,
    Operation::ProductHistory,
    Operation::CutList,
    Operation::CutRead,
];

/// Whether the answer to a stranger must be a refusal: it names something, and that is not of the catalog.
fn is_refused(operation: Operation, who: &[Who], names_something: bool) -> bool {
    let for_everybody = who.contains(&Who::SignedIn);
    !(for_everybody && (CATALOG.contains(&operation) || !names_something))
}

/// What of `private` stands in the answer and was not in the request.
fn leaked<'a>(private: &'a [String], answer: &Answer, request: &str) -> Vec<&'a str> {
    let headers = answer
        .headers
        .values()
        .filter_map(|value| value.to_str().ok());
    let said = std::iter::once(answer.text.as_str()).chain(headers);
    let said = said.collect::<Vec<_>>().join("\n");
    private
        .iter()
        .map(String::as_str)
        .filter(|secret| said.contains(secret) && !request.contains(secret))
        .collect()
}

impl Tenants {
    /// Sends as each of the strangers, and checks what must hold of every answer. `refused` are the statuses that it may have.
    async fn replay(&self, method: &Method, path: &str, body: Option<&Value>, refused: &[u16]) {
        let app = self.app();
        let private = self.private().await;
        let request = format!("{path} {}", body.map_or_else(String::new, Value::to_string));
        let db = app.exchange.db();
        let mut writes = Writes::of(db).await;
        let mut before = Rows::of(db).await;
        for (who, token) in &self.strangers {
            let answer = send(app, As::Token(token), method.clone(), path, body).await;
            let status = answer.status.as_u16();
            let what = format!("{method} {path} as {who}: {status} {}", answer.text);
            let leaked = leaked(&private, &answer, &request);
            assert!(leaked.is_empty(), "{what} names {leaked:?}");
            if !refused.is_empty() {
                // A name in a body is a field that is wrong: there is no such thing.
                let no_such = status == 400 && answer.text.contains("there is no such");
                assert!(refused.contains(&status) || no_such, "{what}");
            }
            if writes.more(db).await {
                let after = Rows::of(db).await;
                if status >= 400 {
                    let differences = before.differences(&after);
                    assert!(differences.is_empty(), "{what} changed {differences:#?}");
                }
                before = after;
            }
        }
    }
}

#[tokio::test]
async fn every_request_is_replayed_by_strangers() {
    let mut tenants = Tenants::start().await;
    let (mut replayed, mut open) = (0, 0);
    for line in TABLE {
        let Some((method, pattern)) = line.rest else {
            continue;
        };
        let name = line.operation.name();
        let sample = tenants.matrix.sample(line.operation).await;
        let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
        let path = format!("{}{}", fill(pattern, &sample.names), sample.query);
        let names_something = !sample.names.is_empty() || !sample.query.is_empty();
        let refused: &[u16] = match is_refused(line.operation, line.who, names_something) {
            true => &[403, 404],
            false => &[],
        };
        open += usize::from(refused.is_empty());
        replayed += 1;
        let method = method.parse().unwrap();
        tenants
            .replay(&method, &path, sample.body.as_ref(), refused)
            .await;
    }
    assert!(replayed > 60 && open < 35, "{open} of {replayed} are open");
}

/// What is not published is not there: 404, whatever is asked of it.
#[tokio::test]
async fn a_draft_is_not_there_by_any_name() {
    let tenants = Tenants::start().await;
    for line in TABLE {
        let Some((method, pattern)) = line.rest else {
            continue;
        };
        if !pattern.contains("{product}") {
            continue;
        }
        let query = match line.operation {
            Operation::OfferRead => "?recipient=sales_weu",
            _ => "",
        };
        let path = format!(
            "{}{query}",
            fill(pattern, &[DRAFT.to_owned(), "none".to_owned()])
        );
        let body = match line.operation {
            Operation::ProductRetire => json!({ "reason": "over" }),
            Operation::CutCreate => json!({ "name": "c", "tables": [] }),
            _ => json!({}),
        };
        let method: Method = method.parse().unwrap();
        let body = (method != Method::GET).then_some(body);
        tenants.replay(&method, &path, body.as_ref(), &[404]).await;
    }
    // By a filter, and by a word of its title: as if there were nothing.
    for path in [
        "/api/v1/products?q=everybody",
        "/api/v1/products?q=vehicle-hidden",
        "/api/v1/products?team=aftersales",
        "/api/v1/requests",
        "/api/v1/grants?product=vehicle-hidden",
        "/api/v1/replicas?product=vehicle-hidden",
        "/api/v1/sync-runs?product=vehicle-hidden",
        "/api/v1/meter-events?product=vehicle-visits",
        "/api/v1/charges?product=vehicle-visits",
        "/api/v1/savings?product=vehicle-hidden",
    ] {
        tenants.replay(&Method::GET, path, None, &[]).await;
    }
}

/// Names in bodies are asked the same rules as names in paths.
#[tokio::test]
async fn names_in_bodies() {
    let mut tenants = Tenants::start().await;
    let recipient = tenants.matrix.recipient("rnd_read", "westeurope").await;
    let purpose = json!({ "code": "warranty", "text": "to look" });
    let asking = |product: &str, recipient: &str| json!({ "product": product, "recipient": recipient, "mode": "live", "until": "2026-12-31", "purpose": purpose });
    let product = |team: &str, storage: &str, path: &str| {
        json!({
            "name": "vehicle-mine", "team": team, "title": "Mine", "storage": storage, "classification": "internal",
            "tables": [{ "name": "t", "path": path }],
        })
    };
    let declared =
        |yaml: String| json!({ "yaml": yaml, "file": "entrepot.yml", "commit": "c0ffee" });
    let cases = [
        ("/api/v1/requests", asking(DRAFT, "sales_weu"), &[403, 404][..]),
        ("/api/v1/requests", asking("vehicle-visits", &recipient), &[403, 404]),
        ("/api/v1/recipients", json!({ "name": "mine", "team": "rnd", "cloud": "azure", "region": "westeurope" }), &[403]),
        ("/api/v1/tokens", json!({ "name": "mine", "team": "rnd" }), &[403]),
        ("/api/v1/products", product("aftersales", "aws_eu", "vehicle-visits"), &[403]),
        // Somebody else's table under one's own name.
        ("/api/v1/products", product("sales", "aws_eu", "vehicle-visits"), &[403]),
        ("/api/v1/products", product("sales", "az_weu", "vehicle-replicated/default/visits"), &[403]),
        ("/api/v1/inspections", json!({ "storage": "aws_eu", "path": "hidden/place" }), &[403]),
        ("/api/v1/inspections", json!({ "storage": "az_weu", "path": "vehicle-replicated/default/visits" }), &[403]),
        ("/api/v1/storages/aws_eu/scan", json!({ "team": "sales" }), &[403]),
        ("/api/v1/storages/az_weu/doctor", json!({ "write": true }), &[403]),
        (
            "/api/v1/declaration/deploy",
            declared("products: { vehicle-hidden: { title: Mine, team: sales, storage: gcp_eu, classification: internal, tables: [{ name: t, schema: default, path: own/other, format: delta }] } }".to_owned()),
            &[403, 409],
        ),
        (
            "/api/v1/declaration/deploy",
            declared(format!(
                "grants: {{ mine: {{ product: vehicle-visits, recipient: {recipient}, mode: live, until: 2026-12-31, purpose: {{ code: x, text: to see }} }} }}"
            )),
            &[403, 409],
        ),
        ("/api/v1/declaration/plan", json!({ "yaml": "products: { vehicle-hidden: { title: Mine } }" }), &[]),
        ("/api/v1/declaration/plan", json!({ "yaml": format!("recipients: {{ {recipient}: {{ team: sales, cloud: gcp, region: x }} }}") }), &[]),
    ];
    for (path, body, refused) in &cases {
        tenants
            .replay(&Method::POST, path, Some(body), refused)
            .await;
    }
    // The same key for the same request is another's answer only for the other.
    let app = tenants.app();
    let token = &tenants.strangers[0].1;
    let consumer = tenants.matrix.tokens[2].clone().unwrap();
    let body = json!({ "name": "ci" });
    let mut ids = Vec::new();
    for token in [&consumer, token] {
        let made = app
            .post("/api/v1/domains")
            .token(token)
            .header("idempotency-key", "the same")
            .json(&body)
            .await;
        assert_eq!(made.header("idempotency-replayed"), "");
        ids.push(made.status);
    }
    assert_eq!(ids, [StatusCode::BAD_REQUEST; 2]);
    let sample = tenants
        .matrix
        .sample(Operation::RequestCreate)
        .await
        .unwrap();
    let body = sample.body.unwrap();
    let app = tenants.app();
    let ask = async |token: &str| {
        let ask = app.post("/api/v1/requests").token(token);
        ask.header("idempotency-key", "of a request")
            .json(&body)
            .await
    };
    let made = ask(&consumer).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(ask(&consumer).await.header("idempotency-replayed"), "true");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    for (who, token) in &tenants.strangers {
        let answer = ask(token).await;
        assert!(answer.status.is_client_error(), "{who}: {}", answer.text);
        assert!(!answer.text.contains(&id), "{who}: {}", answer.text);
    }
}

/// The portal's pages with a stranger's session.
#[tokio::test]
async fn pages_show_strangers_nothing() {
    let tenants = Tenants::start().await;
    let app = tenants.app();
    let pages = pages(&tenants.things);
    let private = tenants.private().await;
    for name in ["other-producer", "sally", "loner"] {
        let cookie = app.sign_in(name).await;
        let before = Rows::of(app.exchange.db())
            .await
            .without(&["session.data", "session.last_seen_at"]);
        for path in pages.iter().flat_map(|(_, filled)| filled) {
            let answer = send(app, As::Cookie(&cookie), Method::GET, path, None).await;
            let leaked = leaked(&private, &answer, path);
            assert!(leaked.is_empty(), "{path} shows {name} {leaked:?}");
            assert!(!answer.status.is_server_error(), "{path}: {}", answer.text);
        }
        let after = Rows::of(app.exchange.db())
            .await
            .without(&["session.data", "session.last_seen_at"]);
        assert_eq!(before.differences(&after).len(), 0);
    }
    // Nor does a session stand in for a token (C-29).
    let cookie = app.sign_in("producer").await;
    for path in [
        "/api/v1/me",
        "/api/v1/products/vehicle-hidden",
        "/delta-sharing/shares",
    ] {
        let answer = app.get(path).cookie(&cookie).send().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

/// The sharing protocol with the token of another recipient.
#[tokio::test]
async fn another_recipients_token() {
    let tenants = Tenants::start().await;
    tenants.matrix.replicated().await;
    let app = tenants.app();
    let (mine, other) = (&tenants.reader_token, &tenants.stranger_reader_token);
    let ask = async |token: &str, method: Method, path: &str| {
        let body = json!({});
        let body = (method == Method::POST).then_some(&body);
        let path = format!("/delta-sharing{path}");
        send(app, As::Token(token), method, &path, body).await
    };
    // Both read this one; neither reads the others', be they published or not.
    for token in [mine, other] {
        let shares = ask(token, Method::GET, "/shares").await;
        assert_eq!(shares.json()["items"].as_array().unwrap().len(), 1);
    }
    let nowhere = ask(other, Method::GET, "/shares/nowhere").await;
    for share in ["vehicle-replicated", DRAFT] {
        let table = format!("/shares/{share}/schemas/default/tables/visits");
        for (method, path) in [
            (Method::GET, format!("/shares/{share}")),
            (Method::GET, format!("/shares/{share}/schemas")),
            (Method::GET, format!("/shares/{share}/all-tables")),
            (
                Method::GET,
                format!("/shares/{share}/schemas/default/tables"),
            ),
            (Method::GET, format!("{table}/version")),
            (Method::GET, format!("{table}/metadata")),
            (Method::POST, format!("{table}/query")),
            (Method::GET, format!("{table}/changes?startingVersion=0")),
            (Method::POST, format!("{table}/temporary-table-credentials")),
        ] {
            for token in [mine, other] {
                let answer = ask(token, method.clone(), &path).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
                assert_eq!(
                    answer.json()["errorCode"],
                    nowhere.json()["errorCode"],
                    "{path}"
                );
                // Where a replica lies follows from the names that were asked for, which are said back.
                let mut private = tenants.private().await;
                private.retain(|secret| !secret.ends_with("/default/visits"));
                let leaked = leaked(&private, &answer, &path);
                assert!(leaked.is_empty(), "{path} names {leaked:?}");
            }
        }
    }
}

/// A token that serves a team answers to a person and is not that person.
#[tokio::test]
async fn a_teams_token_gives_nothing_of_its_persons() {
    let tenants = Tenants::start().await;
    let app = tenants.app();
    let team = &tenants.strangers[2].1;
    let person = &tenants.strangers[0].1;
    let made = send(
        app,
        As::Token(person),
        Method::POST,
        "/api/v1/tokens",
        Some(&json!({ "name": "mine" })),
    )
    .await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let before = Rows::of(app.exchange.db()).await;
    // It would act as the person in all their teams and roles.
    for body in [
        json!({ "name": "wider" }),
        json!({ "name": "same", "team": "sales" }),
    ] {
        let refused = send(
            app,
            As::Token(team),
            Method::POST,
            "/api/v1/tokens",
            Some(&body),
        )
        .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
    let refused = send(
        app,
        As::Token(team),
        Method::DELETE,
        &format!("/api/v1/tokens/{id}"),
        None,
    )
    .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let password = json!({ "current": crate::support::PASSWORD, "password": "another long one" });
    let refused = send(
        app,
        As::Token(team),
        Method::PUT,
        "/api/v1/people/other-producer/password",
        Some(&password),
    )
    .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        before.differences(&Rows::of(app.exchange.db()).await).len(),
        0
    );
    let listed = send(app, As::Token(team), Method::GET, "/api/v1/tokens", None).await;
    let items = listed.json()["items"].as_array().unwrap().clone();
    assert_eq!(
        (items.len(), &items[0]["name"]),
        (1, &json!("sales-pipeline"))
    );
}
