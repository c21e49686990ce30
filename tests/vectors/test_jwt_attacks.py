"""Every case of `jwt-attacks` through the engine and the gRPC call: good ones pass, all others get one answer."""

from tests.support.carried import Attacks
from tests.support.doors import Door, GrpcDoor
from tests.support.vectors import pkcs8

# Signed by a key that is made anew each time, or with a salt.
UNREPEATABLE = {
    "attacker-key-same-kid",
    "attacker-embedded-jwk",
    "attacker-embedded-jwk-no-kid",
    "attacker-jku",
    "attacker-x5u",
    "kid-empty",
    "kid-huge",
    "kid-newline",
    "kid-redis-glob",
    "kid-sql",
    "kid-traversal",
    "ps256-right-key",
}


def test_carrying_over_to_the_own_target_changes_nothing(attacks: Attacks) -> None:
    """What is carried over is the case: to the byte, where its signature can be made again."""
    cases = [case for case in attacks.cases if "generated" not in case]
    for case in cases:
        carried = attacks.carry(case, attacks.own)
        if case["id"] in UNREPEATABLE:
            assert carried.rpartition(".")[0] == case["token"].rpartition(".")[0]
        else:
            assert carried == case["token"], case["id"]
    assert len(cases) >= 93


async def test_rfc_8725_attacks(attacks: Attacks, door: Door) -> None:
    """Accepted or refused as the file says, with its class; the caller can't tell one refusal from another."""
    kid = await door.bring(pkcs8(attacks.key))
    wrong, answers = [], {}
    for case in attacks.cases:
        verdict = await door.present(attacks.carry(case, await door.target(kid)))
        if case["id"] == "empty":  # no token was presented: the field is missing
            assert "FIELD_INVALID" in str(verdict.answer)
            continue
        if (verdict.answer is None, verdict.fault) != (case["expect"] == "accept", case["error_class"]):
            wrong.append((case["id"], verdict, case["error_class"]))
        if verdict.answer is not None:
            answers[str(verdict.answer)] = case["id"]
    assert not wrong
    assert len(answers) == 1, answers
    assert "TOKEN_INVALID" in next(iter(answers))
    assert len(attacks.cases) >= 94


async def test_asvs_16_3_1_every_attack_is_in_the_audit_with_its_class(attacks: Attacks, grpc_door: GrpcDoor) -> None:
    """Found by the request id that the caller was told."""
    kid = await grpc_door.bring(pkcs8(attacks.key))
    expected = {}
    for case in attacks.cases:
        verdict = await grpc_door.present(attacks.carry(case, await grpc_door.target(kid)))
        if case["expect"] == "reject" and case["id"] != "empty":
            expected[verdict.request_id] = case["error_class"]
    assert await grpc_door.audited() == expected
    assert len(expected) >= 86
