//! One connection as it is counted: what was written to it, where in that an answer's body begins, and how much of it the
//! other machine has acknowledged. What an answer costs is not this module's business, nor is HTTP beyond the end of a head.
//!
//! Linux says how many bytes the other end's TCP has acknowledged (`tcpi_bytes_acked`, RFC 4898), and still says so after that
//! end has reset the connection. That is the count: what our own buffers or the kernel's held back never came, and what was
//! acknowledged had arrived. An acknowledgement that a reset overtook is not known to us, so the count is never too high.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{Shutdown, getsockopt, setsockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Options of TCP that no library names.
mod option {
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// The beginning of `struct tcp_info`, up to and with `tcpi_bytes_received` (Linux 4.1).
        Info,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        [u8; 136]
    );
    sockopt_impl!(
        /// With so many bytes not sent yet the kernel takes no more.
        UnsentAtMost,
        SetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_NOTSENT_LOWAT,
        usize
    );
}

/// What the kernel holds back at most beyond what is on its way: who hangs up without a reset gets that much unasked.
const UNSENT: usize = 128 << 10;
/// Between two looks: from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A connection that is over, and on which nothing was acknowledged for so long, is cut.
const STALLED: Duration = Duration::from_secs(120);
/// Of the kernel's states of a connection.
const CLOSED: u8 = 7;

/// One HTTP/1 connection, held by the listener until what was sent on it is accounted for.
pub(super) struct Line {
    socket: TcpStream,
    written: Mutex<Written>,
    /// Nothing more will be written.
    ended: CancellationToken,
    /// The process ends: nothing is waited for.
    cut: CancellationToken,
    /// What waits for acknowledgements.
    waiting: TaskTracker,
}

impl Line {
    /// `cut` ends every waiting.
    pub(super) fn new(socket: TcpStream, cut: CancellationToken) -> Arc<Self> {
        let _ = socket.set_nodelay(true);
        let _ = setsockopt(&socket, option::UnsentAtMost, &UNSENT);
        Arc::new(Self {
            socket,
            written: Mutex::default(),
            ended: CancellationToken::new(),
            cut,
            waiting: TaskTracker::new(),
        })
    }

    /// The connection's bytes, for whoever speaks HTTP on it.
    pub(super) fn wire(self: &Arc<Self>) -> Wire {
        Wire(Arc::clone(self))
    }

    /// What a request is told of the connection that it came on.
    pub(super) fn caller(self: &Arc<Self>) -> Caller {
        Caller(Arc::downgrade(self))
    }

    /// The wire was dropped. Waits until every answer is accounted for.
    pub(super) async fn end(&self) {
        self.ended.cancel();
        self.waiting.close();
        self.waiting.wait().await;
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrote(&self, slices: &[IoSlice<'_>], count: usize) {
        let mut left = count;
        let mut written = self.written();
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            written.add(part);
            left -= part.len();
            if left == 0 {
                break;
            }
        }
    }

    fn look(&self) -> io::Result<Look> {
        let info = getsockopt(&self.socket, option::Info)?;
        let at = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&info[at..at + 8]);
            u64::from_ne_bytes(bytes)
        };
        Ok(Look {
            closed: info[0] == CLOSED,
            acknowledged: at(120),
            received: at(128),
        })
    }
}

/// What the kernel says of a connection.
struct Look {
    /// Nothing will be acknowledged any more.
    closed: bool,
    /// Bytes since the beginning; the end of the stream counts as one.
    acknowledged: u64,
    received: u64,
}

/// The other end of a connection; stands in the extensions of each request that came over HTTP/1.
#[derive(Clone)]
pub struct Caller(Weak<Line>);

impl Caller {
    /// Follows an answer with a `Content-Length` to the other end. `mark` stands in its head, and in nothing that was written
    /// before it on any connection. None: the system does not say what was acknowledged.
    pub fn expect(&self, mark: &str) -> Option<Delivery> {
        let line = self.0.upgrade()?;
        // The request has arrived: a system that has received nothing does not count.
        let counts = line.look().is_ok_and(|look| look.received > 0);
        let body = counts.then(|| line.written().seek(mark))?;
        Some(Delivery { line, body })
    }
}

/// One answer on its way.
pub struct Delivery {
    line: Arc<Line>,
    /// Where its body begins, in bytes of the connection, once its head was written.
    body: Arc<OnceLock<u64>>,
}

