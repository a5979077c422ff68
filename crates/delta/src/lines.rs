//! Reads a commit file line by line as it streams in. Budgets hold before a line is parsed, whatever the store said the
//! size would be.

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::budgets::{count, within};
use crate::fields::At;
use crate::{Budgets, LogError};

/// Hands every line that is not blank to `each`, with its number from 1; stops early when `each` says false.
///
/// `spent` is what the snapshot has read so far, in bytes; it grows.
pub(crate) async fn read_lines(
    objects: &dyn ObjectStore,
    path: &Path,
    version: u64,
    budgets: &Budgets,
    homes: &[String],
    spent: &mut u64,
    mut each: impl FnMut(At<'_>, &[u8]) -> Result<bool, LogError> + Send,
) -> Result<ObjectMeta, LogError> {
    let found = objects.get(path).await?;
    let meta = found.meta.clone();
    within("bytes of a commit", budgets.commit_bytes, meta.size)?;
    let start = At {
        version,
        line: 0,
        homes,
    };
    let mut at = start;
    let mut total = 0u64;
    let mut open: Vec<u8> = Vec::new();
    let mut chunks = found.into_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        total += count(chunk.len());
        *spent += count(chunk.len());
        within("bytes of a commit", budgets.commit_bytes, total)?;
        within("bytes of the log", budgets.total_log_bytes, *spent)?;
        let mut rest = chunk.as_ref();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = &after[1..];
            within(
                "bytes of a line",
                budgets.line_bytes,
                count(open.len() + line.len()),
            )?;
            at.line += 1;
            let go_on = if open.is_empty() {
                hand_over(at, line, &mut each)?
            } else {
                open.extend_from_slice(line);
                let go_on = hand_over(at, &open, &mut each)?;
                open.clear();
                go_on
            };
            if !go_on {
                return Ok(meta);
            }
        }
        within(
            "bytes of a line",
            budgets.line_bytes,
            count(open.len() + rest.len()),
        )?;
        open.extend_from_slice(rest);
    }
    if total != meta.size {
        return Err(at.broken("the store delivered another number of bytes than it had announced"));
    }
    at.line += 1;
    hand_over(at, &open, &mut each)?;
    if total == 0 {
        return Err(start.broken("the commit file is empty, as after an interrupted write"));
    }
    Ok(meta)
}

fn hand_over(
    at: At<'_>,
    line: &[u8],
    each: &mut impl FnMut(At<'_>, &[u8]) -> Result<bool, LogError>,
) -> Result<bool, LogError> {
    let line = line.trim_ascii();
    if line.is_empty() {
        Ok(true)
    } else {
        each(at, line)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    async fn lines(body: &str, budgets: &Budgets) -> Result<Vec<(usize, String)>, LogError> {
        let store = InMemory::new();
        let path = Path::from("x.json");
        store.put(&path, body.to_owned().into()).await?;
        let mut out = Vec::new();
        read_lines(&store, &path, 3, budgets, &[], &mut 0, |at, line| {
            out.push((at.line, String::from_utf8_lossy(line).into_owned()));
            Ok(true)
        })
        .await?;
        Ok(out)
    }

    #[tokio::test]
    async fn lines_with_any_ending() {
        let all = Budgets::default();
        let expected = vec![(1, "{a}".to_owned()), (3, "{b}".to_owned())];
        for body in ["{a}\n\n{b}\n", "{a}\r\n\r\n{b}", " {a} \n\n{b}\n\n\n"] {
            assert_eq!(lines(body, &all).await.unwrap(), expected, "{body:?}");
        }
        assert!(matches!(
            lines("", &all).await,
            Err(LogError::Broken {
                version: 3,
                line: 0,
                ..
            })
        ));
    }

    #[tokio::test]
    async fn budgets_hold_before_parsing() {
        let body = format!("{}\n{}", "x".repeat(90), "y".repeat(200));
        for (budgets, what) in [
            (
                Budgets {
                    line_bytes: 100,
                    ..Budgets::default()
                },
                "bytes of a line",
            ),
            (
                Budgets {
                    commit_bytes: 250,
                    ..Budgets::default()
                },
                "bytes of a commit",
            ),
            (
                Budgets {
                    total_log_bytes: 250,
                    ..Budgets::default()
                },
                "bytes of the log",
            ),
        ] {
            match lines(&body, &budgets).await {
                Err(LogError::Budget { what: found, .. }) => assert_eq!(found, what),
                other => panic!("{what}: {other:?}"),
            }
        }
    }
}
