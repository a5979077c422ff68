//! A real mail server, `aiosmtpd`, as a process of its own (`end2end/python/smtp_server.py`).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::environment::wanted;

/// A server that says nothing for so long has heard nothing.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct SmtpServer {
    pub(super) port: u16,
    /// The certificate of the authority that its own is of.
    pub(super) authority: PathBuf,
    lines: Receiver<Value>,
    child: Child,
    _folder: TempDir,
}

impl SmtpServer {
    /// `None` in a quick run, which does without.
    pub(super) fn start(arguments: &[&str]) -> Option<Self> {
        let interpreter = wanted("TEST_PYTHON")?;
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../end2end/python/smtp_server.py");
        let mut child = Command::new(interpreter)
            .arg(script)
            .arg(folder.path())
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let line = serde_json::from_str(&line.unwrap()).unwrap();
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let ready: Value = lines
            .recv_timeout(LONGEST)
            .expect("the mail server starts: aiosmtpd stands in end2end/requirements.txt");
        Some(Self {
            port: u16::try_from(ready["port"].as_u64().unwrap()).unwrap(),
            authority: ready["ca"].as_str().unwrap().into(),
            lines,
            child,
            _folder: folder,
        })
    }

    /// The next message that it took.
    pub(super) fn message(&self) -> Value {
        loop {
            let line = self.lines.recv_timeout(LONGEST).expect("a message");
            if line["heard"] == "message" {
                return line;
            }
        }
    }

    /// Ends it; answers all that it heard and nobody has asked for.
    pub(super) fn end(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }
}

/// What of this was heard.
pub(super) fn heard<'a>(lines: &'a [Value], what: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["heard"] == what).collect()
}

/// The values of a message's header.
pub(super) fn header<'a>(message: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = message["headers"].as_array().unwrap();
    headers
        .iter()
        .filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name))
        .map(|header| header[1].as_str().unwrap())
        .collect()
}
