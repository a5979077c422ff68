//! How recipients get in besides their profiles, and what limits them, over HTTP: links (C-27), reports of leaks (C-30), lists of
//! addresses and a pace of their own (C-33, C-54), tokens of another platform.

use exchange::Principal;
use http::StatusCode;
use model::Clock as _;
use model::dto::{FederationNew, ProfileNew, RecipientLimits};
use model::time::{HOUR, MINUTE};
use serde_json::{Value, json};
use server::adapters::clock::SystemClock;
use server::config::Proof;

use crate::matrix::World;
use crate::support::identities::Identities;
use crate::support::{Answer, Build, Log, SCANNER, TestApp};

const SHARES: &str = "/delta-sharing/shares";
const NAME: &str = "rnd_ways";
const HERE: &str = "192.0.2.9";
const THERE: &str = "198.51.100.9";

async fn world(app: TestApp) -> World {
    let world = World::on(app).await;
    world.recipient(NAME, "westeurope").await;
    world
}

async fn limit(world: &World, addresses: &[&str], requests_per_minute: Option<u32>) {
    let limits = RecipientLimits {
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
        requests_per_minute,
    };
    let operator = Principal::operator();
    let set = world
        .exchange()
        .recipient_limits_set(&operator, NAME, limits);
    set.await.unwrap();
}

async fn token(world: &World) -> String {
    let operator = Principal::operator();
    let made = world
        .exchange()
        .profile_create(&operator, NAME, ProfileNew::default());
    made.await.unwrap().bearer_token
}

async fn reads(app: &TestApp, token: &str) -> Answer {
    app.get(SHARES).token(token).from(HERE).send().await
}

#[tokio::test]
async fn a_link_is_looked_at_often_and_used_once() {
    for app in TestApp::each().await {
        let world = world(app).await;
        let app = &world.app;
        let cookie = app.sign_in("consumer").await;
        let made = app
            .post(&format!("/recipients/{NAME}/activation"))
            .own_origin()
            .cookie(&cookie)
            .header("accept", "text/html")
            .form(&[("at", "/access")])
            .await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
        assert_eq!(made.header("cache-control"), "no-store");
        let (_, rest) = made.text.split_once("/activate?link=").unwrap();
        let link: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        let page = app
            .get("/access")
            .cookie(&cookie)
            .header("accept", "text/html");
        let page = page.send().await;
        assert!(!page.text.contains(&link), "shown once");
        assert!(page.text.contains("Take the link back"), "{}", page.text);

        let path = format!("/activate?link={link}");
        limit(&world, &["192.0.2.0/24"], None).await;
        let look = async |from: &str| {
            let ask = app.get(&path).header("accept", "text/html");
            ask.from(from).send().await
        };
        let take = |from: &'static str| {
            let ask = app.post("/activate").own_origin().from(from);
            let link = link.clone();
            async move { ask.form(&[("link", link.as_str())]).await }
        };
        for _ in 0..3 {
            let page = look(HERE).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            assert!(page.text.contains(NAME) && page.text.contains("noindex"));
            assert_eq!(page.header("cache-control"), "no-store");
        }
        for refused in [look(THERE).await, take(THERE).await] {
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
            assert!(refused.text.contains("your address"), "{}", refused.text);
            assert!(!refused.text.contains("bearerToken"));
        }
        let answers = futures::future::join_all((0..50).map(|_| take(HERE))).await;
        let (won, lost): (Vec<Answer>, Vec<Answer>) = answers
            .into_iter()
            .partition(|answer| answer.status == StatusCode::OK);
        assert_eq!((won.len(), lost.len()), (1, 49));
        for answer in &lost {
            assert_eq!(answer.status, StatusCode::GONE, "{}", answer.text);
            assert!(!answer.text.contains("bearerToken"));
        }
        let name = format!("attachment; filename=\"{NAME}.share\"");
        assert_eq!(won[0].header("content-disposition"), name);
        assert_eq!(won[0].header("cache-control"), "no-store");
        let profile = won[0].json();
        let token = profile["bearerToken"].as_str().unwrap();
        assert_eq!(reads(app, token).await.status, StatusCode::OK);
        let page = look(HERE).await;
        assert_eq!(page.status, StatusCode::GONE);
        assert!(
            page.text.contains("downloaded with this link already"),
            "{}",
            page.text
        );
        for path in ["/activate?link=", "/activate?link=entrepot_al_0"] {
            let page = app.get(path).header("accept", "text/html").send().await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        }
        let log = Log::shared().text();
        assert!(!log.contains(&link) && !log.contains(token), "in the log");
    }
}

