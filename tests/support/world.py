"""A tenant with one of everything; the valid request for every RPC that is made of it is `world_requests`."""

from dataclasses import dataclass

from google.protobuf.message import Message

from argus.base.clock import Clock
from argus.server.api import Api
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import key_service_pb2 as keys
from argus.v1 import notification_service_pb2 as notifications
from tests.support.authenticator import App, app_of
from tests.support.notification_requests import TEMPLATE, create_channel
from tests.support.passkeys import authenticator_of, enrol_passkey
from tests.support.world_requests import (
    NEW_PASSWORD,
    PASSWORD,
    REQUESTS,
    create_client,
    create_group,
    create_user,
    set_policy,
    simulate_policy,
    start_login,
    submit_factor,
)

__all__ = ["NEW_PASSWORD", "PASSWORD", "World", "make_world"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Resource names and tokens of one tenant."""

    tenant: str
    user: str
    identifier: str
    session: str
    client: str
    group: str
    policy: str
    simulation: str
    key: str
    credential: str
    login: str
    login_token: str
    device: str
    device_token: str
    client_secret: str
    access_token: str
    refresh_token: str
    enrolling_token: str
    enrolling_user: str
    passkey: str
    passkey_enrolment_id: str
    passkey_answer: str
    enrolment_id: str
    app: App
    own_recovery_codes: str
    own_enrolment_id: str
    own_app: App
    own_passkey_enrolment_id: str
    own_passkey_answer: str
    channel: str
    clock: Clock

    def request(self, rpc_name: str) -> Message:
        """A request of the RPC that would do what the RPC is for.

        A new RPC is added here: a test asks for one of every RPC.
        """
        return REQUESTS[rpc_name](self)


async def make_world(api: Api) -> World:
    """Fills the tenant of `api`, by the RPCs themselves."""
    user = (await api.users.CreateUser(create_user(api.parent, "owner@example.com"))).user
    begun = await api.authentication.StartLogin(start_login(api.parent))
    done = await api.authentication.SubmitFactor(submit_factor(api.parent, begun.login_token))
    another = await api.authentication.StartLogin(start_login(api.parent))
    client = await api.clients.CreateClient(create_client(api.parent, "reader"))
    group = await api.users.CreateGroup(create_group(api.parent, "staff"))
    for limit in (9, 8):
        await api.policies.SetPolicy(set_policy(f"{group.group.name}/policy", limit))
    simulating = await api.policies.SimulatePolicy(simulate_policy(api.parent))
    key_list = await api.keys.ListKeys(keys.ListKeysRequest(parent=api.parent))
    credential_list = await api.credentials.ListCredentials(credentials.ListCredentialsRequest(parent=user.name))
    enrolling = (await api.users.CreateUser(create_user(api.parent, "enrolling@example.com"))).user
    strong = start_login(api.parent, "enrolling@example.com", acr_values=["urn:argus:acr:2"])
    weak = await api.authentication.StartLogin(strong)
    asked = await api.authentication.SubmitFactor(submit_factor(api.parent, weak.login_token))
    enrolment = await api.credentials.StartTotpEnrolment(credentials.StartTotpEnrolmentRequest(parent=enrolling.name))
    holder = (await api.users.CreateUser(create_user(api.parent, "passkeys@example.com"))).user
    passkey = await enrol_passkey(api, holder.name, await authenticator_of(api))
    further = await api.credentials.StartPasskeyEnrolment(credentials.StartPasskeyEnrolmentRequest(parent=holder.name))
    own_codes = await api.credentials.ReplaceRecoveryCodes(credentials.ReplaceRecoveryCodesRequest(parent=user.name))
    own_totp = await api.credentials.StartTotpEnrolment(credentials.StartTotpEnrolmentRequest(parent=user.name))
    own_passkey = await api.credentials.StartPasskeyEnrolment(
        credentials.StartPasskeyEnrolmentRequest(parent=user.name)
    )
    await api.notifications.SetTemplate(notifications.SetTemplateRequest(parent=api.parent, template=TEMPLATE))
    return World(
        tenant=api.parent,
        user=user.name,
        identifier=user.identifiers[0].name,
        session=done.session.name,
        client=client.client.name,
        group=group.group.name,
        policy=f"{group.group.name}/policy",
        simulation=simulating.simulation.name,
        key=key_list.keys[0].name,
        credential=credential_list.credentials[0].name,
        login=another.login.name,
        login_token=another.login_token,
        device=f"{user.name}/devices/{done.session.device.name}",
        device_token=done.device_token,
        client_secret=client.client_secret,
        access_token=done.tokens.access_token,
        refresh_token=done.tokens.refresh_token,
        enrolling_token=asked.login_token,
        enrolling_user=enrolling.name,
        passkey=passkey.name,
        passkey_enrolment_id=further.enrolment_id,
        passkey_answer=(await authenticator_of(api)).create(further.options_json),
        enrolment_id=enrolment.enrolment_id,
        app=app_of(enrolment.uri),
        own_recovery_codes=own_codes.credential.name,
        own_enrolment_id=own_totp.enrolment_id,
        own_app=app_of(own_totp.uri),
        own_passkey_enrolment_id=own_passkey.enrolment_id,
        own_passkey_answer=(await authenticator_of(api)).create(own_passkey.options_json),
        channel=(await api.notifications.CreateChannel(create_channel(api.parent))).channel.name,
        clock=api.clock,
    )
