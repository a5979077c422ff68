//! The queue's own promises.

use super::*;
use crate::page::PageRequest;
use crate::testing::TestExchange;

const LEASE: i64 = 60_000_000;

/// Leases the one piece of work there is.
async fn leased(exchange: &Exchange) -> Leased {
    let key = (WorkKind::Refresh, "one");
    let leased = exchange
        .work_lease_of(&Principal::system(), "w", None, LEASE, key)
        .await;
    leased.unwrap().unwrap()
}

async fn row(exchange: &Exchange) -> WorkRow {
    let work = exchange
        .work_list(&Principal::operator(), &PageRequest::all())
        .await;
    let [row] = work.unwrap().items.try_into().unwrap();
    row
}

#[tokio::test]
async fn work_that_fails_too_often_waits_for_a_person() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, system) = (&test.exchange, Principal::system());
        let wake = Wake::new(WorkKind::Refresh, "one");
        exchange.wake(&system, &wake).await.unwrap();
        for failures in 1..=MAX_FAILURES {
            let leased = leased(exchange).await;
            assert_eq!(leased.is_last_try(), failures == MAX_FAILURES);
            exchange.work_failed(&leased, "no", false).await.unwrap();
            let row = row(exchange).await;
            assert_eq!(
                (row.failures, row.parked),
                (failures, failures == MAX_FAILURES)
            );
            // It is found by how it stands and what it is.
            let stands = match failures == MAX_FAILURES {
                true => WorkState::Parked,
                false => WorkState::Failing,
            };
            for state in WorkState::ALL {
                for kind in [WorkKind::Refresh, WorkKind::Sync] {
                    let filter = WorkFilter {
                        state: Some(state),
                        kind: Some(kind),
                    };
                    let all = PageRequest::all();
                    let operator = Principal::operator();
                    let found = exchange.work_found(&operator, &filter, &all).await;
                    let is_there = state == stands && kind == WorkKind::Refresh;
                    assert_eq!(found.unwrap().items.len(), usize::from(is_there));
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_sent_takes_no_seat_from_what_is_done() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, system) = (&test.exchange, Principal::system());
        for kind in [WorkKind::Mail, WorkKind::Webhook, WorkKind::Grant] {
            exchange
                .wake(&system, &Wake::new(kind, "one"))
                .await
                .unwrap();
        }
        let lease = |lane| exchange.work_lease(&system, "w", None, LEASE, lane);
        let data = lease(Lane::Data).await.unwrap();
        assert_eq!(data.map(|work| work.kind), Some(WorkKind::Grant));
        assert!(lease(Lane::Data).await.unwrap().is_none());
        let mut sent = Vec::new();
        while let Some(work) = lease(Lane::Post).await.unwrap() {
            sent.push(work.kind);
        }
        assert_eq!(sent, [WorkKind::Mail, WorkKind::Webhook]);
    }
}

#[tokio::test]
async fn a_wish_during_work_that_fails_for_good_is_not_lost() {
    for test in TestExchange::start_each().await.unwrap() {
        let (exchange, system) = (&test.exchange, Principal::system());
        let wake = Wake::new(WorkKind::Refresh, "one");
        exchange.wake(&system, &wake).await.unwrap();
        let first = leased(exchange).await;
        exchange.wake(&system, &wake).await.unwrap();
        exchange
            .work_failed(&first, "no such key", true)
            .await
            .unwrap();
        let seen = row(exchange).await;
        assert_eq!((seen.failures, seen.parked), (0, false));
        assert_eq!(seen.last_error.as_deref(), Some("no such key"));
        // Nobody wished meanwhile: what fails for good stays.
        let second = exchange
            .work_lease(&system, "w", None, LEASE, Lane::Data)
            .await
            .unwrap();
        let second = second.expect("due at once");
        exchange
            .work_failed(&second, "no such key", true)
            .await
            .unwrap();
        assert!(row(exchange).await.parked);
    }
}
