//! The same form in two windows: who comes second is refused and told field by field what was changed meanwhile. What was typed
//! stays, and sent again it is bound to what is there now. Forms are filled in as a browser does, from the page.

use http::StatusCode;

use crate::matrix::World;
use crate::matrix::samples::REPLICA;
use crate::support::Answer;

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

/// Somebody's browser.
struct Browser<'a> {
    world: &'a World,
    cookie: String,
}

/// A form as it stands on a page: where it is sent, and what.
#[derive(Clone, Debug)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(plain(value))
}

fn plain(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

impl Form {
    fn of(page: &str, id: &str) -> Self {
        let (_, rest) = page
            .split_once(&format!(" id=\"{id}\" method=\"post\""))
            .unwrap_or_else(|| panic!("no form {id} in {page}"));
        let (form, _) = rest.split_once("</form>").unwrap();
        let mut fields = Vec::new();
        let mut select = String::new();
        for part in form.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap_or((part, ""));
            let named = || attribute(tag, "name").unwrap_or_default();
            let value = || attribute(tag, "value").unwrap_or_default();
            match tag.split([' ', '/']).next().unwrap_or_default() {
                "input" => {
                    let is_box = tag.contains(" type=\"checkbox\"");
                    if !is_box || tag.contains(" checked") {
                        fields.push((named(), value()));
                    }
                }
                "select" => select = named(),
                "option" if tag.contains(" selected") => fields.push((select.clone(), value())),
                "textarea" => {
                    let text = text.strip_prefix('\n').unwrap_or(text);
                    fields.push((named(), plain(text)));
                }
                _ => {}
            }
        }
        Self {
            action: attribute(form, "action").unwrap(),
            fields,
        }
    }

    fn with(mut self, field: &str, value: &str) -> Self {
        let name = format!("form[{field}]");
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.to_owned()));
        self
    }

    fn value(&self, field: &str) -> Option<&str> {
        let name = format!("form[{field}]");
        let found = self.fields.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl<'a> Browser<'a> {
    async fn of(world: &'a World, name: &str) -> Self {
        let cookie = world.app.sign_in(name).await;
        Self { world, cookie }
    }

    /// The page's text without the marks that the renderer leaves between texts.
    async fn text(&self, path: &str) -> String {
        let ask = self.world.app.get(path).cookie(&self.cookie);
        let page = ask.header("accept", HTML).send().await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        page.text.replace("<!>", "")
    }

    async fn send(&self, form: &Form) -> Answer {
        let fields: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let ask = self.world.app.post(&form.action).own_origin();
        let ask = ask.cookie(&self.cookie).header("accept", HTML);
        let answer = ask.form(&fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        answer
    }

    /// Opens the form `id` twice; changes `field` to the one value here and to the other one there. Answers the page that the
    /// second is told on.
    async fn race(&self, path: &str, id: &str, field: &str, values: [&str; 2]) -> String {
        let shown = Form::of(&self.text(path).await, id);
        let [one, other] = values.map(|value| shown.clone().with(field, value));
        let done = self.send(&one).await;
        assert!(!done.location().contains('#'), "{}", done.location());
        let told = self.text(done.location()).await;
        assert!(!told.contains("Changed meanwhile:"), "{told}");

        let before = self.world.app.changes().await;
        let stale = self.send(&other).await;
        assert_eq!(stale.location(), format!("{path}#{id}"));
        assert_eq!(self.world.app.changes().await, before);
        let told = self.text(path).await;
        for part in ["was changed meanwhile", "Changed meanwhile:"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        // What was typed is there, and binds what is shown now.
        let again = Form::of(&told, id);
        assert_eq!(again.value(field), Some(values[1]));
        assert_ne!(again.value("revision"), shown.value("revision"));
        let done = self.send(&again).await;
        assert!(!done.location().contains('#'), "{}", done.location());
        let after = self.text(path).await;
        assert!(!after.contains("Changed meanwhile:"), "{after}");
        assert_eq!(Form::of(&after, id).value(field), Some(values[1]));
        told
    }
}

fn holds(page: &str, text: &str) {
    assert!(page.contains(text), "{text:?} is missing in {page}");
}

#[tokio::test]
async fn a_person_a_team_and_a_domain() {
    let world = World::start().await;
    let admin = Browser::of(&world, "admin").await;
    let values = ["Zoe Ward", "Zoe W."];
    let told = admin
        .race("/admin/people/zoe", "person", "title", values)
        .await;
    holds(
        &told,
        "Name for others to read was “ZOE” and is “Zoe Ward” now. You wrote “Zoe W.”.",
    );
    assert!(!told.contains("E-mail was"), "{told}");

    let values = ["4712", "4713"];
    let told = admin
        .race("/admin/teams/rnd", "team", "cost_center", values)
        .await;
    holds(
        &told,
        "Cost centre was “4711” and is “4712” now. You wrote “4713”.",
    );
    let values = ["All cars", "Cars"];
    let told = admin
        .race("/admin/domains/vehicle", "domain", "description", values)
        .await;
    holds(
        &told,
        "What it is about was empty and is “All cars” now. You wrote “Cars”.",
    );
}

#[tokio::test]
async fn roles_and_mail() {
    let world = World::start().await;
    let admin = Browser::of(&world, "admin").await;
    let path = "/admin/people/zoe";
    let shown = Form::of(&admin.text(path).await, "roles");
    let auditor = shown.clone().with("roles][auditor", "yes");
    admin.send(&auditor).await;
    let stale = admin
        .send(&shown.clone().with("roles][finance", "yes"))
        .await;
    assert_eq!(stale.location(), format!("{path}#roles"));
    let told = admin.text(path).await;
    holds(&told, "Auditor was not ticked and is ticked now.");
    assert!(!told.contains("Finance was"), "{told}");
    let again = Form::of(&told, "roles");
    assert_eq!(again.value("roles][finance"), Some("yes"));
    assert_eq!(again.value("roles][auditor"), None, "as it was sent");
    admin.send(&again).await;

    // A change of the name is not in the way of the roles.
    let page = admin.text(path).await;
    let (roles, person) = (Form::of(&page, "roles"), Form::of(&page, "person"));
    assert_eq!(roles.value("roles][finance"), Some("yes"));
    admin.send(&person.with("title", "Zoe Ward")).await;
    let done = admin.send(&roles.with("roles][auditor", "yes")).await;
    assert!(!done.location().contains('#'), "{}", done.location());
    let told = admin.text(path).await;
    assert!(!told.contains("Changed meanwhile:"), "{told}");
    let (roles, person) = (Form::of(&told, "roles"), Form::of(&told, "person"));
    assert_eq!(person.value("title"), Some("Zoe Ward"));
    for role in ["roles][finance", "roles][auditor"] {
        assert_eq!(roles.value(role), Some("yes"), "{role}");
    }
    // Nor one of the roles in the way of the name, nor the name in that of the address.
    admin.send(&roles.with("roles][auditor", "")).await;
    let other = person.clone().with("email", "zoe@other.example");
    for form in [person.with("title", "Zoe Wright"), other] {
        let done = admin.send(&form).await;
        assert!(!done.location().contains('#'), "{}", done.location());
    }
    let person = Form::of(&admin.text(path).await, "person");
    let both = (person.value("title"), person.value("email"));
    assert_eq!(both, (Some("Zoe Wright"), Some("zoe@other.example")));

    let zoe = Browser::of(&world, "zoe").await;
    let told = zoe
        .race(
            "/account/notifications",
            "notifications",
            "freshness",
            ["no", "yes"],
        )
        .await;
    holds(&told, "Late replicas was “Mail me” and is “No mail” now.");
}

#[tokio::test]
async fn a_storage() {
    let world = World::start().await;
    world
        .app
        .storage("spare", "azure", "westeurope", false)
        .await;
    let admin = Browser::of(&world, "admin").await;
    let path = "/admin/storages/spare";
    let values = ["northeurope", "swedencentral"];
    let told = admin.race(path, "storage", "region", values).await;
    holds(
        &told,
        "Region was “westeurope” and is “northeurope” now. You wrote “swedencentral”.",
    );

    // A box and a choice are told in their own words.
    let shown = Form::of(&admin.text(path).await, "storage");
    let ticked = shown.clone().with("replicas", "yes").with("cloud", "gcp");
    admin.send(&ticked).await;
    let stale = admin.send(&shown).await;
    assert_eq!(stale.location(), format!("{path}#storage"));
    let told = admin.text(path).await;
    holds(
        &told,
        "Replicas may be made here was not ticked and is ticked now.",
    );
    holds(&told, "Cloud was “Azure” and is “Google Cloud” now.");
    assert!(!told.contains("Region was"), "{told}");
}

#[tokio::test]
async fn a_schedule() {
    let world = World::start().await;
    world.replicated().await;
    let producer = Browser::of(&world, "producer").await;
    let path = format!("/replicas/{REPLICA}");
    let values = ["300", "301"];
    let told = producer
        .race(&path, "sync-job", "retention_hours", values)
        .await;
    holds(&told, "Keep what the source removed was “");
    holds(&told, "” and is “300” now. You wrote “301”.");

    let shown = Form::of(&producer.text(&path).await, "sync-job");
    producer.send(&shown.clone().with("paused", "yes")).await;
    producer.send(&shown).await;
    let told = producer.text(&path).await;
    holds(
        &told,
        "Whether it runs was “It runs” and is “It is paused” now.",
    );
    // What one wrote and what is wrong with it come back together with what has changed.
    let wrong = Form::of(&told, "sync-job").with("revision", "1");
    let wrong = wrong.with("retention_hours", "0");
    producer.send(&wrong).await;
    let told = producer.text(&path).await;
    holds(&told, "id=\"sync-job-retention_hours-error\"");
    holds(&told, "Changed meanwhile:");

    // One button goes on with it and leaves the rest as it is; in a tab of before, it does nothing any more.
    let resume = Form::of(&producer.text(&path).await, "sync-pause");
    assert_eq!(resume.value("paused"), Some("no"));
    let done = producer.send(&resume).await;
    let told = producer.text(done.location()).await;
    holds(&told, "The schedule goes on.");
    let shown = Form::of(&told, "sync-job");
    assert_eq!(shown.value("retention_hours"), Some("301"));
    let pause = Form::of(&told, "sync-pause");
    let done = producer.send(&pause).await;
    let told = producer.text(done.location()).await;
    holds(&told, "The schedule is paused.");
    holds(&told, "Paused. Resumed, it runs every ");
    let stale = producer.send(&pause).await;
    let back = stale.location().split('#').next().unwrap();
    let told = producer.text(back).await;
    holds(&told, "changed meanwhile");
    holds(&told, "Resume the schedule");

    // A promise takes the place of what went by the clock, and checks come by themselves.
    let shown = Form::of(&producer.text(&path).await, "sync-job");
    let promised = shown.with("fresh_within", "6h").with("paused", "no");
    let done = producer
        .send(&promised.with("verify_rows", "0 4 * * 0"))
        .await;
    let told = producer.text(done.location()).await;
    holds(&told, "Within 6h of the source’s commit");
    holds(&told, "Its source is looked at next ");
    holds(&told, "Every row is checked by cron 0 4 * * 0 ");
    let never = Form::of(&told, "sync-job").with("verify_rows", "0 4 31 2 *");
    let refused = producer.send(&never.with("fresh_within", "0h")).await;
    // On the page where it was sent.
    let (page, form) = refused.location().split_once('#').unwrap();
    assert_eq!(form, "sync-job");
    let told = producer.text(page).await;
    holds(&told, "id=\"sync-job-fresh_within-error\"");
    holds(&told, "id=\"sync-job-verify_rows-error\"");
}

/// Who signs in again in the middle of a form finds what was typed, and what was changed meanwhile.
#[tokio::test]
async fn after_signing_in_again() {
    let world = World::start().await;
    let mut admin = Browser::of(&world, "admin").await;
    let path = "/admin/people/zoe";
    let shown = Form::of(&admin.text(path).await, "person");
    admin.send(&shown.clone().with("title", "Zoe Ward")).await;

    let stranger = Browser {
        world: &world,
        cookie: String::new(),
    };
    let lost = stranger.send(&shown.with("title", "Mine")).await;
    assert!(
        lost.location().starts_with("/sign-in?next="),
        "{}",
        lost.location()
    );
    let kept = lost.cookie().expect("a session that keeps what was typed");
    let fields = [("name", "admin"), ("password", crate::support::PASSWORD)];
    let ask = world.app.post("/sign-in").own_origin().cookie(&kept);
    let signed_in = ask.form(&fields).await;
    admin.cookie = signed_in.cookie().expect("a session");
    let told = admin.text(path).await;
    holds(&told, "You were signed out meanwhile.");
    holds(&told, "was “ZOE” and is “Zoe Ward” now. You wrote “Mine”.");
}
