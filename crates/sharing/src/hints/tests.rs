//! What is left out and what is not, also for each way in which nothing is certain.

use std::collections::BTreeMap;

use delta::Metadata;
use serde_json::{Value, json};

use super::Hints;
use super::filter::{Filter, Rows};

/// The partitions `p`, `q` and `day`, and a column of each type.
const COLUMNS: [(&str, &str); 14] = [
    ("p", "string"),
    ("q", "integer"),
    ("day", "date"),
    ("n", "long"),
    ("e", "long"),
    ("s", "string"),
    ("x", "double"),
    ("d", "date"),
    ("t", "timestamp"),
    ("z", "timestamp_ntz"),
    ("m", "decimal(10,2)"),
    ("b", "boolean"),
    ("A", "long"),
    ("a", "long"),
];

pub(super) const STATS: &str = r#"{"numRecords":10,
    "minValues":{"n":5,"s":"b","x":1.5,"d":"2026-01-10","t":"2026-01-01T00:00:00.000Z","z":"2026-01-01T00:00:00","m":1,"a":1,"A":1},
    "maxValues":{"n":9,"s":"f","x":2.5,"d":"2026-01-20","t":"2026-01-02T00:00:00.000Z","z":"2026-01-02T00:00:00","m":2,"a":2,"A":2},
    "nullCount":{"n":0,"e":10,"s":3,"x":0,"d":0,"t":0,"z":0,"m":0,"b":0,"a":0,"A":0}}"#;

fn field(name: &str, kind: &str, notes: &Value) -> Value {
    json!({ "name": name, "type": kind, "nullable": true, "metadata": notes })
}

fn metadata(fields: &[Value], configuration: &[(&str, &str)]) -> Metadata {
    Metadata {
        id: "i".to_owned(),
        name: None,
        description: None,
        schema_string: json!({ "type": "struct", "fields": fields }).to_string(),
        partition_columns: ["p", "q", "day"].map(str::to_owned).to_vec(),
        configuration: configuration
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        created: None,
        raw: Value::Null,
    }
}

pub(super) fn usual() -> Metadata {
    let fields = COLUMNS.map(|(name, kind)| field(name, kind, &json!({})));
    metadata(&fields, &[])
}

pub(super) fn partitions(values: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
        .collect()
}

fn judged(
    hints: &Hints,
    metadata: &Metadata,
    values: &[(&str, Option<&str>)],
    stats: Option<&str>,
) -> Rows {
    Filter::new(&hints.0, metadata).judge(&partitions(values), stats)
}

pub(super) const VALUES: [(&str, Option<&str>); 3] = [
    ("p", Some("EU")),
    ("q", Some("7")),
    ("day", Some("2026-01-31")),
];

fn by_sql(sql: &str) -> Rows {
    judged(&Hints::parse(&[sql], None), &usual(), &VALUES, Some(STATS))
}

fn by_json(tree: &Value) -> Rows {
    let hints = Hints::parse(&[], Some(&tree.to_string()));
    judged(&hints, &usual(), &VALUES, Some(STATS))
}

#[test]
fn partition_values_decide_exactly() {
    for (sql, rows) in [
        ("day = '2026-01-31'", Rows::All),
        ("day = '2026-02-01'", Rows::None),
        ("day <> '2026-01-31'", Rows::None),
        ("day != '2026-02-01'", Rows::All),
        ("`day` >= DATE '2026-01-01' and q < 8", Rows::All),
        ("(day = '2026-01-31') AND (q == 8)", Rows::None),
        ("day = '2026-02-01' AND nowhere = 1", Rows::None),
        ("day = '2026-01-31' AND nowhere = 1", Rows::Some),
        ("p = 'EU'", Rows::All),
        ("p > 'EV'", Rows::None),
        ("'EV' < p", Rows::None),
        ("q >= 7 AND q <= 7", Rows::All),
        ("q = -7", Rows::None),
        ("q IS NULL", Rows::None),
        ("q IS NOT NULL", Rows::All),
    ] {
        assert_eq!(by_sql(sql), rows, "{sql}");
    }
}

