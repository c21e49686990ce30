"""Channels to Argus, and to services that are called with a token."""

from typing import Final

import grpc

from argus.base.listen import is_loopback, split_address
from argus.sdk.loop import LoopThread
from argus.sdk.tokens.interceptors import client_interceptors
from argus.sdk.tokens.renewal import TokenSource
from argus.sdk.tokens.sync_interceptors import sync_client_interceptors

__all__ = ["open_channel", "open_sync_channel"]

# Left alone, grpc gives the connection of a channel that was closed to the next one: also one that is dead.
_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1),)


def open_channel(
    address: str, *, tokens: TokenSource | None = None, credentials: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """A channel of one's own; connects at the first call.

    Args:
        address: Host and port.
        tokens: Puts a token on every call.
        credentials: How to speak TLS; None: trusting what grpc trusts, and no TLS to this machine itself.

    Raises:
        ValueError: It is no address.
    """
    interceptors = client_interceptors(tokens) if tokens else []
    if (trusting := _credentials(address, credentials)) is None:
        return grpc.aio.insecure_channel(address, interceptors=interceptors, options=_OPTIONS)
    return grpc.aio.secure_channel(address, trusting, interceptors=interceptors, options=_OPTIONS)


def open_sync_channel(
    address: str,
    loop: LoopThread,
    *,
    tokens: TokenSource | None = None,
    credentials: grpc.ChannelCredentials | None = None,
) -> grpc.Channel:
    """The same for threads: a channel of grpc, whose tokens live on a `LoopThread`.

    Args:
        address: Host and port.
        loop: Where the tokens live.
        tokens: Puts a token on every call.
        credentials: How to speak TLS; None: trusting what grpc trusts, and no TLS to this machine itself.

    Raises:
        ValueError: It is no address.
    """
    trusting = _credentials(address, credentials)
    if trusting is None:
        channel = grpc.insecure_channel(address, options=_OPTIONS)
    else:
        channel = grpc.secure_channel(address, trusting, options=_OPTIONS)
    return grpc.intercept_channel(channel, *sync_client_interceptors(tokens, loop)) if tokens else channel


def _credentials(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.ChannelCredentials | None:
    host, _ = split_address(address)
    if credentials is None and is_loopback(host):
        return None
    return credentials or grpc.ssl_channel_credentials()
