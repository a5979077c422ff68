//! The same table under another name: who registers it, and who asks for it, is told, and nobody learns of what they may not see.

use model::dto::{Inspection, ProductNew, ProductPublish, RecipientNew, StorageScan, TableInspect};

use super::{Company, FOLDER, LAKE, inspection, product, table};

/// A table of this lineage with these columns.
fn put(company: &Company, path: &str, lineage: &str, columns: &[&str]) {
    let found = Inspection {
        lineage: Some(lineage.to_owned()),
        ..inspection(columns)
    };
    company.test.world.put_table(LAKE, path, Ok(found));
}

fn of_ledger(name: &str, path: &str) -> ProductNew {
    ProductNew {
        team: "ledger".to_owned(),
        ..product(name, path)
    }
}

#[tokio::test]
async fn who_registers_a_copy_is_told_as_far_as_they_may_know() {
    for company in Company::each().await {
        let exchange = company.exchange();
        put(&company, "a", "one", &["vin"]);
        put(&company, "copies/a", "one", &["vin", "added"]);
        put(&company, "twin", "two", &["vin"]);
        put(&company, "apart", "three", &["other"]);
        let first = exchange.product_register(&company.mara, product("vehicle-a", "a"));
        assert!(first.await.unwrap().alike.is_empty());

        // Of another team's draft no more than that it is there, and only to who has a copy.
        for (name, path) in [("finance-copy", "copies/a"), ("finance-twin", "twin")] {
            let form = of_ledger(name, path);
            // Another team's storage: an admin lets the first table in.
            exchange
                .product_register(&company.admin, form)
                .await
                .unwrap();
        }
        let copy = exchange.product(&company.rita, "finance-copy").await;
        let copy = copy.unwrap().alike;
        assert_eq!(copy.len(), 1, "{copy:?}");
        assert_eq!((&copy[0].product, copy[0].is_copy), (&None, true));
        assert!(!copy[0].sentence.contains("vehicle"), "{copy:?}");
        let twin = exchange.product(&company.rita, "finance-twin").await;
        assert_eq!(twin.unwrap().alike, []);
        // Whoever sees all is told all.
        let seen = exchange.product(&company.admin, "finance-twin").await;
        let seen = seen.unwrap().alike;
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(!seen[0].is_copy && seen[0].sentence.contains("vehicle-a"));

        let publish = ProductPublish::default();
        let published = exchange.product_publish(&company.mara, "vehicle-a", publish);
        published.await.unwrap();
        let seen = exchange.product(&company.rita, "finance-copy").await;
        let seen = seen.unwrap().alike;
        assert_eq!(seen[0].table.as_deref(), Some("default.visits"));
        assert_eq!(seen[0].other.as_deref(), Some("default.visits"));
        let names = seen[0].product.as_ref().map(ToString::to_string);
        assert_eq!(names.as_deref(), Some("vehicle-a"));
        assert!(seen[0].sentence.contains("aftersales@example.org"));
        // Before it is registered, too; and who may not change the product is not told.
        let look = |path: &str| TableInspect {
            storage: "aws_eu".to_owned(),
            path: path.to_owned(),
        };
        put(&company, "later", "one", &["vin", "more"]);
        let told = exchange.table_inspect(&company.admin, look("later")).await;
        assert_eq!(told.unwrap().alike.len(), 2);
        let told = exchange.table_inspect(&company.admin, look("apart")).await;
        assert_eq!(told.unwrap().alike, []);
        let seen = exchange.product(&company.otto, "vehicle-a").await;
        assert_eq!(seen.unwrap().alike, []);
    }
}

#[tokio::test]
async fn a_table_that_many_are_like_takes_no_room_from_others() {
    for company in Company::each().await {
        let exchange = company.exchange();
        let mut crowd = product("vehicle-crowd", "crowd/t00");
        crowd.tables = (0..45)
            .map(|number| {
                let path = format!("crowd/t{number:02}");
                put(&company, &path, "one", &["vin", path.as_str()]);
                table(&format!("t{number:02}"), &path)
            })
            .collect();
        put(&company, "zz", "nine", &["zone"]);
        put(&company, "two/one", "one", &["vin", "own"]);
        put(&company, "two/nine", "nine", &["zone", "own"]);
        for form in [crowd, product("vehicle-zz", "zz")] {
            let made = exchange.product_register(&company.mara, form);
            made.await.unwrap();
        }
        let scanned = exchange.storage_scan(&company.mara, "aws_eu", StorageScan::default());
        let report = scanned.await.unwrap();
        let of = |path: &str| {
            let found = report.tables.iter().find(|table| table.path == path);
            found.unwrap().alike.len()
        };
        assert_eq!((of("two/one"), of("two/nine")), (20, 1));
    }
}

