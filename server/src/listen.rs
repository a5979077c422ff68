//! A listener with limits (C-54): so many connections at once, so long to send the head of a request. On a signal it takes
//! no more connections and lets those that are there finish. What was sent over HTTP/1 can be followed to the client: `line`.

mod line;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use http::Version;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use line::Line;
pub use line::{Caller, Delivery};

/// So many connections that nobody has taken yet wait at most. One that finds no room is dropped without a word, and its client tries
/// again a second later: the 128 that a listener has by itself are full when a few hundred come at once.
const WAITING: u32 = 4_096;
/// So long the head of a request may take, and so long a new connection may be silent.
const HEAD: Duration = Duration::from_secs(15);
/// So long requests may still run once the process was told to end.
const GRACE: Duration = Duration::from_secs(10);
/// And so long it then takes at most to write down what they received.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A listener in whose queue there is room.
///
/// # Errors
/// As those of the system: an address that is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that is started again finds its address free.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Serves until `stop`, then lets what runs finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    stop: CancellationToken,
) {
    let seats = Arc::new(Semaphore::new(connections));
    let mut open = JoinSet::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &seats) => accepted,
            // Reaps what has ended.
            Some(_) = open.join_next() => continue,
        };
        let Some((stream, peer, seat)) = accepted else {
            continue;
        };
        let router = router.clone();
        let line = Line::new(stream, cut.clone());
        let stop = stop.clone();
        let cut = cut.clone();
        open.spawn(async move {
            connection(&line, peer, router, stop, cut).await;
            line.end().await;
            drop(seat);
        });
    }
    // Who comes now is refused at once and goes to another process, instead of waiting for nobody.
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    tokio::pin!(drained);
    if tokio::time::timeout(GRACE, &mut drained).await.is_ok() {
        return;
    }
    tracing::warn!("requests still ran when the process ended");
    cut.cancel();
    if tokio::time::timeout(LAST_WORDS, drained).await.is_err() {
        tracing::error!("connections did not end; what they received may not be counted");
    }
}

async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> Option<(
    tokio::net::TcpStream,
    SocketAddr,
    tokio::sync::OwnedSemaphorePermit,
)> {
    let seat = Arc::clone(seats).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, seat)),
        Err(error) => {
            // No descriptors left, most likely: wait for some to come back rather than spin.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(200)).await;
            None
        }
    }
}

async fn connection(
    line: &Arc<Line>,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    let caller = line.caller();
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let service = router.map_request(move |mut request: Request<hyper::body::Incoming>| {
        asks.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        // Later versions interleave answers: what was acknowledged is then nobody's in particular.
        if request.version() < Version::HTTP_2 {
            request.extensions_mut().insert(caller.clone());
        }
        request.map(axum::body::Body::new)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD)
        .max_concurrent_streams(100)
        .max_header_list_size(64 * 1024);
    let serving = builder.serve_connection_with_upgrades(
        TokioIo::new(line.wire()),
        TowerToHyperService::new(service),
    );
    tokio::pin!(serving);
    // The builder's own limit begins once it knows the protocol: who says nothing, or stops within HTTP/2's first words, is
    // not under it.
    let silence = tokio::time::sleep(HEAD);
    tokio::pin!(silence);
    let mut waits = true;
    let ended = loop {
        tokio::select! {
            ended = &mut serving => break ended,
            () = &mut silence, if waits => {
                if !asked.load(Ordering::Relaxed) {
                    tracing::debug!("a connection asked for nothing");
                    return;
                }
                waits = false;
            }
            () = stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = &mut serving => break ended,
                    () = cut.cancelled() => return,
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Ends with the first SIGTERM or Ctrl-C.
pub fn on_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    /// Nobody takes them, so that one without room would wait until it gives up.
    #[tokio::test]
    async fn hundreds_that_come_at_once_find_room() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let coming = most.trim().parse::<usize>().unwrap().min(300);
        let connecting = (0..coming).map(|_| TcpStream::connect(address));
        let connected = futures::future::try_join_all(connecting);
        let connected = timeout(Duration::from_secs(20), connected).await;
        assert_eq!(connected.unwrap().unwrap().len(), coming);
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_said_to_be() {
        let one = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let other = bind(one.local_addr().unwrap());
        assert_eq!(other.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
