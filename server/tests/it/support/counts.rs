//! How many rows each table holds, past the exchange: what stored nothing changed none of the numbers.

use std::collections::BTreeMap;

use exchange::db::{Db, Dialect, Query, Statement};

/// Rows by table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, i64>);

/// A text of the tests' own: the exchange's registry does not hold it.
fn query(text: String) -> Query {
    let statement = Statement {
        text: text.leak(),
        file: file!(),
        line: line!(),
    };
    Query::new(Box::leak(Box::new(statement)))
}

impl Counts {
    pub(crate) async fn of(db: &Db) -> Self {
        let tables = match db.dialect() {
            Dialect::Sqlite => {
                "select name as name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
            }
            Dialect::Postgres => {
                "select cast(table_name as text) as name from information_schema.tables where table_schema = 'public'"
            }
        };
        let tables = query(tables.to_owned()).rows(db).await.unwrap();
        let names = tables.iter().map(|row| row.get::<String>("name").unwrap());
        let counted: Vec<String> = names
            .map(|name| format!("select '{name}' as name, count(*) as count from \"{name}\""))
            .collect();
        assert!(counted.len() > 25, "{counted:?}");
        let rows = query(counted.join(" union all ")).rows(db).await.unwrap();
        let counts = rows.iter().map(|row| {
            let name = row.get::<String>("name").unwrap();
            (name, row.get::<i64>("count").unwrap())
        });
        Self(counts.collect())
    }

    /// Without a table that changes by design.
    pub(crate) fn without(mut self, table: &str) -> Self {
        assert!(self.0.remove(table).is_some(), "{table} is no table");
        self
    }
}
