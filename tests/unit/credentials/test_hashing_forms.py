"""A password that may have been hashed in two forms costs the same whichever of them fits, and where none does."""

import pytest

from argus.credentials.foreign.formats import read
from argus.credentials.foreign.kinds import Pbkdf2
from argus.credentials.hashing import HashingPool

COMPOSED, APART = "Zo\u00eb".encode(), "Zoe\u0308".encode()


@pytest.mark.parametrize("right", [COMPOSED, APART, b"another"])
async def test_every_form_is_computed_whichever_fits(right: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time would tell a right guess at a password that is closed, or of a disabled user."""
    seen: list[bytes] = []

    def fits(_hashed: Pbkdf2, password: bytes) -> bool:
        seen.append(password)
        return password == right

    monkeypatch.setattr(Pbkdf2, "fits", fits)
    hashed = read("$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI")
    pool = HashingPool(memory_kib=64, passes=1, lanes=1, workers=1, queue=1)
    try:
        assert await pool.verify(hashed, [COMPOSED, APART]) is (right in {COMPOSED, APART})
    finally:
        pool.close()
    assert seen == [COMPOSED, APART]
