//! Predicates that nobody has looked at, put to a table with a column of each type.

use std::collections::BTreeMap;

use delta::Metadata;
use serde_json::{Value, json};

use super::Hints;
use super::filter::{Filter, Rows};

/// The first two are partitions.
const COLUMNS: [(&str, &str); 12] = [
    ("p", "string"),
    ("day", "date"),
    ("n", "long"),
    ("i", "integer"),
    ("s", "string"),
    ("x", "double"),
    ("d", "date"),
    ("t", "timestamp"),
    ("z", "timestamp_ntz"),
    ("m", "decimal(10,2)"),
    ("b", "boolean"),
    ("f", "float"),
];

const STATS: &str = r#"{"numRecords":10,
    "minValues":{"n":5,"i":-1,"s":"b","x":1.5,"d":"2026-01-10","t":"2026-01-01T00:00:00.000Z","z":"2026-01-01T00:00:00","m":1,"f":0.5},
    "maxValues":{"n":9,"i":1,"s":"f","x":2.5,"d":"2026-01-20","t":"2026-01-02T00:00:00.000Z","z":"2026-01-02T00:00:00","m":2,"f":0.5},
    "nullCount":{"n":0,"i":0,"s":3,"x":0,"d":0,"t":0,"z":0,"m":0,"b":0,"f":0}}"#;

/// `sql` and `json` as a query may have them, one or both.
pub(crate) fn judge(sql: &[&str], json: Option<&str>) {
    let metadata = metadata();
    let hints = Hints::parse(sql, json);
    let filter = Filter::new(&hints.0, &metadata);
    // One more predicate, of which nothing is known, never brings back a file that the others leave out.
    let more: Vec<&str> = sql.iter().copied().chain(["?"]).collect();
    let more = Hints::parse(&more, json);
    let narrower = Filter::new(&more.0, &metadata);
    let partitions = |p: Option<&str>, day: Option<&str>| -> BTreeMap<String, Option<String>> {
        [("p", p), ("day", day)]
            .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
            .into()
    };
    for partitions in [
        partitions(Some("EU"), Some("2026-01-31")),
        partitions(None, None),
        partitions(Some("\u{0}\""), Some("no day")),
        BTreeMap::new(),
    ] {
        for stats in [Some(STATS), Some("{}"), Some("no JSON"), None] {
            let found = filter.judge(&partitions, stats);
            assert!(
                !(filter.is_idle() && found == Rows::None),
                "a filter that leaves every file has left one out"
            );
            if found == Rows::None {
                assert_eq!(narrower.judge(&partitions, stats), Rows::None);
            }
        }
    }
}

fn metadata() -> Metadata {
    let field = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    Metadata {
        id: "i".to_owned(),
        name: None,
        description: None,
        schema_string: json!({ "type": "struct", "fields": COLUMNS.map(field) }).to_string(),
        partition_columns: ["p", "day"].map(str::to_owned).to_vec(),
        configuration: BTreeMap::new(),
        created: None,
        raw: Value::Null,
    }
}
