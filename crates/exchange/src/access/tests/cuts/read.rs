//! What a grant on a cut reads.

use model::ReplicaState;
use model::dto::{
    CutRetire, DecisionNew, GrantLimit, GrantScopeNew, ProductChange, Request, RevokeNew, TableNew,
};

use super::super::World;
use super::{asking, plain, sentence, table};
use crate::error::Error;

#[tokio::test]
async fn a_grant_on_a_cut_is_read_from_its_replica_and_from_nothing_else() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        let new = plain(vec![table(&["vin"], &[], None)]);
        let refused = exchange
            .cut_create(&world.mara, "vehicle-visits", new)
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        let cut = world.cut_made("vehicle-visits").await;
        let told: Vec<(&str, &str)> = cut.tables[0]
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.how.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("vin", "hashed"),
                ("Customer", "kept"),
                ("Customer.name", "left_out"),
                ("amount", "kept"),
                ("day", "kept"),
                ("country", "kept")
            ]
        );
        assert_eq!((cut.edition, cut.problem.as_deref()), (1, None));

        // Never live, neither asked for nor said by who decides.
        let said = sentence(
            exchange
                .request_create(&world.mara, asking("vehicle-visits", "live"))
                .await,
        );
        assert!(
            said.contains("a cut is read from its replica only"),
            "{said}"
        );
        let offer = exchange
            .offer(&world.mara, "vehicle-visits", "rnd_weu", Some("plain"))
            .await
            .unwrap();
        assert!(offer.modes[0].why_not.is_some() && offer.modes[1].why_not.is_none());
        let request: Request = exchange
            .request_create(&world.mara, asking("vehicle-visits", "replica"))
            .await
            .unwrap();
        assert_eq!(request.cut.as_ref().unwrap().as_str(), "plain");
        assert_eq!(request.gives, cut.tables);
        let say = DecisionNew {
            live_bytes_per_day: Some(1_000),
            ..World::say("approve", request.revision)
        };
        let said = sentence(exchange.request_decide(&world.jonas, request.id, say).await);
        assert!(said.contains("read from its replica alone"), "{said}");
        let say = World::say("approve", request.revision);
        let decided = exchange.request_decide(&world.jonas, request.id, say).await;
        let grant = decided.unwrap().grant.unwrap();

        assert_eq!(world.read_at().await, [None::<String>]);
        world.sync(3).await;
        let at = Some("vehicle-visits/plain.1/default/t".to_owned());
        assert_eq!(world.read_at().await, [at]);
        let reader = world.reader().await;
        let tables = world.shared_tables(reader).await;
        assert_eq!(tables[0].directory(), None);
        assert!(tables[0].source().is_err());
        let limit = GrantLimit {
            live_bytes_per_day: Some(1_000),
            revision: None,
        };
        let said = sentence(exchange.grant_limit(&world.jonas, grant, limit).await);
        assert!(said.contains("read from its replica alone"), "{said}");
        let scope = GrantScopeNew {
            directory: true,
            ..GrantScopeNew::default()
        };
        assert!(
            exchange
                .grant_narrow(&world.jonas, grant, scope)
                .await
                .is_err()
        );
        let shown = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(shown.cut.as_ref().unwrap().as_str(), "plain");
        assert!(!shown.may_narrow && !shown.may_limit);

        // Its reader sees its replica, and not that there is a whole one.
        let replica = exchange
            .replica(&world.mara, "vehicle-visits:plain@az_weu")
            .await;
        let replica = replica.unwrap();
        assert_eq!(
            (replica.edition, replica.state),
            (Some(1), ReplicaState::Ready)
        );
        let whole = exchange.replica(&world.mara, "vehicle-visits@az_weu").await;
        assert!(matches!(whole, Err(Error::NotFound(_))));
        let task = exchange
            .sync_task(&world.system, replica.tables[0].id)
            .await;
        let task = task.unwrap().unwrap();
        let (what, key) = task.narrowed().unwrap().unwrap();
        assert_eq!(
            (what.drop.as_slice(), what.pseudonymise.as_slice()),
            (&["Customer.name".to_owned()][..], &["vin".to_owned()][..])
        );
        assert!(!format!("{task:?}").contains(&hex::encode(key.bytes())));

        // With another grant the whole table is read, by that one; without it the cut again.
        let whole = world.granted("vehicle-visits", "live").await;
        assert_eq!(world.read_at().await, [Some("vehicle-visits".to_owned())]);
        let end = RevokeNew {
            reason: "over".to_owned(),
        };
        exchange
            .grant_revoke(&world.mara, whole, end.clone())
            .await
            .unwrap();
        let at = Some("vehicle-visits/plain.1/default/t".to_owned());
        assert_eq!(world.read_at().await, [at]);

        // A table that comes later is not in the cut.
        world.put_log("vehicle-later");
        let tables =
            [("t", "vehicle-visits"), ("later", "vehicle-later")].map(|(name, path)| TableNew {
                name: name.into(),
                schema: "default".into(),
                path: path.into(),
                storage: None,
                format: "delta".into(),
                history: false,
                change_data_feed: false,
                history_start: None,
            });
        let change = ProductChange {
            tables: Some(tables.to_vec()),
            ..ProductChange::default()
        };
        exchange
            .product_update(&world.jonas, "vehicle-visits", change)
            .await
            .unwrap();
        assert_eq!(world.read_at().await.len(), 1);
        let cut = exchange
            .cut(&world.mara, "vehicle-visits", "plain")
            .await
            .unwrap();
        assert_eq!(cut.left_out, ["default.later"]);
        let replica = exchange
            .replica(&world.jonas, "vehicle-visits:plain@az_weu")
            .await;
        assert_eq!(replica.unwrap().tables.len(), 1);

        // With its grant it drains, and nothing is read.
        exchange
            .grant_revoke(&world.mara, grant, end)
            .await
            .unwrap();
        assert!(world.read_at().await.is_empty());
        assert_eq!(world.edition_state(1).await, ReplicaState::Draining);
        let retire = CutRetire::default();
        let retired = exchange
            .cut_retire(&world.jonas, "vehicle-visits", "plain", retire)
            .await;
        assert!(retired.unwrap().retired);
        let said = sentence(
            exchange
                .request_create(&world.mara, asking("vehicle-visits", "replica"))
                .await,
        );
        assert!(said.contains("was retired"), "{said}");
    }
}
