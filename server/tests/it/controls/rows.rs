//! The database as it is, row by row, past the exchange: what was changed shows, whatever wrote it.

use std::collections::BTreeMap;

use exchange::db::{Db, Dialect, Query, Statement};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

/// A text of this test's own: the exchange's registry does not hold it.
pub(super) fn query(text: impl Into<String>) -> Query {
    let statement = Statement {
        text: text.into().leak(),
        file: file!(),
        line: line!(),
    };
    Query::new(Box::leak(Box::new(statement)))
}

/// All rows of all tables, without the migrations' own: of each table the sorted rows as JSON texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows(BTreeMap<String, Vec<String>>);

impl Rows {
    pub(super) async fn of(db: &Db) -> Self {
        static SQLITE: OnceCell<String> = OnceCell::const_new();
        static POSTGRES: OnceCell<String> = OnceCell::const_new();
        let text = match db.dialect() {
            Dialect::Sqlite => &SQLITE,
            Dialect::Postgres => &POSTGRES,
        };
        // Read before and after each request of many: one statement, and its text is made once.
        let mut lines = texts(db, text.get_or_init(|| text_of_all(db)).await).await;
        lines.sort();
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines {
            let (table, row) = line.split_once('\n').unwrap();
            let of_table = rows.entry(table.to_owned()).or_default();
            // A table without rows is there too.
            of_table.extend((!row.is_empty()).then(|| row.to_owned()));
        }
        assert!(rows.len() > 25, "{:?}", rows.keys());
        Self(rows)
    }

    pub(super) fn count(&self, table: &str) -> usize {
        self.0[table].len()
    }

    /// The same without what is allowed to change: whole tables (`query_log`), or columns (`session.data`).
    pub(super) fn without(mut self, allowed: &[&str]) -> Self {
        for name in allowed {
            match name.split_once('.') {
                None => {
                    self.0.remove(*name).expect("a table of that name");
                }
                Some((table, column)) => {
                    for row in self.0.get_mut(table).expect("a table of that name") {
                        let mut columns: Map<String, Value> = serde_json::from_str(row).unwrap();
                        columns.remove(column).expect("a column of that name");
                        *row = Value::Object(columns).to_string();
                    }
                }
            }
        }
        self
    }

    /// The tables whose rows are not the same, with the rows that came and went.
    pub(super) fn differences(&self, after: &Self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (table, rows) in &after.0 {
            let before = &self.0[table];
            if before == rows {
                continue;
            }
            let came: Vec<_> = rows.iter().filter(|row| !before.contains(row)).collect();
            let went: Vec<_> = before.iter().filter(|row| !rows.contains(row)).collect();
            found.insert(table.clone(), format!("came {came:?}, went {went:?}"));
        }
        found
    }
}

/// How much was written. Reading all rows costs more than most requests, so it is only done after something was written.
pub(super) struct Writes(Option<i64>);

impl Writes {
    pub(super) async fn of(db: &Db) -> Self {
        Self(match db.dialect() {
            // One connection writes, and it counts rows, those that were rolled back with them.
            Dialect::Sqlite => {
                let mut tx = db.begin().await.unwrap();
                let row = query("select total_changes() as n").row(&mut tx).await;
                Some(row.unwrap().unwrap().get("n").unwrap())
            }
            Dialect::Postgres => None,
        })
    }

    /// Whether anything may have been written since this was last asked.
    pub(super) async fn more(&mut self, db: &Db) -> bool {
        let now = Self::of(db).await;
        let more = now.0.is_none() || now.0 != self.0;
        *self = now;
        more
    }
}

/// A statement that answers `table`, a line's end, and a row as JSON or nothing, for all rows of all tables.
async fn text_of_all(db: &Db) -> String {
    let mut parts = Vec::new();
    for table in tables(db).await {
        let row = match db.dialect() {
            Dialect::Sqlite => {
                let columns = texts(
                    db,
                    format!("select name as text from pragma_table_info('{table}')"),
                )
                .await;
                let pairs: Vec<String> = columns
                    .iter()
                    .map(|column| format!("'{column}', quote(\"{column}\")"))
                    .collect();
                format!("json_object({})", pairs.join(", "))
            }
            Dialect::Postgres => "cast(row_to_json(r) as text)".to_owned(),
        };
        let line_end = match db.dialect() {
            Dialect::Sqlite => "char(10)",
            Dialect::Postgres => "chr(10)",
        };
        parts.push(format!("select '{table}' || {line_end} as text"));
        parts.push(format!(
            "select '{table}' || {line_end} || {row} as text from \"{table}\" as r"
        ));
    }
    parts.join(" union all ")
}

pub(super) async fn tables(db: &Db) -> Vec<String> {
    let text = match db.dialect() {
        Dialect::Sqlite => {
            "select name as text from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
        }
        Dialect::Postgres => {
            "select cast(table_name as text) as text from information_schema.tables where table_schema = 'public'"
        }
    };
    let mut tables = texts(db, text).await;
    tables.retain(|table| table != "_sqlx_migrations");
    tables.sort();
    tables
}

/// The column `text` of all rows.
pub(super) async fn texts(db: &Db, text: impl Into<String>) -> Vec<String> {
    let rows = query(text).rows(db).await.unwrap();
    rows.iter().map(|row| row.get("text").unwrap()).collect()
}

/// Past the application: as somebody with SQL access would.
pub(super) async fn execute(db: &Db, text: impl Into<String>) -> Result<u64, String> {
    let text = text.into();
    let done = query(text).execute(db).await;
    done.map_err(|error| match std::error::Error::source(&error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    })
}
