//! The pages of administration, from an empty world on, as a browser without JavaScript uses them.

mod account;

use exchange::Principal;
use exchange::page::PageRequest;
use http::StatusCode;

use crate::support::{Answer, PASSWORD, TestApp};

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

/// Somebody's browser.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn of(app: &'a TestApp, name: &str) -> Self {
        let cookie = app.sign_in(name).await;
        Self { app, cookie }
    }

    async fn open(&self, path: &str) -> Answer {
        let ask = self.app.get(path).cookie(&self.cookie);
        ask.header("accept", HTML).send().await
    }

    /// The page's text without the marks that the renderer leaves between texts.
    async fn text(&self, path: &str) -> String {
        let page = self.open(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        page.text.replace("<!>", "")
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let ask = self.app.post(path).own_origin().cookie(&self.cookie);
        let answer = ask.header("accept", HTML).form(fields).await;
        if let Some(cookie) = answer.cookie() {
            self.cookie = cookie;
        }
        answer
    }

    /// Sends a form from a page, and answers the page that it leads to.
    /// Follows to where the form leads.
    async fn send(&mut self, function: &str, at: &str, fields: &[(&str, &str)]) -> String {
        self.send_and(function, at, false, fields).await
    }

    /// `stay`: whether it leads back to where it was sent from.
    async fn send_and(
        &mut self,
        function: &str,
        at: &str,
        stay: bool,
        fields: &[(&str, &str)],
    ) -> String {
        let fields: Vec<(String, &str)> = fields
            .iter()
            .map(|(name, value)| (format!("form[{}]", name.replace('.', "][")), *value))
            .collect();
        let mut sent = vec![("at", at), ("id", "sent")];
        sent.extend(stay.then_some(("stay", "yes")));
        sent.extend(fields.iter().map(|(name, value)| (name.as_str(), *value)));
        let answer = self.post(&format!("/_fn/app/api/{function}"), &sent).await;
        assert_eq!(
            answer.status,
            StatusCode::SEE_OTHER,
            "{function}: {}",
            answer.text
        );
        let to = answer.location().split('#').next().unwrap().to_owned();
        self.text(&to).await
    }
}

fn holds(page: &str, text: &str) {
    assert!(page.contains(text), "{text:?} is missing in {page}");
}

