//! People, end to end on both databases.

use model::dto::{
    DomainNew, MemberChange, PasswordChange, PersonChange, PersonNew, RolesChange, TeamNew,
    TokenNew,
};
use model::time::DAY;

use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;
use crate::testing::TestExchange;

fn person(name: &str) -> PersonNew {
    PersonNew {
        name: name.to_owned(),
        title: name.to_uppercase(),
        email: String::new(),
        password: Some("correct horse".to_owned()),
        roles: Vec::new(),
    }
}

#[tokio::test]
async fn accounts_sign_in_and_lose_it() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let operator = Principal::operator();
        assert!(!exchange.has_people().await.unwrap());
        exchange
            .person_create(&operator, person("mara"))
            .await
            .unwrap();
        assert!(matches!(
            exchange.person_create(&operator, person("mara")).await,
            Err(Error::Invalid(_))
        ));

        let (id, mara) = exchange
            .sign_in("mara", "correct horse".to_owned())
            .await
            .unwrap();
        assert!(mara.is_signed_in());
        for (name, password) in [
            ("mara", "wrong horse"),
            ("nobody", "correct horse"),
            ("mara", ""),
        ] {
            let refused = exchange.sign_in(name, password.to_owned()).await;
            assert!(matches!(refused, Err(Error::Unauthenticated)), "{name}");
        }

        assert!(
            exchange
                .session_save("the-id", Some(id), "{}", true)
                .await
                .unwrap()
        );
        assert!(
            !exchange
                .session_save("the-id", Some(id), "{}", true)
                .await
                .unwrap()
        );
        assert!(exchange.session_load("the-id").await.unwrap().is_some());
        let change = PasswordChange {
            current: None,
            password: "another horse".to_owned(),
        };
        assert!(matches!(
            exchange.password_set(&mara, "mara", change.clone()).await,
            Err(Error::Invalid(_))
        ));
        let change = PasswordChange {
            current: Some("correct horse".to_owned()),
            ..change
        };
        exchange.password_set(&mara, "mara", change).await.unwrap();
        assert!(
            exchange.session_load("the-id").await.unwrap().is_none(),
            "a new password ends all sessions"
        );

        let saved = exchange.session_save("the-id", Some(id), "{}", false).await;
        assert!(!saved.unwrap(), "what was ended stays ended");
        exchange
            .session_save("other", Some(id), "{}", true)
            .await
            .unwrap();
        test.clock.advance(DAY);
        assert!(
            exchange.session_load("other").await.unwrap().is_none(),
            "idle too long"
        );
        assert_eq!(exchange.sessions_sweep().await.unwrap(), 1);

        let change = PersonChange {
            disabled: Some(true),
            ..PersonChange::default()
        };
        exchange
            .person_update(&operator, "mara", change)
            .await
            .unwrap();
        assert!(matches!(
            exchange.sign_in("mara", "another horse".to_owned()).await,
            Err(Error::Unauthenticated)
        ));
        assert!(exchange.principal_of_session(id).await.unwrap().is_nobody());

        let found = exchange.audit_verify(&operator, None).await.unwrap();
        assert_eq!((found.rows, found.broken), (4, None));
    }
}

