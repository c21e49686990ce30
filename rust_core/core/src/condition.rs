//! Conditions of policies: a part of CEL (Common Expression Language) whose cost has a bound.
//!
//! A condition compares a few facts about a sign-in. There is no arithmetic, nothing is built, and loops (`exists`,
//! `all`, `exists_one`) go over lists of facts and are not nested, so that judging one takes at most
//! `MOST_NODES × MOST_ITEMS` steps. A fact that is not known is not bound: whatever depends on it is not met.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use cel::common::ast::{
    ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SourceInfo, operators,
};
use cel::{Context, Env, ExecutionError, Value};
use thiserror::Error;

/// Longest condition, in bytes.
pub const LONGEST: usize = 1000;
/// Most parts of a condition.
pub const MOST_NODES: usize = 300;
/// Most items of a fact that is a list; further ones are not heeded.
pub const MOST_ITEMS: usize = 200;

// Judging goes down as deep: what is nested without end would take the stack.
const DEEPEST: usize = 12;
const LONGEST_CHAIN: usize = 64;
const STACK: usize = 64 << 20;
const FUNCTIONS: [&str; 4] = ["contains", "endsWith", "size", "startsWith"];
const OPERATORS: [&str; 13] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
];

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
        if source.trim().is_empty() {
            return Err(whole("is empty"));
        }
        if source.len() > LONGEST {
            return Err(whole(&format!("is longer than {LONGEST} bytes")));
        }
        if deepest(source) > DEEPEST {
            return Err(whole(&format!("is nested deeper than {DEEPEST}")));
        }
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
        let parser = Env::stdlib().parser().max_recursion_depth(96);
        let (root, places) = parser
            .parse_with_source_info(source)
            .map_err(|errors| syntax(&errors.errors))?;
        let mut reader = Reader {
            facts,
            places: &places,
            names: BTreeSet::new(),
            nodes: 0,
            depth: 0,
        };
        reader.read(&root, &[])?;
        let names = reader.names;
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
                Err(_) => return Err(whole("compares what can't be compared")),
            }
        }
        Ok(())
    }
}

/// Looks at every part of a condition, before it is ever judged.
struct Reader<'a> {
    facts: &'a BTreeMap<String, Kind>,
    places: &'a SourceInfo,
    names: BTreeSet<String>,
    nodes: usize,
    depth: usize,
}

