//! What a deployment would be refused for is said by its plan.

use std::sync::atomic::Ordering;

use model::MemberRole;
use model::dto::DeclarationAction;

use super::{CONTRACT, LAKE, Stage, contract, inspection, line};
use crate::error::Error;
use crate::ports::Problem;

const VISITS: &str = "vehicle-workshop-visits";

#[tokio::test]
async fn a_plan_refuses_what_a_deployment_would() {
    let second = "  vehicle-zone: { title: Other, team: aftersales, storage: aws_eu, classification: internal, tables: [{ name: a, path: PATH }] }\nrecipients: {";
    let cases: &[(&str, &str, &str, &str, &str)] = &[
        // From, to, kind, name, what is said.
        (
            "ENTREPOT_CREDENTIAL_AWS_EU",
            "ENTREPOT_CREDENTIAL_UNSET",
            "storage",
            "aws_eu",
            "credential: the variable ENTREPOT_CREDENTIAL_UNSET is not set",
        ),
        (
            "s3://lake/aftersales",
            "ftp://lake/aftersales",
            "storage",
            "aws_eu",
            "url: use s3",
        ),
        (
            ", credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "",
            "storage",
            "aws_eu",
            "credential: name one",
        ),
        (
            "products:\n",
            "  az_x: { cloud: azure, region: westeurope, url: \"file:///srv/az_weu/below\" }\nproducts:\n",
            "storage",
            "az_x",
            "same place as the storage az_weu",
        ),
        (
            "path: workshop/visits",
            "path: workshop/nothing",
            "product",
            VISITS,
            "tables.default.visits: there is no Delta log",
        ),
        (
            "path: workshop/visits",
            "path: workshop/broken",
            "product",
            VISITS,
            "tables.default.visits: the log has a gap",
        ),
        (
            "recipients: {",
            second,
            "product",
            "vehicle-zone",
            "is one of the product vehicle-workshop-visits",
        ),
        (
            "rates:      [{",
            "rates: [{ from: \"aws:eu-central-1\", to: \"azure:*\", price: \"1\", unit: GB, currency: USD, valid_from: 2026-01-10, valid_until: 2026-02-10, source: a }, { from: \"aws:eu-central-1\", to: \"azure:*\", price: \"1\", unit: GB, currency: USD, valid_from: 2026-02-01, source: b }, {",
            "rate",
            "aws:eu-central-1 -> azure:* from 2026-02-01T00:00:00Z",
            "holds in that time already",
        ),
    ];
    for stage in Stage::each().await {
        let gap = Problem::new("the log has a gap at version 3");
        stage
            .test
            .world
            .put_table(LAKE, "workshop/broken", Err(gap));
        for (from, to, kind, name, said) in cases {
            let yaml = contract(from, &to.replace("PATH", "workshop/visits/parts"));
            let plan = stage.plan(&stage.operator, &yaml).await;
            assert_eq!(plan.exit_status(), 1, "{to}");
            let (action, _, note) = line(&plan, kind, name);
            assert_eq!(action, DeclarationAction::Refused, "{to}");
            assert!(note.contains(said), "{to}: {note}");
            assert_eq!(plan.count(DeclarationAction::Refused), 1, "{plan:#?}");
            let refused = stage.deploy(&stage.operator, &yaml).await;
            let Err(Error::Conflict(sentence)) = refused else {
                panic!("{to}: {refused:?}")
            };
            assert!(sentence.contains(said), "{to}: {sentence}");
            assert_eq!(stage.audit_rows().await, 0, "{to}");
        }
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 2);
    }
}

#[tokio::test]
async fn a_plan_refuses_what_an_update_would() {
    for stage in Stage::each_deployed().await {
        let cases = [
            // Published tables stay, and storages with tables in them.
            (
                "path: workshop/visits",
                "path: workshop/parts",
                "product",
                VISITS,
                "a published table stays where it is",
            ),
            (
                "s3://lake/aftersales",
                "s3://lake/elsewhere",
                "storage",
                "aws_eu",
                "products or replicas are in this storage",
            ),
            (
                "env:ENTREPOT_CREDENTIAL_AWS_EU",
                "env:ENTREPOT_CREDENTIAL_UNSET",
                "storage",
                "aws_eu",
                "is not set",
            ),
            (
                "change_data_feed: true }]",
                "change_data_feed: true }, { name: more, path: workshop/nothing }]",
                "product",
                VISITS,
                "tables.default.more: there is no Delta log",
            ),
            (
                "recipients: {",
                "  vehicle-zone: { title: Other, team: aftersales, storage: aws_eu, classification: internal, tables: [{ name: a, path: workshop }] }\nrecipients: {",
                "product",
                "vehicle-zone",
                "this folder lies in a table of the product vehicle-workshop-visits, or holds one",
            ),
        ];
        let before = stage.audit_rows().await;
        for (from, to, kind, name, said) in cases {
            let plan = stage.plan(&stage.operator, &contract(from, to)).await;
            let (action, _, note) = line(&plan, kind, name);
            assert_eq!(action, DeclarationAction::Refused, "{to}");
            assert!(note.contains(said), "{to}: {note}");
            let refused = stage.deploy(&stage.operator, &contract(from, to)).await;
            assert!(
                matches!(refused, Err(Error::Conflict(_))),
                "{to}: {refused:?}"
            );
            assert_eq!(stage.audit_rows().await, before, "{to}");
        }
        // The domain of a team that only the exchange knows.
        let elsewhere = "products: { finance-x: { title: X, team: aftersales, storage: aws_eu, classification: internal, tables: [{ name: a, path: workshop/parts }] } }";
        let plan = stage.plan(&stage.operator, elsewhere).await;
        let (action, _, note) = line(&plan, "product", "finance-x");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("begins with the domain"), "{note}");
    }
}

