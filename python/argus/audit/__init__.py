"""The audit table: what happened, to whom, at whose wish."""
