//! Registering: what goes in, what is refused, and that a refusal stores nothing.

use model::dto::{ProductNew, ProductPublish, TableInspect, TableNew};
use serde_json::json;

use super::{Company, LAKE, fields, inspection, product, said, table};
use crate::error::Error;
use crate::ports::Problem;
use crate::principal::Principal;
use crate::sql;

#[tokio::test]
async fn a_product_is_registered_with_what_its_logs_say() {
    for company in Company::each().await {
        let exchange = company.exchange();
        let mut found = inspection(&["vin", "visit_id", "day"]);
        found.partition_columns = vec!["day".to_owned()];
        found.features = vec!["deletionVectors".to_owned()];
        found.refused_for = Some("deletionVectors".to_owned());
        company
            .test
            .world
            .put_table(LAKE, "workshop/visits", Ok(found));
        company.put("workshop/parts", &["part_no"]);
        let mut form = product("vehicle-workshop-visits", "workshop/visits/");
        form.tables.push(table("parts", "workshop/parts"));
        let made = exchange
            .product_register(&company.mara, form)
            .await
            .unwrap();
        assert_eq!(made.state.as_str(), "draft");
        assert_eq!(made.tags, ["warranty"]);
        assert!(made.editable && !made.simulated);
        assert_eq!(made.tables.len(), 2);
        let visits = &made.tables[1];
        assert_eq!(visits.name.as_str(), "visits");
        assert_eq!(visits.path.as_deref(), Some("workshop/visits"));
        assert_eq!(visits.version, Some(7));
        assert_eq!(visits.rows, Some(1_000));
        assert_eq!(visits.columns.len(), 3);
        assert_eq!(visits.partition_columns, ["day"]);
        assert_eq!(visits.refused_for.as_deref(), Some("deletionVectors"));
        // What cannot be shared cannot be cloned.
        assert_eq!(visits.clone_refused_for, visits.refused_for);

        // Shown, though neither shared nor cloned.
        let published = exchange
            .product_publish(
                &company.mara,
                "vehicle-workshop-visits",
                ProductPublish { revision: Some(1) },
            )
            .await
            .unwrap();
        assert_eq!(
            (published.state.as_str(), published.revision),
            ("published", 2)
        );
        let seen = exchange
            .product(&company.otto, "vehicle-workshop-visits")
            .await
            .unwrap();
        assert!(!seen.editable);
        assert_eq!(seen.tables[1].path, None, "the layout is the producer's");
        assert_eq!(seen.contact, "aftersales@example.org");
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_a_field_error_and_nothing_is_stored() {
    for company in Company::each().await {
        let exchange = company.exchange();
        let problem = |sentence: &str, escape, transient| Problem {
            sentence: sentence.to_owned(),
            escape,
            version: escape.then_some(3),
            transient,
            field: None,
        };
        company.put("good", &["a"]);
        company.break_table(
            "feature",
            problem("the table needs the feature `variantType`", false, false),
        );
        company.break_table(
            "escape",
            problem("version 3 names ../finance, outside the table", true, false),
        );
        company.break_table("down", problem("the store does not answer", false, true));
        company.break_table(
            "gap",
            problem("version 4 is missing from the log", false, false),
        );
        for (path, sentence) in [
            ("nothing", "no Delta log"),
            ("feature", "variantType"),
            ("escape", "outside the table"),
            ("down", "does not answer"),
            ("gap", "version 4 is missing"),
        ] {
            let mut form = product("vehicle-visits", "good");
            form.tables.push(table("second", path));
            let refused = exchange.product_register(&company.mara, form).await;
            let text = said(refused);
            assert!(
                text.contains("tables[1].path") && text.contains(sentence),
                "{text}"
            );
        }
        // Two at once are said at once.
        let mut form = product("vehicle-visits", "gap");
        form.tables.push(table("second", "escape"));
        let refused = exchange.product_register(&company.mara, form).await;
        assert_eq!(fields(refused), ["tables[0].path", "tables[1].path"]);
        nothing_stored(&company).await;
        // What points outside its table is an incident: who looked, where, in which version. Once, however often one looks.
        let told = told_of_escapes(&company).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].object_kind.as_str(), told[0].object_id.as_str()),
            ("storage", "aws_eu")
        );
        assert_eq!(told[0].actor, company.mara.pseudonym());
        let detail: serde_json::Value = serde_json::from_str(&told[0].detail).unwrap();
        assert_eq!(
            detail,
            json!({ "what": "delta_log_escape", "table": "escape", "version": 3,
                    "problem": "version 3 names ../finance, outside the table" })
        );
        // The same, later: it is still there.
        company.test.clock.advance(model::time::HOUR + 1);
        let look = TableInspect {
            storage: "aws_eu".into(),
            path: "escape".into(),
        };
        for _ in 0..3 {
            let refused = exchange.table_inspect(&company.mara, look.clone()).await;
            assert_eq!(fields(refused), ["path"]);
        }
        assert_eq!(told_of_escapes(&company).await.len(), 2);
    }
}

