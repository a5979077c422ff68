//! The list of today's flows: a CSV file that somebody wrote by hand or out of a spreadsheet.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::Location;
use model::dto::AssessedFolder;

const BYTES_MAX: usize = 1 << 20;
const FLOWS_MAX: usize = 10_000;
const CONSUMERS_MAX: u32 = 100_000;
const COLUMNS: [&str; 5] = ["table", "kind", "consumers", "from", "to"];

/// How a table is fetched today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    WeeklyFullLoad,
    DailyFullLoad,
    /// Read in place, from elsewhere.
    DirectReads,
    /// Fetched as files; reckoned as once a week.
    Ftp,
}

impl FlowKind {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().replace(['_', '-'], " ").as_str() {
            "weekly full load" => Some(Self::WeeklyFullLoad),
            "daily full load" => Some(Self::DailyFullLoad),
            "direct reads" => Some(Self::DirectReads),
            "ftp" => Some(Self::Ftp),
            _ => None,
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Of the file, from 1.
    pub line: usize,
    /// The table's path below the prefix, or its last segment.
    pub table: String,
    pub kind: FlowKind,
    pub consumers: u32,
    /// None: where the table lies.
    pub from: Option<Location>,
    pub to: Location,
}

/// What is wrong with the list, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the flows: {sentence}")]
pub struct FlowError {
    pub line: usize,
    pub sentence: String,
}

/// Reads the list: a line with the columns' names in any order, then one flow a line.
///
/// # Errors
/// [`FlowError`] for the first line that cannot be taken; nothing of the list counts then.
pub fn flows(text: &str) -> Result<Vec<Flow>, FlowError> {
    let wrong = |line: usize, sentence: String| FlowError { line, sentence };
    if text.len() > BYTES_MAX {
        let sentence =
            format!("the file is larger than {BYTES_MAX} bytes; give the flows in parts");
        return Err(wrong(1, sentence));
    }
    let mut rows = cells(text.trim_start_matches('\u{feff}'))?.into_iter();
    let (line, head) = rows.next().ok_or_else(|| {
        wrong(
            1,
            format!(
                "the file is empty; its first line names the columns {}",
                COLUMNS.join(",")
            ),
        )
    })?;
    let head: Vec<String> = head
        .iter()
        .map(|cell| cell.trim().to_ascii_lowercase())
        .collect();
    if let [only] = head.as_slice()
        && only.contains([';', '\t'])
    {
        let sentence = "there are semicolons or tabs between the cells; save the list with commas between them";
        return Err(wrong(line, sentence.to_owned()));
    }
    let place = |name: &str| {
        head.iter().position(|cell| cell == name).ok_or_else(|| {
            wrong(
                line,
                format!(
                    "the column `{name}` is missing; the columns are {}",
                    COLUMNS.join(",")
                ),
            )
        })
    };
    let [table, kind, consumers, from, to] = [
        place("table")?,
        place("kind")?,
        place("consumers")?,
        place("from")?,
        place("to")?,
    ];
    let mut flows = Vec::new();
    for (line, row) in rows {
        if flows.len() == FLOWS_MAX {
            return Err(wrong(
                line,
                format!("there are more than {FLOWS_MAX} flows; give them in parts"),
            ));
        }
        if row.len() != head.len() {
            let sentence = format!(
                "it has {} cells, and the first line has {}",
                row.len(),
                head.len()
            );
            return Err(wrong(line, sentence));
        }
        for cell in &row {
            if cell.trim_start().starts_with(['=', '+', '@']) {
                let sentence = format!(
                    "`{}` is a formula to a spreadsheet and nothing here; write its value",
                    delta::shown(cell)
                );
                return Err(wrong(line, sentence));
            }
        }
        let cell = |at: usize| row[at].trim();
        let name = cell(table).trim_matches('/');
        if name.is_empty() || name.starts_with('-') {
            return Err(wrong(
                line,
                "name the table by its path below the prefix".to_owned(),
            ));
        }
        let flow = Flow {
            line,
            table: name.to_owned(),
            kind: FlowKind::parse(cell(kind)).ok_or_else(|| {
                let sentence = format!(
                    "`{}` is no kind of flow; write weekly full load, daily full load, direct reads or FTP",
                    delta::shown(cell(kind))
                );
                wrong(line, sentence)
            })?,
            consumers: cell(consumers)
                .parse::<u32>()
                .ok()
                .filter(|count| (1..=CONSUMERS_MAX).contains(count))
                .ok_or_else(|| {
                    let found = delta::shown(cell(consumers));
                    wrong(line, format!("`{found}` consumers cannot be; write a number from 1 to {CONSUMERS_MAX}"))
                })?,
            from: match cell(from) {
                "" => None,
                text => Some(text.parse::<Location>().map_err(|error| wrong(line, format!("from: {error}")))?),
            },
            to: cell(to)
                .parse::<Location>()
                .map_err(|error| wrong(line, format!("to: {error}")))?,
        };
        flows.push(flow);
    }
    Ok(flows)
}

/// The cells of each line that has some, with the line's number. Commas between, quotes around what holds commas or quotes.
fn cells(text: &str) -> Result<Vec<(usize, Vec<String>)>, FlowError> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let (mut row, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if is_quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
                c => cell.push(c),
            }
        }
        if is_quoted {
            return Err(FlowError {
                line: index + 1,
                sentence: "a quote is not closed".to_owned(),
            });
        }
        row.push(cell);
        rows.push((index + 1, row));
    }
    Ok(rows)
}

