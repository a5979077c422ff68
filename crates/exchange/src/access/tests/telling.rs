//! Who is told what, and how often. How it is delivered is told in `outbox`.

use model::dto::PersonChange;
use model::time::MINUTE;
use model::{GrantId, ReplicaTableId, Timestamp};
use serde_json::Value;

use super::{People, World};
use crate::db::Ground;
use crate::jobs::{Leased, WorkKind, WorkRow};
use crate::notices::Sent;
use crate::page::PageRequest;
use crate::ports::{Letter, Observation};
use crate::replicas::{RunStart, SyncCommitted, SyncOutcome, SyncTask};
use crate::testing::TestExchange;

impl World {
    /// Everybody but otto has an address, and mail and webhook are configured.
    pub(super) async fn telling() -> Vec<Self> {
        static GROUND: Ground<People> = Ground::new();
        let lay = |test: TestExchange| async move {
            let world = Self::on(test.telling()).await;
            for name in ["jonas", "mara", "dora"] {
                world.address(name, &format!("{name}@example.org")).await;
            }
            world.apart()
        };
        let laid = TestExchange::laid_each(&GROUND, lay).await.unwrap();
        laid.into_iter()
            .map(|(test, people)| Self::again((test.telling(), people)))
            .collect()
    }

    pub(super) async fn address(&self, name: &str, email: &str) {
        let change = PersonChange {
            email: Some(email.to_owned()),
            ..PersonChange::default()
        };
        let changed = self.exchange().person_update(&self.operator, name, change);
        changed.await.unwrap();
    }

    pub(super) async fn disable(&self, name: &str) {
        let change = PersonChange {
            disabled: Some(true),
            ..PersonChange::default()
        };
        let changed = self.exchange().person_update(&self.operator, name, change);
        changed.await.unwrap();
    }

    /// The outbox as it stands.
    pub(super) async fn outbox(&self) -> Vec<WorkRow> {
        let all = PageRequest::all();
        let mut work = self
            .exchange()
            .work_list(&self.operator, &all)
            .await
            .unwrap()
            .items;
        work.retain(|row| row.kind == "mail" || row.kind == "webhook");
        work
    }

    pub(super) async fn leased(&self, row: &WorkRow) -> Leased {
        let key = (row.kind.parse::<WorkKind>().unwrap(), row.key.as_str());
        let leased = self
            .exchange()
            .work_lease_of(&self.system, "w", None, MINUTE, key)
            .await;
        leased.unwrap().unwrap()
    }

    /// As a worker does what waits in the outbox.
    pub(super) async fn send(&self) {
        let exchange = self.exchange();
        for row in self.outbox().await.iter().filter(|row| !row.parked) {
            let leased = self.leased(row).await;
            let came = match leased.kind {
                WorkKind::Mail => exchange.mail_deliver(&self.system, &leased.key).await,
                _ => {
                    let came = exchange.webhook_deliver(&self.system, &leased.key).await;
                    came.map(|came| came.map(|()| Sent::Done))
                }
            };
            match came.unwrap() {
                Ok(Sent::Done) => exchange.work_done(&leased).await.unwrap(),
                Ok(Sent::Later(micros)) => exchange.work_later(&leased, micros).await.unwrap(),
                Err(failed) => exchange
                    .work_failed(&leased, &failed.sentence, failed.permanent)
                    .await
                    .unwrap(),
            }
        }
    }

    /// Sends what waits; answers who was told what since the last call, and which events the webhook got.
    pub(super) async fn told(&self) -> (Vec<String>, Vec<String>) {
        self.send().await;
        let mut mails: Vec<String> = self
            .test
            .world
            .letters()
            .into_iter()
            .map(|letter| format!("{}: {}", letter.to, letter.subject))
            .collect();
        mails.sort();
        let events = self.test.world.events();
        let kinds = events.iter().map(|event| event["kind"].as_str().unwrap());
        (mails, kinds.map(str::to_owned).collect())
    }

    pub(super) async fn is_told(&self, mails: &[&str], events: &[&str]) {
        let (found_mails, found_events) = self.told().await;
        assert_eq!(found_mails, mails);
        assert_eq!(found_events, events);
    }

    /// One mail, whatever the webhook got.
    pub(super) async fn told_one(&self, mail: &str) {
        assert_eq!(self.told().await.0, [mail]);
    }

    pub(super) async fn verified(&self, id: GrantId) {
        let seen_at = self.exchange().now();
        let works = Observation::Works { seen_at };
        self.test.world.put_observation(id, works);
        let looked = self.exchange().grant_reconcile(&self.system, id).await;
        looked.unwrap();
    }

    /// A sync begins, as a worker begins it; what was leased before is free again.
    pub(super) async fn sync_begins(&self) -> (SyncTask, RunStart) {
        let released = self.exchange().work_release_all(&self.system).await;
        released.unwrap();
        self.begin_sync().await
    }

