"""What an engine of a test knows: one tenant, a client, a policy and keys."""

import secrets
from typing import Final

from argus import _core
from argus.internal.v1.engine_pb2 import (
    ClientSnapshot,
    KeySnapshot,
    PolicySnapshot,
    Snapshot,
    SnapshotKeyUse,
    TenantSnapshot,
)

TENANT, CLIENT = "acme", "web"
ISSUER: Final = "https://argus.test/t/acme"
RESOURCE: Final = "https://api.test"
SCOPES: Final = (
    "tokens.verify",
    "tokens.refresh",
    "tokens.introspect",
    "tokens.refresh_for_clients",
    "context.assert",
    "things.read",
)
IDLE, ABSOLUTE, GRACE, DEADLINE = 3600, 86_400, 30, 10


def new_snapshot() -> Snapshot:
    """One tenant with keys, the client `web` with every scope, policy revision 1."""
    refresh = _core.generate_ed25519_key()
    keys = [
        access_key(_core.generate_rsa_key(2048)),
        KeySnapshot(
            kid=_core.public_jwk(refresh)[0],
            use=SnapshotKeyUse.SNAPSHOT_KEY_USE_REFRESH,
            algorithm="EdDSA",
            private_key=refresh,
            signs=True,
        ),
        KeySnapshot(
            kid="0",
            use=SnapshotKeyUse.SNAPSHOT_KEY_USE_REFRESH_ID,
            algorithm="HS256",
            private_key=secrets.token_bytes(32),
            signs=True,
        ),
    ]
    policy = PolicySnapshot(
        revision=1,
        idle=IDLE,
        absolute=ABSOLUTE,
        access=300,
        grace=GRACE,
        deadline=DEADLINE,
        refresh_is_activity=True,
    )
    client = ClientSnapshot(id=CLIENT, scopes=SCOPES, resource=RESOURCE, policy_revision=1)
    tenant = TenantSnapshot(id=TENANT, issuer=ISSUER, keys=keys, clients=[client], policies=[policy])
    return Snapshot(version=1, bucket_key=secrets.token_bytes(32), tenants=[tenant])


def access_key(private: bytes) -> KeySnapshot:
    """A key that signs access tokens."""
    return KeySnapshot(
        kid=_core.public_jwk(private)[0],
        use=SnapshotKeyUse.SNAPSHOT_KEY_USE_ACCESS,
        algorithm="RS256",
        private_key=private,
        signs=True,
    )
