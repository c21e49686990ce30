"""The scopes of Argus itself, read from the access rules of its RPCs: a new RPC's is known without a line here."""

import functools
import importlib
import pkgutil
from typing import Final

import argus.v1
from argus.v1 import options_pb2

# Scopes that widen an RPC rather than open it.
_FURTHER: Final = frozenset({"tokens.refresh_for_clients", "context.assert"})


@functools.cache
def argus_scopes() -> frozenset[str]:
    """Every scope that gives a client power over Argus; all others are the applications' own."""
    names = (module.name for module in pkgutil.iter_modules(argus.v1.__path__))
    files = [importlib.import_module(f"argus.v1.{name}") for name in names if name.endswith("_service_pb2")]
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    rules = [method.GetOptions().Extensions[options_pb2.access] for service in services for method in service.methods]
    return frozenset(rule.scope for rule in rules if rule.scope) | _FURTHER
