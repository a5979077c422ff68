//! What the portal draws and hands out of figures: flows, savings, freshness, the parts of a statement's line, files.

use exchange::Principal;
use exchange::billing::MeterEventNew;
use http::StatusCode;
use model::{Clock as _, Method, Purpose, Timestamp};

use crate::matrix::World;
use crate::support::Answer;

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

impl World {
    async fn page(&self, cookie: &str, path: &str) -> Answer {
        let mut answer = self
            .app
            .get(path)
            .cookie(cookie)
            .header("accept", HTML)
            .send()
            .await;
        // Without the marks that the renderer leaves between texts.
        answer.text = answer.text.replace("<!>", "");
        answer
    }

    /// Two gigabytes from Frankfurt to Amsterdam in June, and one in May; both charged.
    async fn moved(&self) {
        let (operator, system) = (Principal::operator(), Principal::system());
        self.month_to_bill().await;
        let exchange = self.exchange();
        let product = exchange.product(&operator, "vehicle-visits").await;
        let event = MeterEventNew {
            key: "june".to_owned(),
            product: Some(product.unwrap().id),
            table: None,
            grant: None,
            recipient: None,
            run: None,
            query: None,
            from: "aws:eu-central-1".parse().unwrap(),
            to: "azure:westeurope".parse().unwrap(),
            bytes: 2_000_000_000,
            busy: 0,
            method: Method::Measured,
            purpose: Purpose::Sync,
        };
        let today = self.app.clock.now();
        self.app.clock.set(Timestamp::parse("2026-06-10").unwrap());
        exchange.meter_record(&system, &event).await.unwrap();
        self.app.clock.set(today);
        exchange.billing_report(&system).await.unwrap();
    }
}

#[tokio::test]
async fn flows_lead_from_clouds_to_regions_and_take_no_other_word_for_one() {
    let world = World::start().await;
    let producer = world.app.sign_in("producer").await;
    let empty = world.page(&producer, "/costs").await;
    assert!(empty.text.contains("Nothing was moved"), "{}", empty.text);
    world.moved().await;

    let clouds = world.page(&producer, "/costs").await.text;
    for part in [
        "href=\"/costs?from=aws&amp;to=azure#flows\"",
        "AWS → Azure: 2.0 GB, 0.18 USD",
        "2.0 GB in all; most from AWS to Azure",
    ] {
        assert!(clouds.contains(part), "{part} in {clouds}");
    }
    let regions = world.page(&producer, "/costs?from=aws&to=azure").await.text;
    for part in [
        "AWS eu-central-1 → Azure westeurope: 2.0 GB, 0.18 USD",
        "All clouds",
    ] {
        assert!(regions.contains(part), "{part} in {regions}");
    }
    // The days of the address, which its links take over.
    let may = "/costs?since=2026-05-01&until=2026-05-31";
    let may = world.page(&producer, may).await.text;
    for part in [
        "AWS → Azure: 1.0 GB, 0.09 USD",
        "href=\"/costs?from=aws&amp;to=azure&amp;since=2026-05-01&amp;until=2026-05-31#flows\"",
        "href=\"/costs?by=consumer&amp;since=2026-05-01&amp;until=2026-05-31\"",
    ] {
        assert!(may.contains(part), "{part} in {may}");
    }
    let soon = world.page(&producer, "/costs?since=soon").await.text;
    assert!(soon.contains("A day is written like"), "{soon}");
    assert!(soon.contains("2.0 GB in all"), "{soon}");
    let nowhere = world.page(&producer, "/costs?from=gcp&to=azure").await.text;
    assert!(nowhere.contains("Nothing was moved"), "{nowhere}");
    let hostile = "/costs?from=%3Cscript%3Ealert(1)&to=%22%3E";
    let hostile = world.page(&producer, hostile).await;
    assert_eq!(hostile.status, StatusCode::OK);
    assert!(hostile.text.contains("AWS → Azure"), "{}", hostile.text);
    assert!(!hostile.text.contains("<script>alert"), "{}", hostile.text);
    // Who neither pays nor owns sees nothing of it.
    let consumer = world.app.sign_in("consumer").await;
    let others = world.page(&consumer, "/costs").await.text;
    assert!(others.contains("Nothing was moved"), "{others}");
}

