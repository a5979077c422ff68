//! C-54: clients that say little, slowly, or nothing hold a connection for so long and no longer; requests of others are
//! answered meanwhile.

use std::time::{Duration, Instant};

use http::{StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::installation::{Installation, client};
use crate::cli::Served;

/// The limit on a request's head is 15 s.
const LIMIT: Duration = Duration::from_secs(15);
const SLACK: Duration = Duration::from_secs(10);

/// Sends `text` a byte at a time, then nothing, until the server ends the connection. Answers how long that took.
async fn drip(address: String, text: &'static [u8]) -> Duration {
    let stream = TcpStream::connect(&address).await.unwrap();
    let watch = Instant::now();
    let (mut read, mut write) = stream.into_split();
    let sending = async {
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        for byte in text {
            pace.tick().await;
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        // Kept open: the end must come from the other side.
        std::future::pending::<()>().await;
    };
    let ended = async {
        let mut said = Vec::new();
        // An answer, a plain end or a reset.
        let _ = read.read_to_end(&mut said).await;
    };
    tokio::select! {
        () = sending => unreachable!("it never ends"),
        () = ended => watch.elapsed(),
        () = tokio::time::sleep(LIMIT + SLACK) => panic!("still open after {:?}: {}", watch.elapsed(), String::from_utf8_lossy(text)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_do_not_end_are_cut() {
    let installation = Installation::on_sqlite();
    let data = installation.data("one");
    let served = Served::start(&data, &[]);
    let address = served.address.strip_prefix("http://").unwrap().to_owned();
    // Longer than the limit at ten bytes a second.
    let heads: [&[u8]; 6] = [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nhost: data.example\r\nx-1: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        // The first words of HTTP/2, and no more of them.
        b"PRI",
        b"PRI * HTTP/2.0\r\n\r\nSM",
        // All of them, and no request.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ];
    let mut dripping = tokio::task::JoinSet::new();
    for head in heads {
        for _ in 0..20 {
            dripping.spawn(drip(address.clone(), head));
        }
    }
    let http = client();
    let mut slowest = Duration::ZERO;
    while let Some(took) = {
        let watch = Instant::now();
        // On a connection of its own: an idle one ends after as long as a head that does not, and may do so under the next request.
        let health = http
            .get(format!("{}/healthz", served.address))
            .header(header::CONNECTION, "close")
            .send();
        assert_eq!(health.await.unwrap().status(), StatusCode::OK);
        slowest = slowest.max(watch.elapsed());
        dripping.join_next().await
    } {
        let took = took.unwrap();
        assert!(took > Duration::from_secs(1), "not refused out of hand");
        assert!(took < LIMIT + SLACK, "{took:?}");
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
