//! Reads the text of a condition, and refuses what is none, or may cost too much.

use std::collections::{BTreeMap, BTreeSet};

use cel::Env;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SourceInfo, operators,
};

use super::{Fault, Kind, LONGEST, MOST_NODES, QUOTES, kinds, syntax, whole};

// Judging goes down as deep: what is nested without end would take the stack.
const DEEPEST: usize = 12;
const LONGEST_CHAIN: usize = 64;
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

/// Refuses a text that is too long, or nested too deeply, to be looked at more closely.
pub(super) fn check_size(source: &str) -> Result<(), Fault> {
    if source.trim().is_empty() {
        return Err(whole("is empty"));
    }
    if source.len() > LONGEST {
        return Err(whole(&format!("is longer than {LONGEST} bytes")));
    }
    if deepest(source) > DEEPEST {
        return Err(whole(&format!("is nested deeper than {DEEPEST}")));
    }
    Ok(())
}

/// The parts of a condition, and the names of the facts that it speaks of.
pub(super) fn read(
    source: &str,
    facts: &BTreeMap<String, Kind>,
) -> Result<(IdedExpr, BTreeSet<String>), Fault> {
    let parser = Env::stdlib().parser().max_recursion_depth(96);
    let (root, places) = parser
        .parse_with_source_info(source)
        .map_err(|errors| syntax::fault(source, &errors.errors))?;
    let mut reader = Reader {
        facts,
        places: &places,
        names: BTreeSet::new(),
        nodes: 0,
        depth: 0,
    };
    reader.read(&root, &[])?;
    let names = reader.names;
    Ok((root, names))
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
                self.check_call(part, function)?;
                let target = call.target.as_deref();
                target
                    .into_iter()
                    .chain(&call.args)
                    .try_for_each(|one| self.read(one, bound))?;
                self.check_kinds(part, call, bound)
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
                .and_then(|()| self.check_call(part, &call.func_name))
                .and_then(|()| self.check_kinds(part, call, bound)),
            _ => self.read(part, bound),
        }
    }

    fn check_call(&self, part: &IdedExpr, name: &str) -> Result<(), Fault> {
        if FUNCTIONS.contains(&name) || OPERATORS.contains(&name) {
            return Ok(());
        }
        // Operators are called "_+_" by the parser.
        let sign = name.replace('_', "");
        if sign.contains(char::is_alphanumeric) {
            return Err(self.fault(part, "is no function of a condition", name));
        }
        let mut fault = self.fault(part, "is no operator of a condition", &sign);
        "there is no arithmetic".clone_into(&mut fault.hint);
        Err(fault)
    }

    fn check_kinds(&self, part: &IdedExpr, call: &CallExpr, bound: &[&str]) -> Result<(), Fault> {
        let Some(reason) = kinds::clash(call, self.facts, bound) else {
            return Ok(());
        };
        Err(Fault {
            hint: QUOTES.to_owned(),
            ..self.fault(part, &reason, "")
        })
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
            hint: String::new(),
            line: before.matches('\n').count() + 1,
            column: before
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                + 1,
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
