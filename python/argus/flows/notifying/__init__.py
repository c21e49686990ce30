"""Telling others: events by webhooks, mails over a tenant's own server, and what became of each."""