async fn told_of_escapes(company: &Company) -> Vec<crate::audit::AuditRow> {
    let page = crate::page::PageRequest::default();
    let rows = company
        .exchange()
        .audit_rows(&company.operator, None, &page)
        .await
        .unwrap();
    let escapes = rows.items.into_iter();
    escapes
        .filter(|row| row.operation == "DeltaLogEscape")
        .collect()
}

/// A registered table that turns bad is told of by its product, whoever finds it.
#[tokio::test]
async fn a_product_whose_log_points_outside_is_named() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.put("good", &["a"]);
        let mut form = product("vehicle-visits", "good");
        form.tables[0].name = "visits".into();
        exchange
            .product_register(&company.mara, form)
            .await
            .unwrap();
        let problem = Problem {
            escape: true,
            version: Some(9),
            ..Problem::new("version 9 names /etc/passwd")
        };
        company.break_table("good", problem);
        exchange
            .product_refresh(&company.mara, "vehicle-visits")
            .await
            .unwrap();
        let found = super::super::LogEscape {
            storage: exchange
                .storage_by_name("aws_eu")
                .await
                .unwrap()
                .unwrap()
                .id,
            path: "good".into(),
            version: Some(10),
            sentence: "version 10 names it too".into(),
        };
        exchange.log_escaped(&Principal::system(), &found).await;
        // Somebody who may not look has nothing to tell.
        let nobody = super::super::LogEscape {
            version: Some(11),
            ..found
        };
        exchange.log_escaped(&company.otto, &nobody).await;
        let told = told_of_escapes(&company).await;
        let objects: Vec<(&str, &str)> = told
            .iter()
            .map(|row| (row.object_kind.as_str(), row.object_id.as_str()))
            .collect();
        assert_eq!(objects, [("product", "vehicle-visits"); 2]);
        for (row, version) in told.iter().zip([10, 9]) {
            let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap();
            assert_eq!(detail["table"], "default.visits");
            assert_eq!(detail["version"], version);
        }
    }
}

pub(super) async fn nothing_stored(company: &Company) {
    let row = sql!(
        "select (select count(*) from product) + (select count(*) from product_table) + (select count(*) from search_term)
             + (select count(*) from product_tag) as count"
    )
    .row(company.exchange().db())
    .await
    .unwrap()
    .unwrap();
    assert_eq!(row.get::<i64>("count").unwrap(), 0);
}

