//! People who come by a provider, on both databases.

use model::dto::{
    DomainNew, IdentityNew, MemberChange, PasswordChange, PersonChange, PersonNew, RolesChange,
    TeamNew,
};

use super::*;
use crate::Options;
use crate::page::PageRequest;
use crate::people::GroupRule;
use crate::testing::TestExchange;

const ISSUER: &str = "https://id.example";

fn rule(group: &str, roles: &[Role], teams: &[(&str, MemberRole)]) -> GroupRule {
    GroupRule {
        group: group.to_owned(),
        roles: roles.iter().copied().collect(),
        teams: teams
            .iter()
            .map(|(team, role)| (team.parse().unwrap(), *role))
            .collect(),
    }
}

/// The same exchange with a provider.
fn with(test: &TestExchange, rules: ProviderRules) -> Exchange {
    let options = Options {
        provider: Some(rules),
        ..Options::default()
    };
    let ports = test.exchange.ports().clone();
    Exchange::new(
        test.exchange.db().clone(),
        test.clock.clone(),
        ports,
        options,
    )
}

fn somebody(subject: &str, groups: &[&str]) -> Provided {
    Provided {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        names: vec!["Ines.Keller".to_owned()],
        title: Some("Ines Keller".to_owned()),
        email: Some("ines@example.org".to_owned()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn entered(entry: Entry) -> (PersonId, Principal) {
    match entry {
        Entry::In(person, principal) => (person, principal),
        other => panic!("{other:?}"),
    }
}

async fn teams(exchange: &Exchange) {
    let operator = Principal::operator();
    let domain = DomainNew {
        name: "vehicle".to_owned(),
        title: "Vehicle".to_owned(),
        description: String::new(),
    };
    exchange.domain_create(&operator, domain).await.unwrap();
    for name in ["rnd", "sales"] {
        let team = TeamNew {
            name: name.to_owned(),
            domain: "vehicle".to_owned(),
            title: name.to_owned(),
            cost_center: "1".to_owned(),
            contact: String::new(),
        };
        exchange.team_create(&operator, team).await.unwrap();
    }
}

/// Roles, and memberships as `team role`.
async fn held(exchange: &Exchange, principal: &Principal) -> (Vec<Role>, Vec<String>) {
    let me = exchange.me(principal).await.unwrap();
    let teams = me.teams.iter();
    let teams = teams.map(|team| format!("{} {}", team.team, team.role));
    (me.roles, teams.collect())
}

/// C-48: issuer and subject are the identity; a name or an address that somebody has already is nobody's way in.
#[tokio::test]
async fn issuer_and_subject_are_the_identity() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = with(&test, ProviderRules::default());
        let operator = Principal::operator();
        let local = PersonNew {
            name: "ines-keller".to_owned(),
            title: "Ines".to_owned(),
            email: "ines@example.org".to_owned(),
            password: Some("correct horse".to_owned()),
            roles: vec!["admin".to_owned()],
        };
        let local = exchange.person_create(&operator, local).await.unwrap();
        let (first, principal) = entered(
            exchange
                .sign_in_provided(&somebody("1", &["admin"]))
                .await
                .unwrap(),
        );
        assert_ne!(first, local.id);
        assert_eq!(held(&exchange, &principal).await, (vec![], vec![]));
        let me = exchange.me(&principal).await.unwrap();
        assert_eq!(me.name.unwrap().as_str(), "ines-keller-2");
        assert_eq!(me.title, "Ines Keller");

        let again = exchange
            .sign_in_provided(&somebody("1", &[]))
            .await
            .unwrap();
        assert_eq!(entered(again).0, first, "the same identity");
        // Whatever else is the same: another subject, another provider, another spelling.
        let others = [
            somebody("2", &[]),
            Provided {
                issuer: "https://id.example/".to_owned(),
                ..somebody("1", &[])
            },
            Provided {
                issuer: "https://other.example".to_owned(),
                ..somebody("1", &[])
            },
        ];
        for other in others {
            let (found, _) = entered(exchange.sign_in_provided(&other).await.unwrap());
            assert!(found != first && found != local.id, "{other:?}");
        }
        // An account without a password is signed in to by its identity only.
        let guessed = exchange.sign_in("ines-keller-2", String::new()).await;
        assert!(matches!(guessed, Err(Error::Unauthenticated)));

        let change = PersonChange {
            disabled: Some(true),
            ..PersonChange::default()
        };
        exchange
            .person_update(&operator, "ines-keller-2", change)
            .await
            .unwrap();
        let closed = exchange.sign_in_provided(&somebody("1", &[])).await;
        assert_eq!(closed.unwrap(), Entry::Disabled);

        let rows = exchange
            .audit_rows(&operator, None, &PageRequest::default())
            .await
            .unwrap();
        let signed_in: Vec<_> = rows
            .items
            .iter()
            .filter(|row| row.operation == "SignIn")
            .collect();
        assert_eq!(signed_in.len(), 5);
        assert!(
            signed_in
                .iter()
                .all(|row| row.detail.contains("\"by\":\"provider\"") && row.actor == row.object_id),
            "{signed_in:?}"
        );
        assert_eq!(
            exchange.audit_verify(&operator, None).await.unwrap().broken,
            None
        );
    }
}

#[tokio::test]
async fn what_groups_give_is_renewed_and_what_hands_gave_stays() {
    for test in TestExchange::start_each().await.unwrap() {
        let rules = ProviderRules {
            groups: vec![
                rule("money", &[Role::Finance], &[]),
                rule("makers", &[], &[("rnd", MemberRole::Producer)]),
                rule("readers", &[], &[("rnd", MemberRole::Consumer)]),
                rule("lost", &[], &[("not-there", MemberRole::Producer)]),
                rule("sellers", &[], &[("sales", MemberRole::Producer)]),
            ],
            ..ProviderRules::default()
        };
        let exchange = with(&test, rules);
        teams(&exchange).await;
        let operator = Principal::operator();
        let come = async |groups: &[&str]| {
            let entry = exchange.sign_in_provided(&somebody("1", groups)).await;
            let (_, principal) = entered(entry.unwrap());
            held(&exchange, &principal).await
        };
        assert_eq!(come(&["admin", "rnd", "lost"]).await, (vec![], vec![]));
        let given = (vec![Role::Finance], vec!["rnd producer".to_owned()]);
        assert_eq!(come(&["money", "readers", "makers"]).await, given);
        let before = exchange.audit_verify(&operator, None).await.unwrap().rows;
        assert_eq!(come(&["money", "readers", "makers"]).await, given);
        let after = exchange.audit_verify(&operator, None).await.unwrap().rows;
        assert_eq!(after, before + 1, "nothing new but the sign-in");
        let less = (vec![Role::Finance], vec!["rnd consumer".to_owned()]);
        assert_eq!(come(&["money", "readers"]).await, less);

        // By hand: another role beside the one of the groups, and a membership.
        let roles = RolesChange {
            roles: vec!["finance".to_owned(), "auditor".to_owned()],
            ..RolesChange::default()
        };
        exchange
            .roles_set(&operator, "ines-keller", roles)
            .await
            .unwrap();
        let member = MemberChange {
            role: "consumer".to_owned(),
        };
        exchange
            .member_set(&operator, "sales", "ines-keller", member)
            .await
            .unwrap();
        let sales = "sales consumer".to_owned();
        let all = come(&["money", "readers", "sellers"]).await;
        let roles = vec![Role::Finance, Role::Auditor];
        assert_eq!(all, (roles, vec!["rnd consumer".to_owned(), sales.clone()]));
        assert_eq!(come(&[]).await, (vec![Role::Auditor], vec![sales.clone()]));

        // With its identity goes what groups gave, and the sessions.
        come(&["money", "makers"]).await;
        let (id, ines) = entered(
            exchange
                .sign_in_provided(&somebody("1", &["money", "makers"]))
                .await
                .unwrap(),
        );
        let page = PageRequest::default();
        let list = async || {
            let listed = exchange.identities(&operator, "ines-keller", &page).await;
            let [one] = <[Identity; 1]>::try_from(listed.unwrap().items).unwrap();
            one
        };
        let one = list().await;
        assert_eq!((one.subject.as_str(), one.removable), ("1", false));
        assert!(one.used_at.is_some());
        // Not as long as nothing else lets the person in.
        let shut = exchange.identity_unlink(&operator, "ines-keller", one.id);
        assert!(matches!(shut.await, Err(Error::Conflict(_))));
        let password = PasswordChange {
            current: None,
            password: "of ten and more".to_owned(),
        };
        let set = exchange.password_set(&operator, "ines-keller", password);
        set.await.unwrap();
        assert!(list().await.removable);
        exchange
            .session_save("the-id", Some(id), "{}", true)
            .await
            .unwrap();
        let nobody = Principal::nobody();
        let shut = exchange.identity_unlink(&nobody, "ines-keller", one.id);
        assert!(matches!(shut.await, Err(Error::Unauthenticated)));
        let own = exchange.identity_unlink(&ines, "ines-keller", one.id);
        own.await.unwrap();
        assert!(exchange.session_load("the-id").await.unwrap().is_none());
        let left = exchange.principal_of_session(id).await.unwrap();
        assert_eq!(
            held(&exchange, &left).await,
            (vec![Role::Auditor], vec![sales])
        );
    }
}

#[tokio::test]
async fn where_only_known_people_come_in_an_admin_links_them() {
    for test in TestExchange::start_each().await.unwrap() {
        let rules = ProviderRules {
            known_only: true,
            ..ProviderRules::default()
        };
        let exchange = with(&test, rules);
        let operator = Principal::operator();
        let local = |name: &str| PersonNew {
            name: name.to_owned(),
            title: name.to_owned(),
            email: "ines@example.org".to_owned(),
            password: None,
            roles: Vec::new(),
        };
        let ines = exchange
            .person_create(&operator, local("ines"))
            .await
            .unwrap();
        exchange
            .person_create(&operator, local("otto"))
            .await
            .unwrap();
        let unknown = exchange.sign_in_provided(&somebody("1", &[])).await;
        assert_eq!(unknown.unwrap(), Entry::Unknown);
        let new = IdentityNew {
            issuer: ISSUER.to_owned(),
            subject: "1".to_owned(),
        };
        exchange
            .identity_link(&operator, "ines", new.clone())
            .await
            .unwrap();
        let taken = exchange.identity_link(&operator, "otto", new).await;
        assert!(matches!(taken, Err(Error::Invalid(_))), "{taken:?}");
        let found = exchange.sign_in_provided(&somebody("1", &[])).await;
        let (found, principal) = entered(found.unwrap());
        assert_eq!(found, ines.id);
        // Oneself and admins look at it; others learn nothing.
        let page = PageRequest::default();
        assert!(exchange.identities(&principal, "ines", &page).await.is_ok());
        let other = exchange.identities(&principal, "otto", &page).await;
        assert!(matches!(other, Err(Error::NotFound(_))));
        let linked = exchange
            .identity_link(
                &principal,
                "ines",
                IdentityNew {
                    issuer: ISSUER.to_owned(),
                    subject: "2".to_owned(),
                },
            )
            .await;
        assert!(matches!(linked, Err(Error::Forbidden(_))));
    }
}

/// The same person in ten tabs at once, for the first time.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_sign_in_makes_one_account() {
    for test in TestExchange::start_each().await.unwrap() {
        let rules = ProviderRules {
            groups: vec![rule("money", &[Role::Finance], &[])],
            ..ProviderRules::default()
        };
        let exchange = with(&test, rules);
        let mut coming = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let exchange = exchange.clone();
            coming
                .spawn(async move { exchange.sign_in_provided(&somebody("1", &["money"])).await });
        }
        let mut found = BTreeSet::new();
        while let Some(entry) = coming.join_next().await {
            match entry.unwrap() {
                Ok(entry) => {
                    found.insert(entered(entry).0);
                }
                // Ten writers on one row: whoever cannot be served is told so.
                Err(error) => assert!(matches!(error, Error::Unavailable(_)), "{error:?}"),
            }
        }
        assert_eq!(found.len(), 1);
        let operator = Principal::operator();
        let people = exchange.people(&operator, &PageRequest::default()).await;
        assert_eq!(people.unwrap().items.len(), 1);
    }
}

