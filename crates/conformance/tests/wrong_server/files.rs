//! The data files, by signed URL.

use axum::http::request::Parts;
use conformance::fixture::Table;

use super::Server;
use super::ask::decoded;
use super::reply::{Reply, error};

pub(crate) fn signed(server: &Server, table: &Table, path: &str) -> String {
    let name = if server.wrong("T1.recognised-url") {
        "ticket"
    } else {
        "X-Amz-Signature"
    };
    let (base, folder) = (&server.base, table.full_name());
    format!("{base}/files/{folder}/{path}?{name}=1")
}

pub(crate) fn answer(server: &Server, parts: &Parts) -> Reply {
    let path = decoded(parts.uri.path().trim_start_matches("/files/"));
    let Some((table, path)) = path.split_once('/') else {
        return error(404, "NoSuchKey", "no");
    };
    let found = {
        let tables = server.tables.lock().unwrap();
        let table = tables.iter().find(|found| found.full_name() == table);
        let objects = table.map(Table::objects).unwrap_or_default();
        objects.into_iter().find(|(name, _)| name == path)
    };
    let found = found.filter(|_| {
        !(server.wrong("T2.every-table") && table == "conformance-mapped.default.mapped")
    });
    let Some((_, mut content)) = found else {
        return error(404, "NoSuchKey", "no");
    };
    if server.wrong("T2.whole-object") || server.wrong("A.size") {
        content.pop();
    }
    if server.wrong("T2.parquet") {
        content.fill(0);
    }
    let size = content.len();
    let reply = Reply::new(200).header("content-type", "application/octet-stream");
    if parts.method.as_str() == "HEAD" {
        if server.wrong("T3.length") {
            return Reply::new(403);
        }
        return reply.header("content-length", &size.to_string());
    }
    let range = parts
        .headers
        .get("range")
        .and_then(|range| range.to_str().ok());
    let range = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'));
    let Some((from, to)) = range.filter(|_| !server.wrong("T3.ranges")) else {
        return reply.body(content);
    };
    let from: usize = from.parse().unwrap();
    let to = to.parse::<usize>().unwrap().min(size - 1);
    let mut reply = Reply::new(206).body(&content[from..=to]);
    if !server.wrong("T3.length") {
        reply = reply.header("content-range", &format!("bytes {from}-{to}/{size}"));
    }
    reply
}
