//! The webhook: signed so that other code finds it right, sent again under the same id, never elsewhere.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use exchange::Principal;
use exchange::page::PageRequest;
use exchange::ports::Webhook as _;
use http::{HeaderMap, StatusCode, header};
use model::{ManualClock, NoticeId, Timestamp};
use serde_json::{Value, json};
use server::adapters::webhook::SignedWebhook;
use tokio::net::TcpListener;

use super::{SITE, Site, settings};
use crate::support::Log;
use crate::support::environment::install_crypto;
use crate::support::python::Python;

/// Nothing else holds it.
const SECRET: &str = "a secret that only both ends know";

/// What a receiver got, and how it answers next.
#[derive(Default)]
struct Inner {
    got: Vec<(HeaderMap, String)>,
    answers: VecDeque<StatusCode>,
    elsewhere: u32,
}

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Inner>>);

impl Receiver {
    /// Answers its address, too.
    async fn start(answers: &[StatusCode]) -> (Self, String) {
        let receiver = Self::default();
        receiver.0.lock().unwrap().answers = answers.iter().copied().collect();
        let router = Router::new()
            .route("/hook", post(take))
            .route("/elsewhere", post(stray).get(stray))
            .with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, format!("http://{address}/hook"))
    }

    fn got(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut self.0.lock().unwrap().got)
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> Response {
    let mut inner = receiver.0.lock().unwrap();
    inner.got.push((headers, body));
    let status = inner.answers.pop_front().unwrap_or(StatusCode::NO_CONTENT);
    (status, [(header::LOCATION, "/elsewhere")]).into_response()
}

async fn stray(State(receiver): State<Receiver>) {
    receiver.0.lock().unwrap().elsewhere += 1;
}

fn section(url: &str) -> String {
    format!("[webhook]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n")
}

fn told(headers: &HeaderMap, name: &str) -> String {
    headers[name].to_str().unwrap().to_owned()
}

/// What the receiver's own code is asked.
fn question(headers: &HeaderMap, body: &str) -> Value {
    json!({
        "secret": SECRET,
        "id": told(headers, "webhook-id"),
        "timestamp": told(headers, "webhook-timestamp"),
        "body": body,
        "signature": told(headers, "webhook-signature"),
    })
}

#[tokio::test]
async fn events_are_signed_and_sent_again_under_the_same_id() {
    let Some(python) = Python::find() else { return };
    let (receiver, url) = Receiver::start(&[]).await;
    for mut site in Site::each(&section(&url)).await {
        site.worker.drain().await;
        receiver.got();
        receiver
            .0
            .lock()
            .unwrap()
            .answers
            .push_back(StatusCode::INTERNAL_SERVER_ERROR);
        let request = site.world.request("live").await;
        site.worker.drain().await;
        // It was refused, and waits for its turn; somebody does not want to wait.
        let (operator, all) = (Principal::operator(), PageRequest::all());
        let exchange = site.world.exchange().clone();
        let work = exchange.work_list(&operator, &all).await.unwrap().items;
        let [waiting] = &work[..] else {
            panic!("one event waits: {work:?}")
        };
        assert!(!waiting.parked);
        let said = waiting.last_error.as_deref().unwrap();
        assert_eq!(said, "the webhook answered 500 Internal Server Error");
        exchange.work_retry(&operator, waiting.id).await.unwrap();
        site.worker.drain().await;
        let got = receiver.got();
        let [(first, body), (second, again)] = &got[..] else {
            panic!("{got:?}")
        };
        assert_eq!(body, again);
        assert_eq!(told(first, "webhook-id"), told(second, "webhook-id"));
        assert_eq!(told(first, "content-type"), "application/json");
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["id"], told(first, "webhook-id"));
        assert_eq!(event["kind"], "request.submitted");
        assert_eq!(event["time"], "2026-06-15T12:00:00Z");
        assert_eq!(event["url"], format!("{SITE}/requests/{}", request.id));
        assert_eq!(event["data"]["product"], "vehicle-visits");
        assert!(!body.contains("warranty analysis") && !body.contains("@"));
        for (headers, body) in &got {
            let asked = question(headers, body);
            assert!(python.run::<bool>("check_signature.py", &asked).await);
            let forged = question(headers, &body.replace("vehicle", "vehicles"));
            assert!(!python.run::<bool>("check_signature.py", &forged).await);
        }
        assert!(
            exchange
                .work_list(&operator, &all)
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
    let log = Log::shared().text();
    assert!(!log.contains(SECRET), "the secret is in the log");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_address_is_in_no_error() {
    Log::shared();
    install_crypto();
    let (receiver, url) =
        Receiver::start(&[StatusCode::FOUND, StatusCode::PERMANENT_REDIRECT]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &section(&url));
    let at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
    let clock = Arc::new(ManualClock::at(at));
    let hook = SignedWebhook::at(settings.webhook.as_ref().unwrap(), clock).unwrap();
    for _ in 0..2 {
        let refused = hook.post(NoticeId::new(at), "{}").await.unwrap_err();
        assert!(!refused.permanent);
        assert!(refused.sentence.contains("webhook.url"), "{refused}");
    }
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    let seconds = (at.micros() / model::time::SECOND).to_string();
    assert_eq!(told(&got[0].0, "webhook-timestamp"), seconds);
    assert_eq!(receiver.0.lock().unwrap().elsewhere, 0);
    let nobody = section("http://127.0.0.1:1/a-path-that-is-secret");
    let settings = super::settings(folder.path(), &nobody);
    let hook = SignedWebhook::new(settings.webhook.as_ref().unwrap()).unwrap();
    let refused = hook.post(NoticeId::new(at), "{}").await.unwrap_err();
    assert!(
        !refused.permanent && !refused.sentence.contains("a-path"),
        "{refused}"
    );
}
