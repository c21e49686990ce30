"""`argus keys`: the signing keys of a tenant."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from argus.base.durations import format_duration, parse_duration
from argus.cli.management import PAGE_SIZE, CommentOption, TenantOption, every, manage, origin, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.tenants.model import Tenant, TenantFields
from argus.tokens.model import KEY_USES, KeyUse, SigningKey

if TYPE_CHECKING:
    from argus.server.app import Argus
    from argus.tokens.reencryption import Reencrypted

app = typer.Typer(
    help="List, rotate and revoke signing keys; change what encrypts them.", epilog=EXIT_CODES, no_args_is_help=True
)

_COLUMNS = ("key", "use", "state", "algorithm", "bits", "active_time", "retire_time")


@app.command("list")
def list_keys(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Lists a tenant's keys, newest first."""

    async def work(argus: Argus) -> list[SigningKey]:
        await argus.tenants.get(tenant)
        return await every(lambda token: argus.signing_keys.list(tenant, page_size=PAGE_SIZE, page_token=token))

    show([_row(key) for key in manage(config, work)], _COLUMNS, as_json=as_json)


@app.command()
def rotate(
    tenant: TenantOption,
    use: Annotated[str, typer.Option(help=f"What the key is for: {', '.join(KEY_USES)}.")] = "access",
    immediate: Annotated[bool, typer.Option(help="Use it before verifiers had time to fetch it.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Makes a new key; it takes over once verifiers have had time to fetch it."""
    if use not in KEY_USES:
        raise typer.BadParameter(f"must be one of {', '.join(KEY_USES)}")
    chosen: KeyUse = use

    async def work(argus: Argus) -> SigningKey:
        await argus.tenants.get(tenant)
        return await argus.signing_keys.rotate(tenant, chosen, immediate, origin(tenant, "keys rotate"))

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Key id (kid); after -- if it begins with -.")],
    tenant: TenantOption,
    comment: CommentOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Pulls a key in an emergency: what it signed is refused by every process within a second."""

    async def work(argus: Argus) -> SigningKey:
        return await argus.signing_keys.revoke(tenant, key, origin(tenant, "keys revoke"), comment=comment)

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command()
def configure(
    tenant: TenantOption,
    rsa_bits: Annotated[int | None, typer.Option(help="Size of new RSA keys: 2048, 3072 or 4096.")] = None,
    rotate_every: Annotated[
        str | None, typer.Option(help='How long a key signs: "30d", "never", or "default" for the setting\'s.')
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Shows the tenant's rules for keys, and changes those that are given; keys that are there stay until rotated."""
    said: dict[str, Any] = {} if rsa_bits is None else {"rsa_bits": rsa_bits}
    if rotate_every is not None:
        said["key_rotation_period"] = _period(rotate_every)

    async def work(argus: Argus) -> Tenant:
        if not said:
            return await argus.tenants.get(tenant)
        fields = TenantFields(**said)
        return await argus.tenants.update(tenant, fields, paths=said, origin=origin(tenant, "keys configure"))

    found = manage(config, work)
    period = found.key_rotation_period
    words = "default" if period is None else format_duration(period) if period else "never"
    show_one({"tenant": found.tenant_id, "rsa_bits": found.rsa_bits, "rotate_every": words}, as_json=as_json)


@app.command()
def reencrypt(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Brings all keys and secrets under the key-encryption key of the settings, or a new one of the command.

    Servers may run; they must have been started with the new settings (docs/guides/keys.md). To interrupt it is safe:
    run it again.
    """
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
        task = bar.add_task("Encrypting anew", total=None)

        async def work(argus: Argus) -> Reencrypted:
            return await argus.reencryption(
                lambda done, total: bar.update(task, completed=done, total=total),
                origin_of=lambda tenant_id: origin(tenant_id, "keys reencrypt"),
            )

        done = manage(config, work)
    show_one(asdict(done), as_json=as_json)


def _period(text: str) -> timedelta | None:
    if text == "default":
        return None
    try:
        return timedelta(0) if text == "never" else parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _row(key: SigningKey) -> dict[str, Any]:
    return {
        "key": key.kid,
        "use": key.use,
        "state": key.state,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "create_time": key.create_time,
        "active_time": key.active_time,
        "retire_time": key.retire_time,
        "end_time": key.end_time,
        "public_jwk": key.public_jwk,
    }
