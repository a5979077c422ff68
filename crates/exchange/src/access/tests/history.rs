//! What happened to a product, as each may know it.

use model::ProductEventKind::{AccessGiven, Changed, Published, Registered, Version};
use model::dto::{ProductChange, ProductEvent};
use model::time::MINUTE;

use super::World;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;

#[tokio::test]
async fn everybody_sees_what_happened_and_the_accesses_that_concern_them() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.test.clock.advance(MINUTE);
        let change = ProductChange {
            title: Some("Visits of workshops".into()),
            ..ProductChange::default()
        };
        let changed = exchange.product_update(&world.jonas, "vehicle-visits", change);
        changed.await.unwrap();
        world.test.clock.advance(MINUTE);
        world.granted("vehicle-visits", "live").await;
        let told = async |who: &Principal| -> Vec<ProductEvent> {
            let mut page = PageRequest {
                after: None,
                limit: Some(1),
            };
            let mut told = Vec::new();
            loop {
                let found = exchange
                    .product_history(who, "vehicle-visits", &page)
                    .await
                    .unwrap();
                told.extend(found.items);
                page.after = found.next;
                if page.after.is_none() {
                    return told;
                }
            }
        };
        let everybody = [Changed, Published, Registered, Version];
        for (who, sees_access) in [
            (&world.jonas, true),
            (&world.mara, true),
            (&world.operator, true),
            (&world.otto, false),
        ] {
            let told = told(who).await;
            let mut kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
            if sees_access {
                assert_eq!(kinds.remove(0), AccessGiven);
                assert_eq!(told[0].recipient.as_ref().unwrap().as_str(), "rnd_weu");
            }
            assert_eq!(kinds, everybody);
            let of = |kind| told.iter().find(|event| event.kind == kind).unwrap();
            assert_eq!(of(Changed).changed, ["title"]);
            assert_eq!(of(Registered).tables_added, ["default.t"]);
            assert_eq!(of(Version).table.as_deref(), Some("default.t"));
            assert_eq!(
                (of(Version).version, of(Version).commits),
                (Some(3), Some(1))
            );
            // What the audit log alone knows: who, where, at which path.
            let text = serde_json::to_string(&told).unwrap();
            for secret in ["aws_eu", "s3:", "p-", "vehicle-visits"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        world.draft("vehicle-hidden", "internal", "owner").await;
        let page = PageRequest::default();
        let hidden = exchange.product_history(&world.otto, "vehicle-hidden", &page);
        assert!(matches!(hidden.await, Err(Error::NotFound("product"))));
        let nobody = Principal::nobody();
        let refused = exchange.product_history(&nobody, "vehicle-visits", &page);
        assert!(matches!(refused.await, Err(Error::Unauthenticated)));
        let page = PageRequest {
            after: Some("yesterday".into()),
            limit: None,
        };
        let wrong = exchange.product_history(&world.otto, "vehicle-visits", &page);
        assert!(matches!(wrong.await, Err(Error::Invalid(_))));
    }
}
