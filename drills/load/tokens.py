"""Refresh tokens as their holders see them."""

import base64
import json
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token, read without a look at its signature.

    Attributes:
        text: The token itself.
        session_id: `sid`.
        family: `fam`.
        generation: `gen`.
        token_id: `jti`.
        got: When the holder got it; monotonic seconds.
    """

    text: str
    session_id: str
    family: int
    generation: int
    token_id: str
    got: float

    @classmethod
    def read(cls, text: str, *, got: float) -> Self:
        """Reads a token."""
        payload = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return cls(
            text=text,
            session_id=claims["sid"],
            family=claims["fam"],
            generation=claims["gen"],
            token_id=claims["jti"],
            got=got,
        )

    @property
    def place(self) -> tuple[str, int, int]:
        """What has one `jti`, whatever is lost."""
        return self.session_id, self.family, self.generation

    def __repr__(self) -> str:
        """Without the token."""
        return f"generation {self.generation} of family {self.family} of {self.session_id}"
