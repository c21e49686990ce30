"""The ceremonies of WebAuthn Level 3: what an answer of a browser must be like. No store, no clock."""
