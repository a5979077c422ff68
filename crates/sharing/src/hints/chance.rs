//! By chance: no file is left out that has a row that matches, and nothing that is sent does harm.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Hints;
use super::expr::{Expr, How, Literal};
use super::filter::{Filter, Rows};
use super::tests::{STATS, VALUES, partitions, usual};

/// The columns `n`, `x` and `s`.
#[derive(Clone, Debug)]
struct Row {
    n: Option<i64>,
    x: Option<f64>,
    s: Option<String>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let n = prop::option::of(-3_i64..4);
    let x = prop::option::of(prop::sample::select(vec![-1.5, -0.0, 0.0, 2.5, f64::NAN]));
    let s = prop::option::of(prop::sample::select(texts()));
    prop::collection::vec((n, x, s).prop_map(|(n, x, s)| Row { n, x, s }), 1..5)
}

fn texts() -> Vec<String> {
    let long = "y".repeat(40);
    ["", "a", "ab", "b", &long[..35], long.as_str()]
        .map(str::to_owned)
        .to_vec()
}

fn exprs() -> impl Strategy<Value = Expr> {
    let how = prop::sample::select(vec![
        How::Equal,
        How::Less,
        How::LessOrEqual,
        How::Greater,
        How::GreaterOrEqual,
    ]);
    let value = prop_oneof![
        (-4_i64..5).prop_map(|n| ("n", Literal::Integer(n.to_string()))),
        prop::sample::select(vec!["-2.0", "-1.5", "0.0", "2.5", "9.0"])
            .prop_map(|x| ("x", Literal::Number(x.to_owned()))),
        prop::sample::select(texts()).prop_map(|s| ("s", Literal::Text(s))),
    ];
    let compare = (how, value).prop_map(|(how, (column, literal))| Expr::Compare {
        column: column.to_owned(),
        how,
        literal,
    });
    let null = prop::sample::select(vec!["n", "x", "s"])
        .prop_map(|column| Expr::IsNull(column.to_owned()));
    let leaf = prop_oneof![4 => compare, 1 => null];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::Or),
            inner.prop_map(Expr::not),
        ]
    })
}

/// As Spark writes them: without nulls and NaN, texts cut.
fn stats(rows: &[Row]) -> String {
    let (mut low, mut high, mut nulls) = (Map::new(), Map::new(), Map::new());
    let mut note = |name: &str, least: Option<Value>, most: Option<Value>, count: usize| {
        for (map, value) in [(&mut low, least), (&mut high, most)] {
            if let Some(value) = value {
                map.insert(name.to_owned(), value);
            }
        }
        nulls.insert(name.to_owned(), json!(count));
    };
    let n = || rows.iter().filter_map(|row| row.n);
    note(
        "n",
        n().min().map(Value::from),
        n().max().map(Value::from),
        rows.len() - n().count(),
    );
    let x = || rows.iter().filter_map(|row| row.x);
    let numbers = || x().filter(|x| !x.is_nan());
    note(
        "x",
        numbers().reduce(f64::min).map(Value::from),
        numbers().reduce(f64::max).map(Value::from),
        rows.len() - x().count(),
    );
    let s = || rows.iter().filter_map(|row| row.s.as_deref());
    let cut = |text: &str, mark: &str| match text.char_indices().nth(32) {
        Some((at, _)) => Value::from(format!("{}{mark}", &text[..at])),
        None => Value::from(text),
    };
    note(
        "s",
        s().min().map(|text| cut(text, "")),
        s().max().map(|text| cut(text, "\u{7f}")),
        rows.len() - s().count(),
    );
    json!({ "numRecords": rows.len(), "minValues": low, "maxValues": high, "nullCount": nulls })
        .to_string()
}

/// One that is `by` decides; else one of which nothing is known leaves all unknown.
fn decided(parts: Vec<Option<bool>>, by: bool) -> Option<bool> {
    if parts.contains(&Some(by)) {
        Some(by)
    } else if parts.contains(&None) {
        None
    } else {
        Some(!by)
    }
}

/// What SQL says of one row. `nan_is_greatest`: as in Spark; else it compares with nothing.
fn holds(expr: &Expr, row: &Row, nan_is_greatest: bool) -> Option<bool> {
    let one = |expr: &Expr| holds(expr, row, nan_is_greatest);
    match expr {
        Expr::Unknown => None,
        Expr::And(all) => decided(all.iter().map(one).collect(), false),
        Expr::Or(all) => decided(all.iter().map(one).collect(), true),
        Expr::Not(part) => one(part).map(|holds| !holds),
        Expr::IsNull(column) => Some(match column.as_str() {
            "n" => row.n.is_none(),
            "x" => row.x.is_none(),
            _ => row.s.is_none(),
        }),
        Expr::Compare { how, literal, .. } => {
            let order = match literal {
                Literal::Integer(text) => Some(row.n?.cmp(&text.parse().unwrap())),
                Literal::Number(text) => {
                    let x = row.x?;
                    let order = x.partial_cmp(&text.parse().unwrap());
                    order.or(nan_is_greatest.then_some(Ordering::Greater))
                }
                Literal::Text(text) => Some(row.s.as_ref()?.cmp(text)),
                _ => None,
            };
            Some(order.is_some_and(|order| match how {
                How::Equal => order.is_eq(),
                How::Less => order.is_lt(),
                How::LessOrEqual => order.is_le(),
                How::Greater => order.is_gt(),
                How::GreaterOrEqual => order.is_ge(),
            }))
        }
    }
}

proptest! {
    #[test]
    fn no_file_is_left_out_that_has_a_row_that_matches(rows in rows(), expr in exprs()) {
        let filter = Filter::new(std::slice::from_ref(&expr), &usual());
        let stats = stats(&rows);
        let judged = filter.judge(&BTreeMap::new(), Some(&stats));
        for row in &rows {
            for nan_is_greatest in [true, false] {
                let holds = holds(&expr, row, nan_is_greatest);
                match judged {
                    Rows::None => prop_assert_ne!(holds, Some(true), "{:?} {}", row, stats),
                    Rows::All => prop_assert_eq!(holds, Some(true), "{:?} {}", row, stats),
                    Rows::Some => {}
                }
            }
        }
    }

    #[test]
    fn whatever_is_sent_is_read_or_passed_over(sql in ".{0,60}", json in ".{0,60}") {
        let hints = Hints::parse(&[sql.as_str()], Some(json.as_str()));
        Filter::new(&hints.0, &usual()).judge(&partitions(&VALUES), Some(STATS));
    }
}
