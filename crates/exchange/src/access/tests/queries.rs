//! The access log: who sees which lines, and for how long.

use model::dto::{MemberChange, RecipientNew};
use model::time::DAY;
use model::{GrantId, Location, Method, Purpose, QueryId, RecipientId};

use super::World;
use crate::Period;
use crate::access::{QueryLogNew, ShareAnswer, ShareQueryFilter};
use crate::billing::{MeterEventNew, share_queries_csv};
use crate::page::PageRequest;
use crate::principal::Principal;
use crate::sql;

impl World {
    async fn asked(&self, recipient: RecipientId, share: &str, grant: Option<GrantId>) {
        self.told_of(recipient, share, grant, (0, &[])).await;
    }

    /// So many bytes of the producer's own files were handed out by a grant that has no limit.
    pub(super) async fn handed_out(&self, grant: GrantId, bytes: u64) {
        let recipient = self.recipient_id("rnd_weu").await;
        self.told_of(recipient, "vehicle-parts", Some(grant), (bytes, &[]))
            .await;
    }

    async fn told_of(
        &self,
        recipient: RecipientId,
        share: &str,
        grant: Option<GrantId>,
        (live_bytes, counted): (u64, &[MeterEventNew]),
    ) {
        let exchange = self.exchange();
        let line = QueryLogNew {
            id: QueryId::new(exchange.now()),
            recipient_id: recipient,
            endpoint: "query",
            share: share.into(),
            schema: "default".into(),
            table: "t".into(),
            table_id: None,
            grant_id: grant,
            version: grant.map(|_| 3),
            files: u64::from(grant.is_some()),
            bytes_signed: 17,
            files_dropped: 2,
            actions: 5,
            duration: 1_500,
            source: grant.map(|_| "producer"),
            stale_since: None,
            outcome: if grant.is_some() {
                "answered"
            } else {
                "refused"
            },
            error_code: grant.is_none().then_some("RESOURCE_DOES_NOT_EXIST"),
            reason: grant.is_none().then(|| "there is no such table".into()),
            status: if grant.is_some() { 200 } else { 404 },
            user_agent: "pandas".into(),
            live_bytes,
            was_read: false,
        };
        exchange
            .query_logged(&self.system, &line, counted)
            .await
            .unwrap();
        self.test.clock.advance(1_000_000);
    }

    /// The shares of the lines that `who` sees, newest first.
    async fn log(&self, who: &Principal, filter: ShareQueryFilter) -> Vec<String> {
        let page = PageRequest::default();
        let found = self.exchange().share_queries(who, &filter, &page).await;
        let items = found.unwrap().items.into_iter();
        items.map(|line| line.share).collect()
    }

    async fn recipient_id(&self, name: &str) -> RecipientId {
        let row = sql!("select id from recipient where name = $1")
            .bind(name)
            .row(self.exchange().db())
            .await
            .unwrap();
        row.unwrap().get("id").unwrap()
    }

