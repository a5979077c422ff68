//! The command line towards other programs and towards what it finds on a machine: `--json` when something fails, variables
//! that are no text, folders that others could read or that somebody else uses.

use std::ffi::OsString;
use std::io::BufReader;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use server::folder;

fn entrepot(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entrepot"));
    command.env_clear().arg("--data").arg(data);
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    entrepot(data).args(arguments).output().unwrap()
}

fn done(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The problem document on standard output of a command that fails with this status and says nothing else.
fn problem(data: &Path, arguments: &[&str], status: i32) -> Value {
    let output = run(data, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(status), ""),
        "{arguments:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let problem: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(problem["title"].is_string(), "{arguments:?}: {problem}");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{arguments:?}: {problem}"
    );
    problem
}

/// Ends when dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Asks it to stop, and answers what was left of its log.
    fn end(self, log: impl std::io::Read) -> String {
        self.end_by("TERM", log)
    }

    fn end_by(mut self, signal: &str, mut log: impl std::io::Read) -> String {
        let pid = self.0.id().to_string();
        let killed = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(killed.unwrap().success());
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0), "{signal}: {rest}");
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn line(from: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn what_fails_is_json_where_json_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    for arguments in [
        &["--json"][..],
        &["nonsense", "--json"],
        &["--json", "user", "create"],
        &["product", "show", "--json", "--frobnicate"],
    ] {
        let wrong = problem(data, arguments, 1);
        assert_eq!(wrong["title"], "Wrong use", "{wrong}");
    }
    assert!(!data.exists(), "nothing was begun");
    // What the exchange refuses is its own document, fields and all.
    let refused = problem(
        data,
        &["user", "create", "x y", "--role", "nonsense", "--json"],
        1,
    );
    assert_eq!(refused["status"], 400, "{refused}");
    let errors = refused["errors"].as_array().unwrap();
    let of = |field: &str| {
        let found = errors.iter().find(|error| {
            error["field"]
                .as_str()
                .is_some_and(|found| found.starts_with(field))
        });
        found.unwrap_or_else(|| panic!("{field}: {refused}"))["message"]
            .as_str()
            .unwrap()
    };
    assert!(!of("name").is_empty());
    assert_eq!(
        of("roles"),
        "unknown role `nonsense`: use data_protection, finance, auditor, admin"
    );
    let missing = problem(data, &["product", "show", "vehicle-none", "--json"], 1);
    assert_eq!(missing["status"], 404);
    // And so is what fails before anybody is asked.
    let remote = &[
        "product",
        "list",
        "--json",
        "--server",
        "http://127.0.0.1:9",
    ];
    let no_token = problem(data, remote, 1);
    assert!(no_token["detail"].as_str().unwrap().contains("--token"));
    let mut nobody = remote.to_vec();
    nobody.extend(["--token", "entrepot_st_x"]);
    let no_answer = problem(data, &nobody, 1);
    assert!(
        no_answer["detail"]
            .as_str()
            .unwrap()
            .contains("does not answer")
    );
    std::fs::write(
        folder.path().join("x.toml"),
        "[database]\nurl = \"mysql://db/x\"\n",
    )
    .unwrap();
    let config = folder.path().join("x.toml").display().to_string();
    let wrong = problem(data, &["user", "list", "--json", "--config", &config], 1);
    let detail = wrong["detail"].as_str().unwrap();
    assert!(
        detail.contains("sqlite://") && detail.contains("postgres://"),
        "{detail}"
    );
    let gone = folder.path().join("gone.yml").display().to_string();
    problem(data, &["plan", &gone, "--json"], 1);
    // Without it a sentence on standard error, as before.
    let plain = run(data, &["product", "show", "vehicle-none"]);
    assert!(plain.stdout.is_empty() && plain.status.code() == Some(1));
    let said = String::from_utf8(plain.stderr).unwrap();
    assert!(said.starts_with("entrepot: "), "{said}");
}

#[test]
fn servers_log_json_where_json_was_asked_for_and_stop_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    done(data, &["migrate"]);
    // A service manager's way of stopping them, and Ctrl-C.
    for (command, signal) in [
        ("serve", "TERM"),
        ("serve", "INT"),
        ("worker", "TERM"),
        ("worker", "INT"),
    ] {
        let mut process = entrepot(data);
        process.args([command, "--json"]);
        if command == "serve" {
            process.args(["--addr", "127.0.0.1:0"]);
        }
        let mut process = Process::start(&mut process);
        let mut log = BufReader::new(process.0.stderr.take().unwrap());
        let mut lines = Vec::new();
        if command == "serve" {
            let mut out = BufReader::new(process.0.stdout.take().unwrap());
            let said: Value = serde_json::from_str(&line(&mut out)).unwrap();
            let served = said["serving"].as_str().unwrap();
            assert!(served.starts_with("http://127.0.0.1:"), "{said}");
        }
        while !lines.iter().any(|line: &String| line.contains("ing\"")) {
            lines.push(line(&mut log));
        }
        lines.extend(process.end_by(signal, log).lines().map(str::to_owned));
        assert!(
            lines.iter().any(|line| line.contains("stopped")),
            "{lines:?}"
        );
        for line in &lines {
            let event: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(event["level"].is_string(), "{line}");
        }
        nothing_is_left_half(data);
    }
}

