"""Fuzzes everything that reads bytes of a stranger: `make fuzz`.

The targets and their laws are Rust (`rust_core/fuzz`); this builds them with cargo-fuzz, runs them side by side, and
says what came of it. Its work stays in `.fuzz`: what libFuzzer has learnt, and what it found.
"""