/// Which flows are of which table, by its path. `tables` are all Delta tables that there are, of which the first `most` are
/// assessed; `others` folders of which nothing can be reckoned.
///
/// # Errors
/// [`FlowError`] for a flow of a table that is not there, or not among the first.
pub fn check_flows(
    flows: Vec<Flow>,
    tables: &[String],
    most: usize,
    others: &[AssessedFolder],
) -> Result<BTreeMap<String, Vec<Flow>>, FlowError> {
    // A name that several tables have is none: None.
    let mut named: HashMap<&str, Option<(usize, &String)>> = HashMap::new();
    let mut exact: HashMap<&str, (usize, &String)> = HashMap::new();
    for (number, path) in tables.iter().enumerate() {
        exact.insert(path, (number, path));
        let name = path.rsplit('/').next().unwrap_or(path);
        named
            .entry(name)
            .and_modify(|one| *one = None)
            .or_insert(Some((number, path)));
    }
    let others: HashSet<&str> = others.iter().map(|other| other.path.as_str()).collect();
    let mut known: BTreeMap<String, Vec<Flow>> = BTreeMap::new();
    for flow in flows {
        let table = flow.table.as_str();
        let found = match (exact.get(table), named.get(table)) {
            (Some(found), _) | (None, Some(Some(found))) => Ok(*found),
            (None, Some(None)) => {
                Err("is the name of several tables; write the path below the prefix".to_owned())
            }
            (None, None) if others.contains(table) => Err(
                "is no Delta table, so nothing can be reckoned of it; take the line out".to_owned(),
            ),
            (None, None) => Err(
                "is not under the prefix; write a table's path as the assessment lists it, or take the line out"
                    .to_owned(),
            ),
        };
        let found = found.and_then(|(number, path)| match number < most {
            true => Ok(path),
            false => Err(format!(
                "is beyond the first {most} tables, which are all that one assessment reads; assess a narrower prefix"
            )),
        });
        let path = found.map_err(|why| FlowError {
            line: flow.line,
            sentence: format!("`{}` {why}", delta::shown(&flow.table)),
        })?;
        known.entry(path.clone()).or_default().push(flow);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "table,kind,consumers,from,to\n";

    #[test]
    fn a_list_is_read() {
        let text = "\u{feff}Kind,table,consumers,to,from\r\n\r\nweekly_full_load,\"a/\"\"x\"\", y\",10,azure:westeurope,\r\nFTP,b,1,aws:eu-west-1,onprem:stuttgart\r\n";
        let found = flows(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].table.as_str()), (3, "a/\"x\", y"));
        assert_eq!(
            (found[0].kind, found[0].consumers),
            (FlowKind::WeeklyFullLoad, 10)
        );
        assert_eq!(found[0].from, None);
        assert_eq!(
            found[1].from.as_ref().map(ToString::to_string).as_deref(),
            Some("onprem:stuttgart")
        );
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        for (row, said) in [
            ("a,weekly full load,-3,,azure:westeurope", "`-3` consumers"),
            ("a,weekly full load,0,,azure:westeurope", "`0` consumers"),
            ("a,hourly,1,,azure:westeurope", "`hourly` is no kind"),
            ("=cmd|' /C calc'!A0,FTP,1,,azure:westeurope", "is a formula"),
            ("a,FTP,1,,@SUM(1)", "is a formula"),
            ("a,FTP,1,,mars", "to: not a place"),
            ("a,FTP,1,azure:westeurope", "it has 4 cells"),
            ("\"a,FTP,1,,azure:westeurope", "a quote is not closed"),
            (",FTP,1,,azure:westeurope", "name the table"),
        ] {
            let error = flows(&format!("{HEAD}{row}\n")).unwrap_err();
            assert_eq!(error.line, 2, "{row}");
            assert!(error.sentence.contains(said), "{row}: {error}");
        }
        assert!(flows("").unwrap_err().sentence.contains("is empty"));
        let error = flows("table,kind\n").unwrap_err();
        assert!(error.sentence.contains("`consumers` is missing"), "{error}");
        // As spreadsheets of some countries save them.
        let error = flows("table;kind;consumers;from;to\na;FTP;1;;azure:westeurope\n").unwrap_err();
        assert!(error.sentence.contains("semicolons"), "{error}");
    }
}
