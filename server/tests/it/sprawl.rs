//! A table that somebody copied, bucket to bucket: who registers the copy is told on the page and over REST, whoever may not change it
//! is not, and who asks for one while their team has the other is told so.

use std::path::Path;

use exchange::Principal;
use http::StatusCode;
use model::dto::{ProductNew, ProductPublish, TableNew};

use crate::matrix::World;
use crate::support::TestApp;

const THERE: &str = "The same is there already under another name.";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let there = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &there),
            false => {
                std::fs::copy(&path, &there).unwrap();
            }
        }
    }
}

async fn page(app: &TestApp, who: &str, path: &str) -> String {
    let cookie = app.sign_in(who).await;
    let answer = app
        .get(path)
        .cookie(&cookie)
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{path}");
    answer.text.replace("<!>", "")
}

#[tokio::test]
async fn who_registers_or_asks_for_a_copy_is_told() {
    let world = World::start().await;
    let (app, operator) = (&world.app, Principal::operator());
    let lake = app.folder.path().join("lakes/aws_eu");
    copy(&lake.join("vehicle-visits"), &lake.join("copies/visits"));
    let new = ProductNew {
        name: "vehicle-copy".to_owned(),
        team: "sales".to_owned(),
        title: "Visits, copied".to_owned(),
        description: String::new(),
        tags: Vec::new(),
        storage: "aws_eu".to_owned(),
        classification: "internal".to_owned(),
        access_policy: "owner".to_owned(),
        payer: "producer".to_owned(),
        baseline_days: 7,
        tables: vec![TableNew {
            name: "copied".to_owned(),
            schema: "default".to_owned(),
            path: "copies/visits".to_owned(),
            storage: None,
            format: "delta".to_owned(),
            history: false,
            change_data_feed: false,
            history_start: None,
        }],
    };
    let made = app.exchange.product_register(&operator, new).await.unwrap();
    assert!(made.alike[0].is_copy, "{:?}", made.alike);
    let publish = ProductPublish::default();
    let published = app
        .exchange
        .product_publish(&operator, "vehicle-copy", publish);
    published.await.unwrap();

    let told = page(app, "other-producer", "/products/vehicle-copy").await;
    assert!(told.contains(THERE), "{told}");
    assert!(told.contains("href=\"/products/vehicle-visits\""), "{told}");
    let other = page(app, "consumer", "/products/vehicle-copy").await;
    assert!(!other.contains(THERE), "{other}");
    let token = app.token("other-producer").await;
    let answer = app.get("/api/v1/products/vehicle-copy").token(&token);
    let answer = answer.send().await.json();
    assert_eq!(answer["alike"][0]["product"], "vehicle-visits");
    assert_eq!(answer["alike"][0]["table"], "default.copied");

    // Where tables are ticked, and in the plan, before anything is registered.
    copy(&lake.join("vehicle-visits"), &lake.join("more/visits"));
    let wizard = "/register?step=tables&storage=aws_eu&prefix=more&team=sales";
    let ticking = page(app, "other-producer", wizard).await;
    let told = "The same is there already under another name: ";
    assert!(ticking.contains(told), "{ticking}");
    let yaml = "products:\n  vehicle-more: { title: More, team: sales, storage: aws_eu, classification: internal, tables: [{ name: more, path: more/visits }] }\n";
    let plan = app
        .exchange
        .declaration_plan(&operator, yaml)
        .await
        .unwrap();
    let more = plan
        .changes
        .iter()
        .find(|change| change.name == "vehicle-more");
    let note = more.unwrap().note.as_deref().unwrap_or_default();
    assert!(note.contains("of vehicle-visits"), "{note}");

    world.recipient("rnd_one", "westeurope").await;
    world.recipient("rnd_two", "westeurope").await;
    let path = "/products/vehicle-copy/request?recipient=rnd_two";
    let said = "Your team has access to vehicle-visits";
    let asking = page(app, "consumer", path).await;
    assert!(!asking.contains(said), "{asking}");
    // Also before anybody of their side reads it: another product has it.
    assert!(asking.contains("vehicle-visits ("), "{asking}");
    assert!(
        asking.contains("has the same table, or a copy of it,"),
        "{asking}"
    );
    let token = app.token("consumer").await;
    let path_of_offer = "/api/v1/products/vehicle-copy/offer?recipient=rnd_two";
    let offer = app.get(path_of_offer).token(&token).send().await.json();
    assert_eq!(offer["already"][0]["product"], "vehicle-visits", "{offer}");
    let request = world.ask("vehicle-visits", "rnd_one", "live").await;
    world.approve(&request).await;
    let asking = page(app, "consumer", path).await;
    assert!(asking.contains(said), "{asking}");
}
