//! Signing in and out: the cookie, the session behind it, the redirect, the limits.

use std::time::{Duration, Instant};

use exchange::Principal;
use http::StatusCode;
use model::dto::PersonChange;

use crate::support::{Build, Log, PASSWORD, TestApp};

/// Whether this cookie is somebody's: the portal greets them by a button to leave.
async fn is_signed_in(app: &TestApp, cookie: &str) -> bool {
    let page = app
        .get("/")
        .cookie(cookie)
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(page.status, StatusCode::OK);
    page.text.contains("action=\"/sign-out\"")
}

#[tokio::test]
async fn the_cookie_and_its_session() {
    for app in TestApp::each().await {
        app.person("mara", &[]).await;
        let answer = app
            .post("/sign-in")
            .own_origin()
            .form(&[
                ("name", "mara"),
                ("password", PASSWORD),
                ("next", "/products?q=x"),
            ])
            .await;
        assert_eq!(
            (answer.status, answer.location()),
            (StatusCode::SEE_OTHER, "/products?q=x")
        );
        let set = answer.header("set-cookie").to_owned();
        assert!(set.starts_with("__Host-entrepot="), "{set}");
        for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age="] {
            assert!(set.contains(flag), "{flag} in {set}");
        }
        assert!(!set.contains("Domain="), "{set}");
        let cookie = answer.cookie().unwrap();
        let id = cookie.split_once('=').unwrap().1;
        assert!(id.len() >= 22, "128 bits at least: {id}");
        assert!(is_signed_in(&app, &cookie).await);

        // Signed in again with the cookie in hand: another id, and the old one is nobody's.
        let again = app
            .post("/sign-in")
            .own_origin()
            .cookie(&cookie)
            .form(&[("name", "mara"), ("password", PASSWORD)])
            .await;
        let second = again.cookie().unwrap();
        assert_ne!(second, cookie);
        assert!(!is_signed_in(&app, &cookie).await, "the old id is dead");
        assert!(is_signed_in(&app, &second).await);

        let out = app
            .post("/sign-out")
            .own_origin()
            .cookie(&second)
            .form(&[])
            .await;
        assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/"));
        assert!(
            out.header("set-cookie").contains("Max-Age=0"),
            "{}",
            out.header("set-cookie")
        );
        assert!(
            !is_signed_in(&app, &second).await,
            "the server has forgotten it"
        );
    }
}

#[tokio::test]
async fn an_id_from_before_signing_in_is_worth_nothing_after() {
    let app = TestApp::start().await;
    app.person("mara", &[]).await;
    // A refused try leaves a session behind, with a flash.
    let refused = app
        .post("/sign-in")
        .own_origin()
        .form(&[("name", "mara"), ("password", "wrong horse")])
        .await;
    let before = refused.cookie().unwrap();
    let page = app
        .get("/sign-in")
        .cookie(&before)
        .header("accept", "text/html")
        .send()
        .await;
    assert!(
        page.text.contains(app::words::sign_in::REFUSED),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("value=\"mara\"") && !page.text.contains("wrong horse"),
        "{}",
        page.text
    );
    let page = app
        .get("/sign-in")
        .cookie(&before)
        .header("accept", "text/html")
        .send()
        .await;
    assert!(
        !page.text.contains(app::words::sign_in::REFUSED),
        "shown once"
    );
    let signed_in = app
        .post("/sign-in")
        .own_origin()
        .cookie(&before)
        .form(&[("name", "mara"), ("password", PASSWORD)])
        .await;
    let after = signed_in.cookie().unwrap();
    assert_ne!(before, after);
    assert!(!is_signed_in(&app, &before).await);
    // An id that somebody made up is not taken over either.
    let forged = "__Host-entrepot=AAAAAAAAAAAAAAAAAAAAAA";
    let signed_in = app
        .post("/sign-in")
        .own_origin()
        .cookie(forged)
        .form(&[("name", "mara"), ("password", PASSWORD)])
        .await;
    assert_ne!(signed_in.cookie().unwrap(), forged);
    assert!(!is_signed_in(&app, forged).await);
}

