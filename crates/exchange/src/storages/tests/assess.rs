//! What is kept of assessments, on both databases: seen by every process, ended by whoever may, and said to be lost when nobody makes
//! it any more.

use model::dto::Assessment;
use model::{Role, Timestamp};

use super::somebody;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;
use crate::sql;
use crate::testing::TestExchange;

fn found(at: Timestamp) -> Assessment {
    Assessment {
        place: "lake/".to_owned(),
        location: "aws:eu-central-1".parse().unwrap(),
        at,
        days: 28,
        every_hours: 24,
        tables: Vec::new(),
        totals: Vec::new(),
        others: Vec::new(),
        left_out: Vec::new(),
        assumptions: Vec::new(),
        log_bytes: 7,
        yaml: String::new(),
    }
}

#[tokio::test]
async fn one_runs_at_a_time_and_what_came_of_the_last_ones_is_kept() {
    for test in TestExchange::start_each().await.unwrap() {
        let exchange = &test.exchange;
        let (admin, system) = (Principal::operator(), Principal::system());
        let none = exchange.assessment(&admin).await.unwrap();
        assert_eq!((none.id, none.running), (None, false));

        let (id, is_new) = exchange.assessment_open(&admin, "lake/").await.unwrap();
        assert!(is_new);
        let other = exchange.assessment_open(&admin, "other/").await.unwrap();
        assert_eq!(other, (id, false));
        let goes_on = exchange.assessment_progress(&system, id, 3, Some(9));
        assert!(goes_on.await.unwrap());
        let state = exchange.assessment(&admin).await.unwrap();
        assert!(state.running);
        assert_eq!((state.tables_done, state.tables), (3, Some(9)));
        let at = exchange.now();
        let end = exchange.assessment_end(&system, id, Ok(found(at)));
        end.await.unwrap();
        let state = exchange.assessment_of(&admin, id).await.unwrap();
        assert!(!state.running && state.problem.is_none() && state.ended_at.is_some());
        assert_eq!(state.found, Some(found(at)));

        // One that is ended early is told so, and nothing of it is kept.
        test.clock.advance(1_000);
        let (second, _) = exchange.assessment_open(&admin, "lake/b").await.unwrap();
        let state = exchange.assessment_cancel(&admin, second).await.unwrap();
        assert!(state.cancelled && !state.running);
        let goes_on = exchange.assessment_progress(&system, second, 4, None);
        assert!(!goes_on.await.unwrap());
        let end = exchange.assessment_end(&system, second, Ok(found(at)));
        end.await.unwrap();
        let state = exchange.assessment_of(&admin, second).await.unwrap();
        assert_eq!(state.found, None);
        // The page shows how the last one stands, and what came of the last that came to something.
        let last = exchange.assessment(&admin).await.unwrap();
        assert_eq!((last.id, last.found), (Some(second), Some(found(at))));

        // One whose process is gone.
        test.clock.advance(1_000);
        let (lost, _) = exchange.assessment_open(&admin, "lake/c").await.unwrap();
        sql!("update assessment set seen_at = 0 where id = $1")
            .bind(lost)
            .execute(exchange.db())
            .await
            .unwrap();
        let state = exchange.assessment_of(&admin, lost).await.unwrap();
        assert!(!state.running);
        assert!(state.problem.unwrap().contains("ended before it was done"));
        test.clock.advance(1_000);
        let (next, is_new) = exchange.assessment_open(&admin, "lake/d").await.unwrap();
        assert!(is_new && next != lost);
        let failed = exchange.assessment_end(&system, next, Err("no".to_owned()));
        failed.await.unwrap();
        let state = exchange.assessment_of(&admin, next).await.unwrap();
        assert_eq!(state.problem.as_deref(), Some("no"));

        for number in 0..20 {
            let place = format!("lake/{number}");
            test.clock.advance(1_000);
            let (id, _) = exchange.assessment_open(&admin, &place).await.unwrap();
            exchange.assessment_cancel(&admin, id).await.unwrap();
        }
        let page = exchange.assessments(&admin, &PageRequest::all()).await;
        let kept = page.unwrap().items;
        assert_eq!(kept.len(), 20);
        assert_eq!(kept[0].place.as_deref(), Some("lake/19"));
        let gone = exchange.assessment_of(&admin, id).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");

        let nobody = somebody(&[Role::Auditor], None);
        for refused in [
            exchange.assessment(&nobody).await.err(),
            exchange.assessment_of(&nobody, next).await.err(),
            exchange.assessment_cancel(&nobody, next).await.err(),
            exchange.assessment_open(&nobody, "lake/").await.err(),
            exchange
                .assessment_progress(&admin, next, 1, None)
                .await
                .err(),
        ] {
            assert!(matches!(refused, Some(Error::Forbidden(_))), "{refused:?}");
        }
    }
}
