"""What is known of a sign-in when a policy decides of it: the facts that the rules of documents speak of.

Every flow that asks for a policy takes its facts from here. Whatever nobody has looked up is not known, which is never
the same as "no".
"""

from collections.abc import Sequence
from datetime import datetime

from argus.base.place import Place
from argus.credentials.levels import Proved, level_of
from argus.devices.model import Device
from argus.flows.creations import NewSession
from argus.policies.conditions import Facts
from argus.policies.service import Policies
from argus.sessions.login_store import Login
from argus.sessions.model import Session
from argus.users.model import User


def facts_of_login(login: Login, user: User, *, now: datetime) -> Facts:
    """Of a login that has proved something."""
    level = level_of([Proved.from_text(text) for text in login.proved])
    return Facts(
        time=now,
        client_id=login.client_id,
        user_id=user.user_id,
        groups=tuple(user.groups),
        acr=level.acr,
        amr=level.amr,
        device_class=login.device_class,
        device_trusted=None if login.session_id else login.device_trusted,
        country=login.country,
        network_class=login.network_class,
    )


async def is_trusted(policies: Policies, device: Device | None, groups: Sequence[str], *, now: datetime) -> bool:
    """Whether a device is trusted by what is in force for its user now, who is in some groups."""
    # One that was never seen before, or is gone, is trusted by nobody.
    if device is None or device.trust_expire_time is None or device.trust_expire_time <= now:
        return False
    policy = (await policies.effective(device.tenant_id, "", device.user_id, groups)).policy
    return device.is_trusted(now, policy.device_trusted_for)


def facts_of_session(new: NewSession, place: Place, *, device_trusted: bool, now: datetime) -> Facts:
    """Of a session that is to begin."""
    return Facts(
        time=now,
        client_id=new.client.client_id,
        user_id=new.user.user_id,
        groups=tuple(new.user.groups),
        acr=new.acr,
        amr=tuple(new.amr),
        device_class=new.traits.type,
        device_trusted=device_trusted,
        country=place.country or "",
        network_class=place.network_class or "",
    )


def facts_of_living(
    session: Session, groups: Sequence[str], place: Place, *, device_trusted: bool | None, now: datetime
) -> Facts:
    """Of a session that goes on, used at a place."""
    return Facts(
        time=now,
        client_id=session.client_id,
        user_id=session.user_id,
        groups=tuple(groups),
        acr=session.acr,
        amr=tuple(session.amr),
        device_class=session.device_type,
        device_trusted=device_trusted,
        country=place.country or "",
        network_class=place.network_class or "",
    )
