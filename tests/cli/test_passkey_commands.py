"""`argus passkeys`: whose authenticators a tenant trusts, by a file of a metadata service."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from argus.base.errors import InvalidFieldError
from tests.support.metadata import make, metadata_file
from tests.support.moments import now
from tests.support.shell import Shell
from tests.support.virtual_authenticator import Maker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

ONE, OTHER = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


async def test_makes_are_trusted_by_a_file_and_any_again(stack: Stack, tmp_path: Path) -> None:
    """Shown, held to, refused with the reason, and taken back."""
    api, service, maker = await stack.new_tenant(), Maker(between="authority"), Maker()
    shell = Shell(stack, api, tmp_path)
    blob, root = tmp_path / "blob.jwt", tmp_path / "root.pem"
    today = now(stack).date()
    blob.write_bytes(
        metadata_file(service, [make(ONE, [maker.root]), make(OTHER, [], "REVOKED")], next_update=today + timedelta(30))
    )
    root.write_bytes(x509.load_der_x509_certificate(service.root).public_bytes(Encoding.PEM))
    files = ("--metadata", str(blob), "--root", str(root))
    done = await shell.json("passkeys", "trust", *files)
    assert (done["attestation"], done["roots"], done["makes"], done["metadata"]) == ("direct", 1, 1, 7)
    rules = await stack.argus.kinds.passkey_rules.of(api.tenant_id)
    assert (rules.attestation_roots, rules.aaguids) == ([maker.root], [ONE])
    assert (await shell.json("passkeys", "show"))["attestation"] == "direct"
    with pytest.raises(InvalidFieldError, match="marked as broken"):
        await shell.run("passkeys", "trust", *files, "--aaguid", OTHER)
    with pytest.raises(InvalidFieldError, match="is no file of"):
        await shell.run("passkeys", "trust", "--metadata", str(root), "--root", str(root))
    assert (await shell.json("passkeys", "trust-any"))["makes"] == "all"