    pub(super) async fn sync_is_done(&self, (task, run): &(SyncTask, RunStart)) {
        let exchange = self.exchange();
        let committed = SyncCommitted {
            source_committed_at: exchange.now(),
            replica_version: 1,
            bytes: 4_000_000_000,
        };
        let outcome = SyncOutcome {
            source_version: 3,
            goes_on: None,
            committed: Some(committed),
        };
        let done = exchange.run_done(&self.system, task, run, &outcome).await;
        assert!(done.unwrap());
    }

    pub(super) fn clock_shows(&self, at: &str) {
        self.test.clock.set(Timestamp::parse(at).unwrap());
    }
}

#[tokio::test]
async fn each_is_told_once_of_what_is_theirs() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-visits", "live"))
            .await
            .unwrap();
        let asked = "To decide: rnd asks for vehicle-visits";
        let both = [
            format!("dora@example.org: {asked}"),
            format!("jonas@example.org: {asked}"),
        ];
        world
            .is_told(&[&both[0], &both[1]], &["request.submitted"])
            .await;
        let say = World::say("approve", request.revision);
        let decided = exchange.request_decide(&world.jonas, request.id, say).await;
        let grant = decided.unwrap().grant.unwrap();
        let approved = "mara@example.org: Approved: vehicle-visits for rnd";
        world.is_told(&[approved], &["request.approved"]).await;
        // Not before it was seen to work, and only the first time.
        exchange
            .grant_reconcile(&world.system, grant)
            .await
            .unwrap();
        world.is_told(&[], &[]).await;
        world.verified(grant).await;
        let ready = "mara@example.org: Ready: vehicle-visits for rnd";
        world.is_told(&[ready], &["access.verified"]).await;
        let broken = Observation::Broken {
            reason: "gone".into(),
        };
        world.test.world.put_observation(grant, broken);
        exchange
            .grant_reconcile(&world.system, grant)
            .await
            .unwrap();
        world.verified(grant).await;
        world.is_told(&[], &[]).await;
    }
}

#[tokio::test]
async fn personal_data_waits_for_two_and_a_no_ends_it() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-claims", "live"))
            .await
            .unwrap();
        // Dora is officer and producer: one mail.
        let (mails, _) = world.told().await;
        assert_eq!(mails.len(), 2, "{mails:?}");
        let say = World::say("approve", request.revision);
        let first = exchange.request_decide(&world.jonas, request.id, say).await;
        world.is_told(&[], &[]).await;
        let say = World::say("reject", first.unwrap().revision);
        exchange
            .request_decide(&world.dora, request.id, say)
            .await
            .unwrap();
        world.send().await;
        let [letter] = <[Letter; 1]>::try_from(world.test.world.letters()).unwrap();
        assert_eq!(letter.subject, "Rejected: vehicle-claims for rnd");
        assert!(letter.text.contains("\n> because\n"), "{}", letter.text);
        let link = format!("http://127.0.0.1:3000/requests/{}", request.id);
        assert!(letter.text.contains(&link) && letter.html.contains(&link));
        // What people wrote does not leave for the other system, nor does anybody's name.
        let [event] = <[Value; 1]>::try_from(world.test.world.events()).unwrap();
        assert_eq!(event["url"], link);
        assert_eq!(event["data"]["request"], request.id.to_string());
        let text = event.to_string();
        assert!(
            !text.contains("because") && !text.contains("mara"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_policy_asks_nobody() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let asked = World::ask("vehicle-parts", "live");
        let request = exchange.request_create(&world.mara, asked).await.unwrap();
        world.is_told(&[], &[]).await;
        world.verified(request.grant.unwrap()).await;
        let ready = "mara@example.org: Ready: vehicle-parts for rnd";
        world.is_told(&[ready], &["access.verified"]).await;
    }
}

#[tokio::test]
async fn an_end_is_told_fourteen_and_three_days_before_once_each() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "live").await;
        world.told().await;
        let ends = |days| format!("mara@example.org: Ends in {days} days: vehicle-visits for rnd");
        for (at, days) in [
            ("2026-12-17T23:59:59Z", None),
            ("2026-12-18T00:00:00Z", Some(14)),
            ("2026-12-18T00:01:00Z", None),
            ("2026-12-28T23:59:59Z", None),
            ("2026-12-29T00:00:00Z", Some(3)),
            ("2026-12-31T23:59:59Z", None),
            ("2027-01-02T00:00:00Z", None),
        ] {
            world.clock_shows(at);
            exchange.endings_tick(&world.system).await.unwrap();
            let (mails, events) = world.told().await;
            let expected: Vec<String> = days.map(ends).into_iter().collect();
            assert_eq!(mails, expected, "{at}");
            assert_eq!(events.len(), expected.len(), "{at}");
        }
    }
}

