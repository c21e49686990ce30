"""The HTTP listeners: health, readiness, metrics."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.stack import Stack


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the public listener."""
    async with httpx.AsyncClient(base_url=stack.server.http_url) as client:
        yield client


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the admin listener."""
    async with httpx.AsyncClient(base_url=stack.server.admin_url) as client:
        yield client


async def test_live_and_ready(http: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    """Both listeners answer both questions."""
    for client in (http, admin):
        assert (await client.get("/healthz")).text == "ok\n"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "faults": {}})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/t/no-such-tenant/.well-known/jwks.json", 404),
        ("GET", "/t/%2e%2e/.well-known/jwks.json", 404),
        ("GET", "/t/A'--/.well-known/jwks.json", 404),
        ("GET", "/t/no-such-tenant/.well-known/openid-configuration", 404),
        ("HEAD", "/t/no-such-tenant/.well-known/openid-configuration", 404),
        ("GET", "/.well-known/oauth-authorization-server/t/no-such-tenant", 404),
        ("GET", "/.well-known/oauth-authorization-server", 404),
        ("POST", "/t/no-such-tenant/.well-known/jwks.json", 405),
        ("GET", "/metrics", 404),
        ("GET", "/", 404),
        ("POST", "/healthz", 405),
    ],
)
async def test_what_is_not_there(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """Small answers that say nothing; metrics are not for everybody."""
    answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert method == "HEAD" or set(answer.json()) == {"error"}


async def test_nobody_is_led_elsewhere(http: httpx.AsyncClient, admin: httpx.AsyncClient, stack: Stack) -> None:
    """A path with one slash more or less is not there: a redirect would lead to whatever host a request names."""
    api = await stack.new_tenant()
    paths = (
        "/healthz",
        "/readyz",
        f"/t/{api.tenant_id}/.well-known/jwks.json",
        f"/t/{api.tenant_id}/.well-known/openid-configuration",
        f"/.well-known/oauth-authorization-server/t/{api.tenant_id}",
    )
    for path in paths:
        for odd in (f"{path}/", f"/{path}"):
            answer = await http.get(f"{stack.server.http_url}{odd}", headers={"host": "evil.example"})
            assert (answer.status_code, answer.headers.get("location")) == (404, None), odd
    for path in ("/healthz/", "/metrics/"):
        assert (await admin.get(path)).status_code == 404


async def test_headers_of_every_answer(http: httpx.AsyncClient) -> None:
    """Nothing to guess, frame, cache or learn about the server; the request id comes back."""
    for path in ("/healthz", "/nothing"):
        answer = await http.get(path, headers={"x-request-id": "trace-1"})
        assert answer.headers["x-request-id"] == "trace-1"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
        assert "server" not in answer.headers
    odd = await http.get("/healthz", headers={"x-request-id": "not one"})
    assert odd.headers["x-request-id"] != "not one"


async def test_what_alerts_are_written_for_is_there_from_the_start(admin: httpx.AsyncClient) -> None:
    """A rate can't be taken of a series that begins with its first event."""
    text = (await admin.get("/metrics")).text
    verdicts = (
        *("rotated", "repeated", "current", "held", "missing", "stale", "user_missing", "newer_family", "ended"),
        *("idle_timeout", "absolute_timeout", "user_disabled", "not_before", "proof_required", "older_family"),
        *("contested", "print_changed", "answer_late", "replayed", "replayed_ended"),
    )
    series = (
        *(f'rotation_verdicts_total{{verdict="{verdict}"}}' for verdict in verdicts),
        *(f'rotation_adoptions_total{{explained="{explained}"}}' for explained in ("true", "false")),
        *(f'alarms_total{{kind="{kind}"}}' for kind in ("key_compromise_suspected", "generation_unexplained")),
    )
    for one in series:
        assert f"\nargus_engine_{one} " in text, one
    assert text.count("\nargus_engine_rotation_verdicts_total{") == len(verdicts)
    assert "# HELP argus_engine_rotation_verdicts_total Verdicts on refresh tokens" in text


async def test_metrics_count_calls_by_method_and_reason(admin: httpx.AsyncClient, stack: Stack) -> None:
    """One counter a method, code and reason; a histogram a method; the engine's own counters."""
    await stack.new_world()
    await stack.wire.call("/argus.v1.UserService/GetUser", b"")
    await stack.wire.call("/argus.v1.UserService/Nothing", b"")
    text = (await admin.get("/metrics")).text
    refused = 'argus_rpc_handled_total{code="UNAUTHENTICATED",method="/argus.v1.UserService/GetUser",'
    assert refused + 'reason="CALLER_UNAUTHENTICATED"}' in text
    assert 'argus_rpc_handled_total{code="OK",method="/argus.v1.UserService/CreateUser",reason=""}' in text
    assert 'argus_rpc_duration_seconds_count{method="/argus.v1.UserService/CreateUser"}' in text
    assert 'method="other"' in text
    assert "UserService/Nothing" not in text
    assert "argus_effects_queued" in text
