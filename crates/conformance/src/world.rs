//! What a server has to check against: its tables with what each offers, found by asking.

use serde_json::{Value, json};

use crate::case::{Checked, Stop, fail, skip};
use crate::client::{Answer, Ask, Client, FEATURES, skipped};
use crate::data::has_vector;
pub(crate) use crate::data::{Data, url};
use crate::{Advance, Hints, Target};

/// The most tables that are looked at, and pages of a list.
const TABLES: usize = 64;
const PAGES: usize = 100;

/// One table and what it offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) share: String,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) version: i64,
    pub(crate) files: usize,
    /// Whether it can be read in the parquet format.
    pub(crate) parquet: bool,
    /// The earliest version that can be asked for, where older ones can.
    pub(crate) history: Option<i64>,
    /// The first version whose changes can be asked for.
    pub(crate) changes: Option<i64>,
    pub(crate) vectors: bool,
    pub(crate) mapped: bool,
    /// Whether a file has a deletion vector though the table's property is off.
    pub(crate) leftover: bool,
    pub(crate) directory: bool,
    pub(crate) location: Option<String>,
    pub(crate) partitions: Vec<String>,
}

impl Table {
    /// From `share.schema.table`: only a share's name may have points.
    fn named(name: &str) -> Option<Self> {
        let mut parts = name.rsplitn(3, '.');
        let (name, schema, share) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            share: share.to_owned(),
            schema: schema.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        })
    }

    pub(crate) fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let mut path = vec![
            "shares",
            self.share.as_str(),
            "schemas",
            self.schema.as_str(),
            "tables",
            self.name.as_str(),
        ];
        path.extend_from_slice(rest);
        path
    }

    pub(crate) fn get(&self, what: &str) -> Ask {
        Ask::get(&self.path(&[what]))
    }

    pub(crate) fn query(&self, body: Value) -> Ask {
        Ask::post(&self.path(&["query"]), &body)
    }

    pub(crate) fn changes_since(&self, version: i64) -> Ask {
        self.get("changes")
            .query("startingVersion", &version.to_string())
    }

    /// The capabilities that read it whatever it is made of, in the parquet format where that can be.
    pub(crate) fn able(&self) -> String {
        if self.parquet {
            "responseformat=parquet".to_owned()
        } else {
            format!("responseformat=delta;readerfeatures={FEATURES}")
        }
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}.{}.{}", self.share, self.schema, self.name)
    }
}

/// A server and what was found out of it.
pub struct World {
    pub(crate) client: Client,
    pub(crate) hints: Hints,
    advance: Option<Advance>,
    pub(crate) shares: Vec<Value>,
    pub(crate) tables: Vec<Table>,
    /// As they are listed.
    pub(crate) listed: Vec<Value>,
}

impl World {
    /// Looks at what the server has.
    pub(crate) async fn discover(target: Target) -> Result<Self, String> {
        let mut world = Self {
            client: Client::new(target.profile)?,
            hints: target.hints,
            advance: target.advance,
            shares: Vec::new(),
            tables: Vec::new(),
            listed: Vec::new(),
        };
        match world.look().await {
            Ok(()) => Ok(world),
            Err(Stop::Fail { expected, seen }) => Err(format!(
                "the server does not even list its shares: expected {expected}; seen: {seen}"
            )),
            Err(Stop::Skip(why)) => Err(why),
        }
    }

    async fn look(&mut self) -> Checked {
        self.shares = self.list(&["shares"]).await?;
        for share in self.shares.clone() {
            let Some(name) = share["name"].as_str() else {
                continue;
            };
            // A server without this endpoint is one whose case fails; the tables are found the other way.
            let tables = match self.list(&["shares", name, "all-tables"]).await {
                Ok(tables) => tables,
                Err(_) => self.by_schema(name).await?,
            };
            self.listed.extend(tables);
        }
        for item in self.listed.clone().iter().take(TABLES) {
            if let Some(table) = self.look_at(item).await {
                self.tables.push(table);
            }
        }
        Ok(())
    }

