//! R: errors, which people read and programs go by.

use serde_json::json;

use super::calls::NOBODY;
use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::client::{Ask, FEATURES};
use crate::world::Table;

cases! {
    "R.not-found" "DeltaSharingService.scala" "What is not there is 404 RESOURCE_DOES_NOT_EXIST" not_found;
    "R.parameter" "DeltaSharingService.scala" "A wrong parameter is 400 INVALID_PARAMETER_VALUE" parameter;
    "R.malformed" "DeltaSharingService.scala" "A body that cannot be read is 400 MALFORMED_REQUEST" malformed;
    "R.unsupported" "DeltaSharingService.scala" "What the client cannot read is 400 UNSUPPORTED_OPERATION, and the message says what to send" unsupported;
    "R.challenge" "RFC 9110, 11.6.1" "401 comes with WWW-Authenticate: Bearer" challenge;
    "R.expired" "OpenSharing server" "A token whose time is over is 401, and the message says so" expired;
    "R.message" "PROTOCOL.md, REST APIs" "A message is a sentence on one line, without the server's inner life" message;
    "R.outside" "Delta PROTOCOL.md, Add File" "A table whose log names a file outside of its folder is refused with 4xx, and no URL for it is handed out" outside;
    "R.cleaned" "DeltaSharingServiceSuite" "A version that log cleanup has removed is 400 or 404, never 500, and names the earliest that is left" cleaned;
}

async fn not_found(world: &World) -> Checked {
    let table = Table {
        name: NOBODY.to_owned(),
        ..world.plain()?.clone()
    };
    let answer = world.send(table.query(json!({}))).await?;
    answer.refused(404, "RESOURCE_DOES_NOT_EXIST").map(|_| ())
}

async fn parameter(world: &World) -> Checked {
    let table = world.plain()?;
    for body in [json!({ "maxFiles": 0 }), json!({ "limitHint": -1 })] {
        let answer = world.send(table.query(body)).await?;
        answer.refused(400, "INVALID_PARAMETER_VALUE")?;
    }
    Ok(())
}

async fn malformed(world: &World) -> Checked {
    let table = world.plain()?;
    for body in ["{", r#"{"limitHint":"many"}"#] {
        let answer = world.send(table.query(json!({})).body(body)).await?;
        answer.refused(400, "MALFORMED_REQUEST")?;
    }
    Ok(())
}

async fn unsupported(world: &World) -> Checked {
    let table = world.advanced()?;
    let answer = world.send(table.query(json!({}))).await?;
    let message = answer.refused(400, "UNSUPPORTED_OPERATION")?;
    ensure(
        message
            .to_lowercase()
            .contains("delta-sharing-capabilities"),
        "a message that names the header to send",
        message,
    )
}

async fn challenge(world: &World) -> Checked {
    let answer = world.send(Ask::get(&["shares"]).anonymous()).await?;
    let found = answer.header("www-authenticate");
    ensure(
        answer.status == 401 && found.to_lowercase().starts_with("bearer"),
        "401 with WWW-Authenticate: Bearer",
        format!("{} with '{found}'", answer.status),
    )
}

async fn expired(world: &World) -> Checked {
    let Some(token) = &world.hints.expired_token else {
        return skip("the world file does not name `expired_token`, a token whose time is over");
    };
    let answer = world.send(Ask::get(&["shares"]).token(token)).await?;
    let message = answer.refused(401, "")?;
    ensure(
        message.to_lowercase().contains("expired"),
        "a message that says that it has expired",
        message,
    )
}

async fn message(world: &World) -> Checked {
    let table = world.plain()?;
    for ask in [
        Ask::get(&["shares", NOBODY]),
        Ask::get(&["shares"]).query("maxResults", "-1"),
        table.query(json!({ "maxFiles": 0 })),
        table.query(json!({})).body("{"),
    ] {
        let answer = world.send(ask).await?;
        let message = answer.refused(answer.status, "")?;
        let fits = !message.trim().is_empty()
            && !message.contains('\n')
            && !["panicked", "Exception", "\tat ", ".rs:", ".scala:"]
                .iter()
                .any(|inner| message.contains(inner));
        ensure(fits, "a sentence for people", message)?;
    }
    Ok(())
}

async fn outside(world: &World) -> Checked {
    let table = world.hinted("outside", world.hints.outside.as_ref())?;
    for format in ["parquet", "delta"] {
        let can = format!("responseformat={format};readerfeatures={FEATURES}");
        let answer = world.send(table.query(json!({})).can(&can)).await?;
        answer.refused_for_good()?;
        answer.refused(answer.status, "")?;
    }
    Ok(())
}

async fn cleaned(world: &World) -> Checked {
    let (table, earliest) = world.hinted_at("cleaned", world.hints.cleaned.as_ref())?;
    for body in [json!({ "version": 0 }), json!({ "startingVersion": 0 })] {
        let answer = world.send(table.query(body)).await?;
        answer.refused_for_good()?;
        let message = answer.refused(answer.status, "")?;
        ensure(
            message.contains(&earliest.to_string()),
            format!("a message that names version {earliest}"),
            message,
        )?;
    }
    Ok(())
}
