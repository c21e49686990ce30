"""Devices are known again by what they prove, else by what they show; users name, trust and forget them."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.base import clock as clocks
from argus.rpc.validate import to_duration, to_timestamp
from argus.server.api import Failure, failure_of
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.account_links import Post
from tests.support.dpop import DpopClient
from tests.support.known_devices import MACHINE, WINDOWS_HINTS, arrive, known, listed, name_of
from tests.support.oneself import Acting
from tests.support.people import FIREFOX, Person, new_person

if TYPE_CHECKING:
    from tests.support.mails import MailServer
    from tests.support.stack import Stack


@pytest.fixture
async def post(stack: Stack, mails: MailServer) -> Post:
    return Post(stack=stack, api=await stack.new_tenant(), mails=mails)


@pytest.fixture
async def person(post: Post) -> Person:
    return await new_person(post.api)


async def refused(call: object) -> Failure:
    failure = await failure_of(call)  # type: ignore[arg-type]  # a call of grpc.aio is awaitable, and not typed
    assert failure is not None
    return failure


async def events(person: Person, name: str) -> list[tuple[str, str]]:
    found = await person.api.devices.ListDeviceEvents(devices.ListDeviceEventsRequest(parent=name, page_size=100))
    return [(one.type, one.reason) for one in found.events]


async def test_what_a_device_says_is_kept_with_versions_that_are_true(person: Person) -> None:
    done = await arrive(person, client_hints=WINDOWS_HINTS, app="")
    one = await known(person.api, name_of(person, done))
    said = one.device
    assert (said.type, said.os, said.os_version) == ("desktop", "Windows", "11")
    assert (said.browser, said.browser_version, said.display_name) == ("Chrome", "142.0.7444.60", "Chrome on Windows")
    assert done.session.device.os_version == "11"
    assert one.identity == devices.DEVICE_IDENTITY_UNSPECIFIED
    assert list(one.signals) == []
    # Without hints a new look leaves versions unknown: nobody guesses.
    await arrive(person, device_token=done.device_token)
    one = await known(person.api, name_of(person, done))
    assert (one.device.os_version, one.device.browser_version) == ("", "142")
    assert one.identity == devices.DEVICE_IDENTITY_TOKEN


async def test_contradicting_hints_are_a_signal_and_an_event(person: Person) -> None:
    done = await arrive(person, client_hints=WINDOWS_HINTS, user_agent=FIREFOX)
    name = name_of(person, done)
    assert list((await known(person.api, name)).signals) == ["HINT_MISMATCH"]
    await arrive(person, device_token=done.device_token, client_hints=WINDOWS_HINTS, user_agent=FIREFOX)
    assert (await events(person, name)).count(("device.signalled", "HINT_MISMATCH")) == 1
    await arrive(person, device_token=done.device_token)
    assert list((await known(person.api, name)).signals) == []


async def test_a_key_is_who_a_device_is_and_without_it_that_is_said(stack: Stack, person: Person) -> None:
    key = DpopClient()

    def proof() -> types.Proof:
        return key.proof(now=int(clocks.now(stack.private.clock).timestamp()))

    first = await arrive(person, proof=proof())
    name = name_of(person, first)
    assert (await known(person.api, name)).has_key
    # Neither a token nor an id is needed beside it; another device's token does not count before it.
    other = await arrive(person)
    again = await arrive(person, proof=proof(), device_token=other.device_token, installation_id="somewhere else")
    assert (again.session.device.name, again.device_token) == (first.session.device.name, "")
    assert (await known(person.api, name)).identity == devices.DEVICE_IDENTITY_KEY
    # A copied token brings no key along.
    await arrive(person, device_token=first.device_token)
    one = await known(person.api, name)
    assert one.identity == devices.DEVICE_IDENTITY_TOKEN
    assert list(one.signals) == ["DEVICE_KEY_MISSING"]
    assert ("device.signalled", "DEVICE_KEY_MISSING") in await events(person, name)
    # Nor is it somebody else's device who has the same key.
    stranger = await new_person(person.api)
    assert (await arrive(stranger, proof=proof())).session.device.name != first.session.device.name


async def test_an_installed_client_is_known_by_its_id_and_the_id_is_not_kept(stack: Stack, person: Person) -> None:
    installation = secrets.token_hex(16)
    said: dict[str, Any] = {"installation_id": installation, "user_agent": "Notes/4.2.1 (iPhone; iOS 26.4.1)"}
    first = await arrive(person, **said)
    again = await arrive(person, **said)
    assert again.session.device.name == first.session.device.name
    one = await known(person.api, name_of(person, first))
    assert one.identity == devices.DEVICE_IDENTITY_INSTALLATION
    assert one.device.app == "Notes/4.2.1"
    assert (await arrive(person, installation_id="another")).session.device.name != first.session.device.name
    rows = await stack.argus.db.fetch_all("SELECT d::text AS text FROM devices d")
    assert all(installation not in row["text"] for row in rows)
    # It opens nobody's budget of tries: only what Argus made is a device's own secret.
    assert (
        await stack.argus.devices.recognize(person.api.tenant_id, f"{first.session.device.name}.{installation}") is None
    )


async def test_a_fingerprint_is_scored_and_identifies_nobody(stack: Stack, person: Person) -> None:
    first = await arrive(person, fingerprint=MACHINE)
    # All the same, without a token: another device, which looks like the first one.
    twin = await arrive(person, fingerprint=MACHINE | {"device_memory": "4"})
    assert twin.session.device.name != first.session.device.name
    row = await stack.argus.db.fetch_one(
        "SELECT data FROM audit_events WHERE tenant_id = %s AND type = 'device.created' AND data->>'device' = %s",
        (person.api.tenant_id, twin.session.device.name),
    )
    assert row is not None
    assert row["data"]["similar_to"] == first.session.device.name
    assert float(row["data"]["similarity"]) == pytest.approx(1 - 0.5 / 5.75, abs=0.006)
    # Another machine under the same token.
    changed = {name: value + "!" for name, value in MACHINE.items()}
    await arrive(person, device_token=first.device_token, fingerprint=changed)
    assert list((await known(person.api, name_of(person, first))).signals) == ["FINGERPRINT_CHANGED"]


async def test_of_a_fingerprint_only_hashes_are_kept_which_differ_by_tenant(stack: Stack, person: Person) -> None:
    await arrive(person, fingerprint=MACHINE)
    elsewhere = await new_person(await stack.new_tenant())
    await arrive(elsewhere, fingerprint=MACHINE)
    kept = {}
    for one in (person, elsewhere):
        rows = await stack.argus.db.fetch_all(
            "SELECT component, digest FROM device_prints WHERE tenant_id = %s", (one.api.tenant_id,)
        )
        kept[one.name] = {row["component"]: bytes(row["digest"]) for row in rows}
        assert kept[one.name].keys() == MACHINE.keys()
        assert all(len(digest) == 8 for digest in kept[one.name].values())
    assert all(kept[person.name][name] != kept[elsewhere.name][name] for name in MACHINE)
    for table in ("devices", "device_prints", "sessions", "audit_events", "outbox"):
        rows = await stack.argus.db.fetch_all(f"SELECT t::text AS text FROM {table} t")
        assert all(MACHINE["screen"] not in row["text"] for row in rows), table


async def test_a_name_and_a_group_stay_with_the_device_and_show_at_its_sessions(person: Person) -> None:
    first = await arrive(person)
    own = Acting(person.api, first)
    done = await own.do(
        "UpdateOwnDevice",
        device=devices.KnownDevice(
            name=name_of(person, first), device=types.Device(display_name="Desk", category="work")
        ),
        update_mask=FieldMask(paths=["*"]),
    )
    assert (done.device.device.display_name, done.device.device.category) == ("Desk", "work")
    again = await arrive(person, device_token=first.device_token)
    shown = [(one.device.display_name, one.device.category) for one in await person.list()]
    assert shown == [("Desk", "work")] * 2
    assert again.session.device.display_name == "Desk"
    assert "DEVICE_UPDATED" in await own.kinds()
    # What an administrator changes counts, too; of an old etag nothing does.
    request = devices.UpdateDeviceRequest(
        device=devices.KnownDevice(name=name_of(person, first), device=types.Device(category="home"), etag="r1"),
        update_mask=FieldMask(paths=["device.category"]),
    )
    assert (await refused(person.api.devices.UpdateDevice(request))).reason == "ETAG_MISMATCH"
    request.device.etag = done.device.etag
    changed = (await person.api.devices.UpdateDevice(request)).device
    assert (changed.device.display_name, changed.device.category) == ("Desk", "home")
    assert {one.device.category for one in await person.list()} == {"home"}


async def test_a_device_is_trusted_as_long_as_the_policy_says(stack: Stack, post: Post, person: Person) -> None:
    await post.set_policy(device_trusted_for_seconds=3600)
    done = await arrive(person)
    own, name = Acting(person.api, done), name_of(person, done)
    trusted = (await own.do("TrustOwnDevice", device_id=own.device_id)).device
    now = clocks.now(stack.private.clock)
    assert abs(trusted.trust_expire_time.ToDatetime(tzinfo=now.tzinfo) - now - timedelta(hours=1)) < timedelta(
        minutes=1
    )
    longer = devices.TrustDeviceRequest(name=name, trusted_for=to_duration(timedelta(hours=2)))
    failure = await refused(person.api.devices.TrustDevice(longer))
    assert (failure.reason, failure.metadata) == (
        "DEVICE_TRUST_REFUSED",
        {"policyField": "device_trusted_for", "longestSeconds": "3600"},
    )
    never = devices.TrustDeviceRequest(name=name, trusted_for=to_duration(timedelta(0)))
    assert not (await person.api.devices.TrustDevice(never)).device.HasField("trust_expire_time")
    await own.do("TrustOwnDevice", device_id=own.device_id)
    assert (await known(person.api, name)).HasField("trust_expire_time")
    assert (await own.kinds())[:3] == ["DEVICE_TRUSTED", "DEVICE_DISTRUSTED", "DEVICE_TRUSTED"]
    await post.set_policy(device_trusted_for_seconds=1800)
    shorter = (await known(person.api, name)).trust_expire_time.ToDatetime(tzinfo=now.tzinfo)
    assert abs(shorter - now - timedelta(minutes=30)) < timedelta(minutes=1)
    await post.set_policy(device_trusted_for_seconds=0)
    assert not (await known(person.api, name)).HasField("trust_expire_time")
    assert (await own.refused("TrustOwnDevice", device_id=own.device_id)).metadata["longestSeconds"] == "0"


async def test_who_forgets_a_device_ends_what_runs_on_it(person: Person) -> None:
    first, other = await arrive(person), await arrive(person)
    name = name_of(person, first)
    request = devices.ForgetDeviceRequest(name=name, request_id="once")
    done = await person.api.devices.ForgetDevice(request)
    assert done.ended_count == 1
    assert (await person.api.devices.ForgetDevice(request)).ended_count == 0
    assert [one.name for one in await person.list()] == [other.session.name]
    assert (
        await refused(person.api.devices.GetDevice(devices.GetDeviceRequest(name=name)))
    ).reason == "DEVICE_NOT_FOUND"
    assert (await arrive(person, device_token=first.device_token)).session.device.name != first.session.device.name


async def test_the_list_goes_on_and_says_what_happened_to_each(person: Person) -> None:
    made = [name_of(person, await arrive(person)) for _ in range(3)]
    page = await person.api.devices.ListDevices(devices.ListDevicesRequest(parent=person.name, page_size=2))
    rest = await person.api.devices.ListDevices(
        devices.ListDevicesRequest(parent=person.name, page_size=2, page_token=page.next_page_token)
    )
    assert [one.name for one in [*page.devices, *rest.devices]] == made[::-1]
    assert rest.next_page_token == ""
    found = [kind for kind, _ in await events(person, made[0])]
    assert {"device.created", "session.created", "login.completed"} <= set(found)
    assert "device.new" not in found
    assert ("device.new", "") in await events(person, made[1])
    own = Acting(person.api, await arrive(person))
    of_own = await own.do("ListOwnDeviceEvents", device_id=own.device_id, page_size=1)
    assert len(of_own.events) == 1
    assert of_own.next_page_token


class TestPosture:
    """Reports of services: the newest of each source counts as long as it is fresh."""

    @staticmethod
    async def report(person: Person, name: str, **fields: Any) -> devices.KnownDevice:
        request = devices.ReportPostureRequest(name=name, posture=devices.Posture(**fields))
        return (await person.api.devices.ReportPosture(request)).device

    async def test_what_several_sources_say_is_joined_and_stale_is_unknown(
        self, stack: Stack, post: Post, person: Person
    ) -> None:
        await post.set_policy(posture_max_age_seconds=3600)
        name = name_of(person, await arrive(person, client_hints=WINDOWS_HINTS))
        assert not (await known(person.api, name)).HasField("posture")
        now = clocks.now(stack.private.clock)
        await self.report(
            person,
            name,
            source=devices.POSTURE_SOURCE_MDM,
            integrity=devices.INTEGRITY_VERDICT_PASSED,
            disk_encrypted=True,
            screen_lock=False,
            os="Windows",
            os_version="10.0.19045",
            measured_time=to_timestamp(now - timedelta(minutes=50)),
        )
        one = await self.report(
            person,
            name,
            source=devices.POSTURE_SOURCE_TPM,
            integrity=devices.INTEGRITY_VERDICT_FAILED,
            measured_time=to_timestamp(now),
        )
        # The worst verdict; what only one of them says.
        assert one.posture.integrity == devices.INTEGRITY_VERDICT_FAILED
        assert (one.posture.disk_encrypted, one.posture.screen_lock) == (True, False)
        assert (one.posture.os_version, one.posture.reporter) == ("10.0.19045", "backend")
        # Whoever has looked knows better than the device's own "11".
        assert one.patch_level.end_of_life
        assert one.patch_level.days_behind > 0
        await stack.advance(timedelta(minutes=30))
        one = await known(person.api, name)
        assert one.posture.integrity == devices.INTEGRITY_VERDICT_FAILED
        assert not one.posture.HasField("disk_encrypted")
        assert not one.patch_level.HasField("end_of_life")
        await stack.advance(timedelta(minutes=40))
        assert not (await known(person.api, name)).HasField("posture")

    async def test_old_and_overtaken_reports_are_refused(self, stack: Stack, post: Post, person: Person) -> None:
        await post.set_policy(posture_max_age_seconds=3600)
        name = name_of(person, await arrive(person))
        now = clocks.now(stack.private.clock)

        def said(time: timedelta) -> dict[str, Any]:
            return {"source": devices.POSTURE_SOURCE_MDM, "measured_time": to_timestamp(now + time)}

        failure = await refused(self.report(person, name, **said(timedelta(minutes=-61))))
        assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "POSTURE_REFUSED")
        assert failure.metadata == {"rule": "TOO_OLD", "maxAgeSeconds": "3600"}
        await self.report(person, name, **said(timedelta(minutes=-5)))
        failure = await refused(self.report(person, name, **said(timedelta(minutes=-6))))
        assert failure.metadata["rule"] == "SUPERSEDED"
        failure = await refused(self.report(person, name, **said(timedelta(minutes=9))))
        assert (failure.reason, failure.field) == ("FIELD_INVALID", "posture.measured_time")

    @pytest.mark.parametrize("field", ["source", "measured_time", "patch_version"])
    async def test_a_report_without_its_facts_is_refused(self, stack: Stack, person: Person, field: str) -> None:
        good: dict[str, Any] = {
            "source": devices.POSTURE_SOURCE_MDM,
            "measured_time": to_timestamp(clocks.now(stack.private.clock)),
        }
        bad = good | {"patch_version": "today"} if field == "patch_version" else good
        bad = {name: value for name, value in bad.items() if name != field or field == "patch_version"}
        failure = await refused(self.report(person, name_of(person, await arrive(person)), **bad))
        assert failure.field == f"posture.{field}"

    async def test_only_who_may_report_is_believed(self, stack: Stack) -> None:
        api = await stack.new_tenant(scopes=["users.write", "login.run", "devices.read", "devices.write"])
        failure = await refused(
            api.devices.ReportPosture(
                devices.ReportPostureRequest(name=f"{api.parent}/users/{'u' * 22}/devices/{'d' * 22}")
            )
        )
        assert failure.metadata == {"requiredScope": "devices.report_posture"}


async def test_a_session_that_is_renamed_renames_no_device(person: Person) -> None:
    """UpdateSession is about one session; the device keeps its name."""
    first = await arrive(person)
    request = sessions.UpdateSessionRequest(
        session=types.Session(name=first.session.name, device=types.Device(display_name="This one")),
        update_mask=FieldMask(paths=["device.display_name"]),
    )
    await person.api.sessions.UpdateSession(request)
    (one,) = await listed(person)
    assert one.device.display_name == "Chrome on Windows"
