"""Both verifiers give the same verdicts: of what Argus issues, and of what is asked of it."""

import hashlib
from datetime import timedelta

import pytest

from argus.sdk.errors import (
    ProofRequiredError,
    ScopeMissingError,
    StepUpRequiredError,
    TokenRefusedError,
    VerificationError,
    VerifierUnavailableError,
)
from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import RemoteKeySet
from argus.sdk.model import NO_PROOF, Proof, Requirement, Verifier
from argus.sdk.offline.proofs import UsedProofs
from argus.sdk.offline.verifier import OfflineVerifier
from argus.sdk.online import OnlineVerifier
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import types_pb2 as types
from tests.support.dpop import METHOD, URI, DpopClient, certificate
from tests.support.people import PASSWORD, context, new_person
from tests.support.service import Service

ACR = "urn:argus:acr:"


@pytest.fixture(params=["offline", "online"])
def verifier(request: pytest.FixtureRequest, service: Service) -> Verifier:
    return service.verifier() if request.param == "offline" else OnlineVerifier(service.channel)


async def bound(service: Service, proof: types.Proof) -> str:
    """An access token that is bound to the key of a proof."""
    person = await new_person(service.api)
    request = authentication.SubmitFactorRequest(
        parent=service.api.parent,
        login_token=await person.start(),
        password=PASSWORD,
        client_context=context(),
        proof=proof,
    )
    return (await service.api.authentication.SubmitFactor(request)).tokens.access_token


def now(service: Service) -> int:
    return service.stack.private.clock.now_ms() // 1000


async def test_what_is_known_of_a_good_token(service: Service, verifier: Verifier) -> None:
    person = await new_person(service.api)
    signed_in = await person.sign_in()
    found = await verifier.verify(signed_in.tokens.access_token)
    assert found.session == signed_in.session.name
    assert found.session_id == signed_in.session.name.rpartition("/")[2]
    assert (found.issuer, found.tenant_id) == (service.issuer, service.api.tenant_id)
    assert (found.subject, found.client_id) == (person.user_id, service.api.client_id)
    assert found.audience == ("https://documents.example.com",)
    assert found.scopes == set(signed_in.tokens.scope.split())
    assert (found.acr, found.amr) == (f"{ACR}1", ("pwd",))
    assert found.auth_time is not None
    assert found.auth_time.timestamp() == pytest.approx(now(service), abs=60)
    assert timedelta(0) < found.expire_time - found.auth_time <= timedelta(minutes=5)
    assert found.groups == ()


async def test_a_client_token_has_no_session(service: Service, verifier: Verifier) -> None:
    token = await service.client_tokens(resource="https://documents.example.com").token()
    found = await verifier.verify(token)
    assert (found.session, found.session_id, found.acr, found.auth_time) == ("", "", "", None)
    assert found.subject == found.client_id == service.api.client_id
    for asked in (Requirement(acr_values=(f"{ACR}1",)), Requirement(max_age=timedelta(hours=1))):
        with pytest.raises(StepUpRequiredError):
            await verifier.verify(token, asked)


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (Requirement(), None),
        (Requirement(scopes=("documents.read", "documents.write")), None),
        (Requirement(scopes=("documents.read", "documents.burn")), ScopeMissingError),
        (Requirement(acr_values=(f"{ACR}1",)), None),
        (Requirement(acr_values=(f"{ACR}3", f"{ACR}1")), None),
        (Requirement(acr_values=(f"{ACR}2",)), StepUpRequiredError),
        (Requirement(acr_values=("urn:another:1",)), StepUpRequiredError),
        (Requirement(max_age=timedelta(hours=1)), None),
        (Requirement(max_age=timedelta(0)), StepUpRequiredError),
        # A stronger proof of the user is asked for first, as Argus does.
        (Requirement(acr_values=(f"{ACR}2",), scopes=("documents.burn",)), StepUpRequiredError),
    ],
)
async def test_what_is_asked(
    service: Service, verifier: Verifier, asked: Requirement, refused: type[VerificationError] | None
) -> None:
    token = (await (await new_person(service.api)).sign_in()).tokens.access_token
    await service.stack.advance(timedelta(seconds=2))
    if refused is None:
        await verifier.verify(token, asked)
        return
    with pytest.raises(refused) as told:
        await verifier.verify(token, asked)
    if isinstance(told.value, StepUpRequiredError):
        assert (told.value.acr_values, told.value.max_age) == (asked.acr_values, asked.max_age)
    if isinstance(told.value, ScopeMissingError):
        assert told.value.scopes == asked.scopes


