//! The bulk copy from the S3 server to Azurite, against `rclone copy` of the same objects. Both read from the server in this process
//! and write through one relay: some versions of rclone find Azure's emulator at its usual port alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use object_store::ObjectStoreExt as _;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::child::FROM;
use crate::figure::{Figure, Limit, median};
use crate::server::{KEY, SECRET, Server};
use crate::stores::Metered;
use crate::targets::copy_all;

const FILES: usize = 4;
const SIZE: usize = 128 << 20;
/// Each contender; by turns.
const ROUNDS: usize = 3;
const CONTAINER: &str = "bench";
const ACCOUNT: &str = "devstoreaccount1";
/// Published with Azurite, the same everywhere.
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR: &str = "127.0.0.1:10000";

/// `azure`: Azurite's address with the account, `http://host:port/account`.
pub(crate) async fn measure(folder: &Path, azure: &str) -> Result<Vec<Figure>> {
    let direct = azure.strip_prefix("http://").context("no http address")?;
    let direct = direct.split('/').next().unwrap_or_default().to_owned();
    let listener = TcpListener::bind(EMULATOR)
        .await
        .with_context(|| format!("{EMULATOR}, where rclone looks for the emulator, is taken"))?;
    tokio::spawn(relay(listener, direct));
    let server = Server::start(&folder.join("server")).await?;
    let source = server.open(FROM)?;
    let mut objects = Vec::new();
    for number in 0..FILES {
        let name = format!("part-{number}.parquet");
        let body = vec![7_u8; SIZE].into();
        source.objects.put(&name.as_str().into(), body).await?;
        objects.push((name, SIZE as u64));
    }
    run(folder, &server, &["mkdir", &format!("dst:{CONTAINER}")]).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let begin = Instant::now();
        // With the slash it is not asked for as an object first, which this server, whose objects are files, fails on.
        let from = format!("src:lake/{FROM}/");
        let to = format!("dst:{CONTAINER}/rclone-{round}");
        let copy = [
            "copy",
            &from,
            &to,
            "--transfers=4",
            "--azureblob-chunk-size=8Mi",
            "--azureblob-upload-concurrency=2",
        ];
        run(folder, &server, &copy).await?;
        theirs.push(begin.elapsed().as_secs_f64());

        let url = format!("abfss://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net/ours-{round}");
        let key = json!({ "account_key": ACCOUNT_KEY }).to_string();
        let target = Metered::cloud(&url, &format!("http://{EMULATOR}"), &key)?;
        let begin = Instant::now();
        copy_all(&source, &target, folder, &objects).await?;
        ours.push(begin.elapsed().as_secs_f64());
        for (name, size) in &objects {
            let there = target.objects.head(&name.as_str().into()).await?;
            ensure!(there.size == *size, "{name} has {} bytes", there.size);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    Ok(vec![
        Figure::new(
            "bulk copy S3 to Azure, 4 files of 128 MiB at once: speed against rclone",
            theirs / ours,
            "x",
            Limit::AtLeast(0.95),
        ),
        Figure::new("bulk copy, ours", ours, "s", Limit::None),
        Figure::new("bulk copy, rclone", theirs, "s", Limit::None),
    ])
}

async fn relay(listener: TcpListener, to: String) {
    while let Ok((mut here, _)) = listener.accept().await {
        let to = to.clone();
        tokio::spawn(async move {
            if let Ok(mut there) = TcpStream::connect(&to).await {
                // Whoever hangs up says so on the other side.
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            }
        });
    }
}

/// `rclone` with both ends as its environment names them.
async fn run(folder: &Path, server: &Server, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("rclone");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Settings of this machine for AWS's own tools, which rclone would take for its own.
        .env_remove("AWS_CA_BUNDLE")
        .env("RCLONE_CONFIG", folder.join("rclone.conf"))
        .env("RCLONE_CONFIG_SRC_TYPE", "s3")
        .env("RCLONE_CONFIG_SRC_PROVIDER", "Other")
        .env("RCLONE_CONFIG_SRC_ACCESS_KEY_ID", KEY)
        .env("RCLONE_CONFIG_SRC_SECRET_ACCESS_KEY", SECRET)
        .env("RCLONE_CONFIG_SRC_REGION", "eu-central-1")
        .env("RCLONE_CONFIG_SRC_ENDPOINT", &server.endpoint)
        .env("RCLONE_CONFIG_SRC_FORCE_PATH_STYLE", "true")
        .env("RCLONE_CONFIG_DST_TYPE", "azureblob")
        .env("RCLONE_CONFIG_DST_USE_EMULATOR", "true")
        .env("RCLONE_CONFIG_DST_ACCOUNT", ACCOUNT)
        .env("RCLONE_CONFIG_DST_KEY", ACCOUNT_KEY)
        .env(
            "RCLONE_CONFIG_DST_ENDPOINT",
            format!("http://{EMULATOR}/{ACCOUNT}"),
        );
    // Waiting blocks, and the S3 server is in this process.
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(
        output.status.success(),
        "rclone failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
