"""The part of `argus.v1.CredentialService` that is about passkeys."""

from typing import Any, Final

from argus.base import ids
from argus.base.errors import RequestAlreadyDoneError
from argus.credentials.passkey_rules.model import CounterPolicy, PasskeyRules, check_certificate, read_aaguid
from argus.credentials.passkey_rules.service import PasskeyRulebook
from argus.credentials.passkeys.model import MAX_PASSKEY_NAME, Passkey
from argus.credentials.webauthn.forms import encode
from argus.credentials.webauthn.model import MAX_RESPONSE, Attestation
from argus.flows.passkey_changes import PasskeyChanges
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.tenants.service import Tenants
from argus.v1 import credential_service_pb2 as pb

_MAX_ID: Final = 64
_POLICIES: Final[dict[CounterPolicy, pb.PasskeyCounterPolicy.ValueType]] = {
    "step_up": pb.PASSKEY_COUNTER_POLICY_STEP_UP,
    "ignore": pb.PASSKEY_COUNTER_POLICY_IGNORE,
    "refuse": pb.PASSKEY_COUNTER_POLICY_REFUSE,
}
_POLICIES_BY_NUMBER: Final = {number: policy for policy, number in _POLICIES.items()}
_ATTESTATIONS: Final[dict[Attestation, pb.PasskeyAttestation.ValueType]] = {
    "none": pb.PASSKEY_ATTESTATION_NONE,
    "direct": pb.PASSKEY_ATTESTATION_DIRECT,
}
_ATTESTATIONS_BY_NUMBER: Final = {number: kind for kind, number in _ATTESTATIONS.items()}
# Fields of the message, and what they are called inside.
_FIELDS: Final = {
    "rp_id": "rp_id",
    "rp_name": "rp_name",
    "origins": "origins",
    "allow_cross_origin": "allows_cross_origin",
    "top_origins": "top_origins",
    "counter_policy": "counter_policy",
    "attestation": "attestation",
    "attestation_roots": "attestation_roots",
    "aaguids": "aaguids",
}
_MAX_URL: Final = 512


