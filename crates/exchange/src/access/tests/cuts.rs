//! Cuts: what fits and what does not, and how editions follow each other.

mod kinds;
mod later;
mod read;

use model::dto::{Cut, CutChange, CutNew, CutRotate, CutTableNew, RequestNew, SyncJobChange};
use model::{Commits, Fetches, GrantActual, GrantId, ReplicaState};

use super::World;
use crate::error::Error;
use crate::sql;

const COLUMNS: &str = r#"[
    {"name": "vin", "type_text": "string", "nullable": true},
    {"name": "Customer", "type_text": "struct<name: string, zip: int>", "nullable": true},
    {"name": "amount", "type_text": "decimal(10,2)", "nullable": true},
    {"name": "day", "type_text": "date", "nullable": true},
    {"name": "country", "type_text": "string", "nullable": true}
]"#;

/// The same as a log writes it.
const SCHEMA: &str = r#"{"type": "struct", "fields": [
    {"name": "vin", "type": "string", "nullable": true, "metadata": {}},
    {"name": "Customer", "type": {"type": "struct", "fields": [
        {"name": "name", "type": "string", "nullable": true, "metadata": {}},
        {"name": "zip", "type": "integer", "nullable": true, "metadata": {}}]}, "nullable": true, "metadata": {}},
    {"name": "amount", "type": "decimal(10,2)", "nullable": true, "metadata": {}},
    {"name": "day", "type": "date", "nullable": true, "metadata": {}},
    {"name": "country", "type": "string", "nullable": true, "metadata": {}}]}"#;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn table(drop: &[&str], hash: &[&str], rows: Option<&str>) -> CutTableNew {
    CutTableNew {
        schema: "default".to_owned(),
        table: "t".to_owned(),
        drop: strings(drop),
        pseudonymise: strings(hash),
        rows: rows.map(str::to_owned),
    }
}

fn plain(tables: Vec<CutTableNew>) -> CutNew {
    CutNew {
        name: "plain".to_owned(),
        description: "without names".to_owned(),
        tables,
    }
}

fn asking(product: &str, mode: &str) -> RequestNew {
    RequestNew {
        cut: Some("plain".to_owned()),
        ..World::ask(product, mode)
    }
}

fn sentence<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.unwrap_err().to_string()
}

impl World {
    /// Worlds whose tables have columns.
    pub(super) async fn with_columns() -> Vec<Self> {
        let worlds = Self::each().await;
        for world in &worlds {
            world.put_columns(COLUMNS, SCHEMA).await;
        }
        worlds
    }

    async fn put_columns(&self, columns: &str, schema: &str) {
        let written =
            sql!("update product_table set columns = $1, partition_columns = $2, schema_text = $3")
                .bind(columns)
                .bind("[\"country\"]")
                .bind(schema)
                .execute(self.exchange().db())
                .await;
        written.unwrap();
    }

    pub(super) async fn cut_made(&self, product: &str) -> Cut {
        let new = plain(vec![table(
            &["customer.name"],
            &["VIN"],
            Some("country = 'DE'"),
        )]);
        let made = self.exchange().cut_create(&self.jonas, product, new).await;
        made.unwrap()
    }

    async fn cut_changed(&self, change: CutChange) -> Result<Cut, Error> {
        let exchange = self.exchange();
        exchange
            .cut_update(&self.jonas, "vehicle-visits", "plain", change)
            .await
    }

    /// Asked by mara, approved by jonas.
    pub(super) async fn granted_by_cut(&self) -> GrantId {
        let exchange = self.exchange();
        let request = exchange
            .request_create(&self.mara, asking("vehicle-visits", "replica"))
            .await
            .unwrap();
        let say = Self::say("approve", request.revision);
        let decided = exchange.request_decide(&self.jonas, request.id, say).await;
        decided.unwrap().grant.unwrap()
    }

    /// Where mara's recipient reads its tables; None for what is not there yet.
    async fn read_at(&self) -> Vec<Option<String>> {
        let reader = self.reader().await;
        let tables = self.exchange().shared_tables(&self.system, reader).await;
        let tables = tables.unwrap();
        let places = tables.iter().map(|table| {
            let place = table.place().unwrap();
            place.map(|(_, path, _, _)| path.to_owned())
        });
        places.collect()
    }

    async fn edition_state(&self, edition: i64) -> ReplicaState {
        let row = sql!("select state from replica where cut_id is not null and edition = $1")
            .bind(edition)
            .row(self.exchange().db())
            .await;
        row.unwrap().unwrap().get("state").unwrap()
    }
}