#[test]
fn statistics_decide_where_they_can() {
    for (sql, rows) in [
        ("n = 4", Rows::None),
        ("n = 5", Rows::Some),
        ("n >= 5", Rows::All),
        ("n < 5", Rows::None),
        ("5 > n", Rows::None),
        ("n <= 9", Rows::All),
        ("n > 9", Rows::None),
        ("n IS NULL", Rows::None),
        ("n IS NOT NULL", Rows::All),
        ("s = 'a'", Rows::None),
        ("s = 'c'", Rows::Some),
        // Some are null.
        ("s >= 'a'", Rows::Some),
        ("s <> 'zz'", Rows::Some),
        ("s IS NULL", Rows::Some),
        ("e = 1", Rows::None),
        ("e IS NULL", Rows::All),
        // False for SQL, and not for everybody.
        ("e <> 1", Rows::Some),
        ("x < 1.0", Rows::None),
        ("x = 3", Rows::None),
        ("x < 1.5", Rows::Some),
        // A NaN is greater than everything, or compares with nothing.
        ("x > 100.0", Rows::Some),
        ("x >= 1.0", Rows::Some),
        ("d < '2026-01-10'", Rows::None),
        ("d <= '2026-01-10'", Rows::Some),
        ("t < '2025-12-31T23:59:59Z'", Rows::None),
        ("t > TIMESTAMP '2026-01-02T02:00:01+02:00'", Rows::None),
        // Cut to milliseconds.
        ("t > '2026-01-02T00:00:00.000500Z'", Rows::Some),
        // As many instants as there are zones.
        ("t < '2020-01-01 00:00:00'", Rows::Some),
        ("t < '2020-01-01'", Rows::Some),
    ] {
        assert_eq!(by_sql(sql), rows, "{sql}");
    }
}

