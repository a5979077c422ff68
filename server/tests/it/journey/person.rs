//! Somebody with a token, who talks to `/api/v1`.

use http::{Method, StatusCode};
use serde_json::{Value, json};

#[derive(Clone)]
pub(super) struct Person {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Person {
    pub(super) fn new(server: &str, token: String) -> Self {
        crate::support::environment::install_crypto();
        Self {
            base: format!("{server}/api/v1"),
            token,
            http: storage::trusting_the_system(reqwest::Client::builder())
                .no_proxy()
                .build()
                .unwrap(),
        }
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        (status, value)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask(Method::GET, path, None).await;
        assert!(status.is_success(), "GET {path}: {status} {value:#}");
        value
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, value) = self.ask(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "POST {path}: {status} {value:#}");
        value
    }

    /// The items of all pages.
    pub(super) async fn all(&self, path: &str) -> Vec<Value> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("{path}{join}limit=200{after}")).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return items,
            }
        }
    }
}
