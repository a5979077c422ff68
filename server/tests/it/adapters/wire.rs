//! The gateway over real connections, as clients meet it: what a client's machine receives is what is counted, to the byte,
//! however it leaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::socket::getsockopt;
use server::config::PublicUrl;
use server::router::{self, Parts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Build, FileLine, VISITS, VISITS_PATH, World, data_files};

/// Much more than connections hold back.
const LARGE: usize = 24 << 20;

/// A world that is served at its own public address, as a process serves it, with the usual product granted.
struct Served {
    world: World,
    address: SocketAddr,
    files: Vec<FileLine>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// A world at its own public address, served until the token is cancelled.
pub(super) async fn serve() -> (World, SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_at(listener, address).await
}

/// The same where its public address is another's, of whoever stands in front of it.
pub(super) async fn serve_at(
    listener: TcpListener,
    address: SocketAddr,
) -> (World, SocketAddr, CancellationToken, JoinHandle<()>) {
    let build = Build {
        public_url: Some(format!("http://{address}")),
        ..Build::default()
    };
    let world = World::start(&build).await;
    let router = router::build(Parts {
        exchange: world.exchange.clone(),
        public_url: PublicUrl::of_address(address),
        trusted_proxies: Arc::from([]),
        requests_per_second: 1_000,
        sign_ins_per_minute: 10,
        oidc: None,
        scanning: None,
        portal: Router::new(),
        machines: world.router.clone(),
    });
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server::listen::serve(listener, router, 64, stop.clone()));
    (world, address, stop, serving)
}

impl Served {
    async fn start() -> Self {
        let (world, address, stop, serving) = serve().await;
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let files = world.files(&token).await;
        Self {
            world,
            address,
            files,
            stop,
            serving,
        }
    }

    fn on_disk(&self) -> Vec<std::path::PathBuf> {
        data_files(&self.world.root("aws_eu").join(VISITS_PATH))
    }

    /// The URL of a file that is large now: the gateway serves what lies there.
    fn large(&self) -> &str {
        let (file, path) = (self.files.last().unwrap(), self.on_disk().pop().unwrap());
        std::fs::write(path, vec![7; LARGE]).unwrap();
        &file.url
    }

    /// Waits until so many answers were counted; each once, and in no order.
    async fn assert_counted(&self, expected: &[u64]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        self.world.events_come(expected.len()).await;
        assert_eq!(self.world.counted().await, expected);
    }
}

/// A client whose kernel is the witness. Its receive buffer is small, so that the rest of a large answer has to wait.
struct Client {
    stream: TcpStream,
    /// Of what was received, heads and all, what has been read.
    read: u64,
    /// Bytes of heads.
    heads: u64,
}

impl Client {
    async fn connect(served: &Served) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        Self {
            stream: socket.connect(served.address).await.unwrap(),
            read: 0,
            heads: 0,
        }
    }

    async fn ask(&mut self, url: &str, headers: &str) {
        let (_, path) = url.split_once("//").unwrap();
        let (host, path) = path.split_once('/').unwrap();
        let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Reads a head, and not a byte of the body.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        self.heads += head.len() as u64;
        self.read += head.len() as u64;
        String::from_utf8(head).unwrap()
    }

    async fn read(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        self.stream.read_exact(&mut buffer).await.unwrap();
        self.read += bytes as u64;
    }

    /// To the end that the server makes.
    async fn read_to_end(&mut self) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(count @ 1..) = self.stream.read(&mut buffer).await {
            self.read += count as u64;
        }
    }

    async fn shut_down_writing(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Bytes of bodies that were read.
    fn read_of_bodies(&self) -> u64 {
        self.read - self.heads
    }

    /// Bytes of bodies that the kernel has received, once nothing has come for long and all was acknowledged: the buffer
    /// is full.
    async fn received_of_bodies(&self) -> u64 {
        const QUIET: u32 = 700;
        let mut again = tokio::time::interval(Duration::from_millis(20));
        let start = std::time::Instant::now();
        loop {
            again.tick().await;
            let info = getsockopt(&self.stream, Info).unwrap();
            let quiet = u32::from_ne_bytes(info[52..56].try_into().unwrap());
            let received = u64::from_ne_bytes(info[128..136].try_into().unwrap());
            if received > 0 && quiet >= QUIET {
                assert!(received > self.read, "nothing is left unread");
                return received - self.heads;
            }
            assert!(start.elapsed().as_secs() < 60, "it never stops");
        }
    }
}

mod option {
    use nix::{getsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// `struct tcp_info` up to `tcpi_bytes_received`.
        Info,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        [u8; 136]
    );
}
use option::Info;

#[tokio::test]
async fn the_client_receives_what_is_counted() {
    let served = Served::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut received = Vec::new();
    for (file, path) in served.files.iter().zip(served.on_disk()) {
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
    served.assert_counted(&received).await;
}

/// Where answers are interleaved nobody knows whose bytes were acknowledged: what was handed over counts.
#[tokio::test]
async fn answers_over_http_2_are_counted_as_handed_over() {
    let served = Served::start().await;
    let file = &served.files[0];
    let stream = TcpStream::connect(served.address).await.unwrap();
    let executor = TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get(&file.url).body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len() as u64, file.size);
    // The event is there before the client has the last byte.
    assert_eq!(served.world.counted().await, [file.size]);
}

