//! Looking before registering: at a table, through a storage, and not into storages of others.

use model::dto::{ProductQuery, StorageDoctor, StorageScan, TableInspect};

use super::registering::nothing_stored;
use super::{Company, LAKE, fields, inspection, product};
use crate::error::Error;
use crate::ports::Problem;
use crate::principal::Principal;

#[tokio::test]
async fn looking_at_a_table_stores_nothing() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.put("good", &["a"]);
        company.break_table(
            "down",
            Problem {
                transient: true,
                ..Problem::new("the store does not answer")
            },
        );
        let look = |storage: &str, path: &str| TableInspect {
            storage: storage.to_owned(),
            path: path.to_owned(),
        };
        let found = exchange
            .table_inspect(&company.mara, look("aws_eu", "good"))
            .await
            .unwrap();
        assert_eq!((found.version, found.files), (7, 4));
        for (storage, path, field) in [
            ("mars", "good", "storage"),
            ("aws_eu", "../good", "path"),
            ("aws_eu", "nothing", "path"),
        ] {
            let refused = exchange
                .table_inspect(&company.mara, look(storage, path))
                .await;
            assert_eq!(fields(refused), [field]);
        }
        let down = exchange
            .table_inspect(&company.mara, look("aws_eu", "down"))
            .await;
        assert!(matches!(down, Err(Error::Unavailable(_))));
        let refused = exchange
            .table_inspect(&company.otto, look("aws_eu", "good"))
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        nothing_stored(&company).await;
    }
}

#[tokio::test]
async fn a_scan_writes_a_declaration() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.put("workshop/Visits", &["vin"]);
        company.put("workshop/parts: new", &["no"]);
        company.put("top", &["x"]);
        let mut fed = inspection(&["vin"]);
        fed.change_data_feed = true;
        company
            .test
            .world
            .put_table(LAKE, "archive/workshop/old", Ok(fed));
        company.put("taken", &["x"]);
        company.break_table("broken", Problem::new("version 4 is missing\nfrom the log"));
        exchange
            .product_register(&company.mara, product("vehicle-taken", "taken"))
            .await
            .unwrap();
        let report = exchange
            .storage_scan(&company.mara, "aws_eu", StorageScan::default())
            .await
            .unwrap();
        assert_eq!(report.tables.len(), 6);
        let read: serde_json::Value = serde_saphyr::from_str(&report.yaml).unwrap();
        let products = read["products"].as_object().unwrap();
        let mut names: Vec<&String> = products.keys().collect();
        names.sort();
        let expected = [
            "vehicle-archive-workshop",
            "vehicle-top",
            "vehicle-workshop",
        ];
        assert_eq!(names, expected, "{}", report.yaml);
        assert_eq!(
            products["vehicle-workshop"]["tables"][1]["path"],
            "workshop/parts: new"
        );
        // Older versions and changes are shared where a producer says so, not because there are some.
        let top = products["vehicle-top"]["tables"][0].as_object().unwrap();
        let keys: Vec<&String> = top.keys().collect();
        assert_eq!(keys, ["name", "schema", "path", "format"]);
        assert!(
            report
                .yaml
                .contains("# has a change data feed, which `change_data_feed: true` shares"),
            "{}",
            report.yaml
        );
        assert!(report.yaml.contains("# left out: broken"));
        assert!(
            report
                .yaml
                .contains("# left out: taken: registered already")
        );

        let nowhere = exchange
            .storage_scan(&company.admin, "aws_eu", StorageScan::default())
            .await;
        assert_eq!(fields(nowhere), ["team"]);
        let refused = exchange
            .storage_scan(&company.otto, "aws_eu", StorageScan::default())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        let outside = StorageScan {
            prefix: "../x".to_owned(),
            team: None,
        };
        let refused = exchange
            .storage_scan(&company.mara, "aws_eu", outside)
            .await;
        assert_eq!(fields(refused), ["prefix"]);
        let all = exchange
            .products(&company.mara, ProductQuery::default())
            .await
            .unwrap();
        assert_eq!(all.total, 1, "a scan registers nothing");
    }
}

/// C-06: a storage is a team's by the tables it has there. In one that others use there is nothing to look for; in one that is
/// shared, nothing of the others.
#[tokio::test]
async fn storages_of_others_are_not_looked_into() {
    for company in Company::each().await {
        let exchange = company.exchange();
        for path in ["ours/a", "theirs/b", "free/c"] {
            company.put(path, &["x"]);
        }
        let look = |path: &str| TableInspect {
            storage: "aws_eu".to_owned(),
            path: path.to_owned(),
        };
        let scan = || StorageScan {
            prefix: String::new(),
            team: Some("ledger".to_owned()),
        };
        let seen = async |principal: &Principal| {
            let report = exchange.storage_scan(principal, "aws_eu", scan()).await?;
            let paths = report.tables.into_iter().map(|table| table.path);
            Ok::<_, Error>(paths.collect::<Vec<_>>())
        };
        // Nobody uses it: whoever produces may begin.
        assert_eq!(seen(&company.rita).await.unwrap().len(), 3);
        exchange
            .product_register(&company.mara, product("vehicle-ours", "ours/a"))
            .await
            .unwrap();
        for path in ["ours/a", "theirs/b", "free/c"] {
            let refused = exchange.table_inspect(&company.rita, look(path)).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        }
        assert!(matches!(
            seen(&company.rita).await,
            Err(Error::Forbidden(_))
        ));
        let doctor = exchange
            .storage_doctor(&company.rita, "aws_eu", StorageDoctor::default())
            .await;
        assert!(matches!(doctor, Err(Error::Forbidden(_))));

        // An admin lets the other team in.
        let mut first = product("finance-theirs", "theirs/b");
        first.team = "ledger".to_owned();
        exchange
            .product_register(&company.admin, first)
            .await
            .unwrap();
        assert_eq!(
            seen(&company.rita).await.unwrap(),
            ["free/c", "theirs/b"],
            "what is the others' is not even named"
        );
        assert_eq!(seen(&company.admin).await.unwrap().len(), 3);
        for path in ["ours/a", "ours", "ours/a/b"] {
            let refused = exchange.table_inspect(&company.rita, look(path)).await;
            assert_eq!(fields(refused), ["path"], "{path}");
        }
        assert!(
            exchange
                .table_inspect(&company.rita, look("free/c"))
                .await
                .is_ok()
        );
        assert!(
            exchange
                .table_inspect(&company.admin, look("ours/a"))
                .await
                .is_ok()
        );
    }
}