#[tokio::test]
async fn a_recipient_is_held_to_its_addresses_and_to_its_pace() {
    let world = world(TestApp::start().await).await;
    let app = &world.app;
    let token = token(&world).await;
    let ask = |from: Option<&str>| {
        let ask = app.get(SHARES).token(&token);
        match from {
            Some(from) => ask.from(from),
            None => ask,
        }
    };
    assert_eq!(ask(None).send().await.status, StatusCode::OK, "no list");
    limit(&world, &["192.0.2.0/24", "2001:db8::/32"], None).await;
    for (from, expected) in [
        (Some(HERE), StatusCode::OK),
        (Some("[2001:db8::9]"), StatusCode::OK),
        (Some("[::ffff:192.0.2.9]"), StatusCode::OK),
        (Some(THERE), StatusCode::FORBIDDEN),
        (None, StatusCode::FORBIDDEN),
    ] {
        let answer = ask(from).send().await;
        assert_eq!(answer.status, expected, "{from:?}: {}", answer.text);
    }
    // Nobody is believed who is no proxy of ours.
    let forged = ask(Some(THERE)).header("x-forwarded-for", HERE);
    assert_eq!(forged.send().await.status, StatusCode::FORBIDDEN);

    limit(&world, &[], Some(2)).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = ask(None).send().await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=31).contains(&seconds), "{seconds}");
            assert_eq!(answer.json()["errorCode"], "REQUEST_LIMIT_EXCEEDED");
        }
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);

    limit(&world, &["192.0.2.0/24"], None).await;
    a_profile_is_downloaded_from_there(app).await;
}

/// By a person's session and by a person's token: from where the recipient may be used.
async fn a_profile_is_downloaded_from_there(app: &TestApp) {
    let cookie = app.sign_in("consumer").await;
    let service = app.token("consumer").await;
    let by_page = async |from: &str, believe: &str| {
        let ask = app.post(&format!("/recipients/{NAME}/rotate")).from(from);
        let ask = ask.own_origin().cookie(&cookie);
        let ask = ask.header("x-forwarded-for", believe);
        ask.form(&[("at", "/access")]).await
    };
    let by_rest = async |from: &str| {
        let path = format!("/api/v1/recipients/{NAME}/rotate");
        let ask = app.post(&path).from(from).token(&service);
        ask.json(&json!({ "overlap_hours": 0 })).await
    };
    let before = app.changes().await;
    let elsewhere = by_page(THERE, HERE).await;
    assert_eq!(elsewhere.status, StatusCode::SEE_OTHER);
    assert!(!elsewhere.text.contains("bearerToken"));
    let page = app.get("/access").cookie(&cookie);
    let page = page.header("accept", "text/html").send().await;
    let why = format!("yours, {THERE}, is none of them");
    assert!(page.text.contains(&why), "{}", page.text);
    let elsewhere = by_rest(THERE).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert!(elsewhere.text.contains(&why), "{}", elsewhere.text);
    assert_eq!(app.changes().await, before, "nothing was made");
    for made in [by_page(HERE, "").await, by_rest(HERE).await] {
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
        assert!(made.json()["bearerToken"].is_string());
    }
}

#[tokio::test]
async fn a_scanner_revokes_and_learns_nothing() {
    let build = Build {
        scanning: Some(Proof::Bearer),
        ..Build::default()
    };
    let world = world(TestApp::with(build).await).await;
    let app = &world.app;
    let token = token(&world).await;
    let kind = exchange::secret::TokenKind::Recipient;
    let unknown = exchange::secret::new_token(kind).unwrap();
    let service = app.token("consumer").await;
    let report = json!([
        { "token": token, "type": "entrepot_recipient_token", "url": "https://git.example/a", "source": "content" },
        { "token": unknown, "type": "entrepot_recipient_token" },
        { "token": &token[1..], "type": "entrepot_recipient_token" },
        { "token": service, "type": "entrepot_service_token" },
    ]);
    let me = async || app.get("/api/v1/me").token(&service).send().await.status;
    assert_eq!(me().await, StatusCode::OK);
    for wrong in ["", "another secret of that length", &token] {
        let answer = app
            .post("/secret-scanning")
            .token(wrong)
            .json(&report)
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
    assert_eq!(reads(app, &token).await.status, StatusCode::OK);
    let good = || app.post("/secret-scanning").token(SCANNER);
    let unread = good().json(&json!({ "token": token })).await;
    assert_eq!(unread.status, StatusCode::BAD_REQUEST);
    let first = good().json(&report).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let labels: Vec<Value> = first
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|said| said["label"].clone())
        .collect();
    // Of one that counted the same is said as of one that was never given out.
    assert_eq!(
        labels,
        [
            "true_positive",
            "true_positive",
            "false_positive",
            "true_positive"
        ]
    );
    assert_eq!(first.json()[3]["token_type"], "entrepot_service_token");
    assert_eq!(me().await, StatusCode::UNAUTHORIZED);
    assert!(!first.text.contains(&token), "{}", first.text);
    assert_eq!(reads(app, &token).await.status, StatusCode::UNAUTHORIZED);
    let again = good().json(&report).await;
    assert_eq!(again.text, first.text, "nor whether it counted until now");
    // Who shows nothing too often is not listened to.
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = app.post("/secret-scanning").token("no").json(&report).await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}

