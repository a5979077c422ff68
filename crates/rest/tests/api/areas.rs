//! Each area once through its routes, by those who may.

use exchange::Principal;
use exchange::billing::MeterEventNew;
use exchange::jobs::{Lane, WorkKind};
use model::time::DAY;
use model::{Method, Purpose, RunKind};
use serde_json::{Value, json};

use super::world::Site;

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

#[tokio::test]
async fn storages() {
    let site = Site::with_product().await;
    let listed = site.get(&site.otto, "/storages?limit=1").await;
    assert_eq!(items(&listed)[0]["name"], "aws_eu");
    let next = format!("/storages?after={}", listed["next"].as_str().unwrap());
    assert_eq!(items(&site.get(&site.otto, &next).await).len(), 1);

    let line = "GET /storages/az_weu";
    let shown = site.good(&site.operator, line, Value::Null).await;
    assert_eq!(shown.header("etag"), "\"1\"");
    let change = |replicas: bool| json!({ "replicas": replicas });
    let if_match = [("if-match", shown.header("etag"))];
    let line = "PATCH /storages/az_weu";
    let changed = site
        .ask_with(&site.operator, line, change(false), &if_match)
        .await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    let stale = site
        .ask_with(&site.operator, line, change(true), &if_match)
        .await;
    assert_eq!(stale.status, 409, "{}", stale.text);

    let line = "POST /storages/az_weu/doctor";
    for (form, outcome) in [(json!({}), "skipped"), (json!({ "write": true }), "ok")] {
        let report = site.good(&site.mara, line, form).await.json;
        assert_eq!(report["checks"][0]["outcome"], outcome);
    }
    let line = "POST /storages/aws_eu/scan";
    let found = site
        .good(&site.mara, line, json!({ "prefix": "raw" }))
        .await;
    assert_eq!(found.json["tables"][0]["path"], "raw/found");
    let mistaken = site.ask(&site.mara, line, json!({ "pre": "raw" })).await;
    assert_eq!(mistaken.status, 400);
    mistaken.wrong("pre");
}

#[tokio::test]
async fn products() {
    let site = Site::with_product().await;
    let table = json!({ "storage": "aws_eu", "path": "workshop/visits" });
    let seen = site.good(&site.mara, "POST /inspections", table).await;
    assert_eq!(seen.json["columns"][0]["name"], "visit_id");

    for (query, count) in [
        ("", 1),
        (
            "?q=work+vis&domain=vehicle&team=aftersales&sort=relevance",
            1,
        ),
        (
            "?cloud=aws&region=eu-central-1&classification=internal&limit=5",
            1,
        ),
        ("?state=draft", 0),
        ("?access=active", 0),
    ] {
        let found = site.get(&site.otto, &format!("/products{query}")).await;
        assert_eq!(items(&found).len(), count, "{query}");
        assert_eq!(found["total"], count, "{query}");
        assert!(found["facets"]["cloud"].is_array());
    }
    for (query, field) in [
        ("owner=x", "owner"),
        ("limit=0", "limit"),
        ("cloud=mars", "cloud"),
    ] {
        let line = format!("GET /products?{query}");
        let refused = site.ask(&site.otto, &line, Value::Null).await;
        assert_eq!(refused.status, 400, "{query}");
        refused.wrong(field);
    }

    let path = "/products/vehicle-visits";
    let shown = site.get(&site.mara, path).await;
    let change = json!({ "title": "Visits", "revision": shown["revision"] });
    let line = format!("PATCH {path}");
    let changed = site.good(&site.mara, &line, change.clone()).await.json;
    assert_eq!(changed["title"], "Visits");
    assert_eq!(site.ask(&site.mara, &line, change).await.status, 409);
    let line = format!("POST {path}/refresh");
    site.good(&site.mara, &line, Value::Null).await;
    let line = format!("POST {path}/retire");
    let retired = site
        .good(&site.mara, &line, json!({ "reason": "old" }))
        .await;
    assert_eq!(retired.json["state"], "retired");
}

