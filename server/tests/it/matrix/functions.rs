//! The portal's forms as everybody: each answers as the route of its operation does, because both ask the exchange.

use std::collections::BTreeMap;

use exchange::Operation;
use exchange::operation::TABLE;
use serde_json::Value;

use super::{COLUMNS, Sample, World, fill};

const PRODUCT: &str = "vehicle-visits";

/// The operation's sample as the form takes it.
pub(super) fn fields(function: &str, sample: &Sample) -> Vec<(String, String)> {
    let name = |at: usize| sample.names[at].clone();
    let text = |pointer: &str| {
        let body = sample.body.as_ref().unwrap();
        match body.pointer(pointer).unwrap() {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    };
    let fields = match function {
        "access/create_recipient" => vec![
            ("product", PRODUCT.to_owned()),
            ("name", text("/name")),
            ("team", text("/team")),
            ("cloud", text("/cloud")),
            ("region", text("/region")),
        ],
        "access/create_request" => vec![
            ("product", text("/product")),
            ("recipient", text("/recipient")),
            ("mode", text("/mode")),
            ("until", text("/until")),
            ("purpose.code", text("/purpose/code")),
            ("purpose.text", text("/purpose/text")),
        ],
        "notices/set_notifications" => {
            vec![("person", name(0)), ("request_decided", "yes".to_owned())]
        }
        "access/withdraw_request" => vec![("request", name(0))],
        "access/decide_request" => vec![
            ("request", name(0)),
            ("revision", text("/revision")),
            ("note", text("/note")),
            ("verdict", text("/verdict")),
        ],
        "access/revoke_grant" => vec![
            ("grant", name(0)),
            ("reason", text("/reason")),
            ("confirm", PRODUCT.to_owned()),
        ],
        "access/narrow_grant" => vec![
            ("grant", name(0)),
            ("revision", "1".to_owned()),
            ("directory", "yes".to_owned()),
        ],
        "access/limit_grant" => vec![
            ("grant", name(0)),
            ("revision", "1".to_owned()),
            ("live_bytes_per_day", "50 GB".to_owned()),
        ],
        "access/revoke_recipient_token" => vec![
            ("recipient", name(0)),
            ("token", name(1)),
            ("confirm", name(0)),
        ],
        "ways/set_recipient_limits" => vec![
            ("recipient", name(0)),
            ("addresses", "192.0.2.0/24".to_owned()),
            ("requests_per_minute", text("/requests_per_minute")),
        ],
        "ways/set_federation" => vec![
            ("recipient", name(0)),
            ("issuer", text("/issuer")),
            ("audience", text("/audience")),
            ("subject", text("/subject")),
        ],
        "ways/end_federation" => vec![("recipient", name(0)), ("confirm", name(0))],
        "ways/end_activation" => vec![("recipient", name(0))],
        "cuts/create_cut" => vec![
            ("product", name(0)),
            ("name", text("/name")),
            ("content.within.default:visits", "yes".to_owned()),
            ("content.columns.default:visits:id", "hashed".to_owned()),
        ],
        "cuts/update_cut" => vec![
            ("product", name(0)),
            ("cut", name(1)),
            ("description", text("/description")),
            ("content.within.default:visits", "yes".to_owned()),
            ("content.columns.default:visits:id", "hashed".to_owned()),
        ],
        "cuts/rotate_cut" | "cuts/retire_cut" => vec![("product", name(0)), ("cut", name(1))],
        "catalog/update_product" => vec![("product", name(0)), ("title", text("/title"))],
        "catalog/publish_product" => vec![("product", name(0)), ("confirm", name(0))],
        "catalog/retire_product" => vec![
            ("product", name(0)),
            ("reason", text("/reason")),
            ("confirm", name(0)),
        ],
        "replicas/start_sync"
        | "replicas/start_verify"
        | "replicas/start_vacuum"
        | "replicas/release_replica" => {
            vec![("replica", name(0))]
        }
        "replicas/change_sync_job" => vec![
            ("replica", name(0)),
            ("revision", "1".to_owned()),
            ("every", "1d".to_owned()),
            ("at", "03:00".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("retention_hours", "168".to_owned()),
            ("keep_hours", "336".to_owned()),
            ("paused", "no".to_owned()),
        ],
        "replicas/adopt_copy" => vec![
            ("product", text("/product")),
            ("storage", text("/storage")),
            ("path", String::new()),
        ],
        "flows/register_flow" => vec![
            ("product", text("/product")),
            ("kind", text("/kind")),
            ("consumers", text("/consumers")),
            ("to", text("/to")),
        ],
        "flows/import_flows" => vec![("list", text("/list"))],
        "flows/switch_flow" | "flows/compare_flow" | "flows/remove_flow" => {
            vec![("flow", name(0))]
        }
        "erasures/request_erasure" => vec![
            ("product", text("/product")),
            ("reason", text("/reason")),
            ("at_once", "yes".to_owned()),
        ],
        "billing/create_rate" => vec![
            ("from", text("/from")),
            ("to", text("/to")),
            ("price", text("/price")),
            ("unit", text("/unit")),
            ("currency", text("/currency")),
            ("valid_from", text("/valid_from")),
            ("source", text("/source")),
        ],
        "advice/accept_advice" => vec![("advice", name(0))],
        "advice/snooze_advice" => vec![("advice", name(0)), ("until", text("/until"))],
        "advice/decline_advice" => vec![("advice", name(0)), ("reason", text("/reason"))],
        "billing/issue_statement" => {
            vec![("team", name(0)), ("month", name(1)), ("confirm", name(1))]
        }
        "audit/verify_chain" => vec![("anchor", String::new())],
        "audit/retry_work" => vec![("work", name(0))],
        "audit/retry_all" => vec![("kind", text("/kind"))],
        "people/create_person" => vec![("name", text("/name")), ("title", text("/title"))],
        "people/update_person" => vec![("person", name(0)), ("title", text("/title"))],
        "people/set_roles" => vec![("person", name(0))],
        "people/set_password" => vec![("person", name(0)), ("password", text("/password"))],
        "people/revoke_token" => {
            vec![("token", name(0)), ("confirm", "of zoe".to_owned())]
        }
        "people/unlink_identity" => vec![
            ("person", name(0)),
            ("identity", name(1)),
            ("confirm", name(0)),
        ],
        "organisation/create_domain" => vec![("name", text("/name")), ("title", text("/title"))],
        "organisation/update_domain" => vec![("domain", name(0)), ("title", text("/title"))],
        "organisation/create_team" => vec![
            ("name", text("/name")),
            ("domain", text("/domain")),
            ("title", text("/title")),
            ("cost_center", text("/cost_center")),
        ],
        "organisation/update_team" => vec![("team", name(0)), ("contact", text("/contact"))],
        "organisation/set_member" => vec![
            ("team", name(0)),
            ("person", name(1)),
            ("role", text("/role")),
        ],
        "organisation/remove_member" => vec![("team", name(0)), ("person", name(1))],
        "storages/create_storage" => vec![
            ("name", text("/name")),
            ("cloud", text("/cloud")),
            ("region", text("/region")),
            ("url", text("/url")),
        ],
        "storages/update_storage" => vec![("storage", name(0)), ("replicas", "yes".to_owned())],
        "storages/examine_storage" => vec![("storage", name(0))],
        "storages/start_assessment" => vec![("storage", text("/storage"))],
        "storages/cancel_assessment" => vec![("assessment", name(0))],
        "declaration/scan_storage" => vec![("storage", name(0)), ("team", text("/team"))],
        "declaration/plan_declaration" => vec![("yaml", text("/yaml"))],
        "declaration/deploy_declaration" => vec![("yaml", text("/yaml")), ("hash", String::new())],
        other => panic!("{other} has no sample"),
    };
    fields
        .into_iter()
        .map(|(field, value)| (format!("form[{}]", field.replace('.', "][")), value))
        .collect()
}

/// Every server function that has a route, with the operation and its route.
pub(super) fn functions() -> BTreeMap<&'static str, (Operation, &'static str, &'static str)> {
    let mut functions = BTreeMap::new();
    for line in TABLE {
        if let (Some(page), Some((method, route))) = (line.page, line.rest)
            && !page.starts_with('/')
        {
            functions
                .entry(page)
                .or_insert((line.operation, method, route));
        }
    }
    assert!(functions.len() >= 6, "{functions:?}");
    functions
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
    pub(super) async fn cookies(&self) -> Vec<Option<String>> {
        let mut cookies = Vec::new();
        for column in COLUMNS {
            cookies.push(match column {
                "nobody" => None,
                name => Some(self.app.sign_in(&name.replace('_', "-")).await),
            });
        }
        cookies
    }

    pub(super) async fn call(
        &self,
        cookie: Option<&String>,
        function: &str,
        fields: Vec<(String, String)>,
    ) -> (u16, String) {
        let mut ask = self
            .app
            .post(&format!("/_fn/app/api/{function}"))
            .own_origin()
            .header("accept", "application/json");
        if let Some(cookie) = cookie {
            ask = ask.cookie(cookie);
        }
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = ask.form(&fields).await;
        (answer.status.as_u16(), answer.text)
    }
}

#[tokio::test]
async fn every_server_function_answers_as_its_route() {
    let mut world = World::start().await;
    let cookies = world.cookies().await;
    for (function, (operation, method, route)) in functions() {
        for (column, who) in COLUMNS.into_iter().enumerate() {
            let sample = world.sample(operation).await.unwrap();
            let path = format!("{}{}", fill(route, &sample.names), sample.query);
            let (by_route, text) = world
                .status(column, method, &path, sample.body.as_ref())
                .await;

            let sample = world.sample(operation).await.unwrap();
            let before = world.app.changes().await;
            let mut fields = fields(function, &sample);
            if operation == Operation::SyncJobUpdate {
                // The route has just changed it.
                let operator = exchange::Principal::operator();
                let found = world.exchange().replica(&operator, &sample.names[0]).await;
                let job = found.unwrap().job.unwrap();
                fields.retain(|(name, _)| name != "form[revision]");
                fields.push(("form[revision]".to_owned(), job.revision.to_string()));
            }
            let (by_function, answer) =
                world.call(cookies[column].as_ref(), function, fields).await;
            // Whom the route let issue it finds it issued.
            let is_issued = operation == Operation::StatementIssue && by_route == 200;
            let expected = if is_issued {
                409
            } else {
                as_function(by_route)
            };
            assert_eq!(
                by_function, expected,
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
