"""Messages between Python and the Rust engine, generated from `proto/argus/internal/v1`."""
