//! Sealing anew (C-34). Under load, and killed in the middle, it is tested with the binary itself.

use std::time::Duration;

use model::dto::StorageChange;
use model::{MemberRole, Role};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;

use super::{somebody, storage};
use crate::Exchange;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;
use crate::sql;
use crate::storages::LeftSealed;
use crate::testing::TestExchange;

/// Several times as long as sealing anew takes here.
const ENOUGH: Duration = Duration::from_millis(500);

/// Three sealed storages, one by its environment, one without any, and the two keys that a server makes.
async fn filled(test: &TestExchange) -> [[u8; 32]; 2] {
    let (exchange, admin) = (&test.exchange, Principal::operator());
    for name in ["one", "two", "three"] {
        let new = storage(name, &format!("s3://lake/{name}"));
        exchange.storage_create(&admin, new).await.unwrap();
    }
    let mut by_name = storage("named", "s3://lake/named");
    by_name.credential = Some("env:ENTREPOT_CREDENTIAL_LAKE".into());
    exchange.storage_create(&admin, by_name).await.unwrap();
    let folder = storage("folder", "file:///srv/folder");
    exchange.storage_create(&admin, folder).await.unwrap();
    keys(exchange).await
}

async fn keys(exchange: &Exchange) -> [[u8; 32]; 2] {
    let system = Principal::system();
    let key = async |usage| exchange.installation_key(&system, usage).await.unwrap();
    [key("gateway").await, key("pages").await]
}

async fn secret(exchange: &Exchange, name: &str) -> Result<String, Error> {
    let record = exchange.storage_by_name(name).await.unwrap().unwrap();
    let access = exchange.storage_access(record.id).await?;
    Ok(access.credential.unwrap().expose_secret().to_owned())
}

#[tokio::test]
async fn everything_is_sealed_with_the_newest_key_and_nothing_else_changes() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, operator) = (&test.exchange, Principal::operator());
        let made = filled(&test).await;
        let all = PageRequest::all();
        let before = exchange.storages(&operator, &all).await.unwrap();
        let done = exchange.credentials_reseal(&operator).await.unwrap();
        assert_eq!(
            (done.key.as_str(), done.resealed, done.already),
            ("k1", 0, 5)
        );

        test.world.put_keys(&["k1", "k2"]);
        let done = exchange.credentials_reseal(&operator).await.unwrap();
        assert_eq!(
            (done.key.as_str(), done.resealed, done.already, done.left),
            ("k2", 5, 0, vec![])
        );
        let again = exchange.credentials_reseal(&operator).await.unwrap();
        assert_eq!((again.resealed, again.already), (0, 5), "done is done");
        test.world.put_keys(&["k2"]);
        for name in ["one", "two", "three"] {
            assert!(secret(exchange, name).await.unwrap().contains("s3cr3t"));
        }
        assert_eq!(
            secret(exchange, "named").await.unwrap(),
            r#"{"from":"ENTREPOT_CREDENTIAL_LAKE"}"#
        );
        assert_eq!(keys(exchange).await, made);
        // Also the revisions: nobody's form grows stale by it.
        assert_eq!(exchange.storages(&operator, &all).await.unwrap(), before);

        let rows = exchange.audit_rows(&operator, None, &all).await.unwrap();
        let mut noted: Vec<&str> = rows
            .items
            .iter()
            .filter(|row| row.operation == "CredentialReseal")
            .map(|row| row.object_id.as_str())
            .collect();
        noted.sort_unstable();
        assert_eq!(noted, ["key.gateway", "key.pages", "one", "three", "two"]);
        let text = serde_json::to_string(&rows.items).unwrap();
        assert!(!text.contains("s3cr3t") && !text.contains("AKIA"), "{text}");
        let verified = exchange.audit_verify(&operator, None).await.unwrap();
        assert_eq!(verified.broken, None);
    }
}

