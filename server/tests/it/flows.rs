//! A list of flows over REST, as somebody's spreadsheet wrote it: one with a mistake is refused whole, and the line is named.

use http::StatusCode;
use serde_json::json;

use crate::matrix::World;

const GOOD: &str = "table,kind,consumers,from,to\nvehicle-visits,FTP,1,,azure:westeurope\n";

#[tokio::test]
async fn of_a_list_with_a_mistake_nothing_is_stored_and_the_line_is_named() {
    let world = World::start().await;
    let app = &world.app;
    let token = app.token("producer").await;
    for (line, says) in [
        (
            "vehicle-visits,FTP,-3,,azure:westeurope",
            "line 3 of the flows: `-3` consumers cannot be",
        ),
        (
            "vehicle-visits,hourly,1,,azure:westeurope",
            "line 3 of the flows: `hourly` is no kind of flow",
        ),
        (
            "\"=HYPERLINK(1)\",FTP,1,,azure:westeurope",
            "line 3 of the flows: `=HYPERLINK(1)` is a formula",
        ),
        ("vehicle-visits,FTP,1,,mars", "line 3 of the flows: to: "),
        (
            "vehicle-visits,FTP,1",
            "line 3 of the flows: it has 3 cells",
        ),
        (
            "vehicle-nowhere,FTP,1,,azure:westeurope",
            "line 3: there is no such table `vehicle-nowhere`",
        ),
    ] {
        let list = json!({ "list": format!("{GOOD}{line}\n") });
        let refused = app.post("/api/v1/flows/import").token(&token).json(&list);
        let refused = refused.await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{line}");
        assert_eq!(refused.wrong_fields(), ["list"], "{line}");
        let said = refused.json()["errors"][0]["message"].clone();
        assert!(said.as_str().unwrap().starts_with(says), "{said}");
        let there = app.get("/api/v1/flows").token(&token).send().await;
        assert_eq!(there.json()["items"], json!([]), "{line}");
    }
    let list = json!({ "list": GOOD });
    let made = app.post("/api/v1/flows/import").token(&token).json(&list);
    assert_eq!(made.await.status, StatusCode::OK);
    let there = app.get("/api/v1/flows").token(&token).send().await;
    assert_eq!(there.json()["items"][0]["product"], "vehicle-visits");
}
