"""`argus keys`: the signing keys of a tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import PAGE_SIZE, CommentOption, TenantOption, every, manage, origin, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.tokens.model import KEY_USES, KeyUse, SigningKey

if TYPE_CHECKING:
    from argus.server.app import Argus

app = typer.Typer(help="List, rotate and revoke signing keys.", epilog=EXIT_CODES, no_args_is_help=True)

_COLUMNS = ("key", "use", "state", "algorithm", "active_time", "retire_time")


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
