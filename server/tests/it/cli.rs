//! The binary itself: commands on a data folder, commands through a server, the server's start and end.

use futures::StreamExt as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const ENTREPOT: &str = env!("CARGO_BIN_EXE_entrepot");

pub(crate) fn entrepot(data: &Path) -> Command {
    let mut command = Command::new(ENTREPOT);
    command.env_clear().arg("--data").arg(data);
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    entrepot(data).args(arguments).output().unwrap()
}

pub(crate) fn done(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn json(data: &Path, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&done(data, &arguments)).unwrap()
}

/// What was said on standard error, and the exit status.
fn refused(data: &Path, arguments: &[&str]) -> (String, i32) {
    let output = run(data, arguments);
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    (
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap(),
    )
}

/// A server in a process of its own.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
}

impl Served {
    /// What it logs goes into the file `log` of the data folder.
    pub(crate) fn start(data: &Path, environment: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(data.join("log")).unwrap();
        let mut child = entrepot(data)
            .envs(environment.iter().copied())
            .args(["serve", "--addr", "127.0.0.1:0", "--site"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(address.starts_with("http://127.0.0.1:"), "{line}");
        Self { child, address }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Told to end; its exit status.
    fn end(self) -> i32 {
        self.tell_to_end();
        self.ended()
    }

    pub(crate) fn tell_to_end(&self) {
        let killed = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    /// The exit status, once it has ended.
    pub(crate) fn ended(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_on_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    let said = done(
        data,
        &["user", "create", "ada", "--role", "admin", "--generate"],
    );
    assert!(said.contains("shown only now: "), "{said}");
    // For a program, too: nobody else knows it.
    let generated = |arguments: &[&str]| {
        let told = json(data, arguments);
        told["password"].as_str().unwrap().len()
    };
    assert_eq!(generated(&["user", "password", "ada", "--generate"]), 20);
    done(
        data,
        &["domain", "create", "vehicle", "--title", "Vehicle data"],
    );
    done(
        data,
        &[
            "team",
            "create",
            "rnd",
            "--domain",
            "vehicle",
            "--title",
            "R&D",
            "--cost-center",
            "1",
        ],
    );
    done(
        data,
        &["team", "member", "rnd", "ada", "--role", "producer"],
    );
    let team = json(data, &["team", "show", "rnd"]);
    assert_eq!(team["members"][0]["role"], "producer");
    let shown = done(data, &["team", "show", "rnd"]);
    assert!(
        shown.contains("Cost centre  1") && shown.contains("producer     ada"),
        "{shown}"
    );
    let listed = done(data, &["domain", "list"]);
    assert_eq!(listed, "NAME     TITLE\nvehicle  Vehicle data\n");
    assert_eq!(json(data, &["user", "whoami"])["title"], "Operator");
    let token = json(data, &["token", "create", "ci", "--person", "ada"]);
    assert!(token["token"].as_str().unwrap().starts_with("entrepot_st_"));
    assert_eq!(done(data, &["work", "list"]), "none\n");
    let verified = json(data, &["audit", "verify"]);
    assert_eq!(
        (verified["rows"].as_i64(), verified["broken"].is_null()),
        (Some(6), true)
    );
    let anchor = verified["head"].as_str().unwrap();
    done(data, &["audit", "verify", "--anchor", anchor]);
    let wrong = run(data, &["audit", "verify", "--anchor", &"0".repeat(64)]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stdout).contains("broken"));
    assert!(json(data, &["migrate"])["migrated"].as_bool().unwrap());
    let log = done(data, &["audit", "list"]);
    assert!(
        log.contains("PersonCreate") && !log.contains("ada"),
        "{log}"
    );
}

#[test]
fn passwords_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = entrepot(folder.path())
        .args(["user", "create", "ada", "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"correct horse battery\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("horse"));
    let (said, status) = refused(
        folder.path(),
        &["user", "create", "mara", "--password", "x"],
    );
    assert!(
        said.contains("--password") && status == 1,
        "no password as an argument: {said}"
    );
}

#[test]
fn wrong_use_is_1_and_says_what() {
    let folder = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["nonsense"], "unrecognized subcommand"),
        (&["user", "create"], "NAME"),
        (&["user", "create", "No Name"], "name: not a name"),
        (&["user", "update", "ada"], "say what to change"),
        (&["user", "update", "gone", "--disable"], "no such person"),
        (
            &["user", "password", "ada"],
            "--password-stdin or --generate",
        ),
        (&["token", "create", "ci"], "person: say whom"),
        (&["token", "revoke", "junk"], "no such"),
        (
            &[
                "team",
                "create",
                "t",
                "--domain",
                "d",
                "--title",
                "t",
                "--cost-center",
                "1",
            ],
            "domain: there is no such domain",
        ),
        (
            &["user", "list", "--server", "http://127.0.0.1:1"],
            "needs a service token",
        ),
        (
            &["user", "list", "--server", "ftp://x", "--token", "t"],
            "http:// or https://",
        ),
        (
            &[
                "user",
                "list",
                "--server",
                "http://127.0.0.1:1",
                "--token",
                "t",
            ],
            "does not answer",
        ),
        (
            &["user", "list", "--config", "/nowhere.toml"],
            "configuration cannot be read",
        ),
    ];
    for (arguments, expected) in cases {
        let (said, status) = refused(folder.path(), arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(status, 1, "{arguments:?}");
        assert!(
            !said.contains("panicked") && !said.contains("RUST_BACKTRACE"),
            "{said}"
        );
    }
    std::fs::write(
        folder.path().join("entrepot.toml"),
        "[server]\nadr = \"x\"\n",
    )
    .unwrap();
    let (said, status) = refused(folder.path(), &["serve"]);
    assert!(
        said.contains("did you mean `server.addr`?") && status == 1,
        "{said}"
    );
    for arguments in [&["--help"][..], &["user", "--help"], &["--version"]] {
        assert!(
            run(folder.path(), arguments).status.success(),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_server_and_commands_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let served = Served::start(data, &[]);
    // The first account is made while the server runs, on the folder.
    done(
        data,
        &["user", "create", "ada", "--role", "admin", "--generate"],
    );
    let token = json(data, &["token", "create", "ci", "--person", "ada"])["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let there = |arguments: &[&str]| {
        entrepot(data)
            .env("ENTREPOT_SERVER", &served.address)
            .env("ENTREPOT_TOKEN", &token)
            .args(arguments)
            .output()
            .unwrap()
    };
    let made = there(&["domain", "create", "vehicle", "--title", "Vehicle"]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let me = there(&["user", "whoami", "--json"]);
    let me: Value = serde_json::from_slice(&me.stdout).unwrap();
    assert_eq!(me["name"], "ada");
    for n in 0..205 {
        assert!(
            n > 2
                || there(&["domain", "create", &format!("d{n}"), "--title", "D"])
                    .status
                    .success()
        );
    }
    let listed = there(&["domain", "list"]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 5);
    let wrong = there(&["domain", "create", "vehicle", "--title", "Vehicle"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("name: that name is taken"));

    // One server at a time on a data folder.
    let second = entrepot(data)
        .args(["serve", "--addr", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another"));
    assert_eq!(served.end(), 0, "stops cleanly");
    let again = Served::start(data, &[]);
    assert_eq!(again.end(), 0);
}

#[test]
fn profiles_point_to_where_the_server_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    for arguments in [
        &["domain", "create", "vehicle", "--title", "Vehicle"][..],
        &[
            "team",
            "create",
            "rnd",
            "--domain",
            "vehicle",
            "--title",
            "R&D",
            "--cost-center",
            "1",
        ],
    ] {
        done(data, arguments);
    }
    let endpoint = |name: &str, environment: &[(&str, &str)]| {
        let mut create = vec!["recipient", "create", name, "--team", "rnd"];
        create.extend(["--cloud", "azure", "--region", "westeurope"]);
        done(data, &create);
        let profile = entrepot(data)
            .envs(environment.iter().copied())
            .args(["recipient", "profile", name])
            .output()
            .unwrap();
        let profile: Value = serde_json::from_slice(&profile.stdout).unwrap();
        profile["endpoint"].as_str().unwrap().to_owned()
    };
    // Nobody has served this folder yet: where it would be.
    assert_eq!(endpoint("r1", &[]), "http://127.0.0.1:3000/delta-sharing/");
    let served = Served::start(data, &[]);
    let there = format!("{}/delta-sharing/", served.address);
    assert_ne!(there, "http://127.0.0.1:3000/delta-sharing/");
    assert_eq!(endpoint("r2", &[]), there);
    // What is configured holds.
    let configured = ("ENTREPOT__SERVER__PUBLIC_URL", "https://data.example");
    assert_eq!(
        endpoint("r3", &[configured]),
        "https://data.example/delta-sharing/"
    );
    assert_eq!(served.end(), 0);
    assert_eq!(endpoint("r4", &[]), there, "where it was last");
}

#[tokio::test]
async fn over_a_real_connection() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let metrics = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let served = Served::start(
        folder.path(),
        &[("ENTREPOT__SERVER__METRICS_ADDR", &metrics)],
    );
    let client = reqwest::Client::new();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let ready = client
            .get(format!("{}/readyz", served.address))
            .send()
            .await
            .unwrap();
        if ready.status().is_success() {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{}",
            ready.text().await.unwrap()
        );
        tokio::task::yield_now().await;
    }
    let page = client.get(&served.address).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    assert!(page.headers().get("server").is_none());
    let shown = client
        .get(format!("http://{metrics}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        shown.contains("http_requests_total") && shown.contains("route=\"/readyz\""),
        "{shown}"
    );
    let elsewhere = client
        .get(format!("{}/metrics", served.address))
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status().as_u16(), 404);
    // A body that is larger than it may be, sent in chunks: its length is not known before. It does not end: a client that
    // still has something to send when it is refused may see a closed connection instead of the answer.
    let chunks =
        futures::stream::iter((0..17).map(|_| Ok::<_, std::io::Error>(vec![b'a'; 64 * 1024])))
            .chain(futures::stream::pending());
    let large = client
        .post(format!("{}/sign-in", served.address))
        .header("origin", &served.address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(reqwest::Body::wrap_stream(chunks))
        .send()
        .await
        .unwrap();
    assert_eq!(large.status().as_u16(), 413);
    assert_eq!(served.end(), 0);
}
