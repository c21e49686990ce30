"""The sessions of a user that would have lived, while the time of a replay goes by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from argus.audit.model import AuditEvent
from argus.flows.replaying.life import Life
from argus.policies.conditions import Facts
from argus.policies.model import EffectivePolicy
from argus.policies.past import PolicyPast, Scoped
from argus.policies.simulation_model import Found
from argus.sessions.replayed import ReplayedEnd

_TICK: Final = timedelta(microseconds=1)
_FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Lives:
    """Sessions that live, and what they live by.

    Attributes:
        tenant_id: The tenant.
        user_id: The user.
        past: What was in force when, and what would have been.
        since: Begin of the time that is looked at; of what ended before nothing is said.
        until: End of the time that is looked at.
        groups: The user's groups at `at`.
        at: How far time has gone by.
        found: What was found out.
    """

    tenant_id: str
    user_id: str
    past: PolicyPast
    since: datetime
    until: datetime
    groups: Sequence[str]
    at: datetime
    found: Found = field(default_factory=Found)
    _lives: dict[str, Life] = field(default_factory=dict)
    _trusted: dict[str, tuple[datetime | None, datetime]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Life]:
        """All of them, as they are now."""
        return iter(list(self._lives.values()))

    def get(self, session_id: str | None) -> Life | None:
        """One of them; None: it does not live, or is not known."""
        return self._lives.get(session_id or "")

    def add(self, life: Life) -> None:
        """One begins."""
        device = life.session.device_id if life.session is not None else None
        if device and life.facts.device_trusted:
            self._trusted.setdefault(device, (None, _FOR_EVER))  # since when, nobody says
        self._lives[life.one.session_id] = life

    async def advance(self, to: datetime) -> None:
        """Time goes by: what was set meanwhile is followed, and deadlines pass."""
        await self.read(life.facts for life in self)
        eve = self.since - _TICK
        if self.at < eve < to:
            self._advance(eve)
        self._advance(to)

    def _advance(self, to: datetime) -> None:
        for life in self:
            scopes = self.scopes(life.facts)
            was, would = (set(self.past.changes(scopes, self.at, to, tried=tried)) for tried in (False, True))
            for time in sorted(was | would):
                self.follow(life, time, was=time in was, would=time in would)
            if life.is_over(to):
                self.close(life, life.over())
        self.at = max(self.at, to)

    def follow(self, life: Life, at: datetime, *, was: bool = True, would: bool = True) -> None:
        """It goes on under what is in force at an instant, and would have gone on under what would have been."""
        scopes = self.scopes(life.facts)

        def held(own: EffectivePolicy, *, tried: bool) -> EffectivePolicy:
            trusted = self._is_trusted(life, at, tried=tried)
            facts = replace(life.facts, time=at, groups=tuple(self.groups), device_trusted=trusted)
            return self.past.held(own, scopes, facts, at, tried=tried)

        before = life.own
        if was:
            life.was_own = held(life.was_own, tried=False)
        if would and not life.is_over(at):
            life.own = held(before, tried=True)
        life.one.follow(at, before.policy, life.own.policy, life.was_own.policy)

    async def regroup(self, event: AuditEvent) -> None:
        """The user joins a group or leaves one."""
        group = event.data["group"]
        others = [one for one in self.groups if one != group]
        self.groups = [*others, group] if event.type == "group.member_added" else others
        await self.read(life.facts for life in self)
        for life in self:
            self.follow(life, event.time)

    def rate_device(self, event: AuditEvent) -> None:
        """Something is thought of a device: how far sessions on it are trusted is not known from then on."""
        device = event.data.get("device", "")
        if event.type == "device.trusted" and "until" in event.data:
            self._trusted[device] = (event.time, datetime.fromisoformat(event.data["until"]))
        elif event.type in ("device.distrusted", "device.forgotten"):
            self._trusted.pop(device, None)
        for life in self:
            if life.session is not None and life.session.device_id == device:
                life.trust = None

    def close(self, life: Life, end: ReplayedEnd | None) -> None:
        """A session would have ended; None: it lives on, and that is all of it."""
        life.one.end = end
        del self._lives[life.one.session_id]
        if self.at >= self.since - _TICK:
            self.found.session(life.finding(self.until))

    def doubt_all(self) -> None:
        """Any of them may have been ended."""
        for life in self:
            life.is_in_doubt = True

    def _is_trusted(self, life: Life, at: datetime, *, tried: bool) -> bool | None:
        """As `Device.is_trusted` has it, by what was in force for the user, or would have been."""
        if life.session is None:
            return life.facts.device_trusted
        device = life.session.device_id
        if device is None:
            return None
        since, until = self._trusted.get(device, (None, at))
        if until <= at:
            return False
        of_user = Facts(client_id="", user_id=self.user_id, groups=tuple(self.groups))
        scopes = [one for one in self.scopes(of_user) if one[0] != "client"]
        longest = self.past.in_force(scopes, of_user, at, tried=tried).policy.device_trusted_for
        return at < since + longest if since else bool(longest)

    def scopes(self, facts: Facts) -> list[Scoped]:
        """Where a policy may be set that counts for a session of the user."""
        of_groups: list[Scoped] = [("group", group) for group in self.groups]
        return [("tenant", self.tenant_id), ("client", facts.client_id), *of_groups, ("user", self.user_id)]

    async def read(self, some: Iterable[Facts]) -> None:
        """Reads what was set for sessions of these facts."""
        await self.past.read(scope for facts in some for scope in self.scopes(facts))
