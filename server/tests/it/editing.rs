//! Changing a product in the portal: its fields, a second person at the same time, publishing and retiring by its name.

use exchange::Principal;
use http::StatusCode;

use crate::matrix::World;
use crate::support::Answer;

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
const EDIT: &str = "/products/vehicle-visits/edit";

async fn page(world: &World, cookie: &str, path: &str) -> Answer {
    let mut answer = world
        .app
        .get(path)
        .cookie(cookie)
        .header("accept", HTML)
        .send()
        .await;
    answer.text = answer.text.replace("<!>", "");
    answer
}

async fn send(world: &World, cookie: &str, function: &str, fields: &[(&str, &str)]) -> Answer {
    world
        .app
        .post(&format!("/_fn/app/api/catalog/{function}"))
        .own_origin()
        .cookie(cookie)
        .header("accept", HTML)
        .form(fields)
        .await
}

fn edit<'a>(revision: &'a str, title: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("at", EDIT),
        ("id", "product-edit"),
        ("form[product]", "vehicle-visits"),
        ("form[revision]", revision),
        ("form[title]", title),
        ("form[description]", "One\r\n\r\nTwo"),
        ("form[tags]", "repair, , workshop"),
        ("form[classification]", "internal"),
        ("form[access_policy]", "owner"),
        ("form[payer]", "producer"),
        ("form[baseline_days]", "14"),
        ("seen[title]", "Workshop visits"),
        ("seen[description]", ""),
        ("seen[tags]", ""),
        ("seen[classification]", "internal"),
        ("seen[access_policy]", "owner"),
        ("seen[payer]", "producer"),
        ("seen[baseline_days]", "7"),
    ]
}

/// What the page says, without its elements.
fn words(page: &Answer) -> String {
    let parts = page.text.split('<');
    parts
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
        .collect()
}