#[tokio::test]
async fn over_http_the_cookie_has_no_host_prefix() {
    let app = TestApp::with(Build {
        public_url: "http://127.0.0.1:3000",
        ..Build::default()
    })
    .await;
    app.person("mara", &[]).await;
    let cookie = app.sign_in("mara").await;
    assert!(cookie.starts_with("entrepot="), "{cookie}");
}

#[tokio::test]
async fn sessions_end_by_disabling_idleness_and_age() {
    let app = TestApp::start().await;
    app.person("mara", &[]).await;
    let cookie = app.sign_in("mara").await;
    let change = PersonChange {
        disabled: Some(true),
        ..PersonChange::default()
    };
    app.exchange
        .person_update(&Principal::operator(), "mara", change)
        .await
        .unwrap();
    assert!(!is_signed_in(&app, &cookie).await, "disabled: at once");

    app.person("otto", &[]).await;
    let cookie = app.sign_in("otto").await;
    app.clock.advance(11 * model::time::HOUR);
    assert!(is_signed_in(&app, &cookie).await);
    app.clock.advance(13 * model::time::HOUR);
    assert!(!is_signed_in(&app, &cookie).await, "idle too long");

    let cookie = app.sign_in("otto").await;
    for _ in 0..16 {
        app.clock.advance(10 * model::time::HOUR);
        assert!(is_signed_in(&app, &cookie).await);
    }
    app.clock.advance(10 * model::time::HOUR);
    assert!(!is_signed_in(&app, &cookie).await, "older than a week");
}

/// C-29: a session is nothing to `/api/v1`, and a token nothing to pages.
#[tokio::test]
async fn cookies_and_tokens_do_not_stand_in_for_each_other() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let cookie = app.sign_in("ada").await;
    let token = app.token("ada").await;
    let by_cookie = app.get("/api/v1/me").cookie(&cookie).send().await;
    assert_eq!(by_cookie.status, StatusCode::UNAUTHORIZED);
    let in_cookie = app
        .get("/api/v1/me")
        .cookie(&format!("__Host-entrepot={token}"))
        .send()
        .await;
    assert_eq!(in_cookie.status, StatusCode::UNAUTHORIZED);
    let id = cookie.split_once('=').unwrap().1;
    let as_bearer = app.get("/api/v1/me").token(id).send().await;
    assert_eq!(as_bearer.status, StatusCode::UNAUTHORIZED);
    let page = app
        .get("/")
        .token(&token)
        .header("accept", "text/html")
        .send()
        .await;
    assert!(
        page.text.contains("href=\"/sign-in\""),
        "a token opens no page"
    );
}

/// C-49: a redirect stays on this site.
#[tokio::test]
async fn signing_in_leads_nowhere_else() {
    let app = TestApp::start().await;
    app.person("mara", &[]).await;
    for next in [
        "//evil",
        "/\\evil",
        "\\\\evil",
        "/a/../\\evil",
        "/%2f%2fevil",
        "/%5cevil",
        "https:evil",
        "https://evil",
        "..;/",
        "/..;/x",
        "javascript:alert(1)",
        "/\t/evil",
        "/x\r\nSet-Cookie: a=b",
        "evil",
        "@evil",
        "/./x",
        "",
    ] {
        let answer = app
            .post("/sign-in")
            .own_origin()
            .form(&[("name", "mara"), ("password", PASSWORD), ("next", next)])
            .await;
        assert_eq!(
            (answer.status, answer.location()),
            (StatusCode::SEE_OTHER, "/"),
            "{next:?}"
        );
        let refused = app
            .post("/sign-in")
            .own_origin()
            .header("referer", "https://evil/x")
            .form(&[
                ("name", "mara"),
                ("password", "wrong horse"),
                ("next", next),
            ])
            .await;
        assert_eq!(refused.location(), "/sign-in", "{next:?}");
    }
    let kept = app
        .post("/sign-in")
        .own_origin()
        .form(&[
            ("name", "mara"),
            ("password", "wrong horse"),
            ("next", "/a?b=c&d=e"),
        ])
        .await;
    assert_eq!(kept.location(), "/sign-in?next=%2Fa%3Fb%3Dc%26d%3De");
}

