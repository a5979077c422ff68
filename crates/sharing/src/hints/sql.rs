//! `predicateHints`: comparisons of a column with a literal, `IS [NOT] NULL`, `AND` and parentheses. What dialects read
//! differently is not read: double quotes, backslashes, doubled quotes, paths with points.

use super::expr::{DEPTH, Expr, How, Literal};

/// None: it is nothing of that.
pub(super) fn parse(text: &str) -> Option<Expr> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    let expr = parser.all(DEPTH)?;
    (parser.at == tokens.len()).then_some(expr)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// In backticks: always a column.
    Name(String),
    Quoted(String),
    Number(String),
    Compare(How),
    NotEqual,
    Open,
    Close,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '=' if rest.starts_with("==") => (Token::Compare(How::Equal), 2),
            '=' => (Token::Compare(How::Equal), 1),
            '!' if rest.starts_with("!=") => (Token::NotEqual, 2),
            // `<=>` asks for more than `<=`.
            '<' if rest.starts_with("<=>") => return None,
            '<' if rest.starts_with("<>") => (Token::NotEqual, 2),
            '<' if rest.starts_with("<=") => (Token::Compare(How::LessOrEqual), 2),
            '<' => (Token::Compare(How::Less), 1),
            '>' if rest.starts_with(">=") => (Token::Compare(How::GreaterOrEqual), 2),
            '>' => (Token::Compare(How::Greater), 1),
            '\'' | '`' => {
                let (within, behind) = rest[1..].split_once(first)?;
                if behind.starts_with(first) || within.contains('\\') {
                    return None;
                }
                let token = if first == '`' {
                    Token::Name(within.to_owned())
                } else {
                    Token::Quoted(within.to_owned())
                };
                (token, within.len() + 2)
            }
            '-' | '0'..='9' => {
                let end = |c: char| !(c.is_ascii_digit() || c == '.');
                let length = 1 + rest[1..].find(end).unwrap_or(rest.len() - 1);
                let number = &rest[..length];
                if is_of_word(&rest[length..]) || number.ends_with(['-', '.']) {
                    return None;
                }
                (Token::Number(number.to_owned()), length)
            }
            first if first.is_ascii_alphabetic() || first == '_' => {
                let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
                let length = rest.find(end).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            _ => return None,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

fn is_of_word(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words that stand for no column unless they are quoted.
const RESERVED: [&str; 18] = [
    "all", "and", "any", "between", "case", "cast", "else", "end", "exists", "in", "is", "like",
    "not", "null", "or", "some", "then", "when",
];

enum Operand {
    Column(String),
    Literal(Literal),
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Parser<'a> {
    fn take(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    /// Takes the next token if it is this word.
    fn takes(&mut self, word: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(is_it);
        is_it
    }

    fn all(&mut self, depth: usize) -> Option<Expr> {
        let depth = depth.checked_sub(1)?;
        let mut all = vec![self.one(depth)?];
        while self.takes("and") {
            all.push(self.one(depth)?);
        }
        Some(Expr::And(all))
    }

    fn one(&mut self, depth: usize) -> Option<Expr> {
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            let within = self.all(depth)?;
            return (self.take()? == &Token::Close).then_some(within);
        }
        let left = self.operand()?;
        if self.takes("is") {
            let is_not = self.takes("not");
            let Operand::Column(column) = left else {
                return None;
            };
            if !self.takes("null") {
                return None;
            }
            let is_null = Expr::IsNull(column);
            return Some(if is_not { is_null.not() } else { is_null });
        }
        let (how, is_not) = match self.take()? {
            Token::Compare(how) => (*how, false),
            Token::NotEqual => (How::Equal, true),
            _ => return None,
        };
        let compare = match (left, self.operand()?) {
            (Operand::Column(column), Operand::Literal(literal)) => Expr::Compare {
                column,
                how,
                literal,
            },
            (Operand::Literal(literal), Operand::Column(column)) => Expr::Compare {
                column,
                how: how.flipped(),
                literal,
            },
            _ => Expr::Unknown,
        };
        Some(if is_not { compare.not() } else { compare })
    }

    fn operand(&mut self) -> Option<Operand> {
        let word = match self.take()? {
            Token::Name(name) => return Some(Operand::Column(name.clone())),
            Token::Quoted(text) => return Some(Operand::Literal(Literal::Quoted(text.clone()))),
            Token::Number(text) => {
                let literal = if text.contains('.') {
                    Literal::Number(text.clone())
                } else {
                    Literal::Integer(text.clone())
                };
                return Some(Operand::Literal(literal));
            }
            Token::Word(word) => word,
            _ => return None,
        };
        let lower = word.to_ascii_lowercase();
        // DATE '2026-01-31'; `date` by itself is a column, and a common one.
        if matches!(lower.as_str(), "date" | "timestamp")
            && let Some(Token::Quoted(text)) = self.tokens.get(self.at)
        {
            self.at += 1;
            return Some(Operand::Literal(if lower == "date" {
                Literal::Date(text.clone())
            } else {
                Literal::Timestamp(text.clone())
            }));
        }
        match lower.as_str() {
            "true" | "false" => Some(Operand::Literal(Literal::Bool(word.to_ascii_lowercase()))),
            reserved if RESERVED.contains(&reserved) => None,
            _ => Some(Operand::Column(word.clone())),
        }
    }
}
