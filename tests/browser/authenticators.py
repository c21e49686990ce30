"""Authenticators: Chromium's virtual one for passkeys, and an app for codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyotp

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """The authenticator that is built into a device, with its fingerprint reader."""

    cdp: CDPSession
    authenticator_id: str

    async def count(self) -> int:
        """How many passkeys it holds."""
        found = await self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator_id})
        return len(found["credentials"])

    async def answer_by_itself(self, *, enabled: bool) -> None:
        """Whether somebody touches the reader whenever it asks: also where a page only offers passkeys in a field."""
        await self.cdp.send(
            "WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self.authenticator_id, "enabled": enabled}
        )


async def authenticator_of(page: Page) -> Authenticator:
    """Gives the device of a page an authenticator."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return Authenticator(cdp=cdp, authenticator_id=added["authenticatorId"])


class App:
    """An authenticator app; each code that it shows is a later one, as if its user had waited for it."""

    def __init__(self, secret: str, now: Callable[[], datetime]) -> None:
        self._totp = pyotp.TOTP(secret)
        self._now = now
        self._ahead = -1

    def next_code(self) -> str:
        """A code that was not shown before; there are three that count at a time."""
        self._ahead += 1
        assert self._ahead <= 2
        return self._totp.at(self._now() + timedelta(seconds=30 * (self._ahead - 1)))
