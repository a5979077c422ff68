use serde_json::json;

use super::*;

fn metadata(columns: Value, partitions: &[&str]) -> Metadata {
    Metadata {
        id: "source".into(),
        name: Some("visits".into()),
        description: Some("such as those of Erika Mustermann".into()),
        schema_string: json!({"type": "struct", "fields": columns}).to_string(),
        partition_columns: partitions.iter().map(|&name| name.to_owned()).collect(),
        configuration: BTreeMap::new(),
        created: None,
        raw: Value::Null,
    }
}

fn column(name: &str, of: impl Into<Value>) -> Value {
    let of: Value = of.into();
    json!({"name": name, "type": of, "nullable": true, "metadata": {}})
}

fn visits() -> Metadata {
    let customer = json!({"type": "struct", "fields": [column("name", "string"), column("vin", "string"), column("km", "integer")]});
    let list = json!({"type": "array", "elementType": "string", "containsNull": true});
    metadata(
        json!([
            column("id", "long"),
            column("Driver", "string"),
            column("customer", customer),
            column("notes", list),
            column("country", "string"),
        ]),
        &["country"],
    )
}

fn narrowing(drop: &[&str], hash: &[&str], rows: &str) -> Narrowing {
    let all = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Narrowing {
        drop: all(drop),
        pseudonymise: all(hash),
        rows: model::RowFilter::parse(rows).unwrap(),
    }
}

fn narrowed(drop: &[&str], hash: &[&str], rows: &str) -> Result<Narrowed, String> {
    Narrowed::new(&visits(), &narrowing(drop, hash, rows), Before::default())
}

fn names(narrowed: &Narrowed) -> Vec<(&str, &str, bool)> {
    let columns = narrowed.columns.iter();
    columns
        .map(|column| {
            (
                column.name.as_str(),
                column.type_text.as_str(),
                column.hashed,
            )
        })
        .collect()
}

/// Whether a column of a file is read.
fn takes(narrowed: &Narrowed, column: &str) -> bool {
    narrowed.nodes.iter().any(|node| node.out.name() == column)
}

#[test]
fn columns_are_left_out_and_hashed_at_any_depth() {
    let made = narrowed(
        &["driver", "customer.NAME"],
        &["customer.vin", "id"],
        "country = 'DE' and id > 5",
    )
    .unwrap();
    assert_eq!(
        names(&made),
        [
            ("id", "string", true),
            ("customer", "struct<vin: string, km: int>", false),
            ("customer.vin", "string", true),
            ("notes", "array<string>", false),
            ("country", "string", false),
        ]
    );
    assert_eq!(made.dropped, ["Driver", "customer.name"]);
    assert!(made.left_out.is_empty() && made.chooses_rows());
    assert_eq!(made.metadata.description, None);
    let partition = |country: Option<&str>| {
        let value = ("country".to_owned(), country.map(str::to_owned));
        made.admits(&[value].into_iter().collect())
    };
    assert!(partition(Some("DE")) && !partition(Some("FR")) && !partition(None));
    // The whole of a struct goes with its last field.
    let bare = narrowed(&["customer.name", "customer.vin", "customer.km"], &[], "").unwrap();
    assert!(
        !names(&bare)
            .iter()
            .any(|(name, _, _)| name.starts_with("customer"))
    );
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    for (drop, hash, rows, said) in [
        (vec!["nobody"], vec![], "", "no column `nobody`"),
        (vec![], vec!["nobody"], "", "no column `nobody`"),
        (
            vec!["customer"],
            vec!["customer.vin"],
            "",
            "lies in one that is left out",
        ),
        (vec!["notes.x"], vec![], "", "no column `notes.x`"),
        (vec![], vec![], "plate = 'x'", "none of that name"),
        (
            vec![],
            vec![],
            "notes = 'x'",
            "cannot be chosen by the column `notes`",
        ),
        (vec![], vec![], "id = 'x'", "a whole number"),
        (
            vec!["country"],
            vec![],
            "",
            "partitioned by the column `country`: it cannot be left out",
        ),
        (vec![], vec!["Country"], "", "cannot be hashed"),
        (vec!["id"], vec!["ID"], "", "both left out and hashed"),
        (vec![], vec!["notes"], "", "only single values"),
        (vec![], vec!["customer"], "", "only single values"),
        (
            vec!["id", "driver", "customer", "notes"],
            vec![],
            "",
            "No column would be left",
        ),
    ] {
        let why = narrowed(&drop, &hash, rows).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
    let mut by_numbers = visits();
    by_numbers.configuration.insert(MODE.into(), "id".into());
    let what = narrowing(&["id"], &[], "");
    let why = Narrowed::new(&by_numbers, &what, Before::default()).unwrap_err();
    assert!(why.contains("by their numbers"), "{why}");
}

#[test]
fn nothing_of_the_metadata_goes_on_that_may_hold_a_value() {
    let field = |name: &str, metadata: Value| json!({"name": name, "type": "string", "nullable": true, "metadata": metadata});
    let columns = json!([
        field(
            "kept",
            json!({"comment": "as the producer says", "CURRENT_DEFAULT": "'Erika'", "delta.generationExpression": "x"})
        ),
        field(
            "hashed",
            json!({"comment": "such as Erika", "delta.invariants": "Erika"})
        ),
        field("gone", json!({})),
    ]);
    let mut source = metadata(columns, &[]);
    for (property, value) in [
        ("delta.constraints.named", "gone <> 'Erika'"),
        ("delta.enableChangeDataFeed", "true"),
        ("delta.rowTracking.materializedRowIdColumnName", "x"),
        ("contact", "Erika"),
        ("delta.dataSkippingStatsColumns", "gone, kept,hashed"),
        ("delta.checkpointInterval", "7"),
    ] {
        source.configuration.insert(property.into(), value.into());
    }
    let what = narrowing(&["gone"], &["hashed"], "");
    let made = Narrowed::new(&source, &what, Before::default()).unwrap();
    let said = format!("{:?}", made.metadata);
    assert!(!said.contains("Erika") && !said.contains("gone"), "{said}");
    assert!(said.contains("as the producer says"));
    let properties: Vec<_> = made.metadata.configuration.iter().collect();
    let kept = [
        ("delta.checkpointInterval", "7"),
        ("delta.dataSkippingStatsColumns", "kept"),
    ];
    let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        properties,
        kept.iter().map(|(n, v)| (n, v)).collect::<Vec<_>>()
    );
    assert!(made.told.contains("kept") && !made.told.contains("hashed"));
}

