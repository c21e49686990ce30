"""Devices as services see them: sign-ins with whatever a device says of itself, and what is known of it then."""

from __future__ import annotations

from typing import Any, Final

from argus.server.api import Api
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import device_service_pb2 as devices
from argus.v1 import types_pb2 as types
from tests.support.people import PASSWORD, Person

WINDOWS_CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
WINDOWS_HINTS: Final = types.ClientHints(
    ua='"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
    full_version_list='"Chromium";v="142.0.7444.60", "Google Chrome";v="142.0.7444.60", "Not_A Brand";v="99.0.0.0"',
    platform='"Windows"',
    platform_version='"15.0.0"',
    mobile="?0",
)
MACHINE: Final = {
    "timezone": "Europe/Berlin",
    "languages": "de,en",
    "screen": "2560x1440@2",
    "platform": "Windows",
    "hardware_concurrency": "16",
    "device_memory": "8",
}


async def arrive(
    person: Person, *, device_token: str = "", proof: types.Proof | None = None, **said: Any
) -> authentication.SubmitFactorResponse:
    """Signs in on a device that says these things of itself."""
    context = types.ClientContext(**({"user_agent": WINDOWS_CHROME} | said))
    begun = await person.api.authentication.StartLogin(
        authentication.StartLoginRequest(
            parent=person.api.parent,
            identifier=person.identifier,
            device_token=device_token,
            client_context=context,
        )
    )
    return await person.api.authentication.SubmitFactor(
        authentication.SubmitFactorRequest(
            parent=person.api.parent,
            login_token=begun.login_token,
            password=PASSWORD,
            client_context=context,
            proof=proof,
        )
    )


def name_of(person: Person, done: authentication.SubmitFactorResponse) -> str:
    """The device that somebody has signed in on."""
    return f"{person.name}/devices/{done.session.device.name}"


async def known(api: Api, name: str) -> devices.KnownDevice:
    """What is known of a device."""
    return (await api.devices.GetDevice(devices.GetDeviceRequest(name=name))).device


async def listed(person: Person) -> list[devices.KnownDevice]:
    """A user's devices, newest first."""
    found = await person.api.devices.ListDevices(devices.ListDevicesRequest(parent=person.name, page_size=100))
    return list(found.devices)
