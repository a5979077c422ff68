//! Inspecting, scanning and examining through the ports.

use http::StatusCode;
use model::dto::CheckOutcome;

use super::{VISITS, VISITS_PATH, World, data_files, rows};

#[tokio::test]
async fn a_table_is_inspected_as_it_stands() {
    let world = World::start(&super::Build::default()).await;
    // At 70, 50 and 30 days ago: the last two lie within 30 days before the last commit.
    world
        .write(
            VISITS_PATH,
            &[&[rows(0, 10)], &[rows(10, 20)], &[rows(30, 400)]],
        )
        .await;
    let access = world.access("aws_eu");
    let found = world
        .exchange
        .ports()
        .inspector
        .inspect(&access, VISITS_PATH)
        .await
        .unwrap();
    let sizes: Vec<u64> = data_files(&world.root("aws_eu").join(VISITS_PATH))
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .collect();
    assert_eq!((found.version, found.files), (3, 3));
    assert_eq!(found.rows, Some(430));
    assert_eq!(found.bytes, sizes.iter().sum::<u64>());
    assert_eq!(found.recent_bytes, sizes[1] + sizes[2]);
    assert_eq!(
        found.committed_at,
        world.exchange.now().plus(-30 * model::time::DAY)
    );
    let columns: Vec<&str> = found
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(columns, ["visit_id", "note"]);
    assert_eq!(found.refused_for, None);
}

#[tokio::test]
async fn what_cannot_be_inspected_says_why() {
    let world = World::start(&super::Build::default()).await;
    world.write("t/good", &[&[rows(0, 10)]]).await;
    world
        .write("t/gap", &[&[rows(0, 10)], &[rows(10, 10)]])
        .await;
    world.write("t/escape", &[]).await;
    let root = world.root("aws_eu");
    std::fs::remove_file(root.join("t/gap/_delta_log/00000000000000000001.json")).unwrap();
    let outside = r#"{"add":{"path":"..%2F..%2Fsecret","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true}}"#;
    let at = root.join("t/escape/_delta_log/00000000000000000001.json");
    std::fs::write(at, outside).unwrap();
    let access = world.access("aws_eu");
    let inspector = &world.exchange.ports().inspector;
    for (path, escape, expected) in [
        ("t", false, "no Delta table"),
        ("nowhere", false, "no Delta table"),
        ("t/gap", false, "gap"),
        ("t/escape", true, "outside the table"),
        ("../aws_eu/t/good", false, "not allowed"),
    ] {
        let problem = inspector.inspect(&access, path).await.unwrap_err();
        assert_eq!(problem.escape, escape, "{path}");
        assert!(problem.sentence.contains(expected), "{path}: {problem}");
        assert!(!problem.transient);
    }
    assert_eq!(
        inspector.scan(&access, "").await.unwrap(),
        ["t/escape", "t/gap", "t/good"]
    );
    assert_eq!(inspector.scan(&access, "t/good").await.unwrap(), ["t/good"]);
    assert!(inspector.scan(&access, "../az_weu").await.is_err());
}

#[tokio::test]
async fn storages_are_told_apart_and_examined() {
    let world = World::start(&super::Build::default()).await;
    let probe = &world.exchange.ports().probe;
    let folder = world.folder.path().display();
    for (one, other, overlap) in [
        ("s3://lake/a", "s3://lake/a/b", true),
        ("s3://lake/a", "s3://lake/ab", false),
        ("s3://lake/a", "gs://lake/a", false),
        ("file:///srv/a", "file:///srv/a", true),
        ("nonsense", "s3://lake/a", true),
    ] {
        assert_eq!(probe.overlap(one, other), overlap, "{one} {other}");
    }
    assert!(probe.is_simulated("file:///srv/a") && !probe.is_simulated("s3://lake/a"));
    let mut access = world.access("aws_eu");
    access.url = format!("file://{folder}/aws_eu/");
    assert_eq!(
        probe.check(&access).unwrap(),
        format!("file://{folder}/aws_eu")
    );
    let report = probe.examine(&access, true).await.unwrap();
    assert!(report.is_healthy(), "{report:?}");
    let written = report.checks.iter().find(|check| check.name == "write");
    assert_eq!(written.unwrap().outcome, CheckOutcome::Ok);
    assert!(!report.least_policy.is_empty());
    access.url = "file:///etc".to_owned();
    assert!(probe.check(&access).is_err());
    assert!(probe.examine(&access, false).await.is_err());
    // Nothing of it is open to those who hold no token.
    let answer = world.query(VISITS, "visits", "entrepot").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}
