//! What is said and done of a whole product, where a cut of it is read and kept beside: advice, copies that are adopted, flows of the
//! old way, and what the consumer's side has already.

use model::dto::{AdoptionNew, FlowNew, FlowSwitch, RecipientNew};
use model::time::DAY;

use super::World;
use crate::error::Error;
use crate::sql;

const PRODUCT: &str = "vehicle-visits";

#[tokio::test]
async fn a_cut_is_not_taken_for_the_whole_product() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        world.on_day("2026-06-01");
        world.cut_made(PRODUCT).await;
        let grant = world.granted_by_cut().await;
        world.sync(3).await;

        // Who reads a part is not told what the whole costs, and is never asked into reading it.
        for day in ["2026-06-08", "2026-06-15", "2026-06-22", "2026-06-29"] {
            world.on_day(day);
            world.reads(grant, 12_000_000, "replica").await;
        }
        world.on_day("2026-07-05");
        let standing = exchange.advice_reckon(&world.jonas, PRODUCT).await;
        assert!(standing.unwrap().is_empty());
        let page = crate::page::PageRequest::all();
        let advice = exchange.advice(&world.operator, None, &page).await.unwrap();
        assert!(advice.items.is_empty(), "{:?}", advice.items);

        // The first copy of the whole is still to come, and may be adopted. Nobody here can look at a folder.
        let named = AdoptionNew {
            product: PRODUCT.into(),
            storage: "az_weu".into(),
            path: "old/visits".into(),
            ..AdoptionNew::default()
        };
        let refused = exchange.adoption_set(&world.jonas, named).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("does not plan"), "{refused}");

        let flow = FlowNew {
            product: PRODUCT.into(),
            kind: "weekly full load".into(),
            consumers: 1,
            to: "azure:westeurope".into(),
            load_bytes: Some(1_000_000),
            storage: Some("az_weu".into()),
            path: Some("old/visits".into()),
            ..FlowNew::default()
        };
        let flow = exchange.flow_register(&world.jonas, flow).await.unwrap();
        let compared = exchange.flow_compare(&world.jonas, flow.id).await;
        assert!(matches!(compared, Err(Error::Conflict(_))), "{compared:?}");

        let second = RecipientNew {
            name: "rnd_second".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange
            .recipient_create(&world.mara, second)
            .await
            .unwrap();
        let already = async || {
            let offer = exchange.offer(&world.mara, PRODUCT, "rnd_second", None);
            offer.await.unwrap().already
        };
        assert_eq!(already().await, []);

        // With the whole beside it, a flow that was switched off is saved once.
        world.granted(PRODUCT, "replica").await;
        world.sync(3).await;
        assert_eq!(already().await.len(), 1);
        let compared = exchange.flow_compare(&world.jonas, flow.id).await;
        assert!(compared.unwrap().comparing);
        let each = exchange.savings(&world.jonas, Some(PRODUCT)).await;
        assert_eq!(each.unwrap().len(), 2);
        exchange
            .flow_switch(&world.jonas, flow.id, FlowSwitch::default())
            .await
            .unwrap();
        world.test.clock.advance(14 * DAY);
        let saved = exchange.savings(&world.jonas, Some(PRODUCT)).await.unwrap();
        assert_eq!(saved.len(), 1, "{saved:?}");
        assert_eq!((saved[0].baseline_bytes, &saved[0].cut), (2_000_000, &None));
    }
}

#[tokio::test]
async fn the_same_cut_and_a_replica_that_is_being_made_are_told() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        world.cut_made(PRODUCT).await;
        world.granted_by_cut().await;
        let second = RecipientNew {
            name: "rnd_second".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange
            .recipient_create(&world.mara, second)
            .await
            .unwrap();
        let already = async |cut: Option<&str>| {
            let offer = exchange.offer(&world.mara, PRODUCT, "rnd_second", cut);
            let told = offer.await.unwrap().already.into_iter();
            told.map(|told| told.sentence).collect::<Vec<String>>()
        };
        assert_eq!(already(None).await, [""; 0]);
        let told = already(Some("plain")).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("Your team has access to this cut in azure:westeurope"),
            "{told:?}"
        );

        // The first copy of another product's replica of the same table, under way and done.
        sql!("update product_table set lineage = 'one'")
            .execute(exchange.db())
            .await
            .unwrap();
        let asked = exchange.request_create(&world.mara, World::ask("vehicle-parts", "replica"));
        let grant = asked.await.unwrap().grant.unwrap();
        exchange
            .grant_reconcile(&world.system, grant)
            .await
            .unwrap();
        let says = |told: &[String], what: &str| told.iter().any(|told| told.contains(what));
        let (making, kept) = (
            "being made in azure:westeurope, for vehicle-parts",
            "is kept in azure:westeurope already, for vehicle-parts",
        );
        let told = already(None).await;
        assert!(says(&told, making) && !says(&told, kept), "{told:?}");
        // Of the cut as little as before: all the rest is more than is asked for.
        assert_eq!(already(Some("plain")).await.len(), 1);
        world.sync(3).await;
        let told = already(None).await;
        assert!(says(&told, kept) && !says(&told, making), "{told:?}");
    }
}
