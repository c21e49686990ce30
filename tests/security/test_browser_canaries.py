"""Nothing that a cookie holds is written down, and no answer tells it but by `Set-Cookie`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from tests.support.browsers import Browser
from tests.support.logs import captured_logs
from tests.support.people import PASSWORD, new_person

if TYPE_CHECKING:
    from tests.support.stack import Stack

WRONG: Final = "canary-wrong-password-that-nobody-has"
PASTED: Final = "canary-secret-that-somebody-pasted-in-the-wrong-place"


async def walk(browser: Browser, identifier: str, secrets: set[str]) -> list[str]:
    """Every endpoint with success, with wrong secrets, and with secrets where they do not belong; what was answered."""
    told: list[str] = []
    everything: list[tuple[str, dict[str, object] | None]] = [
        ("/sign-in", {"identifier": identifier}),
        ("/factor", {"password": WRONG}),
        ("/factor", {"passwort": PASTED}),
        ("/factor", {"password": PASSWORD}),
        ("/refresh", {}),
        ("/refresh", {"attempt_id": PASTED * 3}),
        ("/refresh", {PASTED: True}),
        ("/step-up", {"acr_values": [PASTED]}),
        ("/step-up", {}),
        ("/enrolment", {"kind": "totp"}),
        ("/cancel", {}),
        ("/sign-out", {}),
        ("/refresh", {}),
    ]
    for path, body in everything:
        answer = await browser.ask(path, body)
        secrets |= set(browser.jar.values())
        told.append(answer.text)
    for name, value in (("dpop", PASTED), ("origin", f"https://{PASTED}.example"), ("x-request-id", PASTED * 2)):
        told.append((await browser.send("/refresh", {}, headers={name: value})).text)
    browser.jar.update({browser.name(kind): f"{PASTED}.{PASTED}" for kind in ("rt", "at", "login", "device")})
    planted: dict[str, dict[str, str]] = {
        "/refresh": {},
        "/step-up": {},
        "/factor": {"password": WRONG},
        "/sign-out": {},
    }
    return told + [(await browser.send(path, body)).text for path, body in planted.items()]


async def test_nothing_secret_is_left_behind(stack: Stack) -> None:
    """Logs at debug level, audit rows, and the bodies of answers."""
    api = await stack.new_tenant()
    person = await new_person(api)
    secrets = {PASSWORD, WRONG, PASTED}
    async with httpx.AsyncClient(timeout=30) as http:
        with captured_logs(redact=True) as log:
            told = await walk(Browser(stack, api.tenant_id, http=http), person.identifier, secrets)
            await stack.argus.effects.flush()
    # The last part of a token is its secret, or its signature.
    secrets |= {one.rpartition(".")[2] for one in secrets}
    assert len(secrets) > 10
    rows = await stack.argus.db.fetch_all(
        "SELECT row_to_json(t)::text AS row FROM audit_events t WHERE tenant_id = %s", (api.tenant_id,)
    )
    places = {"log": log.getvalue(), "audit": "\n".join(row["row"] for row in rows), "answers": "\n".join(told)}
    assert "factor.refused" in places["audit"]
    found = {(place, one) for place, text in places.items() for one in secrets if one in text}
    assert found == set()
