//! `check strings`: what people read stands in `app/src/words`, and nowhere else in the portal. Sources are looked at as text, so
//! a sentence is what looks like one: several words, or one that begins large.
//!
//! Not found is a small word that stands alone (`"paused"`): it looks like the name of something.

mod tokens;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::repo::Repo;
use tokens::{Kind, Token, tokens};

const PORTAL: &str = "app/src";

/// Below [`PORTAL`]: where sentences belong; lines of code that readers copy; a page of development builds that shows components with
/// samples.
const PASSED_OVER: [&str; 3] = ["words", "pages/access/clients.rs", "pages/styleguide.rs"];

/// Attributes that are for machines. Others, as `label` and `aria-label`, are read.
const OF_MACHINES: [&str; 12] = [
    "aria-describedby",
    "aria-labelledby",
    "attr:class",
    "class",
    "content",
    "d",
    "href",
    "id",
    "name",
    "points",
    "transform",
    "viewBox",
];

/// Macros and a method whose texts go to the log or to developers.
const OF_DEVELOPERS: [&str; 14] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "debug",
    "debug_assert",
    "error",
    "expect",
    "info",
    "panic",
    "path",
    "trace",
    "unimplemented",
    "unreachable",
    "warn",
];

/// What looks like a sentence and is none: the file, and how it begins.
const NO_SENTENCES: [(&str, &str); 5] = [
    // Names of keys, as the browser's events have them.
    ("browser/keys.rs", "Enter"),
    ("browser/keys.rs", "Escape"),
    ("browser/pictures.rs", "Home"),
    ("browser/pictures.rs", "End"),
    // The script that loads the bundle.
    ("shell.rs", "import init"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    line: usize,
    text: String,
}

/// Checks the portal; says how many files it looked at.
pub(crate) fn check(repo: &Repo) -> Result<String> {
    let portal = repo.root.join(PORTAL);
    let mut files = Vec::new();
    walk(&portal, &portal, &mut files)?;
    files.sort();
    let mut mistakes = Vec::new();
    let mut unused = NO_SENTENCES.to_vec();
    for file in &files {
        let source = std::fs::read_to_string(portal.join(file))
            .with_context(|| format!("read {}", file.display()))?;
        for found in sentences(&source) {
            let excuse = NO_SENTENCES
                .iter()
                .find(|(of, beginning)| file == Path::new(of) && found.text.starts_with(beginning));
            match excuse {
                Some(excuse) => unused.retain(|other| other != excuse),
                None => mistakes.push(format!(
                    "{PORTAL}/{}:{}: {:?}",
                    file.display(),
                    found.line,
                    found.text
                )),
            }
        }
    }
    mistakes.extend(unused.iter().map(|(file, beginning)| {
        format!("{PORTAL}/{file}: {beginning:?} is excused in xtask/src/strings.rs and not there")
    }));
    if mistakes.is_empty() {
        return Ok(format!("{} files", files.len()));
    }
    bail!(
        "{} texts that belong into {PORTAL}/words, by a name:\n  {}",
        mistakes.len(),
        mistakes.join("\n  ")
    )
}

/// All sources of the portal but its words and tests, by their paths below it.
fn walk(portal: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let list = || format!("list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(list)? {
        let path = entry.with_context(list)?.path();
        let below = path.strip_prefix(portal)?;
        if PASSED_OVER.iter().any(|over| below == Path::new(over)) {
            continue;
        }
        if path.is_dir() {
            walk(portal, &path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(below.to_path_buf());
        }
    }
    Ok(())
}

/// What people read in a source, but for its tests.
fn sentences(source: &str) -> Vec<Found> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    // Both forms of a word are words, though they stand alone.
    let mut forms_until = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let Some(after) = passed_over(&tokens, at) {
            at = after;
            continue;
        }
        if token.word() == Some("plural") && is_mark(&tokens, at + 1, '(') {
            forms_until = after_group(&tokens, at + 1);
        }
        if let Kind::Text(text) = &token.kind
            && (at < forms_until
                || (is_sentence(text) && !is_for_machines(&tokens, at) && !is_typed(&tokens, at)))
        {
            found.push(Found {
                line: token.line,
                text: text.clone(),
            });
        }
        at += 1;
    }
    found
}

