//! What part of a product a grant opens: said with the decision or later, by those who may, kept over a renewal.

use model::dto::{
    Column, DecisionNew, GrantScope, GrantScopeNew, Inspection, ProductNew, ProductPublish,
    RecipientProperties, RecipientProperty, TableNew,
};
use model::time::HOUR;
use model::{GrantId, ProductName};

use super::{World, inspection};
use crate::access::SharedTable;
use crate::error::Error;

const PARTED: &str = "vehicle-parted";

fn rows(rows: &str) -> GrantScope {
    GrantScope {
        rows: Some(rows.to_owned()),
        directory: false,
    }
}

impl World {
    /// A product whose one table is partitioned by country, year and an instant.
    async fn parted(&self, classification: &str) {
        let column = |name: &str, type_text: &str| Column {
            name: name.to_owned(),
            type_text: type_text.to_owned(),
            nullable: true,
            comment: None,
        };
        let found = Inspection {
            columns: vec![
                column("id", "bigint"),
                column("country", "string"),
                column("Year", "int"),
                column("at", "timestamp"),
            ],
            partition_columns: ["country", "Year", "at"].map(str::to_owned).to_vec(),
            ..inspection()
        };
        let files = &self.test.world;
        files.put_table("s3://lake/aftersales", PARTED, Ok(found));
        let new = ProductNew {
            name: PARTED.into(),
            team: "aftersales".into(),
            title: "Parted".into(),
            description: String::new(),
            tags: Vec::new(),
            storage: "aws_eu".into(),
            classification: classification.into(),
            access_policy: "owner".into(),
            payer: "producer".into(),
            baseline_days: 7,
            tables: vec![TableNew {
                name: "t".into(),
                schema: "default".into(),
                path: PARTED.into(),
                storage: None,
                format: "delta".into(),
                history: true,
                change_data_feed: false,
                history_start: None,
            }],
        };
        let exchange = self.exchange();
        exchange.product_register(&self.jonas, new).await.unwrap();
        exchange
            .product_publish(&self.jonas, PARTED, ProductPublish::default())
            .await
            .unwrap();
    }

    async fn decided_with(&self, mode: &str, scope: GrantScope) -> Result<GrantId, Error> {
        let exchange = self.exchange();
        let asked = exchange.request_create(&self.mara, Self::ask(PARTED, mode));
        let request = asked.await.unwrap();
        let yes = DecisionNew {
            scope: Some(scope),
            ..Self::say("approve", request.revision)
        };
        let decided = exchange.request_decide(&self.jonas, request.id, yes).await;
        if decided.is_err() {
            let withdrawn = exchange.request_withdraw(&self.mara, request.id).await;
            withdrawn.unwrap();
        }
        Ok(decided?.grant.unwrap())
    }

    async fn narrow(&self, grant: GrantId, scope: GrantScope) -> Result<(), Error> {
        let new = GrantScopeNew {
            rows: scope.rows,
            directory: scope.directory,
            revision: None,
        };
        let narrowed = self.exchange().grant_narrow(&self.jonas, grant, new).await;
        narrowed.map(|_| ())
    }

    async fn shared(&self) -> SharedTable {
        let exchange = self.exchange();
        let recipients = exchange.recipient_info("rnd_weu").await.unwrap();
        let id = recipients.unwrap().id;
        let all = exchange.shared_tables(&self.system, id).await.unwrap();
        let name: ProductName = PARTED.parse().unwrap();
        all.into_iter().find(|table| table.share == name).unwrap()
    }
}

