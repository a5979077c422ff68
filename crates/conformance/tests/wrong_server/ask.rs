//! What came in: path, parameters, headers, body, and what the client can do.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use serde_json::Value;

use super::Server;

pub(crate) struct Ask {
    pub(crate) method: String,
    /// Below the prefix.
    pub(crate) path: Vec<String>,
    pub(crate) query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) can: Capabilities,
}

/// What the client can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capabilities {
    pub(crate) formats: Vec<String>,
    pub(crate) features: Vec<String>,
    pub(crate) end: bool,
    pub(crate) later: bool,
    /// A key that there is not.
    pub(crate) unknown: bool,
}

pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Ask {
    pub(crate) fn new(server: &Server, parts: &Parts, body: Vec<u8>) -> Self {
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let path = parts.uri.path().trim_start_matches("/delta-sharing/");
        let path = path.split('/').map(|part| {
            if server.wrong("C2.encoded") {
                part.to_owned()
            } else {
                decoded(part)
            }
        });
        let query = parts.uri.query().unwrap_or_default();
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(value))
            });
        let header = headers.get("delta-sharing-capabilities");
        let can = capabilities(server, header.map(String::as_str).unwrap_or_default());
        Self {
            method: parts.method.as_str().to_owned(),
            path: path.collect(),
            query: query.collect(),
            headers,
            body,
            can,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .filter(Value::is_object)
    }
}

fn capabilities(server: &Server, header: &str) -> Capabilities {
    let mut can = Capabilities::default();
    let header = if server.wrong("H1.any-case") {
        header.to_owned()
    } else {
        header.to_lowercase()
    };
    for (key, value) in header.split(';').filter_map(|pair| pair.split_once('=')) {
        let values = value.split(',').map(str::to_owned);
        match key {
            "responseformat" => can.formats.extend(values),
            "readerfeatures" => can.features.extend(values),
            "includeendstreamaction" => can.end = value == "true",
            "asyncquery" => can.later = value == "true",
            _ => can.unknown = true,
        }
    }
    can
}
