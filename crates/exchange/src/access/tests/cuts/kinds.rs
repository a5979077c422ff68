//! What no replica of a cut can hold is refused when the cut is made, and not by its first sync.

use super::*;

const COLUMNS_MORE: &str = r#", {"name": "notes", "type_text": "variant", "nullable": true},
    {"name": "lists", "type_text": "array<variant>", "nullable": true}]"#;
const FIELDS_MORE: &str = r#", {"name": "notes", "type": "variant", "nullable": true, "metadata": {}},
    {"name": "lists", "type": {"type": "array", "elementType": "variant", "containsNull": true}, "nullable": true, "metadata": {}}"#;
const FIELD_LATER: &str =
    r#", {"name": "more", "type": "variant", "nullable": true, "metadata": {}}"#;

#[tokio::test]
async fn what_no_replica_of_a_cut_holds_is_refused_when_the_cut_is_made() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        let columns = COLUMNS.replace(']', COLUMNS_MORE);
        let fields = SCHEMA.strip_suffix("]}").unwrap();
        let schema = format!("{fields}{FIELDS_MORE}]}}");
        world.put_columns(&columns, &schema).await;
        for (drop, says) in [
            (vec![], "notes of default.t is of the type variant"),
            (vec!["notes"], "lists of default.t is of the type variant"),
        ] {
            let new = plain(vec![table(&drop, &["vin"], None)]);
            let refused = exchange
                .cut_create(&world.jonas, "vehicle-visits", new)
                .await;
            let said = sentence(refused);
            assert!(said.contains(says), "{said} and not {says}");
        }
        let by_id = format!("[\"{}\"]", model::dto::MAPPED_BY_ID);
        for (features, is_refused) in [(by_id.as_str(), true), ("[\"columnMapping\"]", false)] {
            let written = sql!("update product_table set features = $1")
                .bind(features)
                .execute(exchange.db())
                .await;
            written.unwrap();
            let new = plain(vec![table(&["notes", "lists"], &["vin"], None)]);
            let made = exchange
                .cut_create(&world.jonas, "vehicle-visits", new)
                .await;
            match is_refused {
                true => {
                    let said = sentence(made);
                    assert!(said.contains("column mapping mode `id`"), "{said}");
                }
                false => assert_eq!(made.unwrap().edition, 1),
            }
        }

        // What comes later is in no replica, and is in the way only of who wants it.
        let schema = format!("{fields}{FIELDS_MORE}{FIELD_LATER}]}}");
        world.put_columns(&columns, &schema).await;
        let less = table(&["notes", "lists", "amount"], &["vin"], None);
        let less = CutChange {
            tables: Some(vec![less]),
            ..CutChange::default()
        };
        assert_eq!(world.cut_changed(less).await.unwrap().edition, 2);
        let with_later = CutChange {
            with_later: true,
            ..CutChange::default()
        };
        let said = sentence(world.cut_changed(with_later).await);
        assert!(
            said.contains("more of default.t is of the type variant"),
            "{said}"
        );
    }
}
