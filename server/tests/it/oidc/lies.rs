//! A provider that lies, or whose words somebody changed on the way: nobody is signed in (C-47).

use app::words::sign_in::NOT_TRUSTED;
use exchange::people::ProviderRules;
use model::time::MINUTE;

use super::{Way, app, each, ines, people, refused, signs_in};
use crate::support::identities::Identities;

/// Clients of the provider, by the lie that it tells them.
const LIES: [&str; 20] = [
    "lie-nonce",
    "lie-no-nonce",
    "lie-audience",
    "lie-audiences",
    "lie-authorized-party",
    "lie-issuer",
    "lie-expired",
    "lie-old",
    "lie-future",
    "lie-not-before",
    "lie-unsigned",
    "lie-public-key-as-secret",
    "lie-secret",
    "lie-key",
    "lie-unknown-key",
    "lie-content",
    "lie-no-token",
    "lie-no-subject",
    "lie-long-subject",
    "lie-person",
];

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_sign_nobody_in() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let subject = identities.person(&ines()).await;
    for lie in LIES {
        // The lie about the person is told beside the token, where groups are asked for.
        let rule = exchange::people::GroupRule {
            group: "nobody".to_owned(),
            roles: [model::Role::Admin].into(),
            teams: Default::default(),
        };
        let rules = ProviderRules {
            groups: vec![rule],
            ..ProviderRules::default()
        };
        for app in each(&identities, lie, rules).await {
            let answer = signs_in(&app, &identities, &subject, "").await;
            refused(&app, &answer, NOT_TRUSTED).await;
            assert!(people(&app).await.is_empty(), "{lie}");
            assert_eq!(app.changes().await, 0, "{lie}");
        }
    }
}

/// The other half of the test above: it is the lie that is refused, not the client.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_another_client_is_worth_nothing() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let subject = identities.person(&ines()).await;
    let (ours, theirs) = (
        app(&identities, "entrepot").await,
        app(&identities, "other-entrepot").await,
    );
    let answer = signs_in(&theirs, &identities, &subject, "").await;
    assert_eq!(answer.location(), "/");
    let there = Way::begin(&theirs, "").await;
    let callback = identities.pass(&there.url, &subject).await;
    let here = Way::begin(&ours, "").await;
    let carried = callback.replace(&there.parameter("state"), &here.parameter("state"));
    refused(&ours, &here.back(&ours, &carried).await, NOT_TRUSTED).await;
    // A code that was made up, one that was begun with another verifier, an answer that names another provider.
    let way = Way::begin(&ours, "").await;
    let callback = identities.pass(&way.url, &subject).await;
    let other = Way::begin(&ours, "").await;
    let verifier = callback.replace(&way.parameter("state"), &other.parameter("state"));
    refused(&ours, &other.back(&ours, &verifier).await, NOT_TRUSTED).await;
    let way = Way::begin(&ours, "").await;
    let made_up = format!(
        "https://data.example/sign-in/oidc/callback?code=made-up&state={}",
        way.parameter("state")
    );
    refused(&ours, &way.back(&ours, &made_up).await, NOT_TRUSTED).await;
    let way = Way::begin(&ours, "").await;
    let callback = identities.pass(&way.url, &subject).await;
    let (before, _) = callback.split_once("&iss=").unwrap();
    let mixed = format!("{before}&iss=https%3A%2F%2Fevil.example");
    refused(&ours, &way.back(&ours, &mixed).await, NOT_TRUSTED).await;
    assert!(people(&ours).await.is_empty());
}

/// Providers change their keys: one that is not known is asked for, once a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_found() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let subject = identities.person(&ines()).await;
    let app = app(&identities, "next-key").await;
    identities.show_key("next", false).await;
    let answer = signs_in(&app, &identities, &subject, "").await;
    refused(&app, &answer, NOT_TRUSTED).await;
    identities.show_key("next", true).await;
    let answer = signs_in(&app, &identities, &subject, "").await;
    refused(&app, &answer, NOT_TRUSTED).await;
    app.clock.advance(MINUTE);
    let answer = signs_in(&app, &identities, &subject, "").await;
    assert_eq!(answer.location(), "/");
}
