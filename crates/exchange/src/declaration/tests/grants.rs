//! Declared grants: decided by who declares them, never past data protection, never behind the back of who ended them.

use model::dto::{
    DecisionNew, DeclarationAction, Grant, PurposeNew, Request, RequestNew, RevokeNew,
};
use model::{GrantDesired, MemberRole, RequestState};

use super::{CONTRACT, Stage, acts, contract, line};
use crate::access::RequestFilter;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;

fn personal(yaml: &str) -> String {
    yaml.replace("classification: internal", "classification: personal")
}

impl Stage {
    async fn grants_now(&self) -> Vec<Grant> {
        let mut grants = self
            .exchange()
            .grants(&self.operator, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        grants.sort_by_key(|grant| (grant.until, grant.desired == GrantDesired::Active));
        grants
    }

    async fn waiting(&self) -> Vec<Request> {
        self.exchange()
            .requests(
                &self.operator,
                &RequestFilter::in_state(Some(RequestState::Submitted)),
                &PageRequest::all(),
            )
            .await
            .unwrap()
            .items
    }

    async fn decide(&self, principal: &Principal, request: &Request, verdict: &str) {
        let new = DecisionNew {
            verdict: verdict.to_owned(),
            note: "looked at".to_owned(),
            revision: request.revision,
            stage: None,
            live_bytes_per_day: None,
            scope: None,
        };
        self.exchange()
            .request_decide(principal, request.id, new)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn another_end_is_another_grant_in_the_same_change() {
    for stage in Stage::each_deployed().await {
        let longer = contract("until: 2027-12-31", "until: 2028-06-30");
        let plan = stage.plan(&stage.operator, &longer).await;
        let (action, fields, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Update);
        assert_eq!(
            fields,
            ["until: 2028-01-01T00:00:00Z -> 2028-07-01T00:00:00Z"]
        );
        assert_eq!(note, "");
        stage.deploy(&stage.operator, &longer).await.unwrap();
        let grants = stage.grants_now().await;
        let seen: Vec<(GrantDesired, &str, String)> = grants
            .iter()
            .map(|grant| {
                (
                    grant.desired,
                    grant.name.as_ref().unwrap().as_str(),
                    grant.until.to_string(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (
                    GrantDesired::Ended,
                    "rnd_visits",
                    "2028-01-01T00:00:00Z".to_owned()
                ),
                (
                    GrantDesired::Active,
                    "rnd_visits",
                    "2028-07-01T00:00:00Z".to_owned()
                ),
            ]
        );
        assert_eq!(
            grants[0].ended_reason.as_deref(),
            Some("a declared grant takes its place")
        );
        // The replica was needed throughout: not drained, not made anew.
        let replica = stage
            .exchange()
            .replica(&stage.operator, "vehicle-workshop-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(replica.drain_until, None);
        assert_eq!(replica.job.unwrap().every.as_deref(), Some("2d"));
        assert_eq!(stage.plan(&stage.operator, &longer).await.exit_status(), 0);
    }
}

#[tokio::test]
async fn personal_data_waits_for_data_protection() {
    for stage in Stage::each().await {
        let yaml = personal(CONTRACT);
        let plan = stage.plan(&stage.operator, &yaml).await;
        let (action, _, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Create);
        assert_eq!(note, "waits for data protection");
        let (action, _, note) = line(&plan, "sync_job", "visits_weu");
        assert_eq!(action, DeclarationAction::Unchanged);
        assert!(note.contains("until data protection agrees"), "{note}");
        stage.deploy(&stage.operator, &yaml).await.unwrap();

        // The owner's word is given, nothing is granted.
        assert_eq!(stage.grants_now().await.len(), 0);
        let waiting = stage.waiting().await;
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].open_stages.len(), 1);
        assert_eq!(waiting[0].open_stages[0].as_str(), "data_protection");
        assert_eq!(waiting[0].decisions[0].stage.as_str(), "declared");
        let plan = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(plan.exit_status(), 0);
        let (_, _, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(note, "waits for data protection");

        let dora = stage.person("dora", &["data_protection"], &[]).await;
        stage.decide(&dora, &waiting[0], "approve").await;
        let grants = stage.grants_now().await;
        assert_eq!(grants.len(), 1);
        assert_eq!(grants[0].name.as_ref().unwrap().as_str(), "rnd_visits");
        // Now there is a replica, and the next deployment gives it its job.
        let plan = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(acts(&plan), ["update sync_job visits_weu"]);
        stage.deploy(&stage.operator, &yaml).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &yaml).await.exit_status(), 0);

        // A later end waits again; what stands stands until then.
        let longer = yaml.replace("until: 2027-12-31", "until: 2028-06-30");
        stage.deploy(&stage.operator, &longer).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &longer).await.exit_status(), 0);
        assert_eq!(stage.grants_now().await.len(), 1);
        // Back to what stands: the request is withdrawn, and nothing else happens.
        stage.deploy(&stage.operator, &yaml).await.unwrap();
        assert_eq!(stage.waiting().await.len(), 0);
        assert_eq!(stage.plan(&stage.operator, &yaml).await.exit_status(), 0);
        // And forth: what was withdrawn by a file is no refusal.
        stage.deploy(&stage.operator, &longer).await.unwrap();
        assert_eq!(stage.waiting().await.len(), 1);
        let longest = yaml.replace("until: 2027-12-31", "until: 2029-06-30");
        stage.deploy(&stage.operator, &longest).await.unwrap();
        let waiting = stage.waiting().await;
        stage.decide(&dora, &waiting[0], "approve").await;
        let grants = stage.grants_now().await;
        let desired: Vec<GrantDesired> = grants.iter().map(|grant| grant.desired).collect();
        assert_eq!(desired, [GrantDesired::Ended, GrantDesired::Active]);
        assert_eq!(grants[1].until.to_string(), "2029-07-01T00:00:00Z");
        assert_eq!(stage.plan(&stage.operator, &longest).await.exit_status(), 0);
    }
}

#[tokio::test]
async fn what_is_not_personal_any_more_does_not_wait() {
    for stage in Stage::each().await {
        stage
            .deploy(&stage.operator, &personal(CONTRACT))
            .await
            .unwrap();
        assert_eq!(stage.waiting().await.len(), 1);
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        let (action, fields, _) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Update);
        assert_eq!(fields, ["state: submitted -> approved"]);
        stage.deploy(&stage.operator, CONTRACT).await.unwrap();
        assert_eq!(stage.waiting().await.len(), 0);
        assert_eq!(stage.grants_now().await.len(), 1);
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 0);
        // The other way round nothing that stands slips through.
        let back = stage
            .deploy(&stage.operator, &personal(CONTRACT))
            .await
            .unwrap_err();
        assert!(
            back.to_string().contains("no data-protection officer"),
            "{back}"
        );
    }
}

