//! C-01, C-02, C-03 over whatever server functions the portal has registered: each is a POST, takes nothing from other sites, and
//! leads nowhere else.

use http::{Method, StatusCode};

use super::rows::Rows;
use super::world::Tenants;

/// Server functions that only read and may be asked by GET, each looked at by a person.
const READS: &[&str] = &[];

fn registered() -> Vec<(&'static str, Method)> {
    leptos::server_fn::axum::server_fn_paths().collect()
}

/// Where forms go: server functions, and the routes that change the session.
fn forms() -> Vec<&'static str> {
    let changing = registered()
        .into_iter()
        .filter(|(path, _)| !READS.contains(path))
        .map(|(path, _)| path);
    ["/sign-in", "/sign-out"]
        .into_iter()
        .chain(changing)
        .collect()
}

#[test]
fn what_changes_something_is_no_get() {
    for (path, method) in registered() {
        assert!(
            method == Method::POST || READS.contains(&path),
            "{path} is a {method}: a link of another site could send it; use the default encoding, or, if it only reads, \
             put it on the list"
        );
        assert!(path.starts_with("/_fn/"), "{path} is beside the guard");
    }
    for path in READS {
        assert!(
            registered().iter().any(|(found, _)| found == path),
            "{path} is gone"
        );
    }
}

#[tokio::test]
async fn nothing_is_taken_from_other_sites() {
    let tenants = Tenants::start().await;
    let app = tenants.app();
    let cookie = app.sign_in("admin").await;
    let before = Rows::of(app.exchange.db()).await;
    let ours = ("origin", "https://data.example");
    let urlencoded = ("content-type", "application/x-www-form-urlencoded");
    for path in forms() {
        for headers in [
            &[("origin", "https://evil"), urlencoded][..],
            &[("origin", "null"), urlencoded],
            &[("sec-fetch-site", "cross-site"), urlencoded],
            &[ours, ("content-type", "text/plain")],
            &[urlencoded],
        ] {
            let mut ask = app.post(path).cookie(&cookie).body("name=x");
            for (name, value) in headers {
                ask = ask.header(name, value);
            }
            let answer = ask.send().await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
    }
    assert_eq!(Rows::of(app.exchange.db()).await, before);
}

/// Leptos answers a form by a redirect to the Referer, with the error's text behind it. Ours do neither.
#[tokio::test]
async fn no_form_leads_elsewhere_or_says_its_error_in_the_address() {
    let tenants = Tenants::start().await;
    let app = tenants.app();
    for path in forms() {
        for form in [&[][..], &[("form", "x"), ("form[name]", "'; --")]] {
            let cookie = app.sign_in("admin").await;
            let answer = app
                .post(path)
                .own_origin()
                .cookie(&cookie)
                .header("accept", "text/html")
                .header("referer", "https://evil/x?__err=1")
                .form(form)
                .await;
            let location = answer.location();
            let leads_here =
                location.is_empty() || (location.starts_with('/') && !location.starts_with("//"));
            assert!(leads_here, "{path} leads to {location}");
            for word in [
                "__err",
                "evil",
                "select ",
                "panicked",
                "/root",
                "deserializ",
            ] {
                assert!(!location.contains(word), "{path}: {location}");
            }
            assert!(
                !answer.status.is_server_error(),
                "{path}: {}",
                answer.status
            );
        }
    }
}