async def test_another_tenants_token_and_another_resources_are_refused(service: Service, verifier: Verifier) -> None:
    stranger = (await (await new_person(await service.stack.new_tenant())).sign_in()).tokens.access_token
    elsewhere = await service.client_tokens(resource="").token()
    for token in (stranger, elsewhere):
        with pytest.raises(TokenRefusedError) as told:
            await verifier.verify(token)
        assert told.value.reason == "TOKEN_INVALID"


async def test_a_token_bound_to_a_dpop_key_needs_its_proof_once(service: Service, verifier: Verifier) -> None:
    """RFC 9449, sections 4.3 and 7."""
    client = DpopClient()
    token = await bound(service, client.proof(now=now(service)))

    def proof(holder: DpopClient = client, *, method: str = METHOD, uri: str = URI, of: str = token) -> Proof:
        return Proof(dpop=holder.jwt(now=now(service), access_token=of), http_method=method, http_uri=uri)

    good = proof()
    assert (await verifier.verify(token, proof=good)).subject
    wrong = {
        "used before": good,
        "missing": NO_PROOF,
        "another key": proof(DpopClient()),
        "another method": proof(method="GET"),
        "another address": proof(uri="https://app.test/other"),
        "another token": proof(of="another"),
        "a certificate": Proof(certificate_sha256=hashlib.sha256(b"certificate").digest()),
        "nonsense": Proof(dpop="a.b.c", http_method=METHOD, http_uri=URI),
    }
    for what, presented in wrong.items():
        with pytest.raises(ProofRequiredError) as told:
            await verifier.verify(token, proof=presented)
        assert told.value.binding == "dpop", what
    unbound = (await (await new_person(service.api)).sign_in()).tokens.access_token
    with pytest.raises(ProofRequiredError):
        await verifier.verify(unbound, proof=proof(of=unbound))


async def test_a_token_bound_to_a_certificate_needs_it(service: Service, verifier: Verifier) -> None:
    """RFC 8705, section 3."""
    token = await bound(service, certificate()[0])
    shown = hashlib.sha256(b"certificate").digest()
    assert (await verifier.verify(token, proof=Proof(certificate_sha256=shown))).subject
    for presented in (NO_PROOF, Proof(certificate_sha256=hashlib.sha256(b"another").digest())):
        with pytest.raises(ProofRequiredError) as told:
            await verifier.verify(token, proof=presented)
        assert told.value.binding == "mtls"
    unbound = (await (await new_person(service.api)).sign_in()).tokens.access_token
    assert (await verifier.verify(unbound, proof=Proof(certificate_sha256=shown))).subject


async def test_an_issuer_that_is_away_is_an_outage(service: Service) -> None:
    """Promise 4: never an answer about the token."""
    token = (await (await new_person(service.api)).sign_in()).tokens.access_token
    keys = RemoteKeySet("http://127.0.0.1:1/keys", fetcher=Fetcher(allow_loopback=True))
    async with service.verifier(keys=keys) as away:
        with pytest.raises(VerifierUnavailableError) as told:
            await away.verify(token)
        assert told.value.retry_after is not None
        # What is wrong with the token itself is known all the same.
        with pytest.raises(TokenRefusedError):
            await away.verify(token.replace(".", "", 1))


async def test_used_proofs_are_bounded_and_forgotten_in_time() -> None:
    moment = [0.0]
    used = UsedProofs(most=3, now=lambda: moment[0])
    assert [await used.use("key", one) for one in "aabc"] == [True, False, True, True]
    with pytest.raises(VerifierUnavailableError):
        await used.use("key", "d")
    moment[0] = 70.0
    assert await used.use("key", "d")
    assert len(used._used) == len(used._order) == 1


@pytest.mark.parametrize(
    "issuer", ["https://id.example.com", "https://id.example.com/t/", "https://id.example.com/t/a/b"]
)
def test_an_issuer_that_can_be_none_of_arguss_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        OfflineVerifier(issuer=issuer, audience="https://documents.example.com")
