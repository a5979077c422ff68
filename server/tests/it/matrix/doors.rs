//! The doors that are not operations: signing in and out, the portal's pages, the sharing protocol, the gateway, health. Every
//! route of the built router stands either in the table of operations or in `doors.txt`; one that stands in neither fails.
//!
//! The routes are taken from the router itself: what it shows of itself for debugging names each path and its methods.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use exchange::Principal;
use exchange::operation::TABLE;
use http::Method;
use model::dto::{ProfileNew, RecipientNew, TokenNew};

use super::World;
use crate::support::{Answer, PASSWORD, TestApp};

const COLUMNS: [&str; 6] = [
    "nobody",
    "session",
    "service_token",
    "team_token",
    "recipient",
    "other_recipient",
];

/// Method and path of every route, `ANY` where a route takes them all.
fn routes(app: &TestApp) -> BTreeSet<(String, String)> {
    let shown = format!("{:?}", app.router);
    let (shown, _) = shown.split_once("fallback_router: ").unwrap();
    let mut paths = Vec::new();
    let mut methods = Vec::new();
    for piece in shown.split("RouteId(").skip(1) {
        let (id, rest) = piece.split_once("): ").unwrap();
        let id: u32 = id.parse().unwrap();
        if let Some(path) = rest.strip_prefix('"') {
            paths.push((id, path.split('"').next().unwrap().to_owned()));
        } else {
            let allowed = rest.split("allow_header: ").nth(1).unwrap_or("Skip");
            let list = allowed
                .strip_prefix("Bytes(b\"")
                .and_then(|list| list.split('"').next());
            let list: Vec<String> = match list {
                None => vec!["ANY".to_owned()],
                Some(list) => list
                    .split(',')
                    .filter(|method| *method != "HEAD" || !list.contains("GET"))
                    .map(str::to_owned)
                    .collect(),
            };
            methods.push((id, list));
        }
    }
    let mut found = BTreeSet::new();
    for (id, path) in paths {
        let (_, methods) = methods.iter().find(|(of, _)| *of == id).unwrap();
        for method in methods {
            found.insert((method.clone(), path.clone()));
        }
    }
    // A second slash behind an endpoint leads to the same handler.
    let (twins, found): (BTreeSet<_>, BTreeSet<_>) =
        found.into_iter().partition(|(_, path)| path.contains("//"));
    for (method, path) in twins {
        let twin = (method, path.replacen("//", "/", 1));
        assert!(
            found.contains(&twin),
            "{twin:?} has a twin and is not there"
        );
    }
    found
}

/// Somebody for each column.
struct Callers {
    world: World,
    tokens: [Option<String>; 6],
    /// A file by the gateway, as the recipient was given it.
    file: String,
}

impl Callers {
    async fn new() -> Self {
        let world = World::start().await;
        let operator = Principal::operator();
        let exchange = world.exchange().clone();
        exchange.worker_beat("doors").await.unwrap();
        world.recipient("rnd_doors", "westeurope").await;
        let request = world.ask("vehicle-visits", "rnd_doors", "live").await;
        world.approve(&request).await;
        let other = RecipientNew {
            name: "sales_doors".to_owned(),
            team: "sales".to_owned(),
            cloud: "azure".to_owned(),
            region: "westeurope".to_owned(),
        };
        exchange.recipient_create(&operator, other).await.unwrap();
        let bearer = async |name: &str| {
            let profile = exchange.profile_create(&operator, name, ProfileNew::default());
            Some(profile.await.unwrap().bearer_token)
        };
        let (reader, stranger) = (bearer("rnd_doors").await, bearer("sales_doors").await);
        let team = TokenNew {
            name: "of rnd".to_owned(),
            team: Some("rnd".to_owned()),
            role: Some("consumer".to_owned()),
            days: None,
        };
        let team = exchange.token_create(&operator, Some("consumer"), team);
        let team = Some(team.await.unwrap().token);
        let person = Some(world.app.token("consumer").await);
        let query = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits/query";
        let answer = world
            .app
            .post(query)
            .token(reader.as_ref().unwrap())
            .json(&serde_json::json!({}))
            .await;
        let (_, url) = answer.text.split_once("\"url\":\"").unwrap();
        let url = url.split('"').next().unwrap();
        let file = url.strip_prefix("https://data.example").unwrap().to_owned();
        Self {
            tokens: [None, None, person, team, reader, stranger],
            world,
            file,
        }
    }

