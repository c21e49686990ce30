"""`argus clients`: services that call Argus, and applications that users sign in to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.base.ids import etag
from argus.cli.management import PAGE_SIZE, TenantOption, every, manage, origin, say, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.clients.model import Client, ClientFields

if TYPE_CHECKING:
    from argus.server.app import Argus

app = typer.Typer(help="Create, list and disable clients.", epilog=EXIT_CODES, no_args_is_help=True)

_COLUMNS = ("client", "display_name", "disabled", "resource", "scopes")
_SECRET_ONCE = "The secret is shown once; Argus keeps a hash of it."  # noqa: S105  # a sentence

ClientArgument = Annotated[str, typer.Argument(help="Client id.")]


@app.command()
def create(
    client: ClientArgument,
    tenant: TenantOption,
    scope: Annotated[list[str], typer.Option(help="Scope it may hold; can be given often.")],
    resource: Annotated[str, typer.Option(help="Absolute URI that its users' tokens are for (RFC 8707).")],
    display_name: Annotated[str, typer.Option(help="Name for people.")] = "",
    max_asserted_acr: Annotated[int, typer.Option(min=1, max=3, help="Highest level it may vouch for.")] = 1,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Creates a client and shows its secret, once."""
    fields = ClientFields(
        display_name=display_name, scopes=tuple(scope), resource=resource, max_asserted_acr=max_asserted_acr
    )

    async def work(argus: Argus) -> tuple[Client, str]:
        await argus.tenants.get(tenant)
        return await argus.clients.create(tenant, client, fields, origin=origin(tenant, "clients create"))

    made, secret = manage(config, work)
    show_one({**_row(made), "client_secret": secret}, as_json=as_json)
    say(_SECRET_ONCE)


@app.command("list")
def list_clients(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Lists a tenant's clients."""

    async def work(argus: Argus) -> list[Client]:
        await argus.tenants.get(tenant)
        return await every(lambda token: argus.clients.list(tenant, page_size=PAGE_SIZE, page_token=token))

    show([_row(client) for client in manage(config, work)], _COLUMNS, as_json=as_json)


@app.command()
def scopes(
    client: ClientArgument,
    tenant: TenantOption,
    add: Annotated[
        list[str] | None, typer.Option(help="Scope that it may hold from now on; can be given often.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="Scope that it may hold no longer; can be given often.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Shows and changes which scopes a client may hold; tokens that it has keep theirs until they expire."""

    async def work(argus: Argus) -> Client:
        found = await argus.clients.get(tenant, client)
        wanted = tuple(dict.fromkeys(one for one in (*found.scopes, *(add or ())) if one not in (remove or ())))
        if wanted == tuple(found.scopes):
            return found
        return await argus.clients.update(
            tenant,
            client,
            ClientFields(scopes=wanted),
            paths={"scopes"},
            etag=etag(found.revision),
            origin=origin(tenant, "clients scopes"),
        )

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command()
def disable(
    client: ClientArgument, tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Takes no more calls from a client, and issues no more tokens to it."""
    _set_disabled(client, tenant, as_json=as_json, config=config, disabled=True)


@app.command()
def enable(
    client: ClientArgument, tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Takes calls from a disabled client again."""
    _set_disabled(client, tenant, as_json=as_json, config=config, disabled=False)


@app.command("rotate-secret")
def rotate_secret(
    client: ClientArgument, tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Gives a client a new secret, shown once; the old one stops at once."""

    async def work(argus: Argus) -> str:
        return await argus.clients.rotate_secret(tenant, client, origin=origin(tenant, "clients rotate-secret"))

    show_one({"client": client, "client_secret": manage(config, work)}, as_json=as_json)
    say(_SECRET_ONCE)


def _set_disabled(client: str, tenant: str, *, as_json: bool, config: Any, disabled: bool) -> None:
    command = "clients disable" if disabled else "clients enable"

    async def work(argus: Argus) -> Client:
        fields = ClientFields(disabled=disabled)
        return await argus.clients.update(tenant, client, fields, paths={"disabled"}, origin=origin(tenant, command))

    show_one(_row(manage(config, work)), as_json=as_json)


def _row(client: Client) -> dict[str, Any]:
    return {
        "client": client.client_id,
        "display_name": client.display_name,
        "scopes": list(client.scopes),
        "resource": client.resource,
        "max_asserted_acr": client.max_asserted_acr,
        "disabled": client.disabled,
        "create_time": client.create_time,
    }
