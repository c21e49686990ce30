"""What the hot calls cost, Argus beside a naive server. Run it with `make bench-hot`."""
