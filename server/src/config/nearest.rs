//! The word that was probably meant.

/// The candidate with the fewest edits from `word`; the first of equals.
pub(super) fn of<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    candidates
        .min_by_key(|candidate| edits(word, candidate))
        .unwrap_or_default()
        .to_owned()
}

/// Levenshtein's distance, counted in characters.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("addr", "adr", 1),
        ] {
            assert_eq!(edits(one, other), expected, "{one} {other}");
        }
        assert_eq!(of("adr", ["url", "addr"].into_iter()), "addr");
    }
}
