//! How often the bytes of a sync cross from one location to another: once where the worker stands at either end, twice where it
//! stands at neither. Said in the plan, of the workers that live now.

use model::{Location, Route};

use crate::pulse::WorkerPlace;

/// For people.
pub(super) fn crossing(route: &Route, workers: &[WorkerPlace]) -> String {
    let (from, to) = (&route.from, &route.to);
    let ends = if route.is_local() {
        to.to_string()
    } else {
        format!("{to} or {from}")
    };
    let near = [to, from].into_iter().find(|end| {
        workers
            .iter()
            .any(|worker| worker.at.as_ref() == Some(*end))
    });
    let unplaced = workers.iter().any(|worker| worker.at.is_none());
    let via = workers
        .iter()
        .filter(|worker| worker.takes_all)
        .find_map(|worker| worker.at.as_ref());
    match (near, via) {
        (Some(near), _) if route.is_local() => {
            format!("A worker in {near} does it, where both ends lie: nothing crosses.")
        }
        (Some(near), _) => {
            let end = if near == to { "replica" } else { "source" };
            format!(
                "A worker in {near} does it, beside the {end}: each byte crosses once, from {from} to {to}."
            )
        }
        (None, _) if unplaced => format!(
            "The worker that does it does not say where it stands. It counts as standing in {to}; where that is not {ends}, each \
             byte crosses twice, and one leg is not counted. Say where with [location] in its configuration."
        ),
        (None, Some(via)) => format!(
            "No worker stands in {ends}. One in {via} does it, so that each byte crosses twice: from {from} to {via}, and on to {to}. Both \
             legs are counted and billed; the cost above is of one leg, as if it went straight. A worker in {ends} would save the other."
        ),
        (None, None) if workers.is_empty() => {
            format!(
                "No worker lives now. One that stands in {ends} lets each byte cross no more than once."
            )
        }
        (None, None) => format!(
            "No worker stands in {ends}, so that it waits until one does: see [location] in a worker's configuration."
        ),
    }
}

/// Whether the worker that does it stands beside the replica, or counts as standing there.
pub(super) fn is_beside(route: &Route, workers: &[WorkerPlace]) -> bool {
    let stands = |end: &Location| workers.iter().any(|worker| worker.at.as_ref() == Some(end));
    let is_unplaced = workers.iter().any(|worker| worker.at.is_none());
    let is_elsewhere = workers.iter().any(|worker| worker.takes_all);
    stands(&route.to) || (!stands(&route.from) && (is_unplaced || !is_elsewhere))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_would_cross_twice_says_so() {
        let worker = |place: &str, takes_all: bool| WorkerPlace {
            at: place.parse().ok(),
            takes_all,
        };
        let route: Route = "aws:eu-central-1->azure:westeurope".parse().unwrap();
        for (workers, said) in [
            (
                vec![worker("azure:westeurope", false)],
                "beside the replica: each byte crosses once",
            ),
            (
                vec![
                    worker("gcp:europe-west3", true),
                    worker("aws:eu-central-1", false),
                ],
                "beside the source: each byte crosses once",
            ),
            (
                vec![worker("gcp:europe-west3", true)],
                "crosses twice: from aws:eu-central-1 to gcp:europe-west3, and on to azure:westeurope",
            ),
            (
                vec![worker("gcp:europe-west3", false)],
                "waits until one does",
            ),
            (vec![worker("", true)], "does not say where it stands"),
            (vec![], "No worker lives now"),
        ] {
            let sentence = crossing(&route, &workers);
            assert!(sentence.contains(said), "{sentence}");
        }
        for (workers, beside) in [
            (
                vec![
                    worker("azure:westeurope", false),
                    worker("aws:eu-central-1", false),
                ],
                true,
            ),
            (vec![worker("aws:eu-central-1", false)], false),
            (vec![worker("gcp:europe-west3", true)], false),
            (vec![worker("", true)], true),
            (vec![], true),
        ] {
            assert_eq!(is_beside(&route, &workers), beside);
        }
        let local: Route = "aws:eu-central-1->aws:eu-central-1".parse().unwrap();
        let sentence = crossing(&local, &[worker("aws:eu-central-1", false)]);
        assert!(sentence.contains("nothing crosses"), "{sentence}");
    }
}
