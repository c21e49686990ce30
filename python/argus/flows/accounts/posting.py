"""Sends the mails that wait: the link or code is made only now, and goes nowhere but into the mail."""

import asyncio
from typing import Final, Literal

import structlog

from argus.accounts.model import Link
from argus.accounts.service import EmailCodes, Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.mail.model import MailDelayedError, MailRefusedError, QueuedMail
from argus.mail.service import Mails
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
        self, db: Database, mails: Mails, links: Links, codes: EmailCodes, tenants: Tenants, *, now: Now
    ) -> None:
        self._db = db
        self._mails = mails
        self._links = links
        self._codes = codes
        self._tenants = tenants
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
        if mail.link_id and (link is None or link.use_time is not None):
            await self._close(mail, "mail.given_up", "LINK_CLOSED")
            return
        try:
            await self._mails.send(
                mail,
                tenant=await self._name(mail.tenant_id),
                home=self._tenants.issuer(mail.tenant_id),
                link=link_url(self._tenants, self._links, link) if link else "",
                code=self._code(mail),
            )
        except MailRefusedError as error:
            await self._close(mail, "mail.refused", error.reason)
        except MailDelayedError as error:
            _log.warning("mail.delayed", mail=mail.mail_id, attempts=mail.attempts, reason=error.reason)
            await self._mails.postpone(mail)
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            # One that can't be written must not hold the others up. Its text is not in the trace: frames are not shown.
            _log.exception("mail.failed", mail=mail.mail_id, template=mail.template)
            await self._mails.postpone(mail)
        else:
            await self._close(mail, "mail.sent")

    async def _close(self, mail: QueuedMail, outcome: _Outcome, reason: str | None = None) -> None:
        origin = Origin(tenant_id=mail.tenant_id, actor="system:mail", request_id=new_id())
        async with self._db.transaction(origin, now=self._now()) as tx:
            await self._mails.remove(tx, mail)
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

    async def _name(self, tenant_id: str) -> str:
        return (await self._tenants.get(tenant_id)).display_name or tenant_id

    def _code(self, mail: QueuedMail) -> str:
        return self._codes.digits(mail.tenant_id, mail.code_id, mail.user_id or "") if mail.code_id else ""


def link_url(tenants: Tenants, links: Links, link: Link) -> str:
    """Where a link leads. The token stands in the fragment, which no server and no proxy on the way gets to see."""
    page = "recovery" if link.purpose == "handover" else link.purpose.replace("_", "-")
    return f"{tenants.issuer(link.tenant_id)}/account/{page}#{links.token(link)}"
