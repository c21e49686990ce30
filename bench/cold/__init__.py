"""What the front door adds to calls that it passes on. Run it with `make bench-cold`."""
