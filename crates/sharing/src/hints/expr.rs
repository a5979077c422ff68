//! A predicate as both notations give it, not yet put to a table.

/// Deeper than this a predicate is not looked into.
pub(super) const DEPTH: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// May be anything for any row.
    Unknown,
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// Of the column of this name.
    IsNull(String),
    Compare {
        column: String,
        how: How,
        literal: Literal,
    },
}

impl Expr {
    pub(super) fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// How many parts each file is held against.
    pub(super) fn size(&self) -> usize {
        1 + match self {
            Self::And(all) | Self::Or(all) => all.iter().map(Self::size).sum(),
            Self::Not(part) => part.size(),
            Self::Unknown | Self::IsNull(_) | Self::Compare { .. } => 0,
        }
    }
}

/// The column, and then the literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl How {
    /// The same with the sides changed.
    pub(super) const fn flipped(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// A value and what the notation says of its type; what it means is the column's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Bool(String),
    Integer(String),
    /// Also without a fraction.
    Number(String),
    Text(String),
    Date(String),
    Timestamp(String),
    /// A quoted word of SQL: a text, or a date or timestamp that a column of such a type makes of it.
    Quoted(String),
}
