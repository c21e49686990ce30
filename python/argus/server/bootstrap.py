"""What a new installation begins with; doing it again changes nothing.

A secret is shown once, by writing it to its file.
"""

from dataclasses import dataclass
from typing import Final

from argus.base.clock import Clock
from argus.base.ids import new_id, new_secret
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.clients.model import ClientFields, ClientNotFoundError
from argus.clients.scopes import argus_scopes
from argus.server.app import Argus, open_argus
from argus.server.secret_files import SecretFiles
from argus.tenants.model import TenantNotFoundError
from argus.users.model import NewIdentifier

SYSTEM_TENANT: Final = "system"
OPERATOR_CLIENT: Final = "operator"
DEV_TENANT: Final = "dev"
DEV_CLIENT: Final = "dev-service"
DEV_RESOURCE: Final = "https://service.example.com"
ADMINISTRATOR: Final = "admin@example.com"
KEY_ENCRYPTION_KEY: Final = "key-encryption-key"
ADMINISTRATOR_PASSWORD: Final = "administrator-password"  # noqa: S105 - the name of its file
_HIGHEST_ACR: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Makes the first tenants, clients and users.

    Attributes:
        argus: Where.
        files: Where the secrets go that it makes.
        replaces_lost: A secret whose file is gone is replaced; the old one stops.
    """

    argus: Argus
    files: SecretFiles
    replaces_lost: bool

    async def system(self) -> None:
        """Makes the system tenant and its client `operator`, which may make all others."""
        await self._tenant(SYSTEM_TENANT, display_name="System", is_system=True)
        await self._client(SYSTEM_TENANT, OPERATOR_CLIENT, display_name="Operator", resource="urn:argus:operator")
        await self.argus.snapshot.refresh()

    async def development(self) -> None:
        """Makes the tenant `dev` with a first administrator and a service client, for `argus dev`."""
        await self._tenant(DEV_TENANT, display_name="Development", is_system=False)
        await self._client(DEV_TENANT, DEV_CLIENT, display_name="Development service", resource=DEV_RESOURCE)
        await self._administrator()
        await self.argus.snapshot.refresh()

    async def _tenant(self, tenant_id: str, *, display_name: str, is_system: bool) -> None:
        try:
            await self.argus.tenants.get(tenant_id)
        except TenantNotFoundError:
            await self.argus.create_tenant(
                tenant_id, display_name=display_name, is_system=is_system, origin=_origin(tenant_id)
            )

    async def _client(self, tenant_id: str, client_id: str, *, display_name: str, resource: str) -> None:
        name = client_secret_file(client_id)
        clients, origin = self.argus.clients, _origin(tenant_id)
        try:
            await clients.get(tenant_id, client_id)
        except ClientNotFoundError:
            fields = ClientFields(
                display_name=display_name,
                scopes=tuple(sorted(argus_scopes())),
                resource=resource,
                max_asserted_acr=_HIGHEST_ACR,
            )
            _, secret = await clients.create(tenant_id, client_id, fields, origin=origin)
        else:
            if self.files.has(name) or not self.replaces_lost:
                return
            secret = await clients.rotate_secret(tenant_id, client_id, origin=origin)
        self.files.write(name, secret)

    async def _administrator(self) -> None:
        users, origin = self.argus.users, _origin(DEV_TENANT)
        user = await users.find_by_identifier(DEV_TENANT, ADMINISTRATOR)
        if user is None:
            user = await users.create(
                DEV_TENANT,
                display_name="Administrator",
                identifiers=[NewIdentifier(kind="email", value=ADMINISTRATOR)],
                origin=origin,
            )
        elif self.files.has(ADMINISTRATOR_PASSWORD) or not self.replaces_lost:
            return
        password = new_secret()
        await self.argus.passwords.set(DEV_TENANT, user.user_id, password, identifiers=[ADMINISTRATOR], origin=origin)
        self.files.write(ADMINISTRATOR_PASSWORD, password)


async def bootstrap_system(settings: Settings, files: SecretFiles) -> None:
    """Makes the system tenant of an installation that is not `argus dev`'s; replaces no secret.

    Args:
        settings: All settings.
        files: Where the secret of the client `operator` goes.
    """
    async with open_argus(settings, clock=Clock()) as argus:
        await Bootstrap(argus=argus, files=files, replaces_lost=False).system()


def client_secret_file(client_id: str) -> str:
    """Name of the file of a client's secret."""
    return f"{client_id}-secret"


def _origin(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor="system:bootstrap", request_id=new_id())
