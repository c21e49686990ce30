"""Each tenant's rules for passkeys: origins, relying party, counters, attestation."""
