"""Keycloak over a PostgreSQL, in production mode, refresh tokens rotated, tokens signed by RS256 with RSA-2048."""
