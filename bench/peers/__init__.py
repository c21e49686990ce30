"""What others would have built: servers that the benchmarks hold Argus against."""
