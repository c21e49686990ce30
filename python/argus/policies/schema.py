"""The JSON Schema of a policy document, for editors: made of the table of fields."""

from typing import Any, Final

from argus.base.policy import RULES
from argus.policies.conditions import MOST_RULES, RULES_KEY, VARIABLES
from argus.policies.resolve import DEADLINE, GRACE

_TOGETHER: Final = {GRACE: [DEADLINE], DEADLINE: [GRACE]}


def json_schema() -> dict[str, Any]:
    """The schema (2020-12); what it lets pass may still be refused for fields that don't fit together."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy of an Argus tenant, client, group or user",
        "type": "object",
        "properties": fields_schema() | {RULES_KEY: _rules_schema()},
        "additionalProperties": False,
        "dependentRequired": _TOGETHER,
    }


def fields_schema() -> dict[str, Any]:
    """The schemas of all fields, by key."""
    return {
        key: {"description": rule.text, "default": rule.write(rule.default), **rule.schema()}
        for key, rule in RULES.items()
    }


def _rules_schema() -> dict[str, Any]:
    facts = "; ".join(f"{name}: {text}" for name, (_, text) in VARIABLES.items())
    then = {"type": "object", "properties": fields_schema(), "additionalProperties": False, "minProperties": 1}
    rule = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 63},
            "when": {"description": f"A condition in CEL. {facts}", "type": "string", "maxLength": 1000},
            "then": {"description": "What holds where it is met.", **then, "dependentRequired": _TOGETHER},
        },
        "required": ["name", "when", "then"],
        "additionalProperties": False,
    }
    text = "Fields that hold where a condition is met; of several that are, the strictest value."
    return {"description": text, "type": "array", "items": rule, "maxItems": MOST_RULES}
