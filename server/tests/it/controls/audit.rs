//! C-36, C-37, C-38: without an audit row no change, whatever the change is; what is append-only cannot be changed by anybody
//! with SQL; and what somebody changed who took the triggers off is found.

use std::collections::BTreeMap;

use exchange::db::{Db, Dialect};
use exchange::operation::TABLE;
use exchange::{Error, Exchange, Operation, Principal};
use http::Method;
use model::time::DAY;
use serde_json::json;

use super::rows::{Rows, Writes, execute, texts};
use super::world::{As, Tenants, send};
use crate::matrix::{COLUMNS, fill};
use crate::support::TestApp;

/// Sent by POST because they have a body; they change nothing.
const LOOKS: &[Operation] = &[
    Operation::StorageDoctor,
    Operation::TableInspect,
    Operation::StorageScan,
    Operation::AuditVerify,
    Operation::DeclarationValidate,
    Operation::DeclarationPlan,
];

/// Makes every insert into the audit log fail, as a full disk or a lost partition would.
async fn break_audit(db: &Db) {
    let texts: &[&str] = match db.dialect() {
        Dialect::Sqlite => {
            &["create trigger fault before insert on audit begin select raise(abort, 'fault'); end"]
        }
        Dialect::Postgres => &[
            "create function fault() returns trigger language plpgsql as $$ begin raise exception 'fault'; end $$",
            "create trigger fault before insert on audit for each row execute function fault()",
        ],
    };
    for text in texts {
        execute(db, *text).await.unwrap();
    }
}

async fn mend_audit(db: &Db) {
    let texts: &[&str] = match db.dialect() {
        Dialect::Sqlite => &["drop trigger fault"],
        Dialect::Postgres => &["drop trigger fault on audit", "drop function fault()"],
    };
    for text in texts {
        execute(db, *text).await.unwrap();
    }
}

#[tokio::test]
async fn no_request_changes_anything_without_an_audit_row() {
    for mut tenants in Tenants::each_with_mail().await {
        let db = tenants.app().exchange.db().clone();
        let mut changing = 0;
        for line in TABLE {
            let Some((method, pattern)) = line.rest.filter(|(method, _)| *method != "GET") else {
                continue;
            };
            let name = line.operation.name();
            let sample = tenants.matrix.sample(line.operation).await;
            let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
            let path = format!("{}{}", fill(pattern, &sample.names), sample.query);
            let method: Method = method.parse().unwrap();
            break_audit(&db).await;
            let mut writes = Writes::of(&db).await;
            let before = Rows::of(&db).await;
            let mut refused = Vec::new();
            for (column, who) in COLUMNS.into_iter().enumerate() {
                let Some(token) = tenants.matrix.tokens[column].as_deref() else {
                    continue;
                };
                let mut ask = tenants.app().ask(method.clone(), &path).token(token);
                if method == Method::POST {
                    ask = ask.header("idempotency-key", "one");
                }
                let answer = match &sample.body {
                    Some(body) => ask.json(body).await,
                    None => ask.send().await,
                };
                let status = answer.status.as_u16();
                let mut differences = match writes.more(&db).await {
                    true => before.differences(&Rows::of(&db).await),
                    false => BTreeMap::new(),
                };
                if (200..300).contains(&status) {
                    // The answer is kept for whoever sends the same again.
                    differences.remove("idempotency");
                }
                assert!(
                    differences.is_empty(),
                    "{name} as {who}: {status} and {differences:#?}"
                );
                match status {
                    503 => {
                        let said = answer.json()["detail"].as_str().unwrap().to_owned();
                        assert!(said.contains("nothing was changed"), "{name}: {said}");
                        assert!(!answer.header("retry-after").is_empty(), "{name}");
                        refused.push(who);
                    }
                    200..300 => {
                        assert!(LOOKS.contains(&line.operation), "{name} as {who} was done");
                        execute(&db, "delete from idempotency").await.unwrap();
                    }
                    400..500 => {}
                    _ => panic!("{name} as {who}: {status} {}", answer.text),
                }
            }
            assert!(
                !refused.is_empty() || LOOKS.contains(&line.operation),
                "{name}: nobody came so far as to change something"
            );
            changing += usize::from(!refused.is_empty());
            mend_audit(&db).await;
        }
        assert!(changing >= 30, "{changing}");
        // Once the log can be written again, all is as ever.
        let admin = tenants.matrix.tokens[8].clone().unwrap();
        let body = json!({ "name": "after", "title": "After" });
        let made = send(
            tenants.app(),
            As::Token(&admin),
            Method::POST,
            "/api/v1/domains",
            Some(&body),
        )
        .await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
        tenants.app().changes().await;
    }
}