/// The folder is free at once, the write-ahead log is folded into the database, and no copy is in flight.
fn nothing_is_left_half(data: &Path) {
    drop(folder::lock(data).unwrap());
    let mut names: Vec<String> = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert!(names.iter().any(|name| name == "entrepot.db"), "{names:?}");
    for half in ["entrepot.db-wal", "entrepot.db-shm", "entrepot.db-journal"] {
        assert!(!names.iter().any(|name| name == half), "{names:?}");
    }
    let runs = data.join("runs");
    assert!(!runs.exists() || std::fs::read_dir(runs).unwrap().next().is_none());
}

#[test]
fn variables_that_are_no_text_are_nobodys_business() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
    let output = entrepot(data)
        .env("LS_COLORS", bytes(b"\xff\xfe=1"))
        .env(bytes(b"\xc3\x28"), "x")
        .args(["user", "list"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // One of ours that was meant to say something is named.
    let output = entrepot(data)
        .env("ENTREPOT__TELEMETRY__FILTER", bytes(b"\xff"))
        .args(["user", "list"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ENTREPOT__TELEMETRY__FILTER"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_folder_that_others_could_read_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    std::fs::create_dir(data).unwrap();
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o755)).unwrap();
    done(
        data,
        &["user", "create", "ada", "--role", "admin", "--generate"],
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(data), 0o700);
    assert_eq!(mode(&data.join("entrepot.db")), 0o600);
    // One that was made by an older version, with what SQLite keeps beside it.
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::set_permissions(data.join("keys"), std::fs::Permissions::from_mode(0o600)).unwrap();
    done(data, &["user", "list"]);
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("entrepot.db")
        {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

#[test]
fn a_server_waits_for_a_command_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    done(data, &["migrate"]);
    // As a command has it while it works.
    let held = folder::lock(data).unwrap();
    let mut process = entrepot(data);
    process.args(["serve", "--addr", "127.0.0.1:0"]);
    let mut process = Process::start(&mut process);
    let mut log = BufReader::new(process.0.stderr.take().unwrap());
    let waits = line(&mut log);
    assert!(waits.contains("in use; waiting"), "{waits}");
    drop(held);
    // And that some of what it will read cannot be billed.
    let place = line(&mut log);
    assert!(place.contains("[location]"), "{place}");
    let mut out = BufReader::new(process.0.stdout.take().unwrap());
    let said = line(&mut out);
    assert!(said.starts_with("Entrepôt serves http://"), "{said}");
    process.end(log);
}

#[test]
fn the_doctor_looks_at_every_storage() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    std::fs::create_dir(data).unwrap();
    let lake = folder.path().join("lake");
    std::fs::create_dir_all(lake.join("one")).unwrap();
    std::fs::create_dir_all(lake.join("two")).unwrap();
    let config = format!("[storage]\nfile_roots = [\"{}\"]\n", lake.display());
    std::fs::write(data.join("entrepot.toml"), config).unwrap();
    assert_eq!(
        done(data, &["doctor"]),
        "There is no storage yet.\n\n\
         mail: not configured; see [mail] in docs/OPERATING.md\n\
         webhook: not configured; see [webhook] in docs/OPERATING.md\n"
    );
    for name in ["one", "two"] {
        let url = format!("file://{}", lake.join(name).display());
        let place = ["--cloud", "aws", "--region", "eu-central-1"];
        let mut create = vec!["storage", "create", name, "--url", &url];
        create.extend(place);
        done(data, &create);
    }
    let said = done(data, &["doctor"]);
    assert!(said.contains("one\n") && said.contains("two\n"), "{said}");
    assert!(said.contains("does not know where it runs"), "{said}");
    assert!(said.contains("[location]"), "{said}");
    let answer: Value = serde_json::from_str(&done(data, &["doctor", "--json"])).unwrap();
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    for (item, name) in items.iter().zip(["one", "two"]) {
        assert_eq!(item["storage"], name);
        assert!(!item["report"]["checks"].as_array().unwrap().is_empty());
    }
    // One that cannot be opened does not keep the other from being looked at.
    let config = format!(
        "[storage]\nfile_roots = [\"{}\"]\n",
        lake.join("two").display()
    );
    std::fs::write(data.join("entrepot.toml"), config).unwrap();
    let failed = run(data, &["doctor", "--json"]);
    assert_eq!(failed.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(answer["items"].as_array().unwrap().len(), 2, "{answer}");
    let problem = &answer["items"][0]["problem"];
    assert!(problem["detail"].is_string(), "{answer}");
    assert!(
        !answer["items"][1]["report"]["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["outcome"] == "failed"),
        "{answer}"
    );
}
