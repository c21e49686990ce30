"""Whether a late page of a long list costs what the first one costs. Run it with `make bench-pages`."""
