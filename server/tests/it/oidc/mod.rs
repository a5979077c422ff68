//! Signing in by a provider of OpenID Connect, against a real one: C-46 to C-50.

mod groups;
mod lies;
mod provider;
mod ways;

use exchange::Principal;
use exchange::page::PageRequest;
use exchange::people::ProviderRules;
use http::{StatusCode, header};
use model::dto::{Me, Person};
use serde_json::{Value, json};

use crate::support::identities::Identities;
use crate::support::{Answer, Build, TestApp};

pub(super) fn ines() -> Value {
    json!({
        "name": "Ines Keller",
        "preferred_username": "Ines.Keller",
        "email": "ines@example.org",
        "email_verified": true,
        "groups": ["everybody"],
    })
}

/// An installation on each database, with the provider's client of this name.
pub(super) async fn each(
    identities: &Identities,
    client: &str,
    rules: ProviderRules,
) -> Vec<TestApp> {
    TestApp::each_with(build(identities, client, rules)).await
}

/// One on SQLite.
pub(super) async fn app(identities: &Identities, client: &str) -> TestApp {
    TestApp::with(build(identities, client, ProviderRules::default())).await
}

fn build(identities: &Identities, client: &str, rules: ProviderRules) -> Build {
    Build {
        oidc: Some(identities.settings(client, rules)),
        ..Build::default()
    }
}

/// A browser that was sent off to the provider.
pub(super) struct Way {
    pub(super) url: String,
    /// `name=value`.
    pub(super) cookie: String,
}

impl Way {
    pub(super) async fn begin(app: &TestApp, next: &str) -> Self {
        let path = app::url::with_query("/sign-in/oidc", [("next", next)]);
        let answer = app.get(&path).send().await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        Self {
            url: answer.location().to_owned(),
            cookie: answer.cookie().expect("what the browser comes back with"),
        }
    }

    /// What the provider's address says under this name.
    pub(super) fn parameter(&self, name: &str) -> String {
        parameter(&self.url, name).unwrap_or_else(|| panic!("no {name} in {}", self.url))
    }

    /// The browser comes back with what the provider has given it.
    pub(super) async fn back(&self, app: &TestApp, callback: &str) -> Answer {
        app.get(local(callback)).cookie(&self.cookie).send().await
    }
}

pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    pairs
        .into_iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}

/// The path and query of an address of the installation.
pub(super) fn local(callback: &str) -> &str {
    callback
        .strip_prefix("https://data.example")
        .unwrap_or_else(|| panic!("the provider sends people to {callback}"))
}

/// The whole way, as somebody.
pub(super) async fn signs_in(
    app: &TestApp,
    identities: &Identities,
    subject: &str,
    next: &str,
) -> Answer {
    let way = Way::begin(app, next).await;
    let callback = identities.pass(&way.url, subject).await;
    way.back(app, &callback).await
}

/// `name=value` of the session's cookie.
pub(super) fn session(answer: &Answer) -> Option<String> {
    let all = answer.headers.get_all(header::SET_COOKIE).iter();
    all.filter_map(|set| set.to_str().unwrap().split(';').next())
        .find(|pair| pair.starts_with("__Host-entrepot="))
        .map(str::to_owned)
}

/// Whose cookie it is, by what pages show.
pub(super) async fn is_signed_in(app: &TestApp, cookie: &str) -> bool {
    let page = app
        .get("/")
        .cookie(cookie)
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(page.status, StatusCode::OK);
    page.text.contains("action=\"/sign-out\"")
}

/// Refused with these words on the sign-in page, and nobody is signed in.
pub(super) async fn refused(app: &TestApp, answer: &Answer, words: &str) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let at = answer.location();
    assert!(at == "/sign-in" || at.starts_with("/sign-in?next="), "{at}");
    let cookie = session(answer).expect("a session with what to say");
    assert!(!is_signed_in(app, &cookie).await);
    let page = app
        .get(at)
        .cookie(&cookie)
        .header("accept", "text/html")
        .send()
        .await;
    let text = page.text.replace("&#x27;", "'").replace("&#39;", "'");
    assert!(text.contains(words), "{words}: {text}");
}

pub(super) async fn people(app: &TestApp) -> Vec<Person> {
    let page = PageRequest::default();
    let found = app.exchange.people(&Principal::operator(), &page).await;
    found.unwrap().items
}

/// Who is signed in with an answer's cookie: roles and teams of this instant.
pub(super) async fn me(app: &TestApp, name: &str) -> Me {
    let found = people(app).await;
    let person = found
        .iter()
        .find(|person| person.name.as_str() == name)
        .unwrap_or_else(|| panic!("no {name} among {found:?}"));
    let principal = app.exchange.principal_of_session(person.id).await.unwrap();
    app.exchange.me(&principal).await.unwrap()
}
