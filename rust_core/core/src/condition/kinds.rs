//! Tells parts that can mean nothing by the kinds of what stands in them: to CEL `acr == '2'` is no mistake and false for
//! ever, and `acr < '2'` is one that shows only when it is judged.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::Kind;

/// What is wrong with the kinds of a call's operands; None: nothing, or it can't be said.
///
/// `bound` begins with the name of a loop's item: an item of a fact, and so a text.
pub(super) fn clash(
    call: &CallExpr,
    facts: &BTreeMap<String, Kind>,
    bound: &[&str],
) -> Option<String> {
    let operands: Vec<&IdedExpr> = call
        .target
        .as_deref()
        .into_iter()
        .chain(&call.args)
        .collect();
    let kinds: Vec<Option<Kind>> = operands
        .iter()
        .map(|part| kind_of(part, facts, bound))
        .collect();
    let kind = |place: usize| kinds.get(place).copied().flatten();
    let pair = || kind(0).zip(kind(1));
    match call.func_name.as_str() {
        operators::EQUALS | operators::NOT_EQUALS => pair().and_then(never_same),
        operators::IN => match operands.get(1).map(|part| &part.expr) {
            Some(Expr::List(list)) => list
                .elements
                .iter()
                .filter_map(|one| kind(0).zip(kind_of(one, facts, bound)))
                .find_map(never_same),
            _ => kind(1)
                .and_then(|one| unfit(one, &[Kind::Texts]))
                .or_else(|| kind(0).and_then(|one| never_same((one, Kind::Text)))),
        },
        operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => pair().and_then(|(one, other)| {
            let is_ordered = one == other && matches!(one, Kind::Text | Kind::Number);
            (!is_ordered).then(|| format!("compares {one} with {other}, which have no order"))
        }),
        operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => kinds
            .iter()
            .flatten()
            .find_map(|one| unfit(*one, &[Kind::Flag])),
        operators::CONDITIONAL => kind(0)
            .and_then(|one| unfit(one, &[Kind::Flag]))
            .or_else(|| {
                let (one, other) = kind(1).zip(kind(2))?;
                (one != other).then(|| format!("chooses between {one} and {other}"))
            }),
        operators::NEGATE => kind(0).and_then(|one| unfit(one, &[Kind::Number])),
        "size" => kind(0).and_then(|one| unfit(one, &[Kind::Text, Kind::Texts])),
        "contains" => kind(0)
            .and_then(|one| unfit(one, &[Kind::Text, Kind::Texts]))
            .or_else(|| kind(1).and_then(|one| unfit(one, &[Kind::Text]))),
        "startsWith" | "endsWith" => kinds
            .iter()
            .flatten()
            .find_map(|one| unfit(*one, &[Kind::Text])),
        _ => None,
    }
}

fn never_same((one, other): (Kind, Kind)) -> Option<String> {
    (one != other).then(|| format!("compares {one} with {other}, which are never the same"))
}

fn unfit(one: Kind, wanted: &[Kind]) -> Option<String> {
    let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    (!wanted.contains(&one)).then(|| format!("needs {}, not {one}", names.join(" or ")))
}

/// What a part comes to, where that can be said.
fn kind_of(part: &IdedExpr, facts: &BTreeMap<String, Kind>, bound: &[&str]) -> Option<Kind> {
    match &part.expr {
        Expr::Literal(LiteralValue::String(_)) => Some(Kind::Text),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_)) => Some(Kind::Number),
        Expr::Literal(LiteralValue::Boolean(_)) | Expr::Comprehension(_) => Some(Kind::Flag),
        Expr::Ident(name) if bound.first() == Some(&name.as_str()) => Some(Kind::Text),
        Expr::Ident(name) if bound.contains(&name.as_str()) => None,
        Expr::Ident(name) => facts.get(name).copied(),
        Expr::Call(call) => match call.func_name.as_str() {
            "size" | operators::NEGATE => Some(Kind::Number),
            operators::CONDITIONAL => kind_of(call.args.get(1)?, facts, bound),
            operators::ADD => None,
            _ => Some(Kind::Flag),
        },
        Expr::List(_) => Some(Kind::Texts),
        _ => None,
    }
}