#[tokio::test]
async fn a_way_is_gone_once() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let ends_at = test.exchange.now().plus(1_000_000);
        assert!(exchange.sign_in_state_use("a", ends_at).await.unwrap());
        assert!(exchange.sign_in_state_use("b", ends_at).await.unwrap());
        for _ in 0..2 {
            assert!(!exchange.sign_in_state_use("a", ends_at).await.unwrap());
            exchange.sessions_sweep().await.unwrap();
        }
        // What is over by its time is not kept.
        test.clock.advance(2_000_000);
        exchange.sessions_sweep().await.unwrap();
        assert!(exchange.sign_in_state_use("a", ends_at).await.unwrap());
    }
}

#[tokio::test]
async fn names_that_promise_something_are_not_given() {
    let test = TestExchange::start().await.unwrap();
    let exchange = with(&test, ProviderRules::default());
    for (number, (wish, expected)) in [
        ("admin", "admin-2"),
        ("Administrator", "administrator-2"),
        ("李", "person"),
        ("李", "person-2"),
    ]
    .into_iter()
    .enumerate()
    {
        let provided = Provided {
            names: vec![wish.to_owned()],
            title: None,
            ..somebody(&number.to_string(), &[])
        };
        let entry = exchange.sign_in_provided(&provided).await.unwrap();
        let me = exchange.me(&entered(entry).1).await.unwrap();
        assert_eq!(me.name.unwrap().as_str(), expected);
        assert_eq!(me.title, expected);
    }
}

