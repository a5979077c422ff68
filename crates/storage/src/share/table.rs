//! One shared table as the folder of a Delta table: the log that its server's answers make, at the version of the moment and no other,
//! and its objects behind the URLs that the server hands out. URLs end: they are asked for anew before they do, and where a store says
//! that they have, of the same version as long as the server still tells it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt as _};
use http::{StatusCode, header};
use model::Timestamp;
use object_store::client::HttpResponse;
use object_store::path::Path;
use object_store::{
    Attributes, Error, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, Result,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::answer::{Answer, Head, Remote, lines, read, read_head, uuid};
use super::client::{Client, Fetched, broken, other, text_of};
use super::{LOG, NAME, failed, missing};
use crate::StorageError;

/// The 13 digits of an instant between 2001 and 2286: what is written for the time of a commit is as long, whatever it is.
const MILLIS: std::ops::RangeInclusive<i64> = 1_000_000_000_000..=9_999_999_999_999;

/// Lines behind a table's metadata that are passed over: the protocol has none.
const REST: usize = 8;

pub(super) struct Table {
    client: Arc<Client>,
    /// Share, schema and table.
    names: [String; 3],
    /// What the folder is called by an absolute URL, with the slash at its end.
    home: String,
    /// Held while the server is asked: of all who need an answer, one asks.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    head: Option<Head>,
    answer: Option<Answer>,
    /// Counts the answers.
    answers: u64,
}

/// What the log holds: one commit, which says no more than when it was, and one checkpoint.
enum Part {
    Commit,
    Checkpoint,
}

impl Table {
    pub(super) fn new(client: Arc<Client>, names: [String; 3], root: &str) -> Self {
        let home = format!("{root}/{}/", names.join("/"));
        Self {
            client,
            names,
            home,
            state: Mutex::default(),
        }
    }

    fn what(&self) -> String {
        format!("the table `{}` of a share", self.names.join("/"))
    }

    /// What lies in the log: asks the server where the table stands.
    pub(super) async fn log(&self) -> Result<Vec<ObjectMeta>> {
        let mut state = self.state.lock().await;
        let head = self.ask_head().await.map_err(failed)?;
        let head = &*state.head.insert(head);
        Ok([Part::Checkpoint, Part::Commit]
            .into_iter()
            .map(|part| ObjectMeta {
                location: self.key(&part.name(head)),
                last_modified: DateTime::<Utc>::default(),
                size: match part {
                    Part::Commit => commit_of(head, 0).len() as u64,
                    // Not known before it is read.
                    Part::Checkpoint => 0,
                },
                e_tag: Some(print_of(head)),
                version: None,
            })
            .collect())
    }

    fn key(&self, name: &str) -> Path {
        // They were parts of a path already.
        Path::parse(format!("{}/{LOG}/{name}", self.names.join("/"))).unwrap_or_default()
    }

    /// An object of the log.
    pub(super) async fn log_object(
        &self,
        location: &Path,
        name: &str,
        options: &GetOptions,
    ) -> Result<GetResult> {
        // What no answer makes is not worth a question.
        let version = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
        let Some(version) = version.filter(|_| name.ends_with(".json")) else {
            return Err(missing(location));
        };
        let mut state = self.state.lock().await;
        let kept = state.head.clone();
        let head = match kept {
            Some(head) => head,
            None => {
                let head = self.ask_head().await.map_err(failed)?;
                state.head.insert(head).clone()
            }
        };
        let parts = [Part::Commit, Part::Checkpoint];
        let part = parts.into_iter().find(|part| part.name(&head) == name);
        let body: Bytes = match part.filter(|_| head.version == version) {
            None => return Err(missing(location)),
            Some(Part::Commit) => {
                let answer = state.answer.as_ref();
                let newest = answer.filter(|answer| answer.head.version == version);
                commit_of(&head, newest.map_or(0, |answer| answer.newest)).into()
            }
            Some(Part::Checkpoint) if options.head => Bytes::new(),
            Some(Part::Checkpoint) => {
                let rows = self.rows_at(&mut state, version).await.map_err(failed)?;
                rows.ok_or_else(|| missing(location))?
            }
        };
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: DateTime::<Utc>::default(),
            size: body.len() as u64,
            e_tag: Some(print_of(&head)),
            version: None,
        };
        whole(body, meta, options)
    }

    /// The checkpoint of a version; None: the server stands at another by now, and does not tell of this one.
    async fn rows_at(
        &self,
        state: &mut State,
        version: u64,
    ) -> Result<Option<Bytes>, StorageError> {
        let kept = state.answer.as_mut();
        let kept = kept.filter(|answer| answer.head.version == version);
        if let Some(rows) = kept.and_then(|answer| answer.rows.take()) {
            return Ok(Some(rows));
        }
        let mut answer = self.ask(&latest()).await?;
        if answer.head.version != version {
            match self.ask(&json!({ "version": version })).await {
                Ok(older) if older.head.version == version => answer = older,
                Ok(_) | Err(StorageError::NotAllowed { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(state.put(answer).rows.take())
    }

    async fn ask_head(&self) -> Result<Head, StorageError> {
        let mut lines = self.client.metadata(&self.names).await?;
        let head = read_head(&mut lines).await?;
        // To its end, which is here, so that the connection can be used again and all of it is counted.
        for _ in 0..REST {
            if lines.next().await?.is_none() {
                break;
            }
        }
        Ok(head)
    }

    async fn ask(&self, body: &Value) -> Result<Answer, StorageError> {
        let lines = self.client.query(&self.names, body).await?;
        read(lines, &self.home).await
    }

    /// An object of the table by its URL of the moment, and the number of the answer that has it.
    async fn remote(&self, name: &str) -> Result<(Option<Remote>, u64), StorageError> {
        let mut state = self.state.lock().await;
        match state.answer.as_ref().map(Answer::is_due) {
            Some(true) => self.renew(&mut state).await?,
            Some(false) => {}
            None => {
                let answer = self.ask(&latest()).await?;
                state.put(answer);
            }
        }
        let answer = state.answer.as_ref();
        let found = answer.and_then(|answer| answer.objects.get(name).cloned());
        Ok((found, state.answers))
    }

    /// The name of a file that has bytes.
    pub(super) async fn any_object(&self) -> Result<Option<String>, StorageError> {
        let mut state = self.state.lock().await;
        let answer = self.ask(&latest()).await?;
        let answer = state.put(answer);
        answer.rows = None;
        let mut objects = answer.objects.iter();
        let found = objects.find(|(_, remote)| remote.size.is_some_and(|size| size > 0));
        Ok(found.map(|(name, _)| name.clone()))
    }

    /// Asks for other URLs, unless somebody has since the answer of this number.
    async fn renewed(&self, since: u64) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        if state.answers != since {
            return Ok(());
        }
        self.renew(&mut state).await
    }

    async fn renew(&self, state: &mut State) -> Result<(), StorageError> {
        let kept = state.answer.as_ref();
        let version = kept.map(|answer| answer.head.version);
        let token = kept.and_then(|answer| answer.refresh.clone());
        tracing::debug!(table = %self.names.join("/"), version, "a share's URLs are asked for anew");
        let asked = match token {
            Some(token) => {
                let again =
                    json!({ "refreshToken": token.expose_secret(), "includeRefreshToken": true });
                match self.ask(&again).await {
                    // Its time may be over, too.
                    Err(StorageError::NotAllowed { .. }) => self.ask(&latest()).await,
                    asked => asked,
                }
            }
            None => self.ask(&latest()).await,
        };
        let mut answer = asked?;
        // Others may have been written since; what is being read is of the version at which it was begun.
        if let Some(version) = version
            && answer.head.version != version
            && let Ok(older) = self.ask(&json!({ "version": version })).await
            && older.head.version == version
        {
            answer = older;
        }
        // Nobody reads the log by it.
        answer.rows = None;
        state.put(answer);
        Ok(())
    }

    /// An object of the table: read at its store, by a URL that still opens it.
    pub(super) async fn object(
        &self,
        location: &Path,
        name: &str,
        options: &GetOptions,
    ) -> Result<GetResult> {
        let mut is_renewed = false;
        loop {
            let (remote, number) = self.remote(name).await.map_err(failed)?;
            let Some(remote) = remote else {
                return Err(missing(location));
            };
            if options.head
                && let Some(size) = remote.size
            {
                let meta = meta_of(location, &remote, size, None);
                return Ok(result(stream::empty().boxed(), meta, 0..0));
            }
            // A store that is asked by a URL for reading says nothing to HEAD; of one byte it says the whole's size.
            let range = match (options.head, &options.range) {
                (true, _) => Some(GetRange::Bounded(0..1)),
                (false, range) => range.clone(),
            };
            let what = format!("`{name}` of {}", self.what());
            let header = range.as_ref().map(header_of);
            let conditions = (header.as_deref(), options.if_match.as_deref());
            let url = remote.url.expose_secret();
            let fetched = self.client.fetch(url, conditions, &what).await;
            match fetched.map_err(failed)? {
                Fetched::Got(answer) => {
                    let found = got(location, &remote, answer, range.as_ref(), what);
                    let found = found.map_err(failed)?;
                    if !options.head {
                        return Ok(found);
                    }
                    // The byte has crossed.
                    let meta = found.meta.clone();
                    found.bytes().await?;
                    return Ok(result(stream::empty().boxed(), meta, 0..0));
                }
                Fetched::Gone => return Err(missing(location)),
                Fetched::Changed => {
                    return Err(Error::Precondition {
                        path: location.to_string(),
                        source: "another object lies there now".into(),
                    });
                }
                Fetched::Closed if is_renewed => {
                    return Err(failed(StorageError::NotAllowed {
                        what: format!("reading {what}"),
                        why: "its store does not take the address that the share's server has just handed out; ask the provider"
                            .to_owned(),
                    }));
                }
                Fetched::Closed => {
                    is_renewed = true;
                    self.renewed(number).await.map_err(failed)?;
                }
            }
        }
    }
}

impl State {
    fn put(&mut self, answer: Answer) -> &mut Answer {
        self.answers += 1;
        self.answer.insert(answer)
    }
}

impl Part {
    fn name(&self, head: &Head) -> String {
        let version = head.version;
        match self {
            Self::Commit => format!("{version:020}.json"),
            Self::Checkpoint => {
                let id = uuid(print_of(head).as_bytes());
                format!("{version:020}.checkpoint.{id}.json")
            }
        }
    }
}

/// The newest version, and what its URLs are renewed with.
fn latest() -> Value {
    json!({ "includeRefreshToken": true })
}

/// Tells one version of one table from another, also of a table that was made anew.
fn print_of(head: &Head) -> String {
    let of = |name: &str| head.metadata.get(name).unwrap_or(&Value::Null);
    uuid(format!("{} {} {}", head.version, of("id"), of("createdTime")).as_bytes())
}

/// The commit of a version. It says protocol and metadata anew: nobody can take from it what the version changed.
fn commit_of(head: &Head, newest: i64) -> Vec<u8> {
    let time = newest.clamp(*MILLIS.start(), *MILLIS.end());
    lines(&[
        json!({ "commitInfo": { "timestamp": time, "operation": "SHARE", "operationParameters": {} } }),
        json!({ "protocol": head.protocol }),
        json!({ "metaData": head.metadata }),
    ])
}

fn result(
    stream: stream::BoxStream<'static, Result<Bytes>>,
    meta: ObjectMeta,
    range: Range<u64>,
) -> GetResult {
    GetResult {
        payload: GetResultPayload::Stream(stream),
        meta,
        range,
        attributes: Attributes::default(),
    }
}

/// Of bytes that are at hand.
fn whole(body: Bytes, meta: ObjectMeta, options: &GetOptions) -> Result<GetResult> {
    let range = match &options.range {
        None => 0..meta.size,
        Some(range) => range.as_range(meta.size).map_err(|error| Error::Generic {
            store: NAME,
            source: Box::new(error),
        })?,
    };
    let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    let part = body.slice(at(range.start)..at(range.end));
    let stream = stream::once(std::future::ready(Ok(part))).boxed();
    Ok(result(stream, meta, range))
}

fn meta_of(location: &Path, remote: &Remote, size: u64, e_tag: Option<String>) -> ObjectMeta {
    let modified = Timestamp::from_millis(remote.modified).to_datetime();
    ObjectMeta {
        location: location.clone(),
        last_modified: modified.unwrap_or_default(),
        size,
        e_tag,
        version: None,
    }
}

fn header_of(range: &GetRange) -> String {
    match range {
        GetRange::Bounded(range) => {
            format!("bytes={}-{}", range.start, range.end.saturating_sub(1))
        }
        GetRange::Offset(from) => format!("bytes={from}-"),
        GetRange::Suffix(bytes) => format!("bytes=-{bytes}"),
    }
}

/// `bytes 0-99/1234`.
fn part_of(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    Some((from..to.checked_add(1)?, size.parse().ok()?))
}

/// What a store has sent, if it is what was asked for.
fn got(
    location: &Path,
    remote: &Remote,
    answer: HttpResponse,
    asked: Option<&GetRange>,
    what: String,
) -> Result<GetResult, StorageError> {
    let headers = answer.headers();
    let e_tag = text_of(headers, header::ETAG);
    // A weak one is not taken for a condition.
    let e_tag = e_tag.filter(|tag| tag.starts_with('"')).map(str::to_owned);
    let (range, size) = if answer.status() == StatusCode::PARTIAL_CONTENT {
        let part = text_of(headers, header::CONTENT_RANGE).and_then(part_of);
        part.ok_or_else(|| other(&what, "its store does not say which part it has sent"))?
    } else {
        let length = text_of(headers, header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.parse().ok());
        let size = length
            .or(remote.size)
            .ok_or_else(|| other(&what, "its store does not say how large it is"))?;
        (0..size, size)
    };
    let is_asked = match asked {
        None => range == (0..size),
        Some(asked) => asked.as_range(size).is_ok_and(|asked| asked == range),
    };
    if !is_asked {
        return Err(other(
            &what,
            "its store sends another part than was asked for",
        ));
    }
    let meta = meta_of(location, remote, size, e_tag);
    // What reads a part holds it in memory, and takes the store's word for how much it is.
    let mut left = range.end.saturating_sub(range.start);
    let chunks = answer.into_body().bytes_stream();
    let chunks = chunks.map(move |chunk| {
        let chunk = chunk.map_err(|error| failed(broken(error, &what)))?;
        let rest = left.checked_sub(chunk.len() as u64);
        left = rest.ok_or_else(|| failed(other(&what, "its store sends more than it says")))?;
        Ok::<_, Error>(chunk)
    });
    Ok(result(chunks.boxed(), meta, range))
}