impl Reader<'_> {
    fn read(&mut self, part: &IdedExpr, bound: &[&str]) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(whole(&format!("has more than {MOST_NODES} parts")));
        }
        self.depth += 1;
        if self.depth > LONGEST_CHAIN {
            return Err(whole(&format!("has a chain of more than {LONGEST_CHAIN}")));
        }
        self.part(part, bound)?;
        self.depth -= 1;
        Ok(())
    }

    fn part(&mut self, part: &IdedExpr, bound: &[&str]) -> Result<(), Fault> {
        match &part.expr {
            Expr::Literal(LiteralValue::Bytes(_) | LiteralValue::Double(_)) => {
                Err(self.fault(part, "is no text, whole number, true or false", ""))
            }
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(part, name, bound),
            Expr::List(ListExpr { elements, .. }) => {
                elements.iter().try_for_each(|one| self.read(one, bound))
            }
            Expr::Call(call) => {
                let function = call.func_name.as_str();
                if !FUNCTIONS.contains(&function) && !OPERATORS.contains(&function) {
                    return Err(self.fault(part, "is no function of a condition", function));
                }
                let target = call.target.as_deref();
                target
                    .into_iter()
                    .chain(&call.args)
                    .try_for_each(|one| self.read(one, bound))
            }
            Expr::Comprehension(comprehension) => self.comprehension(part, comprehension, bound),
            Expr::Select(select) => Err(self.fault(part, "is no fact", &select.field)),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(self.fault(part, "can't be part of a condition", ""))
            }
        }
    }

    fn name(&mut self, part: &IdedExpr, name: &str, bound: &[&str]) -> Result<(), Fault> {
        if bound.contains(&name) {
            return Ok(());
        }
        if !self.facts.contains_key(name) {
            return Err(self.fault(part, "is no fact", name));
        }
        self.names.insert(name.to_owned());
        Ok(())
    }

    fn comprehension(
        &mut self,
        part: &IdedExpr,
        made: &ComprehensionExpr,
        bound: &[&str],
    ) -> Result<(), Fault> {
        if !bound.is_empty() {
            return Err(self.fault(part, "is a loop within a loop", ""));
        }
        if !matches!(made.accu_init.expr, Expr::Literal(_)) {
            return Err(self.fault(part, "makes a list: use exists, all or exists_one", ""));
        }
        match &made.iter_range.expr {
            Expr::Ident(name) if self.facts.get(name) == Some(&Kind::Texts) => {}
            _ => return Err(self.fault(&made.iter_range, "is no fact with several values", "")),
        }
        self.read(&made.iter_range, bound)?;
        let inner = [made.iter_var.as_str(), made.accu_var.as_str()];
        for one in [&made.loop_cond, &made.loop_step, &made.result] {
            // What macros add themselves is not the writer's.
            self.step(one, &inner)?;
        }
        Ok(())
    }

    /// A step of a loop; `exists_one` counts.
    fn step(&mut self, part: &IdedExpr, bound: &[&str]) -> Result<(), Fault> {
        match &part.expr {
            Expr::Call(call) if call.func_name == operators::ADD => Ok(()),
            Expr::Call(call) => call
                .target
                .as_deref()
                .into_iter()
                .chain(&call.args)
                .try_for_each(|one| self.step(one, bound))
                .and_then(|()| {
                    let known = FUNCTIONS.iter().chain(&OPERATORS);
                    if known.into_iter().any(|name| *name == call.func_name) {
                        Ok(())
                    } else {
                        Err(self.fault(part, "is no function of a condition", &call.func_name))
                    }
                }),
            _ => self.read(part, bound),
        }
    }

    fn fault(&self, part: &IdedExpr, reason: &str, word: &str) -> Fault {
        let start = self
            .places
            .offset_for(part.id)
            .map_or(0, |(start, _)| start);
        let before = self.places.source.get(..start as usize).unwrap_or_default();
        Fault {
            reason: reason.to_owned(),
            word: word.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1,
        }
    }
}

/// How deep brackets and what hangs on them are nested, texts included: rather too deep than too little.
fn deepest(source: &str) -> usize {
    let mut open = 0_usize;
    let mut deepest = 0;
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    let choices = source.bytes().filter(|byte| *byte == b'?').count();
    deepest.max(choices)
}

fn whole(reason: &str) -> Fault {
    Fault {
        reason: reason.to_owned(),
        word: String::new(),
        line: 0,
        column: 0,
    }
}

