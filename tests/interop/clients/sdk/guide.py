"""Runs the lines of docs/guides/sdk.md, then uses what they made.

Arguments: refresh token, access token, file of the lines. Says what came of it; once a line comes in (the session has
ended), what the token is worth then.
"""

import ast
import asyncio
import inspect
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

PATIENCE_SECONDS = 10


async def run(source: str, refresh_token: str) -> SimpleNamespace:
    """What the lines made: they may await as in `python -m asyncio`, and know the refresh token of a sign-in."""
    names = {"refresh_token": refresh_token, "print": lambda *_: None}
    code = compile(source, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)  # noqa: S307 - the project's own text
    if inspect.isawaitable(result):
        await result
    return SimpleNamespace(**names)


async def ask(app: Any, token: str) -> httpx.Response:
    """The answer of the guarded application."""
    transport = httpx.ASGITransport(app)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url="https://service.example.com") as client:
        return await client.get("/", headers=headers)


async def main(refresh_token: str, token: str, lines: str) -> None:
    """Uses what the lines made."""
    made = await run(lines, refresh_token)
    verified = await made.verifier.verify(token)
    web = await ask(made.app, token)
    say(
        offline=verified.session,
        online=(await made.asking.verify(token)).session,
        is_fresh=verified.staleness.total_seconds() < made.times.bound.total_seconds(),
        web=[web.status_code, web.text],
        threads=(await asyncio.to_thread(made.loop.run, lambda: made.threads_verifier.verify(token))).session,
        without=(await ask(made.app, "")).status_code,
        is_refreshed=await made.session.token() != token,
        is_saved=json.loads(made.file.read_text())[0] != refresh_token,
    )
    await asyncio.to_thread(sys.stdin.readline)
    say(after=await verdict(made, token), web=(await ask(made.app, token)).status_code)
    await asyncio.to_thread(made.loop.__exit__)
    made.threads_channel.close()
    await made.feed.__aexit__()
    await made.session.close()
    await made.own.close()
    for channel in (made.bare, made.argus, made.documents):
        await channel.close()


async def verdict(made: SimpleNamespace, token: str) -> str:
    """Why the token is refused, once it is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            await made.verifier.verify(token)
        except made.TokenRefusedError as error:
            return str(error.reason)
        await asyncio.sleep(0.01)
    return "good"


def say(**facts: object) -> None:
    """A line of JSON."""
    sys.stdout.write(f"{json.dumps(facts)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text()))
