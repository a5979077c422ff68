//! A grant that opens some rows, through the real gate and databases: what is noted of the recipient says which, from the next call
//! on; and no credential for a folder where none can be given.

use std::collections::BTreeMap;
use std::sync::Arc;

use delta::write::arrow::array::{Int64Array, StringArray};
use delta::write::arrow::record_batch::RecordBatch;
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use exchange::Principal;
use http::{Method, StatusCode};
use model::GrantId;
use model::dto::{GrantScopeNew, RecipientProperties, RecipientProperty};
use object_store::path::Path;
use sharing::Refused;

use super::tables::meter;
use super::{VISITS, VISITS_PATH, World, files_of};

/// Three rows of Germany and two of France, in a file each.
async fn countries(world: &World) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("country", DataType::Utf8, true),
    ]));
    let rows = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])),
            Arc::new(StringArray::from(vec!["DE", "FR", "DE", "DE", "FR"])),
        ],
    );
    let access = world.access("aws_eu");
    let at = world.lake.table(&access, VISITS_PATH, &meter()).unwrap();
    let new = NewTable {
        name: None,
        description: None,
        schema,
        partition_columns: vec!["country".to_owned()],
        configuration: BTreeMap::new(),
    };
    let time = world.exchange.now();
    let mut writer = Writer::create(at.table, 1, time, new).await.unwrap();
    writer.append(time, &[rows.unwrap()]).await.unwrap();
}

async fn narrow(world: &World, grant: GrantId, rows: Option<&str>, directory: bool) {
    let new = GrantScopeNew {
        rows: rows.map(str::to_owned),
        directory,
        revision: None,
    };
    let operator = Principal::operator();
    let narrowed = world.exchange.grant_narrow(&operator, grant, new);
    narrowed.await.unwrap();
}

async fn note(world: &World, country: &str) {
    let new = RecipientProperties {
        properties: vec![RecipientProperty {
            name: "country".to_owned(),
            value: country.to_owned(),
        }],
    };
    let operator = Principal::operator();
    let noted = world
        .exchange
        .recipient_properties_set(&operator, "rnd_weu", new);
    noted.await.unwrap();
}

#[tokio::test]
async fn what_is_noted_of_a_recipient_says_which_rows_it_reads() {
    for world in World::each().await {
        countries(&world).await;
        world
            .product(VISITS, "aws_eu", &[("visits", VISITS_PATH)])
            .await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let whole = world.files(&token).await;
        assert_eq!(whole.len(), 2);
        let reader = world.gate.authenticate(&token, None).await.unwrap();
        let open = || world.gate.open(&reader, VISITS, "default", "visits");
        let begun = open().await.unwrap();
        let keys = [Path::from("country=DE/part.parquet")];
        assert!(world.gate.sign(&begun, &keys).await.is_ok());

        narrow(&world, grant, Some("country = ${recipient.country}"), false).await;
        assert!(world.files(&token).await.is_empty());
        // An answer that is under way ends there, and so do URLs that we serve ourselves.
        let refused = world.gate.sign(&begun, &keys).await;
        assert!(matches!(refused, Err(Refused::Unavailable(_))));
        let mut held = whole[0].url.clone();
        for (country, own, other, rows) in [("DE", "DE", "FR", 3), ("FR", "FR", "DE", 2)] {
            note(&world, country).await;
            let refused = world.get(&held, None).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(refused.text().contains("other rows"), "{}", refused.text());
            let answer = world.query(VISITS, "visits", &token).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
            assert_eq!(files_of(&answer).len(), 1, "{}", answer.text());
            let said = format!("\"partitionValues\":{{\"country\":\"{own}\"}}");
            assert!(answer.text().contains(&said), "{}", answer.text());
            assert!(!answer.text().contains(&format!("\"{other}\"")));
            let counted = format!("\\\"numRecords\\\":{rows}");
            assert!(answer.text().contains(&counted), "{}", answer.text());
            held = files_of(&answer)[0].url.clone();
            assert_eq!(world.get(&held, None).await.status, StatusCode::OK);
            let begun = open().await.unwrap();
            assert!(world.gate.sign(&begun, &keys).await.is_ok());
        }
        note(&world, "AT").await;
        assert!(world.files(&token).await.is_empty());

        // A folder on this machine has no credentials, whatever the grant says.
        narrow(&world, grant, None, true).await;
        assert_eq!(world.get(&held, None).await.status, StatusCode::OK);
        let table = format!("/shares/{VISITS}/schemas/default/tables");
        let list = world.share(Method::GET, &table, &token).await;
        assert_eq!(list.json()["items"][0].get("accessModes"), None);
        let path = format!("{table}/visits/temporary-table-credentials");
        let refused = world.share(Method::POST, &path, &token).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.json()["errorCode"], "UNSUPPORTED_OPERATION");
        assert_eq!(world.files(&token).await.len(), 2);
    }
}