/// The revision that the form on the page binds.
fn revision(page: &Answer) -> String {
    let (_, rest) = page
        .text
        .split_once("name=\"form[revision]\" value=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_product_is_changed_and_who_comes_second_is_told_what_changed() {
    let world = World::start().await;
    let producer = world.app.sign_in("producer").await;
    let shown = page(&world, &producer, EDIT).await;
    assert_eq!(shown.status, StatusCode::OK);
    let first = revision(&shown);

    let done = send(&world, &producer, "update_product", &edit(&first, "Visits")).await;
    assert_eq!(
        (done.status, done.location()),
        (StatusCode::SEE_OTHER, "/products/vehicle-visits")
    );
    let product = page(&world, &producer, "/products/vehicle-visits").await;
    for part in [
        "The product is changed.",
        "<h1>Visits</h1>",
        "repair",
        "Two",
    ] {
        assert!(product.text.contains(part), "{part} in {}", product.text);
    }

    // The same page in another window, sent later.
    let before = world.app.changes().await;
    let hostile = "Mine</textarea><script>alert(1)</script>";
    let stale = send(&world, &producer, "update_product", &edit(&first, hostile)).await;
    assert_eq!(
        (stale.status, stale.location()),
        (
            StatusCode::SEE_OTHER,
            format!("{EDIT}#product-edit").as_str()
        )
    );
    assert_eq!(world.app.changes().await, before);
    let told = page(&world, &producer, EDIT).await;
    for part in [
        "The product was changed meanwhile",
        "Changed meanwhile:",
        "Title was “Workshop visits” and is “Visits” now. You wrote “Mine",
        "Tags was empty and is “repair, workshop” now.",
        "Baseline was “7” and is “14” now.",
    ] {
        assert!(words(&told).contains(part), "{part} in {}", told.text);
    }
    assert!(!told.text.contains("<script>alert"), "{}", told.text);
    assert!(
        !words(&told).contains("Who pays for what crosses a border was"),
        "{}",
        told.text
    );
    // What was typed is there, and binds what is shown now.
    assert!(told.text.contains("value=\"Mine"), "{}", told.text);
    let second = revision(&told);
    assert_ne!(second, first);
    let done = send(&world, &producer, "update_product", &edit(&second, "Mine")).await;
    assert_eq!(done.location(), "/products/vehicle-visits");
    // What is emptied is empty, and not as it was.
    let now = revision(&page(&world, &producer, EDIT).await);
    let mut emptied = edit(&now, "Mine");
    for (name, value) in &mut emptied {
        if ["form[description]", "form[tags]"].contains(name) {
            *value = "";
        }
    }
    let done = send(&world, &producer, "update_product", &emptied).await;
    assert_eq!(done.location(), "/products/vehicle-visits");
    let operator = Principal::operator();
    let product = world.app.exchange.product(&operator, "vehicle-visits");
    let product = product.await.unwrap();
    assert_eq!((product.description.as_str(), product.tags.len()), ("", 0));
    let once = page(&world, &producer, EDIT).await;
    assert!(!once.text.contains("Changed meanwhile:"), "{}", once.text);

    // A field that is wrong names itself, and is no change of somebody else's.
    let now = revision(&once);
    let wrong = edit(&now, "");
    let wrong = send(&world, &producer, "update_product", &wrong).await;
    assert_eq!(wrong.location(), format!("{EDIT}#product-edit"));
    let told = page(&world, &producer, EDIT).await;
    assert!(
        told.text.contains("id=\"product-edit-title-error\""),
        "{}",
        told.text
    );
    assert!(!told.text.contains("Changed meanwhile:"), "{}", told.text);
}

#[tokio::test]
async fn only_producers_of_the_team_are_offered_to_change_it() {
    let world = World::start().await;
    let producer = world.app.sign_in("producer").await;
    let consumer = world.app.sign_in("consumer").await;
    let link = format!("href=\"{EDIT}\"");
    let mine = page(&world, &producer, "/products/vehicle-visits").await;
    assert!(mine.text.contains(&link), "{}", mine.text);
    let theirs = page(&world, &consumer, "/products/vehicle-visits").await;
    assert!(!theirs.text.contains(&link), "{}", theirs.text);
    let told = page(&world, &consumer, EDIT).await;
    assert!(
        told.text.contains("Producers of the owning team"),
        "{}",
        told.text
    );
    assert!(!told.text.contains("product-edit"), "{}", told.text);
    let nobody = page(&world, "", EDIT).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert!(nobody.text.contains("/sign-in?next="), "{}", nobody.text);
}

#[tokio::test]
async fn publishing_and_retiring_take_the_name_and_stand_in_the_history() {
    let world = World::start().await;
    world.app.draft("vehicle-draft", "aftersales").await;
    let producer = world.app.sign_in("producer").await;
    let at = "/products/vehicle-draft/edit";
    let shown = page(&world, &producer, at).await;
    assert!(
        shown.text.contains("Write vehicle-draft to confirm"),
        "{}",
        shown.text
    );
    let revision = revision(&shown);
    let publish = |confirm: &'static str| {
        [
            ("at", at),
            ("id", "product-publish"),
            ("form[product]", "vehicle-draft"),
            ("form[confirm]", confirm),
        ]
    };
    let before = world.app.changes().await;
    let missed = send(&world, &producer, "publish_product", &publish("vehicle")).await;
    assert_eq!(missed.location(), format!("{at}#product-publish"));
    assert_eq!(world.app.changes().await, before);
    let told = page(&world, &producer, at).await;
    assert!(
        told.text.contains("Write vehicle-draft here to confirm"),
        "{}",
        told.text
    );
    let mut stale = publish("vehicle-draft").to_vec();
    stale.push(("form[revision]", "99"));
    let stale = send(&world, &producer, "publish_product", &stale).await;
    assert_eq!(stale.location(), at);
    let told = page(&world, &producer, at).await;
    assert!(
        told.text.contains("The product was changed meanwhile"),
        "{}",
        told.text
    );
    let mut good = publish("vehicle-draft").to_vec();
    good.push(("form[revision]", &revision));
    let done = send(&world, &producer, "publish_product", &good).await;
    assert_eq!(done.location(), "/products/vehicle-draft");

    let retire = |confirm: &'static str| {
        [
            ("at", at),
            ("id", "product-retire"),
            ("form[product]", "vehicle-draft"),
            ("form[reason]", "Replaced by the lab’s own."),
            ("form[confirm]", confirm),
        ]
    };
    let missed = send(&world, &producer, "retire_product", &retire("")).await;
    assert_eq!(missed.location(), format!("{at}#product-retire"));
    let told = page(&world, &producer, at).await;
    assert!(told.text.contains("Replaced by the lab"), "{}", told.text);
    let done = send(
        &world,
        &producer,
        "retire_product",
        &retire("vehicle-draft"),
    )
    .await;
    assert_eq!(done.location(), "/products/vehicle-draft");
    let over = page(&world, &producer, at).await;
    assert!(
        over.text.contains("A retired product stays as it is."),
        "{}",
        over.text
    );

    let auditor = world.app.sign_in("auditor").await;
    let history = "/products/vehicle-draft?tab=history";
    let history = page(&world, &auditor, history).await.text;
    let log = "/admin/audit?about=product%3Avehicle-draft";
    for part in ["Published", "Retired", "Replaced by the lab", log] {
        assert!(history.contains(part), "{part} in {history}");
    }
    let log = page(&world, &auditor, log).await.text;
    for part in ["ProductPublish", "ProductRetire"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("DomainCreate"), "{log}");
    // Who sees the product sees what happened, and not why: that was told to who waited.
    let consumer = world.app.sign_in("consumer").await;
    let history = "/products/vehicle-draft?tab=history";
    let history = page(&world, &consumer, history).await.text;
    assert!(history.contains("Published") && history.contains("Retired"));
    for part in ["Replaced by the lab", "/admin/audit"] {
        assert!(!history.contains(part), "{part} in {history}");
    }
}