#[test]
fn what_is_not_understood_leaves_every_file() {
    for sql in [
        "",
        "n",
        "n =",
        "n = 4 OR n = 5",
        "NOT n = 5",
        "n IN (1, 2)",
        "n BETWEEN 1 AND 2",
        "n <=> 1",
        "n + 1 = 2",
        "n = 1e0",
        "n = 1L",
        "n = n",
        "1 = 2",
        "n = NULL",
        "n IS NULL n",
        "(n = 1",
        "n = 1)",
        "abs(n) = 1",
        "s.t = 'x'",
        "s = 'it''s'",
        r"s = '\x'",
        "s = \"x\"",
        "s = 'x",
        "s LIKE 'x'",
        "-- n = 1",
        "ñ = 1",
        // Types that would have to be converted, or whose values are not understood.
        "n = '4'",
        "n = 4.0",
        "n = 99999999999999999999",
        "s = 1",
        "p = 1",
        "day = '2026-2-1'",
        "day = 20260201",
        "day < '1800-01-01'",
        "z < '2020-01-01T00:00:00Z'",
        "m < 0",
        "b = true",
        // Columns that are not there, or of which there are two.
        "nowhere = 1",
        "nowhere IS NULL",
        "a = 9",
        "A IS NULL",
    ] {
        assert_eq!(by_sql(sql), Rows::Some, "{sql}");
        let filter = Filter::new(&Hints::parse(&[sql], None).0, &usual());
        assert!(filter.judge(&BTreeMap::new(), None) == Rows::Some);
    }
    let deep = format!("{}n = 1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(by_sql(&deep), Rows::Some);
}

fn column(name: &str, kind: &str) -> Value {
    json!({ "op": "column", "name": name, "valueType": kind })
}

fn literal(value: &str, kind: &str) -> Value {
    json!({ "op": "literal", "value": value, "valueType": kind })
}

fn op(name: &str, children: &[Value]) -> Value {
    json!({ "op": name, "children": children })
}

#[test]
fn json_predicates_are_read_as_they_are_sent() {
    let q = |name: &str, value: &str| op(name, &[column("q", "int"), literal(value, "int")]);
    let n = |name: &str, value: &str| op(name, &[column("n", "long"), literal(value, "long")]);
    for (tree, rows) in [
        (q("equal", "7"), Rows::All),
        (q("equal", "8"), Rows::None),
        (q("lessThan", "7"), Rows::None),
        (q("lessThanOrEqual", "7"), Rows::All),
        (q("greaterThan", "7"), Rows::None),
        (q("greaterThanOrEqual", "8"), Rows::None),
        (op("not", &[q("equal", "7")]), Rows::None),
        (op("or", &[q("equal", "8"), n("equal", "4")]), Rows::None),
        (op("or", &[q("equal", "8"), n("equal", "5")]), Rows::Some),
        (
            op("and", &[q("equal", "7"), n("lessThan", "5")]),
            Rows::None,
        ),
        (op("isNull", &[column("n", "long")]), Rows::None),
        (
            op("not", &[op("isNull", &[column("n", "long")])]),
            Rows::All,
        ),
        // The statistics of a type that is not understood still count nulls.
        (op("isNull", &[column("m", "decimal")]), Rows::None),
        (
            op("greaterThan", &[literal("7", "int"), column("q", "int")]),
            Rows::None,
        ),
        (
            op(
                "equal",
                &[column("day", "date"), literal("2026-02-01", "date")],
            ),
            Rows::None,
        ),
        (
            op("equal", &[column("p", "string"), literal("US", "string")]),
            Rows::None,
        ),
        (
            op(
                "lessThan",
                &[column("x", "double"), literal("1.0", "double")],
            ),
            Rows::None,
        ),
        (
            op(
                "lessThan",
                &[
                    column("t", "timestamp"),
                    literal("2025-12-31T00:00:00Z", "timestamp"),
                ],
            ),
            Rows::None,
        ),
        (column("b", "bool"), Rows::Some),
        // An operation that is not known may mean anything, also for what stands beside it.
        (
            op("and", &[q("equal", "8"), op("startsWith", &[])]),
            Rows::Some,
        ),
        (op("and", &[]), Rows::Some),
        (op("not", &[q("equal", "7"), q("equal", "7")]), Rows::Some),
        (op("equal", &[column("q", "int")]), Rows::Some),
        (
            op("equal", &[column("q", "int"), literal("8", "string")]),
            Rows::Some,
        ),
        (
            op("equal", &[column("q", "uuid"), literal("8", "uuid")]),
            Rows::Some,
        ),
        (
            op("equal", &[column("q", "int"), literal("eight", "int")]),
            Rows::Some,
        ),
        (
            op("equal", &[column("x", "double"), literal("NaN", "double")]),
            Rows::Some,
        ),
        (
            op("equal", &[literal("1", "int"), literal("2", "int")]),
            Rows::Some,
        ),
        (json!([]), Rows::Some),
        (json!({ "op": 7 }), Rows::Some),
        (json!({ "op": "equal", "children": 7 }), Rows::Some),
    ] {
        assert_eq!(by_json(&tree), rows, "{tree}");
    }
    let mut deep = q("equal", "8");
    for _ in 0..60 {
        deep = op("not", &[op("not", &[deep])]);
    }
    assert_eq!(by_json(&deep), Rows::Some, "too deep");
    for text in ["{", "x", "{\"op\":\"equal\""] {
        let hints = Hints::parse(&[], Some(text));
        assert_eq!(judged(&hints, &usual(), &VALUES, Some(STATS)), Rows::Some);
    }
    // All hints must hold; one that is not understood takes nothing from the others.
    let hints = Hints::parse(&["n LIKE 'x'", "q = 7"], Some(&q("equal", "8").to_string()));
    assert_eq!(judged(&hints, &usual(), &VALUES, None), Rows::None);
}

#[test]
fn nulls_and_partition_values_that_say_nothing() {
    for (sql, values, rows) in [
        ("day = '2026-01-31'", &[("day", None)][..], Rows::None),
        ("day <> '2026-01-31'", &[("day", None)], Rows::Some),
        ("day IS NULL", &[("day", None)], Rows::All),
        ("day IS NULL", &[("day", Some(""))], Rows::All),
        ("day = '2026-01-31'", &[("day", Some(""))], Rows::None),
        // Null in the log, and an empty text for some readers.
        ("p = ''", &[("p", Some(""))], Rows::Some),
        ("p IS NULL", &[("p", Some(""))], Rows::Some),
        (
            "day = '2026-01-31'",
            &[("day", Some("31.1.2026"))],
            Rows::Some,
        ),
        ("q = 7", &[("q", Some("8.0"))], Rows::Some),
        (
            "q = 7",
            &[("q", Some("__HIVE_DEFAULT_PARTITION__"))],
            Rows::Some,
        ),
        ("q = 7", &[], Rows::Some),
        ("q IS NULL", &[], Rows::Some),
    ] {
        let hints = Hints::parse(&[sql], None);
        assert_eq!(
            judged(&hints, &usual(), values, None),
            rows,
            "{sql} {values:?}"
        );
    }
}

#[test]
fn statistics_that_say_nothing() {
    let long = "y".repeat(32);
    for (sql, stats) in [
        ("n = 4", None),
        ("n = 4", Some(String::new())),
        ("n = 4", Some("{}".to_owned())),
        ("n = 4", Some(STATS[..STATS.len() / 2].to_owned())),
        (
            "n = 4",
            Some(r#"{"numRecords":10,"minValues":null,"maxValues":{"n":1}}"#.to_owned()),
        ),
        (
            "n = 4",
            Some(r#"{"numRecords":10,"minValues":{"n":"5"},"maxValues":{"n":9}}"#.to_owned()),
        ),
        (
            "n = 4",
            Some(r#"{"numRecords":10,"minValues":{"n":5.5},"maxValues":{"n":9}}"#.to_owned()),
        ),
        // They contradict themselves.
        (
            "n = 4",
            Some(r#"{"numRecords":10,"minValues":{"n":9},"maxValues":{"n":5}}"#.to_owned()),
        ),
        (
            "n = 4",
            Some(r#"{"numRecords":1,"minValues":{"n":5},"nullCount":{"n":2}}"#.to_owned()),
        ),
        (
            "n = 5",
            Some(r#"{"numRecords":2,"minValues":{"n":5},"nullCount":{"n":2}}"#.to_owned()),
        ),
        (
            "n = 4",
            Some(r#"{"numRecords":0,"minValues":{"n":5},"maxValues":{"n":9}}"#.to_owned()),
        ),
        // Only one side is known.
        (
            "n > 9",
            Some(r#"{"numRecords":10,"minValues":{"n":5}}"#.to_owned()),
        ),
        (
            "n IS NULL",
            Some(r#"{"numRecords":10,"minValues":{"n":5}}"#.to_owned()),
        ),
        // A text that is cut, or was cut within a character.
        (
            "s > 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyz'",
            Some(format!(
                r#"{{"numRecords":1,"maxValues":{{"s":"{long}"}}}}"#
            )),
        ),
        (
            "s < 'a'",
            Some("{\"numRecords\":1,\"minValues\":{\"s\":\"b\u{fffd}\"}}".to_owned()),
        ),
        (
            "x = 3",
            Some(r#"{"numRecords":1,"minValues":{"x":"NaN"},"maxValues":{"x":"NaN"}}"#.to_owned()),
        ),
        (
            "d < '2026-01-10'",
            Some(r#"{"numRecords":1,"minValues":{"d":20000}}"#.to_owned()),
        ),
        (
            "t < '2020-01-01T00:00:00Z'",
            Some(r#"{"numRecords":1,"minValues":{"t":"2026-01-01 00:00:00"}}"#.to_owned()),
        ),
    ] {
        let hints = Hints::parse(&[sql], None);
        let rows = judged(&hints, &usual(), &VALUES, stats.as_deref());
        assert_eq!(rows, Rows::Some, "{sql} {stats:?}");
    }
}

/// Column mapping: the log knows a column by another name, which may be that of another column.
#[test]
fn mapped_columns_are_found_by_their_physical_names() {
    let physical = |name: &str| json!({ "delta.columnMapping.physicalName": name });
    let fields = [
        field("n", "long", &physical("c-1")),
        field("m", "long", &physical("n")),
        field("day", "date", &physical("c-3")),
        field("lost", "long", &json!({})),
    ];
    let stats = r#"{"numRecords":1,"minValues":{"c-1":5,"n":100,"lost":5},"maxValues":{"c-1":9,"n":200,"lost":9}}"#;
    let values = [("c-3", Some("2026-01-31")), ("day", Some("1999-01-01"))];
    for (mode, sql, rows) in [
        ("name", "n = 5", Rows::Some),
        ("name", "n = 100", Rows::None),
        ("id", "m = 5", Rows::None),
        ("id", "day = '2026-01-31'", Rows::All),
        ("name", "day = '1999-01-01'", Rows::None),
        ("name", "lost = 1", Rows::Some),
        ("none", "n = 5", Rows::None),
    ] {
        let metadata = metadata(&fields, &[("delta.columnMapping.mode", mode)]);
        let hints = Hints::parse(&[sql], None);
        assert_eq!(
            judged(&hints, &metadata, &values, Some(stats)),
            rows,
            "{mode} {sql}"
        );
    }
    // Compared with padding, or as a language orders: not by bytes.
    let special = [
        json!({ "__CHAR_VARCHAR_TYPE_STRING": "char(4)" }),
        json!({ "__COLLATIONS": { "s": "UTF8_LCASE" } }),
    ];
    for notes in special {
        let metadata = metadata(&[field("s", "string", &notes)], &[]);
        let hints = Hints::parse(&["s = 'a'"], None);
        assert_eq!(judged(&hints, &metadata, &[], Some(STATS)), Rows::Some);
    }
    // A schema that cannot be read has no columns.
    let broken = Metadata {
        schema_string: "{".to_owned(),
        ..usual()
    };
    let hints = Hints::parse(&["q = 8"], None);
    assert_eq!(judged(&hints, &broken, &VALUES, None), Rows::Some);
}
