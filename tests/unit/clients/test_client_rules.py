import pytest

from argus.base.errors import InvalidFieldError
from argus.clients.model import ClientFields, ScopeNotHeldError, check_fields, check_grant
from argus.clients.scopes import argus_scopes


def test_the_scopes_of_argus_are_those_of_its_rpcs() -> None:
    """Read from the access rules, and the two that widen an RPC."""
    scopes = argus_scopes()
    assert {"users.write", "tokens.verify", "tenants.admin", "login.run"} <= scopes
    assert {"tokens.refresh_for_clients", "context.assert"} <= scopes
    assert "" not in scopes


@pytest.mark.parametrize(
    "resource", ["https://a.example.com", "https://a.example.com/api?x=1", "urn:example:api", "app:thing"]
)
def test_good_resources(resource: str) -> None:
    """RFC 8707: an absolute URI without fragment."""
    check_fields(ClientFields(resource=resource))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (ClientFields(), "client.resource"),
        (ClientFields(resource="/api"), "client.resource"),
        (ClientFields(resource="a.example.com"), "client.resource"),
        (ClientFields(resource="https://"), "client.resource"),
        (ClientFields(resource="https://[::1"), "client.resource"),
        (ClientFields(resource="https://a.example.com/#x"), "client.resource"),
        (ClientFields(resource="https://a.example.com/#"), "client.resource"),
        (ClientFields(resource="https://a.example.com/ä"), "client.resource"),
        (ClientFields(resource="https://a.example.com/ b"), "client.resource"),
        (ClientFields(resource="https://id.example.com/t/acme"), "client.resource"),
        (ClientFields(resource="urn:a:" + "b" * 512), "client.resource"),
        (ClientFields(resource="urn:a:b", display_name="x" * 201), "client.display_name"),
        (ClientFields(resource="urn:a:b", scopes=["a", "B"]), "client.scopes[1]"),
        (ClientFields(resource="urn:a:b", scopes=["a b"]), "client.scopes[0]"),
        (ClientFields(resource="urn:a:b", scopes=["a", "a"]), "client.scopes[1]"),
        (ClientFields(resource="urn:a:b", scopes=[str(n) for n in range(101)]), "client.scopes"),
        (ClientFields(resource="urn:a:b", max_asserted_acr=4), "client.max_asserted_acr"),
    ],
)
def test_bad_fields_are_refused_by_name(fields: ClientFields, field: str) -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidFieldError) as refused:
        check_fields(fields, issuer_base="https://id.example.com")
    assert refused.value.field == field


def test_nobody_gives_a_power_that_it_lacks() -> None:
    """Scopes of Argus can be given by their holders; an application's own by anybody."""
    held = {"users.read"}
    check_grant(["users.read", "documents.read"], argus_scopes=argus_scopes(), grantable=held)
    with pytest.raises(ScopeNotHeldError) as refused:
        check_grant(["users.read", "users.write"], argus_scopes=argus_scopes(), grantable=held)
    assert refused.value.metadata["requiredScope"] == "users.write"
    check_grant(["users.write"], argus_scopes=argus_scopes(), grantable=None)
