//! Schedules in a file: there, back, and exported.

use super::{CONTRACT, Stage, line};

#[tokio::test]
async fn a_promise_and_checks_go_round_and_are_set_back() {
    let by_clock = "every: 2d, at: \"03:00\"";
    let promised = CONTRACT.replace(
        by_clock,
        "fresh_within: 6h, verify_objects: 1d, verify_rows: \"0 4 * * 0\"",
    );
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let plan = stage.plan(&stage.operator, &promised).await;
        let (_, fields, _) = line(&plan, "sync_job", "visits_weu");
        assert_eq!(
            fields,
            [
                "every: 2d -> nothing",
                "at: 03:00 -> nothing",
                "fresh_within: nothing -> 6h",
                "verify_objects: nothing -> 1d",
                "verify_rows: nothing -> 0 4 * * 0",
            ]
        );
        stage.deploy(&stage.operator, &promised).await.unwrap();
        let replica = "vehicle-workshop-visits@az_weu";
        let job = exchange.replica(&stage.operator, replica).await;
        let job = job.unwrap().job.unwrap();
        assert_eq!((job.every, job.at), (None, None));
        assert_eq!(job.fresh_within.as_deref(), Some("6h"));
        assert_eq!(job.verify_rows.as_deref(), Some("0 4 * * 0"));
        assert!(job.next_rows_at > job.next_objects_at);
        let again = stage.plan(&stage.operator, &promised).await;
        assert_eq!(again.exit_status(), 0, "{again:#?}");
        let export = exchange.declaration_export(&stage.operator, None).await;
        let yaml = export.unwrap().yaml;
        let plan = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(plan.exit_status(), 0, "{yaml}");

        // By new versions instead; the checks are taken away.
        let looked = CONTRACT.replace(
            by_clock,
            "on_new_version: 1h, verify_objects: \"\", verify_rows: \"\"",
        );
        stage.deploy(&stage.operator, &looked).await.unwrap();
        let job = exchange.replica(&stage.operator, replica).await;
        let job = job.unwrap().job.unwrap();
        assert_eq!(job.on_new_version.as_deref(), Some("1h"));
        assert_eq!((job.fresh_within, job.verify_objects), (None, None));
        assert_eq!((job.verify_rows, job.next_rows_at), (None, None));
        let again = stage.plan(&stage.operator, &looked).await;
        assert_eq!(again.exit_status(), 0, "{again:#?}");
    }
}
