"""Flows: one file a step of a session's life, the only place where features meet."""
