"""Devices, between messages and features."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from argus.base.errors import InvalidFieldError
from argus.devices.model import MAX_CATEGORY, MAX_DISPLAY_NAME, Device, Identity
from argus.devices.postures.model import SOURCES, Integrity, Posture, Source, Statement
from argus.flows.known_devices import KnownDevice
from argus.rpc import validate
from argus.rpc.entitled import is_shown
from argus.rpc.session_messages import location_message
from argus.v1 import device_service_pb2 as pb
from argus.v1 import types_pb2

_IDENTITIES: Final[Mapping[Identity, pb.DeviceIdentity.ValueType]] = {
    "": pb.DEVICE_IDENTITY_UNSPECIFIED,
    "key": pb.DEVICE_IDENTITY_KEY,
    "token": pb.DEVICE_IDENTITY_TOKEN,
    "installation": pb.DEVICE_IDENTITY_INSTALLATION,
}
_VERDICTS: Final[Mapping[Integrity, pb.IntegrityVerdict.ValueType]] = {
    "passed": pb.INTEGRITY_VERDICT_PASSED,
    "failed": pb.INTEGRITY_VERDICT_FAILED,
}
_VERDICTS_BY_NUMBER: Final = {number: verdict for verdict, number in _VERDICTS.items()}
_SOURCES_BY_NUMBER: Final[Mapping[int, Source]] = {
    pb.PostureSource.Value(f"POSTURE_SOURCE_{source.upper()}"): source for source in SOURCES
}
_DISPLAY_NAME: Final = "device.display_name"
_CATEGORY: Final = "device.category"
_MAX_OS: Final = 40
_MAX_VERSION: Final = 40


def known_device_message(known: KnownDevice) -> pb.KnownDevice:
    """A device, and what is known of it."""
    device, level = known.device, known.patch_level
    return pb.KnownDevice(
        name=device.name,
        device=traits_message(device),
        create_time=validate.to_timestamp(device.create_time),
        last_seen_time=validate.to_timestamp(device.last_seen_time),
        location=location_message(device.place),
        trust_expire_time=validate.to_timestamp(known.trust_expire_time),
        identity=_IDENTITIES[device.identity],
        has_key=device.key_sha256 is not None,
        posture=_posture_message(known.posture) if known.posture is not None else None,
        patch_level=pb.PatchLevel(
            days_behind=level.days_behind, end_of_life=level.end_of_life, data_date=known.data_date
        ),
        signals=device.signals,
        etag=device.etag,
    )


def traits_message(device: Device) -> types_pb2.Device:
    """What a device is, and what it is called."""
    is_named = is_shown("device_names")
    return types_pb2.Device(
        name=device.device_id,
        display_name=(device.display_name if is_named else "") or device.traits.display_name,
        type=device.traits.type,
        os=device.traits.os,
        browser=device.traits.browser,
        category=device.category if is_named else "",
        os_version=device.traits.os_version,
        browser_version=device.traits.browser_version,
        app=device.traits.app,
    )


def statement_of(message: pb.Posture, field: str, *, reporter: str) -> Statement:
    """What a service says about a device.

    Raises:
        InvalidFieldError: Its source or its time is missing, or a field is malformed.
    """
    if message.source not in _SOURCES_BY_NUMBER:
        raise InvalidFieldError(f"{field}.source", "is required")
    if not message.HasField("measured_time"):
        raise InvalidFieldError(f"{field}.measured_time", "is required")
    return Statement(
        source=_SOURCES_BY_NUMBER[message.source],
        integrity=_VERDICTS_BY_NUMBER.get(message.integrity),
        disk_encrypted=message.disk_encrypted if message.HasField("disk_encrypted") else None,
        screen_lock=message.screen_lock if message.HasField("screen_lock") else None,
        os=validate.text(message.os, f"{field}.os", _MAX_OS),
        os_version=validate.text(message.os_version, f"{field}.os_version", _MAX_VERSION),
        patch_version=_patch_version(message.patch_version, f"{field}.patch_version"),
        measured_time=validate.timestamp(message.measured_time, f"{field}.measured_time"),
        reporter=reporter,
    )


def described(request: Any) -> tuple[str | None, str | None]:
    """Name and group that an update gives a device; None: it leaves it as it is."""
    paths = validate.mask(request.update_mask, {_DISPLAY_NAME, _CATEGORY})
    device = request.device.device
    display_name = validate.text(device.display_name, f"device.{_DISPLAY_NAME}", MAX_DISPLAY_NAME)
    category = validate.text(device.category, f"device.{_CATEGORY}", MAX_CATEGORY)
    return display_name if _DISPLAY_NAME in paths else None, category if _CATEGORY in paths else None


def _posture_message(posture: Posture) -> pb.Posture:
    verdict = _VERDICTS[posture.integrity] if posture.integrity else pb.INTEGRITY_VERDICT_UNSPECIFIED
    return pb.Posture(
        integrity=verdict,
        disk_encrypted=posture.disk_encrypted,
        screen_lock=posture.screen_lock,
        os=posture.os,
        os_version=posture.os_version,
        patch_version=posture.patch_version,
        measured_time=validate.to_timestamp(posture.measured_time),
        reporter=posture.reporter,
    )


def _patch_version(text: str, field: str) -> str:
    if not text:
        return text
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InvalidFieldError(field, 'must be a date as "2026-08-05"') from None
