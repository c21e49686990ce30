"""The addresses of users, for what was kept of somebody who was no user yet."""

from typing import Final, LiteralString

ADDRESSES_OF_USER: Final[LiteralString] = (
    "(SELECT unnest(ARRAY[lower(value), canonical]) FROM identifiers WHERE tenant_id = %s AND user_id = %s)"
)
"""As they were typed, and as they are compared; in lower case."""
