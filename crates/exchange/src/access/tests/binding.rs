//! A decision holds for exactly what was shown: whoever changes the bargain meanwhile makes the approver look again.

use model::dto::{ProductChange, TableNew};
use model::{RequestState, Stage};

use super::World;
use crate::error::Error;

fn table(name: &str, history: bool) -> TableNew {
    TableNew {
        name: name.into(),
        schema: "default".into(),
        path: match name {
            "t" => "vehicle-visits".into(),
            name => format!("more/{name}"),
        },
        storage: None,
        format: "delta".into(),
        history,
        change_data_feed: false,
        history_start: None,
    }
}

/// What a producer may change of a published product, and whether it is another bargain then.
fn changes() -> Vec<(&'static str, ProductChange, bool)> {
    let nothing = ProductChange::default;
    vec![
        (
            "payer",
            ProductChange {
                payer: Some("consumer".into()),
                ..nothing()
            },
            true,
        ),
        (
            "baseline",
            ProductChange {
                baseline_days: Some(1),
                ..nothing()
            },
            true,
        ),
        (
            "a table more",
            ProductChange {
                tables: Some(vec![table("t", false), table("parts", false)]),
                ..nothing()
            },
            true,
        ),
        (
            "older versions of a table",
            ProductChange {
                tables: Some(vec![table("t", true), table("parts", false)]),
                ..nothing()
            },
            true,
        ),
        (
            "a table less",
            ProductChange {
                tables: Some(vec![table("t", true)]),
                ..nothing()
            },
            true,
        ),
        (
            "classification",
            ProductChange {
                classification: Some("public".into()),
                ..nothing()
            },
            true,
        ),
        (
            "the same again",
            ProductChange {
                payer: Some("consumer".into()),
                baseline_days: Some(1),
                classification: Some("public".into()),
                tables: Some(vec![table("t", true)]),
                ..nothing()
            },
            false,
        ),
        (
            "words only",
            ProductChange {
                title: Some("Visits to workshops".into()),
                description: Some("By month.".into()),
                tags: Some(vec!["workshop".into()]),
                ..nothing()
            },
            false,
        ),
    ]
}

#[tokio::test]
async fn a_decision_binds_the_tables_and_the_payer_that_were_shown() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.put_log("more/parts");
        for (what, change, is_other) in changes() {
            let shown = exchange
                .request_create(&world.mara, World::ask("vehicle-visits", "live"))
                .await
                .unwrap();
            assert_eq!(shown.open_stages, [Stage::Owner], "{what}");
            exchange
                .product_update(&world.jonas, "vehicle-visits", change)
                .await
                .unwrap();
            let say = World::say("approve", shown.revision);
            let said = exchange.request_decide(&world.jonas, shown.id, say).await;
            let now = exchange.request(&world.mara, shown.id).await.unwrap();
            if is_other {
                assert!(matches!(said, Err(Error::Conflict(_))), "{what}: {said:?}");
                assert_eq!(
                    (now.state, now.decisions.len(), now.grant),
                    (RequestState::Submitted, 0, None),
                    "{what}"
                );
                // Whoever looks again may decide.
                let say = World::say("reject", now.revision);
                exchange
                    .request_decide(&world.jonas, shown.id, say)
                    .await
                    .unwrap();
            } else {
                assert_eq!(said.unwrap().state, RequestState::Approved, "{what}");
                let grant = now.grant.unwrap();
                let reason = model::dto::RevokeNew {
                    reason: "the next case".into(),
                };
                exchange
                    .grant_revoke(&world.mara, grant, reason)
                    .await
                    .unwrap();
            }
        }
    }
}
