"""`argus users`: the ways back of users who have lost what they prove themselves with (docs/guides/ways-back.md)."""

from __future__ import annotations

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
    say,
    show,
    show_one,
)
from argus.cli.output import ConfigOption, JsonOption

if TYPE_CHECKING:
    from argus.credentials.model import Credential
    from argus.flows.factor_reset import FactorsReset
    from argus.server.app import Argus

_KINDS = {"app": "totp", "codes": "recovery_codes", "passkeys": "webauthn"}
_COLUMNS = ("credential", "kind", "display_name", "create_time", "last_use_time", "closed")

KindOption = Annotated[
    list[str] | None,
    typer.Option("--kind", help=f"Only these: {', '.join(_KINDS)} (may be given again). Default: all of them."),
]
KeepSessionsOption = Annotated[
    bool,
    typer.Option(
        "--keep-sessions", help="Leave the user's sessions. By default they end: the lost device may have one."
    ),
]


def list_factors(
    user: UserArgument, tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Lists what a user proves itself with, never the secrets of it."""

    async def work(argus: Argus) -> list[dict[str, Any]]:
        await argus.users.get(tenant, user)
        found = await every(lambda token: argus.passwords.list(tenant, user, page_size=PAGE_SIZE, page_token=token))
        left = await argus.kinds.recovery_codes.left(tenant, user)
        return [_row(one, left) for one in found]

    show(manage(config, work), _COLUMNS, as_json=as_json)


def reset_factors(
    user: UserArgument,
    tenant: TenantOption,
    kind: KindOption = None,
    keep_sessions: KeepSessionsOption = False,
    comment: CommentOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Takes away what a user has lost: authenticator apps, recovery codes, passkeys. The password stays.

    Make sure first whom you speak to, by something else than what was lost, and say how with --comment: it is kept in
    the audit. The user is told by mail, and its sessions end. Where the policy requires a second factor, the next
    sign-in asks to enrol one.
    """
    unknown = sorted(set(kind or ()) - set(_KINDS))
    if unknown:
        raise typer.BadParameter(f"--kind must be one of {', '.join(_KINDS)}")
    if not yes:
        what = " and ".join(kind or _KINDS)
        typer.confirm(f"Take {what} of user {user} of tenant {tenant} away?", abort=True)

    async def work(argus: Argus) -> FactorsReset:
        # Here, because it comes with the server.
        from argus.flows.factor_reset import RESETTABLE

        chosen = [one for one in RESETTABLE if not kind or one in {_KINDS[name] for name in kind}]
        return await argus.factor_reset.reset(
            tenant,
            user,
            kinds=chosen,
            terminate_sessions=not keep_sessions,
            comment=comment,
            origin=origin(tenant, "users reset-factors"),
        )

    done = manage(config, work)
    ends = done.ends.state.value if done.ends else "kept"
    show_one({"user": user, "removed": [one.kind for one in done.removed], "sessions": ends}, as_json=as_json)
    if not done.has_password:
        say("The user has no password to begin a sign-in with. Next: argus users send-recovery, or recovery-link.")


def send_recovery(
    user: UserArgument,
    tenant: TenantOption,
    comment: CommentOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sends a user the mail with a link to set a new password; works once, for an hour.

    It leaves the second factor as it is: who has lost that one, too, needs `argus users reset-factors`.
    """

    async def work(argus: Argus) -> dict[str, Any]:
        who = origin(tenant, "users send-recovery")
        address = await argus.accounts.help.send_link(tenant, user, comment=comment, origin=who)
        return {"user": user, "sent_to": address}

    show_one(manage(config, work), as_json=as_json)


def recovery_link(
    user: UserArgument,
    tenant: TenantOption,
    comment: CommentOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Shows a link by which a user sets a new password, to be handed over in person; works once, for an hour.

    For users without a mailbox that they can read. Whoever has the link can set the password: it is shown this once,
    and kept nowhere. It leaves the second factor as it is.
    """

    async def work(argus: Argus) -> dict[str, Any]:
        who = origin(tenant, "users recovery-link")
        url, link = await argus.accounts.help.hand_link(tenant, user, comment=comment, origin=who)
        return {"user": user, "link": url, "expire_time": link.expire_time}

    show_one(manage(config, work), as_json=as_json)


def _row(one: Credential, codes_left: int) -> dict[str, Any]:
    row = {
        "credential": one.credential_id,
        "kind": one.kind,
        "display_name": one.display_name,
        "create_time": one.create_time,
        "last_use_time": one.last_use_time,
        "closed": one.closed_to_unknown_devices,
    }
    return row | ({"codes_left": codes_left} if one.kind == "recovery_codes" else {})
