"""Mails: kept in PostgreSQL with what they tell of, written from templates, sent by a worker."""
