"""A device's key that is missed: the signal of the device and the cap of trust in it are one rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from argus.v1 import device_service_pb2 as devices
from tests.support.dpop import DpopClient
from tests.support.factor_scene import Scene
from tests.support.known_devices import arrive, known, name_of
from tests.support.people import new_person

if TYPE_CHECKING:
    from argus.v1 import authentication_service_pb2 as authentication
    from argus.v1 import types_pb2 as types
    from tests.support.stack import Stack

MISSED = "DEVICE_KEY_MISSING"


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    api = await stack.new_tenant()
    return Scene(stack=stack, api=api, person=await new_person(api))


def proof(scene: Scene, key: DpopClient) -> types.Proof:
    return key.proof(now=int(scene.now.timestamp()))


async def is_missed(scene: Scene, done: authentication.SubmitFactorResponse) -> bool:
    """Whether the last sign-in on a device lacked its key; both say the same."""
    name = name_of(scene.person, done)
    explained = await scene.api.devices.ExplainTrust(devices.ExplainTrustRequest(device=name))
    signalled = MISSED in (await known(scene.api, name)).signals
    assert signalled == any(term.code == MISSED for term in explained.terms)
    return signalled


@pytest.mark.parametrize(
    ("shown", "missed"),
    [
        # Each sign-in after the first: k by the key, c by the cookie alone, o by the cookie and another key.
        ("c", "n"),
        ("o", "n"),
        ("kc", "ny"),
        ("ko", "ny"),
        ("kcc", "nyy"),
        ("kckc", "nyny"),
        ("cc", "nn"),
        ("oo", "nn"),
        ("ooc", "nny"),
    ],
)
async def test_a_key_is_missed_once_it_was_shown_twice(scene: Scene, shown: str, missed: str) -> None:
    key, other = DpopClient(), DpopClient()
    first = await arrive(scene.person, proof=proof(scene, key))
    assert not await is_missed(scene, first)
    found = ""
    for one in shown:
        proofs = {"k": key, "o": other}
        done = await arrive(
            scene.person,
            device_token=first.device_token,
            proof=proof(scene, proofs[one]) if one in proofs else None,
        )
        assert done.session.device.name == first.session.device.name
        found += "y" if await is_missed(scene, done) else "n"
    assert found == missed


async def test_a_second_factor_replaces_a_key_and_nothing_is_missed_any_more(scene: Scene) -> None:
    key, new = DpopClient(), DpopClient()
    first = await arrive(scene.person, proof=proof(scene, key))
    await arrive(scene.person, proof=proof(scene, key))
    assert await is_missed(scene, await arrive(scene.person, device_token=first.device_token))
    app = await scene.app()
    for _ in range(2):
        await scene.next_step()
        begun = await scene.past_password(device_token=first.device_token)
        done = await scene.hand_in(begun.login_token, totp=app.code(scene.now), proof=proof(scene, new))
        assert not await is_missed(scene, done)


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_key_that_a_second_factor_has_replaced_is_the_devices_no_longer(
    scene: Scene, is_replaced: bool
) -> None:
    """The one that it brought is, if it brought one."""
    old, new = DpopClient(), DpopClient()
    first = await arrive(scene.person, proof=proof(scene, old))
    await arrive(scene.person, proof=proof(scene, old))
    app = await scene.app()

    async def by(key: DpopClient | None, device_token: str = "") -> authentication.SubmitFactorResponse:
        await scene.next_step()
        begun = await scene.past_password(device_token=device_token)
        shown = proof(scene, key) if key else None
        return await scene.hand_in(begun.login_token, totp=app.code(scene.now), proof=shown)

    await by(new if is_replaced else None, first.device_token)
    assert (await known(scene.api, name_of(scene.person, first))).has_key == is_replaced
    if is_replaced:
        done = await by(new)
        assert done.session.device.name == first.session.device.name
        assert (await known(scene.api, name_of(scene.person, done))).identity == devices.DEVICE_IDENTITY_KEY
    assert (await by(old)).session.device.name != first.session.device.name
