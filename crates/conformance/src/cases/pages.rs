//! H7 to H9: the pages of an answer, the form of tokens, and refreshing URLs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lines::now;
use crate::World;
use crate::case::{Checked, cases, ensure, fail, skip};
use crate::client::{Ask, VERSION, shortened};
use crate::world::{Data, Table, before};

cases! {
    "H7.whole" "DeltaSharingClient.scala" "The pages of a query together are its files, each once" whole;
    "H7.small" "DeltaSharingClient.scala" "A page holds no more files than maxFiles" small;
    "H7.advanced" "DeltaSharingClient.scala" "A table with advanced features comes in pages, too" advanced;
    "H7.same-head" "DeltaSharingClient.scala" "Protocol and metadata are the same on every page, byte by byte, and so is the version: Spark compares them" same_head;
    "H7.pinned" "DeltaSharingService.scala" "Pages stay with the version of the first, whatever is committed meanwhile" pinned;
    "H7.other-parameters" "DeltaSharingServiceSuite" "A page token with other parameters is 400" other_parameters;
    "H7.other-table" "DeltaSharingServiceSuite" "A page token of another table is 400" other_table;
    "H7.forged" "DeltaSharingServiceSuite" "A page token that the server has not made is 400" forged;
    "H7.changes" "DeltaSharingClient.scala" "The pages of changes together are all changes" pages_of_changes;
    "H8.url-safe" "DeltaSharingClient.scala" "Page tokens need no encoding in a URL: Spark's pager of changes appends them as they are" url_safe;
    "H9.token" "PROTOCOL.md, refreshToken" "includeRefreshToken gives a refresh token" token;
    "H9.same-files" "DeltaSharingClient.scala" "A refresh gives the same files with URLs that work" same_files;
    "H9.pinned" "delta-io/delta-sharing#383" "A refresh gives the same files also when a later version has removed them" refresh_pinned;
    "H9.other-table" "DeltaSharingServiceSuite" "A refresh token of another table is 400" refresh_other_table;
    "H9.forged" "DeltaSharingServiceSuite" "A refresh token that the server has not made is 400" refresh_forged;
    "H9.with-page" "DeltaSharingServiceSuite" "A refresh token together with a page token is 400" refresh_with_page;
    "H9.url-life" "CachedTableManager.scala" "URLs live for more than 15 minutes: Spark refreshes when less is left" url_life;
}

/// All pages of one file each, in order.
async fn paged(world: &World, table: &Table, body: &Value) -> Checked<Vec<Data>> {
    let mut pages: Vec<Data> = Vec::new();
    let mut asked = body.clone();
    asked["maxFiles"] = json!(1);
    for _ in 0..=2 * table.files + 100 {
        let ask = table.query(asked.clone()).can(&table.able());
        let data = world.data(ask).await?;
        let next = data.end_text("nextPageToken");
        pages.push(data);
        match next {
            Some(next) => asked["pageToken"] = json!(next),
            None if pages.len() == 1 => {
                return skip("the server gives all files at once whatever maxFiles says");
            }
            None => return Ok(pages),
        }
    }
    fail("the pages to end", "pages without end")
}

/// The first page's token.
async fn page_token(world: &World, table: &Table) -> Checked<String> {
    let data = before(world.data(table.query(json!({ "maxFiles": 1 }))).await)?;
    match data.end_text("nextPageToken") {
        Some(token) => Ok(token),
        None => skip("the server gives all files at once whatever maxFiles says"),
    }
}

async fn whole(world: &World) -> Checked {
    pages_are_whole(world, world.several()?).await
}

async fn advanced(world: &World) -> Checked {
    let (table, _) = world.advanced_changing()?;
    pages_are_whole(world, table).await
}

async fn pages_are_whole(world: &World, table: &Table) -> Checked {
    let all = world.data(table.query(json!({})).can(&table.able())).await;
    let expected = before(all)?.ids();
    let pages = paged(world, table, &json!({})).await?;
    let count: usize = pages.iter().map(|page| page.files().len()).sum();
    let seen: BTreeSet<String> = pages.iter().flat_map(Data::ids).collect();
    ensure(
        seen == expected && count == expected.len(),
        format!("{} files, each once", expected.len()),
        format!("{count} files, {} of them different", seen.len()),
    )
}

