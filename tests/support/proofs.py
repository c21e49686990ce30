"""What the tests of proofs at the engine share."""

from google.protobuf.message import Message

from tests.support.engine import Bench, Session


def record(bench: Bench, session: Session) -> bytes:
    """What Redis holds of a session."""
    value = bench.valkey.client.get(bench.keys(session.session_id)[0])
    assert isinstance(value, bytes)
    return value


def used_proofs(bench: Bench) -> list[bytes]:
    """Names of what is remembered of proofs."""
    return list(bench.valkey.client.scan_iter("a1:dp:*"))


def refused_proof(bench: Bench, method: str, request: Message, *, binding: str = "dpop") -> str:
    """A refusal for want of a good proof; the class in the audit event, which the caller is not told."""
    bench.effects()
    found = bench.refused(method, request)
    assert (found.code, found.reason, found.metadata) == (16, "TOKEN_PROOF_REQUIRED", {"binding": binding})
    ((event, reason),) = bench.events()
    assert event == "proof.refused"
    assert found.message.startswith("a proof of possession is missing or not good; ")
    return reason
