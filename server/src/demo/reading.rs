//! The consumer's own reading: the sharing protocol's query, then every file it names, whole. In process, through the
//! same routes as everybody's requests, so that the gateway counts what it hands out.

use anyhow::{Context as _, bail, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use http::{Method, Request, header};
use model::dto::Profile;
use serde_json::Value;
use tower::ServiceExt as _;

/// No file of the demo world is nearly as large.
const LARGEST: usize = 64 << 20;
/// How a Parquet file begins and ends.
const PARQUET: &[u8] = b"PAR1";

/// What was read of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) version: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// Somebody with a profile.
pub(super) struct Reader<'a> {
    /// The protocol's routes and the gateway's.
    pub(super) routes: &'a Router,
    pub(super) profile: &'a Profile,
}

impl Reader<'_> {
    /// Reads a whole table.
    pub(super) async fn table(&self, share: &str, table: &str) -> anyhow::Result<Read> {
        let endpoint = self.profile.endpoint.trim_end_matches('/');
        let url = format!("{endpoint}/shares/{share}/schemas/default/tables/{table}/query");
        let request = Request::builder()
            .method(Method::POST)
            .uri(path_of(&url)?)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.profile.bearer_token),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))?;
        let (version, answer) = self
            .send(request)
            .await
            .with_context(|| format!("the share does not answer for {share}/{table}"))?;
        let mut read = Read {
            version: version
                .with_context(|| format!("no version of {share}/{table} in the answer"))?,
            ..Read::default()
        };
        for line in answer
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let line: Value = serde_json::from_slice(line)?;
            let Some(file) = line.get("file") else {
                continue;
            };
            read.files += 1;
            read.rows += rows(file)?;
            read.bytes += self.file(file).await?;
        }
        Ok(read)
    }

    async fn file(&self, file: &Value) -> anyhow::Result<u64> {
        let url = file["url"].as_str().context("a file without a URL")?;
        let size = file["size"].as_u64().context("a file without a size")?;
        let request = Request::builder().uri(path_of(url)?).body(Body::empty())?;
        let (_, bytes) = self
            .send(request)
            .await
            .context("the gateway does not give a file")?;
        ensure!(
            bytes.len() as u64 == size,
            "a file came with {} of {size} bytes",
            bytes.len()
        );
        ensure!(
            bytes.starts_with(PARQUET) && bytes.ends_with(PARQUET),
            "what came is no Parquet file"
        );
        Ok(size)
    }

    async fn send(&self, request: Request<Body>) -> anyhow::Result<(Option<u64>, Bytes)> {
        let response = self.routes.clone().oneshot(request).await?;
        let status = response.status();
        let version = response
            .headers()
            .get("delta-table-version")
            .and_then(|version| version.to_str().ok()?.parse().ok());
        let body = axum::body::to_bytes(response.into_body(), LARGEST).await?;
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok((version, body))
    }
}

/// Path and query: in process there is no host to ask.
fn path_of(url: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(url)?;
    Ok(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

fn rows(file: &Value) -> anyhow::Result<u64> {
    let stats = file["stats"]
        .as_str()
        .context("a file without statistics")?;
    let stats: Value = serde_json::from_str(stats)?;
    stats["numRecords"]
        .as_u64()
        .context("statistics without a number of rows")
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use model::Timestamp;

    use super::*;

    fn profile() -> Profile {
        Profile {
            share_credentials_version: 1,
            endpoint: "http://127.0.0.1:3000/delta-sharing/".to_owned(),
            bearer_token: "secret".to_owned(),
            expiration_time: Timestamp::from_micros(0),
        }
    }

    fn routes(file: &'static [u8]) -> Router {
        let line = r#"{"file":{"url":"http://127.0.0.1:3000/data/x?sig=1","id":"1","partitionValues":{},"size":12,"stats":"{\"numRecords\":3}"}}"#;
        let body = format!("{{\"protocol\":{{}}}}\n{{\"metaData\":{{}}}}\n{line}\n");
        Router::new()
            .route(
                "/delta-sharing/shares/p/schemas/default/tables/t/query",
                post(|headers: http::HeaderMap| async move {
                    assert_eq!(headers[header::AUTHORIZATION], "Bearer secret");
                    ([("delta-table-version", "7")], body)
                }),
            )
            .route("/data/x", get(move || async move { file }))
    }

    #[tokio::test]
    async fn reads_what_is_named() {
        let (routes, profile) = (routes(b"PAR1....PAR1"), profile());
        let reader = Reader {
            routes: &routes,
            profile: &profile,
        };
        let read = reader.table("p", "t").await.unwrap();
        let expected = Read {
            version: 7,
            files: 1,
            bytes: 12,
            rows: 3,
        };
        assert_eq!(read, expected);
        let missing = reader.table("p", "other").await.unwrap_err();
        assert!(format!("{missing:#}").contains("404"), "{missing:#}");
    }

    #[tokio::test]
    async fn half_a_file_is_no_file() {
        for file in [b"PAR1".as_slice(), b"....", b"PAR1........"] {
            let (routes, profile) = (routes(file), profile());
            let reader = Reader {
                routes: &routes,
                profile: &profile,
            };
            assert!(reader.table("p", "t").await.is_err());
        }
    }
}
