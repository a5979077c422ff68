//! Who may deploy what.

use model::MemberRole;
use model::dto::DeclarationAction;

use super::{CONTRACT, Stage, acts, contract, line};
use crate::error::Error;
use crate::principal::Principal;

/// A second domain with a product that is not mara's.
const LEDGER: &str = r#"
domains: { finance: { title: Finance } }
teams: { ledger: { domain: finance, title: Ledger, cost_center: "1" } }
products:
  finance-ledger: { title: Ledger, team: ledger, storage: aws_eu, classification: internal, tables: [{ name: lines, path: ledger/lines }] }
"#;

async fn producer(stage: &Stage) -> Principal {
    stage
        .person("mara", &[], &[("aftersales", MemberRole::Producer)])
        .await
}

#[tokio::test]
async fn a_producer_deploys_what_is_theirs() {
    for stage in Stage::each_deployed().await {
        let mara = producer(&stage).await;
        // The same file, with the credential and all: what is not theirs is as it is.
        assert_eq!(stage.plan(&mara, CONTRACT).await.exit_status(), 0);
        let mine = contract("title: Workshop visits", "title: Visits of workshops")
            .replace("until: 2027-12-31", "until: 2028-06-30")
            .replace("every: 2d", "every: 1d");
        let plan = stage.plan(&mara, &mine).await;
        assert_eq!(
            acts(&plan),
            [
                "update product vehicle-workshop-visits",
                "update grant rnd_visits",
                "update sync_job visits_weu",
            ]
        );
        stage.deploy(&mara, &mine).await.unwrap();
        assert_eq!(stage.plan(&mara, &mine).await.exit_status(), 0);
        // A new product of the own team, with nothing else in the file.
        let more = "products: { vehicle-parts: { title: Parts, team: aftersales, storage: aws_eu, classification: public, tables: [{ name: parts, path: workshop/parts }] } }\ngrants: { parts_for_rnd: { product: vehicle-parts, recipient: rnd_weu, mode: live, until: 2027-01-01, purpose: { code: warranty, text: parts } } }";
        stage.deploy(&mara, more).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_theirs_stops_the_whole_file() {
    for stage in Stage::each_deployed().await {
        stage.deploy(&stage.operator, LEDGER).await.unwrap();
        let mara = producer(&stage).await;
        let otto = stage
            .person("otto", &[], &[("rnd", MemberRole::Consumer)])
            .await;
        let forged = "grants: { theirs: { product: finance-ledger, recipient: rnd_weu, mode: live, until: 2027-01-01, purpose: { code: audit, text: curiosity } } }";
        let mine = contract("title: Workshop visits", "title: Mine");
        let cases: [(&Principal, String, &str, &str); 9] = [
            (&mara, forged.to_owned(), "grant", "theirs"),
            (
                &otto,
                contract("until: 2027-12-31", "until: 2028-06-30"),
                "grant",
                "rnd_visits",
            ),
            (&otto, mine.clone(), "product", "vehicle-workshop-visits"),
            (
                &mara,
                mine.replace("{ vehicle:", "{ moon: { title: Moon }, vehicle:"),
                "domain",
                "moon",
            ),
            (
                &mara,
                mine.replace(
                    "rnd: {",
                    "x: { domain: vehicle, title: X, cost_center: \"1\" }, rnd: {",
                ),
                "team",
                "x",
            ),
            (
                &mara,
                mine.replace("replicas: true", "replicas: false"),
                "storage",
                "az_weu",
            ),
            (
                &mara,
                mine.replace(
                    "recipients: {",
                    "recipients: { r2: { team: rnd, cloud: aws, region: x },",
                ),
                "recipient",
                "r2",
            ),
            (
                &mara,
                mine.replace("valid_from: 2026-01-01", "valid_from: 2026-06-01"),
                "rate",
                "aws:eu-central-1 -> azure:* from 2026-06-01T00:00:00Z",
            ),
            (
                &otto,
                contract("every: 2d", "every: 1d"),
                "sync_job",
                "visits_weu",
            ),
        ];
        let before = stage.audit_rows().await;
        for (principal, yaml, kind, name) in cases {
            let plan = stage.plan(principal, &yaml).await;
            let (action, _, note) = line(&plan, kind, name);
            assert_eq!(action, DeclarationAction::Refused, "{kind} {name}");
            assert!(note.contains("this takes"), "{note}");
            let refused = stage.deploy(principal, &yaml).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
            assert_eq!(stage.audit_rows().await, before, "{kind} {name}");
        }
        for answer in [
            stage
                .exchange()
                .declaration_plan(&Principal::nobody(), CONTRACT)
                .await
                .err(),
            stage.deploy(&Principal::nobody(), CONTRACT).await.err(),
            stage
                .exchange()
                .declaration_validate(&Principal::nobody(), CONTRACT)
                .err(),
        ] {
            assert!(matches!(answer, Some(Error::Unauthenticated)), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn drafts_and_addresses_of_others_are_not_found_out() {
    for stage in Stage::each_deployed().await {
        let draft = LEDGER.replace(
            "classification: internal,",
            "classification: internal, state: draft,",
        );
        stage.deploy(&stage.operator, &draft).await.unwrap();
        let mara = producer(&stage).await;
        let otto = stage
            .person("otto", &[], &[("rnd", MemberRole::Consumer)])
            .await;
        let plan = stage.plan(&mara, &draft).await;
        let (action, fields, note) = line(&plan, "product", "finance-ledger");
        assert_eq!(action, DeclarationAction::Refused);
        assert_eq!(fields, [""; 0]);
        assert!(note.contains("taken"), "{note}");
        let foreign = stage.plan(&mara, "domains: {}").await;
        assert!(
            !foreign
                .changes
                .iter()
                .any(|change| change.name == "finance-ledger")
        );
        // A consumer may not see addresses: guessing right and guessing wrong answer the same.
        for url in ["s3://lake/aftersales", "s3://lake/guess"] {
            let yaml = contract("s3://lake/aftersales", url)
                .replace(
                    "env:ENTREPOT_CREDENTIAL_AWS_EU",
                    "env:ENTREPOT_CREDENTIAL_GUESS",
                )
                .replace("path: workshop/visits", "path: guess");
            let plan = stage.plan(&otto, &yaml).await;
            assert_eq!(plan.exit_status(), 0, "{plan:#?}");
        }
    }
}

#[tokio::test]
async fn a_file_for_another_exchange_is_refused() {
    for stage in Stage::each_deployed().await {
        let other = contract(
            "exchange: { name: aftersales }",
            "exchange: { name: finance }",
        );
        let plan = stage.plan(&stage.operator, &other).await;
        let (action, _, note) = line(&plan, "exchange", "finance");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("this is the exchange aftersales"), "{note}");
    }
}

#[tokio::test]
async fn what_no_operation_changes_is_refused() {
    for stage in Stage::each_deployed().await {
        for (from, to, kind, name, what) in [
            (
                "rnd: { domain: vehicle,",
                "rnd: { domain: moon,",
                "team",
                "rnd",
                "domain",
            ),
            (
                "rnd_weu: { team: rnd, cloud: azure, region: westeurope }",
                "rnd_weu: { team: rnd, cloud: azure, region: northeurope }",
                "recipient",
                "rnd_weu",
                "region",
            ),
            (
                "\"0.09\"",
                "\"0.08\"",
                "rate",
                "aws:eu-central-1 -> azure:* from 2026-01-01T00:00:00Z",
                "price",
            ),
        ] {
            let yaml =
                contract(from, to).replace("{ vehicle:", "{ moon: { title: Moon }, vehicle:");
            let plan = stage.plan(&stage.operator, &yaml).await;
            let (action, fields, note) = line(&plan, kind, name);
            assert_eq!(action, DeclarationAction::Refused, "{from}");
            assert!(fields[0].starts_with(&format!("{what}: ")), "{fields:?}");
            assert!(!note.is_empty());
        }
    }
}

#[tokio::test]
async fn whoever_pays_asks() {
    for stage in Stage::each_deployed().await {
        let pays = contract(
            "    team: aftersales\n",
            "    team: aftersales\n    payer: consumer\n",
        )
        .replace("until: 2027-12-31", "until: 2028-06-30");
        let mara = producer(&stage).await;
        let plan = stage.plan(&mara, &pays).await;
        let (action, _, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("the consumer pays"), "{note}");
        assert_eq!(stage.plan(&stage.operator, &pays).await.exit_status(), 2);
    }
}

#[tokio::test]
async fn references_lead_to_what_is_live_or_nowhere() {
    for stage in Stage::each_deployed().await {
        for (yaml, kind, name, what) in [
            (
                "products: { vehicle-x: { title: X, team: nobody, storage: aws_eu, classification: public, tables: [{ name: a, path: a }] } }",
                "product",
                "vehicle-x",
                "there is no team nobody",
            ),
            (
                "products: { vehicle-x: { title: X, team: rnd, storage: mars, classification: public, tables: [{ name: a, path: a }] } }",
                "product",
                "vehicle-x",
                "there is no storage mars",
            ),
            (
                "teams: { x: { domain: mars, title: X, cost_center: \"1\" } }",
                "team",
                "x",
                "there is no domain mars",
            ),
            (
                "recipients: { x: { team: nobody, cloud: aws, region: y } }",
                "recipient",
                "x",
                "there is no team nobody",
            ),
            (
                "grants: { x: { product: vehicle-nothing, recipient: rnd_weu, mode: live, until: 2027-01-01, purpose: { code: a, text: abc } } }",
                "grant",
                "x",
                "there is no such product",
            ),
            (
                "grants: { x: { product: vehicle-workshop-visits, recipient: nobody, mode: live, until: 2027-01-01, purpose: { code: a, text: abc } } }",
                "grant",
                "x",
                "there is no recipient nobody",
            ),
            (
                "grants: { x: { product: vehicle-workshop-visits, recipient: rnd_weu, mode: live, until: 2036-01-01, purpose: { code: a, text: abc } } }",
                "grant",
                "x",
                "at most five years",
            ),
            (
                "sync_jobs: { x: { product: vehicle-workshop-visits, to: mars, every: 1d } }",
                "sync_job",
                "x",
                "there is no storage mars",
            ),
        ] {
            let plan = stage.plan(&stage.operator, yaml).await;
            let (action, _, note) = line(&plan, kind, name);
            assert_eq!(action, DeclarationAction::Refused, "{yaml}");
            assert!(note.contains(what), "{note}");
        }
    }
}
