"""Endpoints: where something may be sent, and what sends it there."""
