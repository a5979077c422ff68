//! Storages and real Delta tables for a [`TestApp`]: folders of the test that stand in for clouds.

use std::sync::Arc;

use delta::write::arrow::array::{Int64Array, RecordBatch};
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use exchange::Principal;
use exchange::ports::StorageAccess;
use model::dto::{ProductNew, ProductPublish, StorageNew, TableNew};
use model::{Purpose, StorageId, Timestamp};
use server::adapters::stores::Lake;
use server::config::StorageSettings;
use storage::{Cause, Meter, MeterKey};

use crate::support::TestApp;

impl TestApp {
    pub(crate) fn lake_url(&self, cloud: &str) -> String {
        let folder = self.folder.path().join("lakes").join(cloud);
        std::fs::create_dir_all(&folder).unwrap();
        format!("file://{}", folder.canonicalize().unwrap().display())
    }

    /// A storage in a folder of the test.
    pub(crate) async fn storage(&self, name: &str, cloud: &str, region: &str, replicas: bool) {
        let new = StorageNew {
            name: name.to_owned(),
            cloud: cloud.to_owned(),
            region: region.to_owned(),
            url: self.lake_url(name),
            endpoint: None,
            credential: None,
            replicas,
        };
        let made = self
            .exchange
            .storage_create(&Principal::operator(), new)
            .await;
        made.unwrap();
    }

    /// A Delta table of one version with three rows.
    pub(crate) async fn table(&self, storage: &str, cloud: &str, region: &str, path: &str) {
        let at = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let access = StorageAccess {
            id: StorageId::new(at),
            name: storage.parse().unwrap(),
            location: format!("{cloud}:{region}").parse().unwrap(),
            url: self.lake_url(storage),
            endpoint: None,
            credential: None,
            replicas: true,
        };
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("test"),
            purpose: Purpose::Inspect,
        });
        let lake = Lake::of(&StorageSettings {
            file_roots: vec![self.folder.path().to_owned()],
            endpoints: Vec::new(),
            parallel_requests: 8,
            table_files: delta::Budgets::default().files,
        });
        let table = lake.table(&access, path, &meter).unwrap().table;
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
        let new = NewTable {
            name: None,
            description: None,
            schema: schema.clone(),
            partition_columns: Vec::new(),
            configuration: Default::default(),
        };
        // Another table has another id.
        let seed = path.bytes().fold(7_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let mut writer = Writer::create(table, seed, at, new).await.unwrap();
        let rows = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]);
        writer.append(at, &[rows.unwrap()]).await.unwrap();
    }

    /// A draft of `team` with one table of its own.
    pub(crate) async fn draft(&self, name: &str, team: &str) {
        self.table("aws_eu", "aws", "eu-central-1", name).await;
        let new = ProductNew {
            name: name.to_owned(),
            team: team.to_owned(),
            title: "Workshop visits".to_owned(),
            description: String::new(),
            tags: Vec::new(),
            storage: "aws_eu".to_owned(),
            classification: "internal".to_owned(),
            access_policy: "owner".to_owned(),
            payer: "producer".to_owned(),
            baseline_days: 7,
            tables: vec![TableNew {
                name: "visits".to_owned(),
                schema: "default".to_owned(),
                path: name.to_owned(),
                storage: None,
                format: "delta".to_owned(),
                history: false,
                change_data_feed: false,
                history_start: None,
            }],
        };
        let made = self
            .exchange
            .product_register(&Principal::operator(), new)
            .await;
        made.unwrap();
    }

    pub(crate) async fn product(&self, name: &str, team: &str) {
        self.draft(name, team).await;
        let operator = Principal::operator();
        let form = ProductPublish::default();
        self.exchange
            .product_publish(&operator, name, form)
            .await
            .unwrap();
    }
}
