"""Hashes that other programs made, checked by ours.

Where a vector is from stands beside it: the tests of passlib (BSD), Django (BSD) and Ory Kratos (Apache-2.0), and what
users of Keycloak and Django published.
"""

import hashlib
import json
import time
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.credentials.foreign.formats import accept, read
from argus.credentials.foreign.kinds import Argon2, Pbkdf2, Scrypt
from argus.credentials.foreign.model import PasswordHashRefusedError, UnreadableHashError

TABLE: Final = "t\u00e1\u0411\u2113\u0259"
WAVE: Final = "\u0399\u03c9\u03b1\u03bd\u03bd\u03b7\u03c2"
REPEATED: Final = "abc123" * 12

PASSLIB: Final = [
    ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    ("abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi"),
    (TABLE, "$2a$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG"),
    (TABLE, "$2b$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG"),
    ("\u0451", "$2y$05$6bNw2HLQYeqHYyBfLMsv/OUcZd0LKP39b87nBw3.S2tVZSqiQX6eu"),
    # Longer than 255 bytes, where others began anew.
    (("0123456789" * 26)[:254], "$2a$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi"),
    (("0123456789" * 26)[:257], "$2a$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi"),
    (TABLE, "$bcrypt-sha256$2a,5$.US1fQ4TQS.ZTz/uJ5Kyn.$QNdPDOTKKT5/sovNz1iWg26quOU4Pje"),
    (REPEATED + "qwr", "$bcrypt-sha256$2b,5$X1g1nh3g0v4h6970O68cxe$021KLEif6epjot5yoxk0m8I0929ohEa"),
    ("", "$bcrypt-sha256$v=2,t=2b,r=5$E/e/2AOhqM5W/KJTFQzLce$WFPIZKtDDTriqWwlmRFfHiOTeheAZWe"),
    (REPEATED + "xyz", "$bcrypt-sha256$v=2,t=2b,r=5$X1g1nh3g0v4h6970O68cxe$zC/1UDUG2ofEXB6Onr2vvyFzfhEOS3S"),
    ("password", "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI"),
    (WAVE, "$pbkdf2-sha256$1212$3SABFJGDtyhrQMVt1uABPw$WyaUoqCLgvz97s523nF4iuOqZNbp5Nt8do/cuaa7AiI"),
    (
        "password",
        (
            "$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI"
            ".BzY/YTNJOiKc5gBYFYGww"
        ),
    ),
    # Those of RFC 7914.
    ("", "$scrypt$ln=4,r=1,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI"),
    ("password", "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI"),
    ("pleaseletmein", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"),
    (TABLE, "$scrypt$ln=7,r=8,p=1$jjGmtDamdA4BQAjBeA9BSA$OiWRHhQtpDx7M/793x6UXK14AD512jg/qNm/hkWZG4M"),
    ("password", "$argon2i$v=19$m=256,t=1,p=1$c29tZXNhbHQ$AJFIsNZTMKTAewB4+ETN1A"),
    (TABLE, "$argon2i$v=19$m=512,t=2,p=2$1sV0O4PWLtc12Ypv1f7oGw$z+yqzlKtrq3SaNfXDfIDnQ"),
    ("password", "$argon2i$m=65536,t=2,p=4$c29tZXNhbHQAAAAAAAAAAA$QWLzI4TY9HkL2ZTLc8g6SinwdhZewYrzz9zxCo0bkGY"),
    ("password", "$argon2d$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$cZn5d+rFh+ZfuRhm2iGUGgcrW5YLeM6q7L3vBsdmFA0"),
    ("password", "$argon2id$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo"),
]
ORY: Final = [
    ("test", "$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6"),
    ("test", "$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw"),
    ("test", "$argon2i$v=19$m=65536,t=3,p=4$kk51rW/vxIVCYn+EG4kTSg$NyT88uraJ6im6dyha/M5jhXvpqlEdlS/9fEm7ScMb8c"),
    (
        "test",
        (
            "$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$"
            "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"
        ),
    ),
    (
        "test",
        (
            "$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$"
            "+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc"
        ),
    ),
    # N where its logarithm belongs.
    (
        "test",
        (
            "$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$"
            "MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE="
        ),
    ),
]
DJANGO: Final = [
    ("lètmein", "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c="),
    ("userpassword", "pbkdf2_sha256$180000$TAWdyXjZhOxy$Gdf7QXtuAA6S330T/w4Ul5LzcReOgDBx7/Ds6TFJWKs="),
    # Made by Django 5.2 with a cost of 5, and by Werkzeug 3.1.
    ("päss", "bcrypt_sha256$$2b$05$Ot.N0qo5ETMcnXgoUXZOSuuJZppwn3X4HFh1D.AwKOxMT2FxXhLwm"),
    ("päss", "bcrypt$$2b$05$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe"),
    (
        "päss",
        (
            "scrypt$16384$hnw8SFOg6EsLEsJlRYyNnG$8$5$"
            "xvK0aJ1enZh2dDgtkT1a1+eV6yH0rVYWDqg0TjwfJkZ5TLVYVuFBZP9RPJiqDiFNHqM0CFbBEMyexHHdQ5nvbQ=="
        ),
    ),
    (
        "päss",
        (
            "argon2$argon2id$v=19$m=102400,t=2,p=8$MTA0MENXWXhGdWx0OVZ5VFp6Rk1BSw$"
            "1kyPKxddHS2p/ibMwqzkM2wLdp/89ynOaotH7inFr4o"
        ),
    ),
    ("päss", "pbkdf2_sha1$1000000$bqCaytfEiZdJgLsNyqW1Za$VDO/lfulSGltbkI1iPf+w9u56eA="),
    (
        "päss",
        (
            "scrypt:32768:8:1$6ON4wjZpEra0h3Z4$8b8b2132723ce7b5142d1a538e94bef34312392b133c0a80d2d0c2fcc8923a89"
            "e05ebb9a9e509454042b67049b2f2b6a1aee98651cc55449c69d91766adb32d8"
        ),
    ),
    ("päss", "pbkdf2:sha256:1000$LVoy3wOr1q1NwJgS$d59592f04b38a63a4906d86da6b41b44c0562011563a7b37ff99d0cf5843e5c1"),
]


def keycloak(secret: dict[str, Any], data: dict[str, Any]) -> str:
    """A credential as Keycloak exports it: JSON in JSON."""
    return json.dumps({"type": "password", "secretData": json.dumps(secret), "credentialData": json.dumps(data)})


def of_keycloak(algorithm: str, *, salt: str = "", value: str = "", iterations: float = 1, **more: object) -> str:
    """A credential of an algorithm."""
    return keycloak({"salt": salt, "value": value}, {"algorithm": algorithm, "hashIterations": iterations, **more})


ARGON2_X: Final = {"version": ["1.3"], "type": ["x"], "memory": ["64"], "parallelism": ["1"]}
KEYCLOAK: Final = [
    # From an article on importing into Keycloak 9 (dev.to/oskarspakers).
    (
        "admin",
        keycloak(
            {"salt": "x/bm4Y3DcuV9eU97ervkPA==", "value": "1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4="},
            {"hashIterations": 27500, "algorithm": "pbkdf2-sha256"},
        ),
    ),
    # Those of passlib, as Keycloak would write them.
    (
        "password",
        keycloak(
            {"salt": "OB+dtnSEXZK8U5cgxU/GYQ==", "value": "y5LKPOplRmok7CZp/aqVDVg8zGI="},
            {"hashIterations": 1212, "algorithm": "pbkdf2", "additionalParameters": {}},
        ),
    ),
    (
        "password",
        keycloak(
            {"salt": "c29tZXNhbHQ=", "value": "GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo="},
            {
                "hashIterations": 2,
                "algorithm": "argon2",
                "additionalParameters": {
                    "hashLength": ["32"],
                    "memory": ["65536"],
                    "type": ["id"],
                    "version": ["1.3"],
                    "parallelism": ["4"],
                },
            },
        ),
    ),
]
VECTORS: Final = [*PASSLIB, *ORY, *DJANGO, *KEYCLOAK]


@pytest.mark.parametrize(("password", "text"), VECTORS)
def test_other_peoples_vectors(password: str, text: str) -> None:
    """The password fits and another does not; what is stored reads as the same hash."""
    found = accept(text)
    assert found.fits(password.encode())
    assert not found.fits(f"{password}.".encode()[-72:])
    assert read(str(found)) == found
    assert str(read(str(found))) == str(found)


@pytest.mark.parametrize(("password", "text"), VECTORS)
def test_a_lookalike_costs_the_same_and_fits_nothing(password: str, text: str) -> None:
    """Equal but for salt and digest, which have the lengths of the original."""
    found = read(text)
    like = found.lookalike()
    assert not like.fits(password.encode())
    assert (like.kind, len(str(like))) == (found.kind, len(str(found)))
    assert read(str(like)) == like
    head = str(found).rpartition("$")[0].rpartition("$")[0]
    assert str(like).startswith(head)


@pytest.mark.parametrize(
    ("text", "rule", "said"),
    [
        ("", "UNKNOWN_FORMAT", "no hash"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "UNKNOWN_FORMAT", "no hash"),
        ("sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8", "UNKNOWN_FORMAT", "no hash"),
        ("{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a", "MALFORMED", "Keycloak"),
        ("{}", "MALFORMED", "Keycloak"),
        ("[" * 2000, "UNKNOWN_FORMAT", "no hash"),
        ('{"secretData":' * 140, "MALFORMED", "Keycloak"),
        ("$2x$12$EXRkfkdmXnagzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q", "MALFORMED", "bcrypt"),
        ("$2a$12$EXRkfkdmXn!gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q", "MALFORMED", "bcrypt"),
        ("$2a$6$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", "MALFORMED", "bcrypt"),
        ("$2b$03$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe", "MALFORMED", "bcrypt"),
        ("$2b$15$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe", "TOO_COSTLY", "a cost of 15"),
        ("$2b$31$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe", "TOO_COSTLY", "a cost of 31"),
        ("$bcrypt-sha256$v=2,t=2b,r=15$E/e/2AOhqM5W/KJTFQzLce$WFPIZKtDDTriqWwlmRFfHiOTeheAZWe", "TOO_COSTLY", "15"),
        ("$bcrypt-sha256$v=2,t=2b,r=99$E/e/2AOhqM5W/KJTFQzLce$WFPIZKtDDTriqWwlmRFfHiOTeheAZWe", "MALFORMED", "bcrypt"),
        ("$argon2qq$v=19$m=64,t=2,p=4$c29tZXNhbHQ$QWLzI4TY9HkL2ZTLc8g6SinwdhZewYrzz9zxCo0bkGY", "MALFORMED", "argon2"),
        ("$argon2i$v=19$t=2,p=4$c29tZXNhbHQ$QWLzI4TY9HkL2ZTLc8g6SinwdhZewYrzz9zxCo0bkGY", "MALFORMED", "argon2"),
        ("$argon2i$v=19$m=31,t=2,p=4$c29tZXNhbHQ$QWLzI4TY9HkL2ZTLc8g6SinwdhZewYrzz9zxCo0bkGY", "MALFORMED", "argon2"),
        ("$argon2i$v=19$m=256,t=1,p=1$c29tZXNh$AJFIsNZTMKTAewB4+ETN1A", "MALFORMED", "argon2"),
        ("$argon2i$v=19$m=256,t=1,p=1$c29tZXNhbHQ$AJFIsNZTMKTAewB4", "TOO_SHORT", "16 bytes"),
        ("$argon2id$v=19$m=2097152,t=1,p=4$c29tZXNhbHQ$AJFIsNZTMKTAewB4+ETN1A", "TOO_COSTLY", "2048 MiB"),
        ("$argon2id$v=19$m=262144,t=5,p=4$c29tZXNhbHQ$AJFIsNZTMKTAewB4+ETN1A", "TOO_COSTLY", "1280 MiB"),
        ("$argon2id$v=19$m=1024,t=1,p=17$c29tZXNhbHQ$AJFIsNZTMKTAewB4+ETN1A", "TOO_COSTLY", "17 lanes"),
        ("$scrypt$ln=0,r=1,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI", "MALFORMED", "scrypt"),
        ("$scrypt$ln=10,r=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI", "MALFORMED", "scrypt"),
        ("$scrypt$ln=16385,r=8,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI", "MALFORMED", "scrypt"),
        ("$scrypt$ln=20,r=8,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI", "TOO_COSTLY", "1024 MiB"),
        ("$scrypt$ln=63,r=8,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI", "TOO_COSTLY", "MiB"),
        ("$scrypt$ln=10,r=8,p=1$$d9ZXYjhleyA7Gc", "TOO_SHORT", "16 bytes"),
        ("pbkdf2_sha256$2000001$salt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=", "TOO_COSTLY", "2000001 iterations"),
        ("pbkdf2_sha256$0$salt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=", "MALFORMED", "iterations"),
        ("pbkdf2_md5$1000$salt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=", "MALFORMED", "PBKDF2"),
        ("$pbkdf2-sha256$01212$c2FsdA$WyaUoqCLgvz97s523nF4iuOqZNbp5Nt8do/cuaa7AiI", "MALFORMED", "PBKDF2"),
        ("$pbkdf2-sha256$1212$c2FsdA$WyaUoqCL", "TOO_SHORT", "16 bytes"),
        (of_keycloak("pbkdf2-sha256", salt="c2FsdA==", value="AAAA"), "TOO_SHORT", "16"),
        (of_keycloak("sha512"), "UNKNOWN_FORMAT", "no hash"),
        (of_keycloak("pbkdf2-md5"), "MALFORMED", "PBKDF2"),
        (of_keycloak("pbkdf2", iterations=1e999), "MALFORMED", "PBKDF2"),
        (of_keycloak("pbkdf2", iterations=10**300), "MALFORMED", "PBKDF2"),
        (of_keycloak("argon2"), "MALFORMED", "Keycloak"),
        (of_keycloak("argon2", additionalParameters={"version": ["1.3"], "type": ["x"]}), "MALFORMED", "Keycloak"),
        (of_keycloak("argon2", additionalParameters=ARGON2_X), "MALFORMED", "argon2"),
        ("$2b$12$" + "x" * 2048, "MALFORMED", "2048"),
    ],
)
def test_what_is_refused_says_why(text: str, rule: str, said: str) -> None:
    """By a rule that programs can go by, and without the hash."""
    with pytest.raises(PasswordHashRefusedError) as refused:
        accept(text, field="users[3].password_hash")
    assert refused.value.metadata == {"field": "users[3].password_hash", "rule": rule}
    assert said in refused.value.message
    assert len(text) < 16 or text[-16:] not in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "$2b$14$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe",
        "$argon2id$v=19$m=262144,t=4,p=1$c29tZXNhbHQ$AJFIsNZTMKTAewB4+ETN1A",
        "$scrypt$ln=18,r=8,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI",
        "pbkdf2_sha512$2000000$salt$" + "A" * 86 + "==",
    ],
)
def test_the_costliest_that_is_taken_takes_seconds_at_most(text: str) -> None:
    """CPU time: what others do on the machine does not count."""
    found = accept(text)
    before = time.process_time()
    assert not found.fits(b"password")
    assert time.process_time() - before < 10


