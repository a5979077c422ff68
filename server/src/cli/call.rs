//! A call of a REST route, made over HTTP or in process through the same router.

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Body;
use exchange::Principal;
use http::{Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use super::fail::Refused;
use super::follow::Follow;
use super::save::Save;
use super::show::Show;
use crate::config::Settings;
use crate::node::{Node, Use};

/// The most bytes that an answer may have.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;

/// What a command asks for.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub method: Method,
    /// Segments below `/api/v1`, not encoded.
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    /// Whether the answer comes in pages; all of them are fetched.
    pub is_paged: bool,
}

/// A call, how to show its answer, and what exit status the answer means.
pub(super) struct Act {
    pub call: Call,
    pub show: Show,
    pub status: fn(&Value) -> u8,
    /// Where the answer goes instead of the terminal.
    pub save: Option<Save>,
    /// What was asked for takes its time, and how to see it to its end.
    pub follow: Option<Follow>,
    /// What only this side knows, told once beside the answer where that is told as JSON.
    pub beside: Option<(&'static str, String)>,
    /// What is asked before the call, and which field of that answer is told with the call's own.
    pub before: Option<(Call, &'static str)>,
}

impl Act {
    fn new(method: Method, path: &[&str]) -> Self {
        Self {
            call: Call {
                method,
                path: path.iter().map(|part| (*part).to_owned()).collect(),
                query: Vec::new(),
                body: None,
                is_paged: false,
            },
            show: Show::Nothing(String::new()),
            status: |_| 0,
            save: None,
            follow: None,
            beside: None,
            before: None,
        }
    }

    pub(super) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    /// A list: every page of it.
    pub(super) fn list(path: &[&str]) -> Self {
        let mut act = Self::new(Method::GET, path);
        act.call.is_paged = true;
        act
    }

    pub(super) fn post(path: &[&str]) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn put(path: &[&str]) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(super) fn patch(path: &[&str]) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub(super) fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.call.body = Some(body);
        self
    }

    pub(super) fn query(mut self, name: &'static str, value: Option<String>) -> Self {
        self.call.query.extend(value.map(|value| (name, value)));
        self
    }

    pub(super) fn show(mut self, show: Show) -> Self {
        self.show = show;
        self
    }

    pub(super) fn save(mut self, save: Option<Save>) -> Self {
        self.save = save;
        self
    }

    pub(super) fn follow(mut self, follow: Follow) -> Self {
        self.follow = Some(follow);
        self
    }

    pub(super) fn beside(mut self, beside: Option<(&'static str, String)>) -> Self {
        self.beside = beside;
        self
    }

    pub(super) fn before(mut self, asked: Self, field: &'static str) -> Self {
        self.before = Some((asked.call, field));
        self
    }

    /// The answer for a program, with what stands beside it.
    pub(super) fn told(&self, mut answer: Value) -> Value {
        if let Some((name, value)) = &self.beside {
            if answer.is_null() {
                answer = Value::Object(serde_json::Map::new());
            }
            if let Value::Object(answer) = &mut answer {
                answer.insert((*name).to_owned(), value.as_str().into());
            }
        }
        answer
    }

    pub(super) fn status(mut self, status: fn(&Value) -> u8) -> Self {
        self.status = status;
        self
    }
}

/// Where calls go.
pub(super) enum Client {
    Remote {
        http: reqwest::Client,
        base: Url,
        token: String,
    },
    /// The router in this process, on the data folder, as the operator.
    Local { router: Router, node: Box<Node> },
}

impl Client {
    pub(super) fn remote(server: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let base = Url::parse(server).context("--server is not a URL")?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            bail!("--server wants http:// or https://");
        }
        let Some(token) = token else {
            bail!("--server needs a service token: --token, or ENTREPOT_TOKEN in the environment");
        };
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self::Remote {
            http,
            base,
            token: token.to_owned(),
        })
    }

