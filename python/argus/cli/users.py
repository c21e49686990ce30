"""`argus users`: the people that sign in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import (
    PAGE_SIZE,
    CommentOption,
    TenantOption,
    UserArgument,
    every,
    manage,
    origin,
    password_of,
    show,
    show_one,
)
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.cli.user_help import list_factors, recovery_link, reset_factors, send_recovery
from argus.cli.user_import import import_file
from argus.users.model import NewIdentifier, User

if TYPE_CHECKING:
    from argus.server.app import Argus

app = typer.Typer(
    help="Create, import, list, disable and delete users, and help those in again who have lost something.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)

app.command("import")(import_file)
app.command("factors")(list_factors)
app.command("reset-factors")(reset_factors)
app.command("send-recovery")(send_recovery)
app.command("recovery-link")(recovery_link)

_COLUMNS = ("user", "display_name", "state", "identifiers", "create_time")

PasswordFileOption = Annotated[
    Path | None, typer.Option("--password-file", help="File whose first line is the password; else it is asked for.")
]


@app.command()
def create(
    tenant: TenantOption,
    email: Annotated[list[str] | None, typer.Option(help="E-mail address to sign in with.")] = None,
    username: Annotated[list[str] | None, typer.Option(help="User name to sign in with.")] = None,
    phone: Annotated[list[str] | None, typer.Option(help="Telephone number (E.164) to sign in with.")] = None,
    display_name: Annotated[str, typer.Option(help="Name for people.")] = "",
    password: Annotated[bool, typer.Option("--password", help="Ask for a first password.")] = False,
    password_file: PasswordFileOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Creates a user."""
    identifiers = [
        *(NewIdentifier(kind="email", value=value) for value in email or ()),
        *(NewIdentifier(kind="username", value=value) for value in username or ()),
        *(NewIdentifier(kind="phone", value=value) for value in phone or ()),
    ]
    if not identifiers:
        raise typer.BadParameter("give at least one of --email, --username and --phone")
    first = password_of(password_file) if password or password_file else ""

    async def work(argus: Argus) -> User:
        await argus.tenants.get(tenant)
        return await argus.user_lifecycle.create(
            tenant,
            display_name=display_name,
            identifiers=identifiers,
            password=first,
            origin=origin(tenant, "users create"),
        )

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command("list")
def list_users(
    tenant: TenantOption,
    identifier: Annotated[str, typer.Option(help="Only the user with this identifier.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Lists a tenant's users in the order of their creation."""

    async def work(argus: Argus) -> list[User]:
        await argus.tenants.get(tenant)
        if identifier:
            found = await argus.users.find_by_identifier(tenant, identifier)
            return [] if found is None else [found]
        return await every(lambda token: argus.users.list(tenant, page_size=PAGE_SIZE, page_token=token))

    show([_row(user) for user in manage(config, work)], _COLUMNS, as_json=as_json)


@app.command()
def disable(
    user: UserArgument,
    tenant: TenantOption,
    comment: CommentOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Lets a user sign in no more, and ends all its sessions."""

    async def work(argus: Argus) -> dict[str, Any]:
        who = origin(tenant, "users disable")
        ends = await argus.user_lifecycle.disable(tenant, user, comment=comment, origin=who)
        return _row(await argus.users.get(tenant, user)) | {"sessions": ends.state.value}

    show_one(manage(config, work), as_json=as_json)


@app.command()
def enable(
    user: UserArgument,
    tenant: TenantOption,
    comment: CommentOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Lets a disabled user sign in again; its ended sessions stay ended."""

    async def work(argus: Argus) -> User:
        who = origin(tenant, "users enable")
        await argus.user_lifecycle.enable(tenant, user, comment=comment, origin=who)
        return await argus.users.get(tenant, user)

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command()
def delete(
    user: UserArgument,
    tenant: TenantOption,
    comment: CommentOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Deletes a user with identifiers and credentials, and ends all its sessions."""
    if not yes:
        typer.confirm(f"Delete user {user} of tenant {tenant} for good?", abort=True)

    async def work(argus: Argus) -> dict[str, Any]:
        who = origin(tenant, "users delete")
        ends = await argus.user_lifecycle.delete(tenant, user, comment=comment, origin=who)
        return {"user": user, "state": "deleted", "sessions": ends.state.value}

    show_one(manage(config, work), as_json=as_json)


@app.command("set-password")
def set_password(
    user: UserArgument,
    tenant: TenantOption,
    password_file: PasswordFileOption = None,
    terminate_sessions: Annotated[bool, typer.Option(help="End the user's sessions, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sets a user's password, from a file or asked for; never from the command line, which others can read."""
    password = password_of(password_file)

    async def work(argus: Argus) -> dict[str, Any]:
        credential, _ = await argus.user_lifecycle.set_password(
            tenant,
            user,
            password,
            terminate_sessions=terminate_sessions,
            origin=origin(tenant, "users set-password"),
        )
        return {"user": user, "credential": credential.credential_id, "create_time": credential.create_time}

    show_one(manage(config, work), as_json=as_json)


def _row(user: User) -> dict[str, Any]:
    return {
        "user": user.user_id,
        "display_name": user.display_name,
        "state": "disabled" if user.disabled else "active",
        "identifiers": [one.value for one in user.identifiers],
        "groups": list(user.groups),
        "create_time": user.create_time,
    }
