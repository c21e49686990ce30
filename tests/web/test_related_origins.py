"""What browsers are told of who may use a tenant's passkeys."""

import httpx

from tests.support.passkeys import set_rules
from tests.support.stack import Stack

ORIGINS = ["https://acme.example", "https://acme.de", "android:apk-key-hash:" + "x" * 43]


async def test_the_origins_of_the_rules_are_told_to_browsers(stack: Stack) -> None:
    """WebAuthn Level 3, 5.11; without a word of the tenant the base URL's own."""
    api, other = await stack.new_tenant(), await stack.new_tenant()
    await set_rules(api, rp_id="acme.example", origins=ORIGINS)
    async with httpx.AsyncClient(base_url=stack.server.http_url) as http:
        told = await http.get(f"/t/{api.tenant_id}/.well-known/webauthn")
        assert told.headers["content-type"] == "application/json"
        assert told.headers["cache-control"].startswith("public, max-age=")
        assert told.json() == {"origins": ORIGINS[:2]}
        of_other = (await http.get(f"/t/{other.tenant_id}/.well-known/webauthn")).json()
        assert not set(of_other["origins"]) & set(ORIGINS)
        for nobody in ("nobody-there", "-", "UPPER"):
            assert (await http.get(f"/t/{nobody}/.well-known/webauthn")).status_code == 404
