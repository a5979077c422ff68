//! The portal's server functions and forms over the whole server: every one in the table of operations, none without the
//! policy, and forms that work without JavaScript.

mod samples;
mod world;

use std::collections::BTreeSet;

use exchange::Principal;
use exchange::operation::TABLE;
use exchange::page::PageRequest;
use http::{Method, StatusCode};
use leptos::server_fn::axum::server_fn_paths;
use model::dto::{ProfileNew, RevokeNew};
use model::time::MINUTE;

use self::samples::sample;
use self::world::{AT, World, request};
use crate::support::PASSWORD;

const FUNCTIONS: &str = "/_fn/app/api/";
const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
const PRODUCT: &str = "vehicle-visits";

#[tokio::test]
async fn every_server_function_is_in_the_table_and_asks_the_policy() {
    let world = World::start().await;
    let registered: BTreeSet<String> = server_fn_paths()
        .map(|(path, method)| {
            assert_eq!(method, Method::POST, "{path} can be called by a link");
            path.strip_prefix(FUNCTIONS).unwrap_or(path).to_owned()
        })
        .collect();
    let named: BTreeSet<String> = TABLE
        .iter()
        .filter_map(|line| line.page)
        .filter(|page| !page.starts_with('/'))
        .map(str::to_owned)
        .collect();
    assert_eq!(registered, named);
    for line in TABLE {
        assert!(
            line.page.is_none()
                || (line.rest.is_some() && line.cli.is_some())
                || !line.why.is_empty(),
            "{:?}: a browser can do it, and no machine",
            line.operation
        );
    }
    let before = world.app.changes().await;
    for function in &registered {
        let answer = world
            .app
            .post(&format!("{FUNCTIONS}{function}"))
            .own_origin()
            .header("accept", "application/json")
            .form(&sample(function))
            .await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{function} as nobody: {}",
            answer.text
        );
    }
    assert_eq!(world.app.changes().await, before);
}

/// What is sent in place is told where to go on, and the page there says what became of it.
#[tokio::test]
async fn a_form_sent_in_place_is_told_where_to_go_on() {
    let world = World::start().await;
    world.recipient().await;
    let send = async |fields: &[(&str, &str)]| {
        let sent = world
            .app
            .post(&format!("{FUNCTIONS}access/create_request"))
            .own_origin()
            .cookie(&world.mara)
            .header("accept", "text/html")
            .header("x-in-place", "1")
            .form(fields)
            .await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
        assert_eq!(sent.text, "");
        sent.header("x-in-place").to_owned()
    };
    let wrong = send(&request(&[("form[mode]", "none")])).await;
    assert_eq!(wrong, format!("{AT}#request-new"));
    let page = world.page(&world.mara, AT).await;
    assert!(page.text.contains("role=\"alert\""), "{}", page.text);
    let sent = send(&request(&[])).await;
    assert!(sent.starts_with("/requests/"), "{sent}");
    let page = world.page(&world.mara, &sent).await;
    assert!(page.text.contains("The request is sent."), "{}", page.text);
}

