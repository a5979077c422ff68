//! The way there and back: the good one, and those that somebody else began, changed, repeats or comes too late with.

use app::words::sign_in::{SENT_BACK, STALE};
use exchange::Principal;
use exchange::page::PageRequest;
use exchange::people::ProviderRules;
use http::{StatusCode, header};
use model::time::MINUTE;

use super::{
    Way, app, each, ines, is_signed_in, local, parameter, people, refused, session, signs_in,
};
use crate::support::identities::{Identities, SECRET};
use crate::support::{Build, Log, PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_by_the_provider() {
    let Some(identities) = Identities::start() else {
        return;
    };
    for client in ["entrepot", "talkative"] {
        for app in each(&identities, client, ProviderRules::default()).await {
            app.person("mara", &[]).await;
            let subject = identities.person(&ines()).await;
            let way = Way::begin(&app, "/catalog?q=visits").await;
            assert!(way.url.starts_with(&format!("{}/auth?", identities.issuer)));
            for (name, expected) in [
                ("response_type", "code"),
                ("client_id", client),
                ("redirect_uri", "https://data.example/sign-in/oidc/callback"),
                ("code_challenge_method", "S256"),
                ("scope", "openid profile email"),
            ] {
                assert_eq!(way.parameter(name), expected);
            }
            for name in ["state", "nonce", "code_challenge"] {
                assert!(way.parameter(name).len() >= 43, "{name}");
            }
            let callback = identities.pass(&way.url, &subject).await;
            let before = app.get("/sign-in").send().await;
            assert!(before.cookie().is_none());
            let answer = way.back(&app, &callback).await;
            assert_eq!(
                (answer.status, answer.location()),
                (StatusCode::SEE_OTHER, "/catalog?q=visits"),
                "{answer:?}"
            );
            let cookie = session(&answer).unwrap();
            assert!(is_signed_in(&app, &cookie).await);
            let sets = answer.headers.get_all(header::SET_COOKIE).iter();
            let sets: Vec<&str> = sets.map(|set| set.to_str().unwrap()).collect();
            let (name, _) = way.cookie.split_once('=').unwrap();
            assert!(
                sets.iter()
                    .any(|set| set.starts_with(&format!("{name}=;")) && set.contains("Max-Age=0")),
                "{sets:?}"
            );
            for set in &sets {
                for flag in ["__Host-", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                    assert!(set.contains(flag) && !set.contains("Domain="), "{set}");
                }
            }

            let again = signs_in(&app, &identities, &subject, "").await;
            assert_eq!(again.location(), "/");
            let own = app.get("/account").cookie(&session(&again).unwrap());
            let own = own.header("accept", "text/html").send().await;
            for part in [identities.issuer.as_str(), &subject, "The only way in"] {
                assert!(own.text.contains(part), "{part} in {}", own.text);
            }
            let found = people(&app).await;
            assert_eq!(found.len(), 2, "the same person: {found:?}");
            let made = &found[0];
            assert_eq!(
                (made.name.as_str(), made.title.as_str(), made.email.as_str()),
                ("ines-keller", "Ines Keller", "ines@example.org")
            );
            assert!(made.roles.is_empty());
            // Beside local accounts.
            assert!(is_signed_in(&app, &app.sign_in("mara").await).await);

            let page = PageRequest::default();
            let operator = Principal::operator();
            let rows = app.exchange.audit_rows(&operator, None, &page);
            let rows = rows.await.unwrap().items;
            let ways: Vec<&str> = rows
                .iter()
                .filter(|row| row.operation == "SignIn")
                .map(|row| row.detail.as_str())
                .collect();
            let by_provider = format!(
                "{{\"by\":\"provider\",\"issuer\":\"{}\"}}",
                identities.issuer
            );
            assert_eq!(ways, ["{\"by\":\"password\"}", &by_provider, &by_provider]);

            let log = Log::shared().text();
            let code = parameter(&callback, "code").unwrap();
            for secret in [SECRET, &code, way.cookie.split_once('=').unwrap().1] {
                assert!(!log.contains(secret), "in the log");
            }
        }
    }
}

/// C-46: what comes back belongs to the browser that was sent off, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_is_ones_own_and_gone_once() {
    let Some(identities) = Identities::start() else {
        return;
    };
    for app in each(&identities, "entrepot", ProviderRules::default()).await {
        let subject = identities.person(&ines()).await;
        let one = Way::begin(&app, "/catalog").await;
        let other = Way::begin(&app, "/costs").await;
        let callback = identities.pass(&one.url, &subject).await;
        let path = local(&callback).to_owned();
        let state = one.parameter("state");

        // In another browser: without a cookie, with the cookie of another way, with another's content under its name.
        let bare = app.get(&path).send().await;
        refused(&app, &bare, STALE).await;
        refused(&app, &other.back(&app, &callback).await, STALE).await;
        let (name, _) = one.cookie.split_once('=').unwrap();
        let (_, content) = other.cookie.split_once('=').unwrap();
        let forged = format!("{name}={content}");
        refused(&app, &app.get(&path).cookie(&forged).send().await, STALE).await;
        // With other states.
        let swapped = callback.replace(&state, &other.parameter("state"));
        refused(&app, &one.back(&app, &swapped).await, STALE).await;
        let similar = callback.replace(&state, &format!("{}{}", &state[..8], "x".repeat(35)));
        refused(&app, &one.back(&app, &similar).await, STALE).await;
        let none = callback.replace("state=", "stat=");
        refused(&app, &one.back(&app, &none).await, STALE).await;
        for doubled in ["code=x", "iss=x", &format!("state={state}")] {
            let twice = format!("{callback}&{doubled}");
            refused(&app, &one.back(&app, &twice).await, STALE).await;
        }
        assert!(people(&app).await.is_empty());

        // Nothing of that used it up.
        let good = one.back(&app, &callback).await;
        assert_eq!(good.location(), "/catalog");
        let cookie = session(&good).unwrap();
        refused(&app, &one.back(&app, &callback).await, STALE).await;
        assert!(is_signed_in(&app, &cookie).await, "the first one stays");

        // The other tab goes on.
        let callback = identities.pass(&other.url, &subject).await;
        assert_eq!(other.back(&app, &callback).await.location(), "/costs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_takes_ten_minutes_at_most() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let app = app(&identities, "entrepot").await;
    let subject = identities.person(&ines()).await;
    for (minutes, lasts) in [(9, true), (10, false), (60, false)] {
        let way = Way::begin(&app, "").await;
        let callback = identities.pass(&way.url, &subject).await;
        app.clock.advance(minutes * MINUTE);
        let answer = way.back(&app, &callback).await;
        if lasts {
            assert_eq!(answer.location(), "/");
        } else {
            refused(&app, &answer, STALE).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_it_off_there_can_begin_again() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let app = app(&identities, "entrepot").await;
    let way = Way::begin(&app, "/catalog").await;
    let callback = identities.abort(&way.url).await;
    assert_eq!(
        parameter(&callback, "error").as_deref(),
        Some("access_denied")
    );
    let answer = way.back(&app, &callback).await;
    assert_eq!(answer.location(), "/sign-in?next=%2Fcatalog");
    refused(&app, &answer, SENT_BACK).await;
    refused(&app, &way.back(&app, &callback).await, STALE).await;
    // What an error says is not repeated.
    let way = Way::begin(&app, "").await;
    let state = way.parameter("state");
    let forged = format!(
        "https://data.example/sign-in/oidc/callback?state={state}&error=%3Cscript%3E&error_description=evil"
    );
    let answer = way.back(&app, &forged).await;
    refused(&app, &answer, SENT_BACK).await;
    let page = app
        .get("/sign-in")
        .cookie(&session(&answer).unwrap())
        .header("accept", "text/html")
        .send()
        .await;
    assert!(!page.text.contains("evil"), "{}", page.text);
}

/// C-49: afterwards only a path of this site is followed.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_leads_nowhere_else() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let app = app(&identities, "entrepot").await;
    let subject = identities.person(&ines()).await;
    for next in [
        "//evil",
        "/\\evil",
        "https://evil",
        "/a/../\\evil",
        "/%2f%2fevil",
        "..;/",
        "@evil",
        // More than a cookie holds.
        &format!("/catalog?q={}", "x".repeat(4_000)),
    ] {
        let answer = signs_in(&app, &identities, &subject, next).await;
        assert_eq!(answer.location(), "/", "{next}");
    }
}

/// C-04: whoever knew the session's id from before has nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_session_is_another_one() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let app = app(&identities, "entrepot").await;
    app.person("mara", &[]).await;
    let subject = identities.person(&ines()).await;
    let before = app.sign_in("mara").await;
    let way = Way::begin(&app, "").await;
    let callback = identities.pass(&way.url, &subject).await;
    let cookies = format!("{before}; {}", way.cookie);
    let answer = app.get(local(&callback)).cookie(&cookies).send().await;
    let after = session(&answer).unwrap();
    assert_ne!(before, after);
    assert!(!is_signed_in(&app, &before).await);
    assert!(is_signed_in(&app, &after).await);
}

/// Nobody is signed in because another site wanted it; and whoever tries again and again waits, by whatever door.
#[tokio::test(flavor = "multi_thread")]
async fn other_sites_and_many_tries_are_held_up() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let app = TestApp::with(Build {
        sign_ins_per_minute: 3,
        oidc: Some(identities.settings("entrepot", ProviderRules::default())),
        ..Build::default()
    })
    .await;
    app.person("mara", &[]).await;
    let foreign = app
        .get("/sign-in/oidc?next=/catalog")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    assert_eq!(foreign.location(), "/sign-in?next=%2Fcatalog");
    assert!(foreign.cookie().is_none());

    let guess = "/sign-in/oidc/callback?state=x&code=y";
    for _ in 0..3 {
        assert_eq!(app.get(guess).send().await.status, StatusCode::SEE_OTHER);
    }
    let local = app.post("/sign-in").own_origin();
    let local = local
        .form(&[("name", "mara"), ("password", PASSWORD)])
        .await;
    for answer in [
        app.get(guess).send().await,
        app.get("/sign-in/oidc").send().await,
        local,
    ] {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(answer.header("retry-after").parse::<u64>().is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_offers_it_only_where_it_is() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let page = async |app: &TestApp| {
        let page = app
            .get("/sign-in?next=/catalog")
            .header("accept", "text/html");
        page.send().await.text
    };
    let with = page(&app(&identities, "entrepot").await).await;
    assert!(
        with.contains("href=\"/sign-in/oidc?next=%2Fcatalog\"")
            && with.contains("Sign in with Example"),
        "{with}"
    );
    assert!(with.contains("name=\"password\""), "local accounts stay");
    let app = TestApp::start().await;
    assert!(!page(&app).await.contains("oidc"));
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?state=x&code=y"] {
        assert_eq!(app.get(path).send().await.status, StatusCode::NOT_FOUND);
    }
}
