//! The text of a label selector, word by word.

use super::{Operator, Requirement, SelectorError, shown};

/// A piece of a selector's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// Anything without blanks and symbols: a key, a value, `in`, `notin`.
    Name(&'a str),
    Symbol(&'static str),
    End,
}

/// Reads a selector's text word by word.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next word and where it ends.
    fn look(&self) -> (Word<'a>, usize) {
        let rest = self.text.get(self.at..).unwrap_or("");
        let start = rest.trim_start_matches(is_blank);
        let begin = self.text.len() - start.len();
        if start.is_empty() {
            return (Word::End, begin);
        }
        // The longer symbols first, so that == is not read as two of =.
        let symbols = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];
        if let Some(symbol) = symbols.into_iter().find(|symbol| start.starts_with(symbol)) {
            return (Word::Symbol(symbol), begin + symbol.len());
        }
        let name = start.split(|c| is_blank(c) || "=!(),><".contains(c)).next().unwrap_or(start);
        (Word::Name(name), begin + name.len())
    }

    pub(super) fn peek(&self) -> Word<'a> {
        self.look().0
    }

    pub(super) fn next(&mut self) -> Word<'a> {
        let (word, end) = self.look();
        self.at = end;
        word
    }

    /// The error that another word was expected next.
    pub(super) fn unexpected(&self, expected: &'static str) -> SelectorError {
        let (word, end) = self.look();
        let (found, at) = match word {
            Word::End => ("the end".to_owned(), end),
            Word::Name(name) => (format!("{:?}", shown(name)), end - name.len()),
            Word::Symbol(symbol) => (format!("{symbol:?}"), end - symbol.len()),
        };
        SelectorError::Syntax { found, expected, at }
    }

    pub(super) fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.peek() == Word::Symbol("!");
        if absent {
            self.next();
        }
        let Word::Name(key) = self.peek() else {
            return Err(self.unexpected("a label key"));
        };
        self.next();
        let (op, values) = match self.peek() {
            _ if absent => (Operator::DoesNotExist, Vec::new()),
            Word::End | Word::Symbol(",") => (Operator::Exists, Vec::new()),
            Word::Symbol("=" | "==") => (Operator::In, self.value()?),
            Word::Symbol("!=") => (Operator::NotIn, self.value()?),
            Word::Symbol(">") => (Operator::Gt, self.value()?),
            Word::Symbol("<") => (Operator::Lt, self.value()?),
            Word::Name("in") => (Operator::In, self.values()?),
            Word::Name("notin") => (Operator::NotIn, self.values()?),
            _ => return Err(self.unexpected("one of = == != in notin > < or a comma")),
        };
        let wanted = Requirement { key: key.to_owned(), op, values };
        wanted.validate()?;
        Ok(wanted)
    }

    /// The one value behind an operator; nothing there is the empty value.
    fn value(&mut self) -> Result<Vec<String>, SelectorError> {
        self.next();
        match self.peek() {
            Word::End | Word::Symbol(",") => Ok(vec![String::new()]),
            Word::Name(value) => {
                self.next();
                Ok(vec![value.to_owned()])
            }
            Word::Symbol(_) => Err(self.unexpected("a value")),
        }
    }

    /// `in (a,b)`: nothing between commas is the empty value, and nothing between the parentheses is no value.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        self.next();
        if self.peek() != Word::Symbol("(") {
            return Err(self.unexpected("("));
        }
        self.next();
        let mut values = Vec::new();
        let mut more = self.peek() != Word::Symbol(")");
        while more {
            let value = match self.peek() {
                Word::Name(value) => value,
                _ => "",
            };
            if !value.is_empty() {
                self.next();
            }
            values.push(value.to_owned());
            more = self.peek() == Word::Symbol(",");
            if more {
                self.next();
            }
        }
        if self.peek() != Word::Symbol(")") {
            return Err(self.unexpected(", or )"));
        }
        self.next();
        Ok(values)
    }
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
