"""`argus sessions`: who is signed in, and the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import PAGE_SIZE, CommentOption, TenantOption, every, manage, origin, say, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from argus.server.app import Argus
    from argus.sessions.model import Session

app = typer.Typer(help="List and end sessions.", epilog=EXIT_CODES, no_args_is_help=True)

_COLUMNS = ("session", "state", "client", "device", "create_time", "last_active_time", "end_reason")

UserOption = Annotated[str, typer.Option("--user", "-u", help="User id.")]


@app.command("list")
def list_sessions(
    tenant: TenantOption,
    user: UserOption,
    ended: Annotated[bool, typer.Option("--ended", help="Ended ones too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Lists a user's sessions, newest first."""

    async def work(argus: Argus) -> list[Session]:
        await argus.users.get(tenant, user)

        async def page(token: str) -> tuple[Sequence[Session], str]:
            found = await argus.sessions.page(tenant, user, size=PAGE_SIZE, page_token=token, with_ended=ended)
            return found.sessions, found.next_page_token

        return await every(page)

    show([_row(session) for session in manage(config, work)], _COLUMNS, as_json=as_json)


@app.command()
def terminate(
    tenant: TenantOption,
    user: UserOption,
    session: Annotated[
        str, typer.Argument(help="Session id (after -- if it begins with -); none: all of the user's.")
    ] = "",
    comment: CommentOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ends one session of a user, or all of them."""

    async def work(argus: Argus) -> dict[str, Any]:
        # Here, because the model comes with the generated messages.
        from argus.sessions.model import EndReason

        who = origin(tenant, "sessions terminate")
        if session:
            one = await argus.terminate.session(
                tenant, user, session, reason=EndReason.ENDED_BY_ADMIN, comment=comment, origin=who
            )
            return {
                "session": session,
                "state": one.state.value,
                "end_time": one.end_time,
                "end_reason": one.reason.name,
            }
        await argus.users.get(tenant, user)
        every_one = await argus.terminate.user(
            tenant, user, reason=EndReason.ENDED_BY_ADMIN, comment=comment, origin=who
        )
        return {"user": user, "state": every_one.state.value, "ended": every_one.count}

    outcome = manage(config, work)
    show_one(outcome, as_json=as_json)
    if outcome["state"] == "pending":
        say("A store is away; the end goes on by itself as soon as a server reaches it.")


def _row(session: Session) -> dict[str, Any]:
    device = session.display_name or " on ".join(filter(None, (session.device_browser, session.device_os)))
    return {
        "session": session.session_id,
        "state": session.state.value,
        "client": session.client_id,
        "device": device or "unknown",
        "ip_address": session.ip_address,
        "acr": session.acr,
        "amr": list(session.amr),
        "create_time": session.create_time,
        "last_active_time": session.last_active_time,
        "idle_deadline": session.idle_deadline,
        "absolute_deadline": session.absolute_deadline,
        "end_time": session.end_time,
        "end_reason": session.end_reason.name if session.end_reason else None,
    }
