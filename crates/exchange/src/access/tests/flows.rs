//! Flows of the old way, registered and switched off; copies named for a first sync. On both databases.

use model::dto::{AdoptionNew, Compared, Flow, FlowImport, FlowNew, FlowSwitch, StorageNew};
use model::time::DAY;
use model::{Micro, StorageId, TableId};

use super::World;
use crate::error::Error;
use crate::jobs::{Lane, WorkKind};
use crate::page::{Page, PageRequest};
use crate::replicas::{AdoptionOutcome, SyncCommitted, SyncOutcome};
use crate::sql;

fn all(page: Result<Page<Flow>, Error>) -> Vec<Flow> {
    page.unwrap().items
}

fn flow(kind: &str, consumers: u32, load_bytes: Option<u64>) -> FlowNew {
    FlowNew {
        product: "vehicle-visits".into(),
        kind: kind.into(),
        consumers,
        to: "azure:westeurope".into(),
        load_bytes,
        ..FlowNew::default()
    }
}

#[tokio::test]
async fn savings_count_from_the_flows_that_were_switched_off() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let assumed = exchange.savings(&world.jonas, None).await.unwrap();
        assert!(assumed[0].baseline.contains("a full load of today's size"));

        let mut made = Vec::new();
        for new in [
            flow("Weekly full load", 2, None),
            flow("daily_full_load", 1, Some(1_000_000_000)),
            flow("direct reads", 5, None),
        ] {
            made.push(exchange.flow_register(&world.jonas, new).await.unwrap());
        }
        let loads: Vec<_> = made.iter().map(|flow| flow.reckoned_bytes).collect();
        assert_eq!(loads, [Some(4_000_000_000), Some(1_000_000_000), None]);
        // They run beside the replica, and are no saving.
        let still = exchange.savings(&world.jonas, None).await.unwrap();
        assert_eq!(still, assumed);

        for flow in &made {
            let off = exchange
                .flow_switch(&world.jonas, flow.id, FlowSwitch::default())
                .await
                .unwrap();
            assert_eq!(off.off_at, Some(exchange.now()));
        }
        world.test.clock.advance(14 * DAY);
        let saved = exchange.savings(&world.mara, None).await.unwrap();
        let saved = &saved[0];
        // Two weeks of two who load four, and of one who loads one each day.
        assert_eq!(saved.baseline_bytes, 30_000_000_000);
        assert_eq!((saved.days, saved.actual_bytes), (14, 0));
        assert_eq!(saved.saved.unwrap().amount, Micro(2_700_000));
        assert!(saved.baseline.contains("3 flows"), "{}", saved.baseline);
        assert!(
            saved.baseline.contains("of 1 it is not known"),
            "{}",
            saved.baseline
        );

        // It runs again, and one was a mistake.
        let on = FlowSwitch {
            off: Some(String::new()),
        };
        let on = exchange.flow_switch(&world.jonas, made[0].id, on).await;
        assert_eq!(on.unwrap().off_at, None);
        exchange
            .flow_remove(&world.jonas, made[2].id)
            .await
            .unwrap();
        let saved = exchange.savings(&world.mara, None).await.unwrap();
        assert_eq!(saved[0].baseline_bytes, 14_000_000_000);

        // Before there was a replica nothing was saved by it.
        let long_ago = FlowSwitch {
            off: Some("2000-01-01".to_owned()),
        };
        exchange
            .flow_switch(&world.jonas, made[1].id, long_ago)
            .await
            .unwrap();
        world.test.clock.advance(DAY / 2);
        let saved = exchange.savings(&world.mara, None).await.unwrap();
        let found = (saved[0].days, saved[0].baseline_bytes);
        assert_eq!(found, (14, 14_000_000_000));
    }
}

