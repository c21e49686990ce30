"""Nothing secret is written down: a run of everything, and a search of all that it left behind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from google.protobuf import message_factory
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from argus.server.api import Api, Failure
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import options_pb2  # noqa: F401 (registers the option before descriptors are read)
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.dpop import proof_of
from tests.support.logs import captured_logs
from tests.support.stack import Stack
from tests.support.wire import ALL_RPCS
from tests.support.world import World, make_world
from tests.support.world_requests import CONTEXT, NEW_PASSWORD, PASSWORD

WRONG_PASSWORD: Final = "canary-wrong-password-5c1f"
SHORT_PASSWORD: Final = "canary-7a"
PASTED_TOKEN: Final = "canary-token-that-somebody-pasted-in-the-wrong-place-91"
CANARIES: Final = (PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, SHORT_PASSWORD, PASTED_TOKEN)
_TABLES: Final = (
    *("audit_events", "outbox", "requests", "users", "devices", "sessions", "clients", "credentials"),
    *("mails", "account_requests", "account_links", "email_codes"),
)
HASH: Final = "$argon2id$"


@dataclass
class Findings:
    """Everything that a run left behind, by place."""

    secrets: set[str] = field(default_factory=lambda: set(CANARIES))
    places: dict[str, list[str]] = field(default_factory=dict)

    def keep(self, place: str, text: object) -> None:
        """Remembers a text for the search."""
        self.places.setdefault(place, []).append(str(text))

    def learn(self, message: Message) -> None:
        """Takes up every field that the API itself calls secret (debug_redact), at any depth."""
        for one, value in message.ListFields():
            if one.GetOptions().debug_redact and isinstance(value, str):
                # The last part of a token is its secret or its signature; those before it are ids and public claims.
                self.secrets |= {value, value.rpartition(".")[2]} - {""}
            elif one.message_type is not None and not one.message_type.GetOptions().map_entry:
                for inner in value if one.is_repeated else [value]:
                    self.learn(inner)

    def found(self) -> set[tuple[str, str]]:
        """Which secret is in which place."""
        return {
            (place, secret)
            for place, texts in self.places.items()
            for secret in self.secrets
            if any(secret in text for text in texts)
        }


async def run_everything(stack: Stack, findings: Findings) -> None:
    """Every RPC with success, with wrong secrets and with secrets in places where they don't belong."""
    api = await stack.new_tenant()
    findings.secrets |= {await api.token(), api._secret}
    world = await _world(api, findings, stack)
    authorization = f"Bearer {await api.token()}"
    for request in _guesses(world):
        rpc = next(one for one in ALL_RPCS if one.method.input_type.full_name == request.DESCRIPTOR.full_name)
        await _call(stack, findings, rpc.path, request, authorization)
    # Deleting ones last, so that the others have something to do.
    for rpc in sorted(ALL_RPCS, key=lambda one: one.name.startswith(("Delete", "Revoke", "Terminate", "Disable"))):
        await _call(stack, findings, rpc.path, world.request(rpc.name), authorization)
        await _call(stack, findings, rpc.path, world.request(rpc.name), f"Bearer {PASTED_TOKEN}")
        for spoilt in _with_secrets_in_names(world.request(rpc.name)):
            await _call(stack, findings, rpc.path, spoilt, authorization)


async def _world(api: Api, findings: Findings, stack: Stack) -> World:
    world = await make_world(api)
    findings.secrets |= {
        world.login_token,
        world.device_token,
        world.device_token.rpartition(".")[2],
        world.client_secret,
        world.access_token,
        world.access_token.rpartition(".")[2],
        world.refresh_token,
        world.refresh_token.rpartition(".")[2],
    }
    findings.secrets.add(stack.private.settings.key_encryption_key.get_secret_value())
    return world


async def _call(stack: Stack, findings: Findings, path: str, request: Message, authorization: str) -> None:
    findings.learn(request)
    answer = await stack.wire.call(path, request, authorization=authorization)
    if isinstance(answer, Failure):
        findings.keep("error details", answer)
        return
    rpc = next(one for one in ALL_RPCS if one.path == path)
    response = _response(rpc, answer)
    findings.learn(response)


def _response(rpc: Any, encoded: bytes) -> Message:
    made: Message = message_factory.GetMessageClass(rpc.method.output_type).FromString(encoded)
    return made


