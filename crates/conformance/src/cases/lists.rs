//! L: lists and their pages.

use serde_json::Value;

use crate::World;
use crate::case::{Checked, cases, ensure, fail, skip};
use crate::client::{Answer, Ask, shortened};
use crate::world::before;

cases! {
    "L.pages" "PROTOCOL.md, pagination" "Pages of one item each hold together what one page holds" pages;
    "L.max-results" "PROTOCOL.md, pagination" "A page holds no more items than maxResults" max_results;
    "L.max-results-zero" "PROTOCOL.md, pagination" "maxResults=0 gives no items" zero;
    "L.max-results-large" "PROTOCOL.md, pagination" "A maxResults above what the server gives is cut down, or 400, but no failure" large;
    "L.max-results-negative" "PROTOCOL.md, pagination" "A negative maxResults is 400 INVALID_PARAMETER_VALUE" negative;
    "L.max-results-no-number" "PROTOCOL.md, pagination" "A maxResults that is no number is 400 INVALID_PARAMETER_VALUE" no_number;
    "L.last-page" "DeltaSharingClient.scala" "The last page has no nextPageToken, not even an empty one: Spark would list without end" last_page;
    "L.empty-token" "PROTOCOL.md, pagination" "An empty pageToken asks for the first page" empty_token;
    "L.token-of-other-list" "PROTOCOL.md, pagination" "A token of another list is 400" other_list;
    "L.token-forged" "PROTOCOL.md, pagination" "A token that the server has not made is 400" forged;
}

fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().cloned().unwrap_or_default()
}

/// Lists with more than one item, longest first.
async fn long_list(world: &World) -> Checked<(Vec<String>, Vec<Value>)> {
    let mut lists = vec![vec!["shares".to_owned()]];
    for share in &world.shares {
        let name = share["name"].as_str().unwrap_or_default().to_owned();
        lists.push(vec!["shares".to_owned(), name, "all-tables".to_owned()]);
    }
    for path in lists {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let found = before(world.list(&parts).await)?;
        if found.len() > 1 {
            return Ok((path, found));
        }
    }
    skip("no list here has more than one item")
}

fn ask(path: &[String]) -> Ask {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    Ask::get(&parts)
}

async fn page(world: &World, ask: Ask) -> Checked<(Value, Answer)> {
    let answer = world.send(ask).await?.ok()?;
    Ok((answer.json()?, answer))
}

async fn pages(world: &World) -> Checked {
    let (path, expected) = long_list(world).await?;
    let (mut seen, mut token) = (Vec::new(), None::<String>);
    for _ in 0..=2 * expected.len() {
        let mut next = ask(&path).query("maxResults", "1");
        if let Some(token) = &token {
            next = next.query("pageToken", token);
        }
        let (found, _) = page(world, next).await?;
        seen.extend(items(&found));
        match found["nextPageToken"].as_str() {
            Some(next) if !next.is_empty() => token = Some(next.to_owned()),
            _ => {
                return ensure(
                    seen == expected,
                    format!("the {} items of one page", expected.len()),
                    shortened(&Value::from(seen).to_string()),
                );
            }
        }
    }
    fail("the pages to end", "pages without end")
}

async fn max_results(world: &World) -> Checked {
    let (path, _) = long_list(world).await?;
    let (found, answer) = page(world, ask(&path).query("maxResults", "1")).await?;
    ensure(items(&found).len() <= 1, "at most one item", answer.shown())
}

async fn zero(world: &World) -> Checked {
    let (found, answer) = page(world, Ask::get(&["shares"]).query("maxResults", "0")).await?;
    ensure(items(&found).is_empty(), "no items", answer.shown())
}

async fn large(world: &World) -> Checked {
    let ask = Ask::get(&["shares"]).query("maxResults", "2147483647");
    let answer = world.send(ask).await?;
    ensure(
        [200, 400].contains(&answer.status),
        "200 with fewer, or 400",
        answer.shown(),
    )
}

async fn negative(world: &World) -> Checked {
    let ask = Ask::get(&["shares"]).query("maxResults", "-1");
    let answer = world.send(ask).await?;
    answer.refused(400, "INVALID_PARAMETER_VALUE").map(|_| ())
}

async fn no_number(world: &World) -> Checked {
    let ask = Ask::get(&["shares"]).query("maxResults", "many");
    let answer = world.send(ask).await?;
    answer.refused(400, "INVALID_PARAMETER_VALUE").map(|_| ())
}

async fn last_page(world: &World) -> Checked {
    let share = world.share()?;
    for path in [
        vec!["shares"],
        vec!["shares", share, "schemas"],
        vec!["shares", share, "all-tables"],
    ] {
        let mut next = Ask::get(&path);
        for _ in 0..100 {
            let (found, answer) = page(world, next).await?;
            match found.get("nextPageToken") {
                None | Some(Value::Null) => break,
                Some(Value::String(token)) if !token.is_empty() => {
                    next = Ask::get(&path).query("pageToken", token);
                }
                Some(_) => return fail("no nextPageToken on the last page", answer.shown()),
            }
        }
    }
    Ok(())
}

async fn empty_token(world: &World) -> Checked {
    let (first, _) = page(world, Ask::get(&["shares"])).await?;
    let ask = Ask::get(&["shares"]).query("pageToken", "");
    let (found, answer) = page(world, ask).await?;
    ensure(
        items(&found) == items(&first),
        "the first page",
        answer.shown(),
    )
}

async fn other_list(world: &World) -> Checked {
    let (path, _) = long_list(world).await?;
    let (found, _) = page(world, ask(&path).query("maxResults", "1")).await?;
    let Some(token) = found["nextPageToken"].as_str() else {
        return skip("the server puts all items on one page");
    };
    let share = world.share()?;
    let other = if path.len() == 1 {
        Ask::get(&["shares", share, "schemas"])
    } else {
        Ask::get(&["shares"])
    };
    let answer = world.send(other.query("pageToken", token)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn forged(world: &World) -> Checked {
    let ask = Ask::get(&["shares"]).query("pageToken", "bm90LWEtdG9rZW4");
    world.send(ask).await?.refused(400, "").map(|_| ())
}
