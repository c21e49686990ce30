"""Benchmarks: measured claims. `bench/README.md` says what each number claims and how to get it again."""
