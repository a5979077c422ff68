//! The real Python clients (`deltalake`, `delta-sharing`), run as programs of `end2end/python` by `TEST_PYTHON`, the
//! interpreter of the virtual environment that `cargo xtask` makes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// A client that hangs is not to hang the run.
const LONGEST: Duration = Duration::from_secs(120);

/// `serve.py`, one for all tests of this process: importing the clients takes a second, and each program runs in a fork of
/// what has imported them. It ends when this process does, by the end of its input.
struct Server {
    socket: PathBuf,
    /// Holds the server's input open.
    _child: Child,
    _folder: TempDir,
}

static SERVER: OnceLock<Server> = OnceLock::new();

impl Server {
    fn start(interpreter: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let mut child = Command::new(interpreter)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../end2end/python/serve.py"))
            .arg(&socket)
            // Nothing from this machine decides how stores are reached.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "*")
            // Threads do not survive a fork.
            .env("OPENBLAS_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", interpreter.display()));
        let mut said = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "serve.py says why on its error output");
        Self {
            socket,
            _child: child,
            _folder: folder,
        }
    }
}

/// How a program ended.
#[derive(Deserialize)]
struct Ended {
    status: i32,
    out: String,
    said: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// `None` in a quick run, which does without.
    pub(crate) fn find() -> Option<Self> {
        super::environment::wanted("TEST_PYTHON").map(|path| Self(path.into()))
    }

    /// Runs a script with one JSON object as its input; what it prints is JSON too. `Err` is what it said instead.
    pub(crate) async fn try_run<T: DeserializeOwned>(
        &self,
        script: &str,
        input: &Value,
    ) -> Result<T, String> {
        let asked = json!({ "script": script, "input": input }).to_string();
        let answer = tokio::time::timeout(LONGEST, self.ask(&asked))
            .await
            .map_err(|_| format!("{script} did not end within {LONGEST:?}"))?;
        let ended: Ended = serde_json::from_slice(&answer)
            .map_err(|error| format!("{script} ended without an answer ({error})"))?;
        let Ended { status, out, said } = ended;
        if status != 0 {
            return Err(format!("{script} {status}: {said}"));
        }
        serde_json::from_str(&out)
            .map_err(|error| format!("{script} printed something else ({error}): {out}\n{said}"))
    }

    async fn ask(&self, asked: &str) -> Vec<u8> {
        let interpreter = self.0.clone();
        let start = move || {
            SERVER
                .get_or_init(|| Server::start(&interpreter))
                .socket
                .as_path()
        };
        let socket = tokio::task::spawn_blocking(start).await.unwrap();
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(asked.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    pub(crate) async fn run<T: DeserializeOwned>(&self, script: &str, input: &Value) -> T {
        match self.try_run(script, input).await {
            Ok(value) => value,
            Err(said) => panic!("{said}"),
        }
    }
}
