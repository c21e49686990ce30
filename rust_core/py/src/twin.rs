//! The Rust twins of Redis functions, for the test that runs both.

use argus_core::deadlines;
use argus_core::rebuild;
use argus_core::record::{Lineage, Stored};
use argus_core::rotation::{self, Presented};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What the rotation function would answer: verdict, record, adoption.
///
/// `arguments` are the function's, in its order; `user` and `record` are empty where the key is missing.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "a list in Python")]
#[pyo3(signature = (record, user, lineage, arguments, now_ms))]
pub(crate) fn rotation_twin<'py>(
    py: Python<'py>,
    record: &[u8],
    user: &[u8],
    lineage: &[u8],
    arguments: Vec<Bound<'py, PyAny>>,
    now_ms: i64,
) -> PyResult<(u8, Bound<'py, PyBytes>, u8)> {
    let presented = presented(&arguments)?;
    let outcome = rotation::rotate(record, user, lineage_of(lineage)?, &presented, now_ms);
    let bytes = PyBytes::new(py, &outcome.record);
    Ok((outcome.verdict.code(), bytes, outcome.adoption.code()))
}

/// What the function `touch` would answer: status, record. Arguments: active, idle, `absolute_max`, seen.
#[pyfunction]
#[pyo3(signature = (record, user, lineage, arguments, now_ms))]
pub(crate) fn touch_twin<'py>(
    py: Python<'py>,
    record: &[u8],
    user: &[u8],
    lineage: &[u8],
    arguments: (u32, u32, u32, u32),
    now_ms: i64,
) -> PyResult<(u8, Bound<'py, PyBytes>)> {
    let (touched, bytes) = deadlines::touch(record, user, lineage_of(lineage)?, arguments, now_ms);
    Ok((touched as u8, PyBytes::new(py, &bytes)))
}

/// What the function `expire` would answer: status, and the value of the session's key afterwards.
#[pyfunction]
#[pyo3(signature = (record, lineage, absolute_max, now_ms))]
pub(crate) fn expire_twin<'py>(
    py: Python<'py>,
    record: &[u8],
    lineage: &[u8],
    absolute_max: u32,
    now_ms: i64,
) -> PyResult<(u8, Bound<'py, PyBytes>)> {
    let (expired, bytes) = deadlines::expire(record, lineage_of(lineage)?, absolute_max, now_ms);
    Ok((expired as u8, PyBytes::new(py, &bytes)))
}

/// What the function `rebuild` would answer: status, and the value of the session's key afterwards.
#[pyfunction]
#[pyo3(signature = (stored, lineage, expected, given))]
pub(crate) fn rebuild_twin<'py>(
    py: Python<'py>,
    stored: &[u8],
    lineage: &[u8],
    expected: &[u8],
    given: &[u8],
) -> PyResult<(u8, Bound<'py, PyBytes>)> {
    let given = Stored::decode(given).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let (node, expected) = (lineage_of(lineage)?, lineage_of(expected)?);
    let (rebuilt, bytes) = rebuild::rebuild(stored, node, expected, given);
    Ok((rebuilt as u8, PyBytes::new(py, &bytes)))
}

fn lineage_of(bytes: &[u8]) -> PyResult<Lineage> {
    bytes
        .try_into()
        .map_err(|_| PyValueError::new_err("a lineage has 8 bytes"))
}

/// The function's arguments as what they stand for.
fn presented(arguments: &[Bound<'_, PyAny>]) -> PyResult<Presented> {
    let argument = |position: usize| {
        arguments
            .get(position)
            .ok_or_else(|| PyValueError::new_err("rotate has 15 arguments"))
    };
    let number = |position: usize| argument(position)?.extract::<u32>();
    let flag = |position: usize| number(position).map(|value| value == 1);
    let bytes = |position: usize| argument(position)?.extract::<[u8; 4]>();
    Ok(Presented {
        family: number(0)?,
        generation: number(1)?,
        issued_at: number(2)?,
        has_proof: flag(3)?,
        attempt: bytes(4)?,
        print: bytes(5)?,
        grace: number(6)?,
        deadline: number(7)?,
        is_strict: flag(8)?,
        may_rotate: flag(9)?,
        ends_on_replay: flag(10)?,
        is_activity: flag(11)?,
        idle: number(12)?,
        absolute_max: number(13)?,
        not_before: number(14)?,
    })
}