/// What workers do by themselves obeys the same rule.
#[tokio::test]
async fn no_worker_changes_anything_without_an_audit_row() {
    type Step = (
        &'static str,
        fn(&Exchange) -> futures::future::BoxFuture<'_, Result<(), Error>>,
    );
    let steps: [Step; 3] = [
        ("ending grants", |exchange| {
            Box::pin(async {
                exchange
                    .grants_expire(&Principal::system())
                    .await
                    .map(|_| ())
            })
        }),
        ("due syncs", |exchange| {
            Box::pin(async {
                exchange
                    .schedules_tick(&Principal::system())
                    .await
                    .map(|_| ())
            })
        }),
        ("reconciling", |exchange| {
            Box::pin(async {
                let operator = Principal::operator();
                let all = exchange::page::PageRequest::all();
                let grants = exchange.grants(&operator, None, &all).await?.items;
                let fresh = grants.iter().find(|grant| grant.verified_at.is_none());
                let id = fresh.expect("a grant nobody has looked at").id;
                exchange
                    .grant_reconcile(&Principal::system(), id)
                    .await
                    .map(|_| ())
            })
        }),
    ];
    for tenants in Tenants::each().await {
        let app = tenants.app();
        let db = app.exchange.db();
        break_audit(db).await;
        for (what, step) in steps {
            // Past every grant's end and every job's next run, where that is what is waited for.
            if what != "reconciling" {
                app.clock.advance(400 * DAY);
            }
            let before = Rows::of(db).await;
            let failed = step(&app.exchange).await;
            assert!(
                matches!(failed, Err(Error::Unavailable(_))),
                "{what}: {failed:?}"
            );
            let differences = before.differences(&Rows::of(db).await);
            assert!(differences.is_empty(), "{what}: {differences:#?}");
            if what != "reconciling" {
                app.clock.advance(-400 * DAY);
            }
        }
    }
}

/// What is written once, with a column that somebody might like to be otherwise.
const APPEND_ONLY: &[(&str, &str)] = &[
    ("audit", "actor = 'x'"),
    ("decision", "note = 'x'"),
    ("charge", "amount_micro = 0"),
    ("statement", "total_micro = 0"),
    ("statement_line", "amount_micro = 0"),
    ("meter_event", "bytes = 0"),
];

/// C-37, also for somebody whom the database lets do anything.
#[tokio::test]
async fn what_is_append_only_refuses_sql() {
    for tenants in Tenants::each().await {
        let db = tenants.app().exchange.db();
        let before = Rows::of(db).await;
        for (table, change) in APPEND_ONLY {
            assert!(before.count(table) > 0, "{table} is empty");
            let mut texts = vec![
                format!("update {table} set {change}"),
                format!("delete from {table}"),
            ];
            if db.dialect() == Dialect::Postgres {
                texts.push(format!("truncate {table} cascade"));
            }
            for text in texts {
                let refused = execute(db, text.as_str()).await.unwrap_err();
                assert!(refused.contains("append-only"), "{text}: {refused}");
            }
        }
        assert_eq!(Rows::of(db).await, before);
        // Putting a row over another is a change, too.
        for (table, change) in APPEND_ONLY {
            let over = match db.dialect() {
                // A join would take the conflict for its own.
                Dialect::Sqlite => "where true on conflict (id)".to_owned(),
                Dialect::Postgres => format!("on conflict on constraint {table}_pkey"),
            };
            let key = if *table == "audit" { "(seq)" } else { "(id)" };
            let over = over.replace("(id)", key);
            let text =
                format!("insert into {table} select * from {table} {over} do update set {change}");
            let refused = execute(db, text.as_str()).await.unwrap_err();
            assert!(refused.contains("append-only"), "{text}: {refused}");
        }
        assert_eq!(Rows::of(db).await, before);
    }
}