#[tokio::test]
async fn access() {
    let (site, request) = Site::with_grant("live").await;
    let path = "/products/vehicle-visits/offer";
    let offer = site
        .get(&site.otto, &format!("{path}?recipient=rnd_weu"))
        .await;
    assert_eq!(offer["modes"].as_array().unwrap().len(), 2);
    let line = format!("GET {path}");
    let refused = site.ask(&site.otto, &line, Value::Null).await;
    assert_eq!(refused.wrong("recipient"), "missing");

    for (state, count) in [("approved", 1), ("submitted", 0)] {
        let found = site
            .get(&site.mara, &format!("/requests?state={state}"))
            .await;
        assert_eq!(items(&found).len(), count, "{state}");
    }
    for (waiting, count) in [("true", 0), ("false", 1)] {
        let path = format!("/requests?waiting_for_me={waiting}");
        let found = site.get(&site.mara, &path).await;
        assert_eq!(items(&found).len(), count, "{waiting}");
    }
    let refused = site
        .ask(&site.mara, "GET /requests?state=x", Value::Null)
        .await;
    assert_eq!(
        refused.wrong("state"),
        "must be one of submitted, approved, rejected, withdrawn"
    );
    let id = request["id"].as_str().unwrap();
    let shown = site.get(&site.otto, &format!("/requests/{id}")).await;
    assert_eq!(shown["decisions"][0]["verdict"], "approve");
    let line = format!("POST /requests/{id}/withdraw");
    let late = site.ask(&site.otto, &line, Value::Null).await;
    assert_eq!(late.status, 409, "{}", late.text);

    let granted = site.get(&site.otto, "/grants?product=vehicle-visits").await;
    assert_eq!(items(&granted)[0]["id"], request["grant"]);
    let path = format!("/grants/{}", request["grant"].as_str().unwrap());
    assert_eq!(site.get(&site.otto, &path).await["mode"], "live");
    let line = format!("POST {path}/revoke");
    let ended = site
        .good(&site.mara, &line, json!({ "reason": "over" }))
        .await;
    assert_eq!(ended.json["desired"], "ended");
}

#[tokio::test]
async fn a_profile_is_a_file_and_given_once() {
    let (site, _) = Site::with_grant("live").await;
    let line = "POST /recipients/rnd_weu/profile";
    let key = [("idempotency-key", "one")];
    let made = site.ask_with(&site.otto, line, json!({}), &key).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(
        made.header("content-disposition"),
        "attachment; filename=\"rnd_weu.share\""
    );
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.json["shareCredentialsVersion"], 1);
    let token = made.json["bearerToken"].as_str().unwrap();
    let again = site.ask_with(&site.otto, line, json!({}), &key).await;
    assert_eq!(again.status, 409);
    assert!(!again.text.contains(token));

    let path = "/recipients/rnd_weu";
    let shown = site.get(&site.otto, path).await;
    let tokens = shown["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 1, "the repetition made none");
    let id = tokens[0]["id"].as_str().unwrap();
    let line = format!("DELETE {path}/tokens/{id}");
    let revoked = site.good(&site.otto, &line, Value::Null).await.json;
    assert!(revoked["tokens"][0]["revoked_at"].is_string());
    let listed = site.get(&site.otto, "/recipients").await;
    assert_eq!(items(&listed)[0]["name"], "rnd_weu");
}

