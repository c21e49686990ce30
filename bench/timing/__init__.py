"""Do known and unknown users take the same time? Run it with `make timing`."""
