//! Folders that an Azure account with a hierarchical namespace keeps when nothing is in them any more. The server lists and deletes
//! as Azure documents it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path as At, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use url::form_urlencoded;

use super::{key, meter, spec};
use crate::{Limits, StorageError, Store, Stores};

/// So many names are on a page.
const PAGE: usize = 2;

#[derive(Default)]
struct Account {
    /// What there is, and whether it is a folder.
    names: BTreeMap<String, bool>,
    deleted: Vec<String>,
    /// What deletes are answered, if they are refused.
    refuses: Option<StatusCode>,
}

type Shared = Arc<Mutex<Account>>;

fn marked(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Pages go on at a name, which is the marker.
async fn list(State(account): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap();
    let said: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(said["comp"], "list");
    assert_eq!(said["include"], "metadata");
    let from = said.get("marker").cloned().unwrap_or_default();
    let account = account.lock().unwrap();
    let mut listed = account
        .names
        .iter()
        .filter(|(name, _)| name.starts_with(&said["prefix"]) && **name >= from);
    let mut blobs = String::new();
    for (name, is_folder) in listed.by_ref().take(PAGE) {
        let (size, kind, metadata) = if *is_folder {
            (0, "directory", "<hdi_isfolder>true</hdi_isfolder>")
        } else {
            (1, "file", "")
        };
        blobs += &format!(
            "<Blob><Name>{}</Name><Properties><Content-Length>{size}</Content-Length><ResourceType>{kind}</ResourceType></Properties>\
             <Metadata>{metadata}</Metadata></Blob>",
            marked(name)
        );
    }
    let next = listed.next().map(|(name, _)| marked(name));
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{}</NextMarker>\
         </EnumerationResults>",
        next.unwrap_or_default()
    )
    .into_response()
}

/// A folder in which something is does not go.
async fn remove(State(account): State<Shared>, At(name): At<String>) -> StatusCode {
    let mut account = account.lock().unwrap();
    if let Some(status) = account.refuses {
        return status;
    }
    let below = format!("{name}/");
    if account.names.keys().any(|other| other.starts_with(&below)) {
        return StatusCode::CONFLICT;
    }
    if account.names.remove(&name).is_none() {
        return StatusCode::NOT_FOUND;
    }
    account.deleted.push(name);
    StatusCode::ACCEPTED
}

async fn open(folders: &[&str], objects: &[&str]) -> (Store, Shared) {
    let account = Shared::default();
    let folders = folders.iter().map(|name| ((*name).to_owned(), true));
    let objects = objects.iter().map(|name| ((*name).to_owned(), false));
    account.lock().unwrap().names = folders.chain(objects).collect();
    let router = Router::new()
        .route("/acct1/c01", get(list))
        .route("/acct1/c01/{*key}", delete(remove))
        .with_state(Arc::clone(&account));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let limits = Limits {
        endpoints: vec![address.to_string()],
        ..Limits::default()
    };
    let spec = spec(
        "abfss://c01@acct1.dfs.core.windows.net/x",
        Some(&format!("http://{address}")),
        r#"{"account_key":"dGhyb3ctYXdheS1rZXk="}"#,
    );
    let store = Stores::new(limits).open(&spec, &meter()).unwrap();
    (store, account)
}

#[tokio::test]
async fn empty_folders_of_an_azure_account_go_deepest_first_and_no_others() {
    let folders = [
        "x",
        "x/t",
        "x/t/p=<Erika> & co",
        "x/t/p=<Erika> & co/q=1 ",
        "x/t/p=Max",
        "x/t/p=Max/q=1",
        "x/t/p=Max/q=2",
        "x/t/p=a%20b+ü",
        "x/tt",
        "x/tt/p=Erika",
    ];
    let (store, account) = open(&folders, &["x/t/_delta_log/0.json", "x/t/p=Max/q=1/a"]).await;
    assert_eq!(store.tidy(&key("t")).await.unwrap(), 4);
    let deleted = account.lock().unwrap().deleted.clone();
    assert_eq!(
        deleted,
        [
            "x/t/p=a%20b+ü",
            "x/t/p=Max/q=2",
            "x/t/p=<Erika> & co/q=1 ",
            "x/t/p=<Erika> & co",
        ]
    );
    assert_eq!(store.tidy(&key("t")).await.unwrap(), 0);
    let names = account.lock().unwrap().names.clone();
    assert!(names.contains_key("x/t") && names.contains_key("x/tt/p=Erika"));
    assert!(names.contains_key("x/t/p=Max/q=1/a"));
    assert_eq!(store.tidy(&key("nowhere")).await.unwrap(), 0);
}

#[tokio::test]
async fn that_an_empty_folder_stays_is_said_without_its_name() {
    let (store, account) = open(&["x/t/p=Erika"], &["x/t/a"]).await;
    for (status, expected) in [
        (StatusCode::CONFLICT, "1 of them are still there"),
        (StatusCode::NOT_FOUND, "1 of them are still there"),
        (
            StatusCode::FORBIDDEN,
            "refused access to the removal of empty folders",
        ),
    ] {
        account.lock().unwrap().refuses = Some(status);
        let error = store.tidy(&key("t")).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("Erika") && !error.is_transient(), "{said}");
    }
    account.lock().unwrap().refuses = Some(StatusCode::SERVICE_UNAVAILABLE);
    let error = store.tidy(&key("t")).await.unwrap_err();
    assert!(
        matches!(error, StorageError::Unreachable { .. }),
        "{error:?}"
    );
    // And once it may, it goes.
    account.lock().unwrap().refuses = None;
    assert_eq!(store.tidy(&key("t")).await.unwrap(), 1);
}