/// Each page that the table names is there.
#[tokio::test]
async fn every_page_of_the_table_is_there() {
    let world = World::start().await;
    for line in TABLE {
        let Some(page) = line.page.filter(|page| page.starts_with('/')) else {
            continue;
        };
        // Strangers are asked to sign in wherever there is something; a route that only takes forms says so.
        let path = page.replace(['{', '}'], "");
        let answer = world.page("", &path).await;
        assert!(
            matches!(
                answer.status,
                StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED
            ),
            "{page}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn a_form_without_script_leads_on_and_says_so_once() {
    let world = World::start().await;
    world.recipient().await;
    let asked = world.page(&world.mara, AT).await;
    assert!(
        asked.text.contains("The recipient rnd_weu is made."),
        "{}",
        asked.text
    );
    let again = world.page(&world.mara, AT).await;
    assert!(!again.text.contains("is made."));

    let path = world.request().await;
    let shown = world.page(&world.mara, &path).await;
    assert!(
        shown.text.contains("The request is sent."),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("Which parts fail?"), "{}", shown.text);
}

#[tokio::test]
async fn a_refused_form_comes_back_to_its_own_path_with_what_was_typed() {
    let world = World::start().await;
    world.recipient().await;
    let hostile = "</textarea><script>alert(1)</script>\u{1f600} \u{5d0}";
    let before = world.app.changes().await;
    let sent = world
        .send(
            &world.mara,
            "access/create_request",
            &request(&[
                ("form[until]", "2001-01-01"),
                ("form[purpose][text]", hostile),
            ]),
        )
        .await;
    // Not to the Referer, and nothing of it in the address.
    let back = format!("{AT}#request-new");
    assert_eq!(
        (sent.status, sent.location()),
        (StatusCode::SEE_OTHER, back.as_str())
    );
    assert_eq!(world.app.changes().await, before);
    let page = world.page(&world.mara, AT).await;
    assert!(
        page.text.contains("Until: Must be in the future."),
        "{}",
        page.text
    );
    assert!(page.text.contains("value=\"2001-01-01\""), "{}", page.text);
    assert!(
        page.text.contains("&lt;/textarea&gt;&lt;script&gt;"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    let again = world.page(&world.mara, AT).await;
    assert!(!again.text.contains("2001-01-01"), "shown once");
}

#[tokio::test]
async fn unknown_and_forged_fields_are_refused() {
    let world = World::start().await;
    world.recipient().await;
    let path = world.request().await;
    let id = path.strip_prefix("/requests/").unwrap();
    let before = world.app.changes().await;
    let unknown = request(&[("form[requester]", "jonas")]);
    let wrong_type = [("form[request]", id), ("form[revision]", "one")];
    let forged = [("form[request]", "../../etc"), ("form[revision]", "1")];
    let missing = [("form[note]", "x")];
    for (function, fields) in [
        ("access/create_request", &unknown[..]),
        ("access/decide_request", &wrong_type[..]),
        ("access/decide_request", &forged[..]),
        ("access/decide_request", &missing[..]),
    ] {
        let mut fields = fields.to_vec();
        fields.retain(|(name, _)| *name != "at");
        fields.push(("at", "/approvals"));
        let sent = world.send(&world.jonas, function, &fields).await;
        let back = sent.location().split('#').next();
        assert_eq!(
            (sent.status, back),
            (StatusCode::SEE_OTHER, Some("/approvals")),
            "{function} {fields:?}: {}",
            sent.text
        );
        let page = world.page(&world.jonas, "/approvals").await;
        assert!(
            page.text.contains("role=\"alert\""),
            "{function}: {}",
            page.text
        );
    }
    for at in ["https://evil", "//evil", "/\\evil"] {
        let fields = request(&[("at", at), ("form[mode]", "none")]);
        let sent = world
            .send(&world.mara, "access/create_request", &fields)
            .await;
        assert_eq!(sent.location(), "/#request-new", "{at}");
    }
    assert_eq!(world.app.changes().await, before);
}

#[tokio::test]
async fn a_decision_binds_the_revision_that_was_shown() {
    let world = World::start().await;
    world.recipient().await;
    let path = world.request().await;
    let id = path.strip_prefix("/requests/").unwrap();
    let inbox = world.page(&world.jonas, "/approvals").await;
    assert!(inbox.text.contains("Which parts fail?"), "{}", inbox.text);
    assert!(inbox.text.contains("cost centre 4711"), "{}", inbox.text);
    let form = format!("decide-{id}");
    let decide = |revision: &'static str, verdict: &'static str| {
        let (id, form) = (id.to_owned(), form.clone());
        async move {
            [
                ("at".to_owned(), "/approvals".to_owned()),
                ("id".to_owned(), form),
                ("stay".to_owned(), "yes".to_owned()),
                ("form[request]".to_owned(), id),
                ("form[revision]".to_owned(), revision.to_owned()),
                ("form[note]".to_owned(), "as agreed".to_owned()),
                ("form[verdict]".to_owned(), verdict.to_owned()),
            ]
        }
    };
    let send = async |fields: [(String, String); 7]| {
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let sent = world
            .send(&world.jonas, "access/decide_request", &fields)
            .await;
        assert_eq!(
            (sent.status, sent.location()),
            (StatusCode::SEE_OTHER, "/approvals")
        );
        world.page(&world.jonas, "/approvals").await.text
    };
    // What few want is folded, until somebody wrote into it.
    let folds = |page: &str| {
        let (_, rest) = page.split_once(&format!(" id=\"{form}\"")).unwrap();
        let (shown, _) = rest.split_once("</form>").unwrap();
        let (_, fold) = shown.split_once("<details").unwrap();
        let (fold, within) = fold.split_once('>').unwrap();
        let (within, after) = within.split_once("</details>").unwrap();
        for field in ["rows", "directory", "live_bytes_per_day"] {
            let name = format!("name=\"form[{field}]\"");
            assert!(within.contains(&name), "{field} in {within}");
        }
        assert!(after.contains("name=\"form[note]\""), "{after}");
        (!fold.contains(" open"), within.to_owned())
    };
    assert!(folds(&inbox.text).0, "{}", inbox.text);
    let wrong = world
        .send(
            &world.jonas,
            "access/decide_request",
            &[
                ("at", "/approvals"),
                ("id", form.as_str()),
                ("stay", "yes"),
                ("form[request]", id),
                ("form[revision]", "1"),
                ("form[rows]", "country = 'DE'"),
                ("form[verdict]", "approve"),
            ],
        )
        .await;
    assert_eq!(wrong.location(), format!("/approvals#{form}"));
    let told = world.page(&world.jonas, "/approvals").await;
    let (is_folded, within) = folds(&told.text);
    assert!(!is_folded, "{within}");
    assert!(within.contains("country = "), "{within}");
    assert!(within.contains(&format!("{form}-rows-error")), "{within}");

    let stale = send(decide("7", "approve").await).await;
    assert!(
        stale.contains("The request was changed meanwhile"),
        "{stale}"
    );
    assert!(stale.contains("as agreed"), "the note is kept: {stale}");
    let done = send(decide("1", "approve").await).await;
    assert!(
        done.contains("Approved: rnd_weu gets vehicle-visits."),
        "{done}"
    );
    assert!(done.contains("Nothing waits for you"), "{done}");
    // Without the marks that the renderer leaves between texts.
    let shown = world.page(&world.mara, &path).await.text.replace("<!>", "");
    assert!(shown.contains("Approved by jonas"), "{shown}");

    // Once it has ended, its page says until when links work that a store has signed (C-32).
    let exchange = &world.app.exchange;
    let (operator, system) = (Principal::operator(), Principal::system());
    let made = exchange.profile_create(&operator, "rnd_weu", ProfileNew::default());
    made.await.unwrap();
    let recipient = exchange.recipient(&operator, "rnd_weu").await.unwrap();
    let token = recipient.tokens[0].id;
    let grants = exchange.grants(&operator, None, &PageRequest::all()).await;
    let grant = grants.unwrap().items[0].id;
    let until = exchange.now().plus(30 * MINUTE);
    let issued = exchange.urls_issued(&system, grant, token, until, Some(until));
    assert!(issued.await.unwrap());
    let handed_out = "Links to files that were handed out before may work until";
    let shown = world.page(&world.mara, &path).await.text;
    assert!(!shown.contains(handed_out), "{shown}");
    let over = RevokeNew {
        reason: "over".to_owned(),
    };
    exchange.grant_revoke(&operator, grant, over).await.unwrap();
    let shown = world.page(&world.mara, &path).await.text;
    assert!(shown.contains(handed_out), "{shown}");
    world.app.clock.advance(30 * MINUTE);
    let shown = world.page(&world.mara, &path).await.text;
    assert!(!shown.contains(handed_out), "{shown}");
}

#[tokio::test]
async fn a_session_that_ended_in_the_middle_of_a_form_loses_nothing() {
    let world = World::start().await;
    world.recipient().await;
    let sent = world.send("", "access/create_request", &request(&[])).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    let next = serde_urlencoded::to_string([("next", AT)]).unwrap();
    assert_eq!(sent.location(), format!("/sign-in?{next}"));
    let nobody = sent.cookie().expect("a session that keeps what was typed");

    let page = world.page(&nobody, sent.location()).await;
    assert!(page.text.contains("name=\"password\""), "{}", page.text);
    let wrong = world
        .app
        .post("/sign-in")
        .own_origin()
        .cookie(&nobody)
        .form(&[("name", "mara"), ("password", "wrong"), ("next", AT)])
        .await;
    assert_eq!(wrong.status, StatusCode::SEE_OTHER);
    let signed_in = world
        .app
        .post("/sign-in")
        .own_origin()
        .cookie(&nobody)
        .form(&[("name", "mara"), ("password", PASSWORD), ("next", AT)])
        .await;
    assert_eq!(signed_in.location(), AT);
    let mara = signed_in.cookie().unwrap();
    let page = world.page(&mara, AT).await;
    assert!(
        page.text.contains("You were signed out meanwhile."),
        "{}",
        page.text
    );
    assert!(page.text.contains("Which parts fail?"), "{}", page.text);
}

#[tokio::test]
async fn the_profile_is_downloaded_once() {
    let world = World::start().await;
    world.recipient().await;
    let download = |cookie: String| {
        world
            .app
            .post("/recipients/rnd_weu/profile")
            .own_origin()
            .cookie(&cookie)
            .header("accept", HTML)
            .form(&[("at", "/access")])
    };
    let nobody = download(String::new()).await;
    assert_eq!(nobody.location(), "/sign-in?next=%2Faccess");
    let foreign = download(world.jonas.clone()).await;
    assert_eq!(
        (foreign.status, foreign.location()),
        (StatusCode::SEE_OTHER, "/access")
    );
    let told = world.page(&world.jonas, "/access").await;
    assert!(
        told.text.contains("There is no such recipient"),
        "{}",
        told.text
    );

    let file = download(world.mara.clone()).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.text);
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"rnd_weu.share\""
    );
    assert_eq!(file.header("cache-control"), "no-store");
    let token = file.json()["bearerToken"].as_str().unwrap().to_owned();
    assert!(!token.is_empty());

    let again = download(world.mara.clone()).await;
    assert_eq!(
        (again.status, again.location()),
        (StatusCode::SEE_OTHER, "/access")
    );
    let page = world.page(&world.mara, "/access").await;
    assert!(
        page.text.contains("The profile was downloaded already"),
        "{}",
        page.text
    );
    assert!(!page.text.contains(&token), "the secret is in no page");

    // A new one in its place; the old goes on for a while.
    let rotated = world
        .app
        .post("/recipients/rnd_weu/rotate")
        .own_origin()
        .cookie(&world.mara)
        .header("accept", HTML)
        .form(&[("at", "/access")])
        .await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    assert_ne!(rotated.json()["bearerToken"].as_str().unwrap(), token);

    let operator = exchange::Principal::operator();
    let recipient = world.app.exchange.recipient(&operator, "rnd_weu").await;
    let tokens = recipient.unwrap().tokens;
    assert_eq!(tokens.len(), 2, "the old and the new");
    for token in tokens {
        let id = token.id.to_string();
        let fields = [
            ("at", "/access"),
            ("id", "revoke-rnd_weu"),
            ("stay", "yes"),
            ("form[recipient]", "rnd_weu"),
            ("form[token]", &id),
            ("form[confirm]", "rnd_weu"),
        ];
        let revoked = world
            .send(&world.mara, "access/revoke_recipient_token", &fields)
            .await;
        assert_eq!(
            (revoked.status, revoked.location()),
            (StatusCode::SEE_OTHER, "/access")
        );
    }
    assert_eq!(download(world.mara.clone()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_for_members_send_strangers_to_sign_in_and_back() {
    let world = World::start().await;
    for path in [
        "/catalog?q=visits",
        "/products/vehicle-visits",
        "/approvals",
        "/access",
    ] {
        let page = world.page("", path).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path}");
        let next = app::url::encode(path);
        assert!(
            page.text.contains(&format!("/sign-in?next={next}")),
            "{path}: {}",
            page.text
        );
        assert!(!page.text.contains("Workshop visits"), "{path}");
        let page = world.page(&world.mara, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
    }
    for path in [
        "/products/nowhere",
        "/requests/nowhere",
        "/products/nowhere/request",
    ] {
        let page = world.page(&world.mara, path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("Nothing is landed here"), "{path}");
    }
    let draft = "vehicle-draft";
    world.app.draft(draft, "aftersales").await;
    let path = format!("/products/{draft}");
    assert_eq!(
        world.page(&world.mara, &path).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.page(&world.jonas, &path).await.status, StatusCode::OK);
}
