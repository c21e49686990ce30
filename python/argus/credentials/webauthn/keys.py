"""The public keys of credentials: COSE, as the library reads them, and held to their algorithm."""

from collections.abc import Mapping
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature
from fido2 import cbor
from fido2.cose import CoseKey

from argus.credentials.webauthn.model import ALGORITHMS, PasskeyRefusedError

_EC, _OKP, _RSA, _AKP = 2, 1, 3, 7
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_RS256, _N, _E = -257, -1, -2
# Key type, curve and bytes of a coordinate of the algorithms that have a curve (RFC 9053, 7.1 and 7.2).
_CURVES: Final = {-7: (_EC, 1, 32), -35: (_EC, 2, 48), -36: (_EC, 3, 66), -8: (_OKP, 6, 32)}
_RSA_LEAST_BYTES: Final = 256
_RSA_MOST_BYTES: Final = 512


def offered_algorithms() -> list[int]:
    """Those of `ALGORITHMS` that the cryptography of this machine can check, in their order."""
    able = set(CoseKey.supported_algorithms())
    return [one for one in ALGORITHMS if one in able]


def encoded_key(key: CoseKey) -> bytes:
    """The CBOR of a key.

    Raises:
        PasskeyRefusedError: It is not a good key of its algorithm.
    """
    if not _is_of_its_algorithm(key) or not _loads(key):
        raise PasskeyRefusedError("PUBLIC_KEY")
    return cbor.encode(key)


def check_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raises `PasskeyRefusedError` unless the signature over the message is that of the key."""
    key = CoseKey.parse(cast("Mapping[int, Any]", cbor.decode(public_key)))
    try:
        key.verify(message, signature)
    except InvalidSignature:
        raise PasskeyRefusedError("SIGNATURE") from None


def _is_of_its_algorithm(key: CoseKey) -> bool:
    algorithm = key[_ALG]
    if algorithm in _CURVES:
        kty, curve, length = _CURVES[algorithm]
        coordinates = [key.get(_X)] if kty == _OKP else [key.get(_X), key.get(_Y)]
        has_form = all(isinstance(one, bytes) and len(one) == length for one in coordinates)
        return has_form and bool((key[_KTY], key.get(_CRV)) == (kty, curve))
    if algorithm == _RS256:
        return bool(key[_KTY] == _RSA) and _is_strong(key.get(_N), key.get(_E))
    return bool(key[_KTY] == _AKP)


def _is_strong(modulus: object, exponent: object) -> bool:
    if not isinstance(modulus, bytes) or not isinstance(exponent, bytes):
        return False
    return _RSA_LEAST_BYTES <= len(modulus.lstrip(b"\0")) <= _RSA_MOST_BYTES and exponent in {b"\1\0\1", b"\3"}


def _loads(key: CoseKey) -> bool:
    """The library loads a key when it checks a signature; one that is only wrong shows that it could be loaded."""
    try:
        key.verify(b"", b"")
    except InvalidSignature:
        return True
    except Exception:  # noqa: BLE001  # whatever the library runs into
        return False
    return False