#[tokio::test]
async fn a_wrong_form_is_refused_field_by_field() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.put("good", &["a"]);
        company.put("good/inner", &["a"]);
        let base = || product("vehicle-visits", "good");
        let tables = |tables: Vec<TableNew>| ProductNew { tables, ..base() };
        let one = |change: fn(&mut TableNew)| {
            let mut form = base();
            change(&mut form.tables[0]);
            form
        };
        let cases: Vec<(ProductNew, &[&str])> = vec![
            (product("ledger-visits", "good"), &["name"]),
            (product("vehicle", "good"), &["name"]),
            (product("Vehicle-Visits", "good"), &["name"]),
            (
                ProductNew {
                    title: String::new(),
                    description: "x".repeat(10_001),
                    tags: vec!["a,b".into()],
                    storage: "mars".into(),
                    classification: "secret".into(),
                    access_policy: "everyone".into(),
                    payer: "nobody".into(),
                    baseline_days: 0,
                    tables: Vec::new(),
                    ..base()
                },
                &[
                    "title",
                    "description",
                    "tags[0]",
                    "classification",
                    "access_policy",
                    "payer",
                    "baseline_days",
                    "storage",
                ],
            ),
            (
                ProductNew {
                    classification: "personal".into(),
                    access_policy: "auto".into(),
                    ..base()
                },
                &["access_policy"],
            ),
            (
                one(|table| table.format = "iceberg".into()),
                &["tables[0].format"],
            ),
            (
                one(|table| table.format = "csv".into()),
                &["tables[0].format"],
            ),
            (
                one(|table| table.path = "../good".into()),
                &["tables[0].path"],
            ),
            (one(|table| table.path = "a//b".into()), &["tables[0].path"]),
            (
                one(|table| table.path = "x".repeat(1_025)),
                &["tables[0].path"],
            ),
            (
                one(|table| table.name = "Visits!".into()),
                &["tables[0].name"],
            ),
            (
                one(|table| table.schema = String::new()),
                &["tables[0].schema"],
            ),
            (
                one(|table| table.storage = Some("mars".into())),
                &["tables[0].storage"],
            ),
            (
                tables(vec![table("a", "good"), table("a", "other")]),
                &["tables[1].name"],
            ),
            (
                tables(vec![table("a", "good"), table("b", "good")]),
                &["tables[1].path"],
            ),
            (
                tables(vec![table("a", "good"), table("b", "good/inner")]),
                &["tables[1].path"],
            ),
        ];
        for (form, expected) in cases {
            let shown = format!("{form:?}");
            let refused = exchange.product_register(&company.mara, form).await;
            assert_eq!(fields(refused), expected, "{shown:.300}");
        }
        nothing_stored(&company).await;
        for forged in ["owner", "team_id", "state", "price", "revision"] {
            let mut body = serde_json::to_value(base()).unwrap();
            body[forged] = json!("x");
            assert!(
                serde_json::from_value::<ProductNew>(body).is_err(),
                "C-08: {forged}"
            );
        }
    }
}

#[tokio::test]
async fn only_producers_of_the_team_and_admins_register() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.put("good", &["a"]);
        for principal in [&company.nils, &company.otto, &company.rita] {
            let refused = exchange
                .product_register(principal, product("vehicle-visits", "good"))
                .await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        }
        let mut forged = product("vehicle-visits", "good");
        forged.team = "nowhere".to_owned();
        let refused = exchange
            .product_register(&company.rita, forged.clone())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        assert_eq!(
            fields(exchange.product_register(&company.admin, forged).await),
            ["team"]
        );
        let refused = exchange
            .product_register(&Principal::nobody(), product("vehicle-visits", "good"))
            .await;
        assert!(matches!(refused, Err(Error::Unauthenticated)));
        nothing_stored(&company).await;
        exchange
            .product_register(&company.admin, product("vehicle-visits", "good"))
            .await
            .unwrap();
        let again = exchange
            .product_register(&company.mara, product("vehicle-visits", "other"))
            .await;
        assert_eq!(fields(again), ["tables[0].path"], "looked at first");
        company.put("other", &["a"]);
        let again = exchange
            .product_register(&company.mara, product("vehicle-visits", "other"))
            .await;
        assert_eq!(fields(again), ["name"]);
    }
}

#[tokio::test]
async fn a_folder_belongs_to_one_product() {
    for company in Company::each().await {
        let exchange = company.exchange();
        for path in ["lake/a", "lake/a/b", "lake", "lake/ab"] {
            company.put(path, &["x"]);
        }
        exchange
            .product_register(&company.mara, product("vehicle-first", "lake/a"))
            .await
            .unwrap();
        for path in ["lake/a", "lake/a/b", "lake"] {
            let second = product("vehicle-second", path);
            let refused = said(exchange.product_register(&company.mara, second).await);
            assert!(
                refused.contains("tables[0].path") && refused.contains("vehicle-first"),
                "{refused}"
            );
        }
        // Another team has nothing to look for here until an admin says so, and then its draft is not named.
        company.put("own", &["x"]);
        let mut first = product("finance-first", "own");
        first.team = "ledger".to_owned();
        let refused = exchange
            .product_register(&company.rita, first.clone())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        exchange
            .product_register(&company.admin, first)
            .await
            .unwrap();
        let mut foreign = product("finance-second", "lake/a");
        foreign.team = "ledger".to_owned();
        let refused = said(exchange.product_register(&company.rita, foreign).await);
        assert!(
            refused.contains("another product") && !refused.contains("vehicle-first"),
            "{refused}"
        );
        exchange
            .product_register(&company.mara, product("vehicle-second", "lake/ab"))
            .await
            .unwrap();
    }
}
