"""`argus notifications`: channels, what could not be sent, and another try."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import PAGE_SIZE, TenantOption, every, manage, origin, password_of, say, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, ExitCode, JsonOption
from argus.notifications.channels.model import NOUNS, ChannelFields
from argus.notifications.endpoints.webhooks import SENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from argus.notifications.channels.model import Channel
    from argus.notifications.deliveries.model import Delivery
    from argus.server.app import Argus

app = typer.Typer(
    help="Channels that events and mails go over, and what could not be sent.", epilog=EXIT_CODES, no_args_is_help=True
)

_CHANNEL_COLUMNS = ("channel", "kind", "state", "url", "event_types", "failing_since", "reason")
_DELIVERY_COLUMNS = ("delivery", "subject", "channel", "reason", "attempts", "create_time")
_TYPES = f"Type of event, or one of {', '.join(NOUNS)} and .*; can be given often."
_SECRET_ONCE = "The secret is shown once; Argus keeps it encrypted."  # noqa: S105  # a sentence

ChannelArgument = Annotated[str, typer.Argument(help="Channel id; after -- if it begins with -.")]


@app.command()
def channels(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Lists a tenant's channels, and which of them fail or are paused."""

    async def work(argus: Argus) -> Sequence[Channel]:
        await argus.tenants.get(tenant)
        return await argus.notifications.channels.list(tenant)

    show([_channel_row(one) for one in manage(config, work)], _CHANNEL_COLUMNS, as_json=as_json)


@app.command("add-webhook")
def add_webhook(
    url: Annotated[str, typer.Argument(help="https://…")],
    tenant: TenantOption,
    event_type: Annotated[list[str], typer.Option(help=_TYPES)],
    display_name: Annotated[str, typer.Option(help="Name for people.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Has events sent to an endpoint, and shows the secret that they are signed with, once."""
    fields = ChannelFields(display_name=display_name, url=url, event_types=tuple(event_type))

    async def work(argus: Argus) -> tuple[Channel, str]:
        await argus.tenants.get(tenant)
        said = origin(tenant, "notifications add-webhook")
        return await argus.notifications.channels.create(tenant, "webhook", fields, origin=said)

    made, secret = manage(config, work)
    show_one({**_channel_row(made), "secret": secret}, as_json=as_json)
    say(_SECRET_ONCE)


@app.command("add-mail-server")
def add_mail_server(
    url: Annotated[str, typer.Argument(help="smtp://host[:587] or smtps://host[:465]")],
    tenant: TenantOption,
    sender: Annotated[str, typer.Option(help="Address that mails come from.")],
    username: Annotated[str, typer.Option(help="Who signs in there.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="File whose first line is the password.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Has a tenant's mails go over a server of its own."""
    fields = ChannelFields(url=url, sender=sender, username=username)
    password = password_of(password_file) if username else ""

    async def work(argus: Argus) -> Channel:
        await argus.tenants.get(tenant)
        said = origin(tenant, "notifications add-mail-server")
        made, _ = await argus.notifications.channels.create(tenant, "smtp", fields, password=password, origin=said)
        return made

    show_one(_channel_row(manage(config, work)), as_json=as_json)


@app.command("dead-letters")
def dead_letters(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Lists what was given up, newest first, and why."""

    async def work(argus: Argus) -> list[Delivery]:
        await argus.tenants.get(tenant)

        async def page(token: str) -> tuple[Sequence[Delivery], str]:
            found = await argus.notifications.deliveries.page(tenant, state="dead", size=PAGE_SIZE, page_token=token)
            return found.deliveries, found.next_page_token

        return await every(page)

    show([_delivery_row(one) for one in manage(config, work)], _DELIVERY_COLUMNS, as_json=as_json)


@app.command()
def retry(
    delivery: Annotated[str, typer.Argument(help="Id of a dead letter; after -- if it begins with -.")],
    tenant: TenantOption,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sends a dead letter again."""

    async def work(argus: Argus) -> Delivery:
        return await argus.desk.retry(tenant, delivery, origin=origin(tenant, "notifications retry"))

    show_one(_delivery_row(manage(config, work)), as_json=as_json)


@app.command()
def resume(
    channel: ChannelArgument, tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Goes on with a paused channel: all that waits is sent."""

    async def work(argus: Argus) -> Channel:
        return await argus.desk.resume(tenant, channel, origin=origin(tenant, "notifications resume"))

    show_one(_channel_row(manage(config, work)), as_json=as_json)


@app.command("rotate-secret")
def rotate_secret(
    channel: ChannelArgument,
    tenant: TenantOption,
    overlap_hours: Annotated[int, typer.Option(min=0, max=168, help="How long the old one signs, too.")] = 24,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Gives a webhook a new secret, shown once."""

    async def work(argus: Argus) -> dict[str, Any]:
        said, overlap = origin(tenant, "notifications rotate-secret"), timedelta(hours=overlap_hours)
        secret, until = await argus.notifications.channels.rotate_secret(tenant, channel, overlap=overlap, origin=said)
        return {"channel": channel, "secret": secret, "previous_until": until}

    show_one(manage(config, work), as_json=as_json)
    say(_SECRET_ONCE)


@app.command("test")
def try_channel(
    channel: ChannelArgument, tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Tries a channel once: a test event to a webhook, a greeting to a mail server."""

    async def work(argus: Argus) -> str:
        outcome, _ = await argus.desk.test(tenant, channel)
        return outcome

    outcome = manage(config, work)
    show_one({"channel": channel, "outcome": outcome}, as_json=as_json)
    if outcome != SENT:
        raise typer.Exit(ExitCode.FAILED)


def _channel_row(channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel.channel_id,
        "kind": channel.kind,
        "display_name": channel.display_name,
        "state": channel.state,
        "url": channel.url,
        "event_types": list(channel.event_types),
        "failing_since": channel.failing_since_time,
        "reason": channel.pause_reason,
        "last_success_time": channel.last_success_time,
    }


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery": delivery.delivery_id,
        "state": delivery.state,
        "subject": delivery.subject,
        "channel": delivery.channel_id,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "user": delivery.user_id,
        "create_time": delivery.create_time,
    }
