"""What devices look like: scored for likeness, and never an identity."""
