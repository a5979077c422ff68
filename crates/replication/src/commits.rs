//! Commits of a log, read one after the other by those who say when they have seen enough.

use delta::{Commit, LogError, Table};
use futures::future::join_all;
use futures::stream::{self, Stream, StreamExt as _};

/// Commits that are read at the same time.
const READS: usize = 8;

/// In the order of `versions`. What was asked for is read to its end also where the reader wants no more: a read that is given up
/// half-way has crossed nevertheless, and how much of it came nobody here would know, so that it would stand on no meter.
pub(crate) fn read<'a>(
    table: &'a Table,
    versions: impl Iterator<Item = u64> + Send + 'a,
) -> impl Stream<Item = Result<Commit, LogError>> + Send + 'a {
    to_their_end(versions, |version| table.commit(version))
}

fn to_their_end<'a, F>(
    versions: impl Iterator<Item = u64> + Send + 'a,
    read: impl Fn(u64) -> F + Send + 'a,
) -> impl Stream<Item = F::Output> + Send + 'a
where
    F: Future<Output: Send> + Send + 'a,
{
    stream::iter(versions)
        .chunks(READS)
        .then(move |versions| join_all(versions.into_iter().map(&read)))
        .flat_map(stream::iter)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn what_was_asked_for_is_read_to_its_end_by_whoever_wants_no_more() {
        let (begun, ended) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let read = |version: u64| {
            let (begun, ended) = (&begun, &ended);
            async move {
                begun.lock().unwrap().push(version);
                for _ in 0..version {
                    tokio::task::yield_now().await;
                }
                ended.lock().unwrap().push(version);
                version
            }
        };
        {
            let mut reads = pin!(to_their_end(3..100, read));
            assert_eq!(reads.next().await, Some(3));
        }
        let asked: Vec<u64> = (3..11).collect();
        assert_eq!(
            (&*begun.lock().unwrap(), &*ended.lock().unwrap()),
            (&asked, &asked)
        );
        let all: Vec<u64> = to_their_end(0..20, read).collect().await;
        assert_eq!(all, (0..20).collect::<Vec<_>>());
    }
}
