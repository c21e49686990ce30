"""The settings of the default policy, made of the table of its fields."""

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, create_model

from argus.base.policy import RULES
from argus.base.policy_rules import Rule

STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)
"""How every part of the settings is read."""


def _setting(rule: Rule) -> tuple[Any, Any]:
    """How a field is read from text or TOML, and written where settings are shown."""

    def read(value: object) -> Any:
        if value is None or value == rule.default:
            return value
        written = rule.parse(value) if isinstance(value, str) else _written(rule, value)
        for fault in rule.faults(written, ""):
            raise ValueError(fault.text)
        return rule.read(written)

    def show(value: Any) -> str | None:
        return None if value is None else rule.show(rule.write(value))

    text = f"{rule.text} Default {rule.show(rule.write(rule.default))}."
    return Annotated[Any, BeforeValidator(read), PlainSerializer(show)], Field(None, description=text)


def _written(rule: Rule, value: object) -> Any:
    """A value as documents have it: `PolicySettings` made by hand has those of a `Policy`."""
    return rule.write(value) if isinstance(value, type(rule.default)) else value


if TYPE_CHECKING:

    class _Fields(BaseModel):
        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    _Fields = create_model(
        "_Fields",
        __config__=STRICT,
        **{key.removesuffix(rule.suffix): _setting(rule) for key, rule in RULES.items() if rule.is_setting},
    )


class PolicySettings(_Fields):
    """What tenants without a policy of their own live by; empty: Argus's own default."""

    model_config = STRICT
