"""Makes notifications: channels, what goes over them, and the worker that sends it."""

from dataclasses import dataclass

from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.settings import Settings
from argus.flows.notifying.courier import Courier
from argus.flows.notifying.desk import NotificationDesk
from argus.flows.notifying.fan_out import FanOut
from argus.flows.notifying.outlets import Outlets
from argus.mail.service import Mails
from argus.notifications.channels.model import TOLD_TYPES
from argus.notifications.channels.service import Channels
from argus.notifications.deliveries.service import Deliveries
from argus.notifications.endpoints.addresses import AddressRules
from argus.notifications.endpoints.webhooks import WebhookSender
from argus.notifications.preferences.service import Preferences
from argus.notifications.wordings.service import Wordings
from argus.plans.service import Plans
from argus.storage.postgres import Database
from argus.tokens.kek.service import KeyEncryptionKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """What tells others."""

    channels: Channels
    deliveries: Deliveries
    wordings: Wordings
    preferences: Preferences
    outlets: Outlets


def make_notifications(
    settings: Settings, db: Database, keks: KeyEncryptionKeys, plans: Plans, *, now: Now
) -> Notifications:
    """What is needed to keep what is to be told; what happens in `db` is told from here on.

    Args:
        settings: Say where something may be sent.
        db: Where it waits.
        keks: Encrypt the secrets of channels.
        plans: Say what is told.
        now: The time.
    """
    rules = AddressRules(settings.webhook_networks)
    channels, deliveries = Channels(db, keks, rules, now=now), Deliveries(db, now=now)
    db.witness(TOLD_TYPES, FanOut(deliveries, plans).post)
    return Notifications(
        channels=channels,
        deliveries=deliveries,
        wordings=Wordings(db, now=now),
        preferences=Preferences(db, now=now),
        outlets=Outlets(channels, rules, ca_file=settings.webhook_ca_file, timeout=settings.mail_timeout),
    )


def make_courier(settings: Settings, db: Database, parts: Notifications, audit: Audit, *, now: Now) -> Courier:
    """The worker that sends events."""
    sender = WebhookSender(
        AddressRules(settings.webhook_networks), ca_file=settings.webhook_ca_file, timeout=settings.webhook_timeout
    )
    return Courier(db, parts.deliveries, parts.channels, parts.wordings, audit, sender, now=now)


def make_desk(db: Database, parts: Notifications, mails: Mails, courier: Courier, *, now: Now) -> NotificationDesk:
    """What administrators do about channels."""
    return NotificationDesk(db, parts.channels, parts.deliveries, mails, courier, parts.outlets, now=now)
