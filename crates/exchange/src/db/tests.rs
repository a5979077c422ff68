//! The statements of the whole crate, and the databases they are for.

use super::{Db, Dialect, statements};
use crate::testing::TestExchange;

#[tokio::test]
async fn every_registered_text_fits_both_migrated_databases() {
    let mut failures = Vec::new();
    for test in TestExchange::start_each().await.unwrap() {
        let db = test.exchange.db();
        assert!(db.is_migrated().await.unwrap());
        for statement in statements() {
            if let Err(error) = db.prepare(statement).await {
                let error = std::error::Error::source(&error)
                    .map_or(error.to_string(), ToString::to_string);
                failures.push(format!(
                    "{:?} {}:{}: {error}",
                    db.dialect(),
                    statement.file,
                    statement.line
                ));
            }
        }
    }
    assert!(statements().count() > 30, "the registry is empty");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn the_audit_log_cannot_be_changed_or_shortened() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let operator = crate::Principal::operator();
        let new = model::dto::DomainNew {
            name: "d".into(),
            title: "D".into(),
            description: String::new(),
        };
        exchange.domain_create(&operator, new).await.unwrap();
        for text in [
            "update audit set actor = 'x'",
            "delete from audit",
            "update decision set note = 'x'",
        ] {
            let failed = match exchange.db() {
                Db::Sqlite { write, .. } => sqlx::query(text).execute(write).await.is_err(),
                Db::Postgres(pool) => sqlx::query(text).execute(pool).await.is_err(),
            };
            // An empty table has no row for SQLite's row trigger to refuse.
            assert!(
                failed || text.contains("decision"),
                "{text} on {:?}",
                exchange.db().dialect()
            );
        }
    }
}

/// What a superuser can do with the triggers off, the chain shows.
#[tokio::test]
async fn tampering_with_the_audit_log_is_found() {
    let cases = [
        ("update audit set actor = 'x' where seq = 2", 2),
        ("delete from audit where seq = 2", 3),
        ("delete from audit where seq = 3", 3),
        ("update audit set seq = 7 where seq = 3", 7),
    ];
    for (text, seq) in cases {
        let test = TestExchange::start().await.unwrap();
        let operator = crate::Principal::operator();
        for name in ["a", "b", "c"] {
            let new = model::dto::DomainNew {
                name: name.into(),
                title: "D".into(),
                description: String::new(),
            };
            test.exchange.domain_create(&operator, new).await.unwrap();
        }
        assert_eq!(test.exchange.db().dialect(), Dialect::Sqlite);
        let whole = test.exchange.audit_verify(&operator, None).await.unwrap();
        assert_eq!((whole.rows, &whole.broken), (3, &None));
        let Db::Sqlite { write, .. } = test.exchange.db() else {
            unreachable!()
        };
        for trigger in ["audit_no_update", "audit_no_delete"] {
            let drop = sqlx::AssertSqlSafe(format!("drop trigger {trigger}"));
            sqlx::query(drop).execute(write).await.unwrap();
        }
        sqlx::query(text).execute(write).await.unwrap();
        let found = test.exchange.audit_verify(&operator, None).await.unwrap();
        assert_eq!(found.broken.map(|broken| broken.seq), Some(seq), "{text}");
        let anchored = test
            .exchange
            .audit_verify(&operator, Some(&whole.head))
            .await
            .unwrap();
        assert!(anchored.broken.is_some());
    }
}