#[tokio::test]
async fn flows_are_their_teams_and_what_is_wrong_is_said() {
    for world in World::each().await {
        let exchange = world.exchange();
        give_parts(&world).await;
        let page = PageRequest::all();
        let with = |change: fn(&mut FlowNew)| {
            let mut new = flow("ftp", 1, None);
            change(&mut new);
            new
        };
        for (new, field) in [
            (with(|new| new.kind = "hourly".into()), "kind"),
            (with(|new| new.consumers = 0), "consumers"),
            (with(|new| new.to = "mars".into()), "to"),
            (with(|new| new.table = Some("default.none".into())), "table"),
            (with(|new| new.path = Some("old".into())), "storage"),
            (with(|new| new.storage = Some("az_weu".into())), "path"),
            (
                with(|new| {
                    new.storage = Some("az_weu".into());
                    new.path = Some("../old".into());
                }),
                "path",
            ),
            // It would cross to be compared.
            (
                with(|new| {
                    new.storage = Some("aws_eu".into());
                    new.path = Some("old".into());
                }),
                "storage",
            ),
            // How many rows another team's table has is nobody's business.
            (
                with(|new| {
                    new.to = "aws:eu-central-1".into();
                    new.storage = Some("aws_eu".into());
                    new.path = Some("vehicle-parts".into());
                }),
                "path",
            ),
        ] {
            let refused = exchange.flow_register(&world.jonas, new).await.unwrap_err();
            let Error::Invalid(fields) = refused else {
                panic!("{refused}")
            };
            assert_eq!(fields[0].field, field, "{fields:?}");
        }
        let list = FlowImport {
            list: "table,kind".into(),
        };
        let refused = exchange.flow_import(&world.jonas, list).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        assert!(all(exchange.flows(&world.jonas, None, &page).await).is_empty());

        let flow = exchange
            .flow_register(&world.jonas, flow("ftp", 1, None))
            .await
            .unwrap();
        // Who reads the product has nothing to do with it.
        assert!(all(exchange.flows(&world.mara, None, &page).await).is_empty());
        let other = exchange
            .flow_switch(&world.mara, flow.id, FlowSwitch::default())
            .await;
        assert!(matches!(other, Err(Error::NotFound(_))));
        world.test.clock.advance(DAY);
        let second = exchange.flow_register(&world.jonas, with(|_| {})).await;
        let short = PageRequest {
            after: None,
            limit: Some(1),
        };
        let first = exchange.flows(&world.jonas, None, &short).await.unwrap();
        assert_eq!(first.items[0].id, second.unwrap().id);
        let short = PageRequest {
            after: first.next,
            limit: Some(1),
        };
        let rest = exchange.flows(&world.jonas, None, &short).await.unwrap();
        assert_eq!((rest.items[0].id, rest.next), (flow.id, None));
        let later = FlowSwitch {
            off: Some("2099-01-01".into()),
        };
        let later = exchange.flow_switch(&world.jonas, flow.id, later).await;
        assert!(matches!(later, Err(Error::Invalid(_))));
        let alone = exchange.flow_compare(&world.jonas, flow.id).await;
        assert!(matches!(alone, Err(Error::Conflict(_))));
    }
}

#[tokio::test]
async fn an_old_copy_is_compared_by_a_worker() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let new = FlowNew {
            storage: Some("az_weu".into()),
            path: Some("old/visits".into()),
            ..flow("weekly full load", 1, None)
        };
        let flow = exchange.flow_register(&world.jonas, new).await.unwrap();
        let asked = exchange.flow_compare(&world.jonas, flow.id).await.unwrap();
        assert!(asked.comparing);
        let leased = loop {
            let leased = exchange
                .work_lease(&world.system, "w", None, 60_000_000, Lane::Data)
                .await
                .unwrap()
                .unwrap();
            if leased.kind == WorkKind::Compare {
                break leased;
            }
            exchange.work_done(&leased).await.unwrap();
        };
        assert_eq!(leased.key, flow.id.to_string());
        let task = exchange.flow_task(&world.system, flow.id).await.unwrap();
        let task = task.unwrap();
        assert_eq!(task.copy_path, "old/visits");
        assert_eq!(task.replica_path, "vehicle-visits/default/t");
        assert_eq!(task.replica_version, Some(3));
        exchange
            .flow_compared(&world.system, flow.id, Compared::Same, "All 10 rows.")
            .await
            .unwrap();
        let page = PageRequest::all();
        let found = all(exchange.flows(&world.jonas, None, &page).await);
        assert_eq!(found[0].compared, Some(Compared::Same));
        assert_eq!(found[0].compared_at, Some(exchange.now()));
        assert!(!found[0].comparing);

        // What is given up says so, and is asked for again.
        exchange.work_done(&leased).await.unwrap();
        exchange.flow_compare(&world.jonas, flow.id).await.unwrap();
        let key = flow.id.to_string();
        let work = exchange
            .work_lease_of(
                &world.system,
                "w",
                None,
                60_000_000,
                (WorkKind::Compare, &key),
            )
            .await
            .unwrap()
            .unwrap();
        for (terminal, waits) in [(false, true), (true, false)] {
            let why = ("The store refused.", terminal);
            let noted = exchange.flow_compare_failed(&world.system, &work, why);
            noted.await.unwrap();
            let found = all(exchange.flows(&world.jonas, None, &page).await);
            assert_eq!(found[0].comparing, waits);
            let said = found[0].comparison.as_deref().unwrap();
            assert_eq!(said.contains("The store refused. Once"), !waits, "{said}");
        }
        exchange.work_failed(&work, "no", true).await.unwrap();
        let again = exchange.flow_compare(&world.jonas, flow.id).await;
        assert!(again.unwrap().comparing);
        let work = exchange
            .work_lease_of(
                &world.system,
                "w",
                None,
                60_000_000,
                (WorkKind::Compare, &key),
            )
            .await;
        assert!(work.unwrap().is_some());

        // By now another team has a table there.
        give_parts(&world).await;
        move_parts(&world, "old").await;
        let refused = exchange.flow_compare(&world.jonas, flow.id).await;
        let Err(Error::Conflict(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.contains("another team's"), "{why}");
    }
}

