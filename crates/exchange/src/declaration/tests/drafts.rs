//! Declarations that are made of what somebody has filled in.

use model::MemberRole;
use model::dto::{ProductDraft, TableDraft};

use super::{CONTRACT, Stage, acts};
use crate::declaration::draft;

/// A product as somebody fills it in, with texts that no reader of YAML is to take for anything else.
fn filled_in() -> ProductDraft {
    let table = |name: &str, path: &str| TableDraft {
        name: name.to_owned(),
        schema: "default".to_owned(),
        path: path.to_owned(),
        history: true,
        change_data_feed: false,
    };
    ProductDraft {
        name: "vehicle-workshop".to_owned(),
        title: "Workshop: \"all\" # of it".to_owned(),
        description: "One line\n\n- and: another\n\"quoted\" größe \u{1f697}".to_owned(),
        tags: vec!["yes".to_owned(), "2024".to_owned()],
        team: "aftersales".to_owned(),
        storage: "aws_eu".to_owned(),
        classification: "internal".to_owned(),
        access_policy: "owner".to_owned(),
        payer: "producer".to_owned(),
        baseline_days: 14,
        state: "draft".to_owned(),
        tables: vec![
            table("visits", "workshop/visits"),
            table("parts", "workshop/parts"),
        ],
    }
}

#[tokio::test]
async fn what_was_filled_in_is_what_is_deployed() {
    for stage in Stage::each().await {
        let (organisation, _) = CONTRACT.split_once("products:").unwrap();
        stage.deploy(&stage.operator, organisation).await.unwrap();
        let mara = stage
            .person("mara", &[], &[("aftersales", MemberRole::Producer)])
            .await;
        let filled = filled_in();
        let yaml = draft(&filled).unwrap();
        let plan = stage.plan(&mara, &yaml).await;
        assert_eq!(acts(&plan), ["create product vehicle-workshop"], "{yaml}");
        stage.deploy(&mara, &yaml).await.unwrap();
        let product = stage
            .exchange()
            .product(&mara, "vehicle-workshop")
            .await
            .unwrap();
        assert_eq!(product.title, filled.title);
        assert_eq!(product.description, filled.description);
        let mut tags = product.tags.clone();
        tags.sort();
        assert_eq!(tags, ["2024", "yes"]);
        assert_eq!(product.baseline_days, 14);
        let mut names: Vec<&str> = product.tables.iter().map(|t| t.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["parts", "visits"]);
        assert_eq!(stage.plan(&mara, &yaml).await.exit_status(), 0);
    }
}

#[tokio::test]
async fn what_is_missing_in_a_draft_is_said_at_its_place() {
    for stage in Stage::each().await {
        let filled = ProductDraft {
            title: String::new(),
            classification: "secret".to_owned(),
            access_policy: "nobody".to_owned(),
            baseline_days: 0,
            tables: vec![TableDraft::default()],
            ..filled_in()
        };
        let yaml = draft(&filled).unwrap();
        let exchange = stage.exchange();
        let report = exchange
            .declaration_validate(&stage.operator, &yaml)
            .unwrap();
        let mut paths: Vec<&str> = report
            .problems
            .iter()
            .map(|problem| {
                let path = problem.path.strip_prefix("products.vehicle-workshop.");
                path.unwrap()
            })
            .collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(
            paths,
            [
                "access.policy",
                "baseline_days",
                "classification",
                "tables[0].name",
                "tables[0].path",
                "tables[0].schema",
                "title",
            ]
        );
    }
}