fn syntax(errors: &[cel::ParseError]) -> Fault {
    let first = errors.first();
    let (line, column) = first.map_or((0, 0), |error| error.pos);
    Fault {
        reason: first.map_or_else(|| "can't be read".to_owned(), |error| error.msg.clone()),
        word: String::new(),
        line: usize::try_from(line).unwrap_or(0),
        column: usize::try_from(column).unwrap_or(0),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> BTreeMap<String, Kind> {
        [
            ("country", Kind::Text),
            ("hour", Kind::Number),
            ("device_trusted", Kind::Flag),
            ("groups", Kind::Texts),
        ]
        .map(|(name, kind)| (name.to_owned(), kind))
        .into()
    }

    fn judge(source: &str, known: &[(&str, Fact)]) -> Verdict {
        let known = known
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), fact.clone()))
            .collect();
        Condition::compile(source, &facts()).map_or_else(
            |fault| panic!("{source}: {fault} at {}:{}", fault.line, fault.column),
            |condition| condition.judge(&known),
        )
    }

    fn fault(source: &str) -> Fault {
        match Condition::compile(source, &facts()) {
            Ok(_) => panic!("{source} was taken"),
            Err(fault) => fault,
        }
    }

    #[test]
    fn conditions_are_met_or_not() {
        let germany = ("country", Fact::Text("DE".into()));
        let staff = ("groups", Fact::Texts(vec!["staff".into(), "ops".into()]));
        for (source, met) in [
            ("country == 'DE'", true),
            ("country in ['FR', 'IT']", false),
            ("!(country in ['FR', 'IT'])", true),
            ("'staff' in groups && country != 'FR'", true),
            ("groups.exists(one, one.startsWith('op'))", true),
            ("groups.all(one, one == 'ops')", false),
            ("groups.exists_one(one, one == 'ops')", true),
            ("size(groups) > 1", true),
            ("country == 'FR' ? true : false", false),
        ] {
            let expected = if met { Verdict::Met } else { Verdict::NotMet };
            assert_eq!(
                judge(source, &[germany.clone(), staff.clone()]),
                expected,
                "{source}"
            );
        }
    }

    #[test]
    fn what_depends_on_an_unknown_is_not_met() {
        let unknown = Verdict::Unknown(vec!["country".into()]);
        let night = ("hour", Fact::Number(3));
        for source in [
            "country == 'DE'",
            "country != 'DE'",
            "!(country == 'DE')",
            "hour < 6 && country == 'DE'",
        ] {
            assert_eq!(
                judge(source, std::slice::from_ref(&night)),
                unknown,
                "{source}"
            );
        }
        // What is decided without it is decided.
        assert_eq!(
            judge("hour < 6 || country == 'DE'", std::slice::from_ref(&night)),
            Verdict::Met
        );
        assert_eq!(
            judge("country == 'DE' || hour < 6", std::slice::from_ref(&night)),
            Verdict::Met
        );
        assert_eq!(
            judge("hour > 6 && country == 'DE'", &[night]),
            Verdict::NotMet
        );
    }

    #[test]
    fn a_fault_says_where_it_is() {
        for (source, word, line, column) in [
            ("county == 'DE'", "county", 1, 1),
            ("hour < 6 &&\n  matches(country, 'x')", "matches", 2, 10),
            ("hour < 6 && country.lower() == 'de'", "lower", 1, 26),
        ] {
            let found = fault(source);
            assert_eq!(
                (found.word.as_str(), found.line, found.column),
                (word, line, column),
                "{source}"
            );
        }
        assert!(fault("hour <").line > 0);
        assert!(fault("").reason.contains("empty"));
        assert!(fault("hour").reason.contains("neither true nor false"));
        assert!(fault("hour < 'x'").reason.contains("compare"));
    }

    #[test]
    fn long_conditions_take_no_stack() {
        for source in [
            format!("{}true", "!".repeat(900)),
            format!("{}1 < 2", "-".repeat(900)),
            format!("country{}", ".size()".repeat(130)),
            vec!["device_trusted"; 60].join(" && "),
            vec!["device_trusted"; 60].join(" == "),
            format!("{}true{}", "(".repeat(12), ")".repeat(12)),
            format!("country in [{}]", vec!["'a'"; 240].join(",")),
            format!("{}true", "a.".repeat(480)),
            format!("{}true", "a||".repeat(320)),
        ] {
            drop(Condition::compile(&source, &facts()));
        }
    }

    #[test]
    fn nothing_costs_more_than_its_bound() {
        let wide = vec!["hour == 1"; 80].join(" || ");
        for source in [
            "groups.exists(a, groups.exists(b, a == b))",
            "groups.map(a, a) == groups",
            "groups.filter(a, a == 'x') == groups",
            "['a', 'b'].exists(a, a == country)",
            "country + country == 'x'",
            "hour * 2 == 4",
            "{'a': 1} == {'a': 1}",
            "country.size == 1",
            "1.5 < 2.0",
            &wide,
            &"(".repeat(200),
            &"[".repeat(900),
            &format!("{}true{}", "(".repeat(13), ")".repeat(13)),
            &format!("{}true", "true ? true : ".repeat(13)),
            &format!("country == '{}'", "x".repeat(1000)),
        ] {
            fault(source);
        }
    }
}
