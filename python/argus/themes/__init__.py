"""How a tenant's pages look: its name, its logo, its two accent colours."""
