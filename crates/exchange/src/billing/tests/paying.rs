//! Who pays, where a product says that consumers do.

use model::dto::{
    Grant, MemberChange, PersonNew, ProductChange, PurposeNew, RequestNew, RevokeNew, StorageNew,
};
use model::{GrantDesired, GrantId, Method, RecipientId};

use super::Books;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;

impl Books {
    /// A consumer of the team, which has a recipient in westeurope.
    async fn consumer(&self, team: &str, recipient: &str) -> (Principal, RecipientId) {
        let (exchange, operator) = (self.exchange(), Principal::operator());
        let recipient = self.recipient(team, recipient).await;
        let name = format!("of_{team}");
        let person = PersonNew {
            name: name.clone(),
            title: name.clone(),
            email: String::new(),
            password: None,
            roles: Vec::new(),
        };
        exchange.person_create(&operator, person).await.unwrap();
        let role = MemberChange {
            role: "consumer".into(),
        };
        exchange
            .member_set(&operator, team, &name, role)
            .await
            .unwrap();
        let id = exchange.person_by_name(&name).await.unwrap().unwrap().id;
        let principal = exchange.principal_of(id).await.unwrap().unwrap();
        (principal, recipient)
    }

    async fn replicas_in_westeurope(&self) {
        let storage = StorageNew {
            name: "az_weu".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
            url: "file:///srv/az_weu".into(),
            endpoint: None,
            credential: None,
            replicas: true,
        };
        let operator = Principal::operator();
        let made = self.exchange().storage_create(&operator, storage).await;
        made.unwrap();
    }

    /// Granted at once.
    async fn granted(&self, who: &Principal, recipient: &str, until: &str) -> GrantId {
        let new = RequestNew {
            product: "vehicle-visits".into(),
            recipient: recipient.into(),
            mode: "replica".into(),
            cut: None,
            until: until.into(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "warranty analysis".into(),
            },
        };
        let request = self.exchange().request_create(who, new).await.unwrap();
        request.grant.unwrap()
    }
}

/// Whatever a product says later.
#[tokio::test]
async fn who_paid_then_pays() {
    for books in Books::each().await {
        let (exchange, operator) = (books.exchange(), Principal::operator());
        let update = async |payer: &str| {
            let change = ProductChange {
                access_policy: Some("auto".into()),
                payer: Some(payer.into()),
                ..ProductChange::default()
            };
            let updated = exchange.product_update(&operator, "vehicle-visits", change);
            updated.await.map(|found| found.payer)
        };
        books.replicas_in_westeurope().await;
        update("producer").await.unwrap();
        let (rnd, rnd_weu) = books.consumer("rnd", "rnd_weu").await;
        let read = async |key: &str, bytes: u64| {
            let mut event = books.event(key, "azure:westeurope", (bytes, 0), Method::Measured);
            event.recipient = Some(rnd_weu);
            assert!(exchange.meter_record(&books.system, &event).await.unwrap());
        };
        books.at("2026-06-09T12:00:00Z");
        let grant = books.granted(&rnd, "rnd_weu", "2026-12-31").await;
        read("one", 1).await;
        // What was granted at the producer's cost stays at its cost.
        assert!(matches!(update("consumer").await, Err(Error::Conflict(_))));
        let reason = RevokeNew {
            reason: "over".into(),
        };
        exchange.grant_revoke(&rnd, grant, reason).await.unwrap();
        update("consumer").await.unwrap();
        books.at("2026-06-09T13:00:00Z");
        books.granted(&rnd, "rnd_weu", "2026-12-31").await;
        read("two", 2).await;
        update("producer").await.unwrap();
        books.at("2026-06-10");
        exchange.billing_report(&books.system).await.unwrap();
        let charges = exchange
            .charges(&books.finance, None, &PageRequest::all())
            .await;
        let mut charged: Vec<(String, u64)> = charges
            .unwrap()
            .items
            .iter()
            .map(|charge| (charge.team.to_string(), charge.bytes))
            .collect();
        charged.sort();
        assert_eq!(
            charged,
            [("aftersales".to_owned(), 1), ("rnd".to_owned(), 2)]
        );
    }
}

