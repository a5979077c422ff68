//! Faults of the wire, as a counting proxy makes them: the n-th request over one or more proxies is not passed on, or its answer is
//! lost, late, cut off, or the one that the same question had before.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{Shared, end_to_end};

/// What becomes of the request that is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Nothing is done, and a gateway says so.
    Fail,
    /// It is done, and a gateway says that no answer came in time.
    LostResponse,
    /// It is done after so long.
    Delay(Duration),
    /// Of the answer's body half comes, and then the connection breaks.
    Truncate,
    /// The answer is the one that the same question had the last time, if it was asked before.
    Stale,
}

/// An answer as it came.
#[derive(Clone)]
pub(super) struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Kept {
    fn answer(&self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

#[derive(Default)]
struct State {
    /// Requests until the one that is hit, that one included; 0: it was hit, or there is none.
    left: u64,
    wrong: Option<Wrong>,
    fired: bool,
    /// Answers to what was only asked.
    known: HashMap<String, Kept>,
}

/// Counts the requests of all proxies that were told of it.
#[derive(Default)]
pub(crate) struct Faults(Mutex<State>);

impl Faults {
    /// The `nth` request from now on, from 1, goes wrong.
    pub(crate) fn arm(&self, nth: u64, wrong: Wrong) {
        *self.0.lock().unwrap() = State {
            left: nth,
            wrong: Some(wrong),
            ..State::default()
        };
    }

    /// All goes well again. Answers whether anything went wrong.
    pub(crate) fn disarm(&self) -> bool {
        std::mem::take(&mut *self.0.lock().unwrap()).fired
    }

    pub(super) fn hit(&self) -> Option<Wrong> {
        let mut state = self.0.lock().unwrap();
        state.left = state.left.checked_sub(1)?;
        if state.left > 0 {
            return None;
        }
        state.fired = true;
        state.wrong
    }

    fn is_armed(&self) -> bool {
        self.0.lock().unwrap().wrong.is_some()
    }
}

/// What is answered in place of passing a request on.
pub(super) async fn before(
    faults: &Faults,
    wrong: Option<Wrong>,
    question: Option<&str>,
) -> Option<Response> {
    match wrong? {
        Wrong::Fail => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Wrong::Delay(time) => {
            tokio::time::sleep(time).await;
            None
        }
        Wrong::Stale => {
            let state = faults.0.lock().unwrap();
            let old = state.known.get(question?)?;
            Some(old.answer(Body::from(old.body.clone())))
        }
        Wrong::LostResponse | Wrong::Truncate => None,
    }
}

/// Passes an answer on whole, as it goes wrong.
pub(super) async fn after(
    (shared, at): (&Shared, usize),
    faults: &Faults,
    wrong: Option<Wrong>,
    question: Option<String>,
    answer: reqwest::Response,
) -> Response {
    let (status, headers) = (answer.status(), end_to_end(answer.headers()));
    let Ok(body) = answer.bytes().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let kept = Kept {
        status,
        headers,
        body,
    };
    if let Some(question) = question
        && faults.is_armed()
    {
        let mut state = faults.0.lock().unwrap();
        state.known.insert(question, kept.clone());
    }
    let mut passed = kept.body.clone();
    let answer = match wrong {
        Some(Wrong::LostResponse) => {
            passed.clear();
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Some(Wrong::Truncate) if !passed.is_empty() => {
            passed.truncate(passed.len() / 2);
            let broken = std::io::Error::other("the wire broke on purpose");
            let parts = [Ok(passed.clone()), Err(broken)];
            kept.answer(Body::from_stream(futures::stream::iter(parts)))
        }
        _ => kept.answer(Body::from(passed.clone())),
    };
    let length = passed.len() as u64;
    shared.received.fetch_add(length, Ordering::SeqCst);
    shared.log.lock().unwrap()[at].received += length;
    answer
}
