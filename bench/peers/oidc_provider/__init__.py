"""oidc-provider on Node.js, its models in Redis; refresh tokens rotate, ID tokens are signed by RS256 with RSA-2048."""
