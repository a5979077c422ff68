//! An erasure over real folders: rows that the source only hides by a deletion vector go from the replica all the same, and the
//! certificate says so.

use std::path::Path;

use exchange::Principal;
use model::ErasureState;
use model::dto::ErasureNew;
use serde_json::Value;

use super::{VISITS, World};

const TABLE: &str = "workshop/hidden";
/// Of its 600 rows a vector hides two.
const FILE: &str = "part-00000-6513270e-269e-0d37-f2a7-4de452e6b438.parquet";

/// A table of one file, of which the third commit hides two rows.
fn lay(world: &World) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../end2end/feeds/vectors");
    let to = world.root("aws_eu").join(TABLE);
    std::fs::create_dir_all(to.join("_delta_log")).unwrap();
    let log = (0..=2).map(|version| format!("_delta_log/{version:020}.json"));
    for name in log.chain([FILE.to_owned()]) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[tokio::test]
async fn what_the_source_only_hides_is_gone_from_the_replica_with_an_erasure() {
    for world in World::each().await {
        let (exchange, operator) = (&world.exchange, Principal::operator());
        lay(&world);
        world.product(VISITS, "aws_eu", &[("visits", TABLE)]).await;
        world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        let replica = world
            .root("az_weu")
            .join(format!("{VISITS}/default/visits"));
        assert!(replica.join(FILE).is_file());

        let new = ErasureNew {
            product: VISITS.to_owned(),
            at_once: true,
            reason: "request 2026-118".to_owned(),
            ..ErasureNew::default()
        };
        let asked = exchange.erasure_request(&operator, new).await.unwrap();
        world.work().await;
        let seen = exchange.erasure(&operator, asked.id).await.unwrap();
        assert_ne!(seen.state, ErasureState::Waiting, "{seen:#?}");
        assert!(!replica.join(FILE).exists());
        let source = world.root("aws_eu").join(TABLE);
        assert!(source.join(FILE).is_file(), "it is the producer's");
        let kept = exchange.erasure_certificate(&operator, asked.id).await;
        let certificate: Value = serde_json::from_str(&kept.unwrap().certificate).unwrap();
        let told = &certificate["replicas"][0];
        let left = &told["left"];
        assert_eq!(left["hidden_rows"], 0, "{told:#}");
        assert_eq!(left["files_with_hidden_rows"], 0, "{told:#}");
        assert_eq!(left["files_written_without_hidden_rows"], 1, "{told:#}");
        assert!(!told["reasons"].to_string().contains("hidden"), "{told:#}");
        let objects = told["objects"].as_array().unwrap();
        assert!(
            objects.iter().any(|object| object["path"] == FILE),
            "{told:#}"
        );

        // The run says what it did, and no data file crossed for it.
        let runs = world.runs().await;
        let run = runs.iter().find(|run| run.replica_version == Some(1));
        let shown = exchange.sync_run(&operator, run.unwrap().id).await.unwrap();
        assert_eq!(shown.files_copied, 0, "{shown:#?}");
        assert_eq!(shown.how.unwrap().files_purged, 1);
    }
}
