"""What small pieces of work cost by the clock: of the crates (criterion) and through the binding (pytest-benchmark)."""
