//! The gateway request by request: ranges, counts to the byte, and everything that must not open a file.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use model::time::{HOUR, SECOND};
use tower::ServiceExt as _;

use super::{FileLine, VISITS, VISITS_PATH, World, data_files, path_of, rows};

/// A world with the usual product granted, and its biggest file.
async fn ready(world: &World) -> (FileLine, Vec<u8>) {
    world.visits().await;
    world.grant(VISITS, "rnd_weu", "live").await;
    let token = world.token("rnd_weu").await;
    let files = world.files(&token).await;
    let file = files.into_iter().max_by_key(|file| file.size).unwrap();
    let path = data_files(&world.root("aws_eu").join(VISITS_PATH)).pop();
    let bytes = std::fs::read(path.unwrap()).unwrap();
    assert!(bytes.len() > 300 << 10, "several frames: {}", bytes.len());
    (file, bytes)
}

#[tokio::test]
async fn ranges_are_served_and_counted_to_the_byte() {
    for world in World::each().await {
        let (file, bytes) = ready(&world).await;
        let size = bytes.len();
        let mut counted = Vec::new();
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=-1", size - 1..size),
            ("bytes=-8", size - 8..size),
            ("bytes=-999999999999", 0..size),
            (&format!("bytes={}-", size - 5), size - 5..size),
            (&format!("bytes=100-{}", size + 100), 100..size),
        ] {
            let got = world.get(&file.url, Some(range)).await;
            assert_eq!(got.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(got.body, bytes[expected.clone()], "{range}");
            let (first, last) = (expected.start, expected.end - 1);
            assert_eq!(
                got.header(header::CONTENT_RANGE),
                format!("bytes {first}-{last}/{size}")
            );
            assert_eq!(
                got.header(header::CONTENT_LENGTH),
                expected.len().to_string()
            );
            counted.push(expected.len() as u64);
        }
        for range in ["bytes=0-0,5-6", "rows=1-2", "bytes=5-1", "bytes=x"] {
            let got = world.get(&file.url, Some(range)).await;
            assert_eq!(got.status, StatusCode::OK, "{range}");
            assert_eq!(got.body, bytes, "{range}");
            assert_eq!(got.header(header::CONTENT_RANGE), "");
            counted.push(size as u64);
        }
        let beyond = world.get(&file.url, Some(&format!("bytes={size}-"))).await;
        assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(
            beyond.header(header::CONTENT_RANGE),
            format!("bytes */{size}")
        );
        let empty = world.get(&file.url, Some("bytes=-0")).await;
        assert_eq!(empty.status, StatusCode::RANGE_NOT_SATISFIABLE);
        let head = world
            .fetch(Method::HEAD, &file.url, Some("bytes=0-0"))
            .await;
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.header(header::CONTENT_LENGTH), size.to_string());
        assert!(head.body.is_empty());

        // One event for each answer with bytes, and none for the others.
        counted.sort_unstable();
        assert_eq!(world.counted().await, counted);
    }
}

#[tokio::test]
async fn answers_are_for_nobody_else() {
    let world = World::start(&super::Build::default()).await;
    let (file, _) = ready(&world).await;
    let whole = world.get(&file.url, None).await;
    let head = world.fetch(Method::HEAD, &file.url, None).await;
    let tag = whole.header(header::ETAG);
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    for answer in [&whole, &head] {
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("accept-ranges", "bytes"),
            ("cache-control", "private, no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-disposition", "attachment"),
            ("etag", tag),
            ("set-cookie", ""),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("last-modified").ends_with(" GMT"));
    }
    // Half of a file that is not the same any more is not sent.
    let half = |tag: &str| {
        Request::get(path_of(&file.url))
            .header(header::RANGE, "bytes=0-3")
            .header(header::IF_RANGE, tag)
            .body(Body::empty())
            .unwrap()
    };
    let same = world.ask(half(tag)).await;
    assert_eq!(same.status, StatusCode::PARTIAL_CONTENT);
    let other = world.ask(half("\"other\"")).await;
    assert_eq!(
        (other.status, other.body.len()),
        (StatusCode::OK, whole.body.len())
    );
}