#[tokio::test]
async fn a_producer_does_not_call_personal_data_harmless() {
    for stage in Stage::each().await {
        let yaml = personal(CONTRACT);
        stage.deploy(&stage.operator, &yaml).await.unwrap();
        let mara = stage
            .person("mara", &[], &[("aftersales", MemberRole::Producer)])
            .await;
        let refused = stage.deploy(&mara, CONTRACT).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        assert_eq!(stage.grants_now().await.len(), 0);
        assert_eq!(stage.waiting().await.len(), 1);
    }
}

#[tokio::test]
async fn who_declares_does_not_agree_for_data_protection_too() {
    for stage in Stage::each().await {
        let both = stage
            .person("ada", &["admin", "data_protection"], &[])
            .await;
        stage.deploy(&both, &personal(CONTRACT)).await.unwrap();
        let waiting = stage.waiting().await;
        let new = DecisionNew {
            verdict: "approve".to_owned(),
            note: String::new(),
            revision: waiting[0].revision,
            stage: None,
            live_bytes_per_day: None,
            scope: None,
        };
        let refused = stage
            .exchange()
            .request_decide(&both, waiting[0].id, new)
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        assert_eq!(stage.grants_now().await.len(), 0);
    }
}

#[tokio::test]
async fn what_somebody_ended_or_rejected_is_not_given_again() {
    for stage in Stage::each_deployed().await {
        let grants = stage.grants_now().await;
        let reason = RevokeNew {
            reason: "an incident".to_owned(),
        };
        stage
            .exchange()
            .grant_revoke(&stage.operator, grants[0].id, reason)
            .await
            .unwrap();
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        let (action, _, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("an incident"), "{note}");
        assert_eq!(plan.exit_status(), 1);
        let before = stage.audit_rows().await;
        let refused = stage.deploy(&stage.operator, CONTRACT).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        assert_eq!(stage.audit_rows().await, before);
        // Said anew, with another end, it is.
        let anew = contract("until: 2027-12-31", "until: 2027-11-30");
        stage.deploy(&stage.operator, &anew).await.unwrap();
        assert_eq!(stage.grants_now().await.len(), 2);
    }
    for stage in Stage::each().await {
        let yaml = personal(CONTRACT);
        stage.deploy(&stage.operator, &yaml).await.unwrap();
        let dora = stage.person("dora", &["data_protection"], &[]).await;
        let waiting = stage.waiting().await;
        stage.decide(&dora, &waiting[0], "reject").await;
        let plan = stage.plan(&stage.operator, &yaml).await;
        let (action, _, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("rejected"), "{note}");
    }
}