/// Tokens of a real issuer, as a platform makes them for its machines.
#[tokio::test]
async fn a_platforms_tokens_let_its_machine_in() {
    let Some(identities) = Identities::start() else {
        return;
    };
    let issuer: &'static str = identities.issuer.clone().leak();
    let build = Build {
        issuers: Box::leak(Box::new([issuer])),
        ..Build::default()
    };
    for app in TestApp::each_with(build).await {
        let world = world(app).await;
        let app = &world.app;
        let now = SystemClock.now().micros() / 1_000_000;
        let claims = |change: &dyn Fn(&mut Value)| {
            let mut claims = json!({
                "iss": issuer, "aud": ["entrepot-sharing"], "sub": "machine", "azp": "job-7",
                "iat": now, "nbf": now, "exp": now + 300,
            });
            change(&mut claims);
            claims
        };
        identities.show_key("later", false).await;
        let good = identities.signed("own", &claims(&|_| {})).await;
        // Nobody has said yet whom it lets in.
        assert_eq!(reads(app, &good).await.status, StatusCode::UNAUTHORIZED);
        let new = FederationNew {
            issuer: issuer.to_owned(),
            audience: "entrepot-sharing".to_owned(),
            claim: Some("azp".to_owned()),
            subject: "job-7".to_owned(),
            beside: false,
        };
        let operator = Principal::operator();
        let set = world.exchange().federation_set(&operator, NAME, new);
        set.await.unwrap();
        let answer = reads(app, &good).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let (head, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = identities
            .signed("own", &claims(&|c| c["azp"] = json!("job-8")))
            .await;
        let payload = other.split('.').nth(1).unwrap();
        let mut wrong = vec![
            ("another's words", format!("{head}.{payload}.{signature}")),
            ("another machine", other.clone()),
        ];
        for how in ["stranger", "secret", "unsigned"] {
            wrong.push((how, identities.signed(how, &claims(&|_| {})).await));
        }
        for (what, claims) in [
            ("audience", claims(&|c| c["aud"] = json!("another"))),
            (
                "issuer",
                claims(&|c| c["iss"] = json!(format!("{issuer}/"))),
            ),
            ("expired", claims(&|c| c["exp"] = json!(now - 120))),
            ("not yet", claims(&|c| c["nbf"] = json!(now + 120))),
            ("of the future", claims(&|c| c["iat"] = json!(now + 120))),
            (
                "for years",
                claims(&|c| c["exp"] = json!(now + 400 * 86_400)),
            ),
        ] {
            wrong.push((what, identities.signed("own", &claims).await));
        }
        for (what, token) in wrong {
            let answer = reads(app, &token).await;
            assert_eq!(
                answer.status,
                StatusCode::UNAUTHORIZED,
                "{what}: {}",
                answer.text
            );
        }
        // The issuer's keys change, and nobody has to say so: a new one is asked for, once a minute at most, and one that was taken
        // back counts for an hour at most.
        let later = identities.signed("later", &claims(&|_| {})).await;
        let unknown = reads(app, &later).await;
        assert_eq!(unknown.status, StatusCode::UNAUTHORIZED, "not published");
        identities.show_key("later", true).await;
        let unknown = reads(app, &later).await;
        assert_eq!(unknown.status, StatusCode::UNAUTHORIZED, "a moment ago");
        app.clock.advance(MINUTE);
        assert_eq!(reads(app, &later).await.status, StatusCode::OK);
        identities.show_key("later", false).await;
        app.clock.advance(HOUR);
        let gone = reads(app, &later).await;
        assert_eq!(gone.status, StatusCode::UNAUTHORIZED, "taken back");
        assert_eq!(reads(app, &good).await.status, StatusCode::OK);
        // A clock that is somewhat wrong is no lie.
        let late = identities
            .signed("own", &claims(&|c| c["exp"] = json!(now - 30)))
            .await;
        assert_eq!(reads(app, &late).await.status, StatusCode::OK);
        limit(&world, &["198.51.100.0/24"], None).await;
        assert_eq!(reads(app, &good).await.status, StatusCode::FORBIDDEN);
        limit(&world, &[], None).await;
        let operator = Principal::operator();
        let ended = world.exchange().federation_end(&operator, NAME, None);
        ended.await.unwrap();
        assert_eq!(reads(app, &good).await.status, StatusCode::UNAUTHORIZED);
    }
}