async fn small(world: &World) -> Checked {
    let table = world.several()?;
    for page in paged(world, table, &json!({})).await? {
        ensure(
            page.files().len() <= 1,
            "at most one file on a page",
            format!("{}", page.files().len()),
        )?;
    }
    Ok(())
}

async fn same_head(world: &World) -> Checked {
    let table = world.several()?;
    let pages = paged(world, table, &json!({})).await?;
    let head = |page: &Data| -> Vec<String> {
        let text = page.answer.text();
        let mut head: Vec<String> = text.lines().take(2).map(str::to_owned).collect();
        head.push(page.answer.header(VERSION).to_owned());
        head
    };
    let first = head(&pages[0]);
    for page in &pages {
        let seen = head(page);
        ensure(
            seen == first,
            shortened(&first.join(" ")),
            shortened(&seen.join(" ")),
        )?;
    }
    Ok(())
}

async fn pinned(world: &World) -> Checked {
    let table = world.hinted("moving", world.hints.moving.as_ref())?;
    let expected = before(world.data(table.query(json!({}))).await)?;
    let mut body = json!({ "maxFiles": 1 });
    let mut page = world.data(table.query(body.clone())).await?;
    let mut seen = page.ids();
    if page.end_text("nextPageToken").is_none() {
        return skip("the server gives all files at once whatever maxFiles says");
    }
    world.advance().await?;
    for _ in 0..expected.files().len() + 5 {
        let Some(next) = page.end_text("nextPageToken") else {
            break;
        };
        body["pageToken"] = json!(next);
        page = world.data(table.query(body.clone())).await?;
        seen.extend(page.ids());
    }
    ensure(
        seen == expected.ids() && page.answer.version()? == expected.answer.version()?,
        format!(
            "the {} files of version {}",
            expected.ids().len(),
            expected.answer.version()?
        ),
        format!(
            "{} files, the last page of version {}",
            seen.len(),
            page.answer.version()?
        ),
    )
}

