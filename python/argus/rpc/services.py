"""The services of the API, found in the generated modules: a new one is served or stops the start."""

import importlib
import pkgutil

from google.protobuf.descriptor import ServiceDescriptor

import argus.v1


def all_services() -> dict[str, ServiceDescriptor]:
    """Every service of `argus.v1` by its full name."""
    names = (module.name for module in pkgutil.iter_modules(argus.v1.__path__))
    modules = [importlib.import_module(f"argus.v1.{name}") for name in names if name.endswith("_service_pb2")]
    return {service.full_name: service for module in modules for service in module.DESCRIPTOR.services_by_name.values()}
