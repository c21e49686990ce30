//! Conditions of policies: a part of CEL (Common Expression Language) whose cost has a bound.
//!
//! A condition compares a few facts about a sign-in. There is no arithmetic, nothing is built, and loops (`exists`,
//! `all`, `exists_one`) go over lists of facts and are not nested, so that judging one takes at most
//! `MOST_NODES × MOST_ITEMS` steps. A fact that is not known is not bound: whatever depends on it is not met.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread;

use cel::common::ast::IdedExpr;
use cel::{Context, ExecutionError, Value};
use thiserror::Error;

mod kinds;
mod read;
mod syntax;
#[cfg(test)]
mod tests;

/// Longest condition, in bytes.
pub const LONGEST: usize = 1000;
/// Most parts of a condition.
pub const MOST_NODES: usize = 300;
/// Most items of a fact that is a list; further ones are not heeded.
pub const MOST_ITEMS: usize = 200;

const QUOTES: &str = "texts stand in quotes; numbers, true and false do not";

// What is nested within the bounds of a condition fits into it.
const STACK: usize = 64 << 20;

/// What a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// Several texts.
    Texts,
}

impl fmt::Display for Kind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Flag => "yes or no",
            Self::Texts => "several texts",
        })
    }
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
}

/// Why a text is no condition.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct Fault {
    /// What is wrong.
    pub reason: String,
    /// The word at fault, if it is one.
    pub word: String,
    /// What to write in its place; empty: whoever knows the facts can say.
    pub hint: String,
    /// Line, from 1; 0: all of it.
    pub line: usize,
    /// Column, from 1; 0: all of it.
    pub column: usize,
}

/// What the facts make of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Met,
    /// It does not hold.
    NotMet,
    /// It depends on facts that are not known, so it is not met.
    Unknown(Vec<String>),
}

/// A condition that was compiled.
#[derive(Debug)]
pub struct Condition {
    root: IdedExpr,
    names: BTreeSet<String>,
}

impl Condition {
    /// Compiles a condition over facts of these names and kinds.
    ///
    /// # Errors
    ///
    /// The text is no condition, or may cost too much; the fault says where.
    pub fn compile(source: &str, facts: &BTreeMap<String, Kind>) -> Result<Self, Fault> {
        read::check_size(source)?;
        // Whatever is written there is read on a stack that is large enough for all that fits into `LONGEST`.
        thread::scope(|scope| {
            thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, || Self::read(source, facts))
                .ok()?
                .join()
                .ok()
        })
        .unwrap_or_else(|| Err(whole("can't be read")))
    }

    fn read(source: &str, facts: &BTreeMap<String, Kind>) -> Result<Self, Fault> {
        let (root, names) = read::read(source, facts)?;
        let condition = Self { root, names };
        condition.try_out(facts)?;
        Ok(condition)
    }

    /// Names of the facts that the condition speaks of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What the facts make of it; those that are missing are not known.
    #[must_use]
    pub fn judge(&self, facts: &BTreeMap<String, Fact>) -> Verdict {
        match self.value(facts) {
            Ok(Value::Bool(true)) => Verdict::Met,
            Ok(_) => Verdict::NotMet,
            Err(_) => {
                let unknown = self.names.iter().filter(|name| !facts.contains_key(*name));
                Verdict::Unknown(unknown.cloned().collect())
            }
        }
    }

    fn value(&self, facts: &BTreeMap<String, Fact>) -> Result<Value, ExecutionError> {
        let mut context = Context::default();
        for name in &self.names {
            if let Some(fact) = facts.get(name) {
                context.add_variable_from_value(name.as_str(), value_of(fact));
            }
        }
        Value::resolve(&self.root, &context)
    }

    /// Types are found out by trying: each fact is given once as little and once as much.
    fn try_out(&self, facts: &BTreeMap<String, Kind>) -> Result<(), Fault> {
        for is_much in [false, true] {
            let sample = facts
                .iter()
                .map(|(name, kind)| (name.clone(), sample_of(*kind, is_much)))
                .collect();
            match self.value(&sample) {
                Ok(Value::Bool(_)) => {}
                Ok(_) => return Err(whole("is neither true nor false")),
                Err(_) => {
                    return Err(Fault {
                        hint: QUOTES.to_owned(),
                        ..whole("compares what can't be compared")
                    });
                }
            }
        }
        Ok(())
    }
}

fn whole(reason: &str) -> Fault {
    Fault {
        reason: reason.to_owned(),
        word: String::new(),
        hint: String::new(),
        line: 0,
        column: 0,
    }
}

fn value_of(fact: &Fact) -> Value {
    match fact {
        Fact::Text(text) => text.as_str().into(),
        Fact::Number(number) => Value::Int(*number),
        Fact::Flag(flag) => Value::Bool(*flag),
        Fact::Texts(texts) => {
            let values: Vec<Value> = texts
                .iter()
                .take(MOST_ITEMS)
                .map(|text| text.as_str().into())
                .collect();
            values.into()
        }
    }
}

fn sample_of(kind: Kind, is_much: bool) -> Fact {
    let text = if is_much { "zz" } else { "" };
    match kind {
        Kind::Text => Fact::Text(text.to_owned()),
        Kind::Number => Fact::Number(i64::from(is_much) * 1000),
        Kind::Flag => Fact::Flag(is_much),
        Kind::Texts => Fact::Texts(vec![text.to_owned()]),
    }
}