#[tokio::test]
async fn a_grant_whose_time_is_over_is_as_declared_until_it_is_prolonged() {
    for stage in Stage::each_deployed().await {
        let end = model::Timestamp::parse("2028-01-01T00:00:00Z").unwrap();
        for expired in [false, true] {
            stage.test.clock.set(end);
            if expired {
                stage
                    .exchange()
                    .grants_expire(&Principal::system())
                    .await
                    .unwrap();
            }
            let plan = stage.plan(&stage.operator, CONTRACT).await;
            assert_eq!(plan.exit_status(), 0, "{plan:#?}");
            assert_eq!(line(&plan, "grant", "rnd_visits").2, "its time is over");
            let past = contract("until: 2027-12-31", "until: 2027-12-30");
            let plan = stage.plan(&stage.operator, &past).await;
            let (action, _, note) = line(&plan, "grant", "rnd_visits");
            assert_eq!(action, DeclarationAction::Refused);
            assert!(note.contains("has passed"), "{note}");
        }
        let longer = contract("until: 2027-12-31", "until: 2028-12-31");
        stage.deploy(&stage.operator, &longer).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &longer).await.exit_status(), 0);
    }
}

#[tokio::test]
async fn an_open_end_that_no_worker_has_seen_yet_is_prolonged() {
    for stage in Stage::each_deployed().await {
        let end = model::Timestamp::parse("2028-01-01T00:00:00Z").unwrap();
        stage.test.clock.set(end);
        let longer = contract("until: 2027-12-31", "until: 2028-12-31");
        stage.deploy(&stage.operator, &longer).await.unwrap();
        let desired: Vec<GrantDesired> = stage
            .grants_now()
            .await
            .iter()
            .map(|grant| grant.desired)
            .collect();
        assert_eq!(desired, [GrantDesired::Ended, GrantDesired::Active]);
    }
}

/// What otto asks for in the portal.
fn asked(mode: &str) -> RequestNew {
    RequestNew {
        product: "vehicle-workshop-visits".to_owned(),
        recipient: "rnd_weu".to_owned(),
        mode: mode.to_owned(),
        cut: None,
        until: "2027-12-31".to_owned(),
        purpose: PurposeNew {
            code: "warranty".to_owned(),
            text: "warranty analysis".to_owned(),
        },
    }
}

#[tokio::test]
async fn what_people_were_granted_is_taken_for_what_it_is() {
    for stage in Stage::each().await {
        let (before, _) = CONTRACT.split_once("grants:").unwrap();
        stage.deploy(&stage.operator, before).await.unwrap();
        let otto = stage
            .person("otto", &[], &[("rnd", MemberRole::Consumer)])
            .await;
        let mara = stage
            .person("mara", &[], &[("aftersales", MemberRole::Producer)])
            .await;
        let request = stage
            .exchange()
            .request_create(&otto, asked("replica"))
            .await
            .unwrap();
        // While it waits, nobody declares around it.
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        let (action, _, note) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("waits for a decision"), "{note}");
        stage.decide(&mara, &request, "approve").await;
        // The same access: nothing to give. And its export names it.
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        assert_eq!(
            line(&plan, "grant", "rnd_visits").0,
            DeclarationAction::Unchanged
        );
        let yaml = stage
            .exchange()
            .declaration_export(&stage.operator, None)
            .await
            .unwrap()
            .yaml;
        assert!(yaml.contains("grant-"), "{yaml}");
        let plan = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(acts(&plan), [""; 0]);
        // Another end takes its place.
        let longer = contract("until: 2027-12-31", "until: 2028-06-30");
        stage.deploy(&stage.operator, &longer).await.unwrap();
        let desired: Vec<GrantDesired> = stage
            .grants_now()
            .await
            .iter()
            .map(|grant| grant.desired)
            .collect();
        assert_eq!(desired, [GrantDesired::Ended, GrantDesired::Active]);
        // Another name takes the place of the old one.
        let renamed = longer.replace("rnd_visits:", "visits_for_rnd:");
        let plan = stage.plan(&stage.operator, &renamed).await;
        let (action, fields, _) = line(&plan, "grant", "visits_for_rnd");
        assert_eq!(action, DeclarationAction::Update);
        assert_eq!(fields, ["name: rnd_visits -> visits_for_rnd"]);
        stage.deploy(&stage.operator, &renamed).await.unwrap();
        let plan = stage.plan(&stage.operator, &renamed).await;
        assert_eq!(plan.exit_status(), 0);
        assert_eq!(plan.count(DeclarationAction::Foreign), 0);
    }
}

