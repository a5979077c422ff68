//! Reading a store's access log from where the store keeps it: object after object, line after line, in bounded memory. What was
//! read to its end is not read again; what was cut short is, and its lines are counted once all the same.

use exchange::Principal;
use exchange::billing::AccessLogPlace;
use exchange::jobs::Leased;
use futures::StreamExt as _;
use model::Purpose;
use model::dto::AccessLogResult;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use storage::{Cause, Meter, MeterKey, StorageError};

use super::handlers::Lakehand;
use super::{Outcome, WorkFailed};

/// So much of a log is handed to the exchange at a time.
const CHUNK: usize = 256 * 1024;
/// A line that is longer is none.
const LINE: usize = 64 * 1024;

impl Lakehand {
    pub(super) async fn access_log(&self, work: &Leased) -> Result<Outcome, WorkFailed> {
        let place = AccessLogPlace::parse(&work.key)
            .ok_or_else(|| WorkFailed::terminal("the work's key names no log"))?;
        let system = Principal::system();
        let access = self
            .exchange
            .storage_access_for_system(&system, place.lies_in)
            .await?;
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("access_log"),
            purpose: Purpose::Inspect,
        });
        let store = self.lake.open(&access, &meter)?;
        let objects = store.at(&place.prefix).map_err(failed)?;
        let reading = self.read_all(&place, &*objects);
        let read = self
            .reads
            .noting(&meter, store.location(), None, reading)
            .await?;
        tracing::info!(
            storage = %place.of,
            lines = read.lines,
            counted = read.counted,
            bytes = read.bytes,
            repeated = read.repeated,
            unmatched = read.unmatched,
            unreadable = read.unreadable,
            "a store's access log was read"
        );
        Ok(Outcome::Done)
    }

    async fn read_all(
        &self,
        place: &AccessLogPlace,
        objects: &dyn ObjectStore,
    ) -> Result<AccessLogResult, WorkFailed> {
        let system = Principal::system();
        let mut all = AccessLogResult::default();
        let mut listed = objects.list(None);
        while let Some(object) = listed.next().await {
            let object = object.map_err(|error| failed(error.into()))?.location;
            let path = format!("{}/{object}", place.prefix);
            let was_read = self
                .exchange
                .access_log_was_read(&system, place.lies_in, &path)
                .await?;
            if was_read {
                continue;
            }
            self.read_one(place, objects, &object, &mut all).await?;
            self.exchange
                .access_log_read(&system, place.lies_in, &path)
                .await?;
        }
        Ok(all)
    }

    async fn read_one(
        &self,
        place: &AccessLogPlace,
        objects: &dyn ObjectStore,
        object: &Path,
        all: &mut AccessLogResult,
    ) -> Result<(), WorkFailed> {
        let got = objects.get(object).await;
        let mut bytes = got.map_err(|error| failed(error.into()))?.into_stream();
        let mut lines = Lines::default();
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(|error| failed(error.into()))?;
            // A chunk of a store may be of any size.
            for part in chunk.chunks(CHUNK) {
                if let Some(whole) = lines.put(part) {
                    self.hand_over(place, &whole, all).await?;
                }
            }
        }
        self.hand_over(place, &lines.end(), all).await
    }

    async fn hand_over(
        &self,
        place: &AccessLogPlace,
        lines: &str,
        all: &mut AccessLogResult,
    ) -> Result<(), WorkFailed> {
        if lines.is_empty() {
            return Ok(());
        }
        let system = Principal::system();
        let found = self
            .exchange
            .access_log_lines(&system, place.of, lines)
            .await?;
        all.lines += found.lines;
        all.counted += found.counted;
        all.bytes = all.bytes.saturating_add(found.bytes);
        all.repeated += found.repeated;
        all.unmatched += found.unmatched;
        all.unreadable += found.unreadable;
        Ok(())
    }
}

fn failed(error: StorageError) -> WorkFailed {
    crate::adapters::stores::problem_of_store(error).into()
}

/// Bytes as they come, handed on as whole lines.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
    /// Within a line that is too long.
    is_over: bool,
}

impl Lines {
    /// Whole lines, once there are enough of them.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<String> {
        let bytes = if self.is_over {
            let end = bytes.iter().position(|byte| *byte == b'\n')?;
            self.is_over = false;
            &bytes[end..]
        } else {
            bytes
        };
        self.rest.extend_from_slice(bytes);
        let Some(last) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            if self.rest.len() > LINE {
                // No line at all, and counted as one that cannot be read.
                self.rest.clear();
                self.is_over = true;
                return Some("-".to_owned());
            }
            return None;
        };
        if self.rest.len() < CHUNK / 2 {
            return None;
        }
        let rest = self.rest.split_off(last + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        Some(String::from_utf8_lossy(&whole).into_owned())
    }

    /// What is left.
    pub(crate) fn end(self) -> String {
        String::from_utf8_lossy(&self.rest).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let text = "one line\nand another\n".repeat(40_000);
        for size in [1_000, 7_919, CHUNK] {
            let mut lines = Lines::default();
            let mut all = String::new();
            for part in text.as_bytes().chunks(size) {
                if let Some(whole) = lines.put(part) {
                    assert!(whole.ends_with('\n') && whole.len() <= 2 * CHUNK);
                    all.push_str(&whole);
                }
            }
            all.push_str(&lines.end());
            assert_eq!(all.len(), text.len(), "{size}");
        }
        // A line without an end takes no memory, and what comes behind it is read.
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for _ in 0..100 {
            seen.extend(lines.put(&[b'x'; LINE]));
            assert!(lines.rest.len() <= 2 * LINE);
        }
        seen.extend(lines.put(b"xx\ngood\n"));
        assert_eq!(lines.end(), "\ngood\n");
        assert_eq!(seen, ["-"]);
    }
}