/// Each client of this test leaves with bytes unread, which its kernel answers with a reset.
#[tokio::test]
async fn clients_that_hang_up_have_been_counted_to_the_byte() {
    let served = Served::start().await;
    let url = served.large();
    let mut expected = Vec::new();

    // With nothing read but the head.
    let mut client = Client::connect(&served).await;
    client.ask(url, "").await;
    let head = client.head().await;
    assert!(
        head.contains(&format!("content-length: {LARGE}\r\n")),
        "{head}"
    );
    expected.push(client.received_of_bodies().await);
    drop(client);
    served.assert_counted(&expected).await;

    // In the middle, and on purpose.
    let mut client = Client::connect(&served).await;
    client.ask(url, "").await;
    client.head().await;
    client.read(9_876_543).await;
    expected.push(client.received_of_bodies().await);
    client.stream.set_zero_linger().unwrap();
    drop(client);
    served.assert_counted(&expected).await;

    // After reading slowly.
    let mut client = Client::connect(&served).await;
    client.ask(url, "range: bytes=1000-\r\n").await;
    client.head().await;
    for _ in 0..3 {
        client.read(54_321).await;
        client.received_of_bodies().await;
    }
    expected.push(client.received_of_bodies().await);
    drop(client);
    served.assert_counted(&expected).await;

    let most = *expected.iter().max().unwrap();
    assert!(most > 9_876_543 && most < LARGE as u64, "{expected:?}");
}

/// Half of the connection is closed: it is not the end of what the other half may bring.
#[tokio::test]
async fn clients_that_stop_sending_have_been_counted_to_the_byte() {
    let served = Served::start().await;
    let url = served.large();
    let mut expected = Vec::new();

    // What was on its way is still read.
    let mut client = Client::connect(&served).await;
    client.ask(url, "").await;
    client.head().await;
    client.read(3_210_987).await;
    client.shut_down_writing().await;
    client.read_to_end().await;
    expected.push(client.read_of_bodies());
    served.assert_counted(&expected).await;
    // What the server held back is not more than it is meant to be.
    assert!(expected[0] < 3_210_987 + (1 << 20), "{expected:?}");

    // Or not.
    let mut client = Client::connect(&served).await;
    client.ask(url, "").await;
    client.head().await;
    client.read(1_234_567).await;
    client.shut_down_writing().await;
    expected.push(client.received_of_bodies().await);
    drop(client);
    served.assert_counted(&expected).await;
}

/// Several answers on one connection, one after the other and asked for at once.
#[tokio::test]
async fn every_answer_of_a_connection_is_counted_for_itself() {
    let served = Served::start().await;
    let url = served.large();
    let mut client = Client::connect(&served).await;
    client.ask(url, "range: bytes=0-99999\r\n").await;
    client.head().await;
    client.read(100_000).await;
    served.assert_counted(&[100_000]).await;

    client.ask(url, "range: bytes=-7\r\n").await;
    client.ask("http://x/healthz", "").await;
    client.ask(url, "range: bytes=0-199999\r\n").await;
    client.ask(url, "").await;
    client.head().await;
    client.read(7).await;
    let health = client.head().await;
    let (_, length) = health.split_once("content-length: ").unwrap();
    let length: usize = length.split_once('\r').unwrap().0.parse().unwrap();
    client.read(length).await;
    client.head().await;
    client.read(200_000).await;
    client.head().await;
    client.read(2_222_222).await;
    let others = 100_000 + 7 + length as u64 + 200_000;
    let last = client.received_of_bodies().await - others;
    drop(client);
    served.assert_counted(&[100_000, 7, 200_000, last]).await;
}

/// All of an answer was handed over, and the rest of it waits in the kernel: it counts when it has come.
#[tokio::test]
async fn a_client_that_reads_late_is_counted_when_it_does() {
    const SOME: u64 = 200_000;
    let served = Served::start().await;
    let url = served.large();
    let headers = format!("range: bytes=0-{}\r\nconnection: close\r\n", SOME - 1);

    let mut late = Client::connect(&served).await;
    late.ask(url, &headers).await;
    late.head().await;
    assert!(late.received_of_bodies().await < SOME);
    assert_eq!(served.world.counted().await, [0; 0]);
    late.read_to_end().await;
    assert_eq!(late.read_of_bodies(), SOME);
    served.assert_counted(&[SOME]).await;

    // Another never does.
    let mut never = Client::connect(&served).await;
    never.ask(url, &headers).await;
    never.head().await;
    let received = never.received_of_bodies().await;
    assert!(received < SOME);
    drop(never);
    served.assert_counted(&[SOME, received]).await;
}

/// A process that ends does not wait for a client that does not read, and does not forget it.
#[tokio::test]
async fn what_was_received_is_counted_when_the_process_ends() {
    let mut served = Served::start().await;
    let url = served.large().to_owned();
    let mut client = Client::connect(&served).await;
    client.ask(&url, "").await;
    client.head().await;
    client.read(1_000_000).await;
    let received = client.received_of_bodies().await;
    served.stop.cancel();
    (&mut served.serving).await.unwrap();
    assert_eq!(served.world.counted().await, [received]);
    // It got no more than that.
    client.read_to_end().await;
    assert_eq!(client.read_of_bodies(), received);
}
