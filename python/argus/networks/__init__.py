"""Networks: where an address is, and what kind of network it is in."""
