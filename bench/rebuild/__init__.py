"""How long until every session is back after Redis has lost everything, and what it costs PostgreSQL."""