async fn other_parameters(world: &World) -> Checked {
    let table = world.several()?;
    let token = page_token(world, table).await?;
    let body = json!({ "maxFiles": 1, "pageToken": token, "predicateHints": ["conformance = 1"] });
    let answer = world.send(table.query(body)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn other_table(world: &World) -> Checked {
    let table = world.several()?;
    let token = page_token(world, table).await?;
    let other = world
        .tables
        .iter()
        .find(|other| other.parquet && other.shown() != table.shown());
    let Some(other) = other else {
        return skip("there is one table only");
    };
    let body = json!({ "maxFiles": 1, "pageToken": token });
    let answer = world.send(other.query(body)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn forged(world: &World) -> Checked {
    let table = world.plain()?;
    let body = json!({ "maxFiles": 1, "pageToken": "bm90LWEtdG9rZW4" });
    let answer = world.send(table.query(body)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn pages_of_changes(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let lines = |data: &Data| -> Vec<(String, String, i64)> {
        let mut lines = Vec::new();
        for (key, file) in data.files() {
            let id = file["id"].as_str().unwrap_or_default().to_owned();
            let at = file["version"].as_i64().unwrap_or_default();
            lines.push((key.to_owned(), id, at));
        }
        lines
    };
    let mut expected = lines(&before(world.data(table.changes_since(first)).await)?);
    let (mut seen, mut token) = (Vec::new(), None::<String>);
    for _ in 0..=expected.len() + 5 {
        let mut ask = table.changes_since(first).query("maxFiles", "1");
        if let Some(token) = &token {
            ask = ask.query("pageToken", token);
        }
        let data = world.data(ask).await?;
        seen.extend(lines(&data));
        token = data.end_text("nextPageToken");
        if token.is_none() {
            break;
        }
    }
    expected.sort();
    seen.sort();
    ensure(
        seen == expected,
        format!("{} changes", expected.len()),
        format!("{} changes", seen.len()),
    )
}

fn is_safe(token: &str) -> bool {
    token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

async fn url_safe(world: &World) -> Checked {
    let mut tokens = Vec::new();
    if let Ok((table, first)) = world.changing() {
        let ask = table.changes_since(first).query("maxFiles", "1");
        tokens.extend(world.data(ask).await?.end_text("nextPageToken"));
    }
    if let Ok(table) = world.several() {
        tokens.extend(page_token(world, table).await.ok());
    }
    let list = world
        .send(Ask::get(&["shares"]).query("maxResults", "1"))
        .await?
        .ok()?
        .json()?;
    tokens.extend(list["nextPageToken"].as_str().map(str::to_owned));
    if tokens.is_empty() {
        return skip("the server makes no pages of what is here");
    }
    for token in tokens {
        ensure(
            is_safe(&token),
            "letters, digits and - . _ ~",
            shortened(&token),
        )?;
    }
    Ok(())
}

pub(super) async fn refreshable(world: &World, table: &Table) -> Checked<(Data, String)> {
    let ask = table
        .query(json!({ "includeRefreshToken": true }))
        .can("responseformat=parquet;includeendstreamaction=true");
    let data = world.data(ask).await?;
    match data.end_text("refreshToken") {
        Some(token) => Ok((data, token)),
        None => skip("the server gives no refresh tokens, which are optional"),
    }
}

async fn token(world: &World) -> Checked {
    let (data, token) = refreshable(world, world.plain()?).await?;
    ensure(
        !token.contains(char::is_whitespace) && data.end().is_some(),
        "a refresh token in endStreamAction",
        shortened(&token),
    )
}

async fn refreshed(world: &World, table: &Table, token: &str) -> Checked<Data> {
    let body = json!({ "includeRefreshToken": true, "refreshToken": token });
    let ask = table
        .query(body)
        .can("responseformat=parquet;includeendstreamaction=true");
    world.data(ask).await
}

async fn same_files(world: &World) -> Checked {
    let table = world.plain()?;
    let (first, token) = refreshable(world, table).await?;
    let again = refreshed(world, table, &token).await?;
    ensure(
        again.ids() == first.ids() && again.answer.version()? == first.answer.version()?,
        format!("the same {} files", first.ids().len()),
        again.answer.shown(),
    )?;
    ensure(
        again.end_text("refreshToken").is_some(),
        "another refresh token",
        "none",
    )?;
    let Some((_, file)) = again.files().first().copied() else {
        return Ok(());
    };
    let url = crate::world::url(file);
    let answer = world.client.fetch(reqwest::Method::GET, url, &[]).await?;
    answer.ok().map(|_| ())
}

async fn refresh_pinned(world: &World) -> Checked {
    let table = world.hinted("moving", world.hints.moving.as_ref())?;
    let (first, token) = refreshable(world, &table).await?;
    world.advance().await?;
    let latest = before(world.data(table.query(json!({}))).await)?;
    ensure(
        latest.ids() != first.ids(),
        "a commit that changes the table's files",
        "the same files",
    )
    .map_err(crate::client::skipped)?;
    let again = refreshed(world, &table, &token).await?;
    ensure(
        again.ids() == first.ids() && again.answer.version()? == first.answer.version()?,
        format!("the files of version {}", first.answer.version()?),
        format!("files of version {}", again.answer.version()?),
    )
}

async fn refresh_other_table(world: &World) -> Checked {
    let table = world.plain()?;
    let (_, token) = refreshable(world, table).await?;
    let other = world
        .tables
        .iter()
        .find(|other| other.parquet && other.shown() != table.shown());
    let Some(other) = other else {
        return skip("there is one table only");
    };
    let answer = world
        .send(other.query(json!({ "refreshToken": token })))
        .await?;
    answer.refused(400, "").map(|_| ())
}

async fn refresh_forged(world: &World) -> Checked {
    let table = world.plain()?;
    let body = json!({ "refreshToken": "bm90LWEtdG9rZW4" });
    let answer = world.send(table.query(body)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn refresh_with_page(world: &World) -> Checked {
    let table = world.plain()?;
    let body = json!({ "refreshToken": "x", "pageToken": "y" });
    let answer = world.send(table.query(body)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn url_life(world: &World) -> Checked {
    let table = world.plain()?;
    let data = world.data(table.query(json!({}))).await?;
    let mut any = false;
    for (_, file) in data.files() {
        let Some(until) = file["expirationTimestamp"].as_i64() else {
            continue;
        };
        any = true;
        let minutes = (until - now()) / 60_000;
        ensure(
            minutes >= 15,
            "a URL that lives for more than 15 minutes",
            format!("{minutes} minutes"),
        )?;
    }
    if any {
        Ok(())
    } else {
        skip("the server does not say when its URLs end")
    }
}
