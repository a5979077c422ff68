//! C-08: each field of every form that a server function takes, as it must not be: one that nobody knows, a group or a list in place
//! of a text, too long, left out.

use serde_json::Value;

use super::bodies::{LONG, STRANGE};
use super::functions::{fields, functions};
use super::{World, who_may};
use crate::support::counts::Counts;

type Fields = Vec<(String, String)>;

/// How a box says that it is ticked, and that it is not: what is not the first is the second.
const BOX: [&str; 2] = ["yes", "no"];

/// One for each way in which a field can be wrong, with what is wrong.
fn spoilt(good: &[(String, String)]) -> Vec<(String, Fields)> {
    let mut found = Vec::new();
    let mut strange = good.to_vec();
    strange.push((format!("form[{STRANGE}]"), "x".to_owned()));
    found.push((format!("{STRANGE} that nobody knows"), strange));
    for (at, (name, value)) in good.iter().enumerate() {
        let group = format!("{name}[a]");
        let list = format!("{name}[0]");
        for other in [group, list] {
            let mut fields = good.to_vec();
            other.clone_into(&mut fields[at].0);
            found.push((format!("{other} in place of a text"), fields));
        }
        if !BOX.contains(&value.as_str()) {
            let mut fields = good.to_vec();
            fields[at].1 = "x".repeat(LONG);
            found.push((format!("{name} too long"), fields));
        }
    }
    found
}

/// Whether an answer says what is wrong, field by field or of the whole form.
fn says_why(text: &str) -> bool {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let fields = answer["invalid"]["fields"].as_array();
    let is_said = |field: &Value| !field["message"].as_str().unwrap_or_default().is_empty();
    fields.is_some_and(|fields| !fields.is_empty() && fields.iter().all(is_said))
}

/// Rows of all tables. A session is begun for whoever sends a form without one.
async fn stored(world: &World) -> Counts {
    Counts::of(world.exchange().db()).await.without("session")
}

#[tokio::test]
async fn no_form_is_taken_that_is_not_as_it_should_be() {
    let mut world = World::start().await;
    let cookies = world.cookies().await;
    let (mut forms, mut needed) = (0, 0);
    let mut faults = Vec::new();
    for (function, (operation, _, _)) in functions() {
        let sample = world.sample(operation).await.unwrap();
        let good = fields(function, &sample);
        let cookie = cookies[who_may(operation.name())].as_ref();
        let before = stored(&world).await;
        for (what, bad) in spoilt(&good) {
            let (status, text) = world.call(cookie, function, bad).await;
            let shown: String = text.chars().take(300).collect();
            let what = format!("{function}, {what}: {status} {shown}");
            let is_refused = (400..500).contains(&status);
            let is_said = status != 422 || says_why(&text);
            let is_repeated = text.contains(&"x".repeat(1_000));
            if !is_refused || !is_said || is_repeated || stored(&world).await != before {
                faults.push(what);
            }
            forms += 1;
        }
        for at in 0..good.len() {
            let mut without = good.clone();
            let (name, _) = without.remove(at);
            // A form that can be read is refused to nobody for that reason, and any other before it is known who asks.
            let (status, _) = world.call(None, function, without.clone()).await;
            if status == 401 {
                continue;
            }
            let (status, text) = world.call(cookie, function, without).await;
            let what = format!("{function} without {name}: {status} {text}");
            if status != 422 || !says_why(&text) || stored(&world).await != before {
                faults.push(what);
            }
            needed += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        forms > 300 && needed > 50,
        "{forms} forms, {needed} of them lack something"
    );
}