#[tokio::test]
async fn an_admin_makes_a_world_out_of_nothing() {
    for app in TestApp::each().await {
        app.person("ada", &["admin"]).await;
        let mut ada = Browser::of(&app, "ada").await;
        holds(&ada.text("/").await, "href=\"/admin/people\"");
        for (path, empty) in [
            ("/admin/domains", "No domain yet"),
            ("/admin/teams", "No team yet"),
            ("/admin/storages", "No storage yet"),
            ("/admin/recipients", "No recipient yet"),
            ("/account", "You belong to no team yet"),
            ("/account/tokens", "No token yet"),
        ] {
            holds(&ada.text(path).await, empty);
        }
        holds(&ada.text("/admin/teams").await, "Make a domain");

        let at = "/admin/domains";
        let fields = [("name", "vehicle"), ("title", "Vehicle <data>")];
        let page = ada.send("organisation/create_domain", at, &fields).await;
        holds(&page, "The domain vehicle is made.");
        holds(&page, "Vehicle &lt;data&gt;");
        let fields = [
            ("domain", "vehicle"),
            ("revision", "1"),
            ("title", "Vehicle data"),
            ("description", "What cars say"),
        ];
        let page = ada.send("organisation/update_domain", at, &fields).await;
        holds(&page, "The domain vehicle is changed.");
        holds(&page, "What cars say");
        let stale = ada.send("organisation/update_domain", at, &fields).await;
        holds(&stale, "The domain was changed meanwhile");

        let fields = [
            ("name", "aftersales"),
            ("domain", "vehicle"),
            ("title", "After-Sales"),
            ("cost_center", "4711"),
            ("contact", "help@example.org"),
        ];
        let page = ada
            .send("organisation/create_team", "/admin/teams", &fields)
            .await;
        holds(&page, "The team aftersales is made.");
        holds(&page, "Nobody belongs to it yet");

        let fields = [
            ("name", "jonas"),
            ("title", "Jonas Weber"),
            ("email", "jonas@example.org"),
            ("password", PASSWORD),
            ("roles.finance", "yes"),
        ];
        let page = ada
            .send("people/create_person", "/admin/people", &fields)
            .await;
        holds(&page, "The account jonas is made.");
        holds(&page, "<dd>Finance</dd>");

        let team = "/admin/teams/aftersales";
        let member = |person: &'static str, role: &'static str| {
            [("team", "aftersales"), ("person", person), ("role", role)]
        };
        let page = ada
            .send(
                "organisation/set_member",
                team,
                &member("nobody", "producer"),
            )
            .await;
        holds(&page, "Person: Nobody signs in with that name");
        let page = ada
            .send(
                "organisation/set_member",
                team,
                &member("jonas", "producer"),
            )
            .await;
        holds(&page, "jonas is a producer of aftersales.");
        holds(&page, "Make jonas a consumer");

        let url = app.lake_url("az_weu");
        let fields = [
            ("name", "az_weu"),
            ("cloud", "azure"),
            ("region", "westeurope"),
            ("url", url.as_str()),
            ("replicas", "yes"),
        ];
        let page = ada
            .send("storages/create_storage", "/admin/storages", &fields)
            .await;
        holds(&page, "The storage az_weu is made.");
        holds(&page, "Simulated");
        let storage = "/admin/storages/az_weu";
        let fields = [("storage", "az_weu"), ("write", "yes")];
        let page = ada.send("storages/examine_storage", storage, &fields).await;
        holds(&page, "The doctor has looked at az_weu.");
        for seen in [
            "See what is there",
            "An object can be written.",
            "Refuse a second writer",
            "The least policy that would do",
            "Least policy",
        ] {
            holds(&page, seen);
        }
        let again = ada.text(storage).await;
        assert!(!again.contains("What the doctor found"), "shown once");

        let fields = [
            ("storage", "az_weu"),
            ("revision", "1"),
            ("region", "northeurope"),
        ];
        let page = ada.send("storages/update_storage", storage, &fields).await;
        holds(&page, "The storage az_weu is changed.");
        holds(&page, "Azure northeurope");
        let shown = app.exchange.storage(&Principal::operator(), "az_weu").await;
        assert!(!shown.unwrap().replicas, "a box that is not ticked");
    }
}

