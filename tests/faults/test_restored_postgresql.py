"""PostgreSQL comes back from a backup: what it has forgotten does no harm once `argus recover` has run."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from argus.base.errors import InvalidFieldError
from argus.flows.termination import TerminationState
from argus.server.api import Api
from argus.server.recovery import open_recovery
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.features import origin
from tests.support.own_stores import carried_out, lose_everything, without_redis
from tests.support.people import Person, new_person, reason_of, refresh, terminate, verify

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores


PAUSE = timedelta(minutes=2)
"""Longer than a grace and a deadline: the next refresh rotates."""


async def recover(private: PrivateStack, api: Api, *, at: datetime | None = None) -> TerminationState:
    """What `argus recover --after-restore --yes` does."""
    async with open_recovery(private.settings, clock=private.clock) as opened:
        who = origin(api.tenant_id)
        return await opened.tenant(api.tenant_id, until=opened.moment(at), origin=who)


class Backup:
    """A copy of PostgreSQL's files, as a snapshot of its disk would be."""

    def __init__(self, stores: EmbeddedStores, folder: Path) -> None:
        self._stores = stores
        self._copy = folder / "backup"
        self._data = Path(stores.postgresql.log).parent / "postgresql"

    def take(self) -> None:
        """Copies the files of the stopped server."""
        self._stores.postgresql.stop()
        subprocess.run(["cp", "-a", str(self._data), str(self._copy)], check=True)
        self._begin()

    def restore(self) -> None:
        """Everything since is gone."""
        self._stores.postgresql.stop()
        shutil.rmtree(self._data)
        subprocess.run(["cp", "-a", str(self._copy), str(self._data)], check=True)
        self._begin()

    def _begin(self) -> None:
        self._stores.launch_postgresql()
        self._stores.wait()


async def renewed(private: PrivateStack, api: Api) -> Api:
    """The same client with a token of after the recovery; the server has read its configuration anew."""
    await private.server.argus.snapshot.refresh()
    return api.at(api.address)


async def test_nobody_who_was_ended_comes_back_and_everybody_can_sign_in(
    private: PrivateStack, breakable: EmbeddedStores, tmp_path: Path
) -> None:
    """A session that ended after the backup, one that rotated, one that began, and a user who had all they may have."""
    api = await private.new_tenant()
    ended_one, rotated_one, late_one, full_one, disabled_one = [await new_person(api) for _ in range(5)]
    ended = await ended_one.sign_in()
    rotated = await rotated_one.sign_in()
    disabled = await disabled_one.sign_in()
    full = [await full_one.sign_in() for _ in range(5)]
    backup = Backup(breakable, tmp_path)
    await private.server.argus.effects.flush()
    backup.take()

    assert (await terminate(api, ended.session.name)).state == types.TERMINATION_STATE_ENDED
    chain = [rotated.tokens.refresh_token]
    for _ in range(3):
        chain.append((await refresh(api, chain[-1])).tokens.refresh_token)
        await private.advance(PAUSE)
    late = await late_one.sign_in()
    full += [await full_one.sign_in() for _ in range(5)]
    await api.users.DisableUser(users.DisableUserRequest(name=disabled_one.name))
    await private.server.argus.effects.flush()
    backup.restore()

    async with open_recovery(private.settings, clock=private.clock) as opened:
        assert [one.living for one in await opened.survey(api.tenant_id)] == [8]
    assert await recover(private, api) is TerminationState.ENDED

    own = await renewed(private, api)
    gone = [ended, rotated, late, disabled, *full]
    for one in gone:
        assert await reason_of(verify(own, one.tokens.access_token)) in {"SESSION_ENDED", "TOKEN_INVALID"}
        assert await reason_of(refresh(own, one.tokens.refresh_token)) in {"SESSION_ENDED", "TOKEN_INVALID"}
    assert await reason_of(refresh(own, chain[-1])) == "SESSION_ENDED"
    assert await reason_of(verify(own, late.tokens.access_token)) == "TOKEN_INVALID"
    await lose_everything(private)
    for one in gone:
        assert await reason_of(refresh(own, one.tokens.refresh_token)) in {"SESSION_ENDED", "TOKEN_INVALID"}
    # The backup knows these users as they were.
    for person in (ended_one, full_one, disabled_one):
        again = Person(api=own, name=person.name, identifier=person.identifier)
        signed_in = await again.sign_in()
        assert (await verify(own, signed_in.tokens.access_token)).session == signed_in.session.name
    await carried_out(private)
    assert await Person(api=own, name=full_one.name, identifier="").count() == 1
    await own.close()
    await api.close()


async def test_recovering_twice_ends_no_new_session(private: PrivateStack) -> None:
    """With the same moment; and a moment that is still to come is refused."""
    api = await private.new_tenant()
    person = await new_person(api)
    old = await person.sign_in()
    at = old.session.create_time.ToDatetime(UTC)
    await recover(private, api, at=at)
    own = await renewed(private, api)
    new = await Person(api=own, name=person.name, identifier=person.identifier).sign_in()
    await recover(private, api, at=at)
    assert await reason_of(verify(own, old.tokens.access_token)) == "SESSION_ENDED"
    assert (await verify(own, new.tokens.access_token)).session == new.session.name
    events = await private.server.argus.db.fetch_all(
        "SELECT data FROM audit_events WHERE tenant_id = %s AND type = 'tenant.recovered'", (api.tenant_id,)
    )
    assert [row["data"]["comment"] for row in events] == ["argus recover --after-restore"]
    with pytest.raises(InvalidFieldError, match="future"):
        await recover(private, api, at=datetime(2999, 1, 1, tzinfo=UTC))
    await own.close()
    await api.close()


async def test_without_redis_it_is_pending_and_goes_on_by_itself(
    private: PrivateStack, breakable: EmbeddedStores
) -> None:
    api = await private.new_tenant()
    person = await new_person(api)
    old = await person.sign_in()
    async with without_redis(breakable):
        assert await recover(private, api) is TerminationState.PENDING
    await carried_out(private)
    own = await renewed(private, api)
    assert await reason_of(verify(own, old.tokens.access_token)) == "SESSION_ENDED"
    assert await Person(api=own, name=person.name, identifier="").count() == 0
    await own.close()
    await api.close()