    /// The path with something in each of its places.
    fn fill(&self, pattern: &str) -> String {
        if pattern.starts_with("/data/") && pattern.contains("{name}") {
            return self.file.clone();
        }
        let parts: Vec<&str> = pattern
            .split('/')
            .map(|part| match part {
                "{share}" => "vehicle-visits",
                "{schema}" => "default",
                "{table}" => "visits",
                "{query}" => "01890000-0000-7000-8000-000000000000",
                part if part.starts_with('{') => "nobody-knows-this",
                part => part,
            })
            .collect();
        parts.join("/")
    }

    async fn call(&self, column: usize, method: &str, pattern: &str) -> Answer {
        let app = &self.world.app;
        let path = self.fill(pattern);
        let method = match method {
            "ANY" => Method::GET,
            method => method.parse().unwrap(),
        };
        let mut ask = app.ask(method.clone(), &path).header("accept", "text/html");
        if COLUMNS[column] == "session" {
            ask = ask.cookie(&app.sign_in("consumer").await);
        }
        if let Some(token) = &self.tokens[column] {
            ask = ask.token(token);
        }
        if method != Method::POST {
            return ask.send().await;
        }
        match pattern {
            // A browser's own form; the origin guard has its own tests.
            "/sign-in" => {
                let fields = [("name", "consumer"), ("password", PASSWORD)];
                ask.own_origin().form(&fields).await
            }
            pattern if pattern.starts_with("/delta-sharing") => {
                ask.json(&serde_json::json!({})).await
            }
            _ => ask.own_origin().form(&[]).await,
        }
    }
}

#[tokio::test]
async fn every_route_of_the_router_is_in_a_table() {
    let callers = Callers::new().await;
    let routes = routes(&callers.world.app);
    let operations: BTreeSet<(String, String)> = TABLE
        .iter()
        .filter_map(|line| line.rest)
        .map(|(method, path)| (method.to_owned(), format!("/api/v1{path}")))
        .collect();
    let lost: Vec<_> = operations.difference(&routes).collect();
    assert!(lost.is_empty(), "not routed, or not seen: {lost:?}");
    let mut table = String::new();
    let heads = COLUMNS.map(|column| format!("{column:>17}")).concat();
    let _ = writeln!(table, "{:84}{heads}", "");
    for (method, path) in routes.difference(&operations) {
        let mut row = String::new();
        for (column, who) in COLUMNS.into_iter().enumerate() {
            let answer = callers.call(column, method, path).await;
            let status = answer.status.as_u16();
            assert!(status < 500, "{method} {path} as {who}: {}", answer.text);
            let _ = write!(row, "{status:>17}");
        }
        let _ = writeln!(table, "{:84}{row}", format!("{method} {path}"));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/doors.txt");
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(file, &table).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap();
    assert_eq!(table, expected, "\n{table}");
}

/// The test above would not see a route that it cannot read off the router.
#[tokio::test]
async fn routes_are_read_off_the_router() {
    let app = TestApp::start().await;
    let routes = routes(&app);
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/sign-in"),
        ("GET", "/healthz"),
        ("GET", "/api/v1/openapi.json"),
        ("PATCH", "/api/v1/people/{person}"),
        (
            "POST",
            "/delta-sharing/shares/{share}/schemas/{schema}/tables/{table}/query",
        ),
        ("ANY", "/data/v1/{ticket}/{name}"),
    ] {
        let route = (method.to_owned(), path.to_owned());
        assert!(routes.contains(&route), "{method} {path}: {routes:#?}");
    }
    // One that nobody thought of.
    let more = axum::Router::new().route("/back-door", axum::routing::put(async || ()));
    let app = TestApp {
        router: app.router.clone().merge(more),
        ..app
    };
    let seen = self::routes(&app);
    let new: Vec<_> = seen.difference(&routes).collect();
    assert_eq!(new, [&("PUT".to_owned(), "/back-door".to_owned())]);
}