def _guesses(world: World) -> list[Message]:
    return [
        authentication.SubmitFactorRequest(
            parent=world.tenant, login_token=world.login_token, password=WRONG_PASSWORD, client_context=CONTEXT
        ),
        authentication.SubmitFactorRequest(parent=world.tenant, login_token=PASTED_TOKEN, password=WRONG_PASSWORD),
        authentication.StartLoginRequest(
            parent=world.tenant, identifier="owner@example.com", device_token=PASTED_TOKEN
        ),
        credentials.SetPasswordRequest(parent=world.user, password=SHORT_PASSWORD),
        credentials.SetPasswordRequest(parent=world.user, password=WRONG_PASSWORD + "\0"),
        users.CreateUserRequest(parent=world.tenant, password=SHORT_PASSWORD),
        tokens.IssueClientTokenRequest(parent=world.tenant, client_id="reader", client_secret=PASTED_TOKEN),
        tokens.VerifyAccessTokenRequest(access_token=PASTED_TOKEN),
        tokens.VerifyAccessTokenRequest(access_token=world.refresh_token),
        tokens.RefreshTokenRequest(refresh_token=world.access_token),
        tokens.RefreshTokenRequest(refresh_token=world.refresh_token, proof=_proof()),
        tokens.VerifyAccessTokenRequest(access_token=world.access_token, proof=_proof()),
        authentication.SubmitFactorRequest(
            parent=world.tenant, login_token=world.login_token, password=WRONG_PASSWORD, proof=_proof()
        ),
        tokens.RefreshTokenRequest(refresh_token=world.refresh_token[:-4] + "AAAA"),
        tokens.IntrospectTokenRequest(token=PASTED_TOKEN),
        tokens.RevokeTokenRequest(token=PASTED_TOKEN),
    ]


def _proof() -> types.Proof:
    return proof_of(f"{PASTED_TOKEN}.{PASTED_TOKEN}.{PASTED_TOKEN}")


def _with_secrets_in_names(request: Message) -> Iterator[Message]:
    """The request with a secret in each of its plain texts, as people paste them."""
    for one in request.DESCRIPTOR.fields:
        is_text = one.type == one.TYPE_STRING and not one.is_repeated and not one.GetOptions().debug_redact
        if is_text and one.name not in ("identifier", "comment", "reason"):
            spoilt = type(request).FromString(request.SerializeToString())
            setattr(spoilt, one.name, PASTED_TOKEN + "/")
            yield spoilt


async def _left_behind(stack: Stack, findings: Findings, log: str) -> None:
    findings.keep("log", log)
    async with httpx.AsyncClient() as http:
        findings.keep("metrics", (await http.get(f"{stack.server.admin_url}/metrics")).text)
    await stack.argus.effects.flush()
    for table in _TABLES:
        rows = await stack.argus.db.fetch_all(f"SELECT row_to_json(t)::text AS row FROM {table} t")
        findings.keep(table, [row["row"] for row in rows])


async def test_nothing_secret_is_left_behind(stack: Stack) -> None:
    """Logs at debug level, metrics, audit, outbox and other tables, and what callers are told."""
    findings = Findings()
    with captured_logs(redact=True) as log:
        await run_everything(stack, findings)
        await _break_a_password(stack, findings)
    await _left_behind(stack, findings, log.getvalue())
    assert len(log.getvalue().splitlines()) > len(ALL_RPCS)
    assert len(findings.secrets) > 20
    assert findings.found() == set()
    assert HASH not in log.getvalue()


async def test_the_search_finds_what_is_not_redacted(stack: Stack) -> None:
    """With redaction switched off, the same search finds the secret that a defect of the database tells."""
    findings = Findings()
    findings.secrets.add(HASH)
    with captured_logs(redact=False) as log:
        await _break_a_password(stack, findings)
    findings.keep("log", log.getvalue())
    assert ("log", HASH) in findings.found()


async def _break_a_password(stack: Stack, findings: Findings) -> None:
    """PostgreSQL tells the whole row where it breaks a rule: the password's hash is in the error's text."""
    api = await stack.new_tenant()
    identifier = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value="canary")
    user = await api.users.CreateUser(
        users.CreateUserRequest(parent=api.parent, user=users.User(identifiers=[identifier]))
    )
    request = credentials.SetPasswordRequest(parent=user.user.name, password=PASSWORD)
    async with stack.argus.db.transaction() as tx:
        await tx.execute("ALTER TABLE credentials ADD CONSTRAINT broken CHECK (kind = 'none') NOT VALID")
    try:
        path = "/argus.v1.CredentialService/SetPassword"
        answer = await stack.wire.call(path, request, authorization=f"Bearer {await api.token()}")
    finally:
        async with stack.argus.db.transaction() as tx:
            await tx.execute("ALTER TABLE credentials DROP CONSTRAINT broken")
    assert isinstance(answer, Failure)
    assert answer.reason == "INTERNAL", MessageToDict(request)
    assert HASH not in str(answer)
    findings.keep("error details", answer)
