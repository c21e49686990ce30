"""Makes mail, and what people do to their accounts by it."""

from collections.abc import Sequence
from dataclasses import dataclass

from argus.accounts.service import AccountRequests, EmailCodes, Links
from argus.base.clock import Now
from argus.base.settings import Settings, SettingsError
from argus.contexts.store import ContextStore
from argus.credentials.service import Passwords
from argus.devices.service import Devices
from argus.flows.accounts.answering import Answering
from argus.flows.accounts.asking import Asking
from argus.flows.accounts.email_code import EmailCodeFactor
from argus.flows.accounts.help import AccountHelp
from argus.flows.accounts.invitation import Invitation
from argus.flows.accounts.not_me import NotMe
from argus.flows.accounts.notices import TOLD, Notices
from argus.flows.accounts.posting import Posting
from argus.flows.accounts.recovery import Recovery
from argus.flows.accounts.registration import Registration
from argus.flows.accounts.verification import Verification
from argus.flows.factors import Factor
from argus.flows.terminate import Terminate
from argus.flows.user_lifecycle import KeepsOfUsers, UserLifecycle
from argus.mail.carriers import Carrier, Folder, Smtp
from argus.mail.service import Mails
from argus.networks.service import Networks
from argus.notifications.preferences.service import Preferences
from argus.plans.service import Plans
from argus.policies.service import Policies
from argus.server.notifications import Notifications
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.tenants.service import Tenants
from argus.threats.guessing.service import Guessing
from argus.users.service import Users

# What a folder of mails shows where no sender is set.
_NO_SENDER = "argus@localhost.localdomain"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOffice:
    """Mail itself, and the links and codes that it brings."""

    mails: Mails
    links: Links
    codes: EmailCodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What people do to their accounts by mail."""

    asking: Asking
    answering: Answering
    posting: Posting
    recovery: Recovery
    registration: Registration
    verification: Verification
    invitation: Invitation
    not_me: NotMe
    help: AccountHelp


def post_office(
    settings: Settings,
    db: Database,
    key: bytes,
    users: Users,
    plans: Plans,
    preferences: Preferences,
    networks: Networks,
    *,
    now: Now,
) -> PostOffice:
    """Mail as the settings say; what happens in `db` is told from here on.

    Args:
        settings: All settings.
        db: Where mails wait.
        key: What the secrets of links and codes are computed with.
        users: Whose addresses notices go to.
        plans: Say whose users are told of new devices.
        preferences: Say who does not want to be told.
        networks: Say where things happened.
        now: The time.
    """
    sender = settings.mail_from or _NO_SENDER
    mails = Mails(db, _carrier(settings), sender=sender, locale=settings.mail_locale, now=now)
    links = Links(db, key, now=now)
    if mails.is_on:
        db.witness(TOLD, Notices(users, plans, preferences, mails, links, networks).post)
    return PostOffice(
        mails=mails,
        links=links,
        codes=EmailCodes(db, key, now=now),
    )


def mail_factors(settings: Settings, post: PostOffice, users: Users) -> list[Factor]:
    """The kinds of factors that come by mail.

    Raises:
        SettingsError: They are wanted, and no mail gets out.
    """
    if settings.email_codes and not settings.has_mail:
        raise SettingsError(["ARGUS_EMAIL_CODES needs mail: set ARGUS_MAIL_URL and ARGUS_MAIL_FROM"])
    return [EmailCodeFactor(post.codes, users)] if settings.email_codes else []


def user_lifecycle(
    db: Database,
    users: Users,
    passwords: Passwords,
    policies: Policies,
    terminate: Terminate,
    guessing: Guessing,
    post: PostOffice,
    notifications: Notifications,
    keepers: Sequence[KeepsOfUsers],
    *,
    now: Now,
) -> UserLifecycle:
    """The way of users through life; whatever keeps something of them forgets it at its end.

    Args:
        db: Where all of it is.
        users: The users.
        passwords: What they sign in with.
        policies: Say what a password must be.
        terminate: Ends their sessions.
        guessing: Counts guesses at their passwords.
        post: Keeps mails and links.
        notifications: Keep what was sent, and what users want to be told.
        keepers: All others that keep something of users, but for their sessions.
        now: The time.
    """
    told: list[KeepsOfUsers] = [post.links, post.mails, notifications.deliveries, notifications.preferences]
    # Sessions after devices: so rows are locked. Contexts after sessions: once these are locked, nobody writes any.
    everybody = [passwords, *keepers, SessionStore(db), ContextStore(db), *told]
    return UserLifecycle(db, users, passwords, policies, terminate, guessing, post.links, everybody, now=now)


def account_flows(
    db: Database,
    post: PostOffice,
    *,
    tenants: Tenants,
    users: Users,
    passwords: Passwords,
    policies: Policies,
    guessing: Guessing,
    lifecycle: UserLifecycle,
    devices: Devices,
    terminate: Terminate,
    notifications: Notifications,
    now: Now,
) -> Accounts:
    """The flows and the workers behind them."""
    requests = AccountRequests(db, now=now)
    links, mails = post.links, post.mails
    return Accounts(
        asking=Asking(db, requests, post.codes, mails, policies, guessing, now=now),
        answering=Answering(db, requests, links, users, mails, guessing, now=now),
        posting=Posting(
            db,
            mails,
            links,
            post.codes,
            tenants,
            notifications.outlets,
            notifications.wordings,
            notifications.deliveries,
            now=now,
        ),
        recovery=Recovery(links, users, lifecycle, policies, guessing, now=now),
        registration=Registration(links, users, lifecycle, policies, now=now),
        verification=Verification(db, links, users, now=now),
        invitation=Invitation(db, links, users, passwords, lifecycle, mails, now=now),
        not_me=NotMe(links, devices, passwords, terminate, now=now),
        help=AccountHelp(db, links, users, mails, tenants, now=now),
    )


def _carrier(settings: Settings) -> Carrier | None:
    server = settings.mail_server
    if server is not None:
        return Smtp(server, ca_file=settings.mail_ca_file, timeout=settings.mail_timeout)
    return Folder(settings.mail_folder) if settings.mail_folder is not None else None
