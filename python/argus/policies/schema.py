"""The JSON Schema of a policy document, for editors: made of the table of fields."""

from typing import Any

from argus.base.policy import RULES
from argus.policies.resolve import DEADLINE, GRACE


def json_schema() -> dict[str, Any]:
    """The schema (2020-12); what it lets pass may still be refused for fields that don't fit together."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy of an Argus tenant, client, group or user",
        "type": "object",
        "properties": fields_schema(),
        "additionalProperties": False,
        "dependentRequired": {GRACE: [DEADLINE], DEADLINE: [GRACE]},
    }


def fields_schema() -> dict[str, Any]:
    """The schemas of all fields, by key."""
    return {
        key: {"description": rule.text, "default": rule.write(rule.default), **rule.schema()}
        for key, rule in RULES.items()
    }
