//! The pages of one's own account, as a browser without JavaScript uses them.

use http::StatusCode;

use super::{Browser, holds};
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_new_password_ends_all_sessions_but_this_one() {
    for app in TestApp::each().await {
        app.person("mara", &[]).await;
        let mut here = Browser::of(&app, "mara").await;
        let elsewhere = Browser::of(&app, "mara").await;
        let change = |current: &'static str, password: &'static str, again: &'static str| {
            [
                ("current", current),
                ("password", password),
                ("again", again),
            ]
        };
        let new = "a new long password";
        for (fields, wrong) in [
            (
                change("wrong", new, new),
                "This is not the current password.",
            ),
            (
                change(PASSWORD, "short", "short"),
                "At least 10 characters.",
            ),
            (
                change(PASSWORD, new, "another"),
                "This is not the same as the new password.",
            ),
        ] {
            let answer = here.post("/account/password", &fields).await;
            assert_eq!(answer.location(), "/account");
            let page = here.text("/account").await;
            holds(&page, wrong);
            assert!(!page.contains(new) && !page.contains(PASSWORD), "{page}");
        }
        assert_eq!(elsewhere.open("/account").await.status, StatusCode::OK);

        let before = here.cookie.clone();
        let fields = change(PASSWORD, new, new);
        let answer = here.post("/account/password", &fields).await;
        assert_eq!(answer.location(), "/account", "{}", answer.text);
        assert_ne!(here.cookie, before, "a session of a new id");
        holds(&here.text("/account").await, "Your password is changed.");
        for cookie in [before, elsewhere.cookie.clone()] {
            let old = Browser { app: &app, cookie };
            assert_eq!(old.open("/account").await.status, StatusCode::UNAUTHORIZED);
        }
        assert!(app.exchange.sign_in("mara", new.to_owned()).await.is_ok());

        let mut nobody = Browser {
            app: &app,
            cookie: String::new(),
        };
        let answer = nobody.post("/account/password", &fields).await;
        assert_eq!(answer.location(), "/sign-in?next=%2Faccount");
        let unknown = [("current", new), ("person", "ada")];
        let answer = here.post("/account/password", &unknown).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn a_token_is_shown_in_one_answer_and_ended_alone() {
    for app in TestApp::each().await {
        app.domain("vehicle").await;
        app.team("rnd", "vehicle").await;
        app.person("mara", &[]).await;
        app.member("rnd", "mara", "consumer").await;
        let mut mara = Browser::of(&app, "mara").await;
        let before = app.changes().await;
        for (fields, wrong) in [
            ([("name", ""), ("days", "90")], "Say something here."),
            ([("name", "ci"), ("days", "400")], "From 1 to 365."),
            (
                [("name", "ci"), ("acts_as", "rnd:producer")],
                "This takes the role producer in rnd",
            ),
        ] {
            let answer = mara.post("/account/tokens", &fields).await;
            assert_eq!(answer.location(), "/account/tokens");
            let page = mara.text("/account/tokens").await;
            holds(&page, wrong);
            holds(&page, &format!("value=\"{}\"", fields[0].1));
        }
        assert_eq!(app.changes().await, before);

        let fields = [
            ("name", "nightly"),
            ("acts_as", "rnd:consumer"),
            ("days", "7"),
        ];
        let made = mara.post("/account/tokens", &fields).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
        assert_eq!(made.header("cache-control"), "no-store");
        assert!(made.header("content-security-policy").contains("'nonce-"));
        let (_, token) = made.text.split_once("entrepot_st_").unwrap();
        let token = format!("entrepot_st_{}", token.split('<').next().unwrap());
        assert_eq!(made.text.matches(token.as_str()).count(), 1, "shown once");
        holds(&made.text, "nightly");
        let me = app.get("/api/v1/me").token(&token).send().await;
        assert_eq!(me.status, StatusCode::OK, "{}", me.text);

        let page = mara.text("/account/tokens").await;
        assert!(!page.contains(&token), "never again");
        holds(&page, "Consumer of rnd");
        let (_, id) = page.split_once("id=\"revoke-").unwrap();
        let id = id.split('"').next().unwrap();
        let (of, at) = ("people/revoke_token", "/account/tokens");
        for written in ["", "weekly"] {
            let fields = [("token", id), ("confirm", written)];
            let page = mara.send(of, at, &fields).await;
            holds(&page, "Write nightly here to confirm.");
            let me = app.get("/api/v1/me").token(&token).send().await;
            assert_eq!(me.status, StatusCode::OK, "not without its name");
        }
        let fields = [("token", id), ("confirm", " nightly ")];
        let page = mara.send(of, at, &fields).await;
        holds(&page, "The token is revoked");
        holds(&page, "Revoked</span>");
        let refused = app.get("/api/v1/me").token(&token).send().await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);

        // A form that is sent twice makes one; refused, it may be sent again as it is.
        let form = |name: &'static str| [("name", name), ("once", "as it was drawn")];
        let refused = mara.post("/account/tokens", &form("")).await;
        assert_eq!(refused.location(), "/account/tokens");
        let made = mara.post("/account/tokens", &form("weekly")).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
        let before = app.changes().await;
        let again = mara.post("/account/tokens", &form("weekly")).await;
        assert_eq!(again.location(), "/account/tokens");
        holds(
            &mara.text("/account/tokens").await,
            "its token was made once",
        );
        assert_eq!(app.changes().await, before);

        let mut nobody = Browser {
            app: &app,
            cookie: String::new(),
        };
        let answer = nobody.post("/account/tokens", &[("name", "x")]).await;
        assert_eq!(answer.location(), "/sign-in?next=%2Faccount%2Ftokens");
    }
}