/// Where to go on, if what begins here is nobody's to read: an attribute, with the tests behind it; a text for the log.
fn passed_over(tokens: &[Token], at: usize) -> Option<usize> {
    let token = tokens.get(at)?;
    if token.is('#') {
        let open = if is_mark(tokens, at + 1, '!') {
            at + 2
        } else {
            at + 1
        };
        if !is_mark(tokens, open, '[') {
            return None;
        }
        let after = after_group(tokens, open);
        let words = tokens.get(open..after)?.iter().filter_map(Token::word);
        return Some(if words.eq(["cfg", "test"]) {
            after_item(tokens, after)
        } else {
            after
        });
    }
    let word = token.word()?;
    let open = if is_mark(tokens, at + 1, '!') {
        at + 2
    } else if word == "expect" {
        at + 1
    } else {
        return None;
    };
    let opens = ['(', '[', '{']
        .iter()
        .any(|mark| is_mark(tokens, open, *mark));
    (opens && OF_DEVELOPERS.contains(&word)).then(|| after_group(tokens, open))
}

fn is_mark(tokens: &[Token], at: usize, mark: char) -> bool {
    tokens.get(at).is_some_and(|token| token.is(mark))
}

/// Behind the bracket that closes the one at `open`.
fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Behind an item: its semicolon, or the braces around what it holds.
fn after_item(tokens: &[Token], from: usize) -> usize {
    for (at, token) in tokens.iter().enumerate().skip(from) {
        if token.is(';') {
            return at + 1;
        }
        if token.is('{') {
            return after_group(tokens, at);
        }
    }
    tokens.len()
}

/// Whether the text is the value of an attribute in a view (`class="…"`, nothing between) that nobody reads.
fn is_for_machines(tokens: &[Token], at: usize) -> bool {
    let is_value = at
        .checked_sub(1)
        .and_then(|before| tokens.get(before))
        .is_some_and(|before| before.is('=') && before.is_glued);
    if !is_value || !tokens.get(at).is_some_and(|token| token.is_glued) {
        return false;
    }
    let mut name = String::new();
    for token in tokens[..at - 1].iter().rev() {
        match &token.kind {
            Kind::Word(word) => name.insert_str(0, word),
            Kind::Mark(mark @ ('-' | ':')) => name.insert(0, *mark),
            Kind::Mark(_) | Kind::Text(_) => break,
        }
        if !token.is_glued {
            break;
        }
    }
    name.starts_with("data-") || OF_MACHINES.contains(&name.as_str())
}

/// Whether the text is what `class="code"` stands around: a command or a name, to be typed as it is.
fn is_typed(tokens: &[Token], at: usize) -> bool {
    at.checked_sub(2).is_some_and(|before| {
        tokens[before].kind == Kind::Text("code".to_owned()) && is_mark(tokens, before + 1, '>')
    })
}

/// Several words, or one that begins large and goes on small.
fn is_sentence(text: &str) -> bool {
    if is_code(text) {
        return false;
    }
    let text = without_gaps(text);
    let has_word = text
        .split(|character: char| !character.is_alphabetic())
        .any(|word| word.chars().nth(1).is_some());
    if !has_word {
        return false;
    }
    let mut letters = text.chars().filter(|character| character.is_alphabetic());
    text.contains(char::is_whitespace)
        || (text.starts_with(char::is_uppercase)
            && letters.next().is_some()
            && letters.all(char::is_lowercase))
}

/// A class with its modifier, or a selector.
fn is_code(text: &str) -> bool {
    let brackets = text.split('[').skip(1);
    text.contains("__")
        || text.contains("--")
        || text.starts_with(':')
        || brackets
            .filter_map(|behind| behind.chars().next())
            .any(char::is_lowercase)
}