#[tokio::test]
async fn what_does_not_fit_a_table_is_said_and_nothing_is_written() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        for (tables, says) in [
            (vec![], "at least one table"),
            (
                vec![table(&["nowhere"], &[], None)],
                "has no column `nowhere`; it has vin, Customer",
            ),
            (
                vec![table(&["customer.nowhere"], &[], None)],
                "has no column `customer.nowhere`",
            ),
            (
                vec![table(&["country"], &[], None)],
                "is partitioned by country",
            ),
            (
                vec![table(&[], &["Country"], None)],
                "is partitioned by country",
            ),
            (
                vec![table(&["vin"], &["VIN"], None)],
                "vin stands there twice",
            ),
            (
                vec![table(&["customer", "customer.zip"], &[], None)],
                "Customer.zip lies in Customer",
            ),
            (
                vec![table(&[], &["customer"], None)],
                "single values are hashed",
            ),
            (
                vec![table(&["customer.name", "customer.zip"], &[], None)],
                "nothing would be left in Customer",
            ),
            (
                vec![table(&[], &[], Some("nowhere = 1"))],
                "has no column `nowhere`",
            ),
            (
                vec![table(&[], &[], Some("day > 'soon'"))],
                "'soon' is no date",
            ),
            (
                vec![table(&[], &[], Some("`customer.zip` = 'much'"))],
                "'much' is no int",
            ),
            // What the replica's writer would not compare is not promised.
            (
                vec![table(&[], &[], Some("amount > 100"))],
                "(decimal(10,2)) that is not compared",
            ),
            (
                vec![table(&[], &[], Some("customer = 1"))],
                "that is not compared",
            ),
            (
                vec![table(&[], &[], Some("country = ${recipient.country}"))],
                "make a cut for each value",
            ),
            (
                vec![table(&[], &[], Some("country = 'DE' or 1 = 1"))],
                "write conditions such as",
            ),
            (vec![table(&[], &[], None)], "nothing is left out"),
            (
                vec![table(&["vin"], &[], None), table(&["vin"], &[], None)],
                "it stands there twice",
            ),
            (
                vec![CutTableNew {
                    table: "other".to_owned(),
                    ..table(&["vin"], &[], None)
                }],
                "the product has no table default.other",
            ),
        ] {
            let refused = exchange
                .cut_create(&world.jonas, "vehicle-visits", plain(tables))
                .await;
            let said = sentence(refused);
            assert!(said.contains(says), "{said} and not {says}");
        }
        // Not everything, of columns that stay a table is made.
        let all = ["vin", "customer", "amount", "day"];
        let written = sql!("update product_table set partition_columns = '[]', columns = $1")
            .bind(COLUMNS.replace("country", "vin2"))
            .execute(exchange.db())
            .await;
        written.unwrap();
        let mut every = strings(&all);
        every.push("vin2".to_owned());
        let new = plain(vec![CutTableNew {
            drop: every,
            ..table(&[], &[], None)
        }]);
        let said = sentence(
            exchange
                .cut_create(&world.jonas, "vehicle-visits", new)
                .await,
        );
        assert!(
            said.contains("nothing would be left of default.t"),
            "{said}"
        );
        let cuts = exchange.cuts(&world.mara, "vehicle-visits").await.unwrap();
        assert!(cuts.is_empty(), "{cuts:?}");
        let row = sql!("select cast(count(*) as bigint) as count from cut_edition")
            .row(exchange.db())
            .await;
        let count: i64 = row.unwrap().unwrap().get("count").unwrap();
        assert_eq!(count, 0);
    }
}

