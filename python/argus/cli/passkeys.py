"""`argus passkeys`: what a tenant says about passkeys, and whose authenticators it trusts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from argus.base import clock as clocks
from argus.base.errors import InvalidFieldError
from argus.cli.management import TenantOption, manage, origin, say, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.credentials.passkey_rules.model import PasskeyRules, read_aaguid
from argus.credentials.webauthn.metadata import Makes, read_metadata

if TYPE_CHECKING:
    from argus.server.app import Argus

app = typer.Typer(
    help="Show a tenant's rules for passkeys, and whose authenticators it trusts.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)


@app.command("show")
def show_rules(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Shows the rules that are in force."""

    async def work(argus: Argus) -> PasskeyRules:
        await argus.tenants.get(tenant)
        return await argus.kinds.passkey_rules.of(tenant)

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command("trust")
def trust_makes(
    tenant: TenantOption,
    metadata: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="File of the FIDO Metadata Service.")],
    root: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Certificate at the top of its signature.")],
    aaguid: Annotated[list[str] | None, typer.Option(help="Make to trust; several times. Default: all.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Takes only new passkeys whose authenticator proves its make, and that make is in a file of FIDO's.

    Those that the file marks as revoked or broken are left out. Passkeys that are there stay.
    """
    wanted = [read_aaguid(one, index) for index, one in enumerate(aaguid or ())]

    async def work(argus: Argus) -> tuple[Makes, PasskeyRules]:
        await argus.tenants.get(tenant)
        makes = _makes(metadata, root, wanted, now=clocks.now(argus.clock))
        rules = PasskeyRules(
            tenant_id=tenant, attestation="direct", attestation_roots=makes.roots, aaguids=makes.aaguids
        )
        return makes, await _update(argus, rules, "passkeys trust")

    makes, rules = manage(config, work)
    show_one(_row(rules) | {"metadata": makes.number, "next_update": str(makes.next_update)}, as_json=as_json)
    say(f"There will be a newer file on {makes.next_update}: run this again then.")


@app.command("trust-any")
def trust_any(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Takes new passkeys of any authenticator again; what it says of its make is not believed."""

    async def work(argus: Argus) -> PasskeyRules:
        await argus.tenants.get(tenant)
        return await _update(argus, PasskeyRules(tenant_id=tenant), "passkeys trust-any")

    show_one(_row(manage(config, work)), as_json=as_json)


async def _update(argus: Argus, rules: PasskeyRules, command: str) -> PasskeyRules:
    paths = ("attestation", "attestation_roots", "aaguids")
    rulebook = argus.kinds.passkey_rules
    await rulebook.update(rules.tenant_id, rules, paths=paths, etag="", origin=origin(rules.tenant_id, command))
    return await rulebook.of(rules.tenant_id)


def _makes(metadata: Path, root: Path, aaguids: list[str], *, now: datetime) -> Makes:
    content = root.read_bytes()
    try:
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in content else x509.load_der_x509_certificate
        certificate = load(content).public_bytes(Encoding.DER)
    except ValueError:
        raise InvalidFieldError("root", "must be a certificate, in PEM or DER") from None
    return read_metadata(metadata.read_bytes(), root=certificate, aaguids=aaguids, now=now)


def _row(rules: PasskeyRules) -> dict[str, Any]:
    return {
        "rp_id": rules.rp_id,
        "rp_name": rules.rp_name,
        "origins": list(rules.origins),
        "counter_policy": rules.counter_policy,
        "attestation": rules.attestation,
        "roots": len(rules.attestation_roots),
        "makes": len(rules.aaguids) if rules.aaguids else "all",
    }