#[tokio::test]
async fn a_replica_is_paid_by_the_oldest_grant_that_is_open() {
    for books in Books::each().await {
        let exchange = books.exchange();
        let operator = Principal::operator();
        books.replicas_in_westeurope().await;
        let change = ProductChange {
            access_policy: Some("auto".into()),
            payer: Some("consumer".into()),
            ..ProductChange::default()
        };
        exchange
            .product_update(&operator, "vehicle-visits", change)
            .await
            .unwrap();
        let (rnd, rnd_weu) = books.consumer("rnd", "rnd_weu").await;
        let (sales, sales_weu) = books.consumer("sales", "sales_weu").await;

        // A replica that nobody was granted yet, and another place.
        books.at("2026-06-09T12:00:00Z");
        books.work("run/1", (1, 0)).await;
        books.at("2026-06-10T12:00:00Z");
        let first = books.granted(&rnd, "rnd_weu", "2026-12-31").await;
        books
            .count("run/2", "azure:northeurope", 2, Method::Measured)
            .await;
        books.at("2026-06-11T12:00:00Z");
        books.work("run/3", (4, 0)).await;
        // The second grant changes nothing as long as the first is open.
        books.at("2026-06-12T12:00:00Z");
        books.granted(&sales, "sales_weu", "2026-06-20").await;
        books.at("2026-06-13T12:00:00Z");
        books.work("run/4", (8, 0)).await;
        books.at("2026-06-14T12:00:00Z");
        books.work("run/5", (16, 0)).await;
        let reason = RevokeNew {
            reason: "over".into(),
        };
        books.at("2026-06-14T18:00:00Z");
        let ended: Grant = exchange.grant_revoke(&rnd, first, reason).await.unwrap();
        assert_eq!(ended.desired, GrantDesired::Ended);
        // Later on the same day it is the other's.
        books.at("2026-06-14T19:00:00Z");
        books.work("run/6", (32, 0)).await;
        // Nobody's any more, though no reconciler has come by: the one that ended last.
        books.at("2026-06-21T12:00:00Z");
        books.work("run/7", (64, 0)).await;
        // What somebody reads is theirs.
        for (key, recipient, bytes) in [("read/1", rnd_weu, 128), ("read/2", sales_weu, 256)] {
            let mut event = books.event(key, "azure:westeurope", (bytes, 0), Method::Measured);
            event.recipient = Some(recipient);
            let written = exchange.meter_record(&books.system, &event).await;
            assert!(written.unwrap());
        }

        books.at("2026-06-21T13:00:00Z");
        // Each team's statement says what waits for it to pay, and no other's.
        let expected = [
            ("aftersales", 1 + 2),
            ("rnd", 4 + 8 + 16 + 128),
            ("sales", 32 + 64 + 256),
        ];
        for (team, bytes) in expected {
            let waits = exchange.statement(&books.finance, team, "2026-06").await;
            let waits: u64 = waits.unwrap().iter().map(|found| found.waiting_bytes).sum();
            assert_eq!(waits, bytes, "{team}");
        }
        books.at("2026-06-22");
        exchange.billing_report(&books.system).await.unwrap();
        let charges = exchange
            .charges(&books.finance, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        for (team, bytes) in expected {
            let of_team = charges.iter().filter(|charge| charge.team.as_str() == team);
            let charged: u64 = of_team.map(|charge| charge.bytes).sum();
            assert_eq!(charged, bytes, "{team}");
            let [open] = exchange
                .statement(&books.finance, team, "2026-06")
                .await
                .unwrap()
                .try_into()
                .unwrap();
            let billed: u64 = open.lines.iter().map(|line| line.bytes).sum();
            assert_eq!((billed, open.waiting_bytes), (bytes, 0), "{team}");
        }
        let months = exchange.statements(&sales, &PageRequest::all()).await;
        let months = months.unwrap().items;
        let teams: Vec<&str> = months.iter().map(|found| found.team.as_str()).collect();
        assert_eq!(teams, ["sales"]);
    }
}