#[tokio::test]
async fn a_grant_opens_what_was_decided_and_a_renewal_no_more() {
    for world in World::each().await {
        world.parted("internal").await;
        let exchange = world.exchange();
        for (wrong, says) in [
            ("id = 1", "no partition column"),
            ("nosuch = 1", "no partition column"),
            ("year = 'x'", "is no int"),
            ("at = '2026-01-01'", "compared exactly"),
            ("country like 'D'", "should stand"),
        ] {
            let refused = world.decided_with("live", rows(wrong)).await;
            let Err(Error::Invalid(fields)) = refused else {
                panic!("{wrong}");
            };
            assert_eq!(fields[0].field, "scope.rows", "{wrong}");
            assert!(fields[0].message.contains(says), "{}", fields[0].message);
        }
        let both = GrantScope {
            directory: true,
            ..rows("country = 'DE'")
        };
        assert!(world.decided_with("live", both.clone()).await.is_err());
        let replica = world.decided_with("replica", rows("country = 'DE'")).await;
        assert!(matches!(replica, Err(Error::Invalid(_))));

        let scope = rows("COUNTRY='DE' and year in (2024, ${recipient.year})");
        let grant = world.decided_with("live", scope).await.unwrap();
        let said = "COUNTRY = 'DE' and year in ('2024', ${recipient.year})";
        let shown = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(shown.rows.as_deref(), Some(said));
        assert!(!shown.may_narrow && !shown.directory);
        assert!(
            exchange
                .grant(&world.jonas, grant)
                .await
                .unwrap()
                .may_narrow
        );
        let request = exchange.request(&world.mara, shown.request).await.unwrap();
        assert_eq!(request.scope.rows.as_deref(), Some(said));
        let shared = world.shared().await;
        assert_eq!(shared.rows().unwrap().unwrap().to_string(), said);
        assert_eq!(shared.directory(), None);

        // Asked again, with a plain yes: no more than before. A replica would hold all of it.
        let again = world.decided_with("live", GrantScope::default()).await;
        let again = exchange.grant(&world.jonas, again.unwrap()).await.unwrap();
        assert_eq!(again.rows.as_deref(), Some(said));
        let replica = world.decided_with("replica", GrantScope::default()).await;
        assert!(matches!(replica, Err(Error::Conflict(_))));

        assert!(world.narrow(grant, both).await.is_err());
        let not_theirs = GrantScopeNew::default();
        let refused = exchange.grant_narrow(&world.mara, grant, not_theirs).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        let folder = GrantScope {
            rows: None,
            directory: true,
        };
        world.narrow(grant, folder).await.unwrap();
        let shared = world.shared().await;
        assert_eq!(shared.grant_id, grant);
        assert_eq!(
            shared.directory().as_deref(),
            Some("s3://lake/aftersales/vehicle-parted")
        );
        // Lent only while it is allowed, and noted.
        let (_, token) = world.reading_token().await;
        let until = exchange.now().plus(HOUR);
        let lend =
            || exchange.credential_lent(&world.system, (grant, token), shared.table_id, until);
        assert!(lend().await.unwrap());
        let noted = exchange.grant(&world.jonas, grant).await.unwrap();
        assert_eq!(noted.urls_until, Some(until));
        let opens = || exchange.reading_opens(&world.system, grant, Some(token));
        assert_eq!(opens().await.unwrap().unwrap().rows, None);
        world.narrow(grant, rows("year = 2024")).await.unwrap();
        assert!(!lend().await.unwrap());
        let opened = opens().await.unwrap().unwrap().rows.unwrap();
        assert_eq!(opened.to_string(), "year = '2024'");
    }
}

#[tokio::test]
async fn of_personal_data_an_officer_says_it_and_properties_are_an_admins() {
    for world in World::each().await {
        world.parted("personal").await;
        let exchange = world.exchange();
        let asked = exchange.request_create(&world.mara, World::ask(PARTED, "live"));
        let request = asked.await.unwrap();
        let yes = DecisionNew {
            scope: Some(rows("country = 'DE'")),
            ..World::say("approve", request.revision)
        };
        let decided = exchange.request_decide(&world.jonas, request.id, yes).await;
        let decided = decided.unwrap();
        let yes = DecisionNew {
            scope: Some(rows("year = 2024")),
            ..World::say("approve", decided.revision)
        };
        let decided = exchange.request_decide(&world.dora, request.id, yes).await;
        let grant = decided.unwrap().grant.unwrap();
        let shown = exchange.grant(&world.jonas, grant).await.unwrap();
        assert_eq!(
            shown.rows.as_deref(),
            Some("country = 'DE' and year = '2024'")
        );
        assert!(!shown.may_narrow);
        let refused = world.narrow(grant, GrantScope::default()).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        let whole = GrantScopeNew::default();
        let lifted = exchange.grant_narrow(&world.dora, grant, whole).await;
        assert_eq!(lifted.unwrap().rows, None);

        let property = |name: &str| RecipientProperties {
            properties: vec![RecipientProperty {
                name: name.to_owned(),
                value: "DE".to_owned(),
            }],
        };
        let country = property("country");
        let own = exchange.recipient_properties_set(&world.mara, "rnd_weu", country.clone());
        assert!(matches!(own.await, Err(Error::Forbidden(_))));
        for wrong in ["team", "Country", ""] {
            let set =
                exchange.recipient_properties_set(&world.operator, "rnd_weu", property(wrong));
            assert!(matches!(set.await, Err(Error::Invalid(_))), "{wrong}");
        }
        let set = exchange.recipient_properties_set(&world.operator, "rnd_weu", country.clone());
        assert_eq!(set.await.unwrap(), country);
        let seen = exchange.recipient_properties(&world.mara, "rnd_weu").await;
        assert_eq!(seen.unwrap(), country);
        let id = exchange.recipient_info("rnd_weu").await.unwrap();
        let all = exchange
            .reader_properties(&world.system, id.unwrap().id)
            .await
            .unwrap();
        let all: Vec<String> = all.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(
            all,
            [
                "cloud=azure",
                "country=DE",
                "name=rnd_weu",
                "region=westeurope",
                "team=rnd"
            ]
        );
    }
}
