"""Sessions that are to begin: what each is to be, and what becomes of it on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.place import Place
from argus.base.policy import Policy
from argus.clients.model import Client
from argus.devices.model import Device, DeviceTraits, Identity
from argus.devices.sightings import Use
from argus.sessions.limits import Limits
from argus.sessions.model import Session, binding_of
from argus.sessions.outbox_store import Delivery
from argus.sessions.reservations import Reservation
from argus.trust.model import DeviceTrust, Key, Shown, SignedIn
from argus.trust.state import UNKNOWN_STATE, DeviceState
from argus.users.model import User
from argus.v1.types_pb2 import Confirmation


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a session is to be.

    Attributes:
        acr: Level that its user has reached, 1 to 3.
        amr: Methods by which (RFC 8176).
        device: Known device that it runs on; None: it is a new one.
        identity: By what the device was known.
        has_hardware: A key in the device's hardware was proved.
        because: Event of what led to it, written with it.
        confirmation: Key that it is bound to, of which its tokens need a proof.
        decided: What the policy decided of it and by which facts, for its event.
        state: What is known of the state of its device.
    """

    user: User
    client: Client
    scope: str
    resource: str
    acr: int
    amr: Sequence[str]
    auth_time: datetime
    traits: DeviceTraits = field(default_factory=DeviceTraits)
    ip_address: str | None = None
    device: Device | None = None
    identity: Identity = ""
    has_hardware: bool = False
    because: Event | None = None
    confirmation: Confirmation | None = None
    decided: Mapping[str, str] = field(default_factory=dict)
    state: DeviceState = UNKNOWN_STATE


@dataclass(slots=True, kw_only=True, eq=False)
class Creation:
    """A session that has its place and is to be written.

    Attributes:
        limits: What its policy allows, by which others make room for it.
        policy: In force for it.
        is_begun: It is being written; whoever gives up from now on does not know whether it was.
    """

    new: NewSession
    session: Session
    limits: Limits
    reservation: Reservation
    origin: Origin
    policy: Policy
    is_begun: bool = False

    @property
    def user(self) -> tuple[str, str]:
        """Tenant and user."""
        return (self.session.tenant_id, self.session.user_id)

    @property
    def client(self) -> tuple[str, str]:
        """Tenant and client."""
        return (self.session.tenant_id, self.session.client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A session that PostgreSQL has.

    Attributes:
        device_token: Token of its device, if that is a new one.
        delivery: What must still come to Redis.
        victims: Those that made room for it.
    """

    session: Session
    device_token: str
    delivery: Delivery
    victims: Sequence[Session]


class CoveredError(Exception):
    """A `not_before` of this very second would end the session as it begins."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


def signed_in(new: NewSession, place: Place) -> SignedIn:
    """What a session that begins shows of its device."""
    # The id of an installed client is told, and proves nothing.
    shown: Shown = new.identity if new.identity in ("key", "token") else ""
    return SignedIn(
        is_known=new.device is not None,
        shown=shown,
        has_hardware=new.has_hardware,
        binding=binding_of(new.confirmation),
        client_id=new.client.client_id,
        acr=new.acr,
        place=place,
        state=new.state,
    )


def device_key(device: Device) -> Key:
    """What trust in a device is kept under."""
    return (device.tenant_id, device.device_id)


def session_device_key(session: Session) -> Key:
    """What trust in the device of a session is kept under."""
    return (session.tenant_id, session.device_id or "")


def with_trust(session: Session, rated: Mapping[Key, DeviceTrust]) -> Session:
    """The session with the trust that it begins with; on a device that was forgotten meanwhile it has none."""
    device = rated.get(session_device_key(session))
    if device is None:
        return session
    rating = device.session_rating(risk=session.risk, proof_time=session.create_time, now=session.create_time)
    return replace(session, trust=rating.score, trust_now=rating.score)


def use_of(creation: Creation, device: Device, rated: Mapping[Key, DeviceTrust]) -> Use:
    """What a session that begins says of the known device that it begins on, given what is thought of devices."""
    new, session = creation.new, creation.session
    trust = rated.get((device.tenant_id, device.device_id))
    return Use(
        device=device,
        identity=new.identity,
        traits=new.traits,
        place=session.place,
        key_sha256=trust.key_print if trust is not None else None,
        is_key_missing=trust is not None and trust.is_key_missing,
        origin=creation.origin,
    )


def with_device(creation: Creation, device: Device) -> Session:
    """The session on the device that it begins on."""
    return replace(
        creation.session,
        device_id=device.device_id,
        display_name=device.display_name or creation.new.traits.display_name,
        category=device.category,
    )
