"""Pictures of the result files. Run it with `make bench-plots`."""
