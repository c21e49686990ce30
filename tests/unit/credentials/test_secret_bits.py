"""How many bits the secrets have that people or mails carry."""

import base64
import math

from argus.accounts.model import code_digits
from argus.base.ids import new_secret
from argus.credentials.recovery_codes.model import _ALPHABET, canonical_code, new_codes
from argus.credentials.totp.model import new_secret as new_totp_secret


def test_asvs_6_5_4_lookup_secrets_have_twenty_bits_or_more() -> None:
    """Recovery codes are drawn from thirty characters, twelve of them; secrets of apps and logins are random bytes."""
    codes = {canonical_code(code) for _ in range(200) for code in new_codes()}
    assert set("".join(codes)) == set(_ALPHABET)
    assert {len(code) for code in codes} == {12}
    assert 12 * math.log2(len(_ALPHABET)) > 58
    assert len(codes) == 2000
    assert len(base64.b32decode(new_totp_secret())) * 8 == 160
    assert len(base64.urlsafe_b64decode(new_secret() + "==")) * 8 >= 256


def test_codes_by_mail_have_six_digits_of_a_key() -> None:
    """19.9 bits, and five tries: every number of six digits may come, and another user's is another one."""
    digits = [code_digits(b"k" * 32, "t", f"code-{number}", "u") for number in range(2000)]
    assert {len(one) for one in digits} == {6}
    assert {one[0] for one in digits} == set("0123456789")
    assert code_digits(b"k" * 32, "t", "code-1", "u") != code_digits(b"k" * 32, "t", "code-1", "v")
