"""What goes to PostgreSQL in columns is there as it was."""

from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.storage.columns import columns
from argus.storage.embedded import StoreUrls

_TIMES = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001
_ROWS = st.tuples(
    # PostgreSQL has no NUL in texts, and says so.
    st.none()
    | st.sampled_from(("NULL", "", '"', "\\", "{}", ",", " a "))
    | st.text().filter(lambda text: "\0" not in text),
    st.none() | st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.none() | st.booleans(),
    st.none() | _TIMES,
    st.none() | st.binary(),
)
_UNNEST = "SELECT * FROM unnest(%s::text[], %s::bigint[], %s::boolean[], %s::timestamptz[], %s::bytea[])"


def test_every_row_comes_back_as_it_was(stores: StoreUrls) -> None:
    """Quotes, backslashes, braces, the word NULL, and NULL."""
    with psycopg.connect(stores.database, autocommit=True, options="-c timezone=UTC") as connection:

        @given(st.lists(_ROWS, min_size=1))
        def check(rows: list[tuple[object, ...]]) -> None:
            assert connection.execute(_UNNEST, columns(rows)).fetchall() == rows

        check()


def test_what_no_batch_had_so_far_is_refused() -> None:
    """It would be written by guesswork."""
    with pytest.raises(TypeError):
        columns([(Decimal(1),)])
