"""What can be done with postures."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.events import Event
from argus.devices.model import Device
from argus.devices.postures import store
from argus.devices.postures.model import CLOCK_SKEW, PostureRefusedError, Statement
from argus.storage.postgres import Database, Transaction


class Postures:
    """What is known of the state of all devices."""

    def __init__(self, db: Database, *, now: Now) -> None:
        self._db = db
        self._now = now

    async def statements(
        self, devices: Sequence[Device], *, reader: Transaction | None = None
    ) -> Mapping[str, Sequence[Statement]]:
        """The newest statement of each source, fresh or not, by device id; as `reader` sees it."""
        if not devices:
            return {}
        found = await store.of_devices(reader or self._db, [(one.tenant_id, one.device_id) for one in devices])
        return {one.device_id: found.get((one.tenant_id, one.device_id), []) for one in devices}

    async def report(self, tx: Transaction, device: Device, statement: Statement, *, max_age: timedelta) -> None:
        """Keeps what a source says about a device that `tx` holds.

        Raises:
            InvalidFieldError: It is said to be of the future.
            PostureRefusedError: It is too old, or older than what the source has said before.
        """
        now = self._now()
        if statement.measured_time > now + CLOCK_SKEW:
            raise InvalidFieldError("posture.measured_time", "must not be in the future")
        if not statement.is_fresh(now, max_age):
            raise PostureRefusedError(max_age=max_age)
        known = await store.known_time(tx, device.tenant_id, device.device_id, statement.source)
        if known is not None and statement.measured_time < known:
            raise PostureRefusedError(known=known)
        await store.write(tx, device.tenant_id, device.device_id, statement)
        facts = {
            "device": device.device_id,
            "source": statement.source,
            "integrity": statement.integrity or "unknown",
        }
        tx.record(Event(type="device.posture_reported", user_id=device.user_id, data=facts))
