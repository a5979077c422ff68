//! `jsonPredicateHints`: a tree of operations, as the Spark connector writes it.

use serde_json::Value;

use super::expr::{DEPTH, Expr, How, Literal};

/// None: it is no such tree, or holds an operation that is not known.
pub(super) fn parse(text: &str) -> Option<Expr> {
    let tree: Value = serde_json::from_str(text).ok()?;
    node(&tree, DEPTH)
}

fn node(tree: &Value, depth: usize) -> Option<Expr> {
    let depth = depth.checked_sub(1)?;
    let children = || tree.get("children")?.as_array().map(Vec::as_slice);
    let all = || -> Option<Vec<Expr>> {
        let children = children()?;
        if children.is_empty() {
            return None;
        }
        children.iter().map(|child| node(child, depth)).collect()
    };
    let how = match tree.get("op")?.as_str()? {
        "and" => return all().map(Expr::And),
        "or" => return all().map(Expr::Or),
        "not" => {
            let mut all = all()?;
            let child = all.pop().filter(|_| all.is_empty())?;
            return Some(child.not());
        }
        "isNull" => {
            let [child] = children()? else { return None };
            return Some(match leaf(child)? {
                Leaf::Column(name, _) => Expr::IsNull(name),
                Leaf::Literal(..) => Expr::Unknown,
            });
        }
        // By itself a column of truth values is a predicate.
        "column" => {
            return match leaf(tree)? {
                Leaf::Column(column, kind) if kind == "bool" => Some(Expr::Compare {
                    column,
                    how: How::Equal,
                    literal: Literal::Bool("true".to_owned()),
                }),
                _ => None,
            };
        }
        "literal" => return Some(Expr::Unknown),
        "equal" => How::Equal,
        "lessThan" => How::Less,
        "lessThanOrEqual" => How::LessOrEqual,
        "greaterThan" => How::Greater,
        "greaterThanOrEqual" => How::GreaterOrEqual,
        _ => return None,
    };
    let [left, right] = children()? else {
        return None;
    };
    let (column, column_kind, how, value, kind) = match (leaf(left)?, leaf(right)?) {
        (Leaf::Column(name, of), Leaf::Literal(value, kind)) => (name, of, how, value, kind),
        (Leaf::Literal(value, kind), Leaf::Column(name, of)) => {
            (name, of, how.flipped(), value, kind)
        }
        _ => return Some(Expr::Unknown),
    };
    let literal = (column_kind == kind)
        .then(|| literal(&kind, value))
        .flatten();
    Some(literal.map_or(Expr::Unknown, |literal| Expr::Compare {
        column,
        how,
        literal,
    }))
}

enum Leaf {
    /// Its name and type.
    Column(String, String),
    Literal(String, String),
}

fn leaf(tree: &Value) -> Option<Leaf> {
    let text = |name: &str| tree.get(name)?.as_str().map(str::to_owned);
    let kind = text("valueType")?;
    match tree.get("op")?.as_str()? {
        "column" => Some(Leaf::Column(text("name")?, kind)),
        "literal" => Some(Leaf::Literal(text("value")?, kind)),
        _ => None,
    }
}

/// None: a type that is not known.
fn literal(kind: &str, value: String) -> Option<Literal> {
    Some(match kind {
        "bool" => Literal::Bool(value),
        "int" | "long" => Literal::Integer(value),
        "float" | "double" => Literal::Number(value),
        "string" => Literal::Text(value),
        "date" => Literal::Date(value),
        "timestamp" => Literal::Timestamp(value),
        _ => return None,
    })
}
