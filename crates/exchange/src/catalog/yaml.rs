//! The little YAML that `scan` writes: mappings, lists, scalars. What is not plainly a word is written as a JSON string,
//! which YAML reads as the same text. What a declaration means without saying so is left out: what consumers may see beyond
//! a table's present state is for its producer to write.

use std::fmt::Write as _;

/// Stands for a classification that somebody has yet to choose; no declaration with it is sound.
pub(crate) const UNCHOSEN: &str = "choose";

/// A product of the fragment.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) team: String,
    pub(super) storage: String,
    pub(super) tables: Vec<Table>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) path: String,
    /// Said behind it as comments.
    pub(super) remarks: Vec<String>,
}

/// `products:` with comments for what was left out (path, why).
pub(super) fn fragment(products: &[Product], left_out: &[(String, String)]) -> String {
    let mut text = String::new();
    for (path, why) in left_out {
        push(
            &mut text,
            format_args!("# left out: {}: {}", comment(path), comment(why)),
        );
    }
    if products.is_empty() {
        push(&mut text, format_args!("products: {{}}"));
        return text;
    }
    push(&mut text, format_args!("products:"));
    for product in products {
        push(&mut text, format_args!("  {}:", scalar(&product.name)));
        push(
            &mut text,
            format_args!("    title: {}", scalar(&product.title)),
        );
        push(
            &mut text,
            format_args!("    team: {}", scalar(&product.team)),
        );
        push(
            &mut text,
            format_args!("    storage: {}", scalar(&product.storage)),
        );
        push(
            &mut text,
            format_args!(
                "    classification: {UNCHOSEN}  # write public, internal or personal: it is refused as it is"
            ),
        );
        push(&mut text, format_args!("    access: {{ policy: owner }}"));
        push(&mut text, format_args!("    tables:"));
        for table in &product.tables {
            let mut line = format!(
                "      - {{ name: {}, schema: \"default\", path: {}, format: delta }}",
                scalar(&table.name),
                scalar(&table.path),
            );
            for (number, remark) in table.remarks.iter().enumerate() {
                line.push_str(if number == 0 { "  # " } else { "; " });
                line.push_str(&comment(remark));
            }
            push(&mut text, format_args!("{line}"));
        }
    }
    text
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = text.write_fmt(line);
    text.push('\n');
}

/// Plain where no reader could take it for anything but text.
fn scalar(text: &str) -> String {
    const NOT_TEXT: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'/')
        })
        && !NOT_TEXT.contains(&text);
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            // All that a reader might fold, hide or refuse; YAML's \u takes four digits, \U eight.
            c if !c.is_ascii() || c.is_control() => {
                if c.is_alphanumeric() {
                    quoted.push(c);
                } else {
                    let _ = write!(quoted, "\\U{:08x}", u32::from(c));
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// One line, whatever the text holds.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let nasty = [
            "a: b # c",
            "\"quoted\" \\ back",
            "true",
            "1e3",
            "größe\u{2028}x",
            "{a}",
            "line\nfeed",
            "'",
            "tab\there",
        ];
        let tables = nasty
            .iter()
            .map(|path| Table {
                name: "t".to_owned(),
                path: (*path).to_owned(),
                remarks: vec!["needs\nfeature: x".to_owned(), "and: y".to_owned()],
            })
            .collect();
        let product = Product {
            name: "vehicle-a".to_owned(),
            title: "A: the \"first\"".to_owned(),
            team: "rnd".to_owned(),
            storage: "aws_eu".to_owned(),
            tables,
        };
        let left_out = [("x\ny".to_owned(), "not: a table\n- really".to_owned())];
        let text = fragment(&[product], &left_out);
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let product = &value["products"]["vehicle-a"];
        assert_eq!(product["title"], "A: the \"first\"");
        let paths: Vec<&str> = product["tables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|table| table["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths, nasty);
        let empty: serde_json::Value = serde_saphyr::from_str(&fragment(&[], &left_out)).unwrap();
        assert_eq!(empty, serde_json::json!({ "products": {} }));
    }
}
