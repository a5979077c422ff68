//! What goes back.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::Server;

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body comes to no end.
    pub(crate) breaks: bool,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            breaks: false,
        }
    }

    /// In the place of one of the same name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name.as_str(), value.as_str());
        }
        let body = if self.breaks {
            let text = self.body;
            Body::from_stream(futures::stream::unfold(0, move |step| {
                let text = text.clone();
                async move {
                    match step {
                        0 => Some((Ok(text), 1)),
                        1 => {
                            // So that what came before is sent.
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            Some((Err(io::Error::other("broken")), 2))
                        }
                        _ => None,
                    }
                }
            }))
        } else {
            Body::from(self.body)
        };
        response.body(body).unwrap()
    }
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({ "errorCode": code, "message": message });
    Reply::new(status)
        .header("content-type", "application/json")
        .body(body.to_string())
}

pub(crate) fn json(server: &Server, value: &Value) -> Reply {
    let text = if server.wrong("C2.one-line") {
        format!("{value:#}")
    } else {
        value.to_string()
    };
    let kind = if server.wrong("C3.list-type") {
        "application/json"
    } else {
        "application/json; charset=utf-8"
    };
    Reply::new(200).header("content-type", kind).body(text)
}