    /// All pages of a list.
    pub(crate) async fn list(&self, path: &[&str]) -> Checked<Vec<Value>> {
        let (mut items, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let mut ask = Ask::get(path);
            if !token.is_empty() {
                ask = ask.query("pageToken", &token);
            }
            let page = self.send(ask).await?.ok()?.json()?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => token = next.to_owned(),
                _ => return Ok(items),
            }
        }
        fail(
            format!("the list /{} to end", path.join("/")),
            format!("more than {PAGES} pages"),
        )
    }

    pub(crate) async fn by_schema(&self, share: &str) -> Checked<Vec<Value>> {
        let mut tables = Vec::new();
        for schema in self.list(&["shares", share, "schemas"]).await? {
            let Some(schema) = schema["name"].as_str() else {
                continue;
            };
            let path = ["shares", share, "schemas", schema, "tables"];
            tables.extend(self.list(&path).await?);
        }
        Ok(tables)
    }

    /// None: it cannot be read at all, or it is one of those that are meant to be broken.
    async fn look_at(&self, item: &Value) -> Option<Table> {
        let text = |name: &str| item[name].as_str().map(str::to_owned);
        let mut table = Table {
            share: text("share")?,
            schema: text("schema")?,
            name: text("name")?,
            location: text("location"),
            directory: item["accessModes"]
                .as_array()
                .is_some_and(|modes| modes.iter().any(|mode| mode == "dir")),
            ..Table::default()
        };
        if self.hints.broken.as_deref() == Some(table.shown().as_str()) {
            return None;
        }
        let all = table
            .query(json!({}))
            .can(&format!("responseformat=delta;readerfeatures={FEATURES}"));
        let plain = self.data(table.query(json!({}))).await;
        let data = match (self.data(all).await, plain) {
            (Ok(data), plain) => {
                table.parquet = plain.is_ok();
                data
            }
            (Err(_), Ok(plain)) => {
                table.parquet = true;
                plain
            }
            (Err(_), Err(_)) => return None,
        };
        table.version = data.answer.version().ok()?;
        table.files = data.files().len();
        let metadata = data.metadata();
        let columns = metadata["partitionColumns"].as_array();
        table.partitions = columns
            .into_iter()
            .flatten()
            .filter_map(|column| Some(column.as_str()?.to_owned()))
            .collect();
        let set = |name: &str| metadata["configuration"][name].as_str().unwrap_or_default();
        table.vectors = set("delta.enableDeletionVectors").eq_ignore_ascii_case("true");
        table.mapped = ["name", "id"].contains(&set("delta.columnMapping.mode"));
        table.leftover = !table.vectors && data.files().iter().any(|(_, file)| has_vector(file));
        let version = |version: i64| {
            table
                .get("metadata")
                .query("version", &version.to_string())
                .can(&table.able())
        };
        if self.is_ok(version(table.version)).await {
            let first = self.is_ok(version(0)).await;
            table.history = Some(if first { 0 } else { table.version });
        }
        let since = |version: i64| table.changes_since(version).can(&table.able());
        if self.is_ok(since(table.version)).await {
            let first = self.is_ok(since(0)).await;
            table.changes = Some(if first { 0 } else { table.version });
        }
        Some(table)
    }

    async fn is_ok(&self, ask: Ask) -> bool {
        matches!(self.send(ask).await, Ok(answer) if answer.status == 200)
    }

    pub(crate) async fn send(&self, ask: Ask) -> Checked<Answer> {
        self.client.send(ask).await
    }

    /// The lines of an answer that must be one.
    pub(crate) async fn data(&self, ask: Ask) -> Checked<Data> {
        Data::of(self.send(ask).await?)
    }

    /// The next version of the table that moves.
    pub(crate) async fn advance(&self) -> Checked {
        let Some(advance) = &self.advance else {
            return skip("nobody can commit to a table while it is checked");
        };
        advance()
            .await
            .or_else(|why| skip(format!("no commit could be made: {why}")))
    }

    fn find(&self, what: &str, fits: impl Fn(&Table) -> bool) -> Checked<&Table> {
        match self.tables.iter().find(|table| fits(table)) {
            Some(table) => Ok(table),
            None => skip(format!("no table here {what}")),
        }
    }

    /// Any table with files in the parquet format; with several of them if there is one.
    pub(crate) fn plain(&self) -> Checked<&Table> {
        let rich = |table: &Table| table.parquet && table.files > 1;
        self.find("has more than one file", rich).or_else(|_| {
            self.find(
                "is readable in the parquet format and has a file",
                |table| table.parquet && table.files > 0,
            )
        })
    }

    /// A table with several files.
    pub(crate) fn several(&self) -> Checked<&Table> {
        self.find("has more than one file", |table| {
            table.parquet && table.files > 1
        })
    }

    /// A table with shared history of more than one version.
    pub(crate) fn history(&self) -> Checked<(&Table, i64)> {
        let table = self.find("shares its history of more than one version", |table| {
            table.parquet && table.history.is_some_and(|first| first < table.version)
        })?;
        Ok((table, table.history.unwrap_or_default()))
    }

    pub(crate) fn without_history(&self) -> Checked<&Table> {
        self.find("keeps its history to itself", |table| {
            table.history.is_none() && table.parquet
        })
    }

    /// A table with shared changes of more than one version.
    pub(crate) fn changing(&self) -> Checked<(&Table, i64)> {
        let table = self.find("shares changes of more than one version", |table| {
            table.parquet && table.changes.is_some_and(|first| first < table.version)
        })?;
        Ok((table, table.changes.unwrap_or_default()))
    }

    pub(crate) fn without_changes(&self) -> Checked<&Table> {
        self.find("keeps its changes to itself", |table| {
            table.changes.is_none() && table.parquet
        })
    }

    pub(crate) fn partitioned(&self) -> Checked<&Table> {
        self.find("is partitioned and has more than one file", |table| {
            table.parquet && !table.partitions.is_empty() && table.files > 1
        })
    }

    pub(crate) fn vectors(&self) -> Checked<&Table> {
        self.find("has deletion vectors", |table| table.vectors)
    }

    pub(crate) fn mapped(&self) -> Checked<&Table> {
        self.find("has mapped columns", |table| table.mapped)
    }

    /// A table with a deletion vector that its property no longer speaks of.
    pub(crate) fn leftover(&self) -> Checked<&Table> {
        self.find(
            "has a deletion vector left though its property is off",
            |table| table.leftover,
        )
    }

    /// A table that the parquet format cannot say, with shared history and changes of more than one version.
    pub(crate) fn advanced_changing(&self) -> Checked<(&Table, i64)> {
        let table = self.find(
            "needs a reader feature and shares history and changes of more than one version",
            |table| {
                let several = |first: Option<i64>| first.is_some_and(|first| first < table.version);
                (table.vectors || table.mapped) && several(table.history) && several(table.changes)
            },
        )?;
        Ok((table, table.changes.unwrap_or_default()))
    }

    /// A table that the parquet format cannot say.
    pub(crate) fn advanced(&self) -> Checked<&Table> {
        self.find("needs a reader feature", |table| {
            (table.vectors || table.mapped) && table.files > 0
        })
    }

    pub(crate) fn directory(&self) -> Checked<&Table> {
        self.find(
            "gives access to its directory (accessModes with dir)",
            |table| table.directory,
        )
    }

    pub(crate) fn share(&self) -> Checked<&str> {
        match self.shares.iter().find_map(|share| share["name"].as_str()) {
            Some(name) => Ok(name),
            None => skip("the recipient has no share"),
        }
    }

    /// The table that a hint names.
    pub(crate) fn hinted(&self, name: &str, hint: Option<&String>) -> Checked<Table> {
        let Some(hint) = hint else {
            return skip(format!("the world file does not name `{name}`"));
        };
        let found = self.tables.iter().find(|table| table.shown() == *hint);
        match found.cloned().or_else(|| Table::named(hint)) {
            Some(table) => Ok(table),
            None => skip(format!(
                "`{name}` in the world file is no share.schema.table"
            )),
        }
    }

    /// The same with a version.
    pub(crate) fn hinted_at(
        &self,
        name: &str,
        hint: Option<&(String, i64)>,
    ) -> Checked<(Table, i64)> {
        let table = self.hinted(name, hint.map(|hint| &hint.0))?;
        Ok((table, hint.map(|hint| hint.1).unwrap_or_default()))
    }
}

/// What must work before the case itself is looked at.
pub(crate) fn before<T>(checked: Checked<T>) -> Checked<T> {
    checked.map_err(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_share_has_points() {
        let table = Table::named("a.b.s.t").unwrap();
        assert_eq!(
            (
                table.share.as_str(),
                table.schema.as_str(),
                table.name.as_str()
            ),
            ("a.b", "s", "t")
        );
        assert!(Table::named("s.t").is_none());
    }
}