/// What was handed to the connection counts, though the client went away.
#[tokio::test]
async fn aborted_answers_are_counted_as_far_as_they_came() {
    for world in World::each().await {
        let (file, bytes) = ready(&world).await;
        let request = Request::get(path_of(&file.url))
            .body(Body::empty())
            .unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        let mut body = response.into_body();
        let mut received = 0;
        for _ in 0..2 {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(frame.len() <= 64 << 10);
            received += frame.len();
        }
        assert!(received < bytes.len());
        drop(body);
        let events = world.events_come(1).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].bytes, received as u64);

        // Dropped before anything was taken: nothing to count.
        let request = Request::get(path_of(&file.url))
            .body(Body::empty())
            .unwrap();
        drop(world.router.clone().oneshot(request).await.unwrap());
        world.get(&file.url, Some("bytes=0-0")).await;
        assert_eq!(world.counted().await, [1, received as u64]);
    }
}

#[tokio::test]
async fn whatever_was_changed_opens_nothing() {
    let world = World::start(&super::Build::default()).await;
    let (file, bytes) = ready(&world).await;
    world.write("workshop/other", &[&[rows(0, 50)]]).await;
    world
        .product("vehicle-other", "aws_eu", &[("other", "workshop/other")])
        .await;
    world.grant("vehicle-other", "rnd_weu", "live").await;
    let token = {
        // The URLs of the first credential go on while the overlap runs.
        let rotation = model::dto::RotationNew::default();
        let operator = exchange::Principal::operator();
        let rotated = world
            .exchange
            .recipient_rotate(&operator, "rnd_weu", rotation);
        rotated.await.unwrap().bearer_token
    };
    let answer = world.query("vehicle-other", "other", &token).await;
    let other = super::files_of(&answer).remove(0);

    let (path, signature) = file.url.split_once("?X-Amz-Signature=").unwrap();
    let (other_path, other_signature) = other.url.split_once("?X-Amz-Signature=").unwrap();
    let (front, name) = path.rsplit_once('/').unwrap();
    let (other_front, other_name) = other_path.rsplit_once('/').unwrap();
    assert_ne!(signature, other_signature);
    let flipped = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    let mut changed = vec![
        path.to_owned(),
        format!("{path}?"),
        format!("{path}?X-Amz-Signature="),
        format!("{path}?X-Amz-Signature={}", &signature[1..]),
        format!("{path}?X-Amz-Signature={signature}0"),
        format!("{path}?X-Amz-Signature={signature}&X-Amz-Signature={signature}"),
        format!("{path}?x-amz-signature={signature}"),
        format!("{path}?X-Amz-Signature={other_signature}"),
        format!("{other_path}?X-Amz-Signature={signature}"),
        format!("{front}/{other_name}?X-Amz-Signature={signature}"),
        format!("{other_front}/{name}?X-Amz-Signature={signature}"),
        format!("{front}/..%2f{name}?X-Amz-Signature={signature}"),
        format!("{front}/%ff{name}?X-Amz-Signature={signature}"),
    ];
    for at in (0..signature.len()).step_by(7) {
        changed.push(format!("{path}?X-Amz-Signature={}", flipped(signature, at)));
    }
    for at in (front.len() - 40..front.len()).step_by(3) {
        let front = flipped(front, at);
        changed.push(format!("{front}/{name}?X-Amz-Signature={signature}"));
    }
    for url in changed {
        for method in [Method::GET, Method::HEAD] {
            let answer = world.fetch(method.clone(), &url, None).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {url}");
            assert_eq!(answer.header("cache-control"), "private, no-store");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
    // More in the query is others' business.
    let more = format!("{}&utm=1", file.url);
    assert_eq!(world.get(&more, None).await.body, bytes);
    let post = world.fetch(Method::POST, &file.url, None).await;
    assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.header(header::ALLOW), "GET, HEAD");
    for path in ["/data/v1", "/data/v1/x", "/data/v2/x/y", "/data/v1/x/y/z"] {
        let answer = world
            .ask(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn urls_end_with_their_time_and_with_the_grant() {
    for world in World::each().await {
        let (file, _) = ready(&world).await;
        world.clock.advance(HOUR - 1);
        assert_eq!(world.get(&file.url, Some("bytes=0-0")).await.body.len(), 1);
        world.clock.advance(1);
        let late = world.get(&file.url, Some("bytes=0-0")).await;
        assert_eq!(late.status, StatusCode::FORBIDDEN);
        assert!(
            late.text().contains("expired at 2026-06-15T13:00:00Z"),
            "{}",
            late.text()
        );
        let head = world.fetch(Method::HEAD, &file.url, None).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::FORBIDDEN, 0));
        assert_eq!(world.events().await.len(), 1);
    }
}

/// Between two ranges of one file the grant is taken back: the second is refused, in the same second.
#[tokio::test]
async fn a_revoked_grant_ends_a_file_half_read() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let file = world.files(&token).await.pop().unwrap();
        let first = world.get(&file.url, Some("bytes=0-9")).await;
        assert_eq!(first.status, StatusCode::PARTIAL_CONTENT);
        world.revoke(grant).await;
        let started = std::time::Instant::now();
        let second = world.get(&file.url, Some("bytes=10-19")).await;
        assert_eq!(second.status, StatusCode::FORBIDDEN, "{}", second.text());
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
        assert_eq!(world.events().await.len(), 1);
        // Another grant of the same product does not bring the old URL back.
        world.grant(VISITS, "rnd_weu", "live").await;
        world.clock.advance(SECOND);
        let third = world.get(&file.url, Some("bytes=10-19")).await;
        assert_eq!(third.status, StatusCode::FORBIDDEN);
    }
}

