//! Looking at grants: what works shows as working, and whatever is broken in turn does not.

use exchange::Principal;
use exchange::ports::Observation;
use model::GrantActual;
use model::time::MINUTE;

use super::{VISITS, VISITS_PATH, World, data_files, rows};

#[tokio::test]
async fn a_grant_that_works_is_seen_to_work_without_a_trace() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let now = world.exchange.now();
        assert_eq!(
            world.observe(grant).await,
            Observation::Works { seen_at: now }
        );
        world.reconcile(grant).await;
        let seen = world.granted(grant).await;
        assert_eq!(seen.actual, GrantActual::Active);
        assert_eq!(seen.verified_at, Some(now));
        // It was not the consumer who read.
        assert_eq!((seen.first_read_at, seen.urls_until), (None, None));
        assert!(world.events().await.is_empty());
    }
}

#[tokio::test]
async fn empty_tables_and_products_of_many_tables_work() {
    for world in World::each().await {
        let mut tables = Vec::new();
        for number in 0..7 {
            let (name, path) = (format!("t{number}"), format!("many/t{number}"));
            let files: &[&[_]] = if number == 0 { &[] } else { &[&[rows(0, 5)]] };
            world.write(&path, files).await;
            tables.push((name, path));
        }
        let tables: Vec<(&str, &str)> = tables
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_str()))
            .collect();
        world.product(VISITS, "aws_eu", &tables).await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
        // Five are read at a look; within two looks a broken one is found, whichever it is.
        let folder = world.root("aws_eu").join("many/t3");
        std::fs::remove_file(&data_files(&folder)[0]).unwrap();
        let mut found = 0;
        for _ in 0..7 {
            if let Observation::Broken { reason } = world.observe(grant).await {
                assert!(reason.starts_with("default.t3: "), "{reason}");
                found += 1;
            }
            world.clock.advance(15 * MINUTE);
        }
        assert!(found >= 4, "{found}");
    }
}

#[tokio::test]
async fn a_broken_file_log_or_storage_is_never_active() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        world.reconcile(grant).await;
        assert_eq!(world.granted(grant).await.actual, GrantActual::Active);
        let table = world.root("aws_eu").join(VISITS_PATH);
        let log = table.join("_delta_log");
        let newest = log.join("00000000000000000003.json");
        let hidden = world.folder.path().join("hidden");

        // Each of the data files in turn: gone, and cut off.
        for file in data_files(&table) {
            std::fs::rename(&file, &hidden).unwrap();
            World::assert_broken(&world.observe(grant).await, "it is gone");
            let bytes = std::fs::read(&hidden).unwrap();
            std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
            World::assert_broken(&world.observe(grant).await, "file");
            std::fs::write(&file, [bytes.as_slice(), b"x"].concat()).unwrap();
            World::assert_broken(&world.observe(grant).await, "another size");
            std::fs::write(&file, b"").unwrap();
            World::assert_broken(&world.observe(grant).await, "file");
            std::fs::rename(&hidden, &file).unwrap();
        }
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));

        // The log: torn, with a gap, leading outside, gone.
        let whole = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, &whole[..whole.len() / 2]).unwrap();
        World::assert_broken(&world.observe(grant).await, "cannot be read");
        let outside = r#"{"add":{"path":"../../secret","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true}}"#;
        std::fs::write(&newest, outside).unwrap();
        World::assert_broken(&world.observe(grant).await, "cannot be read");
        std::fs::write(&newest, &whole).unwrap();
        let middle = log.join("00000000000000000001.json");
        std::fs::rename(&middle, &hidden).unwrap();
        World::assert_broken(&world.observe(grant).await, "cannot be read");
        std::fs::rename(&hidden, &middle).unwrap();
        std::fs::rename(&log, &hidden).unwrap();
        World::assert_broken(&world.observe(grant).await, "missing");
        world.reconcile(grant).await;
        let seen = world.granted(grant).await;
        assert_eq!(seen.actual, GrantActual::Failed);
        assert!(seen.reason.is_some());
        std::fs::rename(&hidden, &log).unwrap();

        // The storage itself.
        let root = world.root("aws_eu");
        std::fs::rename(&root, &hidden).unwrap();
        assert!(matches!(
            world.observe(grant).await,
            Observation::Broken { .. }
        ));
        std::fs::rename(&hidden, &root).unwrap();

        world.reconcile(grant).await;
        assert_eq!(world.granted(grant).await.actual, GrantActual::Active);
    }
}

#[tokio::test]
async fn an_ended_grant_is_seen_to_be_closed() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        world.reconcile(grant).await;
        world.revoke(grant).await;
        assert_eq!(world.observe(grant).await, Observation::Closed);
        world.reconcile(grant).await;
        assert_eq!(world.granted(grant).await.actual, GrantActual::Ended);

        // By its time; another grant of the same product that goes on does not keep it open.
        let first = world.grant(VISITS, "rnd_weu", "live").await;
        world.clock.advance(5 * model::time::DAY);
        let second = world.grant(VISITS, "rnd_weu", "live").await;
        world.clock.set(world.granted(first).await.until);
        assert_eq!(world.observe(first).await, Observation::Closed);
        assert!(matches!(
            world.observe(second).await,
            Observation::Works { .. }
        ));
        let nobody = model::GrantId::new(world.exchange.now());
        assert_eq!(world.observe(nobody).await, Observation::Closed);
    }
}

/// A table that joins the product later is looked at, too.
#[tokio::test]
async fn every_table_of_the_product_has_to_be_there() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        world.append(VISITS_PATH, &[rows(90_000, 10)]).await;
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
        let file = data_files(&world.root("aws_eu").join(VISITS_PATH)).remove(0);
        std::fs::remove_file(file).unwrap();
        World::assert_broken(&world.observe(grant).await, "it is gone");
        let product = world
            .exchange
            .product(&Principal::operator(), VISITS)
            .await
            .unwrap();
        assert_eq!(product.tables.len(), 1);
    }
}