#[tokio::test]
async fn of_two_warnings_that_are_late_the_nearer_one_is_told() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "live").await;
        world.told().await;
        world.clock_shows("2026-12-30");
        for expected in [1, 0] {
            exchange.endings_tick(&world.system).await.unwrap();
            assert_eq!(world.told().await.0.len(), expected);
        }
    }
}

#[tokio::test]
async fn an_access_that_goes_on_does_not_end() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "live").await;
        let mut again = World::ask("vehicle-visits", "live");
        again.until = "2027-06-30".into();
        let renewal = exchange.request_create(&world.mara, again).await.unwrap();
        let say = World::say("approve", renewal.revision);
        let decided = exchange.request_decide(&world.jonas, renewal.id, say).await;
        decided.unwrap();
        world.told().await;
        world.clock_shows("2026-12-20");
        exchange.endings_tick(&world.system).await.unwrap();
        world.is_told(&[], &[]).await;
    }
}

#[tokio::test]
async fn failing_syncs_are_told_at_the_third_and_when_all_is_mended() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.told().await;
        let why = "the store at s3://lake/aftersales says AccessDenied";
        let (task, run) = world.sync_begins().await;
        for failures in 1..=4 {
            let noted = exchange.run_failing(&world.system, &task, &run, why).await;
            assert!(noted.unwrap());
            if failures == 2 {
                // What passes by itself is nobody's work.
                world.is_told(&[], &[]).await;
            }
        }
        world.send().await;
        let letters = world.test.world.letters();
        let to: Vec<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
        assert_eq!(to.len(), 2, "{to:?}");
        for letter in &letters {
            assert_eq!(
                letter.subject,
                "Sync failing: vehicle-visits in azure:westeurope"
            );
            // A store's words are for those who may see the run.
            assert!(!letter.text.contains("s3://") && !letter.html.contains("AccessDenied"));
        }
        assert_eq!(world.test.world.events().len(), 1);
        let ended = exchange
            .run_ended(
                &world.system,
                &task,
                &run,
                model::RunState::Parked,
                why,
                false,
            )
            .await;
        assert!(ended.unwrap());
        world.is_told(&[], &[]).await;
        let again = world.sync_begins().await;
        world.sync_is_done(&again).await;
        let mended = "Sync mended: vehicle-visits in azure:westeurope";
        let both = [
            format!("dora@example.org: {mended}"),
            format!("jonas@example.org: {mended}"),
        ];
        world.is_told(&[&both[0], &both[1]], &["sync.mended"]).await;
        let once_more = world.sync_of(task.replica_table_id).await;
        world.sync_is_done(&once_more).await;
        world.is_told(&[], &[]).await;
    }
}

impl World {
    /// A sync that somebody asks for.
    async fn sync_of(&self, table: ReplicaTableId) -> (SyncTask, RunStart) {
        let wake = crate::jobs::Wake::new(WorkKind::Sync, table);
        self.exchange().wake(&self.system, &wake).await.unwrap();
        self.sync_begins().await
    }
}

#[tokio::test]
async fn a_broken_promise_is_told_to_owners_and_readers_and_so_is_its_mending() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let first = world.sync_begins().await;
        world.sync_is_done(&first).await;
        world.told().await;
        let everybody = |what: &str| {
            ["dora", "jonas", "mara"].map(|name| {
                format!("{name}@example.org: {what}: vehicle-visits in azure:westeurope")
            })
        };
        for (at, is_late) in [
            // Due at three each night: what was due is not done at once.
            ("2026-06-16T03:00:00Z", false),
            ("2026-06-16T23:00:00Z", false),
            // Now the next one is due.
            ("2026-06-17T03:00:00Z", true),
            ("2026-06-18T03:00:00Z", false),
        ] {
            world.clock_shows(at);
            exchange.schedules_tick(&world.system).await.unwrap();
            let (mails, events) = world.told().await;
            if is_late {
                assert_eq!(mails, everybody("Late"), "{at}");
                assert_eq!(events, ["freshness.broken"], "{at}");
            } else {
                assert!(mails.is_empty() && events.is_empty(), "{at}: {mails:?}");
            }
        }
        world.clock_shows("2026-06-18T04:00:00Z");
        let late = world.sync_begins().await;
        world.sync_is_done(&late).await;
        let (mails, events) = world.told().await;
        assert_eq!(mails, everybody("In time again"));
        assert_eq!(events, ["freshness.mended"]);
        world.clock_shows("2026-06-19T03:00:00Z");
        exchange.schedules_tick(&world.system).await.unwrap();
        world.is_told(&[], &[]).await;
    }
}

#[tokio::test]
async fn who_looks_away_for_long_has_missed_what_was_due() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let first = world.sync_begins().await;
        world.sync_is_done(&first).await;
        world.told().await;
        // No process ran for days: the one that was due first was missed, although none has been due before.
        world.clock_shows("2026-06-20T12:00:00Z");
        exchange.schedules_tick(&world.system).await.unwrap();
        assert_eq!(world.told().await.1, ["freshness.broken"]);
    }
}
