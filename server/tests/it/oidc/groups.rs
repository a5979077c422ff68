//! Who an identity is here, and what its groups give (C-48, C-50).

use std::collections::{BTreeMap, BTreeSet};

use app::words::sign_in::{CLOSED, NOT_YET};
use exchange::Principal;
use exchange::people::{GroupRule, ProviderRules};
use model::dto::{IdentityNew, PersonChange, RolesChange};
use model::{MemberRole, Role};
use serde_json::json;

use super::{each, ines, is_signed_in, me, people, refused, session, signs_in};
use crate::support::identities::Identities;

/// An address links nothing, verified or not; an unverified one is not even kept.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_no_identity() {
    let Some(identities) = Identities::start() else {
        return;
    };
    for app in each(&identities, "entrepot", ProviderRules::default()).await {
        app.person("mara", &["admin"]).await;
        for (verified, name, email) in [(false, "mara-2", ""), (true, "mara-3", "mara@example.org")]
        {
            let subject = identities
                .person(&json!({
                    "preferred_username": "mara",
                    "name": "Mara",
                    "email": "mara@example.org",
                    "email_verified": verified,
                }))
                .await;
            let answer = signs_in(&app, &identities, &subject, "").await;
            let found = people(&app).await;
            let made = found.iter().find(|person| person.name.as_str() == name);
            let made = made.unwrap_or_else(|| panic!("{found:?}"));
            assert_eq!((made.email.as_str(), made.roles.len()), (email, 0));
            let home = app
                .get("/")
                .cookie(&session(&answer).unwrap())
                .header("accept", "text/html")
                .send()
                .await;
            assert!(home.text.contains(name), "{}", home.text);
        }
    }
}

fn rule(group: &str, roles: &[Role], teams: &[(&str, MemberRole)]) -> GroupRule {
    GroupRule {
        group: group.to_owned(),
        roles: roles.iter().copied().collect::<BTreeSet<_>>(),
        teams: teams
            .iter()
            .map(|(team, role)| (team.parse().unwrap(), *role))
            .collect::<BTreeMap<_, _>>(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_give_and_take() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let rules = ProviderRules {
        groups: vec![
            rule("0b4f-money", &[Role::Finance], &[]),
            rule("0b4f-makers", &[], &[("rnd", MemberRole::Producer)]),
        ],
        ..ProviderRules::default()
    };
    for client in ["entrepot", "talkative"] {
        for app in each(&identities, client, rules.clone()).await {
            app.domain("vehicle").await;
            app.team("rnd", "vehicle").await;
            app.team("sales", "vehicle").await;
            let subject = identities.person(&ines()).await;
            let come = async |groups: &[&str]| {
                let mut claims = ines();
                claims["groups"] = json!(groups);
                identities.change(&subject, &claims).await;
                let answer = signs_in(&app, &identities, &subject, "").await;
                assert_eq!(answer.location(), "/");
                let me = me(&app, "ines-keller").await;
                let teams = me.teams.iter();
                let teams = teams.map(|team| format!("{} {}", team.team, team.role));
                (me.roles, teams.collect::<Vec<_>>())
            };
            // Groups that are called as roles and teams are here.
            let none = (vec![], vec![]);
            assert_eq!(come(&["admin", "rnd", "finance", "everybody"]).await, none);
            let all = come(&["0b4f-money", "0b4f-makers", "admin"]).await;
            let rnd = "rnd producer".to_owned();
            assert_eq!(all, (vec![Role::Finance], vec![rnd.clone()]));

            let operator = Principal::operator();
            let roles = RolesChange {
                roles: vec!["finance".to_owned(), "auditor".to_owned()],
                ..RolesChange::default()
            };
            let set = app
                .exchange
                .roles_set(&operator, "ines-keller", roles)
                .await;
            set.unwrap();
            app.member("sales", "ines-keller", "consumer").await;
            let sales = "sales consumer".to_owned();
            let kept = (vec![Role::Auditor], vec![rnd, sales.clone()]);
            assert_eq!(come(&["0b4f-makers"]).await, kept);
            assert_eq!(come(&[]).await, (vec![Role::Auditor], vec![sales.clone()]));
            // A claim that is gone gives as little as one that is empty.
            identities
                .change(&subject, &json!({ "name": "Ines" }))
                .await;
            signs_in(&app, &identities, &subject, "").await;
            assert_eq!(me(&app, "ines-keller").await.roles, [Role::Auditor]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_stays_closed() {
    let Some(identities) = Identities::start() else {
        return;
    };
    for app in each(&identities, "entrepot", ProviderRules::default()).await {
        let subject = identities.person(&ines()).await;
        let cookie = session(&signs_in(&app, &identities, &subject, "").await).unwrap();
        let change = PersonChange {
            disabled: Some(true),
            ..PersonChange::default()
        };
        app.exchange
            .person_update(&Principal::operator(), "ines-keller", change)
            .await
            .unwrap();
        assert!(!is_signed_in(&app, &cookie).await);
        let before = app.changes().await;
        let answer = signs_in(&app, &identities, &subject, "").await;
        refused(&app, &answer, CLOSED).await;
        assert_eq!((people(&app).await.len(), app.changes().await), (1, before));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_known_people_come_in_where_that_is_said() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let rules = ProviderRules {
        known_only: true,
        ..ProviderRules::default()
    };
    for app in each(&identities, "entrepot", rules).await {
        app.person("ines", &[]).await;
        let subject = identities.person(&ines()).await;
        let answer = signs_in(&app, &identities, &subject, "").await;
        refused(&app, &answer, &format!("{NOT_YET} {subject}")).await;
        assert_eq!(people(&app).await.len(), 1);
        let operator = Principal::operator();
        let new = IdentityNew {
            issuer: identities.issuer.clone(),
            subject: subject.clone(),
        };
        let linked = app.exchange.identity_link(&operator, "ines", new).await;
        let answer = signs_in(&app, &identities, &subject, "/catalog").await;
        assert_eq!(answer.location(), "/catalog");
        let cookie = session(&answer).unwrap();
        assert!(is_signed_in(&app, &cookie).await);
        let unlinked = app
            .exchange
            .identity_unlink(&operator, "ines", linked.unwrap().id);
        unlinked.await.unwrap();
        assert!(!is_signed_in(&app, &cookie).await);
        let answer = signs_in(&app, &identities, &subject, "").await;
        refused(&app, &answer, NOT_YET).await;
    }
}
