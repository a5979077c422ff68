//! Columns that a table has got since an edition was made.

use model::dto::{CutChange, CutRotate, CutTable, RevokeNew};

use super::super::World;
use super::{COLUMNS, SCHEMA, asking, sentence, table};
use crate::error::Error;

fn how(tables: &[CutTable], name: &str) -> Option<&'static str> {
    let mut columns = tables.iter().flat_map(|table| &table.columns);
    let column = columns.find(|column| column.name == name)?;
    Some(column.how.as_str())
}

#[tokio::test]
async fn a_column_that_comes_later_is_left_out_until_an_edition_gives_it() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        world.cut_made("vehicle-visits").await;
        let grant = world.granted_by_cut().await;
        world.sync(3).await;
        let columns = COLUMNS.replace(
            "]",
            r#", {"name": "mail", "type_text": "string", "nullable": true}]"#,
        );
        let mail = r#", {"name": "mail", "type": "string", "nullable": true, "metadata": {}}]}"#;
        let before = SCHEMA.strip_suffix("]}").unwrap();
        world
            .put_columns(&columns, &format!("{before}{mail}"))
            .await;
        let cut = exchange
            .cut(&world.mara, "vehicle-visits", "plain")
            .await
            .unwrap();
        assert_eq!(how(&cut.tables, "mail"), Some("later"));
        assert_eq!(how(&cut.tables, "amount"), Some("kept"));

        // Nor is it given while somebody reads what was approved without it, as it is or hashed.
        let with_later = CutChange {
            with_later: true,
            ..CutChange::default()
        };
        let said = sentence(world.cut_changed(with_later.clone()).await);
        assert!(
            said.contains("mail of default.t, which came later"),
            "{said}"
        );
        let hashed = table(&["customer.name"], &["vin", "mail"], Some("country = 'DE'"));
        let hashed = CutChange {
            tables: Some(vec![hashed]),
            ..CutChange::default()
        };
        let said = sentence(world.cut_changed(hashed).await);
        assert!(said.contains("hashes of mail"), "{said}");

        // Another key, or less of it, gives no more.
        exchange
            .cut_rotate(
                &world.jonas,
                "vehicle-visits",
                "plain",
                CutRotate::default(),
            )
            .await
            .unwrap();
        let less = CutChange {
            tables: Some(vec![table(&["customer"], &["vin"], Some("country = 'DE'"))]),
            ..CutChange::default()
        };
        let cut = world.cut_changed(less).await.unwrap();
        assert_eq!((cut.edition, how(&cut.tables, "mail")), (3, Some("later")));
        let replica = exchange
            .replica(&world.jonas, "vehicle-visits:plain@az_weu")
            .await
            .unwrap();
        assert_eq!(replica.edition, Some(3));
        let task = exchange
            .sync_task(&world.system, replica.tables[0].id)
            .await;
        assert_eq!(task.unwrap().unwrap().agreed(), Some(SCHEMA));

        // What nobody reads yet may become more, and who asks then sees it.
        let end = RevokeNew {
            reason: "over".to_owned(),
        };
        exchange
            .grant_revoke(&world.mara, grant, end)
            .await
            .unwrap();
        let request = exchange
            .request_create(&world.mara, asking("vehicle-visits", "replica"))
            .await
            .unwrap();
        assert_eq!(how(&request.gives, "mail"), Some("later"));
        let cut = world.cut_changed(with_later.clone()).await.unwrap();
        assert_eq!((cut.edition, how(&cut.tables, "mail")), (4, Some("kept")));
        let say = World::say("approve", request.revision);
        let stale = exchange.request_decide(&world.jonas, request.id, say).await;
        assert!(matches!(stale, Err(Error::Conflict(_))), "{stale:?}");
        // What is gone from the table does not keep the rest from being changed; nor is it named for the first time.
        let gone = columns.replace(r#""name": "vin""#, r#""name": "fin""#);
        world.put_columns(&gone, SCHEMA).await;
        let tables = |hash: &str| CutChange {
            tables: Some(vec![table(
                &["Customer", "amount"],
                &[hash],
                Some("country = 'DE'"),
            )]),
            ..CutChange::default()
        };
        let changed = world.cut_changed(tables("vin")).await.unwrap();
        assert_eq!(
            (changed.edition, how(&changed.tables, "vin")),
            (5, Some("hashed"))
        );
        let said = sentence(world.cut_changed(tables("nowhere")).await);
        assert!(said.contains("has no column `nowhere`"), "{said}");
        world
            .put_columns(&columns, &format!("{before}{mail}"))
            .await;

        // There is nothing more.
        let same = world.cut_changed(with_later).await.unwrap();
        assert_eq!(same.edition, 5);
    }
}