#[tokio::test]
async fn tokens_hold_no_more_than_their_person() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let operator = Principal::operator();
        exchange
            .person_create(&operator, person("mara"))
            .await
            .unwrap();
        let domain = DomainNew {
            name: "vehicle".to_owned(),
            title: "Vehicle".to_owned(),
            description: String::new(),
        };
        exchange.domain_create(&operator, domain).await.unwrap();
        let team = TeamNew {
            name: "rnd".to_owned(),
            domain: "vehicle".to_owned(),
            title: "R&D".to_owned(),
            cost_center: "1".to_owned(),
            contact: String::new(),
        };
        exchange.team_create(&operator, team).await.unwrap();
        let (_, mara) = exchange
            .sign_in("mara", "correct horse".to_owned())
            .await
            .unwrap();
        let new = |team: Option<&str>, role: Option<&str>| TokenNew {
            name: "ci".to_owned(),
            team: team.map(str::to_owned),
            role: role.map(str::to_owned),
            days: None,
        };
        assert!(matches!(
            exchange
                .token_create(&mara, None, new(Some("rnd"), None))
                .await,
            Err(Error::Forbidden(_))
        ));
        exchange
            .member_set(
                &operator,
                "rnd",
                "mara",
                MemberChange {
                    role: "consumer".to_owned(),
                },
            )
            .await
            .unwrap();
        let (_, mara) = exchange
            .sign_in("mara", "correct horse".to_owned())
            .await
            .unwrap();
        let producer = exchange
            .token_create(&mara, None, new(Some("rnd"), Some("producer")))
            .await;
        assert!(matches!(producer, Err(Error::Forbidden(_))));
        let created = exchange
            .token_create(&mara, None, new(Some("rnd"), None))
            .await
            .unwrap();
        let service = exchange.principal_of_token(&created.token).await.unwrap();
        assert_eq!(service.person_id(), mara.person_id());
        assert_eq!(service.teams().len(), 1);

        exchange
            .member_remove(&operator, "rnd", "mara")
            .await
            .unwrap();
        assert!(matches!(
            exchange.principal_of_token(&created.token).await,
            Err(Error::Unauthenticated)
        ));

        let own = exchange
            .token_create(&mara, None, new(None, None))
            .await
            .unwrap();
        exchange
            .roles_set(
                &operator,
                "mara",
                RolesChange {
                    roles: vec!["admin".to_owned()],
                    ..RolesChange::default()
                },
            )
            .await
            .unwrap();
        let acting = exchange.principal_of_token(&own.token).await.unwrap();
        assert!(
            exchange
                .people(&acting, &PageRequest::default())
                .await
                .is_ok(),
            "roles are those of the moment"
        );
        exchange.token_revoke(&mara, own.detail.id).await.unwrap();
        assert!(matches!(
            exchange.principal_of_token(&own.token).await,
            Err(Error::Unauthenticated)
        ));
        let ending = exchange
            .token_create(&mara, None, new(None, None))
            .await
            .unwrap();
        test.clock.advance(90 * DAY);
        assert!(matches!(
            exchange.principal_of_token(&ending.token).await,
            Err(Error::Unauthenticated)
        ));
    }
}

/// One of a list is for whoever may see the list, and for nobody else.
#[tokio::test]
async fn one_account_and_one_domain_are_seen_as_their_lists_are() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let operator = Principal::operator();
        for name in ["ada", "mara"] {
            exchange
                .person_create(&operator, person(name))
                .await
                .unwrap();
        }
        let domain = DomainNew {
            name: "vehicle".to_owned(),
            title: "Vehicle".to_owned(),
            description: String::new(),
        };
        exchange.domain_create(&operator, domain).await.unwrap();
        let (_, mara) = exchange
            .sign_in("mara", "correct horse".to_owned())
            .await
            .unwrap();
        let found = exchange.person(&operator, "ada").await.unwrap();
        assert_eq!(found.name.as_str(), "ada");
        for name in ["ada", "mara", "nobody"] {
            let refused = exchange.person(&mara, name).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{name}");
        }
        assert!(matches!(
            exchange.person(&operator, "nobody").await,
            Err(Error::NotFound("person"))
        ));
        let found = exchange.domain(&mara, "vehicle").await.unwrap();
        assert_eq!(found.title, "Vehicle");
        assert!(matches!(
            exchange.domain(&mara, "nowhere").await,
            Err(Error::NotFound("domain"))
        ));
        assert!(matches!(
            exchange.domain(&Principal::nobody(), "vehicle").await,
            Err(Error::Unauthenticated)
        ));
    }
}

#[tokio::test]
async fn ones_own_tokens_are_ones_own_also_an_admins() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let operator = Principal::operator();
        let mut admin = person("ada");
        admin.roles = vec!["admin".to_owned()];
        exchange.person_create(&operator, admin).await.unwrap();
        exchange
            .person_create(&operator, person("mara"))
            .await
            .unwrap();
        for (whose, name) in [("ada", "of ada"), ("mara", "of mara")] {
            let new = TokenNew {
                name: name.to_owned(),
                team: None,
                role: None,
                days: None,
            };
            exchange
                .token_create(&operator, Some(whose), new)
                .await
                .unwrap();
        }
        let page = PageRequest::default();
        for (whose, all) in [("ada", 2), ("mara", 1)] {
            let (_, principal) = exchange
                .sign_in(whose, "correct horse".to_owned())
                .await
                .unwrap();
            let own = exchange.own_tokens(&principal, &page).await.unwrap().items;
            let names: Vec<&str> = own.iter().map(|token| token.name.as_str()).collect();
            assert_eq!(names, [format!("of {whose}")]);
            let seen = exchange.tokens(&principal, &page).await.unwrap().items;
            assert_eq!(seen.len(), all, "{whose}");
        }
        assert!(matches!(
            exchange.own_tokens(&Principal::nobody(), &page).await,
            Err(Error::Unauthenticated)
        ));
    }
}
