//! What waits for whose decision: the list's filter against what each request says of itself, for everybody.

use std::collections::BTreeSet;

use model::dto::{DecisionNew, MemberChange, PersonNew, RecipientNew, Request, RequestNew};
use model::{MemberRole, RequestId, RequestState, Role, ServiceTokenId, Stage, Verdict};

use super::World;
use crate::access::RequestFilter;
use crate::page::PageRequest;
use crate::policy::{Scope, allows};
use crate::principal::Principal;
use crate::{Operation, sql};

impl World {
    /// Asks for a product with a recipient that is made for it.
    async fn asks(&self, who: &Principal, product: &str, recipient: &str) -> Request {
        let exchange = self.exchange();
        let new = RecipientNew {
            name: recipient.into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange.recipient_create(&self.mara, new).await.unwrap();
        // Each at an instant of its own: what is first is known.
        self.test.clock.advance(1_000_000);
        let new = RequestNew {
            recipient: recipient.into(),
            ..Self::ask(product, "live")
        };
        exchange.request_create(who, new).await.unwrap()
    }

    async fn says(&self, who: &Principal, request: &Request, verdict: &str, stage: Stage) {
        let new = DecisionNew {
            stage: Some(stage.to_string()),
            ..Self::say(verdict, request.revision)
        };
        self.exchange()
            .request_decide(who, request.id, new)
            .await
            .unwrap();
    }

    async fn somebody(&self, name: &str, role: Role) -> Principal {
        let new = PersonNew {
            name: name.into(),
            title: name.into(),
            email: String::new(),
            password: None,
            roles: vec![role.to_string()],
        };
        let exchange = self.exchange();
        exchange.person_create(&self.operator, new).await.unwrap();
        let id = exchange.person_by_name(name).await.unwrap().unwrap().id;
        exchange.principal_of(id).await.unwrap().unwrap()
    }

    /// One request in each state that matters, by the name of its recipient.
    async fn every_case(&mut self) {
        let exchange = self.exchange().clone();
        // Jonas owns and consumes: what he asks for himself somebody else decides.
        let role = MemberChange {
            role: "consumer".into(),
        };
        exchange
            .member_set(&self.operator, "rnd", "jonas", role)
            .await
            .unwrap();
        let jonas = self.jonas.person_id().unwrap();
        self.jonas = exchange.principal_of(jonas).await.unwrap().unwrap();
        self.product("vehicle-trips", "internal", "owner").await;

        self.asks(&self.mara, "vehicle-visits", "open").await;
        self.asks(&self.jonas, "vehicle-visits", "his_own").await;
        let over = self.asks(&self.mara, "vehicle-visits", "rejected").await;
        self.says(&self.jonas, &over, "reject", Stage::Owner).await;
        let over = self.asks(&self.mara, "vehicle-visits", "approved").await;
        self.says(&self.jonas, &over, "approve", Stage::Owner).await;
        let over = self.asks(&self.mara, "vehicle-visits", "withdrawn").await;
        exchange
            .request_withdraw(&self.mara, over.id)
            .await
            .unwrap();
        self.asks(&self.mara, "vehicle-parts", "at_once").await;

        self.asks(&self.mara, "vehicle-claims", "personal").await;
        let half = self.asks(&self.mara, "vehicle-claims", "owned").await;
        self.says(&self.jonas, &half, "approve", Stage::Owner).await;
        let half = self.asks(&self.mara, "vehicle-claims", "by_dora").await;
        self.says(&self.dora, &half, "approve", Stage::Owner).await;
        let half = self.asks(&self.mara, "vehicle-claims", "protected").await;
        self.says(&self.dora, &half, "approve", Stage::DataProtection)
            .await;
        let declared = self.asks(&self.mara, "vehicle-claims", "declared").await;
        let mut change = exchange.change(&self.operator).await.unwrap();
        exchange
            .decision_store(
                &mut change,
                declared.id,
                Stage::Declared,
                Verdict::Approve,
                None,
                "",
                1,
            )
            .await
            .unwrap();
        change.commit().await.unwrap();

        // Whose product decides by itself since.
        self.asks(&self.mara, "vehicle-trips", "left_over").await;
        sql!("update product set access_policy = 'auto' where name = 'vehicle-trips'")
            .execute(exchange.db())
            .await
            .unwrap();
    }

    /// All that `who` finds, three at a time.
    async fn found(&self, who: &Principal, filter: RequestFilter) -> Vec<Request> {
        let mut page = PageRequest {
            after: None,
            limit: Some(3),
        };
        let mut items = Vec::new();
        loop {
            let found = self.exchange().requests(who, &filter, &page).await.unwrap();
            items.extend(found.items);
            if found.next.is_none() {
                return items;
            }
            page.after = found.next;
        }
    }
}

fn recipients(requests: &[Request]) -> Vec<&str> {
    requests
        .iter()
        .map(|request| request.recipient.as_str())
        .collect()
}

#[tokio::test]
async fn the_filter_finds_what_each_may_decide_and_nothing_else() {
    for mut world in World::each().await {
        world.every_case().await;
        let exchange = world.exchange();
        let team = exchange.team_by_name("aftersales").await.unwrap().unwrap();
        let token = |person: &Principal, role: Option<MemberRole>| {
            let id = ServiceTokenId::new(exchange.now());
            person.clone().service(id, role.map(|role| (team.id, role)))
        };
        let officer = world.somebody("dan", Role::DataProtection).await;
        let owners = vec!["open", "his_own", "personal", "protected"];
        let cases: Vec<(&str, Principal, Option<Vec<&str>>)> = vec![
            (
                "producer",
                world.jonas.clone(),
                Some(vec!["open", "personal", "protected"]),
            ),
            (
                "producer and officer",
                world.dora.clone(),
                Some(vec!["open", "his_own", "personal", "owned", "declared"]),
            ),
            (
                "officer",
                officer.clone(),
                Some(vec!["personal", "owned", "by_dora", "declared"]),
            ),
            ("consumer", world.mara.clone(), Some(vec![])),
            ("stranger", world.otto.clone(), Some(vec![])),
            ("operator", world.operator.clone(), Some(vec![])),
            (
                "admin",
                world.somebody("ada", Role::Admin).await,
                Some(vec![]),
            ),
            (
                "auditor",
                world.somebody("ann", Role::Auditor).await,
                Some(vec![]),
            ),
            (
                "finance",
                world.somebody("fin", Role::Finance).await,
                Some(vec![]),
            ),
            // A token acts for a team and answers to a person, who has asked and decided.
            (
                "a team's token, of a stranger",
                token(&world.otto, Some(MemberRole::Producer)),
                Some(owners),
            ),
            (
                "a team's token, of its producer",
                token(&world.jonas, Some(MemberRole::Producer)),
                Some(vec!["open", "personal", "protected"]),
            ),
            (
                "a team's token that only reads",
                token(&world.jonas, Some(MemberRole::Consumer)),
                Some(vec![]),
            ),
            ("the officer's token", token(&officer, None), None),
        ];
        for (title, who, expected) in cases {
            let every = world.found(&who, RequestFilter::default()).await;
            let may: BTreeSet<RequestId> = every
                .iter()
                .filter(|request| !request.may_decide.is_empty())
                .map(|request| request.id)
                .collect();
            let mine = world.found(&who, RequestFilter::waiting_for_me()).await;
            let ids: BTreeSet<RequestId> = mine.iter().map(|request| request.id).collect();
            assert_eq!(ids, may, "{title}: {:?}", recipients(&mine));
            assert_eq!(mine.len(), ids.len(), "{title}: once each");
            if let Some(expected) = expected {
                // In the order in which they were asked: the oldest first.
                assert_eq!(recipients(&mine), expected, "{title}");
            }
            for request in &mine {
                let record = exchange.request_record(exchange.db(), request.id).await;
                let scope = record.unwrap().unwrap().scope();
                assert!(allows(&who, Operation::RequestDecide, &scope), "{title}");
            }
            // Of the others nothing is lost.
            let rest = RequestFilter {
                state: None,
                waiting_for_me: Some(false),
            };
            let rest = world.found(&who, rest).await;
            assert_eq!(rest.len() + mine.len(), every.len(), "{title}");
            assert!(rest.iter().all(|request| !ids.contains(&request.id)));
            let others = world.found(&who, RequestFilter::waiting_for_others()).await;
            assert!(others.iter().all(|request| {
                request.state == RequestState::Submitted && !ids.contains(&request.id)
            }));
            // Nobody decides what the list holds back.
            if !allows(&who, Operation::RequestDecide, &Scope::owner(team.id))
                && !who.has(Role::DataProtection)
            {
                assert!(mine.is_empty(), "{title}");
            }
        }
        let nobody = exchange
            .requests(
                &Principal::nobody(),
                &RequestFilter::waiting_for_me(),
                &PageRequest::all(),
            )
            .await;
        assert!(nobody.is_err());
    }
}

/// Behind many that wait for others.
#[tokio::test]
async fn what_waits_for_one_is_on_the_first_page() {
    for world in World::each().await {
        let exchange = world.exchange();
        let officer = world.somebody("dan", Role::DataProtection).await;
        world.asks(&world.mara, "vehicle-claims", "first").await;
        for count in 0..3 {
            let recipient = format!("later_{count}");
            let half = world.asks(&world.mara, "vehicle-claims", &recipient).await;
            world
                .says(&officer, &half, "approve", Stage::DataProtection)
                .await;
        }
        let page = PageRequest {
            after: None,
            limit: Some(2),
        };
        let found = exchange
            .requests(&officer, &RequestFilter::waiting_for_me(), &page)
            .await
            .unwrap();
        assert_eq!(recipients(&found.items), ["first"]);
        assert_eq!(found.next, None);
    }
}