#[tokio::test]
async fn a_copy_is_named_before_the_first_sync_and_used_once() {
    for world in World::each().await {
        let exchange = world.exchange();
        let named = |path: &str| AdoptionNew {
            product: "vehicle-visits".into(),
            storage: "az_weu".into(),
            path: path.into(),
            ..AdoptionNew::default()
        };
        let readers = exchange.adoption_set(&world.mara, named("old")).await;
        assert!(matches!(readers, Err(Error::Forbidden(_))));
        // There the first sync would never look for it.
        let beside = StorageNew {
            name: "az_weu_second".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
            url: "file:///srv/az_weu_second".into(),
            endpoint: None,
            credential: None,
            replicas: true,
        };
        exchange
            .storage_create(&world.operator, beside)
            .await
            .unwrap();
        let elsewhere = AdoptionNew {
            storage: "az_weu_second".into(),
            ..named("old/visits")
        };
        let refused = exchange.adoption_set(&world.jonas, elsewhere).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("made in another storage"), "{refused}");
        // Nobody here can look at a folder; what there is to know for it is there before any replica is.
        let early = exchange.adoption_set(&world.jonas, named("old/visits"));
        let early = early.await.unwrap_err().to_string();
        assert!(early.contains("does not plan"), "{early}");
        world.granted("vehicle-visits", "replica").await;
        for (new, field, said) in [
            (named("../old"), "path", "no `.` and no `..`"),
            (
                named("vehicle-visits/default"),
                "path",
                "is a replica's or a registered table's",
            ),
            // Nobody here can look at it.
            (named("old/visits"), "path", "does not plan"),
            (
                AdoptionNew {
                    storage: "aws_eu".into(),
                    ..named("old")
                },
                "storage",
                "no replicas are made",
            ),
            (
                AdoptionNew {
                    table: Some("default.none".into()),
                    ..named("old")
                },
                "table",
                "no such table",
            ),
        ] {
            let refused = exchange.adoption_set(&world.jonas, new).await.unwrap_err();
            let Error::Invalid(fields) = refused else {
                panic!("{refused}")
            };
            assert_eq!(fields[0].field, field, "{fields:?}");
            assert!(fields[0].message.contains(said), "{fields:?}");
        }
        assert!(exchange.adoptions(&world.jonas).await.unwrap().is_empty());

        // As if it had been looked at.
        let (task, run) = world.begin_sync().await;
        assert_eq!(task.adopt_path, None);
        put(&world, task.table_id, task.target_storage).await;
        let again = exchange.sync_task(&world.system, task.replica_table_id);
        let again = again.await.unwrap().unwrap();
        assert_eq!(again.adopt_path.as_deref(), Some("old/visits"));
        assert_eq!(again.adopt_by_ends, Some(true));
        let outcome = AdoptionOutcome {
            taken_files: 7,
            taken_bytes: 700,
            changed: 1,
            ..AdoptionOutcome::default()
        };
        let mut of_another = again.clone();
        of_another.adopt_path = Some("old/other".into());
        exchange
            .adoption_done(&world.system, &of_another, &run, &outcome)
            .await
            .unwrap();
        let waiting = exchange.adoptions(&world.jonas).await.unwrap();
        assert_eq!((waiting[0].done_at, waiting[0].taken_files), (None, 0));
        for _ in 0..2 {
            exchange
                .adoption_done(&world.system, &again, &run, &outcome)
                .await
                .unwrap();
        }
        let found = &exchange.adoptions(&world.jonas).await.unwrap()[0];
        assert_eq!((found.taken_files, found.run), (7, Some(run.id)));
        let told = found.outcome.as_deref().unwrap();
        assert!(told.contains("1 were changed by somebody"), "{told}");
        assert!(told.contains("Every row is compared"), "{told}");
        let seen = exchange.sync_run(&world.jonas, run.id).await.unwrap();
        assert_eq!((seen.adopted_files, seen.adopted_bytes), (7, 700));
        let after = exchange.sync_task(&world.system, task.replica_table_id);
        assert_eq!(after.await.unwrap().unwrap().adopt_path, None);
        // What was used is not taken back.
        let left = exchange
            .adoption_set(&world.jonas, named(""))
            .await
            .unwrap();
        assert_eq!(left.len(), 1);
    }
}