def test_only_the_first_block_of_pbkdf2_is_computed() -> None:
    """64 bytes of SHA-1 are four blocks, each as costly as the first."""
    found = accept(f"pbkdf2_sha1$1000$salt${'A' * 86}==")
    assert isinstance(found, Pbkdf2)
    assert len(found.digest) == 20


@pytest.mark.parametrize(("log_n", "r", "p"), [(1, 1 << 18, 1), (2, 1 << 13, 16), (14, 8, 1)])
def test_what_scrypt_takes_over_it_can_check(log_n: int, r: int, p: int) -> None:
    """With as much memory as OpenSSL counts, whichever way the costs are put together."""
    text = f"$scrypt$ln={log_n},r={r},p={p}$c2FsdA$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI"
    assert not accept(text).fits(b"anything")


def test_only_the_first_block_of_scrypt_is_computed() -> None:
    """512 bytes are 16 blocks, each of which goes through all that was mixed."""
    long = hashlib.scrypt(b"otters", salt=b"salt", n=2, r=8, p=1, dklen=512)
    found = accept(f"scrypt:2:8:1$salt${long.hex()}")
    assert isinstance(found, Scrypt)
    assert len(found.digest) == 32
    assert found.fits(b"otters")
    assert not found.fits(b"otter")


def test_bare_bcrypt_does_not_cover_long_passwords() -> None:
    """72 bytes, not characters; the prehashed kinds and the others cover all."""
    bare = read("$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6")
    assert bare.reach == 72
    others = [text for _, text in VECTORS if not text.removeprefix("bcrypt$").startswith("$2")]
    assert {read(text).reach for text in others} == {None}


@given(st.text(alphabet='$argon2idbcyps,=v-19mtp_xhs 04{}:"/+.ä\n', max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """By its own error, whatever it is."""
    try:
        found = read(text)
    except UnreadableHashError:
        return
    assert read(str(found)) == found


def test_argon2_reads_back_what_argon2_cffi_writes() -> None:
    """Argus's own hashes go the same way."""
    found = read("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43)
    assert isinstance(found, Argon2)
    assert str(found) == "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