#[tokio::test]
async fn an_account_is_changed_ended_and_begun_again() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    app.person("mara", &[]).await;
    app.person("noor", &["auditor"]).await;
    let mut ada = Browser::of(&app, "ada").await;
    let mara = Browser::of(&app, "mara").await;
    let at = "/admin/people/mara";

    let fields = [
        ("person", "mara"),
        ("revision", "1"),
        ("title", "Mara Lindqvist"),
        ("email", "nonsense"),
    ];
    let page = ada.send("people/update_person", at, &fields).await;
    holds(&page, "Email: Not an e-mail address.");
    let fields = [("person", "mara"), ("title", "Mara Lindqvist")];
    let page = ada.send("people/update_person", at, &fields).await;
    holds(&page, "<h1>Mara Lindqvist</h1>");

    let fields = [("person", "mara"), ("roles.auditor", "yes")];
    let page = ada.send("people/set_roles", at, &fields).await;
    holds(&page, "The roles of mara are set");
    holds(&mara.text("/admin/people").await, "Mara Lindqvist");
    let page = ada
        .send("people/set_roles", at, &[("person", "mara")])
        .await;
    holds(&page, "<dd>none</dd>");
    let refused = mara.text("/admin/people").await;
    holds(
        &refused,
        "This takes an admin or an auditor; ask one of them.",
    );

    let fields = [("person", "mara"), ("active", "no")];
    let page = ada.send("people/update_person", at, &fields).await;
    holds(&page, "mara is deactivated and signed out everywhere.");
    holds(&page, "Activate mara again");
    let out = mara.open("/account").await;
    assert_eq!(out.status, StatusCode::UNAUTHORIZED);
    let fields = [("person", "mara"), ("active", "yes")];
    let page = ada.send("people/update_person", at, &fields).await;
    holds(&page, "mara is active and can sign in again.");

    let fields = [("person", "mara"), ("password", "short")];
    let page = ada.send("people/set_password", at, &fields).await;
    holds(&page, "Password: At least 10 characters.");
    assert!(!page.contains("short\""), "{page}");
    let fields = [("person", "mara"), ("password", "another long one")];
    let page = ada.send("people/set_password", at, &fields).await;
    holds(&page, "mara has a new password");
    let signed_in = app.exchange.sign_in("mara", "another long one".to_owned());
    assert!(signed_in.await.is_ok());

    // Nobody locks themselves out, and whoever may only look is offered nothing.
    let own = ada.text("/admin/people/ada").await;
    assert!(!own.contains("Deactivate"), "{own}");
    let fields = [("person", "ada"), ("active", "no")];
    let page = ada
        .send("people/update_person", "/admin/people/ada", &fields)
        .await;
    holds(&page, "One cannot disable oneself");
    let page = ada
        .send(
            "people/set_roles",
            "/admin/people/ada",
            &[("person", "ada")],
        )
        .await;
    holds(&page, "One cannot take the admin role from oneself");
    let noor = Browser::of(&app, "noor").await;
    for path in [
        "/admin/people",
        "/admin/people/mara",
        "/admin/domains",
        "/admin/teams",
        "/admin/storages",
    ] {
        let page = noor.text(path).await;
        assert!(!page.contains("/_fn/"), "{path}: {page}");
    }
    assert_eq!(
        ada.open("/admin/people/nowhere").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_team_is_staffed_by_its_producer() {
    let app = TestApp::start().await;
    app.domain("vehicle").await;
    for team in ["aftersales", "rnd"] {
        app.team(team, "vehicle").await;
    }
    for name in ["jonas", "mara"] {
        app.person(name, &[]).await;
    }
    app.member("aftersales", "jonas", "producer").await;
    let mut jonas = Browser::of(&app, "jonas").await;
    holds(
        &jonas.text("/account").await,
        "href=\"/admin/teams/aftersales\"",
    );
    let at = "/admin/teams/aftersales";
    let own = jonas.text(at).await;
    holds(&own, "Add a member");
    assert!(
        !own.contains("Change the team"),
        "the cost centre is an admin's"
    );
    let other = jonas.text("/admin/teams/rnd").await;
    assert!(!other.contains("/_fn/"), "{other}");

    let fields = [
        ("team", "aftersales"),
        ("person", "mara"),
        ("role", "consumer"),
    ];
    let page = jonas.send("organisation/set_member", at, &fields).await;
    holds(&page, "mara is a consumer of aftersales.");
    let fields = [("team", "aftersales"), ("person", "mara")];
    let page = jonas.send("organisation/remove_member", at, &fields).await;
    holds(&page, "mara belongs to aftersales no more.");
    let fields = [("team", "rnd"), ("person", "jonas"), ("role", "producer")];
    let page = jonas.send("organisation/set_member", at, &fields).await;
    holds(
        &page,
        "This takes a producer of the owning team or an admin",
    );
}

#[tokio::test]
async fn what_was_typed_is_kept_and_no_secret_is() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let mut ada = Browser::of(&app, "ada").await;
    let fields = [
        ("at", "/admin/storages"),
        ("id", "storage-new"),
        ("form[name]", "s3_eu"),
        ("form[cloud]", "aws"),
        ("form[region]", "Frankfurt am Main"),
        ("form[url]", "s3://lake/\"><script>x"),
        ("form[replicas]", "yes"),
        ("form[credential][access_key_id]", "AKIATYPED"),
        ("form[credential][secret_access_key]", "hunter2hunter2"),
    ];
    let answer = ada
        .post("/_fn/app/api/storages/create_storage", &fields)
        .await;
    assert_eq!(answer.location(), "/admin/storages#storage-new");
    let page = ada.text("/admin/storages").await;
    holds(&page, "value=\"s3_eu\"");
    holds(&page, "value=\"Frankfurt am Main\"");
    holds(&page, "id=\"storage-new-region-error\"");
    assert!(!page.contains("<script>x"), "{page}");
    for secret in ["AKIATYPED", "hunter2"] {
        assert!(!page.contains(secret), "{secret} comes back");
    }
    // The box that was ticked is ticked.
    let (_, tick) = page.split_once("id=\"storage-new-replicas\"").unwrap();
    holds(tick.split('>').next().unwrap(), "checked");

    // Two kinds of credential are one too many, which stands at them.
    let fields = [
        ("at", "/admin/storages"),
        ("id", "storage-new"),
        ("form[name]", "s3_eu"),
        ("form[cloud]", "aws"),
        ("form[region]", "eu-central-1"),
        ("form[url]", "s3://lake/x"),
        ("form[credential][secret_access_key]", "hunter2hunter2"),
        ("form[credential][variable]", "ENTREPOT_CREDENTIAL_X"),
    ];
    ada.post("/_fn/app/api/storages/create_storage", &fields)
        .await;
    let page = ada.text("/admin/storages").await;
    holds(&page, "id=\"storage-new-credential-error\"");
    holds(&page, "Fill in one kind only");
    let page = PageRequest::default();
    let none = app.exchange.storages(&Principal::operator(), &page).await;
    assert!(none.unwrap().items.is_empty());
}

