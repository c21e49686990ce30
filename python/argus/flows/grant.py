"""What of a client's scopes and resources a session or token gets."""

from collections.abc import Sequence

from argus.base.errors import InvalidFieldError
from argus.clients.model import Client
from argus.clients.scopes import argus_scopes


def granted_scope(client: Client, asked: Sequence[str], *, field: str = "scope") -> str:
    """The asked scopes, space-separated.

    Raises:
        InvalidFieldError: The client does not have one of them.
    """
    if not set(asked) <= set(client.scopes):
        # Not which: people paste tokens into the wrong field, and errors end up in logs.
        raise InvalidFieldError(field, f"names a scope that the client {client.client_id} does not have")
    return " ".join(asked)


def user_scope(client: Client, asked: Sequence[str], *, field: str = "scope") -> str:
    """The asked scopes for tokens of a user: those of the application; powers over Argus are the client's own.

    Raises:
        InvalidFieldError: The client does not have one of them, or it is one of Argus's own.
    """
    if not argus_scopes().isdisjoint(asked):
        raise InvalidFieldError(field, "names a scope of Argus's own, which only client tokens hold")
    return granted_scope(client, asked, field=field)


def user_scopes(client: Client) -> list[str]:
    """All scopes of a client that tokens of its users can hold."""
    return [scope for scope in client.scopes if scope not in argus_scopes()]


def granted_resource(client: Client, asked: str, *, issuer: str, field: str = "resource") -> str:
    """The asked resource, or the one that the client is registered with.

    Raises:
        InvalidFieldError: It is Argus itself, which takes client tokens only.
    """
    if asked.rstrip("/") == issuer:
        raise InvalidFieldError(field, "must not be the issuer")
    return asked or client.resource
