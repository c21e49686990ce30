"""Refresh tokens as a test tells them apart: read without a key, and never shown whole."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """What a refresh token says of itself.

    Attributes:
        text: The token.
        session_id: Its session.
        family: Its refresh family.
        generation: Its generation in the family.
        jti: Its id, which follows from the three.
        issued: When its generation was made. Seconds since 1970.
        expires: First second at which it is over.
    """

    text: str = field(repr=False)
    session_id: str
    family: int
    generation: int
    jti: str
    issued: int
    expires: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Takes a token apart."""
        claims = claims_of(text)
        return cls(
            text=text,
            session_id=claims["sid"],
            family=claims["fam"],
            generation=claims["gen"],
            jti=claims["jti"],
            issued=claims["iat"],
            expires=claims["exp"],
        )

    @property
    def place(self) -> tuple[int, int]:
        """Family and generation: of two tokens of a session the newer one has the greater."""
        return self.family, self.generation


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a token, whatever it is worth."""
    return _part(token, 1)


def header_of(token: str) -> dict[str, Any]:
    """The header of a token, whatever it is worth."""
    return _part(token, 0)


def _part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return said
