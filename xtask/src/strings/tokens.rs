//! Rust's text in pieces, as far as finding its literals takes: words, marks and texts, without comments. Sources that the compiler
//! takes are expected; what is none is read somehow.

/// A piece of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    /// One character; a quotation mark stands for a character or a lifetime.
    Mark(char),
    /// What a literal of text says.
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// From one, where it begins.
    pub(super) line: usize,
    /// Nothing stands between it and the one before.
    pub(super) is_glued: bool,
}

impl Token {
    pub(super) fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Mark(_) | Kind::Text(_) => None,
        }
    }
}

pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader {
        text: source.chars().collect(),
        at: 0,
        line: 1,
    };
    let mut found = Vec::new();
    let mut is_glued = false;
    while let Some(next) = reader.peek(0) {
        if next.is_whitespace() {
            reader.bump();
            is_glued = false;
        } else if reader.comment() {
            is_glued = false;
        } else {
            let line = reader.line;
            let kind = reader.token(next);
            found.push(Token {
                kind,
                line,
                is_glued,
            });
            is_glued = true;
        }
    }
    found
}

struct Reader {
    text: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        if next == '\n' {
            self.line += 1;
        }
        Some(next)
    }

    /// Passes over a comment, if one begins here. Those in between asterisks nest.
    fn comment(&mut self) -> bool {
        match (self.peek(0), self.peek(1)) {
            (Some('/'), Some('/')) => {
                while self.peek(0).is_some_and(|next| next != '\n') {
                    self.bump();
                }
                true
            }
            (Some('/'), Some('*')) => {
                let mut depth = 0;
                while let Some(next) = self.bump() {
                    match (next, self.peek(0)) {
                        ('/', Some('*')) => depth += 1,
                        ('*', Some('/')) => depth -= 1,
                        _ => continue,
                    }
                    self.bump();
                    if depth == 0 {
                        break;
                    }
                }
                true
            }
            _ => false,
        }
    }

    fn token(&mut self, next: char) -> Kind {
        if next == '"' {
            return Kind::Text(self.quoted());
        }
        if next == '\'' {
            self.character();
            return Kind::Mark('\'');
        }
        if !is_of_word(next) {
            self.bump();
            return Kind::Mark(next);
        }
        let mut word = String::new();
        while let Some(next) = self.peek(0).filter(|next| is_of_word(*next)) {
            word.push(next);
            self.bump();
        }
        match (word.as_str(), self.peek(0)) {
            ("b" | "c", Some('"')) => Kind::Text(self.quoted()),
            ("b", Some('\'')) => {
                self.character();
                Kind::Mark('\'')
            }
            ("r" | "br" | "cr", Some('"' | '#')) => match self.raw() {
                Some(text) => Kind::Text(text),
                // `r#type`
                None => Kind::Word(word),
            },
            _ => Kind::Word(word),
        }
    }

    /// Between quotation marks. What is written by its number is left out: no sentence needs it.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        self.bump();
        while let Some(next) = self.bump() {
            match next {
                '"' => break,
                '\\' => match self.bump() {
                    Some('n' | 'r' | 't') => text.push(' '),
                    // The line goes on where the next one's first letter stands.
                    Some('\n') => {
                        while self.peek(0).is_some_and(char::is_whitespace) {
                            self.bump();
                        }
                    }
                    Some('u') => while self.bump().is_some_and(|next| next != '}') {},
                    Some('x') => {
                        self.bump();
                        self.bump();
                    }
                    Some(escaped) => text.push(escaped),
                    None => {}
                },
                other => text.push(other),
            }
        }
        text
    }

    /// What follows `r`, if that is a text.
    fn raw(&mut self) -> Option<String> {
        let mut hashes = 0;
        while self.peek(hashes) == Some('#') {
            hashes += 1;
        }
        if self.peek(hashes) != Some('"') {
            return None;
        }
        for _ in 0..=hashes {
            self.bump();
        }
        let mut text = String::new();
        while let Some(next) = self.bump() {
            if next == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..hashes {
                    self.bump();
                }
                break;
            }
            text.push(next);
        }
        Some(text)
    }

    /// A character to its end; of a lifetime the mark alone.
    fn character(&mut self) {
        self.bump();
        if self.peek(0) == Some('\\') {
            self.bump();
            self.bump();
            while self.bump().is_some_and(|next| next != '\'') {}
        } else if self.peek(1) == Some('\'') {
            self.bump();
            self.bump();
        }
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<(usize, String)> {
        let texts = tokens(source)
            .into_iter()
            .filter_map(|token| match token.kind {
                Kind::Text(text) => Some((token.line, text)),
                Kind::Word(_) | Kind::Mark(_) => None,
            });
        texts.collect()
    }

    #[test]
    fn texts_are_told_from_what_only_looks_like_one() {
        for (source, expected) in [
            (r#"f("a b")"#, "a b"),
            (
                r#"// "no"
               "a""#,
                "a",
            ),
            (r#"/* "no" /* "no" */ "no" */ "a""#, "a"),
            (r#"('"', '\'', '\u{22}', b'"', "a")"#, "a"),
            (r#"fn f<'a>(x: &'a str) { g("a") }"#, "a"),
            (r#"("say \"a\"\n{x}")"#, "say \"a\" {x}"),
            ("\"a \\\n    b\"", "a b"),
            (r#""“\u{2068}a\u{2069}”""#, "“a”"),
            (r###"r#"a "b" c"#"###, "a \"b\" c"),
            (r#"b"a""#, "a"),
            (r#"r#type="a""#, "a"),
        ] {
            let found: Vec<String> = texts(source).into_iter().map(|(_, text)| text).collect();
            assert_eq!(found, [expected], "{source}");
        }
    }

    #[test]
    fn lines_are_counted_through_texts_and_comments() {
        let source = "/* one\n two */ \"three\nfour\" 'x'\n\"five \\\n six\"\n\"seven\"";
        let expected = [(2, "three\nfour"), (4, "five six"), (6, "seven")];
        assert_eq!(
            texts(source),
            expected.map(|(line, text)| (line, text.to_owned()))
        );
    }

    #[test]
    fn an_unfinished_text_ends_with_the_source() {
        for source in ["\"a", "r#\"a\"", "/* a", "'\\", "\"\\u{"] {
            assert!(tokens(source).len() < 2, "{source}");
        }
    }
}
