//! A stand-in for S3 and its token service on this machine, for the table whose folder is lent: a `file:` storage lends nothing.
//! It reads a folder and writes none. It knows its caller by the name of the key alone: what signatures are worth is checked where
//! the stores' own tests are. What it lends opens nothing that the asked policy does not name, and it takes a policy for one folder only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures::TryStreamExt as _;
use http::{StatusCode, header};
use model::Clock as _;
use model::time::SECOND;
use object_store::local::LocalFileSystem;
use object_store::{ObjectMeta, ObjectStore as _};
use serde_json::{Value, json};
use tower_http::services::ServeDir;
use url::form_urlencoded;

use crate::adapters::clock::SystemClock;

/// The bucket.
const NAME: &str = "conformance";
/// What the storage that lies in it is called by.
pub(super) const URL: &str = "s3://conformance/lake";
/// The same below the folder that is served.
pub(super) const FOLDER: &str = "conformance/lake";
const KEY: &str = "AKIACONFORMANCE";

/// What opens it, as a storage's credential is written.
pub(super) fn credential() -> Value {
    json!({
        "access_key_id": KEY,
        "secret_access_key": "conformance",
        "role_arn": "arn:aws:iam::123456789012:role/conformance",
    })
}

/// Serves the buckets below `folder`, of which there is one.
pub(super) fn routes(folder: &Path) -> anyhow::Result<Router> {
    let objects = LocalFileSystem::new_with_prefix(folder.join(NAME))?;
    Ok(Router::new()
        .route("/", post(assume_role))
        .route(&format!("/{NAME}"), get(list))
        .fallback_service(ServeDir::new(folder).append_index_html_on_directories(false))
        .layer(from_fn(known))
        .with_state(Arc::new(objects)))
}

fn refused(status: StatusCode, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code></Error>");
    (status, body).into_response()
}

/// The key's name stands in a header or, of a signed URL, in the query.
async fn known(request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.and_then(|header| header.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    let name = format!("{KEY}/");
    let is_known = header.is_some_and(|header| header.contains(&format!("Credential={name}")))
        || form_urlencoded::parse(query.as_bytes())
            .any(|(field, value)| field == "X-Amz-Credential" && value.starts_with(&name));
    if is_known {
        next.run(request).await
    } else {
        refused(StatusCode::FORBIDDEN, "AccessDenied")
    }
}

/// ListObjectsV2, all on one page.
async fn list(
    State(objects): State<Arc<LocalFileSystem>>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let found: Result<Vec<ObjectMeta>, object_store::Error> =
        objects.list(None).try_collect().await;
    let Ok(mut found) = found else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    };
    found.sort_by(|one, other| one.location.as_ref().cmp(other.location.as_ref()));
    let text = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let (prefix, after) = (text("prefix"), text("start-after"));
    let (mut contents, mut folders) = (String::new(), BTreeSet::new());
    for object in &found {
        let key = object.location.as_ref();
        let Some(rest) = key.strip_prefix(prefix).filter(|_| key > after) else {
            continue;
        };
        let folder = rest.split_once('/').map(|(folder, _)| folder);
        match folder.filter(|_| asked.contains_key("delimiter")) {
            Some(folder) => {
                folders.insert(format!("{prefix}{folder}/"));
            }
            None => contents.push_str(&format!(
                "<Contents><Key>{key}</Key><LastModified>{}</LastModified><Size>{}</Size></Contents>",
                object.last_modified.to_rfc3339(),
                object.size
            )),
        }
    }
    for folder in folders {
        contents.push_str(&format!(
            "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
        ));
    }
    format!("<ListBucketResult>{contents}<IsTruncated>false</IsTruncated></ListBucketResult>")
        .into_response()
}

/// AssumeRole, for as long as is asked.
async fn assume_role(body: String) -> Response {
    let field = |name: &str| {
        let found = form_urlencoded::parse(body.as_bytes()).find(|(field, _)| field == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    if field("Action") != "AssumeRole" {
        return refused(StatusCode::BAD_REQUEST, "InvalidAction");
    }
    if !opens_one_folder(&field("Policy")) {
        return refused(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let Ok(seconds) = field("DurationSeconds").parse::<u32>() else {
        return refused(StatusCode::BAD_REQUEST, "ValidationError");
    };
    let until = SystemClock.now().plus(i64::from(seconds) * SECOND);
    format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIACONFORMANCE</AccessKeyId>\
         <SecretAccessKey>conformance</SecretAccessKey><SessionToken>conformance</SessionToken>\
         <Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    .into_response()
}

/// Whether a session may read the objects of one folder of the bucket and list them, and nothing else.
fn opens_one_folder(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().map(Vec::as_slice);
    let Some([read, listed]) = statements else {
        return false;
    };
    let bucket = format!("arn:aws:s3:::{NAME}");
    let objects = read["Resource"][0].as_str().unwrap_or_default();
    let folder = objects
        .strip_prefix(&format!("{bucket}/"))
        .and_then(|rest| rest.strip_suffix("/*"));
    folder.is_some_and(|folder| {
        !folder.is_empty()
            && !folder.contains('*')
            && *read
                == json!({
                    "Effect": "Allow",
                    "Action": ["s3:GetObject"],
                    "Resource": [objects],
                })
            && *listed
                == json!({
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket"],
                    "Resource": [bucket],
                    "Condition": { "StringLike": { "s3:prefix": [format!("{folder}/*")] } },
                })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_taken_for_one_folder_alone() {
        let policy = |objects: &str, prefix: &str| {
            let read =
                json!({ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [objects] });
            let listed = json!({
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::conformance"],
                "Condition": { "StringLike": { "s3:prefix": [prefix] } },
            });
            json!({ "Version": "2012-10-17", "Statement": [read, listed] }).to_string()
        };
        assert!(opens_one_folder(&policy(
            "arn:aws:s3:::conformance/lake/t1/*",
            "lake/t1/*"
        )));
        for (objects, prefix) in [
            ("arn:aws:s3:::conformance/lake/t1*", "lake/t1*"),
            ("arn:aws:s3:::conformance/*", "*"),
            ("arn:aws:s3:::conformance/lake/t1/*", "lake/*"),
            ("arn:aws:s3:::other/lake/t1/*", "lake/t1/*"),
            ("*", "*"),
        ] {
            assert!(!opens_one_folder(&policy(objects, prefix)), "{objects}");
        }
        assert!(!opens_one_folder(""));
    }
}
