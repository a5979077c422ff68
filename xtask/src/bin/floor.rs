//! What an answer of the sharing protocol cannot do without: signing each file's URL and writing its line. Nothing of the product: a
//! signature by the letter of AWS Signature Version 4, with the day's key made once, and the line into a buffer.
//!
//! `floor ANSWER THREADS ROUNDS`: the files of an answer that the server gave, signed and written again by so many threads. Prints
//! the seconds of each round. A binary of its own, because it has to be optimised and xtask is not.

use std::time::Instant;

use anyhow::{Context as _, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const DATE: &str = "20260101";
const TIME: &str = "20260101T000000Z";
const SCOPE: &str = "20260101/eu-central-1/s3/aws4_request";
const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIABENCH%2F20260101%2Feu-central-1%2Fs3%2Faws4_request\
                     &X-Amz-Date=20260101T000000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host";

struct File {
    host: String,
    path: String,
    id: String,
    partition_values: Value,
    size: u64,
    stats: Option<String>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [answer, threads, rounds] = arguments.as_slice() else {
        anyhow::bail!("usage: floor ANSWER THREADS ROUNDS");
    };
    let (threads, rounds): (usize, usize) = (threads.parse()?, rounds.parse()?);
    let text = std::fs::read_to_string(answer).with_context(|| format!("read {answer}"))?;
    let files = files(&text)?;
    let key = signing_key("bench-secret")?;
    let key = key.as_slice();
    for _ in 0..rounds {
        let begin = Instant::now();
        let bytes: usize = std::thread::scope(|scope| {
            let parts = files.chunks(files.len().div_ceil(threads.max(1)).max(1));
            let working: Vec<_> = parts
                .map(|part| scope.spawn(move || write_all(part, key)))
                .collect();
            working
                .into_iter()
                .filter_map(|thread| thread.join().ok()?.ok())
                .sum()
        });
        let seconds = begin.elapsed().as_secs_f64();
        anyhow::ensure!(bytes > files.len() * 200, "not all lines were written");
        println!("{seconds}");
    }
    Ok(())
}

fn files(text: &str) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).context("a line of the answer is not JSON")?;
        let Some(file) = line.get("file") else {
            continue;
        };
        let text = |name: &str| file[name].as_str().map(str::to_owned);
        let url = text("url").context("a file without URL")?;
        let rest = url.split_once("://").context("no URL")?.1;
        let (host, path) = rest.split_once('/').context("no path in a URL")?;
        let path = path.split('?').next().unwrap_or_default();
        files.push(File {
            host: host.to_owned(),
            path: format!("/{path}"),
            id: text("id").context("a file without id")?,
            partition_values: file["partitionValues"].clone(),
            size: file["size"].as_u64().context("a file without size")?,
            stats: text("stats"),
        });
    }
    anyhow::ensure!(!files.is_empty(), "the answer has no files");
    Ok(files)
}

/// The bytes written.
fn write_all(files: &[File], key: &[u8]) -> Result<usize> {
    // As an answer is streamed: a buffer that is used again and again.
    let (mut out, mut bytes) = (Vec::with_capacity(1 << 20), 0);
    for file in files {
        if out.len() > 900_000 {
            bytes += out.len();
            out.clear();
        }
        let signature = sign(file, key)?;
        out.extend_from_slice(b"{\"file\":{\"url\":");
        let url = format!(
            "http://{}{}?{QUERY}&X-Amz-Signature={signature}",
            file.host, file.path
        );
        serde_json::to_writer(&mut out, &url)?;
        out.extend_from_slice(b",\"id\":");
        serde_json::to_writer(&mut out, &file.id)?;
        out.extend_from_slice(b",\"partitionValues\":");
        serde_json::to_writer(&mut out, &file.partition_values)?;
        out.extend_from_slice(format!(",\"size\":{}", file.size).as_bytes());
        if let Some(stats) = &file.stats {
            out.extend_from_slice(b",\"stats\":");
            serde_json::to_writer(&mut out, stats)?;
        }
        out.extend_from_slice(b",\"expirationTimestamp\":1767229200000}}\n");
    }
    Ok(bytes + out.len())
}

fn sign(file: &File, key: &[u8]) -> Result<String> {
    let request = format!(
        "GET\n{}\n{QUERY}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
        file.path, file.host
    );
    let hash = hex(&Sha256::digest(request.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{TIME}\n{SCOPE}\n{hash}");
    Ok(hex(&mac(key, text.as_bytes())?))
}

fn signing_key(secret: &str) -> Result<Vec<u8>> {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [DATE, "eu-central-1", "s3", "aws4_request"] {
        key = mac(&key, part.as_bytes())?;
    }
    Ok(key)
}

fn mac(key: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let mac = Hmac::<Sha256>::new_from_slice(key)
        .ok()
        .context("no key has that length")?;
    Ok(mac.chain_update(data).finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
