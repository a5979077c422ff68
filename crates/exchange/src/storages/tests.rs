//! Storages, end to end on both databases.

mod assess;
mod reseal;

use std::collections::{BTreeMap, BTreeSet};

use model::dto::{CredentialNew, StorageChange, StorageDoctor, StorageNew};
use model::{MemberRole, PersonId, Role, StorageId, TeamId, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::error::Error;
use crate::page::PageRequest;
use crate::ports::StorageAccess;
use crate::principal::Principal;
use crate::sql;
use crate::testing::TestExchange;

fn storage(name: &str, url: &str) -> StorageNew {
    StorageNew {
        name: name.to_owned(),
        cloud: "aws".to_owned(),
        region: "eu-central-1".to_owned(),
        url: url.to_owned(),
        endpoint: None,
        credential: (!url.starts_with("file:")).then(|| {
            CredentialNew(json!({ "access_key_id": "AKIA", "secret_access_key": "s3cr3t" }))
        }),
        replicas: false,
    }
}

fn somebody(roles: &[Role], team: Option<MemberRole>) -> Principal {
    let at = Timestamp::from_micros(0);
    Principal::person(
        PersonId::new(at),
        "p-test".to_owned(),
        "Test".to_owned(),
        roles.iter().copied().collect::<BTreeSet<_>>(),
        team.map(|role| (TeamId::new(at), role))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    )
}

fn fields(error: Error) -> Vec<String> {
    match error {
        Error::Invalid(fields) => fields.into_iter().map(|field| field.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn credentials_are_sealed_and_never_shown() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let admin = Principal::operator();
        let made = exchange
            .storage_create(&admin, storage("aws_eu", "s3://lake/a/"))
            .await
            .unwrap();
        assert_eq!(made.url.as_deref(), Some("s3://lake/a"), "canonical");
        assert_eq!(made.credential.as_deref(), Some("sealed ****"));
        assert!(!made.simulated);
        let mut by_name = storage("aws_us", "s3://lake/us");
        by_name.credential = Some("env:ENTREPOT_CREDENTIAL_US".into());
        let by_name = exchange.storage_create(&admin, by_name).await.unwrap();
        assert_eq!(
            by_name.credential.as_deref(),
            Some("env:ENTREPOT_CREDENTIAL_US")
        );

        let shown = exchange
            .storages(&admin, &PageRequest::default())
            .await
            .unwrap();
        let audit = exchange
            .audit_rows(&admin, None, &PageRequest::default())
            .await
            .unwrap();
        for text in [
            serde_json::to_string(&shown).unwrap(),
            serde_json::to_string(&audit).unwrap(),
            format!("{:?}", storage("x", "s3://x/y")),
        ] {
            assert!(!text.contains("s3cr3t") && !text.contains("AKIA"), "{text}");
        }
        let row = sql!("select id, credential_sealed from storage where name = 'aws_eu'")
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap();
        let sealed: Vec<u8> = row.get("credential_sealed").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("s3cr3t"));

        let id: StorageId = row.get("id").unwrap();
        let opened = exchange
            .storage_access_for_system(&Principal::system(), id)
            .await
            .unwrap();
        assert!(
            opened
                .credential
                .unwrap()
                .expose_secret()
                .contains("s3cr3t")
        );
        let refused = exchange.storage_access_for_system(&admin, id).await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
    }
}

#[tokio::test]
async fn what_is_known_of_a_storage_counts_for_its_revision() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let (admin, system) = (Principal::operator(), Principal::system());
        let made = exchange
            .storage_create(&admin, storage("one", "s3://lake/a"))
            .await
            .unwrap();
        let record = exchange.storage_by_name("one").await.unwrap().unwrap();
        let (id, first) = (record.id, Some(record.revision));
        assert_eq!(made.revision, record.revision);
        let at = |revision| exchange.storage_access_at(&system, id, revision);
        let secret = |access: StorageAccess| access.credential.unwrap().expose_secret().to_owned();
        assert!(secret(at(first).await.unwrap()).contains("s3cr3t"));
        // Nobody changes a row like this: what is told of the same revision was not read again.
        let mut tx = exchange.db().begin().await.unwrap();
        sql!("update storage set endpoint = 'http://127.0.0.1:1' where name = 'one'")
            .execute(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(at(first).await.unwrap().endpoint, None);
        assert!(at(None).await.unwrap().endpoint.is_some());
        // What was changed counts from the next call on.
        let change = StorageChange {
            credential: Some(CredentialNew(
                json!({ "access_key_id": "AKIA", "secret_access_key": "another" }),
            )),
            ..StorageChange::default()
        };
        exchange
            .storage_update(&admin, "one", change)
            .await
            .unwrap();
        let record = exchange.storage_by_name("one").await.unwrap().unwrap();
        assert_ne!(Some(record.revision), first);
        let opened = at(Some(record.revision)).await.unwrap();
        assert!(secret(opened).contains("another"));
        let refused = exchange.storage_access_at(&admin, id, first).await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
    }
}

