//! The proxy's way to a server whose own count is judged: a connection for each request, on which counts what this machine
//! received, also of an answer that the client gave up half-way.
//!
//! A client that leaves is passed on as the end of what we send, and what still comes is read to its end: so nothing is
//! received that is not counted, whatever of it the client had.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;

use super::{Shared, end_to_end, failed};

/// Small, so that a large answer is not here whole before a client can leave.
const RECEIVE_BUFFER: u32 = 64 << 10;

/// Asks the upstream for the request at this place of the log, and notes there what was received.
pub(super) async fn receive(
    shared: Arc<Shared>,
    at: usize,
    upstream: SocketAddr,
    mut request: Request<Body>,
) -> Response<Body> {
    *request.headers_mut() = end_to_end(request.headers());
    let is_head = request.method() == Method::HEAD;
    let counting = Arc::clone(&shared);
    let request = request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            counting.sent.fetch_add(length, Ordering::SeqCst);
            frame
        }))
    });
    let (answer, answered) = oneshot::channel();
    shared.unsettled.send_modify(|count| *count += 1);
    // Not given up with the client's request: what comes after that counts too.
    tokio::spawn(async move {
        let (mut response, received) = match send(upstream, request).await {
            Ok((response, received)) => (response, Some(received)),
            Err(error) => (failed(&*error), None),
        };
        *response.headers_mut() = end_to_end(response.headers());
        {
            let length = response.headers().get(header::CONTENT_LENGTH);
            let length = length.map(|length| length.to_str().unwrap().parse().unwrap());
            let passed = &mut shared.log.lock().unwrap()[at];
            passed.status = response.status();
            passed.promised = length.filter(|_| !is_head).unwrap_or_default();
        }
        // Where nobody waits any more, this gives the answer up.
        drop(answer.send(response));
        if let Some(received) = received {
            let received = received.await.unwrap();
            shared.received.fetch_add(received, Ordering::SeqCst);
            shared.log.lock().unwrap()[at].received = received;
        }
        shared.unsettled.send_modify(|count| *count -= 1);
    });
    answered.await.unwrap()
}

/// What was received on one connection.
#[derive(Default)]
struct Seen {
    bytes: AtomicU64,
    /// The answer's first bytes, until the end of its head is among them.
    head: Mutex<Vec<u8>>,
}

impl Seen {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";

    fn add(&self, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        let mut head = self.head.lock().unwrap();
        if head.ends_with(Self::END_OF_HEAD) {
            return;
        }
        head.extend_from_slice(bytes);
        let mut windows = head.windows(Self::END_OF_HEAD.len());
        if let Some(end) = windows.position(|window| window == Self::END_OF_HEAD) {
            head.truncate(end + Self::END_OF_HEAD.len());
        }
    }

    /// Without the head; of an answer in chunks with their lengths.
    fn body(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst) - self.head.lock().unwrap().len() as u64
    }
}

/// Sends a request and answers the response. What was received of its body comes once no more will.
async fn send(
    upstream: SocketAddr,
    request: Request<Body>,
) -> Result<(Response<Body>, oneshot::Receiver<u64>), Box<dyn std::error::Error + Send + Sync>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let stream = socket.connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (say, received) = oneshot::channel();
    let tap = Tap {
        open: Some((stream, say)),
        seen: Arc::default(),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tap)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    Ok((response.map(Body::new), received))
}

/// Dropped by whoever spoke HTTP on it, it reads what still comes.
struct Tap {
    /// None only once it was dropped.
    open: Option<(TcpStream, oneshot::Sender<u64>)>,
    seen: Arc<Seen>,
}

impl Tap {
    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.open.as_mut().unwrap().0)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let (mut stream, say) = self.open.take().unwrap();
        let seen = Arc::clone(&self.seen);
        tokio::spawn(async move {
            // The other end may be gone already.
            let _ = stream.shutdown().await;
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                seen.add(&buffer[..count]);
            }
            // Nobody listens where the test is over.
            let _ = say.send(seen.body());
        });
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.stream().poll_read(cx, buffer))?;
        self.seen.add(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::{Counted, Proxy};
    use super::*;

    /// What a server still sends when its client has left counts where the proxy counts what it received.
    #[tokio::test]
    async fn a_receiving_proxy_counts_to_the_end_what_its_client_gave_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start_receiving(listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
            stream.write_all(head).await.unwrap();
            stream.write_all(&[b'x'; 1000]).await.unwrap();
            // The client leaves, and the proxy says so.
            assert_eq!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(&[b'x'; 234_567]).await.unwrap();
        });
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client
            .write_all(b"GET /file HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 1024];
        assert!(client.read(&mut answer).await.unwrap() > 0);
        drop(client);
        serving.await.unwrap();
        proxy.until_settled().await;
        assert_eq!(proxy.counted().received, 235_567);
        let [passed] = &proxy.passed_since(Counted::default())[..] else {
            panic!("one request")
        };
        assert_eq!((passed.promised, passed.received), (1_000_000, 235_567));
        assert!(!passed.is_whole());
    }
}