    pub(super) async fn local(settings: Settings) -> anyhow::Result<Self> {
        let node = Node::open(settings, Use::Command).await?;
        let router =
            rest::router(node.exchange().clone()).layer(axum::Extension(Principal::operator()));
        Ok(Self::Local {
            router,
            node: Box::new(node),
        })
    }

    /// The node that can do work itself: nobody else has its data folder.
    pub(super) fn alone(&self) -> Option<&Node> {
        match self {
            Self::Local { node, .. } if node.is_alone() => Some(node),
            _ => None,
        }
    }

    /// Makes the call, all pages of it where it is paged.
    pub(super) async fn perform(&self, call: &Call) -> anyhow::Result<Value> {
        if !call.is_paged {
            return self.once(call).await;
        }
        let mut items = Vec::new();
        let mut page = call.clone();
        page.query.push(("limit", "200".to_owned()));
        loop {
            let mut answer = self.once(&page).await?;
            if let Value::Array(found) = answer["items"].take() {
                items.extend(found);
            }
            let next = answer["next"].as_str().map(str::to_owned);
            let Some(next) = next else {
                // What stands beside the items is of all pages.
                answer["items"] = Value::Array(items);
                if let Value::Object(answer) = &mut answer {
                    answer.remove("next");
                }
                return Ok(answer);
            };
            page.query.retain(|(name, _)| *name != "after");
            page.query.push(("after", next));
        }
    }

    async fn once(&self, call: &Call) -> anyhow::Result<Value> {
        let (status, body) = match self {
            Self::Remote { http, base, token } => {
                let mut url = base.clone();
                url.path_segments_mut()
                    .map_err(|()| anyhow::anyhow!("--server is not a URL"))?
                    .pop_if_empty()
                    .extend(["api", "v1"])
                    .extend(&call.path);
                let mut request = http
                    .request(call.method.clone(), url)
                    .bearer_auth(token)
                    .query(&call.query);
                if let Some(body) = &call.body {
                    request = request.json(body);
                }
                let response = request
                    .send()
                    .await
                    .map_err(reqwest::Error::without_url)
                    .context("the server does not answer")?;
                let status = response.status();
                (status, response.bytes().await?)
            }
            Self::Local { router, .. } => {
                let response = router.clone().oneshot(local_request(call)?).await?;
                let status = response.status();
                let body = axum::body::to_bytes(response.into_body(), ANSWER_LIMIT).await?;
                (status, body)
            }
        };
        read(status, &body)
    }
}

fn local_request(call: &Call) -> anyhow::Result<Request<Body>> {
    // Only its path and query are used.
    let mut url = Url::parse("http://in.process/")?;
    url.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("not a path"))?
        .pop_if_empty()
        .extend(&call.path);
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let request = Request::builder().method(call.method.clone()).uri(target);
    Ok(match &call.body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))?,
        None => request.body(Body::empty())?,
    })
}

/// The answer, or the problem as an error for people.
fn read(status: StatusCode, body: &[u8]) -> anyhow::Result<Value> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    if status.is_success() {
        return match value {
            Some(value) => Ok(value),
            None if body.is_empty() => Ok(Value::Null),
            // CSV and the like: shown as it came.
            None => Ok(Value::String(String::from_utf8_lossy(body).into_owned())),
        };
    }
    let problem = value.unwrap_or(Value::Null);
    let Some(detail) = problem["detail"].as_str() else {
        bail!("the server answered {status}, which is not an answer of Entrepôt");
    };
    let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let mut text = if errors.is_empty() {
        detail.to_owned()
    } else {
        let lines = errors.iter().map(|error| {
            let field = error["field"].as_str().unwrap_or("");
            let message = error["message"].as_str().unwrap_or("");
            format!("\n  {field}: {message}")
        });
        format!("refused:{}", lines.collect::<String>())
    };
    if status.is_server_error()
        && let Some(id) = problem["request_id"].as_str()
    {
        text.push_str(&format!(" (request {id})"));
    }
    Err(Refused { text, problem }.into())
}
