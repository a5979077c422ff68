//! `entrepot check`: run where somebody reads, it says in order what works and what does not, and what to say to whom. It
//! does what any client does, with nothing but the profile. `report` is what it found, `profile` the file, `way` the way to a
//! host, `answer` the server's words, `file` the store's.

mod answer;
mod file;
mod profile;
mod report;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use model::Clock as _;
use serde_json::{Value, json};
use url::Url;

use self::answer::{Answer, LIMIT, clock};
use self::profile::Profile;
use self::report::{Finding, Report, Step, Whom, quoted};
use self::way::{PATIENCE, Way};
use super::{Globals, print, show};
use crate::adapters::clock::SystemClock;

/// The most pages of the list of shares, and the most shares that are looked into for a table.
const PAGES: usize = 100;
const SHARES: usize = 20;

/// All that the protocol's clients can between them: what is to be found out is the way, not the client.
const CAPABILITIES: &str = "responseformat=parquet,delta;readerfeatures=deletionvectors,columnmapping,timestampntz,typewidening,varianttype,variantshredding;\
                            includeendstreamaction=true";

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The profile file, as it was downloaded
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// Look at this share's first table, instead of the first table there is
    #[arg(long, value_name = "SHARE", conflicts_with = "table")]
    share: Option<String>,
    /// Look at this table
    #[arg(long, value_name = "SHARE.SCHEMA.TABLE")]
    table: Option<String>,
}

/// Which table is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    share: String,
    schema: String,
    name: String,
}

/// What is asked for, as far as it is.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    Share(String),
    Table(Table),
}

