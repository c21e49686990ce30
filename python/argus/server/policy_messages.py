"""What the engine needs of policies, as it is told."""

from datetime import timedelta
from typing import Final

from argus.base.policy import Policy
from argus.contexts.model import checks_context
from argus.internal.v1 import engine_pb2
from argus.policies.living import ceiling
from argus.policies.model import EffectivePolicy

# By its number for the engine.
_SECOND_FACTORS: Final = ("any", "replay_resistant", "phishing_resistant", "hardware")


def ceiling_message(present: Policy) -> engine_pb2.PolicySnapshot:
    """What presets demand of a client's sessions.

    Args:
        present: What is in force for the client.
    """
    demanded = ceiling(present)
    return engine_pb2.PolicySnapshot(
        idle=demanded.get("idle_seconds", 0),
        absolute=demanded.get("absolute_seconds", 0),
        access=demanded.get("access_seconds", 0),
        grace=demanded.get("grace_seconds", 0),
        deadline=demanded.get("request_deadline_seconds", 0),
        refresh_is_activity=demanded.get("refresh_is_activity", True),
        strict=demanded.get("rotation") == "strict",
        end_on_replay=demanded.get("reuse") == "end",
        refresh=demanded.get("refresh_seconds", 0),
        trust_step_up_below=demanded.get("trust_step_up_below", 0),
        trust_deny_below=demanded.get("trust_deny_below", 0),
    )


def policy_message(numbered: EffectivePolicy) -> engine_pb2.PolicySnapshot:
    """A numbered policy."""
    policy = numbered.policy
    return engine_pb2.PolicySnapshot(
        revision=numbered.revision,
        idle=_whole(policy.idle),
        absolute=_whole(policy.absolute),
        access=_whole(policy.access),
        grace=_whole(policy.grace),
        deadline=_whole(policy.request_deadline),
        refresh_is_activity=policy.refresh_is_activity,
        strict=policy.rotation == "strict",
        end_on_replay=policy.reuse == "end",
        required_acr=policy.required_acr,
        second_factor=_SECOND_FACTORS.index(policy.second_factor),
        refresh=_whole(policy.refresh),
        trust_step_up_below=policy.trust_step_up_below,
        trust_deny_below=policy.trust_deny_below,
        trust_floors=[
            engine_pb2.TrustFloor(scope=one.scope, step_up_below=one.step_up_below, deny_below=one.deny_below)
            for one in policy.trust_floors
            if one.scope
        ],
        checks_context=checks_context(policy),
        narrower=sorted(numbered.narrower),
    )


def _whole(span: timedelta) -> int:
    return int(span.total_seconds())
