//! A provider that is not there, comes back, or sends elsewhere; and what `entrepot doctor` says of it.

use app::words::sign_in::UNREACHABLE;
use axum::{Json, Router};
use exchange::people::ProviderRules;
use http::StatusCode;
use model::time::SECOND;
use server::config::OidcSettings;
use tokio::net::TcpListener;

use super::refused;
use crate::cli::entrepot;
use crate::support::identities::{Identities, SECRET};
use crate::support::{Build, TestApp};

async fn app_of(settings: OidcSettings) -> TestApp {
    TestApp::with(Build {
        oidc: Some(Box::leak(Box::new(settings))),
        ..Build::default()
    })
    .await
}

/// An address of this machine where nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// What a provider at `issuer` would say of itself that is otherwise this one.
async fn described(identities: &Identities, issuer: &str) -> serde_json::Value {
    let mut found = identities.json("/.well-known/openid-configuration").await;
    found["issuer"] = issuer.into();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_keeps_nobody_from_the_rest() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let address = nowhere().await;
    let issuer = format!("http://{address}");
    let app = app_of(OidcSettings {
        issuer: issuer.clone(),
        ..identities.told("entrepot", ProviderRules::default())
    })
    .await;
    app.person("mara", &[]).await;
    let ask = async || app.get("/sign-in/oidc?next=/catalog").send().await;
    refused(&app, &ask().await, UNREACHABLE).await;
    app.sign_in("mara").await;

    // It comes back; nobody starts anything anew.
    let found = described(&identities, &issuer).await;
    let listener = TcpListener::bind(&address).await.unwrap();
    let said = Router::new().fallback(move || std::future::ready(Json(found.clone())));
    let serving = tokio::spawn(async move { axum::serve(listener, said).await });
    app.clock.advance(5 * SECOND);
    let answer = ask().await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(
        answer.location().starts_with(&identities.issuer),
        "{answer:?}"
    );

    // Gone again: what was found out is kept, and looked at again when it is old.
    serving.abort();
    let _ = serving.await;
    app.clock.advance(2 * model::time::HOUR);
    assert!(ask().await.location().starts_with(&identities.issuer));
}

/// What discovery says has to be of the issuer that was configured, and no redirect is followed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_to_another_provider() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let told = |issuer: String| OidcSettings {
        issuer,
        ..identities.told("entrepot", ProviderRules::default())
    };
    let app = app_of(told(format!("{}/moved", identities.issuer))).await;
    refused(&app, &app.get("/sign-in/oidc").send().await, UNREACHABLE).await;
    let followed = identities.json("/test/followed").await;
    assert_eq!(followed["followed"], 0);
    // With the slash it is another issuer, to the letter.
    let app = app_of(told(format!("{}/", identities.issuer))).await;
    refused(&app, &app.get("/sign-in/oidc").send().await, UNREACHABLE).await;

    let address = nowhere().await;
    let endless = Router::new().fallback(async || " ".repeat(2 << 20));
    let listener = TcpListener::bind(&address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, endless).await });
    let app = app_of(told(format!("http://{address}"))).await;
    refused(&app, &app.get("/sign-in/oidc").send().await, UNREACHABLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_for_the_provider() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let doctor = |issuer: &str, arguments: &[&str]| {
        let mut command = entrepot(folder.path());
        command.args(["doctor"]).args(arguments);
        command.env("ENTREPOT__OIDC__ISSUER", issuer);
        command.env("ENTREPOT__OIDC__CLIENT_ID", "entrepot");
        command.env("ENTREPOT__OIDC__CLIENT_SECRET", SECRET);
        let output = command.output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!said.contains(SECRET));
        (output.status.code(), said)
    };
    let (status, said) = doctor(&identities.issuer, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains(&format!("{}/auth", identities.issuer)),
        "{said}"
    );
    assert!(said.contains("/sign-in/oidc/callback"), "{said}");
    let dead = format!("http://{}", nowhere().await);
    let (status, said) = doctor(&dead, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("cannot be asked"), "{said}");
    let (status, said) = doctor(&dead, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status, Some(1));
    assert_eq!(said["oidc"]["report"]["checks"][0]["outcome"], "failed");
    assert_eq!(said["oidc"]["issuer"], dead);
    // A configuration that makes no sense is said before anything is done.
    let (status, said) = doctor("http://id.example", &[]);
    assert_eq!(status, Some(1));
    assert!(said.contains("oidc.issuer: must be https"), "{said}");
}