    /// Somebody of another team, who has a recipient too.
    async fn stranger(&self) -> Principal {
        let exchange = self.exchange();
        let team = model::dto::TeamNew {
            name: "sales".into(),
            domain: "vehicle".into(),
            title: "Sales".into(),
            cost_center: "1".into(),
            contact: String::new(),
        };
        exchange.team_create(&self.operator, team).await.unwrap();
        let role = MemberChange {
            role: "consumer".into(),
        };
        exchange
            .member_set(&self.operator, "sales", "otto", role)
            .await
            .unwrap();
        let new = RecipientNew {
            name: "sales_weu".into(),
            team: "sales".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange
            .recipient_create(&self.operator, new)
            .await
            .unwrap();
        let otto = exchange.person_by_name("otto").await.unwrap().unwrap().id;
        exchange.principal_of(otto).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn each_side_sees_its_lines_and_the_auditor_all() {
    for world in World::each().await {
        let exchange = world.exchange();
        let otto = world.stranger().await;
        let auditor = model::dto::PersonNew {
            name: "ann".into(),
            title: "Ann".into(),
            email: String::new(),
            password: None,
            roles: vec!["auditor".into()],
        };
        exchange
            .person_create(&world.operator, auditor)
            .await
            .unwrap();
        let ann = exchange.person_by_name("ann").await.unwrap().unwrap().id;
        let ann = exchange.principal_of(ann).await.unwrap().unwrap();
        let visits = world.granted("vehicle-visits", "live").await;
        let (rnd, sales) = (
            world.recipient_id("rnd_weu").await,
            world.recipient_id("sales_weu").await,
        );
        world.asked(rnd, "vehicle-visits", Some(visits)).await;
        world.asked(rnd, "guessed", None).await;
        world.asked(sales, "vehicle-visits", None).await;

        let all = ShareQueryFilter::default;
        let newest_first = ["vehicle-visits", "guessed", "vehicle-visits"];
        assert_eq!(world.log(&ann, all()).await, newest_first);
        assert_eq!(world.log(&world.operator, all()).await, newest_first);
        // The consumer's team all that it asked for, the owner all that was asked of its product, with a grant or without.
        assert_eq!(
            world.log(&world.mara, all()).await,
            ["guessed", "vehicle-visits"]
        );
        assert_eq!(
            world.log(&world.jonas, all()).await,
            ["vehicle-visits", "vehicle-visits"]
        );
        assert_eq!(world.log(&otto, all()).await, ["vehicle-visits"]);
        for (filter, who, expected) in [
            (
                ShareQueryFilter {
                    product: Some("vehicle-visits".into()),
                    ..all()
                },
                &ann,
                2,
            ),
            (
                ShareQueryFilter {
                    answer: Some(ShareAnswer::Refused),
                    table: Some("default.t".into()),
                    ..all()
                },
                &world.jonas,
                1,
            ),
            (
                ShareQueryFilter {
                    answer: Some(ShareAnswer::Given),
                    period: Period::parse(Some("2000-01-01"), None).unwrap(),
                    ..all()
                },
                &world.jonas,
                1,
            ),
            (
                ShareQueryFilter {
                    table: Some("u".into()),
                    ..all()
                },
                &world.jonas,
                0,
            ),
            (
                ShareQueryFilter {
                    period: Period::parse(None, Some("2000-01-01")).unwrap(),
                    ..all()
                },
                &world.jonas,
                0,
            ),
            (
                ShareQueryFilter {
                    recipient: Some("rnd_weu".into()),
                    ..all()
                },
                &ann,
                2,
            ),
            (
                ShareQueryFilter {
                    recipient: Some("rnd_weu".into()),
                    ..all()
                },
                &otto,
                0,
            ),
            (
                ShareQueryFilter {
                    grant: Some(visits),
                    ..all()
                },
                &world.jonas,
                1,
            ),
            (
                ShareQueryFilter {
                    grant: Some(visits),
                    ..all()
                },
                &otto,
                0,
            ),
        ] {
            assert_eq!(
                world.log(who, filter.clone()).await.len(),
                expected,
                "{filter:?}"
            );
        }
        let page = |after| PageRequest {
            after,
            limit: Some(2),
        };
        let first = exchange
            .share_queries(&ann, &all(), &page(None))
            .await
            .unwrap();
        assert_eq!((first.items.len(), first.next.is_some()), (2, true));
        let line = &first.items[1];
        assert_eq!(
            (line.recipient.as_str(), line.team.as_str(), line.status),
            ("rnd_weu", "rnd", 404)
        );
        let second = exchange
            .share_queries(&ann, &all(), &page(first.next))
            .await
            .unwrap();
        assert_eq!((second.items.len(), second.next), (1, None));
        assert_eq!(
            (second.items[0].grant, second.items[0].bytes_signed),
            (Some(visits), 17)
        );
        let mut calls = exchange.all_share_queries(&ann, &all()).await.unwrap();
        assert_eq!(calls.next, None);
        let text = share_queries_csv(&calls).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines[0].starts_with("at,recipient,team,call,share"),
            "{text}"
        );
        assert!(lines[2].contains("there is no such table"), "{text}");
        assert!(lines[3].contains(",17,2,5,0.001,producer,"), "{text}");
        // A file that is not all says so, and where to go on.
        calls.next = Some("more".to_owned());
        let text = share_queries_csv(&calls).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(text.lines().count(), 5, "{text}");
        let at = calls.items.last().unwrap().at;
        let says = format!("after 3 calls, and there are earlier ones: ask for those until {at}.");
        assert!(last.contains(&says), "{last}");
        assert!(
            exchange
                .share_queries(&Principal::nobody(), &all(), &page(None))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn old_lines_are_forgotten_and_newer_ones_kept() {
    for world in World::each().await {
        let exchange = world.exchange();
        let rnd = world.recipient_id("rnd_weu").await;
        world.asked(rnd, "old", None).await;
        let kept = exchange.options().query_log_kept;
        assert_eq!(kept, 90 * DAY);
        world.test.clock.advance(DAY);
        world.asked(rnd, "newer", None).await;
        assert_eq!(
            exchange.share_queries_sweep(&world.system).await.unwrap(),
            0
        );
        world.test.clock.advance(kept - DAY);
        assert_eq!(
            exchange.share_queries_sweep(&world.system).await.unwrap(),
            1
        );
        let left = world
            .log(&world.operator, ShareQueryFilter::default())
            .await;
        assert_eq!(left, ["newer"]);
        assert!(exchange.share_queries_sweep(&world.mara).await.is_err());
    }
}

/// What is counted for a call is written with its line, and once.
#[tokio::test]
async fn a_line_comes_with_what_was_counted_for_it() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "live").await;
        let recipient = world.recipient_id("rnd_weu").await;
        let place = |text: &str| text.parse::<Location>().unwrap();
        let event = |key: &str, bytes| MeterEventNew {
            key: key.into(),
            product: None,
            table: None,
            grant: Some(grant),
            recipient: Some(recipient),
            run: None,
            query: None,
            from: place("aws:eu-central-1"),
            to: place("azure:westeurope"),
            bytes,
            busy: 0,
            method: Method::Signed,
            purpose: Purpose::Query,
        };
        let counted = [event("query/1", 70), event("query/1/log", 5)];
        for _ in 0..2 {
            world
                .told_of(recipient, "vehicle-visits", Some(grant), (0, &counted))
                .await;
        }
        let page = PageRequest::default();
        let events = exchange.meter_events(&world.operator, None, &page).await;
        let mut bytes: Vec<u64> = events
            .unwrap()
            .items
            .iter()
            .map(|event| event.bytes)
            .collect();
        bytes.sort_unstable();
        assert_eq!(bytes, [5, 70]);
        let lines = world
            .log(&world.operator, ShareQueryFilter::default())
            .await;
        assert_eq!(lines.len(), 2);
    }
}
