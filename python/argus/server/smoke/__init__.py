"""A walk through the main job over gRPC, on a private stack."""

from argus.server.smoke.run import StepResult, run_smoke

__all__ = ["StepResult", "run_smoke"]