#[tokio::test]
async fn recipients_are_told_with_grants_and_credentials() {
    let mut world = crate::matrix::World::start().await;
    let grant = world.granted().await;
    let operator = Principal::operator();
    let grant = world.app.exchange.grant(&operator, grant.parse().unwrap());
    let name = grant.await.unwrap().recipient.to_string();
    let consumer = world.principal("consumer").await;
    let profile = model::dto::ProfileNew::default();
    world
        .app
        .exchange
        .profile_create(&consumer, &name, profile)
        .await
        .unwrap();
    world.recipient("rnd_idle", "northeurope").await;

    let app = &world.app;
    for (who, sees, may_revoke) in [
        ("admin", true, true),
        ("consumer", true, true),
        ("auditor", true, false),
        ("loner", false, false),
    ] {
        let browser = Browser::of(app, who).await;
        let page = browser.text("/admin/recipients").await;
        assert_eq!(page.contains(&name), sees, "{who}: {page}");
        let revoke = format!("Revoke the credential of {name}");
        assert_eq!(page.contains(&revoke), may_revoke, "{who}: {page}");
        if sees {
            for text in ["vehicle-visits", "Lives", "Not downloaded yet", "Nothing"] {
                holds(&page, text);
            }
        }
    }
    let found = app.exchange.recipient(&operator, &name).await.unwrap();
    let token = found.tokens[0].id.to_string();
    let mut admin = Browser::of(app, "admin").await;
    for (written, says) in [
        ("", format!("Write {name} here to confirm.")),
        (name.as_str(), "Revoked</span>".to_owned()),
    ] {
        let fields = [
            ("recipient", name.as_str()),
            ("token", token.as_str()),
            ("confirm", written),
        ];
        let (of, at) = ("access/revoke_recipient_token", "/admin/recipients");
        holds(&admin.send_and(of, at, true, &fields).await, &says);
    }

    // Their own page has those of their own teams alone, and does not end where it is cut.
    let page = admin.text("/access").await;
    assert!(!page.contains("rnd_idle"), "{page}");
    for number in 0..25 {
        let name = format!("rnd_more_{number:02}");
        world.recipient(&name, "northeurope").await;
    }
    let consumer = Browser::of(app, "consumer").await;
    let page = consumer.text("/access").await;
    holds(&page, "rnd_idle");
    let (_, next) = page.split_once("href=\"/access?machines=").unwrap();
    let next = next.split('"').next().unwrap();
    let rest = consumer.text(&format!("/access?machines={next}")).await;
    holds(&rest, "rnd_more_24");
    holds(&rest, "First page");
    assert!(!page.contains("rnd_more_24") && !rest.contains("rnd_idle"));
}
