//! The words that a product is found by. Both sides, what is stored and what is asked, go through [`fold`] and [`pieces`],
//! so that neither case nor underscores nor compatibility forms of a letter keep them apart.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;

use super::{ProductRecord, TableRecord};

/// Longer words are cut: a prefix still finds them.
const TERM_MAX: usize = 64;
/// A product with more words than this keeps the weightiest.
const TERMS_MAX: usize = 4_000;
/// The most words one search may hold.
pub(super) const WORDS_MAX: usize = 12;

/// Where a word stands, and how much it counts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) weight: i64,
}

const NAME: Field = Field {
    name: "name",
    weight: 50,
};
const TITLE: Field = Field {
    name: "title",
    weight: 40,
};
const TAG: Field = Field {
    name: "tag",
    weight: 25,
};
const TABLE: Field = Field {
    name: "table",
    weight: 20,
};
const COLUMN: Field = Field {
    name: "column",
    weight: 10,
};
const DESCRIPTION: Field = Field {
    name: "description",
    weight: 5,
};

/// Compatibility forms made one (NFKC), lower case, outer space gone.
pub(super) fn fold(text: &str) -> String {
    let folded: String = text.nfkc().collect::<String>().to_lowercase();
    // Lower case can leave what NFKC would still join: `İ` becomes `i` and a combining dot.
    folded.nfkc().collect::<String>().trim().to_owned()
}

/// A run of letters and digits with what holds runs together inside a name (`_`, `-`, `.`), split at those and where small
/// letters turn to capitals: `order_lineId` gives `order`, `line`, `id`, and joined `orderlineid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) parts: Vec<String>,
    /// Present when there is more than one part.
    pub(super) joined: Option<String>,
}

/// The pieces of a text, folded, each word cut to [`TERM_MAX`].
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let text: String = text.nfkc().collect();
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.'))
        .filter_map(|run| {
            let parts: Vec<String> = parts(run);
            let joined = (parts.len() > 1).then(|| cut(&parts.concat()));
            (!parts.is_empty()).then(|| Piece {
                parts: parts.iter().map(|part| cut(part)).collect(),
                joined,
            })
        })
        .collect()
}

fn parts(run: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut small_before = false;
    for c in run.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && small_before) {
            push(&mut parts, &mut part);
        }
        if c.is_alphanumeric() {
            part.push(c);
        }
        small_before = c.is_lowercase();
    }
    push(&mut parts, &mut part);
    parts
}

fn push(parts: &mut Vec<String>, part: &mut String) {
    // Folding may leave marks that are no letters; they would never be asked for.
    let folded: String = fold(part).chars().filter(|c| c.is_alphanumeric()).collect();
    if !folded.is_empty() {
        parts.push(folded);
    }
    part.clear();
}

fn cut(term: &str) -> String {
    term.chars().take(TERM_MAX).collect()
}

/// Every word of a product with the weightiest field it stands in.
pub(super) fn terms_of(
    product: &ProductRecord,
    tags: &[String],
    tables: &[TableRecord],
) -> Vec<(String, Field)> {
    let mut terms: BTreeMap<String, Field> = BTreeMap::new();
    let mut add = |text: &str, field: Field| {
        for piece in pieces(text) {
            for term in piece.parts.into_iter().chain(piece.joined) {
                let kept = terms.entry(term).or_insert(field);
                if field.weight > kept.weight {
                    *kept = field;
                }
            }
        }
    };
    add(product.name.as_str(), NAME);
    add(&product.title, TITLE);
    for tag in tags {
        add(tag, TAG);
    }
    for table in tables {
        add(table.name.as_str(), TABLE);
        for column in &table.columns {
            add(&column.name, COLUMN);
        }
    }
    add(&product.description, DESCRIPTION);
    let mut terms: Vec<(String, Field)> = terms.into_iter().collect();
    if terms.len() > TERMS_MAX {
        terms.sort_by_key(|(_, field)| std::cmp::Reverse(field.weight));
        terms.truncate(TERMS_MAX);
    }
    terms
}

/// What a search asks for: prefixes that must all be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The parts of names as words of their own: `visit_id` asks for `visit…` and `id…`.
    pub(super) split: Vec<String>,
    /// The parts of names joined, for when nothing has them apart: `visit_id` asks for `visitid…`. None: the same.
    pub(super) joined: Option<Vec<String>>,
}

impl Words {
    /// The joined names only.
    pub(super) fn whole(&self) -> Vec<String> {
        let mut whole = self.joined.clone().unwrap_or_default();
        whole.retain(|word| !self.split.contains(word));
        whole
    }
}

/// The words of a search. Empty when the text holds no letter and no digit: then nothing can match.
pub(super) fn words_of(text: &str) -> Words {
    let pieces = pieces(text);
    let any_joined = pieces.iter().any(|piece| piece.joined.is_some());
    let joined = any_joined.then(|| {
        pieces
            .iter()
            .flat_map(|piece| match &piece.joined {
                Some(joined) => vec![joined.clone()],
                None => piece.parts.clone(),
            })
            .collect()
    });
    Words {
        split: unique(pieces.into_iter().flat_map(|piece| piece.parts).collect()),
        joined: joined.map(unique),
    }
}

/// Each word once; one that begins another is asked for by the longer one already.
fn unique(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    let mut kept: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        match kept.last_mut() {
            Some(last) if word.starts_with(last.as_str()) => *last = word,
            _ => kept.push(word),
        }
    }
    kept
}

/// What every text that begins with `prefix` lies below, in code-point order.
pub(super) fn above(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        pieces(text)
            .into_iter()
            .flat_map(|piece| piece.parts.into_iter().chain(piece.joined))
            .collect()
    }

    #[test]
    fn words_are_split_folded_and_joined() {
        let cases: [(&str, &[&str]); 10] = [
            ("Workshop visits", &["workshop", "visits"]),
            ("visit_id", &["visit", "id", "visitid"]),
            ("vehicle-visits", &["vehicle", "visits", "vehiclevisits"]),
            ("orderLineId", &["order", "line", "id", "orderlineid"]),
            ("VIN", &["vin"]),
            ("Gewährleistung", &["gewährleistung"]),
            ("ﬁnance ＡＢ", &["finance", "ab"]),
            ("__x__", &["x"]),
            ("100% 'a' \"b\"", &["100", "a", "b"]),
            ("% _ -- ' \"", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(all(text), expected, "{text}");
        }
    }

    #[test]
    fn a_decomposed_letter_is_the_composed_one() {
        assert_eq!(all("Gewa\u{308}hrleistung"), all("GEWÄHRLEISTUNG"));
    }

    #[test]
    fn searches_ask_for_each_word_once() {
        let words = words_of("visit_id Visit");
        assert_eq!(words.split, ["id", "visit"]);
        assert_eq!(words.joined, Some(vec!["visitid".into()]));
        assert_eq!(words_of("a ab b abc a").split, ["abc", "b"]);
        assert_eq!(words.whole(), ["visitid"]);
        assert_eq!(words_of("two words").joined, None);
        assert!(words_of("%'_").split.is_empty());
    }

    #[test]
    fn above_is_above_every_continuation() {
        for text in ["ab", "abz", "abé", "ab\u{fffd}"] {
            assert!("ab" <= text && text < above("ab").as_str(), "{text}");
        }
        assert!(above("ab").as_str() < "ac");
    }
}
