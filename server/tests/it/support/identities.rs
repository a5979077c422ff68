//! A real provider of OpenID Connect (oidc-provider, by `end2end/fixtures/identity-provider.mjs`), and the browser's part at its
//! pages. `cargo xtask` starts it and says where in `TEST_OIDC_URL`; each test has people of its own there.

use std::collections::BTreeMap;

use exchange::people::ProviderRules;
use http::{StatusCode, header};
use reqwest::redirect::Policy;
use secrecy::SecretString;
use serde_json::Value;
use server::config::OidcSettings;

/// Of every client there.
pub(crate) const SECRET: &str = "a secret of tests, which is nobody's: 0123456789";

pub(crate) struct Identities {
    pub(crate) issuer: String,
    http: reqwest::Client,
}

impl Identities {
    /// `None` in a quick run, which does without.
    pub(crate) fn start() -> Option<Self> {
        let issuer = super::environment::wanted("TEST_OIDC_URL")?;
        super::environment::install_crypto();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none());
        Some(Self {
            issuer,
            http: http.build().unwrap(),
        })
    }

    /// What an installation is told that is this client there.
    pub(crate) fn settings(&self, client: &str, rules: ProviderRules) -> &'static OidcSettings {
        Box::leak(Box::new(self.told(client, rules)))
    }

    pub(crate) fn told(&self, client: &str, rules: ProviderRules) -> OidcSettings {
        OidcSettings {
            issuer: self.issuer.clone(),
            client_id: client.to_owned(),
            client_secret: Some(SecretString::from(SECRET.to_owned())),
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            groups_claim: "groups".to_owned(),
            trust_email: false,
            rules: ProviderRules {
                title: "Sign in with Example".to_owned(),
                ..rules
            },
        }
    }

    /// A person of this test's own; answers the subject.
    pub(crate) async fn person(&self, claims: &Value) -> String {
        let subject = uuid::Uuid::new_v4().to_string();
        self.change(&subject, claims).await;
        subject
    }

    pub(crate) async fn change(&self, subject: &str, claims: &Value) {
        let url = format!("{}/test/users/{subject}", self.issuer);
        let answer = self.http.put(url).json(claims).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// Whether the `next` key is published, which the client `next-key` is served with, or the `later` one, which tokens of machines
    /// are signed with.
    pub(crate) async fn show_key(&self, which: &str, shown: bool) {
        let url = format!("{}/test/{which}-key", self.issuer);
        let ask = if shown {
            self.http.put(url)
        } else {
            self.http.delete(url)
        };
        assert_eq!(ask.send().await.unwrap().status(), StatusCode::OK);
    }

    /// A token with these claims as `how` makes it: signed by `own`, by the `later` key, by a `stranger` who says to be the provider, with
    /// the public key as a `secret`, or `unsigned`.
    pub(crate) async fn signed(&self, how: &str, claims: &Value) -> String {
        let url = format!("{}/test/sign/{how}", self.issuer);
        let answer = self.http.post(url).json(claims).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let made: Value = answer.json().await.unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.issuer);
        self.http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Signs in there as a browser without cookies does, and answers where that sends the browser in the end.
    pub(crate) async fn pass(&self, way: &str, subject: &str) -> String {
        Browser::new(self).pass(way, Some(subject)).await
    }

    /// Breaks it off there.
    pub(crate) async fn abort(&self, way: &str) -> String {
        Browser::new(self).pass(way, None).await
    }
}

/// Cookies of the provider.
struct Browser<'a> {
    of: &'a Identities,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(of: &'a Identities) -> Self {
        Self {
            of,
            cookies: BTreeMap::new(),
        }
    }

    async fn pass(mut self, way: &str, subject: Option<&str>) -> String {
        let mut ask = self.of.http.get(way);
        // Sign-in, consent, and the redirects between them.
        for _ in 0..12 {
            let (location, page) = self.send(ask).await;
            ask = match location {
                Some(url) if url.starts_with(&self.of.issuer) => self.of.http.get(url),
                Some(url) if url.starts_with('/') => {
                    self.of.http.get(format!("{}{url}", self.of.issuer))
                }
                Some(url) => return url,
                None => self.answer(&page, subject),
            };
        }
        panic!("the provider does not come to an end");
    }

    async fn send(&mut self, ask: reqwest::RequestBuilder) -> (Option<String>, String) {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = ask
            .header(header::COOKIE, cookies.join("; "))
            .send()
            .await
            .unwrap();
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer
            .headers()
            .get(header::LOCATION)
            .map(|url| url.to_str().unwrap().to_owned());
        (location, answer.text().await.unwrap())
    }

    /// Fills the form of a page, or takes the link that breaks it off.
    fn answer(&self, page: &str, subject: Option<&str>) -> reqwest::RequestBuilder {
        let attribute = |before: &str| {
            let (_, rest) = page
                .split_once(before)
                .unwrap_or_else(|| panic!("no {before} in {page}"));
            rest.split('"').next().unwrap().to_owned()
        };
        let Some(subject) = subject else {
            let (before, _) = page.split_once("/abort\"").expect("a way to break it off");
            let (_, path) = before.rsplit_once('"').unwrap();
            return self.of.http.get(format!("{path}/abort"));
        };
        let prompt = attribute("name=\"prompt\" value=\"");
        let action = attribute("action=\"");
        let fields = [
            ("prompt", prompt.as_str()),
            ("login", subject),
            ("password", "any"),
        ];
        self.of.http.post(action).form(&fields)
    }
}