#[tokio::test]
async fn a_line_of_a_statement_opens_what_it_was_made_of() {
    let world = World::start().await;
    world.moved().await;
    let producer = world.app.sign_in("producer").await;
    let path = "/costs/aftersales/2026-05";
    let statement = world.page(&producer, path).await.text;
    let (_, link) = statement
        .split_once(&format!("href=\"{path}/line?"))
        .unwrap();
    let (query, _) = link.split_once('"').unwrap();
    let line = format!("{path}/line?{}", query.replace("&amp;", "&"));
    let opened = world.page(&producer, &line).await;
    assert_eq!(opened.status, StatusCode::OK);
    let figure = "1\u{202f}000\u{202f}000\u{202f}000 bytes";
    // In the heading, of the one day, and together.
    assert_eq!(opened.text.matches(figure).count(), 3, "{}", opened.text);
    for part in ["0.09 USD", "2026-05-15", "1 time"] {
        assert!(opened.text.contains(part), "{part} in {}", opened.text);
    }
    let consumer = world.app.sign_in("consumer").await;
    let refused = world.page(&consumer, &line).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(!refused.text.contains(figure));
    let nobody = world.page("", &line).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    let another = world
        .page(&producer, &line.replace("measured", "logged"))
        .await;
    assert_eq!(another.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn figures_are_handed_out_as_files_by_the_session_that_shows_them() {
    let world = World::start().await;
    world.moved().await;
    let producer = world.app.sign_in("producer").await;
    let token = world.tokens[4].clone().unwrap();
    for (page, route, name) in [
        (
            "/costs/charges.csv",
            "/api/v1/charges?format=csv",
            "charges.csv",
        ),
        (
            "/costs/charges.csv?product=vehicle-visits",
            "/api/v1/charges?format=csv&product=vehicle-visits",
            "charges-vehicle-visits.csv",
        ),
        (
            "/costs/charges.csv?since=2026-05-01&until=2026-05-31",
            "/api/v1/charges?format=csv&since=2026-05-01&until=2026-05-31",
            "charges.csv",
        ),
        (
            "/costs/aftersales/2026-05/statement.csv",
            "/api/v1/statements/aftersales/2026-05?format=csv",
            "statement-aftersales-2026-05.csv",
        ),
    ] {
        let file = world.page(&producer, page).await;
        assert_eq!(file.status, StatusCode::OK, "{page}: {}", file.text);
        assert_eq!(
            file.header("content-disposition"),
            format!("attachment; filename=\"{name}\"")
        );
        assert!(
            file.header("content-type").starts_with("text/csv"),
            "{page}"
        );
        assert_eq!(file.header("cache-control"), "no-store");
        let by_route = world.app.get(route).token(&token).send().await;
        assert_eq!(file.text, by_route.text, "{page}");
        assert!(file.text.lines().count() > 1, "{page}: {}", file.text);
        // A token is no session, and the way in leads back.
        let by_token = world.app.get(page).token(&token).send().await;
        assert_eq!(by_token.location(), "/sign-in?next=%2Fcosts", "{page}");
    }
    let consumer = world.app.sign_in("consumer").await;
    let none = world.page(&consumer, "/costs/charges.csv").await;
    assert_eq!(
        none.text.lines().count(),
        1,
        "the head alone: {}",
        none.text
    );
    let refused = "/costs/aftersales/2026-05/statement.csv";
    let refused = world.page(&consumer, refused).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    for wrong in [
        "/costs/aftersales/..%2F/statement.csv",
        "/costs/charges.csv?product=%22%0d%0ax",
        "/costs/charges.csv?other=1",
        "/costs/charges.csv?since=soon",
    ] {
        let answer = world.page(&producer, wrong).await;
        assert!(
            answer.status.is_client_error(),
            "{wrong}: {}",
            answer.status
        );
    }
}

/// Answered and refused, with the reason, on the page and in the file, for the team that owns it; others see their own calls.
#[tokio::test]
async fn who_reads_a_product_is_shown_and_handed_out() {
    let world = World::start().await;
    let operator = Principal::operator();
    world.recipient("rnd_usage", "westeurope").await;
    let profile =
        world
            .exchange()
            .profile_create(&operator, "rnd_usage", model::dto::ProfileNew::default());
    let bearer = profile.await.unwrap().bearer_token;
    let query = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits/query";
    let call = async || {
        let body = serde_json::json!({});
        world.app.post(query).token(&bearer).json(&body).await
    };
    assert_eq!(call().await.status, StatusCode::NOT_FOUND);
    let request = world.ask("vehicle-visits", "rnd_usage", "live").await;
    world.approve(&request).await;
    assert_eq!(call().await.status, StatusCode::OK);

    let producer = world.app.sign_in("producer").await;
    let usage = "/products/vehicle-visits/usage";
    let text = world.page(&producer, usage).await.text;
    for part in ["rnd_usage", "answered", "the producer", "failed (404)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let refused = world
        .page(&producer, &format!("{usage}?answer=refused"))
        .await
        .text;
    assert!(refused.contains("failed (404)"), "{refused}");
    assert!(!refused.contains("the producer</td>"), "{refused}");
    let nothing = world
        .page(&producer, &format!("{usage}?recipient=nobody"))
        .await;
    assert!(nothing.text.contains("No call to show"), "{}", nothing.text);

    let file = format!("{usage}.csv");
    let csv = world.page(&producer, &file).await;
    assert_eq!(csv.text.lines().count(), 3, "{}", csv.text);
    assert!(csv.text.contains("RESOURCE_DOES_NOT_EXIST"), "{}", csv.text);
    let token = world.tokens[4].clone().unwrap();
    let by_route = "/api/v1/share-queries?product=vehicle-visits&format=csv";
    let by_route = world.app.get(by_route).token(&token).send().await;
    assert_eq!(csv.text, by_route.text);
    let one = world.page(&producer, &format!("{file}?answer=given")).await;
    assert_eq!(one.text.lines().count(), 2, "{}", one.text);
    let odd = world.page(&producer, &format!("{file}?answer=maybe")).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST, "{}", odd.text);
}

#[tokio::test]
async fn commits_are_drawn_and_told_with_and_without_a_replica() {
    let world = World::start().await;
    let producer = world.app.sign_in("producer").await;
    let path = "/products/vehicle-visits?tab=freshness";
    let source = world.page(&producer, path).await.text;
    let told = "default.visits at the source: 1 commit seen, the last 2026-06-01 00:00 UTC";
    assert!(source.contains(told), "{source}");
    assert!(!source.contains("NaN"), "{source}");

    world.replicated().await;
    let path = "/products/vehicle-replicated?tab=freshness";
    let both = world.page(&producer, path).await.text;
    // Nothing is promised of a copy that is not there yet.
    let told = "default.visits in Azure westeurope: 0 syncs\"";
    assert!(both.contains(told), "{both}");
    let replica = crate::matrix::samples::REPLICA;
    let page = world.page(&producer, &format!("/replicas/{replica}")).await;
    assert!(page.text.contains(told), "{}", page.text);
    // What would be moved is told where somebody asks, and not while something is done on it.
    let asked = "What the next run would move";
    assert!(page.text.contains(asked), "{}", page.text);
    let over = "Plan it once that is over.";
    assert!(!page.text.contains(over), "{}", page.text);
    let page = world
        .page(&producer, &format!("/replicas/{replica}?plan=now"))
        .await;
    assert!(page.text.contains(over), "{}", page.text);
    // Its savings are drawn with the baseline that they are measured against.
    let costs = world.page(&producer, "/costs").await.text;
    for part in [
        "vehicle-replicated to Azure westeurope",
        "Baseline: a full load of today&#x27;s size every 7 days by one consumer",
    ] {
        let plain = part.replace("&#x27;", "'");
        assert!(
            costs.contains(part) || costs.contains(&plain),
            "{part} in {costs}"
        );
    }
}
