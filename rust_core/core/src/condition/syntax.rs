//! Says in plain words why a text is no condition: what stands where it was not to be read on, and what to write.
//!
//! Of the parser's own words only two are heeded: whether it wanted a value there, and whether a bracket to be closed.

use super::Fault;

const SIGNS: &str = "=<>&|!?:+-*/%";

/// The fault that a parser's first error comes down to.
pub(super) fn fault(source: &str, errors: &[cel::ParseError]) -> Fault {
    let Some(error) = errors.first() else {
        return super::whole("can't be read");
    };
    let (line, column) = error.pos;
    let (line, column) = (
        usize::try_from(line).unwrap_or(0),
        usize::try_from(column).unwrap_or(0),
    );
    let start = offset(source, line, column);
    let (before, rest) = source.split_at(start);
    let token = token(rest);
    let (reason, hint) = said(before.trim_end(), token, &error.msg);
    Fault {
        reason: reason.to_owned(),
        word: token.to_owned(),
        hint,
        line,
        column,
    }
}

/// Where a line and column are in a text; both from 1, columns in characters.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let begin: usize = source
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = &source[begin.min(source.len())..];
    let within = rest.char_indices().nth(column.saturating_sub(1));
    begin + within.map_or(rest.len(), |(index, _)| index)
}

/// What stands at the beginning of a text: a word, a text in quotes, an operator, or one character.
fn token(rest: &str) -> &str {
    let rest = rest.trim_end();
    let Some(first) = rest.chars().next() else {
        return "";
    };
    if first == '\'' || first == '"' {
        return rest[1..]
            .find(first)
            .map_or(rest, |closed| &rest[..closed + 2]);
    }
    let is_of = |one: char| {
        if SIGNS.contains(first) {
            SIGNS.contains(one)
        } else {
            one.is_alphanumeric() || one == '_'
        }
    };
    let end = rest.find(|one| !is_of(one)).unwrap_or(rest.len());
    &rest[..end.max(first.len_utf8())]
}

fn said(before: &str, token: &str, message: &str) -> (&'static str, String) {
    let is_value_wanted = message.contains("IDENTIFIER");
    let last_word = before
        .rsplit(|one: char| !one.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let hint = match token {
        "" if message.contains("missing ')'") => "close the bracket with )".to_owned(),
        "" => return ("ends too early", "a fact or a value is missing".to_owned()),
        "=" => "write == to compare".to_owned(),
        "&" | "|" => format!("write {token}{token}"),
        ">" if before.ends_with('<') => "write != for what is not the same".to_owned(),
        _ if message.contains("token recognition") && token.starts_with(['\'', '"']) => {
            let quote = &token[..1];
            return ("is a text without an end", format!("close it with {quote}"));
        }
        _ if token.eq_ignore_ascii_case("and") => "write &&".to_owned(),
        _ if token.eq_ignore_ascii_case("or") => "write ||".to_owned(),
        _ if last_word.eq_ignore_ascii_case("not") => "write ! for not".to_owned(),
        "," => "write a list as ['…', '…']".to_owned(),
        "‘" | "’" | "“" | "”" => "put texts in ' or \"".to_owned(),
        "contains" | "startsWith" | "endsWith" => format!("write it as fact.{token}('…')"),
        _ if message.contains("reserved") => {
            return (
                "is a reserved word",
                "no fact and no variable is called so".to_owned(),
            );
        }
        _ if message.contains("ExprContext") => {
            return (
                "is not whole",
                "a choice is written condition ? value : value".to_owned(),
            );
        }
        _ if before.ends_with(['\'', '"']) => {
            "an operator is missing before it; a text with a quote in it stands in the other kind of quotes".to_owned()
        }
        _ if is_value_wanted => "a fact or a value is missing before it".to_owned(),
        _ => "before it one of == != < <= > >= in && || is missing, or it is one too many".to_owned(),
    };
    let reason = if token.is_empty() {
        "ends too early"
    } else {
        "can't stand here"
    };
    (reason, hint)
}