#[tokio::test]
async fn an_edition_takes_the_place_of_the_one_before_and_gives_no_more_than_was_approved() {
    for world in World::with_columns().await {
        let exchange = world.exchange();
        let cut = world.cut_made("vehicle-visits").await;
        let grant = world.granted_by_cut().await;
        world.sync(3).await;
        for more in [
            table(&[], &["vin"], Some("country = 'DE'")),
            table(&["customer.name"], &[], Some("country = 'DE'")),
            table(&["customer.name"], &["vin"], None),
        ] {
            let change = CutChange {
                tables: Some(vec![more]),
                ..CutChange::default()
            };
            let said = sentence(world.cut_changed(change).await);
            assert!(said.contains("approved without that"), "{said}");
        }
        let same = exchange
            .cut(&world.jonas, "vehicle-visits", "plain")
            .await
            .unwrap();
        assert_eq!((same.edition, same.revision), (1, 1));

        let job = SyncJobChange {
            retention_hours: Some(72),
            keep_hours: Some(100),
            forget_hours: Some(48),
            fetches: Some(Fetches::Least),
            commits: Some(Commits::Each),
            ..SyncJobChange::default()
        };
        let named = "vehicle-visits:plain@az_weu";
        exchange
            .sync_job_update(&world.jonas, named, job)
            .await
            .unwrap();

        // Less is another edition. The one before is read until the new one stands.
        let less = CutChange {
            tables: Some(vec![table(&["customer"], &["vin"], Some("country = 'DE'"))]),
            revision: Some(cut.revision),
            ..CutChange::default()
        };
        let changed = world.cut_changed(less.clone()).await.unwrap();
        assert_eq!(
            (changed.edition, changed.editions[0].why.as_str()),
            (2, "changed")
        );
        assert!(
            matches!(world.cut_changed(less).await, Err(Error::Conflict(_))),
            "a stale form"
        );
        let first = Some("vehicle-visits/plain.1/default/t".to_owned());
        assert_eq!(world.read_at().await, [first]);
        world.sync(4).await;
        let second = Some("vehicle-visits/plain.2/default/t".to_owned());
        assert_eq!(world.read_at().await, [second]);
        assert_eq!(
            (world.edition_state(1).await, world.edition_state(2).await),
            (ReplicaState::Draining, ReplicaState::Ready)
        );
        // Its job is that of the one before, with the deadline for forgetting.
        let job = exchange.replica(&world.jonas, named).await.unwrap().job;
        let job = job.unwrap();
        assert_eq!(
            (job.retention_hours, job.keep_hours, job.forget_hours),
            (72, 100, Some(48))
        );
        assert_eq!((job.fetches, job.commits), (Fetches::Least, Commits::Each));
        // Nobody brings the old one back.
        exchange.grants_resync(&world.system).await.unwrap();
        assert_eq!(world.edition_state(1).await, ReplicaState::Draining);

        // Another key, at once: nothing is read before it stands.
        let at_once = CutRotate {
            at_once: true,
            revision: None,
        };
        let rotated = exchange
            .cut_rotate(&world.jonas, "vehicle-visits", "plain", at_once)
            .await
            .unwrap();
        assert_eq!(
            (rotated.edition, rotated.editions[0].why.as_str()),
            (3, "rotated")
        );
        assert_eq!(world.edition_state(2).await, ReplicaState::Draining);
        assert_eq!(world.read_at().await, [None::<String>]);
        let row = sql!("select id from cut")
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap();
        let id: model::CutId = row.get("id").unwrap();
        let (second, third) = (
            exchange.cut_key(id, 2).await.unwrap().unwrap(),
            exchange.cut_key(id, 3).await.unwrap().unwrap(),
        );
        assert_ne!(second, third);

        // Sealed anew with a newer key they are the same; without the older one, too.
        world.test.world.put_keys(&["k1", "k2"]);
        let sealed = exchange.credentials_reseal(&world.operator).await.unwrap();
        assert_eq!((sealed.key.as_str(), sealed.left.len()), ("k2", 0));
        world.test.world.put_keys(&["k2"]);
        assert_eq!(exchange.cut_key(id, 2).await.unwrap(), Ok(second));
        assert_eq!(exchange.cut_key(id, 3).await.unwrap(), Ok(third));

        // A key that is lost: said wherever it matters, and nothing is planned by it.
        let lost = sql!("update cut_edition set key_sealed = $1 where number = 3")
            .bind(vec![1_u8, 2, 3])
            .execute(exchange.db())
            .await;
        assert_eq!(lost.unwrap(), 1);
        let replica = exchange
            .replica(&world.jonas, "vehicle-visits:plain@az_weu")
            .await;
        let replica = replica.unwrap();
        assert_eq!(replica.edition, Some(3));
        let task = exchange
            .sync_task(&world.system, replica.tables[0].id)
            .await;
        let task = task.unwrap().unwrap();
        assert!(task.narrowed().unwrap_err().contains("nothing is written"));
        exchange
            .grant_reconcile(&world.system, grant)
            .await
            .unwrap();
        let shown = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(shown.actual, GrantActual::Failed);
        assert!(shown.reason.unwrap().contains("does not open"));
        let cut = exchange
            .cut(&world.jonas, "vehicle-visits", "plain")
            .await
            .unwrap();
        assert!(cut.problem.is_some());
        let cut = exchange
            .cut(&world.mara, "vehicle-visits", "plain")
            .await
            .unwrap();
        assert_eq!(cut.problem, None, "its team's to mend");
        exchange
            .cut_rotate(
                &world.jonas,
                "vehicle-visits",
                "plain",
                CutRotate::default(),
            )
            .await
            .unwrap();
        world.sync(5).await;
        let fourth = Some("vehicle-visits/plain.4/default/t".to_owned());
        assert_eq!(world.read_at().await, [fourth]);
    }
}
