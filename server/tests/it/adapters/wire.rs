//! The gateway over a real connection, as clients meet it.

use std::net::SocketAddr;

use futures::StreamExt as _;
use http::{StatusCode, header};

use super::{Build, VISITS, VISITS_PATH, World, data_files};

/// A world that is served at its own public address.
async fn served() -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let build = Build {
        public_url: Some(format!("http://{address}")),
        ..Build::default()
    };
    let world = World::start(&build).await;
    let service = world
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    world
}

#[tokio::test]
async fn the_client_receives_what_is_counted() {
    let world = served().await;
    world.visits().await;
    world.grant(VISITS, "rnd_weu", "live").await;
    let token = world.token("rnd_weu").await;
    let files = world.files(&token).await;
    let on_disk = data_files(&world.root("aws_eu").join(VISITS_PATH));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut received = Vec::new();
    for (file, path) in files.iter().zip(&on_disk) {
        let head = client.head(&file.url).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(
            head.headers()[header::CONTENT_LENGTH],
            file.size.to_string()
        );
        assert_eq!(head.headers()[header::ACCEPT_RANGES], "bytes");
        let whole = client.get(&file.url).send().await.unwrap();
        assert_eq!(whole.content_length(), Some(file.size));
        assert!(whole.headers().get(header::TRANSFER_ENCODING).is_none());
        let whole = whole.bytes().await.unwrap();
        assert_eq!(whole, std::fs::read(path).unwrap());
        received.push(whole.len() as u64);
        let part = client.get(&file.url).header(header::RANGE, "bytes=4-9");
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.content_length(), Some(6));
        assert_eq!(part.bytes().await.unwrap(), whole[4..10]);
        received.push(6);
    }
    // The event is there before the client has the last byte.
    received.sort_unstable();
    assert_eq!(world.counted().await, received);
}

/// Nothing that the client has received is missing from the count, and nothing is counted beyond the file.
#[tokio::test]
async fn a_client_that_hangs_up_has_been_counted() {
    let world = served().await;
    world.visits().await;
    world.grant(VISITS, "rnd_weu", "live").await;
    let token = world.token("rnd_weu").await;
    let file = world.files(&token).await.pop().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(&file.url).send().await.unwrap();
    let mut chunks = response.bytes_stream();
    let received = chunks.next().await.unwrap().unwrap().len() as u64;
    drop(chunks);
    let events = world.events_come(1).await;
    assert_eq!(events.len(), 1);
    assert!(
        (received..=file.size).contains(&events[0].bytes),
        "{received} {:?}",
        events[0]
    );
}