/// C-34: what is sealed for one row does not open in another.
#[tokio::test]
async fn a_swapped_ciphertext_does_not_open() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let admin = Principal::operator();
        for name in ["one", "two"] {
            exchange
                .storage_create(&admin, storage(name, &format!("s3://lake/{name}")))
                .await
                .unwrap();
        }
        let mut tx = exchange.db().begin().await.unwrap();
        sql!("update storage set credential_sealed = (select other.credential_sealed from storage as other where other.name = 'two'),
                  credential_key_id = (select other.credential_key_id from storage as other where other.name = 'two')
              where name = 'one'")
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let record = exchange.storage_by_name("one").await.unwrap().unwrap();
        assert!(matches!(
            exchange.storage_access(record.id).await,
            Err(Error::Unavailable(_))
        ));
        let record = exchange.storage_by_name("two").await.unwrap().unwrap();
        assert!(exchange.storage_access(record.id).await.is_ok());
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_and_stores_nothing() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let admin = Principal::operator();
        let base = || storage("a", "s3://lake/a");
        let cases: Vec<(StorageNew, &[&str])> = vec![
            (
                StorageNew {
                    name: "A".into(),
                    cloud: "mars".into(),
                    region: "EU!".into(),
                    ..base()
                },
                &["name", "cloud", "region"],
            ),
            (storage("a", "http://169.254.169.254/latest"), &["url"]),
            (storage("a", ""), &["url"]),
            (
                StorageNew {
                    credential: None,
                    ..base()
                },
                &["credential"],
            ),
            (
                StorageNew {
                    credential: Some("env:AWS_SECRET_ACCESS_KEY".into()),
                    ..base()
                },
                &["credential"],
            ),
            (
                StorageNew {
                    credential: Some("env:ENTREPOT_CREDENTIAL_a b".into()),
                    ..base()
                },
                &["credential"],
            ),
            (
                StorageNew {
                    credential: Some("hunter2".into()),
                    ..base()
                },
                &["credential"],
            ),
            (
                StorageNew {
                    credential: Some(CredentialNew(json!([1]))),
                    ..base()
                },
                &["credential"],
            ),
            (
                StorageNew {
                    credential: Some("{}".into()),
                    ..storage("a", "file:///srv/a")
                },
                &["credential"],
            ),
            (
                StorageNew {
                    cloud: "azure".into(),
                    ..base()
                },
                &["cloud"],
            ),
        ];
        for (form, expected) in cases {
            let shown = format!("{form:?}");
            let refused = exchange.storage_create(&admin, form).await.unwrap_err();
            assert_eq!(fields(refused), expected, "{shown}");
        }
        let all = exchange
            .storages(&admin, &PageRequest::default())
            .await
            .unwrap();
        assert!(all.items.is_empty());
        let unknown: Result<StorageNew, _> = serde_json::from_value(json!({
            "name": "a", "cloud": "aws", "region": "x", "url": "s3://a/b", "proxy_url": "http://evil",
        }));
        assert!(unknown.is_err(), "C-22: no free map of options");
    }
}