/// Who may not use a storage learns nothing of what lies in it.
#[tokio::test]
async fn a_plan_looks_only_where_the_team_may() {
    for stage in Stage::each_deployed().await {
        let rita = stage
            .person("rita", &[], &[("rnd", MemberRole::Producer)])
            .await;
        let before = stage.test.world.inspected.load(Ordering::Relaxed);
        for path in [
            "workshop/visits/parts",
            "workshop/nothing",
            "workshop/parts",
        ] {
            let yaml = format!(
                "products: {{ vehicle-mine: {{ title: X, team: rnd, storage: aws_eu, classification: internal, tables: [{{ name: a, path: {path} }}, {{ name: b, path: other }}] }} }}"
            );
            let plan = stage.plan(&rita, &yaml).await;
            let (action, _, note) = line(&plan, "product", "vehicle-mine");
            assert_eq!(action, DeclarationAction::Refused);
            let said = "the storage aws_eu is used by other teams; an admin registers the first table of yours in it";
            assert!(
                note.ends_with(said) && note.matches(said).count() == 1,
                "{path}: {note}"
            );
        }
        let after = stage.test.world.inspected.load(Ordering::Relaxed);
        assert_eq!(after, before, "looked into it");
    }
}

#[tokio::test]
async fn a_plan_looks_at_so_many_tables_and_says_where_it_stopped() {
    for stage in Stage::each().await {
        let mut tables = String::new();
        for number in 0..201 {
            let path = format!("many/t{number:03}");
            stage.test.world.put_table(LAKE, &path, Ok(inspection()));
            tables.push_str(&format!("{{ name: t{number:03}, path: {path} }}, "));
        }
        let yaml = contract(
            "tables: [{ name: visits, schema: default, path: workshop/visits, format: delta, history: true, change_data_feed: true }]",
            &format!("tables: [{tables}]"),
        );
        let plan = stage.plan(&stage.operator, &yaml).await;
        let (action, _, note) = line(&plan, "product", VISITS);
        assert_eq!(action, DeclarationAction::Create);
        assert!(note.contains("more than 200 tables"), "{note}");
        assert_eq!(plan.exit_status(), 2);
    }
}

#[tokio::test]
async fn a_plan_says_that_a_table_is_there_under_another_name() {
    for stage in Stage::each_deployed().await {
        let second = "  vehicle-zone: { title: Other, team: aftersales, storage: aws_eu, classification: internal, tables: [{ name: a, path: workshop/parts }] }\nrecipients: {";
        let yaml = contract("recipients: {", second);
        let plan = stage.plan(&stage.operator, &yaml).await;
        let (action, _, note) = line(&plan, "product", "vehicle-zone");
        assert_eq!(action, DeclarationAction::Create);
        let said = "tables.default.a: default.visits of vehicle-workshop-visits";
        assert!(note.starts_with(said), "{note}");
        assert!(note.contains("may be the same table"), "{note}");
        assert_eq!(plan.exit_status(), 2);
        // It is said and nothing else: the plan is carried out, and then there is nothing to say.
        let hash = Some(plan.hash.as_str());
        let done = stage.deploy_if(&stage.operator, &yaml, hash).await.unwrap();
        let (_, _, note) = line(&done.plan, "product", "vehicle-zone");
        assert!(note.starts_with(said), "{note}");
        let again = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(again.exit_status(), 0);
        let (_, _, note) = line(&again, "product", "vehicle-zone");
        assert_eq!(note, "");
    }
}

/// A price for a while is declared beside the one that it interrupts.
#[tokio::test]
async fn an_interrupted_rate_is_as_declared() {
    let (stages, others) = (Stage::each().await, Stage::each().await);
    for (stage, other) in stages.into_iter().zip(others) {
        let yaml = contract(
            "rates:      [{",
            "rates: [{ from: \"aws:eu-central-1\", to: \"azure:*\", price: \"0.05\", unit: GB, currency: USD, valid_from: 2026-12-01, valid_until: 2027-01-01, source: December }, {",
        ) + "service_rates: [{ kind: compute, price: \"0.2\", currency: USD, valid_from: 2026-01-01, source: a }, { kind: compute, price: \"0.1\", currency: USD, valid_from: 2026-12-01, valid_until: 2027-01-01, source: December }]\n";
        stage.deploy(&stage.operator, &yaml).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &yaml).await.exit_status(), 0);
        let exchange = stage.exchange();
        let route = "aws:eu-central-1->azure:westeurope".parse().unwrap();
        for (at, price) in [("2026-12-24", "0.05"), ("2027-01-01", "0.09")] {
            let at = model::Timestamp::parse(at).unwrap();
            let rate = exchange.rate_for(exchange.db(), &route, at).await.unwrap();
            assert_eq!(rate.unwrap().price_nano.to_string(), price);
        }
        let export = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        let plan = stage.plan(&stage.operator, &export.yaml).await;
        assert_eq!(plan.exit_status(), 0, "{}", export.yaml);
        other.deploy(&other.operator, &export.yaml).await.unwrap();
        let again = other.exchange().declaration_export(&other.operator, None);
        assert_eq!(again.await.unwrap().yaml, export.yaml);
    }
}
