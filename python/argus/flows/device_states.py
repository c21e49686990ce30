"""The state of devices: their posture in force, how far they are behind, and what trust in them makes of it."""

from collections.abc import Mapping, Sequence

from argus.base.clock import Now
from argus.base.policy import Policy
from argus.devices.model import Device, DeviceTraits
from argus.devices.postures.model import Posture, Statement, posture_of
from argus.devices.postures.service import Postures
from argus.patches.model import PatchLevel
from argus.patches.service import Patches
from argus.storage.postgres import Transaction
from argus.trust.state import DeviceState


class DeviceStates:
    """What is known of the state of devices."""

    def __init__(self, postures: Postures, patches: Patches, *, now: Now) -> None:
        self._postures = postures
        self._patches = patches
        self._now = now

    @property
    def data_date(self) -> str:
        """Day that the release data are of, as "2026-08-22"."""
        return self._patches.releases.day.isoformat()

    async def statements(self, devices: Sequence[Device]) -> Mapping[str, Sequence[Statement]]:
        """The newest statement of each source about each device, fresh or not, by device id."""
        return await self._postures.statements(devices)

    async def report(self, tx: Transaction, device: Device, statement: Statement, policy: Policy) -> DeviceState:
        """Keeps what a source says about a device that `tx` holds; says what its state is then.

        Raises:
            InvalidFieldError: It is said to be of the future.
            PostureRefusedError: It is too old, or older than what the source has said before.
        """
        await self._postures.report(tx, device, statement, max_age=policy.posture_max_age)
        said = await self._postures.statements([device], reader=tx)
        return self._state(device.traits, said[device.device_id], policy)

    async def of(self, device: Device | None, traits: DeviceTraits, policy: Policy) -> DeviceState:
        """The state of a device that says these things of itself; None: it is a new one."""
        said = (await self._postures.statements([device]))[device.device_id] if device is not None else []
        return self._state(traits, said, policy)

    def posture(self, said: Sequence[Statement], policy: Policy) -> Posture | None:
        """The posture in force; None: nothing fresh is known."""
        return posture_of(said, now=self._now(), max_age=policy.posture_max_age)

    def patch_level(self, traits: DeviceTraits, posture: Posture | None) -> PatchLevel:
        """How far a device is behind."""
        # Whoever has looked knows better than the device's own word.
        is_measured = posture is not None and bool(posture.os)
        return self._patches.releases.level(
            posture.os if posture is not None and is_measured else traits.os,
            posture.os_version if posture is not None and is_measured else traits.os_version,
            traits.browser,
            traits.browser_version,
            patch_version=posture.patch_version if posture is not None else "",
            at=self._now(),
        )

    def _state(self, traits: DeviceTraits, said: Sequence[Statement], policy: Policy) -> DeviceState:
        posture = self.posture(said, policy)
        level = self.patch_level(traits, posture)
        verdict = posture.integrity if posture is not None else None
        measured = [one.measured_time for one in said if one.integrity is not None and one.integrity == verdict]
        own = self.patch_level(traits, None)
        looked = [one.measured_time for one in said if one.os] if posture is not None and posture.os else []
        return DeviceState(
            integrity_bad=None if verdict is None else verdict == "failed",
            integrity_until=max(measured) + policy.posture_max_age if measured else None,
            end_of_life=level.end_of_life,
            patch_days=level.days_behind,
            patch_until=max(looked) + policy.posture_max_age if looked else None,
            own_end_of_life=own.end_of_life,
            own_patch_days=own.days_behind,
        )
