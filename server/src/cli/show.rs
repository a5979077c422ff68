//! How an answer is shown to people: a sentence, a table, or fields one below the other.

use serde_json::Value;

/// How to show an answer.
pub(super) enum Show {
    /// There is nothing in the answer; say this.
    Nothing(String),
    /// The items of a list: heading and JSON pointer of each column.
    Table(&'static [(&'static str, &'static str)]),
    /// One thing: label and JSON pointer of each line.
    Fields(&'static [(&'static str, &'static str)]),
    /// In its own words.
    Words(Box<dyn Fn(&Value) -> String>),
}

impl Show {
    pub(super) fn said(sentence: impl Into<String>) -> Self {
        Self::Nothing(sentence.into())
    }

    pub(super) fn words(words: impl Fn(&Value) -> String + 'static) -> Self {
        Self::Words(Box::new(words))
    }

    /// The text, with a line end.
    pub(super) fn text(&self, answer: &Value) -> String {
        let mut text = match self {
            Self::Nothing(sentence) => sentence.clone(),
            Self::Table(columns) => table(
                columns,
                answer["items"].as_array().map_or(&[], Vec::as_slice),
            ),
            Self::Fields(lines) => fields(lines, answer),
            Self::Words(words) => words(answer),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// The answer as it came, one object per command. Nothing to say is an empty object.
pub(super) fn json(answer: &Value) -> String {
    match answer {
        Value::Null => "{}\n".to_owned(),
        answer => format!("{answer:#}\n"),
    }
}

fn table(columns: &[(&str, &str)], items: &[Value]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let mut rows: Vec<Vec<String>> =
        vec![columns.iter().map(|(head, _)| (*head).to_owned()).collect()];
    for item in items {
        rows.push(
            columns
                .iter()
                .map(|(_, pointer)| cell(item.pointer(pointer)))
                .collect(),
        );
    }
    grid(&rows)
}

/// Rows of as many cells each, in columns that line up.
pub(super) fn grid(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn fields(lines: &[(&str, &str)], answer: &Value) -> String {
    let width = lines
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0);
    lines
        .iter()
        .map(|(label, pointer)| format!("{label:width$}  {}\n", cell(answer.pointer(pointer))))
        .collect()
}

/// A value on one line. What others typed cannot write over the terminal.
pub(super) fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| cell(Some(item)))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    };
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_line_up() {
        let answer = json!({ "items": [
            { "name": "a", "on": true, "roles": ["x", "y"] },
            { "name": "longer", "on": false, "roles": [] },
            { "name": "e\u{1b}[31m", "roles": null },
        ] });
        let shown =
            Show::Table(&[("NAME", "/name"), ("ON", "/on"), ("ROLES", "/roles")]).text(&answer);
        assert_eq!(
            shown,
            "NAME    ON   ROLES\na       yes  x, y\nlonger  no   -\ne\u{fffd}[31m  -    -\n"
        );
        assert_eq!(Show::Table(&[]).text(&json!({ "items": [] })), "none\n");
        assert_eq!(
            Show::Fields(&[("Name", "/name"), ("No", "/n")]).text(&json!({ "name": "a", "n": 7 })),
            "Name  a\nNo    7\n"
        );
        assert_eq!(json(&Value::Null), "{}\n");
    }
}