/// Without what values are put in for: `{name}`.
fn without_gaps(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(next) = characters.next() {
        if next != '{' {
            rest.push(next);
        } else if characters.next_if_eq(&'{').is_none() {
            characters.by_ref().find(|inner| *inner == '}');
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        sentences(source)
            .into_iter()
            .map(|found| found.text)
            .collect()
    }

    #[test]
    fn a_sentence_is_found_wherever_it_stands() {
        for (source, expected) in [
            (
                r#"view! { <p>"Nothing was moved."</p> }"#,
                "Nothing was moved.",
            ),
            (r#"view! { <p>{n}" of "{all}</p> }"#, " of "),
            (r#"view! { <h1>"Costs"</h1> }"#, "Costs"),
            (
                r#"view! { <Field label="From day" name="since"/> }"#,
                "From day",
            ),
            (r#"view! { <nav aria-label="Main"/> }"#, "Main"),
            (
                r#"const WHY: &str = "choose one: nobody knows";"#,
                "choose one: nobody knows",
            ),
            (r#"let name = "all consumers";"#, "all consumers"),
            (r#"format!("Run of {table}")"#, "Run of {table}"),
            (r#"Column::Text("E-mail")"#, "E-mail"),
            (r#"f("Über uns")"#, "Über uns"),
            (r#"#[component] fn f() { "Not working" }"#, "Not working"),
            (
                r#"#[cfg(test)] mod tests { "In a test" } f("After it")"#,
                "After it",
            ),
            (r#"#[cfg(test)] mod tests; f("After it")"#, "After it"),
        ] {
            assert_eq!(texts(source), [expected], "{source}");
        }
        assert_eq!(texts(r#"words::plural(n, "row", "rows")"#), ["row", "rows"]);
    }

    #[test]
    fn what_only_machines_read_is_left() {
        for source in [
            r#"// "A remark.""#,
            r#"view! { <p class="secondary muted" id="The id"/> }"#,
            r#"view! { <A href="/a b" attr:class="button account"/> }"#,
            r#"view! { <svg viewBox="Min min 16 16" data-at="As it is"/> }"#,
            r#"view! { <script r#type="module"/> }"#,
            r#"view! { <span class="code">"entrepot grant list"</span> }"#,
            r#"format!("button button--{weight}")"#,
            r#"format!("M{x} {y}L{x} {y}Z")"#,
            r#"format!("/products/{name}")"#,
            r#"f.write_str("PersonForm({})")"#,
            r#"query("form[data-part], input[id]")"#,
            r#"query(":scope > li")"#,
            r#"found.expect("there is one")"#,
            r#"#[expect(dead_code, reason = "Only in tests.")] fn f() {}"#,
            r#"tracing::error!(error = why, "a page or a form failed");"#,
            r#"path!("/Some page")"#,
            r#"("GB", "POST", "yes", "GiB", ", ", " ", "2026-01-31")"#,
        ] {
            assert_eq!(texts(source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn a_sentence_is_named_by_its_line() {
        let found = sentences("//! Costs.\n\nfn f() {\n    g(\"Too late.\")\n}\n");
        let expected = Found {
            line: 4,
            text: "Too late.".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn words_and_tests_are_passed_over_and_pages_are_not() -> Result<()> {
        let portal = Repo::find()?.root.join(PORTAL);
        let mut files = Vec::new();
        walk(&portal, &portal, &mut files)?;
        for (file, is_looked_at) in [
            ("layout.rs", true),
            ("pages/costs/mod.rs", true),
            ("components/tests.rs", false),
            ("pages/styleguide.rs", false),
            ("words/mod.rs", false),
            ("words/costs.rs", false),
        ] {
            assert_eq!(files.contains(&PathBuf::from(file)), is_looked_at, "{file}");
        }
        Ok(())
    }
}
