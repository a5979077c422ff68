//! The statements of the whole crate, and the databases they are for.

use sqlx::sqlite::SqliteJournalMode;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{A_FOLD, Db, Dialect, statements};
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

/// Runs a text as a superuser who has taken the triggers off.
async fn forge(db: &Db, text: &str) {
    let safe = |text: &str| sqlx::AssertSqlSafe(text.to_owned());
    match db {
        Db::Sqlite { write, .. } => {
            for trigger in ["audit_no_update", "audit_no_delete"] {
                let drop = safe(&format!("drop trigger if exists {trigger}"));
                sqlx::query(drop).execute(write).await.unwrap();
            }
            sqlx::query(safe(text)).execute(write).await.unwrap();
        }
        Db::Postgres(pool) => {
            let off = safe("alter table audit disable trigger user");
            sqlx::query(off).execute(pool).await.unwrap();
            sqlx::query(safe(text)).execute(pool).await.unwrap();
        }
    }
}

async fn three_domains(test: &TestExchange) -> crate::Principal {
    let operator = crate::Principal::operator();
    for name in ["a", "b", "c"] {
        let new = model::dto::DomainNew {
            name: name.into(),
            title: "D".into(),
            description: String::new(),
        };
        test.exchange.domain_create(&operator, new).await.unwrap();
    }
    operator
}

#[tokio::test]
async fn the_log_is_searched_by_who_what_and_when() {
    let within = |since, until| crate::Period::parse(Some(since), Some(until)).unwrap();
    for test in TestExchange::start_each().await.unwrap() {
        let operator = three_domains(&test).await;
        for (actor, operation, period, count) in [
            (None, Some("DomainCreate"), within("", ""), 3),
            (Some("operator"), Some("DomainCreate"), within("", ""), 3),
            (Some("system"), Some("DomainCreate"), within("", ""), 0),
            (Some("operator"), Some("TeamCreate"), within("", ""), 0),
            (None, Some("DomainCreate"), within("", "2999-01-01"), 3),
            (None, Some("DomainCreate"), within("2999-01-01", ""), 0),
        ] {
            let filter = crate::audit::AuditFilter {
                object: None,
                actor,
                operation,
                period,
            };
            let page = crate::page::PageRequest::default();
            let found = test.exchange.audit_found(&operator, &filter, &page).await;
            assert_eq!(found.unwrap().items.len(), count, "{filter:?}");
        }
    }
}

/// SQLite keeps in a column what is put there: what no reader can decode is a broken row, not a failure of ours.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    for (text, seq) in [
        ("update audit set id = 'nobody' where seq = 2", 2),
        ("update audit set id = x'0102' where seq = 1", 1),
        ("update audit set at = 'yesterday' where seq = 3", 3),
        ("update audit set at = 1.5 where seq = 2", 2),
        ("update audit set hash = 'short' where seq = 2", 2),
        ("update audit set detail = x'ff00' where seq = 2", 2),
    ] {
        let test = TestExchange::start().await.unwrap();
        let operator = three_domains(&test).await;
        let head = test
            .exchange
            .audit_verify(&operator, None)
            .await
            .unwrap()
            .head;
        forge(test.exchange.db(), text).await;
        for anchor in [None, Some(head.as_str())] {
            let found = test.exchange.audit_verify(&operator, anchor).await.unwrap();
            let broken = found.broken.expect(text);
            assert_eq!((found.rows, broken.seq), (seq - 1, seq), "{text}");
            assert!(!broken.why.is_empty());
        }
        let page = crate::page::PageRequest::default();
        match test.exchange.audit_rows(&operator, None, &page).await {
            // What can be read is listed, whether it is true or not.
            Ok(rows) => assert_eq!(rows.items.len(), 3, "{text}"),
            Err(crate::Error::Conflict(why)) => {
                assert!(why.contains(&format!("row {seq} ")), "{text}: {why}");
                assert!(why.contains("audit verify"), "{text}: {why}");
            }
            Err(other) => panic!("{text}: {other:?}"),
        }
    }
}

/// What a list would show, the check looks at.
#[tokio::test]
async fn rows_before_the_first_are_found() {
    for test in TestExchange::start_each().await.unwrap() {
        let operator = three_domains(&test).await;
        let verify = async || {
            let found = test.exchange.audit_verify(&operator, None).await;
            found.unwrap().broken
        };
        assert_eq!(verify().await, None);
        for (count, seq, least) in [(1, 0, 0), (2, -7, -7), (3, -3, -7)] {
            let id = match test.exchange.db() {
                Db::Sqlite { .. } => "randomblob(16)",
                Db::Postgres(_) => "gen_random_uuid()",
            };
            let text = format!(
                "insert into audit (seq, id, at, actor, operation, object_kind, object_id, detail, prev_hash, hash)
                 select {seq}, {id}, at, 'nobody', operation, object_kind, object_id, detail, prev_hash, hash
                 from audit where seq = 1"
            );
            forge(test.exchange.db(), &text).await;
            let broken = verify().await.unwrap();
            assert_eq!(broken.seq, least);
            assert!(
                broken.why.contains(&format!("and {count} stand")),
                "{broken:?}"
            );
        }
        let page = crate::page::PageRequest::default();
        let listed = test.exchange.audit_rows(&operator, None, &page).await;
        assert_eq!(listed.unwrap().items.len(), 6);
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

/// A reader that was about to connect when all was closed: it opens the database beside the pool, and the process may end before it
/// has closed it again.
#[tokio::test]
async fn who_reads_after_the_end_leaves_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entrepot.db");
    let names = || -> Vec<_> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    for _ in 0..2 {
        let db = Db::open_sqlite(&file).await.unwrap();
        let Db::Sqlite { write, read } = &db else {
            panic!("it is SQLite");
        };
        sqlx::query("create table if not exists kept (it integer)")
            .execute(write)
            .await
            .unwrap();
        sqlx::query("insert into kept values (1)")
            .execute(write)
            .await
            .unwrap();
        assert_eq!(names().len(), 3, "with a log and what is shared of it");
        let late = (*read.connect_options()).clone();
        // One that reads while it closes keeps it waiting.
        let reading = late.connect().await.unwrap();
        let (_, ended) = tokio::join!(db.close_alone(), async {
            tokio::time::sleep(A_FOLD * 2).await;
            reading.close().await
        });
        ended.unwrap();
        assert_eq!(names(), ["entrepot.db"]);

        // As a pool connects, up to its first statement, and one that gets as far as reading.
        assert!(late.connect().await.is_err());
        let late = late.journal_mode(SqliteJournalMode::Delete);
        let mut late = late.connect().await.unwrap();
        let kept: i64 = sqlx::query_scalar("select count(*) from kept")
            .fetch_one(&mut late)
            .await
            .unwrap();
        assert!(kept > 0);
        assert_eq!(names(), ["entrepot.db"]);
        late.close().await.unwrap();
    }
}
