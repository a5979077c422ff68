//! Access, end to end on both databases: ask, decide, reconcile, read, end.

use std::sync::Arc;

use model::dto::{
    CredentialNew, DecisionNew, DomainNew, Inspection, MemberChange, PersonNew, ProductNew,
    ProductPublish, ProfileNew, PurposeNew, RateNew, RecipientNew, RequestNew, RevokeNew,
    StorageNew, SyncJobChange, TableNew, TeamNew,
};
use model::time::{DAY, HOUR};
use model::{GrantActual, GrantId, Mode, ReplicaState, RequestState, RunKind, Stage, Timestamp};

use super::{NextLook, ReaderRefused};
use crate::error::Error;
use crate::jobs::WorkKind;
use crate::page::PageRequest;
use crate::ports::Observation;
use crate::principal::Principal;
use crate::replicas::{ReplicaStep, SyncCommitted, SyncOutcome};
use crate::testing::TestExchange;
use crate::{Exchange, sql};

/// Two teams, a product of each classification, a recipient in Azure.
struct World {
    test: TestExchange,
    system: Principal,
    operator: Principal,
    /// Producer of after-sales.
    jonas: Principal,
    /// Consumer of R&D.
    mara: Principal,
    /// Data-protection officer, and a producer of after-sales too.
    dora: Principal,
    /// Belongs to nobody here.
    otto: Principal,
}

impl World {
    async fn each() -> Vec<Self> {
        let mut worlds = Vec::new();
        for test in TestExchange::start_each().await.unwrap() {
            worlds.push(Self::on(test).await);
        }
        worlds
    }

    fn exchange(&self) -> &Exchange {
        &self.test.exchange
    }

