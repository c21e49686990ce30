"""How long a verification takes: for one caller, and by load. Run it with `make bench-latency`."""