/// C-28: the new profile comes as the first one did, once.
#[tokio::test]
async fn a_rotation_is_a_file_and_given_once() {
    let (site, _) = Site::with_grant("live").await;
    let line = "POST /recipients/rnd_weu/rotate";
    let nothing = site.ask_with(&site.otto, line, json!({}), &[]).await;
    assert_eq!(nothing.status, 409, "{}", nothing.text);
    let first = "POST /recipients/rnd_weu/profile";
    let first = site.good(&site.otto, first, json!({})).await;
    let old = first.json["bearerToken"].as_str().unwrap();

    let key = [("idempotency-key", "one")];
    let form = json!({ "days": 30, "overlap_hours": 6 });
    let made = site.ask_with(&site.otto, line, form.clone(), &key).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(
        made.header("content-disposition"),
        "attachment; filename=\"rnd_weu.share\""
    );
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.json["shareCredentialsVersion"], 1);
    let new = made.json["bearerToken"].as_str().unwrap();
    assert_ne!(new, old);
    // The answer was lost: the repetition gives no token away, and the next try says how to go on.
    for again in [&key[..], &[]] {
        let again = site.ask_with(&site.otto, line, form.clone(), again).await;
        assert_eq!(again.status, 409, "{}", again.text);
        assert!(!again.text.contains(new) && !again.text.contains(old));
    }
    let shown = site.get(&site.otto, "/recipients/rnd_weu").await;
    assert_eq!(shown["tokens"].as_array().unwrap().len(), 2);
    for (form, field) in [
        (json!({ "overlap_hours": 169 }), "overlap_hours"),
        (json!({ "overlap_hours": -1 }), "overlap_hours"),
        (json!({ "overlap_hours": 1.5 }), "overlap_hours"),
        (json!({ "overlap_hours": "1" }), "overlap_hours"),
        (json!({ "days": 91 }), "days"),
        (json!({ "overlap": 1 }), "overlap"),
    ] {
        let wrong = site.ask_with(&site.otto, line, form, &[]).await;
        assert_eq!(wrong.status, 400, "{}", wrong.text);
        assert_eq!(wrong.json["errors"][0]["field"], field, "{}", wrong.text);
    }
}

#[tokio::test]
async fn replicas() {
    let (site, _) = Site::with_grant("replica").await;
    let listed = site
        .get(&site.otto, "/replicas?product=vehicle-visits")
        .await;
    let id = items(&listed)[0]["id"].clone();
    let path = "/replicas/vehicle-visits@az_weu";
    assert_eq!(site.get(&site.otto, path).await["id"], id);
    let line = format!("PATCH {path}/job");
    let form = json!({ "every": "1d", "at": "04:00", "retention_hours": 24 });
    let changed = site.good(&site.mara, &line, form).await.json;
    assert_eq!(changed["job"]["every"], "1d");
    let if_match = [("if-match", "\"1\"")];
    let stale = site
        .ask_with(&site.mara, &line, json!({ "every": "2d" }), &if_match)
        .await;
    assert_eq!(stale.status, 409, "{}", stale.text);

    // A worker takes up the sync that making the replica asked for.
    let system = Principal::system();
    let (leased, task) = loop {
        let leased = site
            .exchange
            .work_lease(&system, "test", None, DAY, Lane::Data)
            .await;
        let leased = leased.unwrap().expect("a sync to do");
        if leased.kind == WorkKind::Sync {
            let table = leased.key.parse().unwrap();
            let task = site.exchange.sync_task(&system, table).await.unwrap();
            break (leased, task.unwrap());
        }
    };
    let begun = site
        .exchange
        .run_begin(&system, &task, RunKind::Sync, &leased)
        .await
        .unwrap()
        .run()
        .unwrap();
    let runs = site
        .get(&site.otto, "/sync-runs?product=vehicle-visits")
        .await;
    assert_eq!(items(&runs)[0]["id"], json!(begun.id));
    let run = site
        .get(&site.otto, &format!("/sync-runs/{}", begun.id))
        .await;
    assert_eq!(
        (&run["state"], &run["table"]),
        (&json!("planned"), &json!("visits"))
    );
    assert_eq!(run["steps"][0]["state"], "planned");
    assert_eq!(run["steps"][0]["at"], run["started_at"]);
    assert_eq!(items(&runs)[0].get("steps"), None, "of one run alone");

    for what in ["sync", "vacuum", "verify"] {
        let line = format!("POST {path}/{what}");
        let answer = site.good(&site.mara, &line, Value::Null).await;
        assert_eq!(answer.json["id"], id, "{what}");
    }
    let line = "GET /replicas/vehicle-visits@nowhere";
    assert_eq!(site.ask(&site.mara, line, Value::Null).await.status, 404);
}

