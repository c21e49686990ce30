"""Plans: what a tenant has bought, and which features and RPCs come with it."""
