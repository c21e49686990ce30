"""joserfc, used as its documentation says: the issuer's keys by `kid`, their algorithms, the claims that must be."""

import json
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.differential.rules import lenient

ALGORITHMS: Final = ["RS256", "EdDSA"]
LEEWAY: Final = 5


class Oracle:
    """Accepts or refuses tokens of the world that `argus-differential` describes."""

    def __init__(self, world: dict[str, Any]) -> None:
        self._keys = {
            "at+jwt": [_import(jwk) for jwk in world["access"]],
            "rt+jwt": [_import(jwk) for jwk in world["refresh"]],
        }
        # A header member that nobody knows is to be ignored (RFC 7515, section 4).
        self._registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        audiences = {"at+jwt": world["audience"], "rt+jwt": world["issuer"]}
        self._claims = {
            kind: jwt.JWTClaimsRegistry(
                now=world["now"],
                leeway=LEEWAY,
                iss={"essential": True, "value": world["issuer"]},
                aud={"essential": True, "value": audience},
                sub={"essential": True},
                exp={"essential": True},
            )
            for kind, audience in audiences.items()
        }

    def judge(self, kind: str, token: str) -> dict[str, Any] | None:
        """The claims of a token that it accepts; where no key has the name that the token gives, each is tried."""
        keys = self._keys[kind]
        for key in [key for key in keys if key.kid == _kid(token)] or keys:
            try:
                read = jwt.decode(token, key, registry=self._registry)
                self._claims[kind].validate(read.claims)
            # What a library throws at hostile input besides its own errors is a refusal, too.
            except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            return read.claims
        return None


def _import(jwk: dict[str, Any]) -> RSAKey | OKPKey:
    return RSAKey.import_key(jwk) if jwk["kty"] == "RSA" else OKPKey.import_key(jwk)


def _kid(token: str) -> object:
    header = lenient(token.partition(".")[0])
    return header.get("kid") if isinstance(header, dict) else None


def same(ours: object, theirs: object) -> bool:
    """Equal as JSON values: a number is not a truth value, 1 and 1.0 are the same number."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return (type(ours) is type(theirs) and ours == theirs) or _is_same_number(ours, theirs)


def _is_same_number(ours: object, theirs: object) -> bool:
    return isinstance(ours, int | float) and isinstance(theirs, int | float) and ours == theirs


def to_json(value: object) -> str:
    """For messages."""
    return json.dumps(value, ensure_ascii=True)[:2000]