#[tokio::test]
async fn prices() {
    let site = Site::start().await;
    let route = json!({
        "from": "aws:*", "to": "azure:*", "price": "0.09", "unit": "GB", "currency": "USD", "valid_from": "2025-01-01",
        "source": "list price",
    });
    let service = json!({
        "kind": "compute", "price": "2", "currency": "USD", "valid_from": "2025-01-01", "source": "ours",
    });
    let made = site.good(&site.fina, "POST /rates", route.clone()).await;
    assert_eq!((made.status, &made.json["price"]), (201, &json!("0.09")));
    let made = site.good(&site.fina, "POST /rates", service.clone()).await;
    assert_eq!(made.json["kind"], "compute");
    let listed = site.get(&site.otto, "/rates").await;
    assert_eq!(items(&listed).len(), 1);
    assert_eq!(listed["service_rates"][0]["kind"], "compute");

    let with = |body: &Value, key: &str, value: Value| {
        let mut body = body.clone();
        body[key] = value;
        body
    };
    for (body, field) in [
        (with(&route, "price", json!(0.09)), "price"),
        (with(&route, "price", json!("-1")), "price"),
        (with(&route, "unit", json!("lb")), "unit"),
        (with(&route, "colour", json!("x")), "colour"),
        (with(&service, "kind", json!("ink")), "kind"),
        (with(&service, "unit", json!("GB")), "unit"),
        (json!([]), "body"),
    ] {
        let refused = site.ask(&site.fina, "POST /rates", body.clone()).await;
        assert_eq!(refused.status, 400, "{body}");
        refused.wrong(field);
    }
    let refused = site.ask(&site.fina, "POST /rates", Value::Null).await;
    assert_eq!(refused.status, 415);
}

#[tokio::test]
async fn bills() {
    let (site, _) = Site::with_grant("live").await;
    let rate = json!({
        "from": "aws:*", "to": "azure:*", "price": "0.09", "unit": "GB", "currency": "USD", "valid_from": "2025-01-01",
        "source": "list price",
    });
    site.good(&site.fina, "POST /rates", rate).await;
    let product = site.get(&site.mara, "/products/vehicle-visits").await;
    let id: uuid::Uuid = product["id"].as_str().unwrap().parse().unwrap();
    let event = MeterEventNew {
        key: "query/one".to_owned(),
        product: Some(id.into()),
        table: None,
        grant: None,
        recipient: None,
        run: None,
        query: None,
        from: "aws:eu-central-1".parse().unwrap(),
        to: "azure:westeurope".parse().unwrap(),
        bytes: 1_000_000_000,
        busy: 0,
        method: Method::Measured,
        purpose: Purpose::Gateway,
    };
    let system = Principal::system();
    site.exchange.meter_record(&system, &event).await.unwrap();
    site.clock.advance(DAY);
    let events = site
        .get(&site.mara, "/meter-events?product=vehicle-visits")
        .await;
    assert_eq!(items(&events)[0]["bytes"], 1_000_000_000);
    let done = site
        .good(&site.fina, "POST /billing/report", Value::Null)
        .await;
    assert_eq!(
        (&done.json["charges"], &done.json["unrated"]),
        (&json!(1), &json!(0))
    );

    let path = "/charges?product=vehicle-visits";
    let charges = site.get(&site.mara, path).await;
    assert_eq!(items(&charges)[0]["amount"], "0.09");
    let line = format!("GET {path}");
    for (line, kinds) in [
        (format!("{line}&format=csv"), "application/json"),
        (line.clone(), "text/csv, */*;q=0.1"),
    ] {
        let accept = [("accept", kinds)];
        let csv = site.ask_with(&site.mara, &line, Value::Null, &accept).await;
        assert_eq!(
            csv.header("content-type"),
            "text/csv; charset=utf-8; header=present"
        );
        assert_eq!(
            csv.header("content-disposition"),
            "attachment; filename=\"charges-vehicle-visits.csv\""
        );
        assert_eq!(csv.text.lines().count(), 2, "{}", csv.text);
        assert!(csv.text.contains(",1000000000,"), "{}", csv.text);
    }
    let accept = [("accept", "application/json, text/csv")];
    let first = site.ask_with(&site.mara, &line, Value::Null, &accept).await;
    assert!(first.json["items"].is_array(), "the first one named");
    for (query, field) in [
        ("format=xls", "format"),
        ("format=csv&limit=1", "limit"),
        ("format=csv&after=x", "after"),
    ] {
        let line = format!("GET /charges?{query}");
        let refused = site.ask(&site.mara, &line, Value::Null).await;
        assert_eq!(refused.status, 400, "{query}");
        refused.wrong(field);
    }
    let csv = site
        .good(&site.mara, "GET /charges?format=csv", Value::Null)
        .await;
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"charges.csv\""
    );
    for list in [
        "charges",
        "meter-events",
        "savings",
        "grants",
        "replicas",
        "sync-runs",
    ] {
        for product in ["nope", "%22%0d%0a"] {
            let line = format!("GET /{list}?product={product}");
            let missing = site.ask(&site.mara, &line, Value::Null).await;
            assert_eq!(missing.status, 404, "{line}");
        }
    }

    let listed = site.get(&site.mara, "/statements?limit=1").await;
    assert_eq!(items(&listed)[0]["total"], "0.09");
    let after = "/statements?after=2025-06.aftersales.USD";
    assert!(items(&site.get(&site.mara, after).await).is_empty());
    let path = "/statements/aftersales/2025-06";
    let statement = site.get(&site.mara, path).await;
    assert_eq!(
        items(&statement)[0]["lines"][0]["route"],
        "aws:eu-central-1->azure:westeurope"
    );
    let line = format!("GET {path}?format=csv");
    let csv = site.good(&site.mara, &line, Value::Null).await;
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"statement-aftersales-2025-06.csv\""
    );
    assert_eq!(csv.text.lines().count(), 2, "{}", csv.text);
    site.clock.advance(31 * DAY);
    let line = format!("POST {path}/issue");
    let issued = site.good(&site.fina, &line, Value::Null).await;
    assert_eq!(items(&issued.json)[0]["state"], "issued");
    let saved = site
        .get(&site.mara, "/savings?product=vehicle-visits")
        .await;
    assert!(items(&saved).is_empty(), "there is no replica");
}

