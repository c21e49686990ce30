"""An authenticator app, written from RFC 6238 alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from argus.v1 import credential_service_pb2 as credentials

if TYPE_CHECKING:
    from datetime import datetime

    from argus.server.api import Api


@dataclass(frozen=True, slots=True)
class App:
    """An app with one account.

    Attributes:
        secret: In base32.
    """

    secret: str = field(repr=False)

    def code(self, now: datetime, *, steps: int = 0) -> str:
        """What the app shows so many steps from now."""
        counter = struct.pack(">Q", int(now.timestamp()) // 30 + steps)
        digest = hmac.new(base64.b32decode(self.secret), counter, hashlib.sha1).digest()
        at = digest[-1] & 15
        return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"

    def wrong_code(self, now: datetime) -> str:
        """A code that the app does not show now, nor will or did within an hour."""
        shown = {self.code(now, steps=step) for step in range(-120, 121)}
        return next(code for code in map("{:06}".format, range(1000)) if code not in shown)


def app_of(uri: str) -> App:
    """The app that has read an otpauth URI."""
    return App(parse_qs(urlsplit(uri).query)["secret"][0])


async def enrol_app(api: Api, user: str, now: datetime) -> App:
    """Enrols an app for a user, with the code of the step before: the present one is left to be used."""
    begun = await api.credentials.StartTotpEnrolment(credentials.StartTotpEnrolmentRequest(parent=user))
    app = app_of(begun.uri)
    await api.credentials.ConfirmTotpEnrolment(
        credentials.ConfirmTotpEnrolmentRequest(
            parent=user, enrolment_id=begun.enrolment_id, code=app.code(now, steps=-1)
        )
    )
    return app
