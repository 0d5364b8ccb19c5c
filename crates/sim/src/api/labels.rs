//! Label selectors as upstream reads and refuses them.
//!
//! Clients show the refusal to people, so its sentence is upstream's (`apimachinery/pkg/labels/selector.go`, `Parser`);
//! and what upstream takes although it says nothing, such as `app in ()`, is taken here as well.

use keelson_core::selector::{self, Operator, Requirement};

/// A word of the notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    End,
    /// `( ) , ! == = > < !=`, as it stands.
    Sign(&'a str),
    /// A name or value; `in` and `notin` too, where no operator can stand.
    Word(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::End => "",
            Self::Sign(text) | Self::Word(text) => text,
        }
    }
}

const SIGNS: [&str; 9] = ["!=", "==", "=", "!", ">", "<", "(", ")", ","];

/// What a text demands, or upstream's sentence about what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut all = Vec::new();
    loop {
        match parser.ahead() {
            Token::End => return Ok(all),
            Token::Word(_) | Token::Sign("!") => {
                all.push(parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            }
            other => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.text())),
        }
        match parser.next() {
            Token::End => return Ok(all),
            Token::Sign(",") if !matches!(parser.ahead(), Token::Word(_) | Token::Sign("!")) => {
                return Err(format!("found '{}', expected: identifier after ','", parser.ahead().text()));
            }
            Token::Sign(",") => {}
            other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
        }
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text.trim_start();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
        let end = sign.map_or_else(
            || rest.find(|one: char| one.is_whitespace() || "!=><(),".contains(one)).unwrap_or(rest.len()),
            |sign| sign.len(),
        );
        let (token, after) = rest.split_at(end);
        all.push(if sign.is_some() { Token::Sign(token) } else { Token::Word(token) });
        rest = after.trim_start();
    }
    all
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn ahead(&self) -> Token<'a> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.ahead();
        self.at = self.at.saturating_add(1);
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.next();
        let absent = token == Token::Sign("!");
        if absent {
            token = self.next();
        }
        let Token::Word(key) = token else { return Err(format!("found '{}', expected: identifier", token.text())) };
        if selector::validate_key(key).is_err() {
            return Err(format!("<nil>: Invalid value: {key:?}: {}", super::meta::BAD_KEY));
        }
        if absent || matches!(self.ahead(), Token::End | Token::Sign(",")) {
            let op = if absent { Operator::DoesNotExist } else { Operator::Exists };
            return Ok(Requirement::new(key, op, &[]));
        }
        let (op, several) = match self.next() {
            Token::Word("in") => (Operator::In, true),
            Token::Word("notin") => (Operator::NotIn, true),
            Token::Sign("=" | "==") => (Operator::In, false),
            Token::Sign("!=") => (Operator::NotIn, false),
            Token::Sign(">") => (Operator::Gt, false),
            Token::Sign("<") => (Operator::Lt, false),
            other => return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.text())),
        };
        let values = if several { self.values()? } else { vec![self.value()?] };
        for (index, value) in values.iter().enumerate() {
            if matches!(op, Operator::Gt | Operator::Lt) && value.parse::<i64>().is_err() {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                return Err(format!("values[{index}]: Invalid value: {value:?}: {why}"));
            }
            if selector::validate_value(key, value).is_err() {
                return Err(format!(
                    "values[{index}][{key}]: Invalid value: {value:?}: {}",
                    super::meta::bad_value(value)
                ));
            }
        }
        Ok(Requirement::new(key, op, &values))
    }

    fn value(&mut self) -> Result<&'a str, String> {
        match self.ahead() {
            Token::End | Token::Sign(",") => Ok(""),
            Token::Word(value) => {
                self.next();
                Ok(value)
            }
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn values(&mut self) -> Result<Vec<&'a str>, String> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = Vec::new();
        match self.ahead() {
            Token::Sign(")" | ",") | Token::Word(_) => {}
            other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.text())),
        }
        loop {
            match self.next() {
                Token::Sign(")") => {
                    values.push("");
                    return Ok(values);
                }
                Token::Sign(",") => values.push(""),
                Token::Word(value) => {
                    values.push(value);
                    match self.next() {
                        Token::Sign(")") => return Ok(values),
                        Token::Sign(",") => {}
                        other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
                    }
                }
                other => return Err(format!("found '{}', expected: ',', or identifier", other.text())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_upstream_takes_is_taken_and_means_the_same() {
        let read = |text: &str| parse(text).unwrap_or_default();
        assert_eq!(
            read("a in (b, c),!d"),
            [Requirement::new("a", Operator::In, &["b", "c"]), Requirement::new("d", Operator::DoesNotExist, &[])]
        );
        assert_eq!(read("a in ()"), [Requirement::new("a", Operator::In, &[""])]);
        assert_eq!(read("in notin (notin)"), [Requirement::new("in", Operator::NotIn, &["notin"])]);
        assert_eq!(
            read("a=,b"),
            [Requirement::new("a", Operator::In, &[""]), Requirement::new("b", Operator::Exists, &[])]
        );
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn a_refusal_names_what_was_found_and_what_was_expected() {
        for (text, said) in [
            ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            (
                "a>b",
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
            ("a=b,", "found '', expected: identifier after ','"),
            ("=", "found '=', expected: !, identifier, or 'end of string'"),
        ] {
            assert_eq!(parse(text), Err(said.to_owned()), "{text}");
        }
    }
}