#[test]
fn names_are_made_of_what_a_name_may_hold() {
    for (wish, expected) in [
        ("ines", Some("ines")),
        ("Zoë.Müller@example.org", Some("zoe-muller")),
        ("  Jean  Luc ", Some("jean-luc")),
        ("DOMAIN\\user_1", Some("domain-user_1")),
        ("007bond-", Some("bond")),
        ("../../etc/passwd", Some("etc-passwd")),
        ("<script>", Some("script")),
        ("李", None),
        ("42", None),
        ("@example.org", None),
        ("", None),
    ] {
        let found = plain_name(wish);
        assert_eq!(found.as_deref(), expected, "{wish}");
        assert!(found.is_none_or(|name| name.parse::<Name>().is_ok()));
    }
    let long = plain_name(&"a-".repeat(400)).unwrap_or_default();
    assert!(long.len() <= LONGEST && long.parse::<Name>().is_ok());
}

#[test]
fn what_cannot_be_stored_is_left_out() {
    assert_eq!(fit_title(" A\u{202e}B\n "), Some("AB".to_owned()));
    assert_eq!(fit_title("\n"), None);
    assert_eq!(fit_email("a@b.example"), "a@b.example");
    for bad in ["", "a", "@b", "a@", "a b@c", "a@b\nc"] {
        assert_eq!(fit_email(bad), "", "{bad:?}");
    }
}
