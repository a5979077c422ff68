//! CSV of charges, statements and the access log. A cell that a spreadsheet would take for a formula is quoted as text (OWASP ASVS 1.2.10).

use model::dto::{Charge, ShareQuery, Statement};

use crate::page::Page;

/// What is said of a call.
const CALL: [&str; 22] = [
    "at",
    "recipient",
    "team",
    "call",
    "share",
    "schema",
    "table",
    "version",
    "files",
    "bytes_signed",
    "files_dropped",
    "actions",
    "seconds",
    "source",
    "stale_since",
    "outcome",
    "status",
    "error_code",
    "reason",
    "user_agent",
    "grant",
    "query",
];

/// A cell that begins like a formula gets an apostrophe before it, also like one of the wide signs that spreadsheets take for the
/// narrow ones; numbers of ours are left alone.
fn text(cell: &str) -> String {
    if cell.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
    ]) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

fn write(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(&row)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One line per charge.
pub fn charges_csv(charges: &[Charge]) -> Result<String, csv::Error> {
    write(
        &[
            "day", "kind", "product", "team", "consumer", "from", "to", "method", "bytes",
            "seconds", "amount", "currency",
        ],
        charges.iter().map(|charge| {
            vec![
                text(&charge.day),
                text(&charge.kind),
                text(charge.product.as_str()),
                text(charge.team.as_str()),
                charge
                    .consumer
                    .as_ref()
                    .map(|name| text(name.as_str()))
                    .unwrap_or_default(),
                charge.from.to_string(),
                charge.to.to_string(),
                charge.method.to_string(),
                charge.bytes.to_string(),
                seconds(charge.busy_micros),
                charge.amount.to_string(),
                charge.currency.to_string(),
            ]
        }),
    )
}

/// One line per statement line; the month's totals are the sums.
pub fn statement_csv(statements: &[Statement]) -> Result<String, csv::Error> {
    let rows = statements.iter().flat_map(|statement| {
        statement.lines.iter().map(|line| {
            vec![
                text(statement.summary.team.as_str()),
                text(&statement.cost_center),
                text(&statement.summary.month),
                statement.summary.state.to_string(),
                text(&line.kind),
                text(line.product.as_str()),
                line.route.to_string(),
                line.method.to_string(),
                line.bytes.to_string(),
                seconds(line.busy_micros),
                line.amount.to_string(),
                statement.summary.currency.to_string(),
            ]
        })
    });
    write(
        &[
            "team",
            "cost_center",
            "month",
            "state",
            "kind",
            "product",
            "route",
            "method",
            "bytes",
            "seconds",
            "amount",
            "currency",
        ],
        rows,
    )
}

/// One line per call on a shared table, newest first. Where the file does not hold all, a last line says in `reason` how to get the rest.
pub fn share_queries_csv(calls: &Page<ShareQuery>) -> Result<String, csv::Error> {
    let last = calls.items.last().filter(|_| calls.next.is_some());
    let goes_on = last.map(|last| {
        let mut row = vec![String::new(); CALL.len()];
        let reason = CALL.iter().position(|column| *column == "reason");
        if let Some(cell) = reason.and_then(|reason| row.get_mut(reason)) {
            *cell = format!(
                "This file ends here, after {} calls, and there are earlier ones: ask for those until {}.",
                calls.items.len(),
                last.at
            );
        }
        row
    });
    let said = |cell: &Option<String>| cell.as_deref().map(text).unwrap_or_default();
    let number = |cell: Option<u64>| cell.map(|cell| cell.to_string()).unwrap_or_default();
    let rows = calls.items.iter().map(|call| {
        vec![
            call.at.to_string(),
            text(call.recipient.as_str()),
            text(call.team.as_str()),
            text(&call.endpoint),
            text(&call.share),
            text(&call.schema),
            text(&call.table),
            number(call.version),
            call.files.to_string(),
            call.bytes_signed.to_string(),
            number(call.files_dropped),
            number(call.actions),
            call.duration_micros
                .and_then(|micros| i64::try_from(micros).ok())
                .map(seconds)
                .unwrap_or_default(),
            said(&call.source),
            call.stale_since
                .map(|at| at.to_string())
                .unwrap_or_default(),
            said(&call.outcome),
            call.status.to_string(),
            said(&call.error_code),
            said(&call.reason),
            text(&call.user_agent),
            call.grant.map(|id| id.to_string()).unwrap_or_default(),
            call.id.to_string(),
        ]
    });
    write(&CALL, rows.chain(goes_on))
}

/// Microseconds as seconds with three places, rounded down.
fn seconds(micros: i64) -> String {
    format!("{}.{:03}", micros / 1_000_000, micros % 1_000_000 / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        for cell in ["=1+1", "+1", "-1", "@x", "\tx", "\0x"] {
            assert_eq!(text(cell), format!("'{cell}"));
        }
        assert_eq!(text("plain = text"), "plain = text");
        assert_eq!(seconds(1_234_567), "1.234");
    }
}
