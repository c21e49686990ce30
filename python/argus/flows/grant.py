"""What of a client's scopes and resources a session or token gets."""

from collections.abc import Sequence

from argus.base.errors import InvalidFieldError
from argus.clients.model import Client


def granted_scope(client: Client, asked: Sequence[str], *, field: str = "scope") -> str:
    """The asked scopes, space-separated.

    Raises:
        InvalidFieldError: The client does not have one of them.
    """
    if not set(asked) <= set(client.scopes):
        # Not which: people paste tokens into the wrong field, and errors end up in logs.
        raise InvalidFieldError(field, f"names a scope that the client {client.client_id} does not have")
    return " ".join(asked)


def granted_resource(client: Client, asked: str, *, issuer: str, field: str = "resource") -> str:
    """The asked resource, or the one that the client is registered with.

    Raises:
        InvalidFieldError: It is Argus itself, which takes client tokens only.
    """
    if asked.rstrip("/") == issuer:
        raise InvalidFieldError(field, "must not be the issuer")
    return asked or client.resource
