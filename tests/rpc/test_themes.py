"""How a tenant's pages look, set by RPC: only what people can read."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.base.ids import new_id
from argus.server.api import Api, failure_of
from argus.v1 import tenant_service_pb2 as pb
from tests.support.stack import Stack

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


async def update(api: Api, *paths: str, request_id: str = "", validate_only: bool = False, **fields: Any) -> pb.Theme:
    """Changes fields of the theme of `api`'s tenant."""
    request = pb.UpdateThemeRequest(
        theme=pb.Theme(name=api.parent, **fields),
        update_mask=FieldMask(paths=paths or list(fields)),
        request_id=request_id,
        validate_only=validate_only,
    )
    return (await api.tenants.UpdateTheme(request)).theme


async def read(api: Api) -> pb.Theme:
    """The theme as it is."""
    return (await api.tenants.GetTheme(pb.GetThemeRequest(name=api.parent))).theme


async def test_a_theme_changes_field_by_field(stack: Stack) -> None:
    """What is not named stays; a logo comes and goes with its type; only validated, nothing changes."""
    api = await stack.new_tenant()
    assert await read(api) == pb.Theme(name=api.parent)
    await update(api, title="Acme", accent_light="#005f4b")
    await update(api, "logo", logo=PNG, logo_type="image/png")
    wanted = pb.Theme(name=api.parent, title="Acme", accent_light="#005f4b", logo=PNG, logo_type="image/png")
    assert await read(api) == wanted
    assert (await update(api, title="Other", validate_only=True)).title == "Other"
    assert await read(api) == wanted
    assert await update(api, "logo", "accent_light") == pb.Theme(name=api.parent, title="Acme")


async def test_a_repeat_changes_nothing_anew(stack: Stack) -> None:
    api, request_id = await stack.new_tenant(), new_id()
    await update(api, title="Acme", request_id=request_id)
    await update(api, title="Later")
    assert (await update(api, title="Acme", request_id=request_id)).title == "Later"


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"accent_light": "#ffcc00"}, "theme.accent_light", "take a darker one"),
        ({"accent_dark": "#2b59c3"}, "theme.accent_dark", "take a lighter one"),
        ({"accent_light": "green"}, "theme.accent_light", "must look like"),
        ({"title": "a" * 81}, "theme.title", "at most 80 characters"),
        ({"logo": b"<svg/>", "logo_type": "image/svg+xml"}, "theme.logo", "PNG, JPEG or WebP"),
        ({"logo": PNG}, "theme.logo", "needs its bytes and its type"),
        ({"name": "x"}, "update_mask", "can only name"),
    ],
)
async def test_what_people_could_not_read_is_refused(
    stack: Stack, fields: dict[str, Any], field: str, told: str
) -> None:
    """The field is named, and what to do."""
    api = await stack.new_tenant()
    paths = [name for name in fields if name != "logo_type"]
    theme = pb.Theme(**{"name": api.parent} | {name: value for name, value in fields.items() if name != "name"})
    request = pb.UpdateThemeRequest(theme=theme, update_mask=FieldMask(paths=paths))
    failure = await failure_of(api.tenants.UpdateTheme(request))
    assert failure is not None
    assert (failure.code, failure.field) == ("INVALID_ARGUMENT", field)
    assert told in failure.message
    assert await read(api) == pb.Theme(name=api.parent)