#[tokio::test]
async fn a_job_needs_a_replica() {
    for stage in Stage::each().await {
        let live = contract("mode: replica", "mode: live");
        let plan = stage.plan(&stage.operator, &live).await;
        let (action, _, note) = line(&plan, "sync_job", "visits_weu");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(
            note.contains("there is no replica of vehicle-workshop-visits in az_weu yet"),
            "{note}"
        );
        let none = contract("replicas: true", "replicas: false");
        let plan = stage.plan(&stage.operator, &none).await;
        assert_eq!(
            line(&plan, "grant", "rnd_visits").2,
            "no storage in azure:westeurope takes replicas; add one, or use mode live"
        );
        assert!(matches!(
            stage.deploy(&stage.operator, &none).await,
            Err(Error::Conflict(_))
        ));
        assert_eq!(stage.audit_rows().await, 0);
    }
}

/// The bytes of a day are said of the grant that stands, not by another one; what the file does not say stays.
#[tokio::test]
async fn the_bytes_of_a_day_are_changed_on_what_stands() {
    for stage in Stage::each_deployed().await {
        let limited = contract("mode: replica,", "mode: replica, live_bytes_per_day: 5000,");
        let plan = stage.plan(&stage.operator, &limited).await;
        let (action, fields, _) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Update);
        assert_eq!(fields.len(), 1, "{fields:?}");
        assert!(fields[0].contains("5000"), "{fields:?}");
        stage.deploy(&stage.operator, &limited).await.unwrap();
        let grants = stage.grants_now().await;
        assert_eq!(grants.len(), 1);
        assert_eq!(grants[0].live_bytes_per_day, Some(5_000));
        assert_eq!(stage.plan(&stage.operator, &limited).await.exit_status(), 0);
        let silent = stage.plan(&stage.operator, CONTRACT).await;
        assert_eq!(silent.exit_status(), 0);
        // With another end it goes along.
        let longer = contract("until: 2027-12-31", "until: 2028-06-30");
        stage.deploy(&stage.operator, &longer).await.unwrap();
        let grants = stage.grants_now().await;
        assert_eq!(grants[1].live_bytes_per_day, Some(5_000));
    }
}

/// Rows are said of the grant that stands, too; conditions that fit no table are refused.
#[tokio::test]
async fn the_part_that_a_grant_opens_is_changed_on_what_stands() {
    for stage in Stage::each_deployed().await {
        for wrong in [
            "mode: replica, rows: \"country = 'DE'\",",
            "mode: live, rows: \"country like 'DE'\",",
            "mode: live, directory: true, rows: \"country = 'DE'\",",
        ] {
            let wrong = contract("mode: replica,", wrong);
            assert!(stage.deploy(&stage.operator, &wrong).await.is_err());
        }
        let live = contract("mode: replica,", "mode: live, directory: true,");
        stage.deploy(&stage.operator, &live).await.unwrap();
        let grants = stage.grants_now().await;
        let grant = grants.last().unwrap();
        assert_eq!((grant.rows.as_deref(), grant.directory), (None, true));
        let none = contract("mode: replica,", "mode: live, directory: false,");
        let plan = stage.plan(&stage.operator, &none).await;
        let (action, fields, _) = line(&plan, "grant", "rnd_visits");
        assert_eq!(action, DeclarationAction::Update);
        assert_eq!(fields.len(), 1, "{fields:?}");
        stage.deploy(&stage.operator, &none).await.unwrap();
        assert!(!stage.grants_now().await.last().unwrap().directory);
        assert_eq!(stage.plan(&stage.operator, &none).await.exit_status(), 0);
    }
}