async fn take_triggers_off(db: &Db) {
    match db.dialect() {
        Dialect::Sqlite => {
            let names = texts(db, "select name as text from sqlite_schema where type = 'trigger' and tbl_name = 'audit'").await;
            assert!(!names.is_empty());
            for name in names {
                execute(db, format!("drop trigger {name}")).await.unwrap();
            }
        }
        Dialect::Postgres => {
            execute(db, "alter table audit disable trigger all")
                .await
                .unwrap();
        }
    }
}

/// C-38: edited, taken out, put elsewhere, put in, cut off, by somebody whom nothing stops.
#[tokio::test]
async fn tampering_is_found() {
    let forged = "insert into audit (seq, id, at, actor, operation, object_kind, object_id, detail, prev_hash, hash)
                  select 7, ID, at, actor, operation, object_kind, object_id, detail, hash, prev_hash from audit where seq = 6";
    let head = "update audit_head set seq = (select max(seq) from audit), hash = (select hash from audit order by seq desc limit 1)";
    // Which row is named, and whether it takes a head that was kept elsewhere to find it.
    let cases: Vec<(&str, Vec<String>, i64, bool)> = vec![
        (
            "another actor",
            vec!["update audit set actor = 'x' where seq = 3".into()],
            3,
            false,
        ),
        (
            "another time",
            vec!["update audit set at = at + 1 where seq = 3".into()],
            3,
            false,
        ),
        (
            "another thing",
            vec!["update audit set object_id = 'x' where seq = 1".into()],
            1,
            false,
        ),
        (
            "another detail",
            vec!["update audit set detail = '{}' where seq = 6".into()],
            6,
            false,
        ),
        (
            "taken out",
            vec!["delete from audit where seq = 3".into()],
            4,
            false,
        ),
        (
            "two in the other's place",
            vec![
                "update audit set seq = 100 where seq = 2".into(),
                "update audit set seq = 2 where seq = 3".into(),
                "update audit set seq = 3 where seq = 100".into(),
            ],
            2,
            false,
        ),
        ("put in", vec![forged.into()], 7, false),
        (
            "put in, with the head",
            vec![forged.into(), head.into()],
            7,
            false,
        ),
        (
            "the end cut off",
            vec!["delete from audit where seq > 4".into()],
            6,
            false,
        ),
        (
            "the end cut off, with the head",
            vec!["delete from audit where seq > 4".into(), head.into()],
            4,
            true,
        ),
    ];
    for (what, texts, row, by_anchor) in cases {
        for app in TestApp::each().await {
            for name in ["a", "b", "c", "d", "e", "f"] {
                app.domain(name).await;
            }
            let (operator, system) = (Principal::operator(), Principal::system());
            let kept = app.exchange.audit_head(&system).await.unwrap().unwrap();
            let whole = app
                .exchange
                .audit_verify(&operator, Some(&kept.1))
                .await
                .unwrap();
            assert_eq!(
                (whole.rows, &whole.head, &whole.broken),
                (6, &kept.1, &None)
            );
            assert_eq!(kept.0, 6);
            let db = app.exchange.db();
            take_triggers_off(db).await;
            let id = match db.dialect() {
                Dialect::Sqlite => "randomblob(16)",
                Dialect::Postgres => "gen_random_uuid()",
            };
            for text in &texts {
                execute(db, text.replace("ID", id)).await.unwrap();
            }
            let found = app.exchange.audit_verify(&operator, None).await.unwrap();
            let anchored = app
                .exchange
                .audit_verify(&operator, Some(&kept.1))
                .await
                .unwrap();
            let named = anchored.broken.as_ref().map(|broken| broken.seq);
            assert_eq!(
                named,
                Some(row),
                "{what} on {:?}: {anchored:?}",
                db.dialect()
            );
            assert_eq!(found.broken.is_none(), by_anchor, "{what}: {found:?}");
        }
    }
}