class PasskeyRpcs:
    """The RPCs about passkeys."""

    def __init__(self, tenants: Tenants, changes: PasskeyChanges, rulebook: PasskeyRulebook) -> None:
        self._tenants = tenants
        self._changes = changes
        self._rulebook = rulebook

    async def start(self, request: pb.StartPasskeyEnrolmentRequest) -> pb.StartPasskeyEnrolmentResponse:
        """Makes creation options."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        begun = await self._changes.begin(
            tenant_id,
            user_id,
            use="second_factor" if request.use == pb.PASSKEY_USE_SECOND_FACTOR else "sign_in",
            is_conditional=request.conditional,
        )
        return pb.StartPasskeyEnrolmentResponse(
            options_json=begun.options_json,
            enrolment_id=begun.enrolment_id,
            expire_time=validate.to_timestamp(begun.expire_time),
        )

    async def confirm(self, request: pb.ConfirmPasskeyEnrolmentRequest) -> pb.ConfirmPasskeyEnrolmentResponse:
        """Registers a passkey."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        enrolment_id = validate.text(request.enrolment_id, "enrolment_id", _MAX_ID, required=True)
        response_json = validate.text(request.response_json, "response_json", MAX_RESPONSE, required=True)
        display_name = validate.text(request.display_name, "display_name", MAX_PASSKEY_NAME)
        try:
            passkey = await self._changes.confirm(
                tenant_id,
                user_id,
                enrolment_id,
                response_json,
                display_name=display_name,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError as done:
            passkey = await self._named(done.name)
        return pb.ConfirmPasskeyEnrolmentResponse(passkey=passkey_message(passkey))

    async def list(self, request: pb.ListPasskeysRequest) -> pb.ListPasskeysResponse:
        """Lists a user's passkeys."""
        passkeys = await self._changes.list(*validate.user(request.parent, "parent"))
        return pb.ListPasskeysResponse(passkeys=[passkey_message(one) for one in passkeys])

    async def update(self, request: pb.UpdatePasskeyRequest) -> pb.UpdatePasskeyResponse:
        """Renames a passkey."""
        tenant_id, user_id, credential_id = validate.credential(request.passkey.name, "passkey.name")
        validate.mask(request.update_mask, {"display_name"})
        display_name = validate.text(request.passkey.display_name, "passkey.display_name", MAX_PASSKEY_NAME)
        try:
            passkey = await self._changes.rename(
                tenant_id, user_id, credential_id, display_name, origin=origin_of(request)
            )
        except RequestAlreadyDoneError as done:
            passkey = await self._named(done.name)
        return pb.UpdatePasskeyResponse(passkey=passkey_message(passkey))

    async def signals(self, request: pb.GetPasskeySignalsRequest) -> pb.GetPasskeySignalsResponse:
        """Reads what browsers are to tell authenticators."""
        accepted, details = await self._changes.signals(*validate.user(request.parent, "parent"))
        return pb.GetPasskeySignalsResponse(accepted_credentials_json=accepted, user_details_json=details)

    async def rules(self, request: pb.GetPasskeyRulesRequest) -> pb.GetPasskeyRulesResponse:
        """Reads a tenant's rules."""
        tenant_id = validate.tenant(request.name, "name", allow_system=True)
        await self._tenants.get(tenant_id)
        said, in_force = await self._rulebook.said(tenant_id), await self._rulebook.of(tenant_id)
        return pb.GetPasskeyRulesResponse(rules=_rules_message(said), in_force=_rules_message(in_force))

    async def update_rules(self, request: pb.UpdatePasskeyRulesRequest) -> pb.UpdatePasskeyRulesResponse:
        """Changes a tenant's rules."""
        tenant_id = validate.tenant(request.rules.name, "rules.name", allow_system=True)
        paths = {_FIELDS[path] for path in validate.mask(request.update_mask, _FIELDS)}
        await self._tenants.get(tenant_id)
        try:
            rules = await self._rulebook.update(
                tenant_id,
                _rules(tenant_id, request.rules),
                paths=paths,
                etag=request.rules.etag,
                origin=origin_of(request, tenant_id=tenant_id),
            )
        except RequestAlreadyDoneError:
            rules = await self._rulebook.said(tenant_id)
        return pb.UpdatePasskeyRulesResponse(rules=_rules_message(rules))

    async def _named(self, name: str) -> Passkey:
        found = ids.parse_name("credential", name)
        if found is None:
            raise LookupError("a repeated request names its credential")
        return await self._changes.get(*found)


def passkey_message(passkey: Passkey) -> pb.Passkey:
    """A passkey."""
    extra: dict[str, Any] = {} if passkey.discoverable is None else {"discoverable": passkey.discoverable}
    return pb.Passkey(
        name=ids.credential_name(passkey.tenant_id, passkey.user_id, passkey.credential_id),
        display_name=passkey.display_name,
        rp_id=passkey.rp_id,
        webauthn_id=encode(passkey.webauthn_id),
        backup_eligible=passkey.backup_eligible,
        backed_up=passkey.backed_up,
        attested=passkey.attested,
        aaguid=passkey.aaguid,
        transports=passkey.transports,
        create_time=validate.to_timestamp(passkey.create_time),
        last_use_time=validate.to_timestamp(passkey.last_use_time),
        **extra,
    )


def _rules(tenant_id: str, message: pb.PasskeyRules) -> PasskeyRules:
    for name in ("origins", "top_origins"):
        for index, value in enumerate(getattr(message, name)):
            validate.text(value, f"rules.{name}[{index}]", _MAX_URL)
    return PasskeyRules(
        tenant_id=tenant_id,
        rp_id=message.rp_id,
        rp_name=message.rp_name,
        origins=list(message.origins),
        allows_cross_origin=message.allow_cross_origin,
        top_origins=list(message.top_origins),
        counter_policy=_POLICIES_BY_NUMBER.get(message.counter_policy, "step_up"),
        attestation=_ATTESTATIONS_BY_NUMBER.get(message.attestation, "none"),
        attestation_roots=[check_certificate(one, index) for index, one in enumerate(message.attestation_roots)],
        aaguids=[read_aaguid(one, index) for index, one in enumerate(message.aaguids)],
    )


def _rules_message(rules: PasskeyRules) -> pb.PasskeyRules:
    return pb.PasskeyRules(
        name=ids.tenant_name(rules.tenant_id),
        rp_id=rules.rp_id,
        rp_name=rules.rp_name,
        origins=rules.origins,
        allow_cross_origin=rules.allows_cross_origin,
        top_origins=rules.top_origins,
        counter_policy=_POLICIES[rules.counter_policy],
        attestation=_ATTESTATIONS[rules.attestation],
        attestation_roots=rules.attestation_roots,
        aaguids=rules.aaguids,
        etag=ids.etag(rules.revision),
    )
