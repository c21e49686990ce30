//! Conditions of policies.

use std::collections::BTreeMap;

use argus_core::condition::{self, Fact, Fault, Kind, Verdict};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A compiled condition.
#[pyclass(frozen, module = "argus._core")]
pub(crate) struct Condition(condition::Condition);

#[pymethods]
impl Condition {
    /// Compiles a condition over facts of these names and kinds ("text", "number", "flag" or "texts").
    ///
    /// A `ValueError` has five arguments: what is wrong, the word at fault, line, column, and what to write in its place.
    #[new]
    fn new(source: &str, facts: BTreeMap<String, String>) -> PyResult<Self> {
        let kinds = facts
            .into_iter()
            .map(|(name, kind)| Ok((name, kind_of(&kind)?)))
            .collect::<PyResult<_>>()?;
        condition::Condition::compile(source, &kinds)
            .map(Self)
            .map_err(|fault| refused(&fault))
    }

    /// Names of the facts that it speaks of.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.0.names().collect()
    }

    /// Whether the facts meet it, and what would have to be known to say; None is not known.
    fn judge(&self, facts: &Bound<'_, PyDict>) -> PyResult<(bool, Vec<String>)> {
        let mut known = BTreeMap::new();
        for (name, value) in facts {
            if let Some(fact) = fact_of(&value)? {
                known.insert(name.extract()?, fact);
            }
        }
        Ok(match self.0.judge(&known) {
            Verdict::Met => (true, Vec::new()),
            Verdict::NotMet => (false, Vec::new()),
            Verdict::Unknown(names) => (false, names),
        })
    }
}

fn refused(fault: &Fault) -> PyErr {
    PyValueError::new_err((
        fault.reason.clone(),
        fault.word.clone(),
        fault.line,
        fault.column,
        fault.hint.clone(),
    ))
}

fn kind_of(name: &str) -> PyResult<Kind> {
    match name {
        "text" => Ok(Kind::Text),
        "number" => Ok(Kind::Number),
        "flag" => Ok(Kind::Flag),
        "texts" => Ok(Kind::Texts),
        _ => Err(PyValueError::new_err(format!("no kind of fact: {name}"))),
    }
}

fn fact_of(value: &Bound<'_, PyAny>) -> PyResult<Option<Fact>> {
    if value.is_none() {
        return Ok(None);
    }
    // A bool is an int to Python, too.
    if let Ok(flag) = value.extract::<bool>() {
        return Ok(Some(Fact::Flag(flag)));
    }
    if let Ok(number) = value.extract::<i64>() {
        return Ok(Some(Fact::Number(number)));
    }
    if let Ok(text) = value.extract::<String>() {
        return Ok(Some(Fact::Text(text)));
    }
    Ok(Some(Fact::Texts(value.extract()?)))
}