#[tokio::test]
async fn declarations() {
    let site = Site::start().await;
    let yaml = "exchange: { name: aftersales }\ndomains: { parts: { title: Parts } }\n";
    let text = |yaml: &str| json!({ "yaml": yaml });
    let operator = &site.operator;
    let line = "POST /declaration/validate";
    let sound = site.good(operator, line, text(yaml)).await.json;
    assert_eq!(sound["problems"], json!([]));
    let broken = site.good(operator, line, text("domains: [")).await.json;
    assert!(!broken["problems"].as_array().unwrap().is_empty());

    let line = "POST /declaration/plan";
    let refused = site.ask(operator, line, text("domains: [")).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let plan = site.good(operator, line, text(yaml)).await.json;
    let created = |plan: &Value| -> Vec<Value> {
        let changes = plan["changes"].as_array().unwrap();
        let made = changes.iter().filter(|change| change["action"] == "create");
        made.map(|change| change["name"].clone()).collect()
    };
    assert!(created(&plan).contains(&json!("parts")), "{plan}");

    let line = "POST /declaration/deploy";
    let mut new = json!({
        "yaml": yaml, "file": "entrepot.yml", "commit": "c0ffee", "expect_plan_hash": "00",
    });
    assert_eq!(site.ask(operator, line, new.clone()).await.status, 409);
    new["expect_plan_hash"] = plan["hash"].clone();
    let done = site.good(operator, line, new).await.json;
    assert!(done["id"].is_string());
    let again = site
        .good(operator, "POST /declaration/plan", text(yaml))
        .await;
    assert!(created(&again.json).is_empty(), "{}", again.text);
    let export = site.get(operator, "/declaration").await;
    assert!(export["yaml"].as_str().unwrap().contains("parts:"));
}