/// C-06: a folder that nobody has registered may be anybody's who uses the storage.
#[tokio::test]
async fn where_others_have_something_an_admin_names_the_copy() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        give_parts(&world).await;
        move_parts(&world, "theirs").await;
        let new = || FlowNew {
            storage: Some("az_weu".into()),
            path: Some("old/visits".into()),
            ..flow("weekly full load", 1, None)
        };
        let named = || AdoptionNew {
            product: "vehicle-visits".into(),
            storage: "az_weu".into(),
            path: "old/visits".into(),
            ..AdoptionNew::default()
        };
        let one = exchange.flow_register(&world.jonas, new()).await.err();
        let other = exchange.adoption_set(&world.jonas, named()).await.err();
        for refused in [one, other] {
            let Some(Error::Invalid(fields)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(fields[0].field, "storage");
            assert!(fields[0].message.contains("have an admin"), "{fields:?}");
        }
        // What an admin has named the team compares.
        let flow = exchange.flow_register(&world.operator, new()).await;
        let flow = flow.unwrap();
        let asked = exchange.flow_compare(&world.jonas, flow.id).await;
        assert!(asked.unwrap().comparing);
        let late = exchange.adoption_set(&world.operator, named()).await;
        assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    }
}

#[tokio::test]
async fn a_copy_that_is_named_while_the_first_sync_runs_came_too_late() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let (task, run) = world.begin_sync().await;
        put(&world, task.table_id, task.target_storage).await;
        let outcome = SyncOutcome {
            goes_on: None,
            source_version: 3,
            committed: Some(SyncCommitted {
                source_committed_at: exchange.now(),
                replica_version: 3,
                bytes: 800,
            }),
        };
        let done = exchange
            .run_done(&world.system, &task, &run, &outcome)
            .await;
        assert!(done.unwrap());
        let found = exchange.adoptions(&world.jonas).await.unwrap();
        assert_eq!(found[0].done_at, Some(exchange.now()));
        assert_eq!((found[0].run, found[0].taken_files), (None, 0));
        let said = found[0].outcome.as_deref().unwrap();
        assert!(said.contains("came too late"), "{said}");
    }
}

async fn put(world: &World, table: TableId, storage: StorageId) {
    sql!(
        "insert into adoption (adopted_table, into_storage, adopt_path, by_ends, planned_files, planned_bytes, to_read_bytes,
             fetch_bytes, asked_at) values ($1, $2, 'old/visits', true, 8, 800, 0, 100, $3)"
    )
    .bind(table)
    .bind(storage)
    .bind(world.exchange().now())
    .execute(world.exchange().db())
    .await
    .unwrap();
}

/// `vehicle-parts` is another team's.
async fn give_parts(world: &World) {
    let given = sql!(
        "update product set team_id = (select id from team where name = 'rnd') where name = 'vehicle-parts'"
    );
    given.execute(world.exchange().db()).await.unwrap();
}

/// Its table lies there in the storage that takes replicas.
async fn move_parts(world: &World, path: &str) {
    let moved = sql!(
        "update product_table set path = $1, storage_id = (select id from storage where name = 'az_weu')
         where product_id = (select id from product where name = 'vehicle-parts')"
    );
    moved
        .bind(path)
        .execute(world.exchange().db())
        .await
        .unwrap();
}
