"""Who may try a secret now, and who has to wait."""

import base64
import hashlib
import hmac
import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

from argus.base.clock import Now
from argus.threats.guessing.model import (
    ADDRESS_BUDGET,
    ASKING_BUDGET,
    CLIENT_BUDGET,
    IDENTIFIER_BUDGET,
    MAIL_BUDGET,
    Budget,
    GuessingThrottledError,
    Try,
)
from argus.threats.guessing.store import GuessingStore

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_IPV6_PREFIX: Final = 64


class Guessing:
    """Budgets of failures. Identifiers and addresses stand in Redis as keyed hashes only, known and unknown alike.

    A try counts as a failure from the start, before anything is compared: `begin`, then `succeeded` or `undo`, and
    nothing where it has failed.
    """

    def __init__(self, store: GuessingStore, secret: bytes, *, now: Now) -> None:
        self._store = store
        self._secret = secret
        self._now = now

    async def begin(
        self,
        tenant_id: str,
        identifier: str,
        *,
        device_id: str | None = None,
        ip_address: str | None = None,
        budget: Budget = IDENTIFIER_BUDGET,
    ) -> Try:
        """Counts a try at the password of whoever has this identifier.

        Args:
            tenant_id: Tenant.
            identifier: In its canonical form.
            device_id: Known device of that very user which the try comes from; it has its own budget.
            ip_address: Address of the user's device, where known; it has a budget apart.
            budget: What failures may cost here; the same whether there is such a user.

        Raises:
            GuessingThrottledError: It has to wait.
        """
        key = self._key("identifier", tenant_id, identifier, device_id or "")
        return await self._begin(key, budget, tenant_id, ip_address)

    async def begin_session(
        self, tenant_id: str, session_id: str, *, ip_address: str | None, budget: Budget = IDENTIFIER_BUDGET
    ) -> Try:
        """Counts a try at the password of the session's user, by somebody who holds a refresh token of it.

        The session has a budget of its own, as a known device has: guesses elsewhere, by whomever, keep its user out of
        no step-up, and guesses here keep the user out of no sign-in.

        Raises:
            GuessingThrottledError: It has to wait.
        """
        key = self._key("session", tenant_id, session_id)
        return await self._begin(key, budget, tenant_id, ip_address)

    async def begin_factor(
        self,
        tenant_id: str,
        subject: str,
        method: str,
        *,
        place: str = "",
        ip_address: str | None,
        budget: Budget = IDENTIFIER_BUDGET,
    ) -> Try:
        """Counts a try at a factor that is not the first of its login.

        It has budgets apart from those of the password: whoever knows that could clear them again and again.

        Args:
            tenant_id: Tenant.
            subject: User; the login, while nobody is known.
            method: Kind of the factor.
            place: Known device or session that the try comes from; it has its own budget. Empty: any other.
            ip_address: Address of the user's device, where known.
            budget: What failures may cost here.

        Raises:
            GuessingThrottledError: It has to wait.
        """
        key = self._key("factor", tenant_id, subject, method, place)
        return await self._begin(key, budget, tenant_id, ip_address)

    async def begin_client(self, tenant_id: str, client_id: str, *, ip_address: str | None) -> Try:
        """Counts a try at a client's secret from one address.

        Raises:
            GuessingThrottledError: It has to wait.
        """
        key = self._key("client", tenant_id, client_id, _network(ip_address))
        return await self._begin(key, CLIENT_BUDGET, tenant_id, None)

    async def succeeded(self, attempt: Try) -> None:
        """The secret was right: its failures are forgotten. The address gets back only what this try took."""
        await self._store.clear(attempt.main_key)
        if attempt.address_key:
            await self._store.give_back(attempt.address_key, ADDRESS_BUDGET)

    async def undo(self, attempt: Try) -> None:
        """The secret was not compared after all (a store was away): the try never was."""
        await self._store.give_back(attempt.main_key, attempt.budget)
        if attempt.address_key:
            await self._store.give_back(attempt.address_key, ADDRESS_BUDGET)

    async def reopen(self, tenant_id: str, identifiers: list[str]) -> None:
        """Forgets the failures from unknown devices: the password was set anew."""
        for identifier in identifiers:
            await self._store.clear(self._key("identifier", tenant_id, identifier, ""))

    async def reopen_factor(self, tenant_id: str, user_id: str, method: str) -> None:
        """Forgets the failures of a factor from unknown devices: it was set anew."""
        await self._store.clear(self._key("factor", tenant_id, user_id, method, ""))

    async def begin_asking(self, tenant_id: str, *, ip_address: str | None) -> None:
        """Counts that somebody at this address asks for a mail, to whomever.

        Raises:
            GuessingThrottledError: It has to wait.
        """
        if not ip_address:
            return
        wait = await self._take(self._key("asking", tenant_id, _network(ip_address)), ASKING_BUDGET)
        if wait is not None:
            raise GuessingThrottledError(wait, what="requests for mail")

    async def may_mail(self, tenant_id: str, recipient: str, kind: str) -> bool:
        """Whether a recipient gets a further mail of a kind that a stranger asks for; if so, it counts.

        Each kind has a budget of its own: those of others are nothing that a password could be set by.
        """
        return await self._take(self._mail_key(tenant_id, recipient, kind), MAIL_BUDGET) is None

    async def forget_mails(self, tenant_id: str, recipient: str, kind: str) -> None:
        """The recipient has made use of one: whoever asks for it gets further ones."""
        await self._store.clear(self._mail_key(tenant_id, recipient, kind))

    def _mail_key(self, tenant_id: str, recipient: str, kind: str) -> bytes:
        return self._key("mail", tenant_id, recipient.casefold(), kind)

    async def _take(self, key: bytes, budget: Budget) -> timedelta | None:
        """How long it has to wait; None: not at all, and it counts."""
        now_ms = round((self._now() - _EPOCH) / timedelta(milliseconds=1))
        wait, _ = await self._store.take(key, budget, now_ms=now_ms)
        return wait

    async def _begin(self, key: bytes, budget: Budget, tenant_id: str, ip_address: str | None) -> Try:
        now_ms = round((self._now() - _EPOCH) / timedelta(milliseconds=1))
        address_key = self._key("address", tenant_id, _network(ip_address)) if ip_address else b""
        if address_key:
            wait, _ = await self._store.take(address_key, ADDRESS_BUDGET, now_ms=now_ms)
            if wait is not None:
                raise GuessingThrottledError(wait)
        wait, failures = await self._store.take(key, budget, now_ms=now_ms)
        if wait is not None:
            # Nothing is compared, so the address has not failed either.
            if address_key:
                await self._store.give_back(address_key, ADDRESS_BUDGET)
            raise GuessingThrottledError(wait)
        return Try(failures=failures, budget=budget, main_key=key, address_key=address_key)

    def _key(self, kind: str, *parts: str) -> bytes:
        message = "\0".join((kind, *parts)).encode()
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return b"a1:g:" + base64.urlsafe_b64encode(digest[:18])


def _network(ip_address: str | None) -> str:
    """The address itself for IPv4, its 64-bit network for IPv6: whoever has one address there has them all."""
    if not ip_address:
        return ""
    address = ipaddress.ip_address(ip_address)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
