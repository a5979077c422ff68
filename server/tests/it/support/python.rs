//! The real Python clients (`deltalake`, `delta-sharing`), run as programs of `end2end/python` by `TEST_PYTHON`, the
//! interpreter of the virtual environment that `cargo xtask` makes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

/// Starting the interpreter with its packages takes seconds on a busy machine; a hanging client is not to hang the run.
const LONGEST: Duration = Duration::from_secs(120);

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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../end2end/python");
        let mut child = tokio::process::Command::new(&self.0)
            .arg(folder.join(script))
            // Nothing from this machine decides how stores are reached.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.0.display()));
        let mut stdin = child.stdin.take().unwrap();
        // A script that ends without reading says why on its error output.
        let _ = stdin.write_all(input.to_string().as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(LONGEST, child.wait_with_output())
            .await
            .map_err(|_| format!("{script} did not end within {LONGEST:?}"))?
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("{script} {}: {said}", output.status));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let printed = String::from_utf8_lossy(&output.stdout);
            format!("{script} printed something else ({error}): {printed}\n{said}")
        })
    }

    pub(crate) async fn run<T: DeserializeOwned>(&self, script: &str, input: &Value) -> T {
        match self.try_run(script, input).await {
            Ok(value) => value,
            Err(said) => panic!("{said}"),
        }
    }
}