pub(super) async fn check(globals: &Globals, check: Check) -> anyhow::Result<ExitCode> {
    let wanted = check.wanted()?;
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .read_timeout(3 * PATIENCE)
        .user_agent(concat!("entrepot-check/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let mut report = Report::default();
    look(&http, &check.profile, &wanted, &mut report).await;
    report.close();
    print(&if globals.json {
        show::json(&report.json())
    } else {
        report.text()
    });
    Ok(ExitCode::from(u8::from(report.has_failed())))
}

impl Check {
    fn wanted(&self) -> anyhow::Result<Wanted> {
        if let Some(share) = &self.share {
            return Ok(Wanted::Share(share.clone()));
        }
        let Some(table) = &self.table else {
            return Ok(Wanted::Any);
        };
        // From the end: only a share's name may have points.
        let parts: Vec<&str> = table.rsplitn(3, '.').collect();
        match parts.as_slice() {
            [name, schema, share] if parts.iter().all(|part| !part.is_empty()) => {
                Ok(Wanted::Table(Table {
                    share: (*share).to_owned(),
                    schema: (*schema).to_owned(),
                    name: (*name).to_owned(),
                }))
            }
            _ => bail!("--table wants SHARE.SCHEMA.TABLE"),
        }
    }
}

/// Goes on as far as it comes.
async fn look(
    http: &reqwest::Client,
    file: &std::path::Path,
    wanted: &Wanted,
    report: &mut Report,
) -> Option<()> {
    let profile = report.take("profile", profile::read(file, SystemClock.now()).await)?;
    report.hide(&profile.token);
    let way = Way::to(&profile.endpoint)?;
    let found = report.take("name", way.name().await)?;
    report.take("connection", way.connect(&found).await)?;
    let server = Server { http, profile, way };

    let shares = server.get(&["shares"], None).await;
    let first = match shares {
        Ok(answer) => answer,
        Err(error) => {
            let finding = server.way.broke(&error);
            if server.way.is_https && Way::is_of_connection(&error) {
                report.note("tls", finding);
            } else {
                report.note("tls", server.tls());
                report.note("token", finding);
            }
            return None;
        }
    };
    report.note("tls", server.tls());
    let now = SystemClock.now();
    report.note(
        "clock",
        clock(answer::date(&first.headers), now, &server.way.place()),
    );
    let server_ahead = file::ahead(&first.headers, now).unwrap_or(0);

    let shares = report.take("token", server.token(first).await)?;
    let table = match (
        report.take("share", server.share(&shares, wanted).await),
        wanted,
    ) {
        (Some(table), _) => table,
        // The server can say more of a table than that a list does not show it: until when access held, for one.
        (None, Wanted::Table(table)) => table.clone(),
        (None, _) => return None,
    };
    let url = report.take("table", server.table(&table).await)?;
    let finding = match url {
        Some(url) => file::fetch(http, &url, &server.way, server_ahead).await,
        None => Finding::skipped("the table is empty: there is no file to try"),
    };
    report.note("file", finding);
    Some(())
}

/// The server of a profile.
struct Server<'a> {
    http: &'a reqwest::Client,
    profile: Profile,
    way: Way,
}

impl Server<'_> {
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.profile.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn get(&self, path: &[&str], page: Option<&str>) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .get(self.url(path))
            .bearer_auth(&self.profile.token);
        if let Some(page) = page {
            request = request.query(&[("pageToken", page)]);
        }
        Answer::read(request.send().await?).await
    }

    fn tls(&self) -> Finding {
        let place = self.way.place();
        if self.way.is_https {
            Finding::ok(format!("{place} shows a certificate that holds here"))
        } else {
            Finding::warned(format!(
                "the endpoint is http://: what goes to {place} and back, the token too, can be read on the way"
            ))
        }
    }

    /// One page of a list: its items, and the next page's token.
    fn page(&self, answer: &Answer) -> Result<(Vec<Value>, Option<String>), Finding> {
        let page = answer
            .json()
            .filter(|page| answer.status.is_success() && page["errorCode"].is_null())
            .ok_or_else(|| answer.refused(&self.way))?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        let next = page["nextPageToken"].as_str();
        Ok((
            items,
            next.filter(|next| !next.is_empty()).map(str::to_owned),
        ))
    }

    /// The names of all shares, the first page of which is the answer to the first call.
    async fn token(&self, first: Answer) -> Step<Vec<String>> {
        let mut names = Vec::new();
        let (mut items, mut next) = self.page(&first)?;
        for _ in 0..PAGES {
            let found = items.iter().filter_map(|share| share["name"].as_str());
            names.extend(found.map(str::to_owned));
            let Some(page) = next else { break };
            let answer = self.get(&["shares"], Some(&page)).await;
            let answer = answer.map_err(|error| self.way.broke(&error))?;
            (items, next) = self.page(&answer)?;
        }
        let finding = Finding::ok(format!("{} takes it", self.way.place()));
        Ok((names, finding))
    }

    /// The table to look at.
    async fn share(&self, shares: &[String], wanted: &Wanted) -> Step<Table> {
        let place = self.way.place();
        let shown = |names: &[String]| quoted(&names.join(", "));
        if shares.is_empty() {
            return Err(Finding::failed(
                "the token may read no share",
                Whom::Giver,
                format!(
                    "Our profile for {place} works, but gives us no share. Has our access ended, or is it still to be granted?"
                ),
            ));
        }
        let name = match wanted {
            Wanted::Any => None,
            Wanted::Share(share) => Some(share),
            Wanted::Table(table) => Some(&table.share),
        };
        // Names are compared without regard to case.
        let of_name =
            |share: &&String| name.is_none_or(|name| name.to_lowercase() == share.to_lowercase());
        let shares: Vec<&String> = shares.iter().filter(of_name).collect();
        if shares.is_empty() {
            let name = quoted(name.map_or("", String::as_str));
            return Err(Finding::failed(
                format!("the share {name} is not among those that the token may read"),
                Whom::Giver,
                format!(
                    "Our profile for {place} does not give us the share {name}. Has our access ended, or is it still to be granted?"
                ),
            ));
        }
        if let Wanted::Table(table) = wanted {
            return Ok((
                table.clone(),
                Finding::ok(format!("{} is there", quoted(&table.share))),
            ));
        }
        let (mut table, mut without) = (None, Vec::new());
        for share in shares.into_iter().take(SHARES) {
            let answer = self.get(&["shares", share, "all-tables"], None).await;
            let answer = answer.map_err(|error| self.way.broke(&error))?;
            let (items, _) = self.page(&answer)?;
            let found = items.iter().find_map(|item| {
                Some(Table {
                    share: share.clone(),
                    schema: item["schema"].as_str()?.to_owned(),
                    name: item["name"].as_str()?.to_owned(),
                })
            });
            match found {
                Some(found) => table = table.or(Some(found)),
                None => without.push(share.clone()),
            }
        }
        let Some(table) = table else {
            let without = shown(&without);
            return Err(Finding::failed(
                format!("no table is in {without}"),
                Whom::Giver,
                format!(
                    "Our profile for {place} gives us {without}, but no table in it. Is our access still to begin, or has the product no table that can be shared?"
                ),
            ));
        };
        let finding = if without.is_empty() {
            Finding::ok(format!("{} is there", quoted(&table.share)))
        } else {
            Finding::warned(format!(
                "{} is there; no table is in {}",
                quoted(&table.share),
                shown(&without)
            ))
        };
        Ok((table, finding))
    }

    /// The URL of the table's first file; none where it has no file.
    async fn table(&self, table: &Table) -> Step<Option<String>> {
        let path = [
            "shares",
            table.share.as_str(),
            "schemas",
            table.schema.as_str(),
            "tables",
            table.name.as_str(),
            "query",
        ];
        let broke = |error: reqwest::Error| self.way.broke(&error);
        let mut response = self
            .http
            .post(self.url(&path))
            .bearer_auth(&self.profile.token)
            .header("delta-sharing-capabilities", CAPABILITIES)
            .json(&json!({ "limitHint": 1 }))
            .send()
            .await
            .map_err(broke)?;
        if !response.status().is_success() {
            let answer = Answer::read(response).await.map_err(broke)?;
            return Err(answer.refused(&self.way));
        }
        let shown = quoted(&format!("{}.{}.{}", table.share, table.schema, table.name));
        let (status, headers) = (response.status(), response.headers().clone());
        let mut lines = Lines::default();
        loop {
            let chunk = response.chunk().await.map_err(broke)?;
            let is_end = chunk.is_none();
            match lines.take(chunk.as_deref().unwrap_or_default(), is_end) {
                Some(First::Url(url)) => {
                    return Ok((
                        Some(url),
                        Finding::ok(format!("{shown} answers with its files")),
                    ));
                }
                Some(First::Error(message)) => {
                    return Err(Finding::failed(
                        format!("{shown} cannot be read: {message}"),
                        Whom::Operator,
                        format!("The answer to a query of {shown} breaks off: {message}."),
                    ));
                }
                Some(First::NoProtocol) => {
                    let answer = Answer {
                        status,
                        headers,
                        body: Vec::new(),
                    };
                    return Err(answer.refused(&self.way));
                }
                None if is_end => {
                    return Ok((
                        None,
                        Finding::ok(format!("{shown} answers; it has no files")),
                    ));
                }
                None => {}
            }
        }
    }
}