/// C-24.
#[tokio::test]
async fn storages_lie_apart() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let admin = Principal::operator();
        exchange
            .storage_create(&admin, storage("a", "s3://lake/a"))
            .await
            .unwrap();
        for url in ["s3://lake/a", "s3://lake/a/", "s3://lake/a/b", "s3://lake"] {
            let refused = exchange.storage_create(&admin, storage("b", url)).await;
            assert_eq!(fields(refused.unwrap_err()), ["url"], "{url}");
        }
        exchange
            .storage_create(&admin, storage("b", "s3://lake/ab"))
            .await
            .unwrap();
        let moved = StorageChange {
            url: Some("s3://lake/a/x".into()),
            ..StorageChange::default()
        };
        let refused = exchange.storage_update(&admin, "b", moved).await;
        assert_eq!(fields(refused.unwrap_err()), ["url"]);
        let same_name = exchange
            .storage_create(&admin, storage("a", "s3://other/x"))
            .await;
        assert_eq!(fields(same_name.unwrap_err()), ["name"]);
    }
}

#[tokio::test]
async fn each_role_sees_and_does_its_own() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let admin = somebody(&[Role::Admin], None);
        let producer = somebody(&[], Some(MemberRole::Producer));
        let consumer = somebody(&[], Some(MemberRole::Consumer));
        let mut form = storage("az_weu", "file:///srv/az");
        form.cloud = "azure".into();
        form.endpoint = Some(String::new());
        exchange.storage_create(&admin, form).await.unwrap();

        let seen = exchange.storage(&admin, "az_weu").await.unwrap();
        assert!(seen.simulated && seen.url.is_some() && seen.endpoint.is_none());
        let seen = exchange.storage(&producer, "az_weu").await.unwrap();
        assert!(seen.url.is_some() && seen.credential.is_none());
        let seen = exchange.storage(&consumer, "az_weu").await.unwrap();
        assert_eq!(
            (seen.url, seen.endpoint, seen.credential),
            (None, None, None)
        );
        assert!(seen.simulated);
        let list = exchange
            .storages(&consumer, &PageRequest::default())
            .await
            .unwrap();
        assert_eq!(list.items[0].url, None);

        for principal in [&producer, &consumer] {
            let refused = exchange
                .storage_create(principal, storage("x", "s3://x/y"))
                .await;
            assert!(matches!(refused, Err(Error::Forbidden(_))));
            let refused = exchange
                .storage_update(principal, "az_weu", StorageChange::default())
                .await;
            assert!(matches!(refused, Err(Error::Forbidden(_))));
        }
        assert!(
            exchange
                .storage_doctor(&producer, "az_weu", StorageDoctor::default())
                .await
                .is_ok()
        );
        assert!(matches!(
            exchange
                .storage_doctor(&consumer, "az_weu", StorageDoctor::default())
                .await,
            Err(Error::Forbidden(_))
        ));
        assert!(matches!(
            exchange.storage(&Principal::nobody(), "az_weu").await,
            Err(Error::Unauthenticated)
        ));
        assert!(matches!(
            exchange.storage(&admin, "mars").await,
            Err(Error::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn a_stale_change_is_refused() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let admin = Principal::operator();
        exchange
            .storage_create(&admin, storage("a", "s3://lake/a"))
            .await
            .unwrap();
        let change = StorageChange {
            replicas: Some(true),
            credential: Some("env:ENTREPOT_CREDENTIAL_A".into()),
            revision: Some(1),
            ..StorageChange::default()
        };
        let changed = exchange
            .storage_update(&admin, "a", change.clone())
            .await
            .unwrap();
        assert_eq!((changed.revision, changed.replicas), (2, true));
        assert_eq!(
            changed.credential.as_deref(),
            Some("env:ENTREPOT_CREDENTIAL_A")
        );
        let stale = exchange.storage_update(&admin, "a", change).await;
        assert!(matches!(stale, Err(Error::Conflict(_))));
        assert_eq!(exchange.storage(&admin, "a").await.unwrap().revision, 2);
    }
}