#[test]
fn a_column_that_comes_later_is_left_out_and_one_that_is_called_otherwise_stays_what_it_was() {
    let mapped = |name: &str, physical: &str| {
        json!({"name": name, "type": "string", "nullable": true, "metadata":
        {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": physical}})
    };
    let table = |columns: Value| {
        let mut made = metadata(columns, &[]);
        made.configuration.insert(MODE.into(), "name".into());
        made
    };
    let what = narrowing(&["name"], &["vin"], "");
    let first = table(json!([
        mapped("id", "c1"),
        mapped("name", "c2"),
        mapped("vin", "c3")
    ]));
    let held = Narrowed::new(&first, &what, Before::default()).unwrap();
    assert_eq!(
        names(&held),
        [("id", "string", false), ("vin", "string", true)]
    );

    let later = table(json!([
        mapped("key", "c1"),
        mapped("full_name", "c2"),
        mapped("fin", "c3"),
        mapped("mail", "c4"),
        mapped("name", "c5"),
    ]));
    for before in [
        Before {
            held: Some(&held.metadata),
            ..Before::default()
        },
        Before {
            agreed: Some(held.schema()),
            ..Before::default()
        },
    ] {
        let made = Narrowed::new(&later, &what, before).unwrap();
        assert_eq!(
            names(&made),
            [("key", "string", false), ("fin", "string", true)]
        );
        assert_eq!(made.left_out, ["full_name", "mail"]);
        assert_eq!(made.dropped, ["name"]);
        assert!(takes(&made, "c1") && takes(&made, "c3"));
        assert!(!["c2", "c4", "c5"].iter().any(|name| takes(&made, name)));
    }

    // A table made anew has other names in its files.
    let anew = table(json!([
        mapped("id", "d1"),
        mapped("vin", "d3"),
        mapped("mail", "d4")
    ]));
    let before = Before {
        held: Some(&held.metadata),
        agreed: None,
        by_name: true,
    };
    let made = Narrowed::new(&anew, &what, before).unwrap();
    assert_eq!(
        names(&made),
        [("id", "string", false), ("vin", "string", true)]
    );
    assert_eq!(made.left_out, ["mail"]);
    // Of another kind a value would have another hash.
    let mut numbers = first.clone();
    numbers.schema_string = numbers.schema_string.replace(
        r#""name":"vin","type":"string""#,
        r#""name":"vin","type":"double""#,
    );
    let before = Before {
        held: Some(&held.metadata),
        ..Before::default()
    };
    let why = Narrowed::new(&numbers, &what, before).unwrap_err();
    assert!(why.contains("another type than before"), "{why}");
}

#[test]
fn fields_that_come_later_within_lists_are_left_out_too() {
    let visits = |fields: &[&str]| {
        let fields: Vec<Value> = fields.iter().map(|name| column(name, "string")).collect();
        let inner = json!({"type": "struct", "fields": fields});
        let list = json!({"type": "array", "elementType": inner, "containsNull": true});
        metadata(json!([column("id", "long"), column("visits", list)]), &[])
    };
    let what = narrowing(&["id"], &[], "");
    let held = Narrowed::new(&visits(&["at"]), &what, Before::default()).unwrap();
    let before = Before {
        held: Some(&held.metadata),
        ..Before::default()
    };
    let made = Narrowed::new(&visits(&["at", "driver"]), &what, before).unwrap();
    assert_eq!(made.left_out, ["visits.driver"]);
    assert_eq!(
        names(&made),
        [("visits", "array<struct<at: string>>", false)]
    );
}