    async fn on(test: TestExchange) -> Self {
        let exchange = test.exchange.clone();
        let operator = Principal::operator();
        let domain = DomainNew {
            name: "vehicle".into(),
            title: "Vehicle".into(),
            description: String::new(),
        };
        exchange.domain_create(&operator, domain).await.unwrap();
        for name in ["aftersales", "rnd"] {
            let team = TeamNew {
                name: name.into(),
                domain: "vehicle".into(),
                title: name.into(),
                cost_center: format!("cc-{name}"),
                contact: String::new(),
            };
            exchange.team_create(&operator, team).await.unwrap();
        }
        let mut people = Vec::new();
        for (name, team, role, roles) in [
            ("jonas", Some("aftersales"), "producer", vec![]),
            ("mara", Some("rnd"), "consumer", vec![]),
            (
                "dora",
                Some("aftersales"),
                "producer",
                vec!["data_protection".to_owned()],
            ),
            ("otto", None, "", vec![]),
        ] {
            let person = PersonNew {
                name: name.into(),
                title: name.into(),
                email: String::new(),
                password: None,
                roles,
            };
            exchange.person_create(&operator, person).await.unwrap();
            if let Some(team) = team {
                exchange
                    .member_set(&operator, team, name, MemberChange { role: role.into() })
                    .await
                    .unwrap();
            }
            let id = exchange.person_by_name(name).await.unwrap().unwrap().id;
            people.push(exchange.principal_of(id).await.unwrap().unwrap());
        }
        for (name, cloud, region, url, replicas) in [
            (
                "aws_eu",
                "aws",
                "eu-central-1",
                "s3://lake/aftersales",
                false,
            ),
            ("az_weu", "azure", "westeurope", "file:///srv/az_weu", true),
        ] {
            let storage = StorageNew {
                name: name.into(),
                cloud: cloud.into(),
                region: region.into(),
                url: url.into(),
                endpoint: None,
                credential: url
                    .starts_with("s3:")
                    .then(|| CredentialNew::from("env:ENTREPOT_CREDENTIAL_LAKE")),
                replicas,
            };
            exchange.storage_create(&operator, storage).await.unwrap();
        }
        let rate = RateNew {
            from: "aws:eu-central-1".into(),
            to: "azure:*".into(),
            price: "0.09".into(),
            unit: "GB".into(),
            currency: "USD".into(),
            valid_from: "2026-01-01".into(),
            valid_until: None,
            source: "list price".into(),
        };
        exchange.rate_create(&operator, rate).await.unwrap();
        let new = RecipientNew {
            name: "rnd_weu".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange.recipient_create(&people[1], new).await.unwrap();
        let [jonas, mara, dora, otto] = people.try_into().unwrap();
        let world = Self {
            test,
            system: Principal::system(),
            operator,
            jonas,
            mara,
            dora,
            otto,
        };
        world.product("vehicle-visits", "internal", "owner").await;
        world.product("vehicle-claims", "personal", "owner").await;
        world.product("vehicle-parts", "public", "auto").await;
        world
    }

    async fn product(&self, name: &str, classification: &str, policy: &str) {
        let inspection = Inspection {
            version: 3,
            committed_at: Timestamp::parse("2026-06-15T06:00:00Z").unwrap(),
            columns: Vec::new(),
            partition_columns: Vec::new(),
            rows: Some(10),
            files: 2,
            bytes: 4_000_000_000,
            recent_bytes: 500_000_000,
            features: Vec::new(),
            refused_for: None,
            change_data_feed: false,
        };
        self.test
            .world
            .put_table("s3://lake/aftersales", name, Ok(inspection));
        let new = ProductNew {
            name: name.into(),
            team: "aftersales".into(),
            title: name.into(),
            description: String::new(),
            tags: Vec::new(),
            storage: "aws_eu".into(),
            classification: classification.into(),
            access_policy: policy.into(),
            payer: "producer".into(),
            baseline_days: 7,
            tables: vec![TableNew {
                name: "t".into(),
                schema: "default".into(),
                path: name.into(),
                storage: None,
                format: "delta".into(),
                history: false,
                change_data_feed: false,
            }],
        };
        self.exchange()
            .product_register(&self.jonas, new)
            .await
            .unwrap();
        self.exchange()
            .product_publish(&self.jonas, name, ProductPublish::default())
            .await
            .unwrap();
    }

    fn ask(product: &str, mode: &str) -> RequestNew {
        RequestNew {
            product: product.into(),
            recipient: "rnd_weu".into(),
            mode: mode.into(),
            until: "2026-12-31".into(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "warranty analysis".into(),
            },
        }
    }

    fn say(verdict: &str, revision: i64) -> DecisionNew {
        DecisionNew {
            verdict: verdict.into(),
            note: "because".into(),
            revision,
            stage: None,
        }
    }

    /// Asked by mara, approved by jonas.
    async fn granted(&self, product: &str, mode: &str) -> GrantId {
        let request = self
            .exchange()
            .request_create(&self.mara, Self::ask(product, mode))
            .await
            .unwrap();
        let say = Self::say("approve", request.revision);
        self.exchange()
            .request_decide(&self.jonas, request.id, say)
            .await
            .unwrap()
            .grant
            .unwrap()
    }

    async fn reader(&self) -> model::RecipientId {
        let row = sql!("select id from recipient where name = 'rnd_weu'")
            .row(self.exchange().db())
            .await
            .unwrap();
        row.unwrap().get("id").unwrap()
    }

    /// As a worker would: begins and finishes the sync that is due.
    async fn sync(&self, version: u64) {
        let exchange = self.exchange();
        loop {
            let Some(leased) = exchange
                .work_lease(&self.system, "w", None, 60_000_000)
                .await
                .unwrap()
            else {
                break;
            };
            if leased.kind == WorkKind::Sync {
                let task = exchange
                    .sync_task(&self.system, leased.key.parse().unwrap())
                    .await
                    .unwrap()
                    .unwrap();
                let run = exchange
                    .run_begin(&self.system, &task, RunKind::Sync, &leased)
                    .await
                    .unwrap();
                let committed = SyncCommitted {
                    source_committed_at: exchange.now(),
                    replica_version: version,
                    bytes: 4_000_000_000,
                };
                let outcome = SyncOutcome {
                    source_version: version,
                    committed: Some(committed),
                };
                assert!(
                    exchange
                        .run_done(&self.system, &task, &run, &outcome)
                        .await
                        .unwrap()
                );
                assert!(
                    !exchange
                        .run_done(&self.system, &task, &run, &outcome)
                        .await
                        .unwrap(),
                    "a run ends once"
                );
            }
            exchange.work_done(&leased).await.unwrap();
        }
    }
}

#[tokio::test]
async fn offers_are_priced_and_dated() {
    for world in World::each().await {
        let exchange = world.exchange();
        let offer = exchange
            .offer(&world.mara, "vehicle-visits", "rnd_weu")
            .await
            .unwrap();
        assert_eq!(
            (offer.payer.as_str(), offer.cost_center.as_str()),
            ("aftersales", "cc-aftersales")
        );
        assert_eq!(offer.stages, [Stage::Owner]);
        let [live, replica] = offer.modes.as_slice() else {
            panic!("two modes")
        };
        // 4 GB × 4 full reads × 0.09, and 4 GB × 0.09.
        assert_eq!(
            (
                live.month_bytes,
                live.month_transfer.unwrap().amount.to_string()
            ),
            (16_000_000_000, "1.44".into())
        );
        assert_eq!(
            (
                replica.first_copy_bytes,
                replica.first_copy.unwrap().amount.to_string()
            ),
            (4_000_000_000, "0.36".into())
        );
        assert_eq!(replica.month_transfer.unwrap().amount.to_string(), "0.045");
        assert!(replica.why_not.is_none() && replica.month_storage.is_none());
        assert!(matches!(
            exchange
                .offer(&world.otto, "vehicle-visits", "rnd_weu")
                .await,
            Err(Error::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn an_owner_decides_and_nobody_decides_for_themselves() {
    for world in World::each().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-visits", "live"))
            .await
            .unwrap();
        assert_eq!(
            (request.state, request.open_stages.as_slice()),
            (RequestState::Submitted, &[Stage::Owner][..])
        );
        let twice = exchange
            .request_create(&world.mara, World::ask("vehicle-visits", "live"))
            .await;
        assert!(matches!(twice, Err(Error::Conflict(_))));
        for (who, expected) in [
            (&world.mara, "forbidden"),
            (&world.otto, "hidden"),
            (&world.operator, "forbidden"),
        ] {
            let said = exchange
                .request_decide(who, request.id, World::say("approve", request.revision))
                .await;
            match expected {
                "hidden" => assert!(matches!(said, Err(Error::NotFound(_)))),
                _ => assert!(matches!(said, Err(Error::Forbidden(_)))),
            }
        }
        let stale = exchange
            .request_decide(&world.jonas, request.id, World::say("approve", 7))
            .await;
        assert!(matches!(stale, Err(Error::Conflict(_))));
        let mute = DecisionNew {
            note: String::new(),
            ..World::say("reject", request.revision)
        };
        assert!(matches!(
            exchange
                .request_decide(&world.jonas, request.id, mute)
                .await,
            Err(Error::Invalid(_))
        ));
        let done = exchange
            .request_decide(
                &world.jonas,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert_eq!(
            (done.state, done.open_stages.len()),
            (RequestState::Approved, 0)
        );
        let grant = exchange
            .grant(&world.mara, done.grant.unwrap())
            .await
            .unwrap();
        assert_eq!(
            (grant.actual, grant.verified_at),
            (GrantActual::Pending, None)
        );
        assert!(matches!(
            exchange.grant(&world.otto, grant.id).await,
            Err(Error::NotFound(_))
        ));
        assert!(
            exchange
                .audit_verify(&world.operator, None)
                .await
                .unwrap()
                .broken
                .is_none()
        );
    }
}

#[tokio::test]
async fn somebody_of_the_owning_team_does_not_approve_what_they_asked_for() {
    for world in World::each().await {
        let exchange = world.exchange();
        exchange
            .member_set(
                &world.operator,
                "rnd",
                "jonas",
                MemberChange {
                    role: "consumer".into(),
                },
            )
            .await
            .unwrap();
        let jonas = exchange
            .principal_of(world.jonas.person_id().unwrap())
            .await
            .unwrap()
            .unwrap();
        let request = exchange
            .request_create(&jonas, World::ask("vehicle-visits", "live"))
            .await
            .unwrap();
        let said = exchange
            .request_decide(&jonas, request.id, World::say("approve", request.revision))
            .await;
        assert!(matches!(said, Err(Error::Forbidden(_))));
        let done = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert_eq!(done.state, RequestState::Approved);
    }
}

#[tokio::test]
async fn personal_data_takes_two_people() {
    for world in World::each().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-claims", "live"))
            .await
            .unwrap();
        assert_eq!(request.open_stages, [Stage::Owner, Stage::DataProtection]);
        // Dora could be both, but is one person.
        let half = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert_eq!(
            (half.state, half.open_stages.as_slice()),
            (RequestState::Submitted, &[Stage::DataProtection][..])
        );
        let again = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", half.revision),
            )
            .await;
        assert!(matches!(again, Err(Error::Forbidden(_))));
        let other = exchange
            .request_decide(
                &world.jonas,
                request.id,
                World::say("approve", half.revision),
            )
            .await;
        assert!(
            matches!(other, Err(Error::Forbidden(_))),
            "the owner's word is given; jonas is no officer"
        );

        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-claims", "replica"))
            .await
            .unwrap();
        let first = exchange
            .request_decide(
                &world.jonas,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert!(first.grant.is_none());
        let done = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", first.revision),
            )
            .await
            .unwrap();
        assert!(done.grant.is_some());
    }
}

#[tokio::test]
async fn the_auto_policy_grants_at_once_and_a_reconciler_says_what_it_saw() {
    for world in World::each().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-parts", "live"))
            .await
            .unwrap();
        assert_eq!(request.decisions[0].stage, Stage::Policy);
        let id = request.grant.unwrap();
        let seen_at = Timestamp::parse("2026-06-15T12:00:01Z").unwrap();
        for (observation, actual) in [
            (
                Observation::Waits {
                    reason: "soon".into(),
                },
                GrantActual::Provisioning,
            ),
            (
                Observation::Broken {
                    reason: "the file is gone".into(),
                },
                GrantActual::Failed,
            ),
            (Observation::Works { seen_at }, GrantActual::Active),
            (Observation::Closed, GrantActual::Failed),
            (Observation::Works { seen_at }, GrantActual::Active),
        ] {
            world.test.world.put_observation(id, observation);
            exchange.grant_reconcile(&world.system, id).await.unwrap();
            assert_eq!(
                exchange.grant(&world.mara, id).await.unwrap().actual,
                actual
            );
        }
        assert_eq!(
            exchange.grant(&world.mara, id).await.unwrap().verified_at,
            Some(seen_at)
        );
        let reason = RevokeNew {
            reason: "done".into(),
        };
        assert!(matches!(
            exchange.grant_revoke(&world.otto, id, reason.clone()).await,
            Err(Error::NotFound(_))
        ));
        exchange
            .grant_revoke(&world.mara, id, reason.clone())
            .await
            .unwrap();
        exchange
            .grant_revoke(&world.mara, id, reason)
            .await
            .unwrap();
        // It still answers: not ended before it is seen to be.
        exchange.grant_reconcile(&world.system, id).await.unwrap();
        assert_eq!(
            exchange.grant(&world.mara, id).await.unwrap().actual,
            GrantActual::Failed
        );
        world.test.world.put_observation(id, Observation::Closed);
        let next = exchange.grant_reconcile(&world.system, id).await.unwrap();
        let ended = exchange.grant(&world.mara, id).await.unwrap();
        assert_eq!(
            (next, ended.actual),
            (NextLook::Settled, GrantActual::Ended)
        );
        assert!(ended.ended_at.is_some());
    }
}

#[tokio::test]
async fn a_recipient_reads_what_is_granted_and_nothing_after() {
    for world in World::each().await {
        let exchange = world.exchange();
        let reader = world.reader().await;
        assert!(
            exchange
                .shared_tables(&world.system, reader)
                .await
                .unwrap()
                .is_empty()
        );
        let id = world.granted("vehicle-visits", "live").await;
        let tables = exchange.shared_tables(&world.system, reader).await.unwrap();
        assert_eq!(
            (tables.len(), tables[0].grant_id, tables[0].mode),
            (1, id, Mode::Live)
        );
        assert!(exchange.grant_is_open(&world.system, id).await.unwrap());
        let until = exchange.now().plus(HOUR);
        assert!(
            exchange
                .urls_issued(&world.system, id, until)
                .await
                .unwrap()
        );
        assert!(
            exchange
                .urls_issued(&world.system, id, until.plus(-1))
                .await
                .unwrap()
        );
        let ended = exchange
            .grant_revoke(
                &world.jonas,
                id,
                RevokeNew {
                    reason: "over".into(),
                },
            )
            .await
            .unwrap();
        assert_eq!(
            ended.urls_until,
            Some(until),
            "the longest-lived URL counts"
        );
        assert!(
            exchange
                .shared_tables(&world.system, reader)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(!exchange.grant_is_open(&world.system, id).await.unwrap());
        assert!(
            !exchange
                .urls_issued(&world.system, id, until)
                .await
                .unwrap()
        );

        let id = world.granted("vehicle-visits", "live").await;
        let end = Timestamp::parse("2026-12-31").unwrap();
        world.test.clock.set(end.plus(-1));
        assert!(exchange.grant_is_open(&world.system, id).await.unwrap());
        world.test.clock.set(end);
        assert!(
            !exchange.grant_is_open(&world.system, id).await.unwrap(),
            "the end is felt without anybody ending it"
        );
        assert_eq!(exchange.grants_expire(&world.system).await.unwrap(), 1);
        assert_eq!(exchange.grants_expire(&world.system).await.unwrap(), 0);
        let grant = exchange.grant(&world.mara, id).await.unwrap();
        assert_eq!(grant.ended_reason.as_deref(), Some("its time is over"));
    }
}

#[tokio::test]
async fn profiles_are_downloaded_once() {
    for world in World::each().await {
        let exchange = world.exchange();
        let name = "rnd_weu";
        let refused = exchange
            .profile_create(&world.otto, name, ProfileNew::default())
            .await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
        assert!(matches!(
            exchange
                .profile_create(&world.mara, name, ProfileNew { days: Some(0) })
                .await,
            Err(Error::Invalid(_))
        ));
        assert!(matches!(
            exchange
                .profile_create(&world.mara, name, ProfileNew { days: Some(91) })
                .await,
            Err(Error::Invalid(_))
        ));
        let exchange_of = Arc::new(exchange.clone());
        let mut tasks = Vec::new();
        for _ in 0..10 {
            let (exchange, mara) = (Arc::clone(&exchange_of), world.mara.clone());
            tasks.push(tokio::spawn(async move {
                exchange
                    .profile_create(&mara, name, ProfileNew { days: Some(30) })
                    .await
            }));
        }
        let mut profiles = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(profile) => profiles.push(profile),
                Err(error) => assert!(matches!(error, Error::Conflict(_)), "{error:?}"),
            }
        }
        let [profile] = profiles.as_slice() else {
            panic!("{} profiles", profiles.len())
        };
        assert!(profile.endpoint.ends_with("/delta-sharing/"));
        let who = exchange
            .reader_of_token(&world.system, &profile.bearer_token)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(who.name.as_str(), name);
        let stored = sql!("select hash from recipient_token")
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            stored.get::<Vec<u8>>("hash").unwrap(),
            crate::secret::hash(&profile.bearer_token)
        );
        world.test.clock.set(profile.expiration_time.plus(-1));
        assert!(
            exchange
                .reader_of_token(&world.system, &profile.bearer_token)
                .await
                .unwrap()
                .is_ok()
        );
        world.test.clock.set(profile.expiration_time);
        let refused = exchange
            .reader_of_token(&world.system, &profile.bearer_token)
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err(), ReaderRefused::Expired);
        let profile = exchange
            .profile_create(&world.mara, name, ProfileNew::default())
            .await
            .unwrap();
        let token = exchange.recipient(&world.mara, name).await.unwrap().tokens[0].id;
        exchange
            .recipient_token_revoke(&world.mara, name, token)
            .await
            .unwrap();
        let refused = exchange
            .reader_of_token(&world.system, &profile.bearer_token)
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err(), ReaderRefused::Revoked);
        let refused = exchange
            .reader_of_token(&world.system, "entrepot_rt_nonsense")
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err(), ReaderRefused::Unknown);
    }
}

