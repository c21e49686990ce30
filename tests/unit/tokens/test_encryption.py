import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.tokens.encryption import KeyEncryption
from argus.tokens.model import DamagedSecretError, KeyMaterial

KEY, OTHER = os.urandom(32), os.urandom(32)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_encrypted_comes_back_at_its_place(plaintext: bytes, place: str) -> None:
    """And never twice as the same bytes."""
    kek = KeyEncryption(KEY)
    once, twice = (kek.encrypt(plaintext, place=place) for _ in range(2))
    assert once != twice
    assert kek.decrypt(once, place=place) == plaintext


def test_another_place_damage_or_another_key_are_refused() -> None:
    """A ciphertext that was moved to another tenant's row does not decrypt."""
    kek, other = KeyEncryption(KEY), KeyEncryption(OTHER)
    assert kek.kek_id != other.kek_id
    ciphertext = kek.encrypt(b"secret", place="signing_keys/a/access/k")
    damaged = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
    for one, bad, place in (
        (kek, ciphertext, "signing_keys/b/access/k"),
        (kek, damaged, "signing_keys/a/access/k"),
        (kek, b"", "x"),
        (other, ciphertext, "signing_keys/a/access/k"),
    ):
        with pytest.raises(DamagedSecretError, match=one.kek_id):
            one.decrypt(bad, place=place)


def test_a_key_of_another_length_is_refused() -> None:
    """Weak keys stop the start."""
    with pytest.raises(ValueError, match="32 bytes"):
        KeyEncryption(b"short")


def test_key_material_does_not_show_itself() -> None:
    """Nothing secret is written down."""
    material = KeyMaterial(
        use="refresh_id", algorithm="HS256", bits=0, kid="", public_jwk=None, private_key=b"canary-of-a-key"
    )
    assert "canary" not in f"{material} {material!r}"
    assert KEY.hex() not in repr(KeyEncryption(KEY))