/// What decides, of the lines of a query's answer.
#[derive(Debug, PartialEq, Eq)]
enum First {
    Url(String),
    /// The server says that the answer is not whole.
    Error(String),
    /// These are not lines of the protocol.
    NoProtocol,
}

/// The lines of an answer, as they come.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    /// The protocol's own line has come.
    begun: bool,
}

impl Lines {
    fn take(&mut self, chunk: &[u8], is_end: bool) -> Option<First> {
        self.rest.extend_from_slice(chunk);
        if is_end {
            self.rest.push(b'\n');
        }
        let mut from = 0;
        while let Some(length) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            let line = self.rest[from..from + length].trim_ascii();
            if !line.is_empty()
                && let Some(first) = first(line, &mut self.begun)
            {
                return Some(first);
            }
            from += length + 1;
        }
        self.rest.drain(..from);
        (self.rest.len() > LIMIT || is_end && !self.begun).then_some(First::NoProtocol)
    }
}

fn first(line: &[u8], begun: &mut bool) -> Option<First> {
    let Ok(line) = serde_json::from_slice::<Value>(line) else {
        return Some(First::NoProtocol);
    };
    *begun |= line["protocol"].is_object();
    if !*begun {
        return Some(First::NoProtocol);
    }
    if let Some(message) = line
        .pointer("/endStreamAction/errorMessage")
        .and_then(Value::as_str)
        .filter(|message| !message.is_empty())
    {
        return Some(First::Error(quoted(message)));
    }
    let url = ["/file/url", "/file/deltaSingleAction/add/path"]
        .iter()
        .find_map(|at| line.pointer(at)?.as_str());
    url.map(|url| First::Url(url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str) -> Check {
        Check {
            profile: PathBuf::new(),
            share: None,
            table: Some(table.to_owned()),
        }
    }

    #[test]
    fn tables_are_named_from_the_end() {
        let Wanted::Table(table) = check("a.b.default.visits").wanted().unwrap() else {
            panic!("a table");
        };
        assert_eq!(
            (
                table.share.as_str(),
                table.schema.as_str(),
                table.name.as_str()
            ),
            ("a.b", "default", "visits")
        );
        for wrong in ["", "a", "a.b", "a..b", ".a.b", "a.b."] {
            assert!(check(wrong).wanted().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_file_is_found_in_either_format_however_it_comes() {
        let parquet = "{\"protocol\":{\"minReaderVersion\":1}}\n{\"metaData\":{}}\n{\"file\":{\"url\":\"https://x/1\"}}\n";
        let delta = "{\"protocol\":{\"deltaProtocol\":{}}}\n{\"file\":{\"deltaSingleAction\":{\"add\":{\"path\":\"https://x/1\"}}}}";
        for text in [parquet, delta] {
            for size in [1, 7, text.len()] {
                let mut lines = Lines::default();
                let found = text
                    .as_bytes()
                    .chunks(size)
                    .find_map(|chunk| lines.take(chunk, false))
                    .or_else(|| lines.take(&[], true));
                assert_eq!(found, Some(First::Url("https://x/1".to_owned())), "{size}");
            }
        }
        for (text, found) in [
            ("{\"protocol\":{}}\n{\"metaData\":{}}\n", None),
            (
                "{\"protocol\":{}}\n{\"endStreamAction\":{\"errorMessage\":\"gone\"}}\n",
                Some(First::Error("gone".to_owned())),
            ),
            ("<html>", Some(First::NoProtocol)),
            ("", Some(First::NoProtocol)),
            ("{\"file\":{\"url\":\"x\"}}", Some(First::NoProtocol)),
        ] {
            assert_eq!(
                Lines::default().take(text.as_bytes(), true),
                found,
                "{text}"
            );
        }
    }
}