impl Delivery {
    /// How much of the body came to the other end, once that is settled; `handed` bytes of it were handed over, and no more
    /// will be.
    pub async fn received(&self, handed: u64) -> u64 {
        let line = &*self.line;
        let mut pause = FIRST_PAUSE;
        let mut best = 0;
        let mut since = Instant::now();
        let mut had_ended = false;
        loop {
            // In this order: what was written before the end, and before what was acknowledged, is seen.
            let ended = line.ended.is_cancelled();
            let look = line.look();
            let written = line.written().bytes;
            let body = self.body.get().copied().unwrap_or(written);
            let written = (written - body).min(handed);
            let look = match look {
                Ok(look) => look,
                Err(error) => {
                    tracing::error!(%error, "a connection does not say what was received");
                    return written;
                }
            };
            let acknowledged = look.acknowledged.saturating_sub(body).min(written);
            let is_all = acknowledged == handed || ended && acknowledged == written;
            if is_all || look.closed {
                return acknowledged;
            }
            if acknowledged > best || ended != had_ended {
                (best, since, had_ended) = (acknowledged, Instant::now(), ended);
                pause = FIRST_PAUSE;
            }
            if ended && (line.cut.is_cancelled() || since.elapsed() > STALLED) {
                // What is queued must not be sent once it was not counted: the connection is reset when it is dropped.
                let _ = line.socket.set_zero_linger();
                return acknowledged;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = line.ended.cancelled(), if !ended => {}
                () = line.cut.cancelled(), if ended => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Runs a task with this delivery; the connection is kept until the task is done.
    pub fn keep<T>(self, runtime: &Handle, task: impl FnOnce(Self) -> T)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let waiting = self.line.waiting.clone();
        drop(waiting.spawn_on(task(self), runtime));
    }
}

/// What was written to a connection.
#[derive(Default)]
struct Written {
    bytes: u64,
    /// Heads that were not written yet, in their order.
    sought: VecDeque<Sought>,
    /// The last bytes, as far as a mark or the end of a head may have begun in them; empty while nothing is sought.
    tail: Vec<u8>,
}

struct Sought {
    mark: Vec<u8>,
    body: Weak<OnceLock<u64>>,
}

impl Written {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";

    fn seek(&mut self, mark: &str) -> Arc<OnceLock<u64>> {
        let body = Arc::new(OnceLock::new());
        self.sought.push_back(Sought {
            mark: mark.as_bytes().to_vec(),
            body: Arc::downgrade(&body),
        });
        body
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.sought.is_empty() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        while let Some(sought) = self.sought.front() {
            // Whoever asked has gone, so its head may never come.
            let Some(body) = sought.body.upgrade() else {
                self.sought.pop_front();
                continue;
            };
            let Some(mark) = find(&self.tail, &sought.mark) else {
                let done = self.tail.len().saturating_sub(sought.mark.len() - 1);
                self.tail.drain(..done);
                return;
            };
            let Some(end) = find(&self.tail[mark..], Self::END_OF_HEAD) else {
                self.tail.drain(..mark);
                return;
            };
            self.tail.drain(..mark + end + Self::END_OF_HEAD.len());
            let _ = body.set(self.bytes - self.tail.len() as u64);
            self.sought.pop_front();
        }
        self.tail.clear();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// Reads and writes the connection, and notes what was written.
pub(super) struct Wire(Arc<Line>);

impl Wire {
    fn poll_try_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = &*self.0;
        loop {
            ready!(line.socket.poll_write_ready(cx))?;
            match line.socket.try_write_vectored(slices) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(count) => {
                    line.wrote(slices, count);
                    return Poll::Ready(Ok(count));
                }
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &self.0.socket;
        loop {
            ready!(socket.poll_read_ready(cx))?;
            match socket.try_read_buf(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_try_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = nix::sys::socket::shutdown(self.0.socket.as_raw_fd(), Shutdown::Write);
        Poll::Ready(match done {
            Ok(()) | Err(Errno::ENOTCONN) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = b"HTTP/1.1 200 OK\r\nx-request-id: 11\r\nname: value\r\n\r\n";
    const SECOND: &[u8] = b"HTTP/1.1 206 Partial Content\r\nx-request-id: 22\r\n\r\n";

    /// However the bytes are cut into writes, the bodies are found, behind heads and ends of heads that are others'.
    #[test]
    fn bodies_begin_where_their_heads_end() {
        let before: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nof others: x-request-id\r\n\r\n";
        let stream = [before, FIRST, b"one\r\n\r\n", SECOND, b"two"].concat();
        let bodies = [
            (before.len() + FIRST.len()) as u64,
            (stream.len() - b"two".len()) as u64,
        ];
        for size in 1..=stream.len() {
            let mut written = Written::default();
            let found = ["x-request-id: 11", "x-request-id: 22"].map(|mark| written.seek(mark));
            for piece in stream.chunks(size) {
                written.add(piece);
                assert!(written.tail.len() <= size.max(FIRST.len()));
            }
            assert_eq!(
                found.map(|found| found.get().copied()),
                bodies.map(Some),
                "{size}"
            );
            assert!(written.tail.is_empty() && written.sought.is_empty());
            assert_eq!(written.bytes, stream.len() as u64);
        }
    }

    /// An answer that never came does not stand in the way of the next.
    #[test]
    fn what_nobody_waits_for_is_not_sought() {
        let mut written = Written::default();
        drop(written.seek("x-request-id: 11"));
        let second = written.seek("x-request-id: 22");
        written.add(SECOND);
        assert_eq!(second.get(), Some(&(SECOND.len() as u64)));
        assert!(written.sought.is_empty());
    }
}
