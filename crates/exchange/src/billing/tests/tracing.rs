//! A line of a statement and what it was made of are the same figure, also once the statement is issued.

use model::dto::{StatementLine, StatementLineQuery, StatementTrace};
use model::time::HOUR;
use model::{Method, Timestamp};

use super::Books;
use crate::error::Error;
use crate::principal::Principal;

fn query(line: &StatementLine) -> StatementLineQuery {
    StatementLineQuery {
        kind: line.kind.clone(),
        product: line.product.to_string(),
        from: line.route.from.to_string(),
        to: line.route.to.to_string(),
        method: line.method.to_string(),
        currency: "USD".to_owned(),
    }
}

impl Books {
    async fn trace(&self, month: &str, line: &StatementLine) -> StatementTrace {
        let found = self
            .exchange()
            .statement_line(&self.finance, "aftersales", month, &query(line))
            .await
            .unwrap();
        assert_eq!(&found.line, line);
        let bytes: u64 = found.parts.iter().map(|part| part.bytes).sum();
        let busy: i64 = found.parts.iter().map(|part| part.busy_micros).sum();
        assert_eq!(bytes + found.left_out_bytes, line.bytes, "{found:?}");
        assert_eq!(
            busy + found.left_out_busy_micros,
            line.busy_micros,
            "{found:?}"
        );
        found
    }

    async fn lines(&self, month: &str) -> Vec<StatementLine> {
        let found = self
            .exchange()
            .statement(&self.finance, "aftersales", month)
            .await
            .unwrap();
        found.into_iter().flat_map(|month| month.lines).collect()
    }
}

#[tokio::test]
async fn parts_of_a_line_are_the_line_also_when_more_comes_later() {
    for books in Books::each().await {
        let exchange = books.exchange();
        books.compute("0.5", "2026-01-01", None).await.unwrap();
        books.at("2026-06-10T08:00:00Z");
        books.work("run/1/a/0", (1_000_000_000, HOUR)).await;
        books.work("run/1/a/1", (500_000_000, HOUR)).await;
        books.at("2026-06-11T08:00:00Z");
        books.work("run/2/a/0", (7, 0)).await;
        books
            .count("gateway/1", "gcp:europe-west3", 9, Method::Measured)
            .await;
        books.at("2026-06-12T08:00:00Z");
        books.rate("gcp:*", "0.12", "2026-01-01").await.unwrap();
        exchange.billing_report(&books.system).await.unwrap();
        let lines = books.lines("2026-06").await;
        assert!(lines.len() >= 2, "{lines:?}");
        for line in &lines {
            let found = books.trace("2026-06", line).await;
            assert_eq!(found.left_out_events, 0);
        }
        let moved = lines
            .iter()
            .find(|line| line.kind == "transfer" && line.bytes > 9);
        let moved = moved.unwrap();
        let found = books.trace("2026-06", moved).await;
        // No run is told, so they are told by day, the latest first.
        let days: Vec<_> = found
            .parts
            .iter()
            .map(|part| (part.day.as_deref().unwrap(), part.events, part.bytes))
            .collect();
        assert_eq!(
            days,
            [("2026-06-11", 1, 7), ("2026-06-10", 2, 1_500_000_000)]
        );

        // Issued, and then more of June comes: July's line has it, June's has not.
        books.at("2026-07-03T12:00:00Z");
        exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap();
        books.at("2026-06-20T12:00:00Z");
        books.work("late/1", (11, 0)).await;
        books.at("2026-07-04T12:00:00Z");
        exchange.billing_report(&books.system).await.unwrap();
        for line in &books.lines("2026-06").await {
            books.trace("2026-06", line).await;
        }
        let july = books.lines("2026-07").await;
        let late = books.trace("2026-07", &july[0]).await;
        assert_eq!((july[0].bytes, late.parts[0].bytes), (11, 11));
        assert_eq!(
            late.parts[0].first_at,
            Timestamp::parse("2026-06-20T12:00:00Z").unwrap()
        );
    }
}

#[tokio::test]
async fn what_is_no_line_is_not_there_and_strangers_learn_nothing() {
    for books in Books::each().await {
        let exchange = books.exchange();
        books.work("run/1", (1_000, 0)).await;
        books.at("2026-07-01T12:00:00Z");
        exchange.billing_report(&books.system).await.unwrap();
        let line = books.lines("2026-06").await.remove(0);
        let ask = async |who: &Principal, query: StatementLineQuery| {
            exchange
                .statement_line(who, "aftersales", "2026-06", &query)
                .await
        };
        let none = StatementLineQuery {
            product: "vehicle-nothing".to_owned(),
            ..query(&line)
        };
        let found = ask(&books.finance, none).await;
        assert!(matches!(found, Err(Error::NotFound(_))), "{found:?}");
        let wrong = StatementLineQuery {
            kind: "gift".to_owned(),
            from: "nowhere".to_owned(),
            ..query(&line)
        };
        let found = ask(&books.finance, wrong).await;
        assert!(
            matches!(&found, Err(Error::Invalid(fields)) if fields.len() == 2),
            "{found:?}"
        );
        let found = ask(&Principal::nobody(), query(&line)).await;
        assert!(matches!(found, Err(Error::Unauthenticated)), "{found:?}");
    }
}
