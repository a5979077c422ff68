//! E11: a credential for a table's folder, for clients that read its files themselves. Only by grants that allow it, never for a
//! part of a table; what is read with it can be neither counted nor taken back, so it ends soon.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use storage::TemporaryKey;

use crate::access_log::Entry;
use crate::error::Failure;
use crate::request::{Call, TableNames, json as answer, read_body};
use crate::routes::App;
use crate::tables::{close, open};
use crate::{Endpoint, Readable, Temporary};

pub(crate) async fn temporary_credentials(
    State(app): State<App>,
    call: Call,
    path: Result<Path<(String, String, String)>, PathRejection>,
    body: Body,
) -> Response {
    let names = TableNames::new(path);
    let endpoint = Endpoint::TemporaryCredentials;
    let mut entry = Entry::new(&app, endpoint, &call, &names);
    let result = async {
        let (readable, _) = open(&app, &call, &names, &mut entry).await?;
        let asked = location(&read_body(&call.headers, body).await?)?;
        let Some(folder) = allowed(&readable) else {
            return Err(Failure::unsupported(format!(
                "Temporary table credentials are not supported on table {}.{}.{}: use the query endpoint",
                names.share, names.schema, names.table
            )));
        };
        if asked.is_some_and(|asked| asked.trim_end_matches('/') != folder) {
            return Err(Failure::invalid(
                "the location is not the table's: leave it out, or send the one that the table's metadata says",
            ));
        }
        let lent = app.gate.temporary(&readable).await?;
        Ok(answer(&said(&lent)))
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// The folder that may be read as a whole. Asked once more here, whatever the gate says: a credential knows no rows and no versions.
pub(crate) fn allowed(readable: &Readable) -> Option<&str> {
    let is_whole = readable.rows.is_none() && readable.history_start.is_none();
    readable.directory.as_deref().filter(|_| is_whole)
}

fn location(body: &[u8]) -> Result<Option<String>, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let Some(Value::Object(body)) = body else {
        return Err(Failure::malformed("the body must be a JSON object"));
    };
    match body.get("location") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(location)) => Ok(Some(location.clone())),
        Some(_) => Err(Failure::malformed("'location' must be a string")),
    }
}

fn said(lent: &Temporary) -> Value {
    let (kind, key) = match &lent.key {
        TemporaryKey::S3 {
            access_key_id,
            secret_access_key,
            session_token,
        } => (
            "awsTempCredentials",
            json!({
                "accessKeyId": access_key_id,
                "secretAccessKey": secret_access_key,
                "sessionToken": session_token,
            }),
        ),
        TemporaryKey::Azure { sas } => ("azureUserDelegationSas", json!({ "sasToken": sas })),
        TemporaryKey::Gcs { token } => ("gcpOauthToken", json!({ "oauthToken": token })),
    };
    json!({ "credentials": {
        "location": lent.location,
        kind: key,
        "expirationTime": lent.expires_at.millis(),
    } })
}
