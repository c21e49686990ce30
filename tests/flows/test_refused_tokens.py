"""Tokens that revocation and step-up refuse are in the audit as those that the engine refuses are."""

import json

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from tests.support.people import new_person
from tests.support.stack import Stack


async def refusals(stack: Stack, tenant_id: str) -> list[tuple[str, int]]:
    """(class, count) of the audit rows of refused tokens."""
    await stack.argus.effects.finish()
    rows = await stack.argus.db.fetch_all(
        "SELECT reason, data FROM audit_events WHERE tenant_id = %s AND type = 'token.refused' ORDER BY time, reason",
        (tenant_id,),
    )
    return [(row["reason"], int((row["data"] or {}).get("count", 0))) for row in rows]


async def test_rfc_7009_a_token_that_is_not_good_is_no_error_and_in_the_audit(stack: Stack) -> None:
    """The client is told nothing of it; those of other tenants look the same."""
    api, other = await stack.new_tenant(), await stack.new_tenant()
    for token in ("x", await other.token()):
        assert await failure_of(api.tokens.RevokeToken(tokens.RevokeTokenRequest(token=token))) is None
    assert await refusals(stack, api.tenant_id) == [("structure", 0), ("tenant", 0)]
    assert not await refusals(stack, other.tenant_id)


async def test_asvs_16_2_1_a_flood_of_step_ups_is_some_rows_and_a_count(stack: Stack) -> None:
    """Each is refused, and each is counted."""
    api = await stack.new_tenant()
    for _ in range(30):
        request = authentication.StartStepUpRequest(parent=api.parent, refresh_token="x.y.z")
        failure = await failure_of(api.authentication.StartStepUp(request))
        assert failure is not None
        assert failure.reason == "TOKEN_INVALID"
    assert await refusals(stack, api.tenant_id) == [("base64", 0)] * 20 + [("base64", 10)]


async def test_a_forged_id_at_a_step_up_wakes_somebody(stack: Stack) -> None:
    """Under a valid signature: somebody else has the key. In the audit, and in the counter that alerts are made of."""
    api = await stack.new_tenant()
    header, payload, _ = (await (await new_person(api)).sign_in()).tokens.refresh_token.split(".")
    (key,) = [one for one in await stack.argus.signing_keys.usable(api.tenant_id) if one.key.use == "refresh"]
    private = load_der_private_key(key.private_key, None)
    assert isinstance(private, Ed25519PrivateKey)
    claims = json.loads(urlsafe_b64decode(payload.encode())) | {"jti": "A" * 22}
    signed = f"{header}.{urlsafe_b64encode(json.dumps(claims, separators=(',', ':')).encode()).decode()}"
    forged = f"{signed}.{urlsafe_b64encode(private.sign(signed.encode())).decode()}"
    before = await counted(stack)
    request = authentication.StartStepUpRequest(parent=api.parent, refresh_token=forged)
    failure = await failure_of(api.authentication.StartStepUp(request))
    assert failure is not None
    assert failure.reason == "TOKEN_INVALID"
    assert await refusals(stack, api.tenant_id) == [("refresh_id", 0)]
    rows = await stack.argus.db.fetch_all(
        "SELECT reason FROM audit_events WHERE tenant_id = %s AND type = 'key.compromise_suspected'", (api.tenant_id,)
    )
    assert rows == [{"reason": "refresh_id"}]
    assert await counted(stack) == before + 1


async def counted(stack: Stack) -> int:
    """How often somebody was to be woken for a key."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{stack.server.admin_url}/metrics")).text
    prefix = 'argus_engine_alarms_total{kind="key_compromise_suspected"} '
    (line,) = [line for line in text.splitlines() if line.startswith(prefix)]
    return int(float(line.removeprefix(prefix)))
