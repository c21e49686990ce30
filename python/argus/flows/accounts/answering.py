"""Carries out what was asked for: looks up whom it concerns, and leaves a mail to be sent.

For an address of nobody's the same is done, with a mail to nobody, so that the load tells nothing either.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog

from argus.accounts.model import CODE_LIFE, AccountRequest, Link, Purpose
from argus.accounts.service import AccountRequests, Links
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.mail.model import MailMessage, Template
from argus.mail.service import Mails
from argus.storage.postgres import Database, Transaction
from argus.threats.guessing.service import Guessing
from argus.users.model import User, UserNotFoundError, canonical_identifier
from argus.users.service import Users

Withheld = Literal["UNKNOWN_IDENTIFIER", "USER_DISABLED", "NO_ADDRESS", "VERIFIED_ALREADY", "ENOUGH_SENT"]
"""Why a request leads to no mail, for the audit alone."""

_LATER: Final = timedelta(seconds=30)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a request leads to.

    Attributes:
        address: Where the mail goes, as the user has it: what was typed may only look like it.
        locale: Language of the user; empty: none is known.
    """

    template: Template
    purpose: Purpose | None
    user_id: str = ""
    address: str = ""
    locale: str = ""
    withheld: Withheld | None = None


class Answering:
    """The worker behind `Asking`; any number of processes run one."""

    def __init__(
        self,
        db: Database,
        requests: AccountRequests,
        links: Links,
        users: Users,
        mails: Mails,
        guessing: Guessing,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._requests = requests
        self._links = links
        self._users = users
        self._mails = mails
        self._guessing = guessing
        self._now = now

    async def run_due(self) -> int:
        """Carries out all that is due; says how much that was.

        Raises:
            UnavailableError: A store is away; what is left stays due.
        """
        done = 0
        if not self._mails.is_on:  # left to a process that can send what they lead to
            return done
        while await self._one():
            done += 1
        return done

    async def _one(self) -> bool:
        request: AccountRequest | None = None
        try:
            async with self._db.transaction(now=self._now()) as tx:
                request = await self._requests.next(tx)
                if request is not None:
                    await self._answer(tx, request)
                    await self._requests.done(tx, request)
        except UnavailableError:
            raise
        except Exception:
            if request is None:
                raise
            # One that can't be carried out must not hold the others up for ever.
            _log.exception("account.request_failed", kind=request.kind, account_request=request.account_request_id)
            await self._requests.postpone(request, _LATER)
        return request is not None

    async def _whom(self, request: AccountRequest) -> User | None:
        if not request.user_id:
            return await self._users.find_by_identifier(request.tenant_id, request.identifier)
        try:
            return await self._users.get(request.tenant_id, request.user_id)
        except UserNotFoundError:
            return None

    async def _answer(self, tx: Transaction, request: AccountRequest) -> None:
        user = await self._whom(request)
        answer = _answer_for(request, user)
        recipient = answer.address or _canonical(request)
        if not await self._guessing.may_mail(request.tenant_id, recipient, request.kind):
            # Those before it are still good.
            answer = _Answer(
                template=answer.template, purpose=answer.purpose, user_id=answer.user_id, withheld="ENOUGH_SENT"
            )
        address = "" if answer.withheld else answer.address
        link = None
        if answer.purpose is not None:
            link = await self._links.make(
                tx, answer.purpose, request.tenant_id, user_id=answer.user_id, address=address
            )
        message = MailMessage(
            template=answer.template,
            to=address,
            locale=answer.locale or request.locale,
            user_id=answer.user_id or None,
            link_id=link.link_id if link else None,
            code_id=request.code_id,
            expire_time=_end(request, link),
        )
        await self._mails.enqueue(tx, request.tenant_id, message)
        tx.record(_event(request, answer), origin=_origin(request))


def _answer_for(request: AccountRequest, user: User | None) -> _Answer:
    match request.kind:
        case "registration":
            return _registration(request, user)
        case "verification":
            return _verification(request, user)
        case "recovery":
            return _to_user(request, user, _Answer(template="recovery", purpose="recovery"))
        case "email_code":
            return _to_user(request, user, _Answer(template="email_code", purpose=None))


def _registration(request: AccountRequest, user: User | None) -> _Answer:
    """Whoever has an account is told so: only the reader of the mail learns of it."""
    if user is None:
        return _Answer(template="registration", purpose="registration", address=request.identifier.strip())
    known = _Answer(template="registration_known", purpose=None)
    return _to_user(request, user, known)


def _verification(request: AccountRequest, user: User | None) -> _Answer:
    answer = _to_user(request, user, _Answer(template="verification", purpose="verification"))
    if user is None or answer.withheld:
        return answer
    is_open = any(one.value == answer.address and one.verify_time is None for one in user.identifiers)
    return answer if is_open else _withheld(answer, "VERIFIED_ALREADY", user)


def _to_user(request: AccountRequest, user: User | None, answer: _Answer) -> _Answer:
    if user is None:
        return _withheld(answer, "UNKNOWN_IDENTIFIER", None)
    if user.disabled:
        return _withheld(answer, "USER_DISABLED", user)
    address = _address(request, user)
    if not address:
        return _withheld(answer, "NO_ADDRESS", user)
    return _Answer(
        template=answer.template,
        purpose=answer.purpose,
        user_id=user.user_id,
        address=address,
        locale=user.locale,
    )


def _withheld(answer: _Answer, reason: Withheld, user: User | None) -> _Answer:
    user_id = user.user_id if user else ""
    return _Answer(template=answer.template, purpose=answer.purpose, user_id=user_id, withheld=reason)


def _address(request: AccountRequest, user: User) -> str:
    """The address that was named, in the user's own writing; of a user name the first verified one, or the first."""
    canonical = _canonical(request)
    addresses = [one for one in user.identifiers if one.kind == "email"]
    named = [one for one in addresses if canonical_identifier(one.value) == canonical]
    verified = [one for one in addresses if one.verify_time is not None]
    return next((one.value for one in (*named, *verified, *addresses)), "")


def _end(request: AccountRequest, link: Link | None) -> datetime | None:
    """When nobody wants the mail any more."""
    if link is not None:
        return link.expire_time
    return request.create_time + CODE_LIFE if request.code_id else None


def _canonical(request: AccountRequest) -> str:
    return canonical_identifier(request.identifier)


def _event(request: AccountRequest, answer: _Answer) -> Event:
    return Event(
        type="account.mail_withheld" if answer.withheld else "account.mailed",
        outcome="failure" if answer.withheld else "success",
        reason=answer.withheld,
        user_id=answer.user_id or None,
        data={"kind": request.kind},
    )


def _origin(request: AccountRequest) -> Origin:
    return Origin(
        tenant_id=request.tenant_id,
        actor=request.actor,
        request_id=request.request_id,
        ip_address=request.ip_address,
    )
