"""Channels: webhooks and mail servers of tenants, with their secrets."""
