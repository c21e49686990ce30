"""Sends the mails that wait: the link or code is made only now, and goes nowhere but into the mail."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Literal

import structlog

from argus.accounts.model import Link
from argus.accounts.service import EmailCodes, Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.flows.notifying.outlets import Outlets
from argus.mail.letters import Words
from argus.mail.model import MailDelayedError, MailRefusedError, QueuedMail
from argus.mail.service import Mails
from argus.notifications.deliveries.service import Deliveries
from argus.notifications.wordings.model import render
from argus.notifications.wordings.service import Wordings
from argus.storage.postgres import Database
from argus.tenants.service import Tenants

_AT_A_TIME: Final = 8
_log = structlog.get_logger(__name__)

_Outcome = Literal["mail.sent", "mail.refused", "mail.given_up"]


class Posting:
    """The worker that sends mails; any number of processes run one.

    A mail is taken for two minutes, handed over, and forgotten. A process that dies in between leaves it to be sent
    again under the same Message-ID: at least once, and twice only where nobody can know whether the server has it.
    """

    def __init__(
        self,
        db: Database,
        mails: Mails,
        links: Links,
        codes: EmailCodes,
        tenants: Tenants,
        outlets: Outlets,
        wordings: Wordings,
        deliveries: Deliveries,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._mails = mails
        self._links = links
        self._codes = codes
        self._tenants = tenants
        self._outlets = outlets
        self._wordings = wordings
        self._deliveries = deliveries
        self._now = now

    async def run_due(self) -> int:
        """Sends all that is due; says how many mails that were.

        Raises:
            UnavailableError: PostgreSQL is away; what is left stays due.
        """
        if not self._mails.is_on:
            return 0
        seen = 0
        while taken := await self._mails.take(_AT_A_TIME):
            seen += len(taken)
            outcomes = await asyncio.gather(*map(self._post, taken), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        return seen

    async def _post(self, mail: QueuedMail) -> None:
        if mail.expire_time <= self._now():
            await self._close(mail, "mail.given_up", "EXPIRED")
            return
        link = await self._links.get(mail.tenant_id, mail.link_id) if mail.link_id else None
        if mail.link_id and (link is None or link.use_time is not None or link.expire_time <= self._now()):
            await self._close(mail, "mail.given_up", "LINK_CLOSED")
            return
        outlet = await self._outlets.of(mail.tenant_id)
        channel_id = outlet.channel_id if outlet else ""
        try:
            await self._mails.send(
                mail,
                tenant=await self._name(mail.tenant_id),
                home=self._tenants.issuer(mail.tenant_id),
                link=link_url(self._tenants, self._links, link) if link else "",
                code=self._code(mail),
                words=await self._words(mail),
                carrier=outlet.carrier if outlet else None,
                sender=outlet.sender if outlet else "",
            )
        except MailRefusedError as error:
            await self._close(mail, "mail.refused", error.reason, channel_id=channel_id)
        except MailDelayedError as error:
            _log.warning("mail.delayed", mail=mail.mail_id, attempts=mail.attempts, reason=error.reason)
            await self._mails.postpone(mail)
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            # One that can't be written must not hold the others up. Its text is not in the trace: frames are not shown.
            _log.exception("mail.failed", mail=mail.mail_id, template=mail.template)
            await self._mails.postpone(mail)
        else:
            await self._close(mail, "mail.sent", channel_id=channel_id)

    async def _words(self, mail: QueuedMail) -> Words | None:
        """The tenant's own words; None: Argus's."""
        wording = await self._wordings.find(mail.tenant_id, "mail", mail.template, self._mails.language(mail))
        if wording is None:
            return None

        def written(names: Mapping[str, str]) -> tuple[str, str, str] | None:
            try:
                rendered = render(wording, names)
                f"{rendered.subject}{rendered.text}{rendered.html}".encode()
            except Exception:  # noqa: BLE001  # set before it would have been refused; the reader is told all the same
                _log.exception("mail.words_failed", tenant=mail.tenant_id, template=mail.template)
                return None
            return rendered.subject, rendered.text, rendered.html

        return written

    async def _close(
        self, mail: QueuedMail, outcome: _Outcome, reason: str | None = None, *, channel_id: str = ""
    ) -> None:
        origin = Origin(tenant_id=mail.tenant_id, actor="system:mail", request_id=new_id())
        async with self._db.transaction(origin, now=self._now()) as tx:
            was_kept = await self._mails.remove(tx, mail)
            if not mail.recipient:
                return
            event = Event(
                type=outcome,
                outcome="success" if outcome == "mail.sent" else "failure",
                reason=reason,
                user_id=mail.user_id,
                data={"mail": mail.mail_id, "template": mail.template},
            )
            tx.record(event)
            is_dead = outcome != "mail.sent"
            if is_dead and not was_kept:
                return  # its user was deleted meanwhile, or another process was faster: nothing is written down again
            await self._deliveries.log_mail(
                tx,
                tenant_id=mail.tenant_id,
                mail_id=mail.mail_id,
                template=mail.template,
                channel_id=channel_id,
                user_id=mail.user_id,
                create_time=mail.create_time,
                attempts=mail.attempts,
                failure=(reason or outcome) if is_dead else "",
                kept=kept_mail(mail) if is_dead else None,
            )

    async def _name(self, tenant_id: str) -> str:
        return (await self._tenants.get(tenant_id)).display_name or tenant_id

    def _code(self, mail: QueuedMail) -> str:
        return self._codes.digits(mail.tenant_id, mail.code_id, mail.user_id or "") if mail.code_id else ""


def kept_mail(mail: QueuedMail) -> dict[str, Any]:
    """What is kept of a mail that was given up: all that is needed to write it again, and no secret."""
    return {
        "template": mail.template,
        "to": mail.recipient,
        "locale": mail.locale,
        "user_id": mail.user_id,
        "variables": dict(mail.variables),
        "link_id": mail.link_id,
        "code_id": mail.code_id,
    }


def link_url(tenants: Tenants, links: Links, link: Link) -> str:
    """Where a link leads. The token stands in the fragment, which no server and no proxy on the way gets to see."""
    page = "recovery" if link.purpose == "handover" else link.purpose.replace("_", "-")
    return f"{tenants.issuer(link.tenant_id)}/account/{page}#{links.token(link)}"
