"""Mutated tokens before Argus, jsonwebtoken and joserfc.

Where Argus accepts one, all do and read the same claims; where others alone do, a rule says why. The tokens, and the
verdicts of the first two, come from `rust_core/differential`; joserfc judges here. `rules` says what Argus wants beyond
what a JWT library does, written apart from the verifier.
"""
