//! The Python extension `argus._core`: takes bytes and scalars, frees the GIL, converts.

mod clock;
mod condition;
mod door;
mod engine;
mod key_set;
mod keys;
mod keyspace;
mod lease;
mod load;
mod offline;
mod record;
mod trust;
mod twin;

use argus_engine::proto::access::HOT_METHODS;
use mimalloc::MiMalloc;
use pyo3::prelude::*;
use pyo3::types::PyFrozenSet;

/// The system's kept the memory of a flood long after it was over.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Source of the Redis functions; the offset is for tests.
#[pyfunction]
#[pyo3(signature = (*, offset_ms = 0))]
fn function_library(offset_ms: i64) -> String {
    argus_core::functions::library(offset_ms)
}

/// Name of the library of Redis functions.
#[pyfunction]
fn function_library_name() -> &'static str {
    argus_core::functions::library_name()
}

/// Full name of a function ("rotate"); carries the version of its source.
#[pyfunction]
fn function_name(name: &str) -> String {
    argus_core::functions::function_name(name)
}

/// The Rust half of Argus.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let python = module.py();
    module.add("SOURCE_DIGEST", env!("ARGUS_SOURCE_DIGEST"))?;
    module.add(
        "HOT_METHODS",
        PyFrozenSet::new(python, HOT_METHODS.iter().map(|method| method.path))?,
    )?;
    module.add_class::<clock::Clock>()?;
    module.add_class::<condition::Condition>()?;
    module.add_class::<keyspace::Keyspace>()?;
    module.add_class::<record::SessionRecord>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<lease::Lease>()?;
    module.add_class::<door::Door>()?;
    module.add_class::<door::DoorCertificate>()?;
    module.add_class::<door::DoorCounts>()?;
    module.add_class::<door::DoorLimits>()?;
    module.add_class::<load::Load>()?;
    module.add_class::<load::LoadReport>()?;
    module.add_class::<load::Echo>()?;
    module.add_class::<key_set::PublicKey>()?;
    module.add_class::<trust::TrustInputs>()?;
    module.add_function(wrap_pyfunction!(trust::aged_trust, module)?)?;
    module.add_function(wrap_pyfunction!(trust::context_prints, module)?)?;
    module.add_function(wrap_pyfunction!(function_library, module)?)?;
    module.add_function(wrap_pyfunction!(function_library_name, module)?)?;
    module.add_function(wrap_pyfunction!(function_name, module)?)?;
    module.add_function(wrap_pyfunction!(key_set::read_key_set, module)?)?;
    module.add_function(wrap_pyfunction!(offline::verify_access_token, module)?)?;
    module.add_function(wrap_pyfunction!(offline::check_dpop_proof, module)?)?;
    module.add_function(wrap_pyfunction!(load::signature_costs, module)?)?;
    module.add_function(wrap_pyfunction!(keys::generate_rsa_key, module)?)?;
    module.add_function(wrap_pyfunction!(keys::generate_ed25519_key, module)?)?;
    module.add_function(wrap_pyfunction!(keys::public_jwk, module)?)?;
    module.add_function(wrap_pyfunction!(twin::rotation_twin, module)?)?;
    module.add_function(wrap_pyfunction!(twin::rebuild_twin, module)?)?;
    module.add_function(wrap_pyfunction!(twin::touch_twin, module)?)?;
    module.add_function(wrap_pyfunction!(twin::expire_twin, module)?)?;
    Ok(())
}
