"""A service that verifies by itself, as a process of its own: a token a line, a verdict a line.

Arguments: gRPC address, HTTP address, issuer, tenant, client, its secret, bound in seconds, seconds that the server's
time of day is ahead. Says "ready" once its news are fresh.
"""

import asyncio
import sys
import time
from datetime import timedelta

from argus.sdk import (
    ClientTokens,
    FeedTimes,
    Fetcher,
    OfflineVerifier,
    RemoteKeySet,
    RevocationFeed,
    TokenRefusedError,
    VerifierUnavailableError,
    open_channel,
)


async def main() -> None:
    """Answers until its input ends."""
    address, http_url, issuer, tenant_id, client_id, secret, bound, ahead = sys.argv[1:]
    bare = open_channel(address)
    tokens = ClientTokens(bare, tenant_id=tenant_id, client_id=client_id, client_secret=secret)
    feed = RevocationFeed(
        lambda: open_channel(address, tokens=tokens),
        tenant_id=tenant_id,
        times=FeedTimes(bound=timedelta(seconds=float(bound))),
    )
    keys = RemoteKeySet(f"{http_url}/t/{tenant_id}/.well-known/jwks.json", fetcher=Fetcher(allow_loopback=True))
    verifier = OfflineVerifier(
        issuer=issuer,
        audience="https://documents.example.com",
        keys=keys,
        standing=feed,
        now=lambda: time.time() + float(ahead),
    )
    async with feed, verifier:
        await feed.warm()
        answer("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            answer(await verdict(verifier, line.strip()))
    await bare.close()


async def verdict(verifier: OfflineVerifier, token: str) -> str:
    """What becomes of a token."""
    try:
        verified = await verifier.verify(token)
    except TokenRefusedError as error:
        return f"refused {error.reason} {error.fault}".strip()
    except VerifierUnavailableError:
        return "unavailable"
    return f"good {verified.staleness}"


def answer(text: str) -> None:
    """Says a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
