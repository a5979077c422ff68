//! Older versions and the change data feed through the real gate: who may read them, what is counted, and whether the Python
//! connector reads the changes that the table itself tells.

use http::{Method, StatusCode};
use model::{Method as Counted, Purpose};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::serve;
use super::{VISITS, VISITS_PATH, World, rows};
use crate::support::python::Python;

const PLAIN: &str = "vehicle-plain";

/// A table of two versions with one file each, above an empty one, that says it records its changes.
async fn recording(world: &World, path: &str) {
    world.write(path, &[&[rows(0, 10)], &[rows(10, 20)]]).await;
    let log = world.root("aws_eu").join(path).join("_delta_log");
    let first = log.join(format!("{:020}.json", 0));
    let said = std::fs::read_to_string(&first).unwrap();
    let says = said.replace(
        r#""configuration":{}"#,
        r#""configuration":{"delta.enableChangeDataFeed":"true"}"#,
    );
    assert_ne!(said, says);
    std::fs::write(first, says).unwrap();
}

#[tokio::test]
async fn older_versions_and_changes_are_read_where_their_ticks_are_set_and_counted() {
    for world in World::each().await {
        recording(&world, VISITS_PATH).await;
        recording(&world, "workshop/plain").await;
        let of = |path| [("visits", path)];
        world
            .product_with(VISITS, "aws_eu", &of(VISITS_PATH), true)
            .await;
        world.product(PLAIN, "aws_eu", &of("workshop/plain")).await;
        for product in [VISITS, PLAIN] {
            world.grant(product, "rnd_weu", "live").await;
        }
        let token = world.token("rnd_weu").await;
        let ask = async |product: &str, rest: &str| {
            let path = format!("/shares/{product}/schemas/default/tables/visits/{rest}");
            world.share(Method::GET, &path, &token).await
        };

        let answer = ask(VISITS, "metadata?version=1").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("delta-table-version"), "1");
        let answer = ask(VISITS, "changes?startingVersion=2").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("delta-table-version"), "2");
        let lines: Vec<Value> = answer
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3, "{lines:#?}");
        let added = &lines[2]["add"];
        assert_eq!(added["version"], 2);

        let url = added["url"].as_str().unwrap();
        let file = world.get(url, None).await;
        assert_eq!(file.status, StatusCode::OK);
        assert_eq!(added["size"].as_u64(), Some(file.body.len() as u64));
        let events = world.events().await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(
            (events[0].bytes, events[0].method, events[0].purpose),
            (file.body.len() as u64, Counted::Measured, Purpose::Gateway)
        );
        assert_eq!(events[0].product.as_ref().unwrap().as_str(), VISITS);

        for (rest, says) in [
            ("metadata?version=1", "history sharing is not enabled"),
            (
                "changes?startingVersion=2",
                "cdf is not enabled on table vehicle-plain.default.visits",
            ),
        ] {
            let answer = ask(PLAIN, rest).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
            assert!(answer.text().contains(says), "{}", answer.text());
        }
        let stranger = world.share(
            Method::GET,
            "/shares/vehicle-nothing/schemas/default/tables/visits/changes?startingVersion=2",
            &token,
        );
        assert_eq!(stranger.await.status, StatusCode::NOT_FOUND);
    }
}

/// What `read_changes.py` says of a range.
#[derive(Deserialize)]
struct Told {
    /// For each way of asking.
    shared: Vec<Vec<Value>>,
    own: Vec<Value>,
}

#[tokio::test]
async fn the_python_connector_reads_the_changes_that_the_table_tells() {
    let Some(python) = Python::find() else { return };
    let (world, address, stop, serving) = serve().await;

    let folder = world.root("aws_eu").join(VISITS_PATH);
    std::fs::create_dir_all(&folder).unwrap();
    let written: Value = python.run("write_feed.py", &json!({ "url": folder })).await;
    let tables = [("visits", VISITS_PATH)];
    world.product_with(VISITS, "aws_eu", &tables, true).await;
    world.grant(VISITS, "rnd_weu", "live").await;
    let profile = world.folder.path().join("profile.share");
    let credentials = json!({
        "shareCredentialsVersion": 1,
        "endpoint": format!("http://{address}/delta-sharing/"),
        "bearerToken": world.token("rnd_weu").await,
    });
    std::fs::write(&profile, credentials.to_string()).unwrap();

    let asked = json!({
        "profile": profile,
        "table": format!("{VISITS}.default.visits"),
        "url": folder,
        "ranges": [
            { "starting_version": 0 },
            { "starting_version": 2, "ending_version": 4 },
            { "starting_version": written["version"] },
        ],
        "delta": [null, true],
    });
    let told: Vec<Told> = python.run("read_changes.py", &asked).await;
    assert_eq!(told.len(), 3);
    for range in &told {
        assert!(!range.own.is_empty());
        for shared in &range.shared {
            assert_eq!(shared.len(), range.own.len());
            assert!(*shared == range.own, "the rows differ");
        }
    }
    let kinds = ["insert", "delete", "update_preimage", "update_postimage"];
    for kind in kinds {
        let told = told[0].own.iter().any(|row| row["_change_type"] == kind);
        assert!(told, "{kind}");
    }
    stop.cancel();
    serving.abort();
}
