"""What a tenant's policy says of the cookies that hold its sessions."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from argus.base.errors import UnavailableError
from argus.clients.model import ACCOUNT_CLIENT
from argus.policies.service import Policies
from argus.v1.types_pb2 import TokenSet
from argus.web.browser.cookies import ACCESS, REFRESH, Change, SameSite

_MOST_TENANTS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieRules:
    """How browsers keep the cookies of a session.

    Attributes:
        is_kept: Until the session ends; else until the browser is closed.
        same_site: Of the access token's.
    """

    is_kept: bool = False
    same_site: SameSite = "Strict"

    def of(self, made: TokenSet, *, before: str = "") -> list[Change]:
        """The cookies of tokens. A refresh token that the browser has already is not sent again.

        An answer that is late would put it in the place of a newer one.
        """
        access, refresh = made.expires_in.ToTimedelta(), made.refresh_expires_in.ToTimedelta()
        changes = [
            Change(kind=ACCESS, value=made.access_token, life=self._life(access), same_site=self.same_site),
        ]
        if made.refresh_token != before:
            changes.append(Change(kind=REFRESH, value=made.refresh_token, life=self._life(refresh)))
        return changes

    def _life(self, life: timedelta) -> timedelta | None:
        return life if self.is_kept else None


class CookiePolicies:
    """The rules of all tenants."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._known: dict[str, CookieRules] = {}

    async def of(self, tenant_id: str) -> CookieRules:
        """A tenant's rules. While PostgreSQL is away, those that were known last, or the strictest: refreshes go on."""
        try:
            policy = (await self._policies.effective(tenant_id, ACCOUNT_CLIENT)).policy
        except UnavailableError:
            return self._known.get(tenant_id, CookieRules())
        same_site: SameSite = "Strict" if policy.cookie_same_site == "strict" else "Lax"
        rules = CookieRules(is_kept=policy.remember_me, same_site=same_site)
        if len(self._known) >= _MOST_TENANTS:
            self._known.clear()
        self._known[tenant_id] = rules
        return rules