#[tokio::test]
async fn a_replica_is_made_joined_drained_and_deleted() {
    for world in World::each().await {
        let exchange = world.exchange();
        let reader = world.reader().await;
        let first = world.granted("vehicle-visits", "replica").await;
        let replica = exchange
            .replica(&world.mara, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(
            (replica.state, replica.tables.len()),
            (ReplicaState::Pending, 1)
        );
        assert_eq!(replica.tables[0].path, "vehicle-visits/default/t");
        let tables = exchange.shared_tables(&world.system, reader).await.unwrap();
        assert!(
            tables[0].place().unwrap().is_none(),
            "nothing is served before the first copy stands"
        );

        world.sync(3).await;
        let replica = exchange
            .replica(&world.mara, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(
            (replica.state, replica.tables[0].source_version),
            (ReplicaState::Ready, Some(3))
        );
        let tables = exchange.shared_tables(&world.system, reader).await.unwrap();
        let (_, path, location, _) = tables[0].place().unwrap().unwrap();
        assert_eq!(
            (path, location.to_string().as_str()),
            ("vehicle-visits/default/t", "azure:westeurope")
        );

        // Due by its schedule, once, whoever ticks.
        let change = SyncJobChange {
            every: Some("2d".into()),
            timezone: Some("Europe/Berlin".into()),
            ..SyncJobChange::default()
        };
        let denied = exchange
            .sync_job_update(&world.mara, "vehicle-visits@az_weu", change.clone())
            .await;
        assert!(matches!(denied, Err(Error::Forbidden(_))));
        let changed = exchange
            .sync_job_update(&world.jonas, "vehicle-visits@az_weu", change)
            .await
            .unwrap();
        let due = changed.job.unwrap().next_due_at.unwrap();
        assert_eq!(due, Timestamp::parse("2026-06-17T01:00:00Z").unwrap());
        world.test.clock.set(due);
        exchange.schedules_tick(&world.system).await.unwrap();
        exchange.schedules_tick(&world.system).await.unwrap();
        let waiting = exchange
            .work_list(&world.operator, &PageRequest::all())
            .await
            .unwrap();
        assert_eq!(
            waiting
                .items
                .iter()
                .filter(|work| work.kind == "sync")
                .count(),
            1
        );
        world.sync(4).await;

        // A renewal joins; the first grant's end changes nothing for the second.
        let second = world.granted("vehicle-visits", "replica").await;
        exchange
            .grant_revoke(
                &world.mara,
                first,
                RevokeNew {
                    reason: "renewed".into(),
                },
            )
            .await
            .unwrap();
        assert_eq!(
            exchange
                .replica(&world.mara, "vehicle-visits@az_weu")
                .await
                .unwrap()
                .state,
            ReplicaState::Ready
        );
        exchange
            .grant_revoke(
                &world.mara,
                second,
                RevokeNew {
                    reason: "done".into(),
                },
            )
            .await
            .unwrap();
        let draining = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(draining.state, ReplicaState::Draining);
        assert!(matches!(
            exchange
                .sync_start(&world.jonas, "vehicle-visits@az_weu")
                .await,
            Err(Error::Conflict(_))
        ));

        // Asked for again in time: no first copy.
        let third = world.granted("vehicle-visits", "replica").await;
        let back = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(
            (back.state, back.tables[0].source_version),
            (ReplicaState::Pending, Some(4))
        );
        world.sync(5).await;
        exchange
            .grant_revoke(
                &world.mara,
                third,
                RevokeNew {
                    reason: "done".into(),
                },
            )
            .await
            .unwrap();
        let until = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap()
            .drain_until
            .unwrap();
        assert_eq!(until.since(exchange.now()), 14 * DAY);
        assert!(
            matches!(exchange.replica_step(&world.system, replica.id).await.unwrap(), ReplicaStep::Wait(at) if at == until)
        );
        world.test.clock.set(until);
        let step = exchange
            .replica_step(&world.system, replica.id)
            .await
            .unwrap();
        assert!(matches!(step, ReplicaStep::Delete { tables, .. } if tables.len() == 1));
        exchange
            .replica_deleted(&world.system, replica.id, 3, 9)
            .await
            .unwrap();
        assert!(matches!(
            exchange
                .replica(&world.jonas, "vehicle-visits@az_weu")
                .await,
            Err(Error::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong_and_store_nothing() {
    for world in World::each().await {
        let exchange = world.exchange();
        let good = || World::ask("vehicle-visits", "live");
        let cases: Vec<(&str, RequestNew)> = vec![
            (
                "mode",
                RequestNew {
                    mode: "borrow".into(),
                    ..good()
                },
            ),
            (
                "until",
                RequestNew {
                    until: "soon".into(),
                    ..good()
                },
            ),
            (
                "until",
                RequestNew {
                    until: "2026-06-15".into(),
                    ..good()
                },
            ),
            (
                "until",
                RequestNew {
                    until: "2099-01-01".into(),
                    ..good()
                },
            ),
            (
                "product",
                RequestNew {
                    product: "vehicle-nothing".into(),
                    ..good()
                },
            ),
            (
                "recipient",
                RequestNew {
                    recipient: "nobody".into(),
                    ..good()
                },
            ),
            (
                "purpose.code",
                RequestNew {
                    purpose: PurposeNew {
                        code: "A B".into(),
                        text: "text".into(),
                    },
                    ..good()
                },
            ),
            (
                "purpose.text",
                RequestNew {
                    purpose: PurposeNew {
                        code: "a".into(),
                        text: "x".repeat(5_000),
                    },
                    ..good()
                },
            ),
            (
                "purpose.text",
                RequestNew {
                    purpose: PurposeNew {
                        code: "a".into(),
                        text: "abc\u{202e}def".into(),
                    },
                    ..good()
                },
            ),
        ];
        for (field, new) in cases {
            match exchange.request_create(&world.mara, new).await {
                Err(Error::Invalid(fields)) => assert_eq!(fields[0].field, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        // A recipient of another team is not there for otto.
        assert!(matches!(
            exchange.request_create(&world.otto, good()).await,
            Err(Error::Invalid(_))
        ));
        assert!(
            exchange
                .requests(&world.operator, None, &PageRequest::all())
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
}