#[tokio::test]
async fn what_does_not_open_is_named_and_left_as_it_is() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, operator) = (&test.exchange, Principal::operator());
        filled(&test).await;
        let mut tx = exchange.db().begin().await.unwrap();
        sql!("update storage set credential_sealed = (select other.credential_sealed from storage as other where other.name = 'one')
              where name = 'two'")
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        test.world.put_keys(&["k1", "k2"]);
        for resealed in [4, 0] {
            let done = exchange.credentials_reseal(&operator).await.unwrap();
            assert_eq!((done.resealed, done.already), (resealed, 4 - resealed));
            let expected = LeftSealed {
                what: "storage two".to_owned(),
                key: "k1".to_owned(),
                why: "not sealed by this key for this place".to_owned(),
            };
            assert_eq!(done.left, [expected]);
        }
        // Entered anew it is sealed with the newest key, and nothing is left.
        let change = StorageChange {
            credential: storage("two", "s3://lake/two").credential,
            ..StorageChange::default()
        };
        exchange
            .storage_update(&operator, "two", change)
            .await
            .unwrap();
        let done = exchange.credentials_reseal(&operator).await.unwrap();
        assert_eq!((done.resealed, done.already, done.left), (0, 5, vec![]));
    }
}

/// Somebody who changes something else of a storage has read it before it was sealed anew, and writes it after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_under_way_does_not_bring_the_old_seal_back() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, operator) = (&test.exchange, Principal::operator());
        filled(&test).await;
        test.world.put_keys(&["k1", "k2"]);
        let (other, runtime) = (exchange.clone(), Handle::current());
        test.world.before_next_open(move || {
            let reseal = async {
                let done = other.credentials_reseal(&Principal::operator()).await;
                assert_eq!(done.unwrap().resealed, 5);
            };
            tokio::task::block_in_place(|| runtime.block_on(reseal));
        });
        let change = StorageChange {
            replicas: Some(true),
            ..StorageChange::default()
        };
        let changed = exchange.storage_update(&operator, "one", change).await;
        assert!(changed.unwrap().replicas);
        let record = exchange.storage_by_name("one").await.unwrap();
        assert!(format!("{record:?}").contains("\"k2\""), "{record:?}");
        test.world.put_keys(&["k2"]);
        assert!(secret(exchange, "one").await.unwrap().contains("s3cr3t"));
    }
}

/// Somebody has sealed with the key that was the newest, and not written yet: sealing anew waits for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sealed_and_not_written_yet_is_waited_for() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, operator) = (&test.exchange, Principal::operator());
        filled(&test).await;
        let credential = || storage("one", "s3://lake/one").credential;
        for (turn, keys) in [["k1", "k2"], ["k2", "k3"]].into_iter().enumerate() {
            let (other, runtime, world) = (exchange.clone(), Handle::current(), test.world.clone());
            let (said, heard) = std::sync::mpsc::channel();
            test.world.after_next_seal(move || {
                world.put_keys(&keys);
                let (finished, early) = std::sync::mpsc::channel();
                runtime.spawn(async move {
                    let done = other.credentials_reseal(&Principal::operator()).await;
                    let _ = (finished.send(()), said.send(done.unwrap()));
                });
                // Time enough to be done, if it did not wait for us.
                let early = tokio::task::block_in_place(|| early.recv_timeout(ENOUGH));
                assert!(early.is_err(), "it came to its end past a change under way");
            });
            let changed = if turn == 0 {
                let new = storage("four", "s3://lake/four");
                exchange.storage_create(&operator, new).await
            } else {
                let change = StorageChange {
                    credential: credential(),
                    ..StorageChange::default()
                };
                // It was not sealed before, so that nothing else is there to wait for.
                exchange.storage_update(&operator, "named", change).await
            };
            changed.unwrap();
            let done = tokio::task::block_in_place(|| heard.recv()).unwrap();
            assert_eq!((done.key.as_str(), done.resealed), (keys[1], 6 + turn));
            test.world.put_keys(&keys[1..]);
            for name in ["one", "two", "three", "four", "named"]
                .iter()
                .take(4 + turn)
            {
                assert!(secret(exchange, name).await.unwrap().contains("s3cr3t"));
            }
        }
    }
}

#[tokio::test]
async fn it_is_the_operators() {
    for test in TestExchange::start_each().await.unwrap() {
        filled(&test).await;
        test.world.put_keys(&["k1", "k2"]);
        for who in [
            somebody(&[], Some(MemberRole::Producer)),
            somebody(&[Role::Auditor, Role::Finance], None),
            Principal::system(),
        ] {
            let refused = test.exchange.credentials_reseal(&who).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        }
        let refused = test.exchange.credentials_reseal(&Principal::nobody()).await;
        assert!(matches!(refused, Err(Error::Unauthenticated)));
        let record = test.exchange.storage_by_name("one").await.unwrap();
        assert!(format!("{record:?}").contains("\"k1\""));
    }
}