/// The same with the credential: its URLs end with it, those of the next one do not, and each is told what to do.
#[tokio::test]
async fn a_revoked_credential_ends_its_urls_alone() {
    for world in World::each().await {
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "live").await;
        let operator = exchange::Principal::operator();
        let old = world.token("rnd_weu").await;
        let rotation = model::dto::RotationNew {
            days: None,
            overlap_hours: Some(1),
        };
        let rotated = world
            .exchange
            .recipient_rotate(&operator, "rnd_weu", rotation);
        let new = rotated.await.unwrap().bearer_token;
        world.clock.advance(HOUR - 1);
        let of_old = world.files(&old).await.pop().unwrap();
        let of_new = world.files(&new).await.pop().unwrap();
        let status = async |url: &str| world.get(url, Some("bytes=0-9")).await.status;
        for file in [&of_old, &of_new] {
            assert_eq!(status(&file.url).await, StatusCode::PARTIAL_CONTENT);
        }

        // The overlap ends: with it what the old one was handed.
        world.clock.advance(1);
        let refused = world.get(&of_old.url, Some("bytes=10-19")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(
            refused
                .text()
                .contains("credential that this URL was made with"),
            "{}",
            refused.text()
        );
        assert_eq!(status(&of_new.url).await, StatusCode::PARTIAL_CONTENT);
        let answer = world.query(VISITS, "visits", &old).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text().contains("expired; download"), "no URL lives");

        // Revoked: likewise, on every process, though the grant is open.
        let other_process = world.beside().await;
        let recipient = world.exchange.recipient(&operator, "rnd_weu").await;
        let newest = recipient.unwrap().tokens[0].id;
        let revoked = world
            .exchange
            .recipient_token_revoke(&operator, "rnd_weu", newest);
        revoked.await.unwrap();
        for process in [&world, &other_process] {
            let refused = process.get(&of_new.url, Some("bytes=10-19")).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
            let answer = process.query(VISITS, "visits", &new).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(answer.text().contains("it was revoked\""), "no URL lives");
        }
        let events = world.events().await;
        assert_eq!(events.len(), 3, "refusals count nothing: {events:?}");
        // A new credential does not bring old URLs back.
        world.token("rnd_weu").await;
        assert_eq!(status(&of_new.url).await, StatusCode::FORBIDDEN);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_opened_beneath_the_root_alone() {
    let world = World::start(&super::Build::default()).await;
    let (file, bytes) = ready(&world).await;
    let table = world.root("aws_eu").join(VISITS_PATH);
    let on_disk = data_files(&table).pop().unwrap();
    let outside = world.folder.path().join("outside.parquet");
    std::fs::write(&outside, &bytes).unwrap();

    // Gone.
    std::fs::remove_file(&on_disk).unwrap();
    let answer = world.get(&file.url, None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    // A link in its place, though what it leads to is the same.
    std::os::unix::fs::symlink(&outside, &on_disk).unwrap();
    let answer = world.get(&file.url, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    // A link in the place of a folder above it.
    std::fs::remove_file(&on_disk).unwrap();
    std::fs::write(&on_disk, &bytes).unwrap();
    let moved = world.folder.path().join("moved");
    std::fs::rename(&table, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &table).unwrap();
    let answer = world.get(&file.url, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    for word in ["workshop", "outside", "aws_eu", "moved"] {
        assert!(!answer.text().contains(word), "{}", answer.text());
    }
    // Back again.
    std::fs::remove_file(&table).unwrap();
    std::fs::rename(&moved, &table).unwrap();
    assert_eq!(world.get(&file.url, None).await.body, bytes);
    assert_eq!(world.events().await.len(), 1);
}