/// C-55: unknown, wrong, disabled and without a password answer alike, and as slowly.
#[tokio::test]
async fn refusals_are_not_told_apart() {
    let app = TestApp::start().await;
    app.person("mara", &[]).await;
    app.person("gone", &[]).await;
    let change = PersonChange {
        disabled: Some(true),
        ..PersonChange::default()
    };
    app.exchange
        .person_update(&Principal::operator(), "gone", change)
        .await
        .unwrap();
    let cases = [
        ("mara", "wrong horse"),
        ("nobody", "wrong horse"),
        ("gone", PASSWORD),
        ("", ""),
        ("x' or 1=1", "y"),
    ];
    let mut fastest = vec![Duration::MAX; cases.len()];
    let mut answers = Vec::new();
    let mut requests = Vec::new();
    for round in 0..15 {
        for (at, (name, password)) in cases.iter().enumerate() {
            let started = Instant::now();
            let answer = app
                .post("/sign-in")
                .own_origin()
                .form(&[("name", name), ("password", password)])
                .await;
            fastest[at] = fastest[at].min(started.elapsed());
            requests.push((at, answer.header("x-request-id").to_owned()));
            if round == 0 {
                answers.push((
                    answer.status,
                    answer.location().to_owned(),
                    answer.text.clone(),
                ));
                let names: Vec<&str> = answer
                    .headers
                    .keys()
                    .map(http::HeaderName::as_str)
                    .collect();
                assert!(names.contains(&"set-cookie"), "{names:?}");
            }
        }
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    // What takes the time is done once for each of them, whoever was meant: a busy machine does not change that.
    let log = Log::shared().text();
    let hashed: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a password was hashed and compared"))
        .collect();
    for (at, id) in &requests {
        assert!(!id.is_empty());
        let of_it = hashed.iter().filter(|line| line.contains(id.as_str()));
        assert_eq!(of_it.count(), 1, "{:?}", cases[*at]);
    }
    let (least, most) = (fastest.iter().min().unwrap(), fastest.iter().max().unwrap());
    // A password that is not hashed is answered in a tenth of the time; a busy machine makes less of a difference.
    assert!(
        most.as_secs_f64() < 4.0 * least.as_secs_f64(),
        "times tell: {fastest:?}"
    );
}

#[tokio::test]
async fn too_many_tries_wait() {
    let app = TestApp::with(Build {
        sign_ins_per_minute: 3,
        ..Build::default()
    })
    .await;
    app.person("mara", &[]).await;
    let attempt = async |password: &str| {
        app.post("/sign-in")
            .own_origin()
            .form(&[("name", "mara"), ("password", password)])
            .await
    };
    for _ in 0..3 {
        assert_eq!(attempt("wrong horse").await.status, StatusCode::SEE_OTHER);
    }
    let refused = attempt(PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=21).contains(&wait), "{wait}");
    assert!(refused.cookie().is_none());
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let app = TestApp::start().await;
    app.person("mara", &[]).await;
    let extra = app
        .post("/sign-in")
        .own_origin()
        .form(&[("name", "mara"), ("password", PASSWORD), ("role", "admin")])
        .await;
    assert_eq!(
        (extra.status, extra.location()),
        (StatusCode::SEE_OTHER, "/sign-in")
    );
    let cookie = extra.cookie().unwrap();
    assert!(!is_signed_in(&app, &cookie).await);
    let json = app
        .post("/sign-in")
        .own_origin()
        .json(&serde_json::json!({ "name": "mara", "password": PASSWORD }))
        .await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = app
        .post("/sign-in")
        .own_origin()
        .form(&[("name", &"a".repeat(2 * 1024 * 1024)), ("password", "x")])
        .await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
}