#[tokio::test]
async fn who_asks_is_told_what_their_side_has_already() {
    for company in Company::each().await {
        let exchange = company.exchange();
        put(&company, "a", "one", &["vin"]);
        put(&company, "copies/a", "one", &["vin"]);
        for (who, form) in [
            (&company.mara, product("vehicle-a", "a")),
            (&company.admin, of_ledger("finance-copy", "copies/a")),
        ] {
            let name = form.name.clone();
            exchange.product_register(who, form).await.unwrap();
            let publish = ProductPublish::default();
            exchange.product_publish(who, &name, publish).await.unwrap();
        }
        for (recipient, region) in [("rnd_here", "westeurope"), ("rnd_there", "northeurope")] {
            let new = RecipientNew {
                name: recipient.to_owned(),
                team: "rnd".to_owned(),
                cloud: "azure".to_owned(),
                region: region.to_owned(),
            };
            exchange.recipient_create(&company.otto, new).await.unwrap();
        }
        let already = async |recipient: &str| {
            let offer = exchange.offer(&company.otto, "finance-copy", recipient, None);
            offer.await.unwrap().already
        };
        // Another product with the same table, before the own side has anything of it.
        let other = already("rnd_here").await;
        assert_eq!(other.len(), 1, "{other:?}");
        assert_eq!(
            (other[0].product.as_str(), other[0].mode),
            ("vehicle-a", None)
        );
        let said = &other[0].sentence;
        assert!(
            said.contains("has the same table, or a copy of it, in aws:eu-central-1"),
            "{said}"
        );

        // A hand copy in the recipient's place comes first; a draft is nobody's business.
        let near = Inspection {
            lineage: Some("two".to_owned()),
            ..inspection(&["vin"])
        };
        company.test.world.put_table(FOLDER, "copies/b", Ok(near));
        let form = ProductNew {
            storage: "az_weu".to_owned(),
            ..of_ledger("finance-near", "copies/b")
        };
        let made = exchange.product_register(&company.admin, form);
        made.await.unwrap();
        assert_eq!(already("rnd_here").await, other);
        let publish = ProductPublish::default();
        let published = exchange.product_publish(&company.admin, "finance-near", publish);
        published.await.unwrap();
        let names = async |recipient: &str| {
            let told = already(recipient).await;
            let names = told.iter().map(|told| told.product.to_string());
            names.collect::<Vec<String>>()
        };
        assert_eq!(names("rnd_here").await, ["finance-near", "vehicle-a"]);
        assert_eq!(names("rnd_there").await, ["finance-near", "vehicle-a"]);
        let told = already("rnd_here").await;
        let said = &told[0].sentence;
        assert!(said.contains("may have the same table"), "{said}");
        assert!(said.contains("it crosses no region"), "{said}");
        let told = already("rnd_there").await;
        assert!(!told[0].sentence.contains("crosses no region"), "{told:?}");

        // What the own side has comes before, and is not told twice.
        company.grant("vehicle-a", "active").await;
        let told = already("rnd_here").await;
        assert_eq!(names("rnd_here").await, ["vehicle-a", "finance-near"]);
        let said = &told[0].sentence;
        assert!(said.contains("Your team has access to vehicle-a"), "{said}");
        // Elsewhere it would have to be fetched all the same.
        let told = already("rnd_there").await;
        assert!(told.iter().all(|told| told.mode.is_none()), "{told:?}");
    }
}

#[tokio::test]
async fn a_scan_tells_of_each_table_what_is_there() {
    for company in Company::each().await {
        let exchange = company.exchange();
        put(&company, "a", "one", &["vin"]);
        let made = exchange.product_register(&company.mara, product("vehicle-a", "a"));
        made.await.unwrap();
        // More than one query takes, the copies at both ends.
        for number in 0..60 {
            let (path, lineage) = (format!("scan/t{number:02}"), format!("other-{number}"));
            put(&company, &path, &lineage, &["x", path.as_str()]);
        }
        put(&company, "scan/a-copy", "one", &["vin", "added"]);
        put(&company, "scan/z-copy", "nine", &["vin"]);
        let scanned = exchange.storage_scan(&company.mara, "aws_eu", StorageScan::default());
        let report = scanned.await.unwrap();
        let told: Vec<(&str, bool)> = report
            .tables
            .iter()
            .flat_map(|table| {
                table
                    .alike
                    .iter()
                    .map(move |alike| (table.path.as_str(), alike.is_copy))
            })
            .collect();
        // The registered one is no copy of itself.
        assert_eq!(told, [("scan/a-copy", true), ("scan/z-copy", false)]);
        assert_eq!(
            report.yaml.matches("of vehicle-a (").count(),
            2,
            "{}",
            report.yaml
        );
    }
}
